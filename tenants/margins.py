"""What each tenant brings in and is estimated to cost: a port that billing fills and the composition root wires.

Amounts are minor units (cents) of `currency`, an ISO 4217 code in lower case.
"""

import csv
import io
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flask import current_app
from sqlalchemy.orm import Session

COLUMNS = (
    *("tenant", "plan", "currency", "revenue", "cost", "margin", "storage", "requests", "delivery", "spot"),
    *("spot_seconds", "stored_gb", "delivered_gb", "photos", "video_minutes"),
)


@dataclass(frozen=True)
class Costs:
    """At AWS, each part rounded once. `spot_seconds` is the time of a worker."""

    storage: int
    requests: int
    delivery: int
    spot: int
    spot_seconds: int

    @property
    def total(self) -> int:
        return self.storage + self.requests + self.delivery + self.spot


@dataclass(frozen=True)
class Use:
    """`stored_gb` is the mean over the period so far, `delivered_gb` and the rest are what was used in it."""

    stored_gb: float
    delivered_gb: float
    photos: int
    video_minutes: float


@dataclass(frozen=True)
class Margin:
    slug: str
    name: str
    plan: str
    revenue: int
    costs: Costs
    use: Use

    @property
    def amount(self) -> int:
        return self.revenue - self.costs.total

    @property
    def share(self) -> float | None:
        """Of the revenue; None of none."""
        return self.amount / self.revenue if self.revenue else None


@dataclass(frozen=True)
class Margins:
    """Of all tenants, those that lose most first. `until` is how far into the period it tells."""

    currency: str
    start: datetime
    end: datetime
    until: datetime
    tenants: tuple[Margin, ...]

    @property
    def revenue(self) -> int:
        return sum(each.revenue for each in self.tenants)

    @property
    def cost(self) -> int:
        return sum(each.costs.total for each in self.tenants)

    @property
    def losing(self) -> int:
        """How many."""
        return sum(each.amount < 0 for each in self.tenants)


class Accountant(Protocol):
    def margins(
        self, session: Session, year: int, number: int, now: datetime, *, only: Collection[str] | None = None
    ) -> Margins:
        """Of a calendar month in UTC (`number` from 1), as far as it has come; of all tenants, or those ids.

        Raises `Problem` where it cannot be told.
        """


def of_app() -> Accountant:
    found: Accountant = current_app.extensions["vitrine.accountant"]
    return found


def as_csv(found: Margins) -> str:
    """RFC 4180, amounts in major units (`-1.25`)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for each in found.tenants:
        cents = (each.revenue, each.costs.total, each.amount)
        parts = (each.costs.storage, each.costs.requests, each.costs.delivery, each.costs.spot)
        use = each.use
        writer.writerow(
            (
                *(each.slug, each.plan, found.currency),
                *(f"{amount / 100:.2f}" for amount in (*cents, *parts)),
                *(each.costs.spot_seconds, f"{use.stored_gb:.3f}", f"{use.delivered_gb:.3f}", use.photos),
                f"{use.video_minutes:.2f}",
            )
        )
    return out.getvalue()
