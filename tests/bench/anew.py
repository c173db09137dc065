"""The web app, for which every request is the first after a change: the tenant has another edition each time and the
album another title. `python -m tests.bench.page` asks it for pages."""

from dataclasses import replace
from itertools import count
from typing import Any

import wsgi
from infra.settings import load
from tenants import editions
from tenants.catalog import Album
from tenants.detached import Detached, Row
from webapp import ahead

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
