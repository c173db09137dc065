"""Lost renditions that nobody has looked at yet: those that the store reports, and those that a listing lacks."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby

import structlog
from sqlalchemy import select, tuple_

from infra.ports import Loss
from infra.sql import reading
from tenants import healing
from tenants.catalog import Asset, AssetState, Rendition
from tenants.names import RenditionKey, parse_rendition, renditions_root
from tenants.scope import Site, open_site, ports

log = structlog.get_logger(__name__)

_PAGE = 2000
MOST = 1000
"""Rebuilds asked for in one look at a tenant: after a great loss the queue fills by and by."""


def hear(wait: timedelta = timedelta()) -> int:
    """Deal with the reports that there are now; how many assets are rebuilt for them."""
    asked = 0
    while reports := ports().losses.receive(wait):
        for report in reports:
            asked += _heed(report)
            ports().losses.settle(report.receipt)
        wait = timedelta()
    return asked


def _heed(report: Loss) -> int:
    asked = 0
    for key in report.keys:
        lost = parse_rendition(key)
        if lost is None:
            log.error("the store reports a loss that cannot be made good from here", key=key[:300])
            continue
        try:
            with open_site(lost.tenant) as site:
                asked += healing.ask(site, lost, why="the store reported it")
        except LookupError:
            log.info("the tenant of a lost object is gone", key=key)
    return asked


def look(site: Site) -> int:
    """Compare what pages show with a listing of what is stored; how many assets are rebuilt, `MOST` at a time.

    An object that S3 has lost may still be listed: those are found by a visitor's request, or reported.
    """
    asked = 0
    for lost in _unlisted(site):
        asked += healing.ask(site, lost, why="it is not in the listing")
        if asked >= MOST:
            break
    return asked


def _unlisted(site: Site) -> Iterator[RenditionKey]:
    """One missing rendition an asset. Both sides come in the order of asset ids, so neither is held in memory whole.

    Rows and listing are read at different times: the caller asks the store about each before it does anything.
    """
    listed = groupby(
        filter(None, (parse_rendition(info.key) for info in site.blobs.list(renditions_root(site.tenant_id)))),
        key=lambda key: key.asset,
    )
    stored = next(listed, None)
    for asset_id, wanted in groupby(_shown(site), key=lambda key: key.asset):
        while stored is not None and stored[0] < asset_id:
            stored = next(listed, None)
        there = set(stored[1]) if stored is not None and stored[0] == asset_id else set()
        missing = next((key for key in wanted if key not in there), None)
        if missing is not None:
            yield missing


def _shown(site: Site) -> Iterator[RenditionKey]:
    """Renditions of READY assets by asset id, a page at a time: no transaction stays open while the store answers."""
    after = ("", "")
    while True:
        page = (
            select(Rendition.tenant_id, Rendition.asset_id, Rendition.generation, Rendition.name)
            .join(
                Asset,
                (Asset.tenant_id == Rendition.tenant_id)
                & (Asset.id == Rendition.asset_id)
                & (Asset.generation == Rendition.generation),
            )
            .where(
                Asset.state == AssetState.READY,
                Asset.deleted_at.is_(None),
                tuple_(Rendition.asset_id, Rendition.name) > after,
            )
            .order_by(Rendition.asset_id, Rendition.name)
            .limit(_PAGE)
        )
        with reading():
            found = [RenditionKey(*row) for row in site.session.execute(page)]
            site.session.rollback()
        yield from found
        if len(found) < _PAGE:
            return
        after = (found[-1].asset, found[-1].name)
