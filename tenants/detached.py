"""The tenant and the album of a page, as objects that belong to no session and are the same in every request.

One statement reads the whole row, and the object that was made of a row with the same content is taken again: to build
an entity for each request takes several times as long as to read its row. No clock and no message decides how long one
is good for.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from threading import Lock
from typing import Any, NamedTuple, TypeVar

from cachetools import LRUCache, cachedmethod
from sqlalchemy import JSON, ColumnElement, Dialect, String, bindparam, cast, select

from tenants.catalog import Album
from tenants.domains import first_own
from tenants.prepared import TENANT, Ask, Prepared
from tenants.registry import Brand, Tenant

MOST_TENANTS = 1024
MOST_ALBUMS = 4096

T = TypeVar("T")
Row = tuple[Any, ...]


def _columns(kind: type[Any]) -> list[ColumnElement[Any]]:
    """All of a class's, as values that can be compared."""
    return [cast(each, String) if isinstance(each.type, JSON) else each for each in kind.__table__.c]


_TENANT = Prepared(
    select(*_columns(Tenant), *_columns(Brand), first_own(TENANT).scalar_subquery())
    .join(Brand, Brand.tenant_id == Tenant.id)
    .where(Tenant.id == TENANT)
)
_ALBUM = Prepared(
    select(*_columns(Album)).where(
        Album.tenant_id == TENANT, Album.slug == bindparam("slug", ""), Album.deleted_at.is_(None)
    )
)


class Found(NamedTuple):
    """A tenant with its brand, and the first of its own domains that was verified (`domains.known_by`)."""

    tenant: Tenant
    own_host: str | None


class Detached:
    """Whoever gets an object must not change it: other requests have the same one at the same time."""

    def __init__(self, ask: Ask, dialect: Dialect) -> None:
        self._ask, self._dialect = ask, dialect
        self._tenants: LRUCache[Any, Found] = LRUCache(MOST_TENANTS)
        self._albums: LRUCache[Any, Album] = LRUCache(MOST_ALBUMS)
        self._lock = Lock()

    def tenant(self, tenant_id: str) -> Found | None:
        """None if there is none."""
        rows = self._ask(tenant_id, (_TENANT, {}))[0]
        return self._tenant_of(tuple(rows[0])) if rows else None

    def album(self, tenant_id: str, slug: str) -> Album | None:
        """As `catalog.album_by_slug`."""
        rows = self._ask(tenant_id, (_ALBUM, {"slug": slug}))[0]
        return self._album_of(tuple(rows[0])) if rows else None

    @cachedmethod(attrgetter("_tenants"), lock=attrgetter("_lock"))
    def _tenant_of(self, row: Row) -> Found:
        place = len(Tenant.__table__.c)
        tenant = _made(Tenant, row[:place], self._dialect)
        tenant.brand = _made(Brand, row[place:-1], self._dialect)
        return Found(tenant, row[-1])

    @cachedmethod(attrgetter("_albums"), lock=attrgetter("_lock"))
    def _album_of(self, row: Row) -> Album:
        return _made(Album, row, self._dialect)


def _made(kind: Callable[..., T], row: Row, dialect: Dialect) -> T:
    """An object of a row of `_columns`, with values as a session would have loaded them."""
    pairs = zip(_loaders(kind, dialect), row, strict=True)
    return kind(**{key: load(raw) if load else raw for (key, load), raw in pairs})


@lru_cache
def _loaders(kind: Any, dialect: Dialect) -> list[tuple[str, Callable[[Any], Any] | None]]:
    """Each column's attribute, and what makes its value of what the driver read."""
    return [(column.key, _loader(column.type, dialect)) for column in kind.__table__.c]


def _loader(kind: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    if isinstance(kind, JSON):
        return _json
    loader: Callable[[Any], Any] | None = kind.dialect_impl(dialect).result_processor(dialect, None)
    return loader


def _json(raw: str | None) -> Any:
    return None if raw is None else json.loads(raw)
