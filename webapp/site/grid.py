"""The HTML of tiles and pictures, by format strings: a page has 200 tiles, and a template's loop would take ten times
as long for them. Whatever a person wrote is escaped here; the rest is ours (ids, numbers, names of renditions).

A list item has its shape before anything is loaded, so nothing moves.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from flask import Flask, current_app, g
from flask_babel import format_percent
from flask_babel import gettext as _
from markupsafe import Markup, escape

from tenants.catalog import Album
from tenants.registry import Layout
from webapp import delivery
from webapp.language import current
from webapp.site.pictures import Shown, names, show, sizes_in
from webapp.site.tiles import Tile

_HEART = (
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 20.3 4.6 13a4.9 4.9 0 0 1 0-7 5 5 0 0 1 7 0l.4.4.4-.4'
    'a5 5 0 0 1 7 0 4.9 4.9 0 0 1 0 7Z"/></svg>'
)
_PLAY = '<svg viewBox="0 0 12 12" aria-hidden="true"><path d="M3 1.5v9l7-4.5z"/></svg>'


def layout_of(album: Album) -> Layout:
    layout: Layout = album.layout or g.site.tenant.brand.layout
    return layout


def picture(shown: Shown, sizes: str, eager: bool = False, first: bool = False, alt: str = "") -> Markup:
    """`<picture>` with every format and width. `sizes` is CSS of ours; the `first` one is fetched before all else."""
    return Markup(_picture(shown, sizes, eager, first, alt))  # noqa: S704 (escaped in it)


def _picture(shown: Shown, sizes: str, eager: bool, first: bool, alt: str) -> str:
    sources = "".join(f'<source type="{kind}" srcset="{srcset}" sizes="{sizes}">\n' for kind, srcset in shown.sources)
    small, large = shown.small, shown.large
    assert small is not None and large is not None  # It has stills (`Tile.shown`), and of each width a JPEG.
    when = ' fetchpriority="high"' if first else "" if eager else ' loading="lazy"'
    return (
        f'<picture>\n{sources}<img src="{shown.base}{small.name}" srcset="{shown.jpegs}" sizes="{sizes}" '
        f'width="{large.width}" height="{large.height}" alt="{escape(alt)}" decoding="async"{when}>\n</picture>'
    )


def tiles(album: Album, shown: Iterable[Tile], eager: int, first: bool, hearts: Collection[str] | None) -> Markup:
    """List items of a grid. The first `eager` load at once, and with `first` the very first before all else."""
    grid = _Grid(album, hearts)
    items = [grid.item(each, number < eager, first and number == 0) for number, each in enumerate(shown)]
    return Markup("\n".join(items))  # noqa: S704 (escaped in them)


def tile(
    album: Album, one: Tile, eager: bool = False, first: bool = False, hearts: Collection[str] | None = None
) -> Markup:
    """One list item. `hearts` are the guest's favourites; None for whoever cannot have any."""
    return Markup(_Grid(album, hearts).item(one, eager, first))  # noqa: S704 (escaped in it)


class _Look(NamedTuple):
    """What the tiles of a page have in common. With the tile itself it is all that a drawn tile depends on."""

    path: str
    layout: Layout
    language: str
    with_hearts: bool
    way: str
    until: datetime
    """The way that pictures' addresses go, and their end."""


class _Grid:
    """The tiles of one page. A tile that was drawn before, and looks the same, is not drawn again: after one photo of
    200 has changed, a page is made of the 199 as they were."""

    def __init__(self, album: Album, hearts: Collection[str] | None) -> None:
        self._look = _Look(
            path=f"/a/{escape(album.slug)}/",
            layout=layout_of(album),
            language=str(current()),
            with_hearts=hearts is not None,
            way=delivery.way_of(album.id),
            until=g.site.media_until(),
        )
        self._hearts = hearts
        self._names = names(self._look.language)
        self._drawn = current_app.extensions["vitrine.drawn"]

    def item(self, one: Tile, eager: bool, first: bool) -> str:
        if not one.shown:
            return _waiting(one)
        head, tail = self._drawn(self._look, one, eager, first)
        if self._hearts is None:
            return str(head + tail)
        return f"{head}\n{_heart(self._look.path, one.id, self._names(one), one.id in self._hearts)}{tail}"


MOST_DRAWN = 8192
"""Tiles that a process remembers, some 1.6 kB each."""


def init_app(app: Flask) -> None:
    app.extensions["vitrine.drawn"] = lru_cache(maxsize=MOST_DRAWN)(_draw)


def _draw(look: _Look, one: Tile, eager: bool, first: bool) -> tuple[str, str]:
    """A list item, as what comes before its heart and what comes after."""
    shown = show(one)
    large = shown.large
    assert large is not None  # It is shown, and of each width there is a JPEG.
    anchor = f' id="t-{one.id}"' if look.with_hearts else ""
    colour = f";background-color:{one.dominant}" if one.dominant else ""
    shape = shown.grid_aspect
    sizes = ("" if eager else "auto, ") + sizes_in(look.layout, shape)
    head = (
        f'<li class="tile" data-id="{one.id}"{anchor} style="--r:{shape}{colour}">\n'
        f'<a href="{look.path}{one.id}" data-open data-large="{shown.base}{large.name}" '
        f'data-width="{large.width}" data-height="{large.height}"{_data(one, shown)}>\n'
        f"{_picture(shown, sizes, eager, first, names(look.language)(one))}{_badge(one, shown)}</a>"
    )
    return head, f"{_story(one, look.layout)}</li>"


def _data(one: Tile, shown: Shown) -> str:
    """What the lightbox reads."""
    found = {
        "thumbhash": one.thumbhash,
        "caption": escape(one.caption) if one.caption else None,
        "hls": shown.hls,
        "mp4": shown.mp4,
        "storyboard": shown.storyboard,
        "animated": shown.animated,
    }
    written = "".join(f' data-{name}="{value}"' for name, value in found.items() if value)
    return " data-video" + written if one.is_video else written


def _badge(one: Tile, shown: Shown) -> str:
    if one.is_video:
        word = escape(_("Duration"))
        return f'\n<span class="badge">{_PLAY}<span class="visually-hidden">{word} </span>{shown.clock}</span>\n'
    return '\n<span class="badge">GIF</span>\n' if shown.animated else "\n"


def heart(album: Album, asset_id: str, said: str, on: bool) -> Markup:
    """A heart that is a plain submit button: it works without scripts, by the form with the id "heart" on the page."""
    return Markup(_heart(f"/a/{escape(album.slug)}/", asset_id, said, on))  # noqa: S704 (escaped in it)


def _heart(path: str, asset_id: str, said: str, on: bool) -> str:
    return (
        f'<button class="heart" type="submit" form="heart" formaction="{path}{asset_id}/favourite" name="on" '
        f'value="{0 if on else 1}" aria-pressed="{"true" if on else "false"}" '
        f'aria-label="{escape(_("Favourite: %(photo)s", photo=said))}" data-heart="{asset_id}">{_HEART}</button>'
    )


def _story(one: Tile, layout: Layout) -> str:
    if not one.caption or layout is not Layout.STORY:
        return ""
    return f'\n<p class="tile-caption">{escape(one.caption)}</p>'


def _waiting(one: Tile) -> str:
    far = f" {format_percent(one.progress / 100)}" if 0 < one.progress < 100 else ""
    return (
        f'<li class="tile tile-waiting" data-id="{one.id}" data-waiting style="--r:{show(one).grid_aspect}">\n'
        f'<p><span class="spinner" aria-hidden="true"></span>{escape(_("Processing"))}'
        f'<span class="percent">{far}</span></p>\n</li>'
    )
