"""The answer for a rendition whose object is not there: the next best picture, and a rebuild in the background.

Nothing of it is kept by caches, so that the picture is back as soon as it is made again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response
from sqlalchemy import select

from infra.errors import BlobMissing, Problem
from infra.sql import reading
from tenants import healing
from tenants.catalog import SHOWN, Asset, Rendition
from tenants.names import MARKED, RenditionKey, is_marked, rendition_key
from tenants.scope import Site, open_site
from webapp.site.sending import send_stored

RETRY_SECONDS = 10
_STILL = re.compile(rf"({MARKED})?w(?P<width>[0-9]{{1,5}})\.[a-z]+")


@dataclass(frozen=True)
class _Still:
    name: str
    content_type: str
    width: int


def answer(lost: RenditionKey) -> Response:
    """200 with another still, for one of the shown generation or of one before it (a page may be old): marked for a
    marked one, plain for a plain one.

    503 with Retry-After where there is none, and for all of a film's pieces: half of a film is no film. Raises
    `Problem("not-found")` for what was never there or is no longer shown.
    """
    with open_site(lost.tenant) as site:
        generation, names, stills = _shown(site, lost.asset)
        is_current = lost.generation == generation
        if lost.generation > generation or (is_current and lost.name not in names):
            raise Problem("not-found")
        if is_current:
            healing.ask(site, lost, why="a visitor asked for it")
        wanted = _STILL.fullmatch(lost.name)
        stills = [still for still in stills if is_marked(still.name) == is_marked(lost.name)]
        if wanted is None and not is_current:
            raise Problem("not-found")
        for still in _by_likeness(stills, lost.name, int(wanted["width"])) if wanted else ():
            if is_current and still.name == lost.name:
                continue
            key = rendition_key(lost.tenant, lost.asset, generation, still.name)
            try:
                return send_stored(site.blobs, key, content_type=still.content_type, cache="no-store")
            except BlobMissing:
                continue
    raise Problem(
        "unavailable", "This is being made again. Try again in a moment.", headers={"Retry-After": str(RETRY_SECONDS)}
    )


def _shown(site: Site, asset_id: str) -> tuple[int, frozenset[str], Sequence[_Still]]:
    """The shown generation, the names of its renditions and its stills. Raises `Problem("not-found")`."""
    with reading():
        rows = site.session.execute(
            select(Asset.generation, Rendition.name, Rendition.content_type, Rendition.width)
            .join(
                Rendition,
                (Rendition.tenant_id == Asset.tenant_id)
                & (Rendition.asset_id == Asset.id)
                & (Rendition.generation == Asset.generation),
            )
            .where(Asset.id == asset_id, Asset.state.in_(SHOWN), Asset.deleted_at.is_(None))
        ).all()
        site.session.rollback()
    if not rows:
        raise Problem("not-found")
    stills = [_Still(row.name, row.content_type, row.width) for row in rows if row.width and _STILL.match(row.name)]
    return rows[0].generation, frozenset(row.name for row in rows), stills


def _by_likeness(stills: Sequence[_Still], name: str, width: int) -> Sequence[_Still]:
    """Of the same format first, then of the nearest width: whoever reads the one type may not read another."""
    suffix = name.rpartition(".")[2]
    return sorted(stills, key=lambda still: (still.name.rpartition(".")[2] != suffix, abs(still.width - width)))
