"""Search in what the visitor may see: by caption, tag, file name, camera and date."""

from datetime import UTC, date, datetime, time, timedelta

from flask import g, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import ColumnElement, or_, select, true

from tenants import search
from tenants.catalog import Album, Visibility
from tenants.names import is_id
from tenants.search import Place
from tenants.sharing import Action, may
from webapp.limits import limiter
from webapp.site import listing
from webapp.site.blueprint import site
from webapp.site.tiles import Tile

RESULTS_A_PAGE = 100
MAX_QUERY = 200


@site.get("/search")
@limiter.limit("60 per minute")
def find() -> ResponseReturnValue:
    """`q` are beginnings of words and `#tags`, all of which a photo must have; `from` and `to` are days, included."""
    text = " ".join(request.args.get("q", "").replace("\0", " ").split())[:MAX_QUERY]
    first, last = _day("from"), _day("to")
    wrong = _("The first day is after the last.") if first and last and first > last else ""
    sought = search.wanted(text, first=_start(first), last=_end(last))
    tiles: list[Tile] = []
    following = None
    if not sought.nothing and not wrong:
        ids, following = search.find(
            g.site.session, g.site.tenant_id, sought, _open_albums(), after=_place(), size=RESULTS_A_PAGE
        )
        tiles = listing.in_order(g.site.session, ids)
    albums = _albums({tile.album_id for tile in tiles})
    return render_template(
        "site/search.html",
        text=text,
        first=first,
        last=last,
        wrong=wrong,
        asked=not sought.nothing,
        tiles=[(albums[tile.album_id], tile) for tile in tiles if tile.shown and tile.album_id in albums],
        following=_address(text, first, last, following) if following else None,
    )


def _open_albums() -> ColumnElement[bool]:
    """The albums that are searched: a member's are all; a visitor's are the public ones and those that a link opened.

    An unlisted album opens for who has its address, and a search must not give that away.
    """
    if g.viewer.role is not None:
        return true()
    return or_(Album.visibility == Visibility.PUBLIC, Album.id.in_(list(g.viewer.grants)))


def _albums(ids: set[str]) -> dict[str, Album]:
    """`may` has the last word on each."""
    found = g.site.session.scalars(select(Album).where(Album.id.in_(ids)))
    return {album.id: album for album in found if may(g.viewer, Action.VIEW, album)}


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None


def _start(day: date | None) -> datetime | None:
    """Capture times without a zone are kept as UTC: the day is the camera's own there, and UTC's elsewhere."""
    return datetime.combine(day, time(), UTC) if day else None


def _end(day: date | None) -> datetime | None:
    return datetime.combine(day, time.max, UTC) if day else None


def _place() -> Place | None:
    """Where the page before ended, from its own link; the start for anything else."""
    micros, _mark, asset_id = request.args.get("after", "").partition("-")
    try:
        return (_EPOCH + timedelta(microseconds=int(micros)), asset_id) if is_id(asset_id) else None
    except (ValueError, OverflowError):
        return None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _address(text: str, first: date | None, last: date | None, place: Place) -> dict[str, str]:
    """The next page's query."""
    after = f"{(place[0] - _EPOCH) // timedelta(microseconds=1)}-{place[1]}"
    days = {"from": first.isoformat() if first else "", "to": last.isoformat() if last else ""}
    return {name: value for name, value in {"q": text, **days, "after": after}.items() if value}
