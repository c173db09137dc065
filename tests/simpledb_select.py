"""SimpleDB's Select, as far as the fake needs it: conditions on item names, joined by `and`, sorted by item name.

After "Using Select to Create Amazon SimpleDB Queries" in the developer guide. Whatever else is an error, as a query
that SimpleDB does not understand is.
"""

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|(?P<quoted>`(?:[^`]|``)+`)"
    r"|(?P<word>itemName\(\)|count\(\*\)|[A-Za-z_$][\w$]*|\d+)|(?P<sign>!=|<=|>=|[*=<>]))"
)
_OPERATORS: dict[str, Callable[[bytes, bytes], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
DEFAULT_LIMIT, MAX_LIMIT, MAX_COMPARISONS = 100, 2500, 20


class InvalidQuery(ValueError):
    """`code` is SimpleDB's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Query:
    """`what` is `*`, `itemName()` or `count(*)`. Names are compared and sorted as UTF-8 octets."""

    what: str
    domain: str
    conditions: list[Callable[[bytes], bool]]
    sorted: bool
    descending: bool
    limit: int

    def matches(self, name: str) -> bool:
        return all(condition(name.encode()) for condition in self.conditions)


class _Tokens:
    def __init__(self, text: str) -> None:
        self._tokens = list(_split(text))
        self._at = 0

    def take(self) -> tuple[str, str]:
        """The next token's kind and text."""
        if self._at == len(self._tokens):
            raise InvalidQuery("InvalidQueryExpression", "the query ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def accept(self, *words: str) -> bool:
        """Take these keywords if they come next."""
        found = [text.lower() for kind, text in self._tokens[self._at : self._at + len(words)] if kind != "string"]
        if found != [word.lower() for word in words]:
            return False
        self._at += len(words)
        return True

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            raise InvalidQuery("InvalidQueryExpression", f"expected {' '.join(words)}")

    @property
    def ended(self) -> bool:
        return self._at == len(self._tokens)


def _split(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if not found:
            raise InvalidQuery("InvalidQueryExpression", f"not understood: {text[at:]}")
        at = found.end()
        kind = found.lastgroup or ""
        token = found[kind]
        if kind in {"string", "quoted"}:
            quote = token[0]
            token = token[1:-1].replace(quote * 2, quote)
        yield kind, token


def parse(text: str) -> Query:
    """Raises `InvalidQuery`."""
    tokens = _Tokens(text)
    tokens.expect("select")
    what = tokens.take()[1]
    if what not in {"*", "itemName()", "count(*)"}:
        raise InvalidQuery("InvalidQueryExpression", f"the fake selects no {what}")
    tokens.expect("from")
    kind, domain = tokens.take()
    if kind not in {"word", "quoted"}:
        raise InvalidQuery("InvalidQueryExpression", "a domain's name is a word or in backticks")
    conditions = list(_conditions(tokens)) if tokens.accept("where") else []
    ordered = tokens.accept("order", "by", "itemName()")
    if ordered and not conditions:
        raise InvalidQuery("InvalidSortExpression", "what is sorted by must be in a predicate")
    descending = tokens.accept("desc") if ordered else False
    if ordered and not descending:
        tokens.accept("asc")
    limit = int(tokens.take()[1]) if tokens.accept("limit") else DEFAULT_LIMIT
    if not tokens.ended or not 1 <= limit <= MAX_LIMIT:
        raise InvalidQuery("InvalidQueryExpression", f"not understood: {text}")
    return Query(what, domain, conditions, ordered, descending, limit)


def _conditions(tokens: _Tokens) -> Iterator[Callable[[bytes], bool]]:
    for _ in range(MAX_COMPARISONS):
        tokens.expect("itemName()")
        if tokens.accept("is", "not", "null"):
            yield lambda name: True
        else:
            sign = tokens.take()[1]
            kind, text = tokens.take()
            if sign not in _OPERATORS or kind != "string":
                raise InvalidQuery("InvalidQueryExpression", f"the fake compares by {' '.join(_OPERATORS)}")
            yield _comparison(_OPERATORS[sign], text)
        if not tokens.accept("and"):
            return
    raise InvalidQuery("InvalidNumberPredicates", f"at most {MAX_COMPARISONS} comparisons")


def _comparison(compare: Callable[[bytes, bytes], bool], text: str) -> Callable[[bytes], bool]:
    return lambda name: compare(name, text.encode())
