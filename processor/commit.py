"""The compare-and-sets by which a job's results become the asset's. Each is one short transaction.

All of them compare the fence (`lease.mine`), so a holder that lost its lease changes no row and gets `LostLease`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, update

from processor.lease import Claim, LostLease, mine
from processor.task import Facts
from tenants import lean, search, webhooks
from tenants.blanks import Blanks
from tenants.catalog import Asset, AssetState, Kind, Rendition
from tenants.scope import Site
from tenants.usage import Meter
from tenants.webhooks import Event

REASON_LENGTH = 300


@dataclass(frozen=True)
class Stored:
    """A rendition whose object is in the store under the claim's generation. `size` is bytes; CRC-32 for archives."""

    name: str
    content_type: str
    width: int | None
    height: int | None
    size: int
    crc32: int | None = None


def progress(site: Site, held: Claim, percent: int, stage: str) -> None:
    _set(site, held, progress=max(0, min(percent, 100)), stage=stage[:32])
    site.session.commit()


def publish(site: Site, held: Claim, facts: Facts, added: Sequence[Stored]) -> None:
    """Show the claim's generation, with `added` being what it has gained since the last publish.

    A rebuild shows nothing before its end: what pages have is more than its first half.
    """
    shown: dict[str, Any] = {} if held.rebuild else {"generation": held.fence}
    first = func.coalesce(Asset.viewable_at, site.now())
    _set(site, held, **_columns(facts), **shown, state=AssetState.VIEWABLE, viewable_at=first)
    if added:
        rows = [
            {
                "tenant_id": site.tenant_id,
                "asset_id": held.asset_id,
                "generation": held.fence,
                "name": one.name,
                "content_type": one.content_type,
                "width": one.width,
                "height": one.height,
                "size": one.size,
                "crc32": one.crc32,
            }
            for one in added
        ]
        site.session.execute(insert(Rendition), rows)
    search.index(site.session, site.tenant_id, held.asset_id, camera=facts.media.get("camera", ""))
    site.session.commit()


def ready(
    site: Site,
    held: Claim,
    facts: Facts,
    stored: Sequence[Stored],
    crc32: int | None = None,
    mark: str | None = None,
    blanks: Blanks | None = None,
) -> None:
    """The end of good work. What it used is recorded in the same transaction, under ids that count it once ever.

    `crc32` is the original's, `mark` the digest of the watermark on its marked renditions, `blanks` what of the
    original tells its place.
    """
    whole = [] if held.rebuild else [Asset.generation == held.fence]
    end = {**_end(AssetState.READY), "generation": held.fence, "ready_at": site.now(), "rebuild_asked_at": None}
    before = lean.encoded(site, held.asset_id) if held.lean and not facts.lean else None
    end["lean"] = facts.lean
    _set(site, held, *whole, **end, progress=100, crc32=crc32, mark=mark, blanks=blanks.stored() if blanks else None)
    about = {"album_id": held.album_id, "asset_id": held.asset_id}
    if facts.kind is Kind.VIDEO:
        seconds = facts.duration or 0.0
        site.use(f"video_in:{held.asset_id}", Meter.VIDEO_IN, seconds, **about)
        site.use(f"video_out:{held.asset_id}", Meter.VIDEO_OUT, seconds * encodings(stored), **about)
        if before is not None:  # Of a lean set the rungs that it had are counted already.
            more = lean.encodings_beyond(before, [one.name for one in stored if _is_rung(one)])
            site.use(f"video_whole:{held.asset_id}", Meter.VIDEO_OUT, seconds * more, **about)
    else:
        site.use(f"photo:{held.asset_id}", Meter.PHOTOS, 1, **about)
    if not held.rebuild:
        _tell(site, held, Event.ASSET_READY)
    site.session.commit()


def keep(site: Site, held: Claim) -> None:
    """The end of a rebuild that cannot succeed: what is shown stays, without what was lost. A lean set stays lean, and
    is not asked to be made whole again."""
    _set(site, held, **_end(AssetState.READY), progress=100, lean=False)
    site.session.execute(
        delete(Rendition)
        .where(
            Rendition.tenant_id == site.tenant_id,
            Rendition.asset_id == held.asset_id,
            Rendition.generation == held.fence,
        )
        .execution_options(synchronize_session=False)
    )
    site.session.commit()


def reject(site: Site, held: Claim, reason: str) -> None:
    """The file's own fault: nothing of it is shown any more."""
    _set(site, held, **_end(AssetState.REJECTED), reason=reason[:REASON_LENGTH], generation=0)
    site.session.execute(
        delete(Rendition)
        .where(Rendition.tenant_id == site.tenant_id, Rendition.asset_id == held.asset_id)
        .execution_options(synchronize_session=False)
    )
    _tell(site, held, Event.ASSET_REJECTED)
    site.session.commit()


def _tell(site: Site, held: Claim, event: Event) -> None:
    """The asset as the statement before has left it."""
    asset = site.session.get_one(Asset, (site.tenant_id, held.asset_id), populate_existing=True)
    webhooks.publish(site, event, webhooks.about_asset(asset))


def encodings(stored: Sequence[Stored]) -> int:
    """How many times a video's pictures were encoded: the rungs, which are the playlists that have a width.

    The MP4 is copied together from a rung, and sound is small beside pictures.
    """
    return sum(map(_is_rung, stored))


def _is_rung(one: Stored) -> bool:
    return one.name.endswith(".m3u8") and one.width is not None


def _end(state: AssetState) -> dict[str, Any]:
    return {"state": state, "leased_until": None, "stage": ""}


def _columns(facts: Facts) -> dict[str, Any]:
    columns = {
        "kind": facts.kind,
        "content_type": facts.content_type,
        "width": facts.width,
        "height": facts.height,
        "duration": facts.duration,
        "thumbhash": facts.thumbhash,
        "dominant": facts.dominant,
    }
    if facts.taken_at is not None:  # Without a capture time the asset keeps the time at which it was received.
        columns |= {"taken_at": facts.taken_at, "taken_offset": facts.taken_offset, "has_capture_time": True}
    return columns


def _set(site: Site, held: Claim, *also: Any, **values: Any) -> None:
    """Begin a transaction with the compare-and-set; the caller commits. Raises `LostLease`, leaving none open."""
    changed = site.session.execute(
        update(Asset).where(*mine(site, held), *also).values(**values).execution_options(synchronize_session=False)
    )
    if not changed.rowcount:  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult
        site.session.rollback()
        raise LostLease(f"fence {held.fence} of {held.asset_id}")
