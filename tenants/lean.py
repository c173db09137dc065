"""Lean sets of renditions: what is made while a tenant's own budget is reached and asks for smaller pictures.

An asset that is new gets no size that a phone or a laptop's window can do without (`processor/steps/photo.py`,
`video_ladder.py`), and is marked. When the budget is raised or the month is over, `catch_up` has it made again as a
lost rendition is (`tenants/healing.py`): what is shown stays until the whole set is there. A whole set stays whole.
"""

from collections.abc import Iterable

from sqlalchemy import select

from infra.sql import reading
from tenants import healing
from tenants.catalog import LEAN, Asset, AssetState, Rendition
from tenants.names import MARKED
from tenants.registry import OnBudget
from tenants.scope import Site


def wanted_by(site: Site, *, whole: bool) -> bool:
    """Whether an asset is to get a lean set now. `whole`: it has a whole one, and is made anew for another reason."""
    return site.entitlements.over_budget is OnBudget.LEAN and not whole


def catch_up(site: Site) -> int:
    """Have lean assets made whole, some at a time, once the budget asks for nothing any more; how many. Commits."""
    if site.entitlements.over_budget is not None:
        return 0
    ready = (Asset.state == AssetState.READY, Asset.deleted_at.is_(None), healing.rested(site))
    with reading():
        found = site.session.scalars(
            select(Asset.id)
            .where(Asset.tenant_id == site.tenant_id, LEAN, *ready)
            .order_by(Asset.id)
            .limit(healing.AT_ONCE)
        ).all()
        site.session.rollback()
    if not found:
        return 0
    some = found[: healing.room(site)]
    asked = healing.again(site, Asset.id.in_(some), Asset.lean.is_(True), *ready, why="whole")
    site.session.commit()
    return len(asked)


def encoded(site: Site, asset_id: str) -> list[str]:
    """Names of the rungs of a video's published generation."""
    return list(
        site.session.scalars(
            select(Rendition.name)
            .join(Asset, (Asset.tenant_id == Rendition.tenant_id) & (Asset.id == Rendition.asset_id))
            .where(
                Rendition.tenant_id == site.tenant_id,
                Rendition.asset_id == asset_id,
                Rendition.generation == Asset.generation,
                Rendition.name.endswith(".m3u8"),
                Rendition.width.is_not(None),
            )
        )
    )


def encodings_beyond(before: Iterable[str], now: Iterable[str]) -> int:
    """How many rungs a whole set has that the lean one had not, in the versions that both have: a watermark that came
    meanwhile is not counted, as it is not for others."""
    before, now = set(before), set(now)
    versions = {name.startswith(MARKED) for name in before}
    return len({name for name in now if name.startswith(MARKED) in versions}) - len(before & now)
