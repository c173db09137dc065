"""Form bodies with brackets, as Stripe takes them: `items[0][price]=price_1` is `{"items": [{"price": "price_1"}]}`."""

import re
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl

from stripe_fake.refusals import invalid


def parse(text: str) -> dict[str, Any]:
    """Leaves stay strings; an object whose names are 0, 1, 2, … is a list."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, *rest = re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name)
        here, path = tree, [first, *rest]
        for step, following in pairwise(path):
            here = here.setdefault(step or str(len(here)), {})
            if not isinstance(here, dict):
                raise invalid(f"Invalid {following}", param=name)
        here[path[-1] or str(len(here))] = value
    return {name: _lists(value) for name, value in tree.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    made = {name: _lists(inner) for name, inner in value.items()}
    if made and sorted(made, key=str) == sorted(map(str, range(len(made)))):
        return [made[str(number)] for number in range(len(made))]
    return made


def flag(value: Any) -> bool:
    if value not in ("true", "false"):
        raise invalid(f"Invalid boolean: {value}")
    return value == "true"


def whole(value: Any, param: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise invalid(f"Invalid integer: {value}", param=param) from None
