"""The home page and an album's pages."""

from dataclasses import dataclass, replace

from flask import g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from infra.errors import Problem
from tenants import nesting, privacy
from tenants.catalog import SHOWN, Album, Visibility
from tenants.names import is_id
from tenants.ordering import covers
from tenants.scope import secret
from tenants.sharing import Action, may
from webapp import ahead, kept
from webapp.rendering import rendered
from webapp.site import guests, listing, meta
from webapp.site.blueprint import album_to_show, site
from webapp.site.listing import Around, Counts, Page
from webapp.site.tiles import Tile

ALBUMS_A_PAGE = 48
MOST_CHILDREN = 1000
"""Of all the albums on one page together."""
EAGER_TILES = 4
"""About one row: these load at once, the first of them before anything else."""


@dataclass(frozen=True)
class Card:
    album: Album
    cover: Tile | None
    counts: Counts
    children: int = 0
    """Albums within it that the viewer finds there."""


@site.get("/")
def home() -> ResponseReturnValue:
    """Public albums, the newest first; what is inside one of them shows there."""
    statement = select(Album).where(Album.visibility == Visibility.PUBLIC, Album.deleted_at.is_(None), nesting.on_top())
    after = request.args.get("after", "")
    if is_id(after):
        # An id sorts by the time of creation, and says nothing that the album's address does not.
        statement = statement.where(Album.id < after)
    found = list(g.site.session.scalars(statement.order_by(Album.id.desc()).limit(ALBUMS_A_PAGE + 1)))
    albums, more = found[:ALBUMS_A_PAGE], len(found) > ALBUMS_A_PAGE
    if not after:  # Any id would do for a page of its own.
        kept.offer()
    return render_template("site/home.html", cards=cards(albums), next_page=albums[-1].id if more else None)


def cards(albums: list[Album], inside: dict[str, list[Album]] | None = None) -> list[Card]:
    """The albums with covers and counts, in a number of queries that does not depend on how many they are."""
    if not albums:
        return []
    session = g.site.session
    inside = below(albums) if inside is None else inside
    # A collection, with no photo of its own, shows its first album's cover.
    everything = {album.id: album for album in [*albums, *(first for first, *_ in inside.values() if first)]}
    chosen = covers(session, everything.values())
    tiles = {tile.album_id: tile for tile in listing.tiles_of(session, chosen.values())}
    counted = listing.counts(session, [album.id for album in albums])
    made = []
    for album in albums:
        children = inside.get(album.id, [])
        cover = tiles.get(album.id) or next((tiles[child.id] for child in children if child.id in tiles), None)
        made.append(Card(album, cover, _told(album, counted.get(album.id, Counts())), len(children)))
    return made


def _told(album: Album, counts: Counts) -> Counts:
    """Without the days, where pages do not tell when photos were taken."""
    return counts if privacy.shows_date(g.site.tenant, album) else replace(counts, first=None, last=None)


def below(albums: list[Album]) -> dict[str, list[Album]]:
    """What the viewer finds inside of each album: public ones, those that a link opened, and, inside of an album that
    is not public itself, unlisted ones. A member finds all."""
    by_id = {album.id: album for album in albums}
    found: dict[str, list[Album]] = {}
    for parent_id, child in nesting.children(g.site.session, by_id, most=MOST_CHILDREN):
        listed = (
            child.visibility is Visibility.PUBLIC
            or (child.visibility is Visibility.UNLISTED and by_id[parent_id].visibility is not Visibility.PUBLIC)
            or child.id in g.viewer.grants
            or g.viewer.role is not None
        )
        if listed and may(g.viewer, Action.VIEW, child):
            found.setdefault(parent_id, []).append(child)
    return found


@site.get("/a/<slug>")
def album(slug: str) -> ResponseReturnValue:
    """One page of an album. `after` and `before` are places in its order, from the page's own links; `part=tiles`
    asks for the tiles alone."""
    album = album_to_show(slug)
    asked = _asked_page(album)
    if asked is None:
        return redirect(f"/a/{album.slug}", 303)
    page, around = asked
    first_page = page.before is None
    if not page.tiles and not first_page:
        raise Problem("not-found")
    viewer = g.viewer
    may_download = may(viewer, Action.DOWNLOAD_ORIGINAL, album)
    shown = {
        "album": album,
        "page": page,
        "first_page": first_page,
        "eager": EAGER_TILES,
        "may_download": may_download,
        "may_download_web": may(viewer, Action.DOWNLOAD_WEB, album) or may(viewer, Action.DOWNLOAD_FULL, album),
        "hearts": guests.hearts(album),
    }
    if not page.waiting:  # How far the others are changes by the second, and counts no edition.
        kept.offer()
    if request.args.get("part") == "tiles":
        return rendered("site/tiles.html", hero=None, **shown)
    inside = below([album]) if around and around.has_albums else {}
    card = _card(album, page, around, inside) if around else None
    # A cover that someone chose opens the album; one that merely is its first photo follows right below anyway.
    chosen = card.cover if card and card.cover and card.cover.id == album.cover_id and card.cover.shown else None
    return rendered(
        "site/album.html",
        **shown,
        card=card,
        hero=chosen,
        preview=meta.of_album(album, card.cover, page.tiles) if card else None,
        waiting=page.waiting,
        may_edit=may(viewer, Action.EDIT, album),
        may_add=may(viewer, Action.UPLOAD, album),
        wants_pin=album.id in viewer.without_pin and not may_download,
        inside=cards(inside.get(album.id, [])),
        trail=trail(album) if around and around.is_within else [],
    )


def _card(album: Album, page: Page, around: Around, inside: dict[str, list[Album]]) -> Card:
    """`cards`, for an album whose first page has been read: its cover is on it more often than not."""
    on_page = (tile for tile in page.tiles if tile.state in SHOWN)
    cover = next((tile for tile in on_page if album.cover_id in (None, tile.id)), None)
    if cover is None and (album.cover_id or page.after or inside):
        return cards([album], inside)[0]
    return Card(album, cover, _told(album, around.counts), len(inside.get(album.id, [])))


def trail(album: Album) -> list[Album]:
    """The albums around it, outermost first, as far out as the viewer may look."""
    shown: list[Album] = []
    for around in reversed(nesting.ancestors(g.site.session, album)):
        if not may(g.viewer, Action.VIEW, around):
            break
        shown.insert(0, around)
    return shown


def _keeps_dates(album: Album) -> bool:
    return not privacy.shows_date(g.site.tenant, album)


def _asked_page(album: Album) -> tuple[Page, Around | None] | None:
    """With what is around the first page. None for a place that is none: the album was put in another order since, or
    someone played with the address."""
    after, before = request.args.get("after"), request.args.get("before")
    cursors = listing.Cursors(secret(), album, session=g.site.session if _keeps_dates(album) else None)
    try:
        return listing.page_and_around(
            ahead.ask,
            album,
            cursors,
            after=after,
            before=None if after else before,
            size=listing.PAGE_SIZE,
        )
    except ValueError:
        return None
