"""Prices and amounts of `prices.json`."""

import json
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("prices.json")


@cache
def _read() -> dict[str, dict[str, dict[str, float | str]]]:
    read: dict[str, dict[str, dict[str, float | str]]] = json.loads(FILE.read_text())
    return read


def price(name: str) -> float:
    """US dollars. KeyError names what the file has not."""
    return _number("prices", name)


def use(name: str) -> float:
    """How much of something: the unit is in the file."""
    return _number("use", name)


def described(part: str) -> list[tuple[float, str]]:
    """Every number of a part with what it is of."""
    return [(_number(part, name), str(entry["of"])) for name, entry in _read()[part].items()]


def _number(part: str, name: str) -> float:
    value = float(_read()[part][name]["value"])
    if value < 0:
        raise ValueError(f"{FILE.name}: {name} is negative")
    return value
