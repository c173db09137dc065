"""The web app, for which every request is the first after something: `python -m tests.bench.page` asks it for pages.

`after_a_change`: the tenant has another edition each time and the album another title, as after someone changed it.
`after_a_start` has drawn none of its tiles and knows no shape of a photo either, as a new process.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from typing import Any

import wsgi
from infra.settings import load
from tenants import editions
from tenants.catalog import Album
from tenants.detached import Detached, Row
from webapp import ahead
from webapp.site import pictures, renditions, tiles

_as_stored = editions.current
_changes = count(1)
_TITLE = list(Album.__table__.c.keys()).index("title")


class _Retitled(Detached):
    def _album_of(self, row: Row) -> Album:
        return super()._album_of((*row[:_TITLE], f"{row[_TITLE]} {next(_changes)}", *row[_TITLE + 1 :]))


def _changed(*asked: Any) -> editions.Current | None:
    found = _as_stored(*asked)
    return found and replace(found, number=found.number + next(_changes))


app = wsgi.make_web(load())
app.extensions["vitrine.detached"] = _Retitled(ahead.ask, app.extensions["vitrine.asking"].engine.dialect)
editions.current = _changed


def after_a_change(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    return app(environ, start_response)


def after_a_start(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    app.extensions["vitrine.asking"].forget()
    tiles._read.clear()
    tiles.tile.cache_clear()
    renditions.renditions_of.cache_clear()
    pictures.shape_in.cache_clear()
    return app(environ, start_response)
