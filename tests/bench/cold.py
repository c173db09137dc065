"""The web app after a change, for which every request is its first of that page too: it has read and drawn none of its
photos and knows no form of one, as a new process. `python -m tests.bench.page` asks it for pages.

What a request remembers it has for itself, since others are answered at the same time.
"""

from collections.abc import Iterable
from functools import lru_cache
from threading import local
from typing import Any

from tests.bench import anew
from webapp.site import renditions, tiles

_own = local()


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    _own.form_of, _own.widths_of = lru_cache(None)(tiles.Form), lru_cache(None)(renditions.Widths)
    return anew.app(environ, start_response)


class _Nothing(dict[Any, Any]):
    """A memory that keeps nothing."""

    def __setitem__(self, _key: Any, _value: Any) -> None:
        pass


anew.app.extensions["vitrine.asking"]._answers = _Nothing()
vars(tiles).update(_read=_Nothing(), form_of=lambda *given: _own.form_of(*given))
vars(renditions).update(widths_of=lambda *given: _own.widths_of(*given))
