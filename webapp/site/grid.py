"""The HTML of tiles and pictures, by format strings: a page has 200 tiles, and a template's loop would take ten times
as long for them. Whatever a person wrote is escaped here; the rest is ours (ids, numbers, names of renditions).

A list item has its shape before anything is loaded, so nothing moves.
"""

from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import NamedTuple

from flask import g
from flask_babel import format_percent
from flask_babel import gettext as _
from markupsafe import Markup, escape

from tenants.catalog import Album
from tenants.registry import Layout
from webapp import delivery
from webapp.language import current
from webapp.site.parts import stands_for
from webapp.site.pictures import Shown, aspect_in_grid, clock, frame, names, shape_in
from webapp.site.tiles import Tile, Tiles

_HEART = (
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 20.3 4.6 13a4.9 4.9 0 0 1 0-7 5 5 0 0 1 7 0l.4.4.4-.4'
    'a5 5 0 0 1 7 0 4.9 4.9 0 0 1 0 7Z"/></svg>'
)
_PLAY = '<svg viewBox="0 0 12 12" aria-hidden="true"><path d="M3 1.5v9l7-4.5z"/></svg>'


def layout_of(album: Album) -> Layout:
    layout: Layout = album.layout or g.site.tenant.brand.layout
    return layout


def picture(shown: Shown, sizes: str, eager: bool = False, first: bool = False, alt: str = "") -> Markup:
    """`<picture>` with every format and width (`pictures.frame`)."""
    made = frame(shown.tile.renditions, sizes, eager, first)
    return Markup(f"{shown.base.join(made.before)}{escape(alt)}{made.after}")  # noqa: S704 (the rest is ours)


class _Look(NamedTuple):
    """What tiles of a page have in common. With the tile itself it is all that its HTML depends on, but for hearts."""

    path: str
    layout: Layout
    language: str
    way: str
    until: datetime
    """The way that pictures' addresses go, and their end."""
    eager: bool = False
    first: bool = False


def _look_at(album: Album) -> _Look:
    return _Look(
        path=f"/a/{escape(album.slug)}/",
        layout=layout_of(album),
        language=str(current()),
        way=delivery.way_of(album.id),
        until=g.site.media_until(),
    )


def tiles(album: Album, shown: Tiles, eager: int, first: bool, hearts: Collection[str] | None) -> Markup:
    """List items of a grid. The first `eager` load at once, and with `first` the very first before all else."""
    look = _look_at(album)
    draw = partial(_listed, look, shown, eager, first, hearts)
    return draw() if hearts is not None else shown.once("grid", (look, eager, first), draw)


def _listed(look: _Look, shown: Tiles, eager: int, first: bool, hearts: Collection[str] | None) -> Markup:
    grid = _Grid(look, hearts)
    items = [grid.item(each, True, first and number == 0) for number, each in enumerate(shown[:eager])]
    items += [grid.item(each, False, False) for each in shown[eager:]]
    return Markup("\n".join(items))  # noqa: S704 (escaped in them)


def tile(
    album: Album, one: Tile, eager: bool = False, first: bool = False, hearts: Collection[str] | None = None
) -> Markup:
    """One list item. `hearts` are the guest's favourites; None for whoever cannot have any."""
    return Markup(_Grid(_look_at(album), hearts).item(one, eager, first))  # noqa: S704 (escaped in it)


MOST_LOOKS = 4
"""That a tile is remembered in."""


class _Grid:
    """The tiles of one page."""

    def __init__(self, look: _Look, hearts: Collection[str] | None) -> None:
        self._look = look
        self._known = {flags: stands_for(look._replace(eager=flags[0], first=flags[1])) for flags in _FLAGS}
        self._hearts = hearts
        self._names = names(look.language)
        self._address = delivery.by_way(look.way)

    def item(self, one: Tile, eager: bool, first: bool) -> str:
        if self._hearts is not None:
            return self._draw(one, eager, first)
        look = self._known[eager, first]
        found = one.drawn.get(look)
        if found is None:
            found = self._draw(one, eager, first)
            if len(one.drawn) >= MOST_LOOKS:
                one.drawn.clear()
            one.drawn[look] = found
        return found

    def _draw(self, one: Tile, eager: bool, first: bool) -> str:
        if not one.shown:
            return _waiting(one)
        asset_id, path = one.id, self._look.path
        shape, at_once, in_sight = shape_in(self._look.layout, one.width, one.height)
        picture = frame(one.renditions, at_once if eager else in_sight, eager, first)
        base = self._address(asset_id, one.generation, one.marked)
        said = self._names(one)
        anchor, heart = "", ""
        if self._hearts is not None:
            anchor = f' id="t-{asset_id}"'
            heart = "\n" + _heart(path, asset_id, said, asset_id in self._hearts)
        return (
            f'<li class="tile" data-id="{asset_id}"{anchor} style="--r:{shape}'
            f'{f";background-color:{one.dominant}" if one.dominant else ""}">\n'
            f'<a href="{path}{asset_id}" data-open data-large="{base}{picture.large}{_data(one, base)}>\n'
            f"{base.join(picture.before)}{escape(said)}{picture.after}{_badge(one)}</a>{heart}"
            f"{_story(one.caption) if one.caption and self._look.layout is Layout.STORY else ''}</li>"
        )


_FLAGS = ((False, False), (True, False), (False, True), (True, True))


def _data(one: Tile, base: str) -> str:
    """What the lightbox reads."""
    written = f' data-thumbhash="{one.thumbhash}"' if one.thumbhash else ""
    if one.caption:
        written += f' data-caption="{escape(one.caption)}"'
    for name, file in one.renditions.beside.items():
        written += f' data-{name}="{base}{file}"'
    return " data-video" + written if one.is_video else written


def _badge(one: Tile) -> str:
    if one.is_video:
        word = escape(_("Duration"))
        return f'\n<span class="badge">{_PLAY}<span class="visually-hidden">{word} </span>{clock(one)}</span>\n'
    return '\n<span class="badge">GIF</span>\n' if "animated" in one.renditions.beside else "\n"


def heart(album: Album, asset_id: str, said: str, on: bool) -> Markup:
    """A heart that is a plain submit button: it works without scripts, by the form with the id "heart" on the page."""
    return Markup(_heart(f"/a/{escape(album.slug)}/", asset_id, said, on))  # noqa: S704 (escaped in it)


def _heart(path: str, asset_id: str, said: str, on: bool) -> str:
    return (
        f'<button class="heart" type="submit" form="heart" formaction="{path}{asset_id}/favourite" name="on" '
        f'value="{0 if on else 1}" aria-pressed="{"true" if on else "false"}" '
        f'aria-label="{escape(_("Favourite: %(photo)s", photo=said))}" data-heart="{asset_id}">{_HEART}</button>'
    )


def _story(caption: str) -> str:
    return f'\n<p class="tile-caption">{escape(caption)}</p>'


def _waiting(one: Tile) -> str:
    far = f" {format_percent(one.progress / 100)}" if 0 < one.progress < 100 else ""
    shape = aspect_in_grid(one.width, one.height)
    return (
        f'<li class="tile tile-waiting" data-id="{one.id}" data-waiting style="--r:{shape}">\n'
        f'<p><span class="spinner" aria-hidden="true"></span>{escape(_("Processing"))}'
        f'<span class="percent">{far}</span></p>\n</li>'
    )
