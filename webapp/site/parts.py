"""Parts of pages that are the same on every page of a tenant: made once a process, in templates that make them.

Only on pages for everybody, whose tenant is one object until its row changes (`tenants/detached.py`): whoever has a
cookie may see more, and gets each part made anew.
"""

from collections.abc import Callable, Hashable
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache
from flask import Flask, current_app, g, request
from markupsafe import Markup

from webapp import kept
from webapp.assets import built_at
from webapp.language import current

MOST = 2048
_lock = Lock()


class _Parts(NamedTuple):
    """Of one page: what all of its parts depend on."""

    known: LRUCache[Hashable, Markup]
    depend: object
    """None where no part is kept."""


def init_app(app: Flask) -> None:
    app.extensions["vitrine.parts"] = LRUCache(maxsize=MOST)
    app.add_template_global(part)


def part(name: str, *depends: Hashable, caller: Callable[[], Markup]) -> Markup:
    """What `{% call part("name") %}…{% endcall %}` holds. It may depend on the tenant's row, on the language, on the
    front end's build, and on whatever `depends` are."""
    parts: _Parts | None = g.get("parts")
    if parts is None:
        for_everybody = kept.current_edition() is not None and not request.query_string
        depend = _together(g.site.tenant, str(current()), built_at()) if for_everybody else None
        parts = g.parts = _Parts(current_app.extensions["vitrine.parts"], depend)
    if parts.depend is None:
        return caller()
    key = (name, parts.depend, *depends)
    with _lock:
        found = parts.known.get(key)
    if found is None:
        found = caller()
        with _lock:
            parts.known[key] = found
    return found


@lru_cache(maxsize=1024)
def _together(*_depends: Hashable) -> object:
    """Stands for them in keys: a hash of its own takes less time than theirs, for each part of a page."""
    return object()
