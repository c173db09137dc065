"""What a tenant's use is estimated to cost at AWS: the ledger's quantities times an editable file of prices."""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from billing.bills import rounded
from billing.plans import GB, Dimension
from infra.errors import Problem
from tenants.margins import Costs

DEFAULT = Path(__file__).parent / "prices.toml"
MONTH_HOURS = 730


class _Part(BaseModel):
    """Every number is at least zero, and written as a string so that it is exact. Unknown names are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Storage(_Part):
    originals_gb_month: Decimal = Field(ge=0)
    renditions_gb_month: Decimal = Field(ge=0)


class Requests(_Part):
    put_thousand: Decimal = Field(ge=0)
    get_thousand: Decimal = Field(ge=0)
    edge_ten_thousand: Decimal = Field(ge=0)


class Delivery(_Part):
    gb: Decimal = Field(ge=0)


class Spot(_Part):
    worker_hour: Decimal = Field(ge=0)


class Work(_Part):
    seconds_a_photo: Decimal = Field(ge=0)
    seconds_a_video_minute_out: Decimal = Field(ge=0)
    puts_an_upload: Decimal = Field(ge=0)
    puts_a_photo: Decimal = Field(ge=0)
    puts_a_video_minute_out: Decimal = Field(ge=0)
    bytes_a_request: Decimal = Field(gt=0)
    edge_misses: Decimal = Field(ge=0, le=1)


class Prices(_Part):
    """Major units (dollars) of `currency`, as AWS publishes them."""

    currency: str = Field(pattern="^[a-z]{3}$")
    storage: Storage
    requests: Requests
    delivery: Delivery
    spot: Spot
    work: Work


def load(path: Path | None = None) -> Prices:
    """Raises `Problem` that names the file and what is wrong in it."""
    path = path or DEFAULT
    try:
        return Prices.model_validate(tomllib.loads(path.read_text()))
    except (OSError, ValueError) as error:
        what = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            what = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        raise Problem("unavailable", f"The prices in {path} cannot be read: {what}") from error


def estimate(prices: Prices, used: Mapping[Dimension, int], rendition_byte_seconds: int) -> Costs:
    """Minor units. `used` is in smallest units."""
    units = {dimension: Fraction(used.get(dimension, 0), dimension.measure.scale) for dimension in Dimension}
    rendition_hours = Fraction(rendition_byte_seconds, GB * 3600)
    work, minutes = prices.work, units[Dimension.VIDEO_OUT]
    photos, uploads = units[Dimension.PHOTOS], units[Dimension.UPLOADS]
    puts = (
        uploads * Fraction(work.puts_an_upload)
        + photos * Fraction(work.puts_a_photo)
        + minutes * Fraction(work.puts_a_video_minute_out)
    )
    asked = used.get(Dimension.DELIVERED, 0) / Fraction(work.bytes_a_request)
    seconds = photos * Fraction(work.seconds_a_photo) + minutes * Fraction(work.seconds_a_video_minute_out)
    return Costs(
        storage=_cents(
            units[Dimension.STORAGE] / MONTH_HOURS * Fraction(prices.storage.originals_gb_month)
            + rendition_hours / MONTH_HOURS * Fraction(prices.storage.renditions_gb_month)
        ),
        requests=_cents(
            puts / 1000 * Fraction(prices.requests.put_thousand)
            + asked * Fraction(work.edge_misses) / 1000 * Fraction(prices.requests.get_thousand)
            + asked / 10_000 * Fraction(prices.requests.edge_ten_thousand)
        ),
        delivery=_cents(units[Dimension.DELIVERED] * Fraction(prices.delivery.gb)),
        spot=_cents(seconds / 3600 * Fraction(prices.spot.worker_hour)),
        spot_seconds=round(seconds),
    )


def _cents(amount: Fraction) -> int:
    return rounded(100 * amount)
