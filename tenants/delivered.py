"""What is billed as delivered, and how it is counted where the app itself delivers (docs/adr/0182).

Billed are the bodies of good answers on a tenant's hosts: pages, frames, pictures, films, downloads. Not billed is what
members load of the dashboard, what belongs to the product and not to the site, and refusals.

Answers are many and small, so they are added up in memory and written once a minute, as events whose ids are made when
a batch begins: a batch whose commit was not confirmed is written again under the same ids. A process that is killed
loses its last minute, to the tenant's advantage.
"""

import atexit
import re
import secrets
import threading
import weakref
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError

from infra.sql import reading
from tenants.names import is_id
from tenants.scope import open_site
from tenants.usage import Meter

log = structlog.get_logger(__name__)

EVERY_SECONDS = 60.0
MOST_ASSETS = 20
"""Of a tenant and batch that have an event of their own, the largest; the others are one event together."""
TENANT = "vitrine.tenant"
"""In the WSGI environment: the id of the tenant whose host was asked."""
COUNTED = "vitrine.delivered"
"""In the WSGI environment: the body counts itself while it is sent."""
_FREE = re.compile(r"/(dashboard|operator|static|webhooks|healthz|readyz)(/|$)")
_MEDIA = re.compile(r"/m/[^/]+/[^/]+/([0-9a-z]{26})/")
_KEY = re.compile(r"/t/([0-9a-z]{26})/[ro]/([0-9a-z]{26})/")


def is_billed(path: str, status: int) -> bool:
    return 200 <= status < 400 and _FREE.match(path) is None


def asset_of(path: str) -> str | None:
    """The asset that a path shows: by the address of its renditions, or by an object key."""
    found = _MEDIA.match(path)
    asset = found[1] if found else (owner_of(path) or ("", ""))[1]
    return asset if is_id(asset) else None


def owner_of(path: str) -> tuple[str, str] | None:
    """Tenant and asset of a path that is an object key, as an edge in front of the bucket has it."""
    found = _KEY.match(path)
    return (found[1], found[2]) if found and is_id(found[1]) else None


def largest(sizes: Mapping[str | None, int]) -> dict[str | None, int]:
    """By asset: the `MOST_ASSETS` largest, and under None all others and what is no asset's."""
    order = sorted((asset for asset in sizes if asset), key=lambda asset: (-sizes[asset], asset))
    kept: dict[str | None, int] = {asset: sizes[asset] for asset in order[:MOST_ASSETS]}
    rest = sum(sizes.values()) - sum(kept.values())
    return {**kept, None: rest} if rest else kept


@dataclass
class _Batch:
    """`id` names its events. `since` is when its first byte was sent."""

    id: str
    since: datetime
    sizes: dict[str, Counter[str | None]] = field(default_factory=lambda: defaultdict(Counter))


class Delivered:
    """Adds up in memory, writes now and then. Safe between threads."""

    def __init__(self, app: Flask, *, every: float = EVERY_SECONDS) -> None:
        self.app = app
        self._every = every
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._open: _Batch | None = None
        self._full: list[_Batch] = []
        self._timer: threading.Timer | None = None
        counting.add(self)

    def add(self, tenant_id: str, size: int, asset_id: str | None = None) -> None:
        if size <= 0:
            return
        with self._lock:
            if self._open is None:
                now = self.app.extensions["vitrine.ports"].clock.now()
                self._open = _Batch(secrets.token_hex(12), now)
            self._open.sizes[tenant_id][asset_id] += size
            self._arm()

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._every, self.flush)
            self._timer.daemon = True
            self._timer.start()

    def flush(self) -> None:
        """Write what there is. What cannot be written now is kept, and tried again in a minute."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
            if self._open is not None:
                self._full.append(self._open)
            self._open = None
        with self._writing, self.app.app_context():
            while self._full and self._write(self._full[0]):
                self._full.pop(0)
        with self._lock:
            if self._full:
                self._arm()

    def close(self) -> None:
        """Write once more; what is left then is lost."""
        counting.discard(self)
        self.flush()
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()

    def _write(self, batch: _Batch) -> bool:
        """Each tenant in a transaction of its own; True once all are written."""
        for tenant_id in list(batch.sizes):
            try:
                with reading(False), open_site(tenant_id) as site:
                    for asset_id, size in largest(batch.sizes[tenant_id]).items():
                        name = f"sent:{batch.id}:{asset_id or '-'}"
                        site.use(name, Meter.DELIVERED, size, batch.since, asset_id=asset_id)
                    site.session.commit()
            except LookupError:
                log.info("what a tenant that is gone was sent is not counted", tenant=tenant_id)
            except SQLAlchemyError as error:
                log.warning("deliveries are written later", error=str(error))
                return False
            del batch.sizes[tenant_id]
        return True


counting: "weakref.WeakSet[Delivered]" = weakref.WeakSet()
"""Those that were not closed. One that has something to write is held by its timer; any other may go with its app."""


@atexit.register
def close() -> None:
    """At the end of the process."""
    for each in list(counting):
        each.close()


def of_app() -> Delivered | None:
    """The web server's; None where the edge's logs tell, and in apps that deliver nothing."""
    found: Delivered | None = current_app.extensions.get("vitrine.delivered")
    return found
