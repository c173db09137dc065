"""What a tenant's use is estimated to cost at AWS: the ledger's quantities times `infra/cost/prices.toml`."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from pydantic import ValidationError

from billing.bills import rounded
from billing.plans import Dimension
from infra.cost import prices
from infra.cost.prices import Book
from infra.errors import Problem
from tenants.margins import Costs

DEFAULT = prices.FILE
MONTH_HOURS = 730


def load(path: Path | None = None) -> Book:
    """Raises `Problem` that names the file and what is wrong in it."""
    path = path or DEFAULT
    try:
        found = prices.load(path)
        estimate(found, {})  # So that a price that is missing is known before it is needed.
    except (OSError, ValueError, KeyError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            what = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        raise Problem("unavailable", f"The prices in {path} cannot be read: {what}") from error
    return found


def estimate(book: Book, used: Mapping[Dimension, int]) -> Costs:
    """Minor units. `used` is in smallest units."""
    units = {dimension: Fraction(used.get(dimension, 0), dimension.measure.scale) for dimension in Dimension}
    photos, minutes = units[Dimension.PHOTOS], units[Dimension.VIDEO_OUT]

    def price(name: str) -> Fraction:
        return Fraction(book.price(name))

    def amount(name: str) -> Fraction:
        return Fraction(book.amount(name))

    puts = (
        units[Dimension.UPLOADS] * amount("upload_puts")
        + photos * amount("photo_renditions")
        + minutes * amount("video_out_puts")
    )
    asked = used.get(Dimension.DELIVERED, 0) / amount("request_bytes")
    seconds = photos * amount("photo_seconds") + minutes * amount("video_out_seconds")
    return Costs(
        storage=_cents(
            units[Dimension.STORAGE] / MONTH_HOURS * price("s3_gb_month")
            + units[Dimension.RENDITIONS] / MONTH_HOURS * price("s3_renditions_gb_month")
        ),
        requests=_cents(
            puts / 1000 * price("s3_put_1000")
            + asked * (1 - amount("edge_hits")) / 1000 * price("s3_get_1000")
            + asked / 10_000 * price("cloudfront_requests_10000")
        ),
        delivery=_cents(units[Dimension.DELIVERED] * price("cloudfront_gb")),
        spot=_cents(seconds / 3600 * Fraction(prices.worker_hour(book))),
        spot_seconds=round(seconds),
    )


def _cents(amount: Fraction) -> int:
    return rounded(100 * amount)
