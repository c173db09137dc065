"""The HTML of tiles and pictures, by format strings: a page has 200 tiles, and a template's loop would take ten times
as long for them. Whatever a person wrote is escaped here, in tiles by `html.escape` in a third of markupsafe's
time; the rest is ours (ids, numbers, names of renditions).

A list item has its shape before anything is loaded, so nothing moves.
"""

import html
from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import NamedTuple

from flask import g
from flask_babel import format_percent
from flask_babel import gettext as _
from markupsafe import Markup, escape

from tenants.catalog import Album, Kind
from tenants.registry import Layout
from webapp import delivery
from webapp.language import current
from webapp.site.pictures import Frame, Shown, aspect_in_grid, clock, frame, names, sizes_in
from webapp.site.renditions import FIELD
from webapp.site.tiles import Form, Tile, Tiles

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
    """What tiles of a page have in common. With the tiles themselves it is all that their HTML depends on, but for
    hearts."""

    path: str
    layout: Layout
    language: str
    way: str
    until: datetime
    """The way that pictures' addresses go, and their end."""


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
    later = grid.when(False, False)
    items = [grid.item(each, grid.when(True, first and number == 0)) for number, each in enumerate(shown[:eager])]
    items += [grid.item(each, later) for each in shown[eager:]]
    return Markup("\n".join(items))  # noqa: S704 (escaped in them)


def tile(
    album: Album, one: Tile, eager: bool = False, first: bool = False, hearts: Collection[str] | None = None
) -> Markup:
    """One list item. `hearts` are the guest's favourites; None for whoever cannot have any."""
    grid = _Grid(_look_at(album), hearts)
    return Markup(grid.item(one, grid.when(eager, first)))  # noqa: S704 (escaped in it)


class _When(NamedTuple):
    """When a tile's picture is fetched, and what forms remember their looks by."""

    key: str
    eager: bool
    first: bool


class _Framed(NamedTuple):
    """What tiles of one form have in common on pages of one layout."""

    shape: str
    frame: Frame


class _Grid:
    """The tiles of one page."""

    def __init__(self, look: _Look, hearts: Collection[str] | None) -> None:
        self._path, self._layout = look.path, look.layout
        self._hearts = hearts
        self._names = names(look.language)
        self._address = delivery.by_way(look.way)

    def when(self, eager: bool, first: bool) -> _When:
        return _When(f"{self._layout.value}{eager:d}{first:d}", eager, first)

    def item(self, one: Tile, when: _When) -> str:
        asset_id, _filename, caption, _alt, own, form = one
        if not form.shown:
            return _waiting(one)
        shape, (large, before, after) = form.looks.get(when.key) or self._framed(form, when)
        base = self._address(asset_id + form.below)
        said = self._names.of(one)
        thumbhash, dominant, _rest = own.split(FIELD, 2)
        anchor = heart = story = ""
        if self._hearts is not None:
            anchor = f' id="t-{asset_id}"'
            heart = "\n" + _heart(self._path, asset_id, said, asset_id in self._hearts)
        data = f' data-thumbhash="{thumbhash}"' if thumbhash else ""
        if caption:
            data += f' data-caption="{html.escape(caption)}"'
            story = _story(caption) if self._layout is Layout.STORY else ""
        if form.more:
            data = _data(form, base) + data
            after += _badge(one)
        return (
            f'<li class="tile" data-id="{asset_id}"{anchor} style="--r:{shape}'
            f'{f";background-color:{dominant}" if dominant else ""}">\n'
            f'<a href="{self._path}{asset_id}" data-open data-large="{base}{large}{data}>\n'
            f"{base.join(before)}{html.escape(said)}{after}\n</a>{heart}{story}</li>"
        )

    def _framed(self, form: Form, when: _When) -> _Framed:
        shape = aspect_in_grid(form.width, form.height)
        sizes = sizes_in(self._layout, shape)
        made = frame(form.renditions, sizes if when.eager else f"auto, {sizes}", when.eager, when.first)
        form.looks[when.key] = found = _Framed(str(shape), made)
        return found


def _data(form: Form, base: str) -> str:
    """What the lightbox reads of what there is beside a picture."""
    beside = "".join(f' data-{name}="{base}{file}"' for name, file in form.renditions.beside.items())
    return " data-video" + beside if form.kind is Kind.VIDEO else beside


def _badge(one: Tile) -> str:
    if one.is_video:
        word = escape(_("Duration"))
        return f'\n<span class="badge">{_PLAY}<span class="visually-hidden">{word} </span>{clock(one)}</span>'
    return '\n<span class="badge">GIF</span>' if "animated" in one.form.renditions.beside else ""


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
