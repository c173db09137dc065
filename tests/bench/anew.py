"""The web app, for which every request is the first after something: `python -m tests.bench.page` asks it for pages.

`after_a_change`: the tenant has another edition each time, as a change of its site makes it, so the page is made anew
and what goes by the edition is looked up again. `after_a_start` has no drawn tiles as well, as a new process has none.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from typing import Any

import wsgi
from infra.settings import load
from tenants import editions

app = wsgi.make_web(load())
_as_stored = editions.current
_changes = count(1)


def _changed(*asked: Any) -> editions.Current | None:
    found = _as_stored(*asked)
    return found and replace(found, number=found.number + next(_changes))


editions.current = _changed


def after_a_change(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    return app(environ, start_response)


def after_a_start(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    app.extensions["vitrine.drawn"].cache_clear()
    return app(environ, start_response)
