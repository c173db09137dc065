"""A fake SimpleDB: the operations of the documented protocol (2009-04-15), kept in memory; `simpledb_server` serves it.

Not AWS's code and not checked against AWS: what it enforces is what the developer guide says ("Limits", "API Error
Codes", the operations' pages), and `tests/unit/test_simpledb_fake.py` shows that it does. Reads that do not ask for
`ConsistentRead` get the state of one write ago, since that is what they may get.
"""

import base64
import json
import threading
from collections.abc import Callable
from xml.sax.saxutils import escape

from simpledb_select import InvalidQuery, Query, parse

NAMESPACE = "http://sdb.amazonaws.com/doc/2009-04-15/"
MAX_PAIRS, MAX_BYTES, MAX_BATCH, MIB = 256, 1024, 25, 1024 * 1024
Items = dict[str, dict[str, set[str]]]
Parameters = dict[str, str]


class Refusal(Exception):
    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


class FakeSimpleDb:
    """`most` bounds a Select's page below SimpleDB's own bound.

    As many answers as `lose_answers` says become a 503 after the work is done.
    """

    def __init__(self, most: int = 2500) -> None:
        self.most = most
        self.domains: dict[str, Items] = {}
        self.earlier: dict[str, Items] = {}
        self.calls: list[str] = []
        self.lose_answers = 0
        self._lock = threading.Lock()

    def answer(self, parameters: Parameters) -> str:
        """The XML of the result. Raises `Refusal`."""
        action = parameters.get("Action", "")
        operations: dict[str, Callable[[Parameters], str]] = {
            "CreateDomain": self._create_domain,
            "DeleteDomain": self._delete_domain,
            "PutAttributes": self._put,
            "BatchPutAttributes": self._batch_put,
            "GetAttributes": self._get,
            "DeleteAttributes": self._delete,
            "BatchDeleteAttributes": self._batch_delete,
            "Select": self._select,
        }
        if action not in operations:
            raise Refusal("InvalidAction", f"The action {action} is not valid for this web service.")
        with self._lock:
            self.calls.append(action)
            body = operations[action](parameters)
        result = f"<{action}Result>{body}</{action}Result>" if action in {"GetAttributes", "Select"} else ""
        about = "<ResponseMetadata><RequestId>fake</RequestId><BoxUsage>0.0000219907</BoxUsage></ResponseMetadata>"
        return f'<{action}Response xmlns="{NAMESPACE}">{result}{about}</{action}Response>'

    # -- domains --

    def _create_domain(self, parameters: Parameters) -> str:
        name = _needed(parameters, "DomainName")
        self.domains.setdefault(name, {})
        self.earlier.setdefault(name, {})
        return ""

    def _delete_domain(self, parameters: Parameters) -> str:
        self.domains.pop(_needed(parameters, "DomainName"), None)
        return ""

    def _writing(self, parameters: Parameters) -> Items:
        name = _needed(parameters, "DomainName")
        items = self._known(name)
        self.earlier[name] = {item: {key: set(values) for key, values in held.items()} for item, held in items.items()}
        return items

    def _known(self, name: str) -> Items:
        if name not in self.domains:
            raise Refusal("NoSuchDomain", "The specified domain does not exist.")
        return self.domains[name]

    def _reading(self, name: str, parameters: Parameters) -> Items:
        items = self._known(name)
        return items if parameters.get("ConsistentRead") == "true" else self.earlier[name]

    # -- items --

    def _put(self, parameters: Parameters) -> str:
        items = self._writing(parameters)
        item, given = _needed(parameters, "ItemName"), _attributes(parameters, "")
        held = items.get(item, {})
        _condition(parameters, held)
        items[item] = _replaced(item, held, given)
        return ""

    def _batch_put(self, parameters: Parameters) -> str:
        items = self._writing(parameters)
        changed = {
            item: _replaced(item, items.get(item, {}), _attributes(parameters, prefix))
            for item, prefix in _batch(parameters)
        }
        items.update(changed)  # All or nothing.
        return ""

    def _get(self, parameters: Parameters) -> str:
        items = self._reading(_needed(parameters, "DomainName"), parameters)
        return _xml_attributes(items.get(_needed(parameters, "ItemName"), {}))

    def _delete(self, parameters: Parameters) -> str:
        self._writing(parameters).pop(_needed(parameters, "ItemName"), None)
        return ""

    def _batch_delete(self, parameters: Parameters) -> str:
        items = self._writing(parameters)
        for item, _ in _batch(parameters):
            items.pop(item, None)
        return ""

    # -- select --

    def _select(self, parameters: Parameters) -> str:
        text = _needed(parameters, "SelectExpression")
        try:
            query = parse(text)
        except InvalidQuery as error:
            raise Refusal(error.code, str(error)) from None
        items = self._reading(query.domain, parameters)
        names = [name for name in items if query.matches(name)]
        names.sort(key=str.encode, reverse=query.descending)
        if query.what == "count(*)":
            count = f"<Attribute><Name>Count</Name><Value>{len(names)}</Value></Attribute>"
            return f"<Item><Name>Domain</Name>{count}</Item>"
        start = _position(parameters.get("NextToken"), text)
        page = self._page(query, items, names[start:])
        more = start + len(page) < len(names)
        return "".join(page) + (f"<NextToken>{_token(text, start + len(page))}</NextToken>" if more else "")

    def _page(self, query: Query, items: Items, names: list[str]) -> list[str]:
        page: list[str] = []
        size = 0
        for name in names[: min(query.limit, self.most)]:
            attributes = _xml_attributes(items[name]) if query.what == "*" else ""
            found = f"<Item><Name>{escape(name)}</Name>{attributes}</Item>"
            size += len(found.encode())
            if page and size > MIB:
                break
            page.append(found)
        return page


def _needed(parameters: Parameters, name: str) -> str:
    if not parameters.get(name):
        raise Refusal("MissingParameter", f"The request must contain the parameter {name}")
    return _bounded(parameters[name], name)


def _bounded(text: str, name: str) -> str:
    if name != "SelectExpression" and len(text.encode()) > MAX_BYTES:
        raise Refusal("InvalidParameterValue", f"Value ({text[:20]}…) for parameter {name} is invalid. Too long.")
    return text


def _attributes(parameters: Parameters, prefix: str) -> list[tuple[str, str, bool]]:
    """Name, value and whether to replace of `<prefix>Attribute.1` and so on."""
    given = []
    while f"{prefix}Attribute.{len(given) + 1}.Name" in parameters:
        at = f"{prefix}Attribute.{len(given) + 1}"
        name, value = _needed(parameters, f"{at}.Name"), _bounded(parameters[f"{at}.Value"], "Value")
        given.append((name, value, parameters.get(f"{at}.Replace") == "true"))
    if not given:
        raise Refusal("MissingParameter", "No attributes")
    if len(given) > MAX_PAIRS:
        raise Refusal("NumberSubmittedAttributesExceeded", "Too many attributes in a single call.", 409)
    return given


def _batch(parameters: Parameters) -> list[tuple[str, str]]:
    """Each item's name and the prefix of its parameters."""
    found: list[tuple[str, str]] = []
    while f"Item.{len(found) + 1}.ItemName" in parameters:
        prefix = f"Item.{len(found) + 1}."
        found.append((_needed(parameters, f"{prefix}ItemName"), prefix))
    if not found:
        raise Refusal("MissingParameter", "No items")
    if len(found) > MAX_BATCH:
        raise Refusal("NumberSubmittedItemsExceeded", "Too many items in a single call. Up to 25 items.", 409)
    if len({item for item, _ in found}) < len(found):
        raise Refusal("DuplicateItemName", "Item was specified more than once.")
    return found


def _replaced(item: str, held: dict[str, set[str]], given: list[tuple[str, str, bool]]) -> dict[str, set[str]]:
    changed = {name: set(values) for name, values in held.items()}
    for name in {name for name, _, replace in given if replace}:
        changed.pop(name, None)
    for name, value, _ in given:
        changed.setdefault(name, set()).add(value)
    if sum(map(len, changed.values())) > MAX_PAIRS:
        raise Refusal("NumberItemAttributesExceeded", f"Too many attributes in item {item}.", 409)
    return changed


def _condition(parameters: Parameters, held: dict[str, set[str]]) -> None:
    at = next((each for each in ("Expected", "Expected.1") if f"{each}.Name" in parameters), None)
    if at is None:
        return
    name = parameters[f"{at}.Name"]
    values = held.get(name, set())
    if parameters.get(f"{at}.Exists") == "false":
        if values:
            raise Refusal("ConditionalCheckFailed", f"Attribute ({name}) value exists.", 409)
    elif not values:
        raise Refusal("AttributeDoesNotExist", f"Attribute ({name}) does not exist", 404)
    elif len(values) > 1:
        raise Refusal("MultiValuedAttribute", f"Attribute ({name}) is multi-valued.", 409)
    elif values != {parameters[f"{at}.Value"]}:
        raise Refusal("ConditionalCheckFailed", f"Attribute ({name}) value is {values} but was expected otherwise", 409)


def _xml_attributes(held: dict[str, set[str]]) -> str:
    return "".join(
        f"<Attribute><Name>{escape(name)}</Name><Value>{escape(value)}</Value></Attribute>"
        for name, values in sorted(held.items())
        for value in sorted(values)
    )


def _token(query: str, position: int) -> str:
    return base64.b64encode(json.dumps([query, position]).encode()).decode()


def _position(token: str | None, query: str) -> int:
    if token is None:
        return 0
    try:
        made_for, position = json.loads(base64.b64decode(token))
    except ValueError:
        made_for, position = "", 0
    if made_for != query:
        raise Refusal("InvalidNextToken", "The specified next token is not valid.")
    return int(position)
