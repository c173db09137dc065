"""What pages tell of use and cost: a port that billing fills and the composition root wires.

The web fleet imports no billing: it asks whatever stands behind `of_app()`, and has no such pages where nothing does.
Amounts are minor units (cents) of `currency`, an ISO 4217 code; quantities are exact fractions of `unit`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Protocol

from flask import current_app

from infra.errors import N_
from tenants.registry import OnBudget, Standing
from tenants.scope import Site

# What people call the dimensions and units of bills.
NAMES = {
    "storage_gb_hours": N_("Storage of originals"),
    "rendition_gb_hours": N_("Storage of renditions"),
    "delivered_gb": N_("Delivery"),
    "photos": N_("Photos processed"),
    "video_minutes_in": N_("Video received"),
    "video_minutes_out": N_("Video made"),
    "uploads": N_("Uploads"),
    "embed_views": N_("Views of embeddings"),
}
UNITS = {
    "GB-hour": N_("GB hours"),
    "GB": N_("GB"),
    "photo": N_("photos"),
    "minute": N_("min"),
    "upload": N_("uploads"),
    "view": N_("views"),
}

BUDGET_MARKS = (50, 80, 100)
"""Per cent of a month's budget at which people are told of it."""


def reached(total: int, amount: int, percent: int = 100) -> bool:
    """Whether a month's `total` has come to that part of the budget. One of nothing is reached by the first cent."""
    return total > 0 and total * 100 >= amount * percent


@dataclass(frozen=True)
class Line:
    """`code` is a dimension's, `plan` for the plan's own price, or `correction` for what came late for `plan`, which
    is then an invoice's number."""

    code: str
    plan: str
    start: datetime
    end: datetime
    unit: str
    quantity: Fraction
    included: Fraction
    over: Fraction
    amount: int
    billed: bool = True
    """Whether the plan charges for it or includes some of it. Else it is shown, and nothing of it is `over`."""


@dataclass(frozen=True)
class Issued:
    number: str
    start: datetime
    end: datetime
    currency: str
    total: int
    issued_at: datetime
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Overview:
    """The month so far. `closed_until` is how far hours are counted; `waits_for` says why they are not further."""

    plan: str
    currency: str
    start: datetime
    end: datetime
    closed_until: datetime
    waits_for: str
    lines: tuple[Line, ...]
    total: int
    forecast: int
    budget: int | None
    reach: OnBudget
    invoices: tuple[Issued, ...]


@dataclass(frozen=True)
class Part:
    """Of a line: what one asset, or none in particular, used in an hour.

    Of storage `hour` is when it came, None if it was there when the period began, and `until` when it went, None if it
    was there when the period ended."""

    album_id: str | None
    album: str
    asset_id: str | None
    asset: str
    hour: datetime | None
    quantity: Fraction
    until: datetime | None = None


@dataclass(frozen=True)
class Parts:
    """The largest parts of a line, and what the others are together, in `unit`."""

    unit: str
    largest: tuple[Part, ...]
    rest: Fraction
    is_level: bool = False
    """Whether it is of something that stays, as storage is."""


@dataclass(frozen=True)
class Allowance:
    """What a plan has of one dimension (`code`, as in `NAMES`) a month.

    `beyond` is minor units for one `unit` more, in the first tier; None where more costs nothing extra.
    """

    code: str
    unit: str
    included: Fraction
    beyond: Decimal | None


@dataclass(frozen=True)
class Plan:
    """One that can be had. `limits` are bytes or photos that cannot be passed, by `storage`, `upload` and `photos`."""

    code: str
    name: str
    price: int
    currency: str
    allowances: tuple[Allowance, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Paying:
    """How a tenant pays. `status` is Stripe's word, empty for one that never subscribed."""

    standing: Standing
    plan: str
    """The plan's code."""
    status: str = ""
    trial_end: datetime | None = None
    period_end: datetime | None = None
    ends_with_period: bool = False
    can_subscribe: bool = False
    """No subscription runs, so a first payment is the way; else the plan is changed."""
    has_portal: bool = False
    """Whether there is a page for cards, invoices and cancelling."""
    sold_here: bool = False
    """Whether members pay through these pages. Else the operator puts tenants on plans."""


@dataclass(frozen=True)
class Room:
    """What is `left` of the month's budget of `amount`; below 0 once it is passed."""

    left: int
    amount: int
    reach: OnBudget
    currency: str


@dataclass(frozen=True)
class Visits:
    """`size` is bytes of all `number` visits, an estimate; `amount` what they would add to the month."""

    number: int
    size: int
    amount: int
    currency: str


class Statements(Protocol):
    def overview(self, site: Site) -> Overview: ...

    def invoice(self, site: Site, number: str) -> Issued | None: ...

    def parts(self, site: Site, code: str, start: datetime, end: datetime, most: int) -> Parts:
        """`most` of a line, the largest. Raises `Problem` for a line that has none."""

    def pdf(self, site: Site, number: str, locale: str) -> bytes | None:
        """The invoice as a document; None for a number that is not the tenant's."""

    def price_of(self, site: Site, photos: int, size: int, seconds: int) -> tuple[int, str]:
        """What so many photos, bytes kept for the rest of the month and seconds of video would add to it; with the
        currency."""

    def room(self, site: Site) -> Room | None:
        """None without a budget."""

    def visits(self, site: Site, album_id: str, number: int) -> Visits:
        """What so many visits to the album would deliver and add to the month."""

    def plans(self) -> list[Plan]: ...

    def paying(self, site: Site) -> Paying:
        """As last known; asks nobody outside."""

    def set_budget(self, site: Site, amount: int | None, reach: OnBudget) -> None:
        """A month's, and what happens when it is reached; no amount for none. Within the current transaction. Raises
        `Problem` for one that would do something at once, whatever is used."""


def of_app() -> Statements:
    found: Statements = current_app.extensions["vitrine.statements"]
    return found
