"""What something would cost before it is done: files to upload, visits to an album."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select

from billing import bills
from billing.ledger import CHAIN, LedgerHead, hour_of
from billing.plans import Dimension
from billing.terms import plan_at
from tenants.catalog import Asset, AssetState, Kind, Rendition
from tenants.registry import OnBudget
from tenants.scope import Site

RUNGS, LEAN_RUNGS = 5, 3
"""Encodings of a video in 1080p, which most are; and while a reached budget has videos made leaner."""
PICTURES = 100
"""Photos of an album's page that a visit loads in the grid at most."""
OPENED = 10
"""One photo in so many is opened in full, one video in so many is watched to its end."""
GRID_WIDTH, FULL_WIDTH = 640, 1280
RENDERED_PERCENT = 50
"""What renditions take of what their originals take, for a tenant of which it is not known yet."""


@dataclass(frozen=True)
class Price:
    """Minor units of `currency`."""

    amount: int
    currency: str


def of_upload(site: Site, photos: int, size: int, seconds: int) -> Price:
    """So many photos, bytes of files in all, kept for the rest of the month, and seconds of video."""
    now = site.now()
    _, end = bills.month(now.year, now.month)
    left = int((end - hour_of(now)).total_seconds())
    lean = site.entitlements.over_budget is OnBudget.LEAN
    more = {
        Dimension.PHOTOS: photos,
        Dimension.STORAGE: size * left,
        Dimension.RENDITIONS: _rendered(site, size) * left,
        Dimension.VIDEO_IN: seconds * 1000,
        Dimension.VIDEO_OUT: seconds * 1000 * (LEAN_RUNGS if lean else RUNGS),
    }
    return _price(site, more)


def _rendered(site: Site, size: int) -> int:
    """Bytes that renditions of originals of `size` bytes will take: as many as the tenant's own do."""
    head = site.session.get(LedgerHead, (site.tenant_id, CHAIN))
    if head is None or head.level <= 0 or head.rendition_level <= 0:
        return size * RENDERED_PERCENT // 100
    return size * head.rendition_level // head.level


def of_delivery(site: Site, size: int) -> Price:
    """`size` bytes delivered in this month."""
    return _price(site, {Dimension.DELIVERED: size})


def _price(site: Site, more: dict[Dimension, int]) -> Price:
    now = site.now()
    plan = plan_at(site.session, site.tenant_id, now)
    used = bills.quantities(site.session, site.tenant_id, *bills.month(now.year, now.month))
    return Price(bills.price_of(plan, used, more), plan.currency)


def visit_bytes(site: Site, album_id: str) -> int:
    """What one visit to the album delivers, estimated from the renditions that are there.

    The grid's picture of up to `PICTURES` photos and posters, each in the smallest file that is wide enough, which is
    what browsers choose; of one in `OPENED` the large one too, or the film.
    """
    grid, shown = _smallest(site, album_id, Rendition.width >= GRID_WIDTH)
    if not shown:
        return 0
    full, _ = _smallest(site, album_id, Rendition.width >= FULL_WIDTH, Asset.kind == Kind.PHOTO)
    film, _ = _smallest(site, album_id, Rendition.name == "video.mp4")
    seen = min(shown, PICTURES)
    return (grid + (full + film) // OPENED) * seen // shown


def _smallest(site: Site, album_id: str, *wanted: ColumnElement[bool]) -> tuple[int, int]:
    """Bytes of the smallest such rendition of each asset of the album, and of how many assets there is one."""
    each = (
        select(func.min(Rendition.size).label("size"))
        .join(
            Asset,
            (Asset.tenant_id == Rendition.tenant_id)
            & (Asset.id == Rendition.asset_id)
            & (Asset.generation == Rendition.generation),
        )
        .where(
            Asset.tenant_id == site.tenant_id,
            Asset.album_id == album_id,
            Asset.state == AssetState.READY,
            Asset.deleted_at.is_(None),
            Rendition.content_type.in_(("image/jpeg", "image/avif", "image/webp", "video/mp4")),
            *wanted,
        )
        .group_by(Rendition.asset_id)
        .subquery()
    )
    total, count = site.session.execute(select(func.sum(each.c.size), func.count()).select_from(each)).one()
    return int(total or 0), int(count)
