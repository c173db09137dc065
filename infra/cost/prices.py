"""Prices and amounts of `prices.toml`, or of a copy of it."""

import tomllib
from decimal import Decimal
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from infra.scaling.simulate import WORKERS_A_HOST

FILE = Path(__file__).with_name("prices.toml")
SHARES = ("edge_hits", "worker_busy", "spot_share")


class _Part(BaseModel):
    """Unknown names are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Entry(_Part):
    """A number as it is written, and what it is of."""

    value: Decimal = Field(ge=0)
    of: str


class Book(_Part):
    """Prices are major units of `currency`; what an amount is in, its entry says."""

    currency: str = Field(pattern="^[a-z]{3}$")
    prices: dict[str, Entry]
    use: dict[str, Entry]

    @field_validator("use")
    @classmethod
    def _shares(cls, given: dict[str, Entry]) -> dict[str, Entry]:
        for name in SHARES:
            if name in given and not 0 < given[name].value <= 1:
                raise ValueError(f"{name} is a share: above 0, at most 1")
        return given

    def price(self, name: str) -> Decimal:
        """KeyError names what the file has not."""
        return self.prices[name].value

    def amount(self, name: str) -> Decimal:
        """As `price`."""
        return self.use[name].value


def load(path: Path) -> Book:
    """Raises `OSError`, or `ValueError` for what is no such file (pydantic's and tomllib's own are)."""
    return Book.model_validate(tomllib.loads(path.read_text()))


@cache
def book() -> Book:
    """The file that comes with the code."""
    return load(FILE)


def worker_hour(given: Book) -> Decimal:
    """What a worker's hour of work costs: Spot and On-Demand as they are mixed, idle time included."""
    share = given.amount("spot_share")
    host = share * given.price("processor_spot_hour") + (1 - share) * given.price("processor_hour")
    return host / WORKERS_A_HOST / given.amount("worker_busy")


def price(name: str) -> float:
    """US dollars."""
    return float(book().price(name))


def use(name: str) -> float:
    """How much of something: the unit is in the file."""
    return float(book().amount(name))


def described(part: str) -> list[tuple[float, str]]:
    """Every number of a part with what it is of."""
    entries: dict[str, Entry] = getattr(book(), part)
    return [(float(entry.value), entry.of) for entry in entries.values()]
