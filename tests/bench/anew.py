"""The web app, made to forget before each request what it kept: `python -m tests.bench.page` asks it for pages.

`after_a_change` forgets pages, as a change of the site makes it. `after_a_start` forgets drawn tiles and the tenant as
well, as a new process has none.
"""

from collections.abc import Iterable
from typing import Any

import wsgi
from infra.settings import load
from webapp.kept import KeptPages

app = wsgi.make_web(load())


def _pages() -> KeptPages:
    here: Any = app.wsgi_app
    while not isinstance(here, KeptPages):
        here = here._inner if hasattr(here, "_inner") else here._app
    return here


_kept = _pages()


def after_a_change(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    _kept._pages.clear()
    return app(environ, start_response)


def after_a_start(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    app.extensions["vitrine.drawn"].cache_clear()
    app.extensions["vitrine.tenants"].clear()
    return after_a_change(environ, start_response)
