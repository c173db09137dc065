"""What every request passes through: key, version, replay by idempotency key, route, parameters, paging, expanding."""

import copy
import itertools
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from stripe_fake.forms import whole
from stripe_fake.refusals import Refusal, conflicting_key, invalid, missing, on_demand

KEY = "sk_test_fake"
DAY = 24 * 3600
_EXAMPLES: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "objects.json").read_text())
_PREFIXES = {
    "billing.meter": "mtr", "billing_portal.session": "bps", "checkout.session": "cs_test", "coupon": "co",
    "customer": "cus", "discount": "di", "event": "evt", "invoice": "in", "invoiceitem": "ii", "line_item": "il",
    "price": "price", "product": "prod", "promotion_code": "promo", "subscription": "sub", "subscription_item": "si",
    "billing.meter_event_summary": "mtrusg",
}  # fmt: skip

Thing = dict[str, Any]
Params = dict[str, Any]


class Time(Protocol):
    def now(self) -> datetime: ...


@dataclass(frozen=True)
class Route:
    """`names` are the parameters that the operation takes, those with `!` are needed."""

    method: str
    path: str
    run: Callable[..., Thing]
    names: str = ""

    def check(self, params: Params) -> None:
        known = self.names.replace("!", "").split()
        for name in params:
            if name not in known and name != "expand":
                raise invalid(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
        for name in self.names.split():
            if name.endswith("!") and params.get(name[:-1]) in (None, "", {}):
                raise invalid(f"Missing required param: {name[:-1]}.", code="parameter_missing", param=name[:-1])


@dataclass
class Answered:
    at: int
    asked: str
    status: int
    document: Thing


@dataclass
class FakeStripe:
    """The whole account. Tests look into it and turn its knobs; Vitrine sees it by HTTP alone."""

    clock: Time
    things: dict[str, dict[str, Thing]] = field(default_factory=dict)
    events: list[Thing] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """`METHOD path` of each request that was carried out, replays not among them."""
    lose_answers: int = 0
    """So many requests are carried out, and their connection is closed without an answer."""

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.meter_events: list[Thing] = []
        self.broken_cards: set[str] = set()
        self._replays: dict[str, Answered] = {}
        self._failures: list[int] = []
        self._numbers = itertools.count(1)

    def now(self) -> int:
        return int(self.clock.now().timestamp())

    def fail_next(self, *statuses: int) -> None:
        """The next requests are answered with these errors and change nothing."""
        self._failures += statuses

    # --- Things ---

    def make(self, kind: str, **values: Any) -> Thing:
        """A new object with every field of Stripe's example; what is not told is null."""
        example = _EXAMPLES[kind]
        if unknown := {*values} - {*example}:
            raise KeyError(f"{kind} has no {', '.join(sorted(unknown))}")
        made = dict.fromkeys(example)
        made |= {"object": kind, "created": self.now(), "livemode": False, "metadata": {}}
        made |= {"id": f"{_PREFIXES.get(kind, kind)}_{next(self._numbers):06d}", "updated": self.now()}
        return {name: value for name, value in made.items() if name in example} | values

    def keep(self, thing: Thing) -> Thing:
        self.things.setdefault(thing["object"], {})[thing["id"]] = thing
        return thing

    def all(self, kind: str) -> list[Thing]:
        return list(self.things.get(kind, {}).values())

    def get(self, kind: str, name: str) -> Thing:
        return self.find(kind, name, "id", status=404)

    def find(self, kind: str, name: Any, param: str, status: int = 400) -> Thing:
        """`get`, for an object that a parameter names: Stripe answers 400 for that."""
        found = self.things.get(kind, {}).get(str(name))
        if found is None:
            raise missing(kind.rpartition(".")[2].replace("_", " "), str(name), param, status)
        return found

    def tell(self, kind: str, thing: Thing) -> Thing:
        """An event about `thing` as it is now."""
        data = {"object": copy.deepcopy(thing)}
        event = self.make("event", type=kind, data=data, pending_webhooks=1, api_version="2026-10-28.endive")
        self.events.append(event)
        return self.keep(event)

    # --- Requests ---

    def answer(self, method: str, path: str, params: Params, headers: dict[str, str]) -> tuple[int, Thing]:
        with self.lock:
            try:
                self._admit(headers)
                if self._failures:
                    raise on_demand(self._failures.pop(0))
                return self._once(method, path, params, headers.get("idempotency-key", ""))
            except Refusal as refusal:
                return refusal.status, refusal.document

    def _admit(self, headers: dict[str, str]) -> None:
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if given != KEY:
            raise Refusal(401, "invalid_request_error", f"Invalid API Key provided: {given[:8]}****")
        if not re.fullmatch(r"\d{4}-\d\d-\d\d(\.\w+)?", headers.get("stripe-version", "")):
            raise invalid("Invalid Stripe API version: give Stripe-Version")

    def _once(self, method: str, path: str, params: Params, key: str) -> tuple[int, Thing]:
        """Idempotent requests: the first answer is kept for 24 hours, errors of validation are not."""
        if method != "POST" or not key:
            return 200, self._run(method, path, params)
        asked = json.dumps([path, params], sort_keys=True)
        before = self._replays.get(key)
        if before and self.now() - before.at < DAY:
            if before.asked != asked:
                raise conflicting_key(key)
            return before.status, copy.deepcopy(before.document)
        document = self._run(method, path, params)
        self._replays[key] = Answered(self.now(), asked, 200, copy.deepcopy(document))
        return 200, document

    def _run(self, method: str, path: str, params: Params) -> Thing:
        from stripe_fake.routes import ROUTES

        for route in ROUTES:
            found = re.fullmatch(re.sub(r":\w+", r"([^/]+)", route.path), path)
            if found and route.method == method:
                route.check(params)
                self.asked.append(f"{method} {path}")
                return self.expanded(copy.deepcopy(route.run(self, params, *found.groups())), params)
        raise Refusal(404, "invalid_request_error", f"Unrecognized request URL ({method}: {path}).")

    # --- Lists and expanding ---

    def page(self, things: list[Thing], params: Params, url: str) -> Thing:
        """Newest first, `limit` 1 to 100, after or before a cursor (docs.stripe.com/api/pagination)."""
        limit = whole(params.get("limit", "10"), "limit")
        if not 1 <= limit <= 100:
            raise invalid("Invalid integer: limit must be between 1 and 100", param="limit")
        newest_first = list(reversed(things))  # Of one second, the later one first.
        newest_first.sort(key=lambda thing: -thing.get("created", thing.get("start_time", 0)))
        ordered = newest_first
        ids = [thing["id"] for thing in ordered]
        if cursor := params.get("starting_after"):
            if cursor not in ids:
                raise missing("object", cursor, "starting_after", 400)
            ordered = ordered[ids.index(cursor) + 1 :]
        return {"object": "list", "data": ordered[:limit], "has_more": len(ordered) > limit, "url": url}

    def expanded(self, document: Thing, params: Params) -> Thing:
        for path in params.get("expand", []):
            self._expand(document, path.split("."))
        return document

    def _expand(self, thing: Any, path: list[str]) -> None:
        if isinstance(thing, list):
            for each in thing:
                self._expand(each, path)
        elif isinstance(thing, dict):
            name, *rest = path
            if name == "tiers" and thing["object"] == "price":
                thing["tiers"] = self.things.get("tiers", {}).get(thing["id"], {}).get("tiers")
                return
            if name not in thing:
                raise invalid(f"This property cannot be expanded ({name}).", param="expand")
            if isinstance(thing[name], str):
                thing[name] = next((copy.deepcopy(kept[thing[name]]) for kept in self.things.values()
                                    if thing[name] in kept), thing[name])  # fmt: skip
            if rest:
                self._expand(thing[name], rest)
