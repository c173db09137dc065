"""What is billed, and the plans: prices in code, reviewed and versioned like the rest of it.

Quantities are exact integers in a dimension's smallest unit; prices are exact decimals of the currency's minor unit
(cents), so that a thousandth of a cent for a gigabyte-hour is a price like any other. Rounding is done once, at the
end of an invoice line.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from tenants.usage import Meter


class Reading(enum.Enum):
    """How a window's quantity follows from the events of a dimension's meter."""

    SUM = "sum"
    COUNT = "count"
    LEVEL = "level"
    """Events change a level; the quantity is the level times seconds."""


class Dimension(enum.Enum):
    """What a bill counts. The value names the ledger's rows and Stripe's meters: it never changes."""

    STORAGE = "storage_gb_hours"
    RENDITIONS = "rendition_gb_hours"
    DELIVERED = "delivered_gb"
    PHOTOS = "photos"
    VIDEO_IN = "video_minutes_in"
    VIDEO_OUT = "video_minutes_out"
    UPLOADS = "uploads"
    EMBED_VIEWS = "embed_views"

    __hash__ = object.__hash__  # As of `tenants.usage.Meter`.

    @property
    def measure(self) -> "Measure":
        return MEASURES[self]


@dataclass(frozen=True)
class Measure:
    """`smallest` is what the ledger counts in; `scale` of them make one `unit`, which prices are for.

    A gigabyte is 10^9 bytes, as AWS and Stripe's invoices have it.
    """

    meter: Meter
    reading: Reading
    unit: str
    smallest: str
    scale: int


GB = 1_000_000_000

MEASURES: Mapping[Dimension, Measure] = {
    Dimension.STORAGE: Measure(Meter.STORED, Reading.LEVEL, "GB-hour", "byte-second", GB * 3600),
    Dimension.RENDITIONS: Measure(Meter.RENDERED, Reading.LEVEL, "GB-hour", "byte-second", GB * 3600),
    Dimension.DELIVERED: Measure(Meter.DELIVERED, Reading.SUM, "GB", "byte", GB),
    Dimension.PHOTOS: Measure(Meter.PHOTOS, Reading.SUM, "photo", "photo", 1),
    Dimension.VIDEO_IN: Measure(Meter.VIDEO_IN, Reading.SUM, "minute", "millisecond", 60_000),
    Dimension.VIDEO_OUT: Measure(Meter.VIDEO_OUT, Reading.SUM, "minute", "millisecond", 60_000),
    Dimension.UPLOADS: Measure(Meter.UPLOADED, Reading.COUNT, "upload", "upload", 1),
    Dimension.EMBED_VIEWS: Measure(Meter.EMBED_VIEWS, Reading.SUM, "view", "view", 1),
}


@dataclass(frozen=True)
class Tier:
    """Up to `up_to` units of overage in all (None: without end) cost `price` minor units each."""

    up_to: int | None
    price: Decimal


@dataclass(frozen=True)
class Allowance:
    """`included` units a month are paid with the plan; what is beyond is priced in graduated `tiers`.

    Without tiers the dimension costs nothing extra; with nothing included either, it is shown and not billed.
    """

    included: int
    tiers: tuple[Tier, ...] = ()

    @property
    def billed(self) -> bool:
        return bool(self.included or self.tiers)

    def cost(self, over: Fraction) -> Fraction:
        """Minor units for `over` units of overage, exactly (Stripe: `tiers_mode=graduated`)."""
        total, below = Fraction(0), Fraction(0)
        for tier in self.tiers:
            top = over if tier.up_to is None else min(over, Fraction(tier.up_to))
            if top > below:
                total += (top - below) * Fraction(tier.price)
                below = top
        return total


@dataclass(frozen=True)
class Plan:
    """`price` is a month's, in minor units of `currency` (ISO 4217, lower case as Stripe has it).

    `max_storage_bytes`, `max_upload_bytes` and `max_photos_month` are hard limits (`tenants/quota.py`); None: no limit.
    What renditions take is billed by a plan whose allowance of `Dimension.RENDITIONS` has tiers.
    """

    code: str
    name: str
    price: int
    currency: str
    allowances: Mapping[Dimension, Allowance] = field(default_factory=dict)
    max_storage_bytes: int | None = None
    max_upload_bytes: int | None = None
    max_photos_month: int | None = None

    def allowance(self, dimension: Dimension) -> Allowance:
        return self.allowances.get(dimension, Allowance(0))


def _tiers(*steps: tuple[int | None, str]) -> tuple[Tier, ...]:
    return tuple(Tier(up_to, Decimal(price)) for up_to, price in steps)


_MONTH_HOURS = 730
"""Of a gigabyte stored all month; the prices of storage are told to people a month."""

FREE = Plan(
    "free",
    "Free",
    0,
    "usd",
    {dimension: Allowance(0) for dimension in Dimension},
    max_storage_bytes=2 * GB,
    max_upload_bytes=500_000_000,
    max_photos_month=500,
)
STUDIO = Plan(
    "studio",
    "Studio",
    1900,
    "usd",
    {
        Dimension.STORAGE: Allowance(100 * _MONTH_HOURS, _tiers((1000 * _MONTH_HOURS, "0.0055"), (None, "0.0041"))),
        Dimension.RENDITIONS: Allowance(0),
        Dimension.DELIVERED: Allowance(200, _tiers((1000, "12"), (None, "10.5"))),
        Dimension.PHOTOS: Allowance(10_000, _tiers((50_000, "0.1"), (None, "0.06"))),
        Dimension.VIDEO_IN: Allowance(300, _tiers((None, "0.5"))),
        Dimension.VIDEO_OUT: Allowance(1500, _tiers((None, "1.5"))),
        Dimension.UPLOADS: Allowance(0),
        Dimension.EMBED_VIEWS: Allowance(100_000, _tiers((None, "0.005"))),
    },
    max_storage_bytes=2000 * GB,
    max_upload_bytes=10 * GB,
)
BUSINESS = Plan(
    "business",
    "Business",
    9900,
    "usd",
    {
        Dimension.STORAGE: Allowance(1000 * _MONTH_HOURS, _tiers((10_000 * _MONTH_HOURS, "0.0048"), (None, "0.0035"))),
        Dimension.RENDITIONS: Allowance(0),
        Dimension.DELIVERED: Allowance(2000, _tiers((10_000, "10.5"), (None, "8.5"))),
        Dimension.PHOTOS: Allowance(100_000, _tiers((None, "0.05"))),
        Dimension.VIDEO_IN: Allowance(3000, _tiers((None, "0.4"))),
        Dimension.VIDEO_OUT: Allowance(15_000, _tiers((None, "1.2"))),
        Dimension.UPLOADS: Allowance(0),
        Dimension.EMBED_VIEWS: Allowance(1_000_000, _tiers((None, "0.004"))),
    },
)

PLANS: Mapping[str, Plan] = {plan.code: plan for plan in (FREE, STUDIO, BUSINESS)}
DEFAULT = FREE
