"""`Site`: one tenant with everything a handler or a job may touch. Nobody else gets an unscoped port."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

from flask import current_app
from sqlalchemy.orm import Session
from structlog.contextvars import bind_contextvars, bound_contextvars, get_contextvars

from infra.ports import BlobInfo, Edge, IntakeWriter, Metrics, Ports
from infra.settings import Settings
from infra.sql import reading
from infra.tally import Tally
from tenants import outbox, registry, usage
from tenants.db import ForeignTenant, across_tenants, bind_tenant, db, scope_kept
from tenants.names import generation_prefix, renditions_root, tenant_prefix
from tenants.registry import OnBudget, Standing, Tenant, TenantState


def ports() -> Ports:
    """The current app's adapters."""
    return cast(Ports, current_app.extensions["vitrine.ports"])


def tally() -> Tally:
    """What the current server counts in memory. Apps without routes have none."""
    return cast(Tally, current_app.extensions["vitrine.tally"])


def settings() -> Settings:
    return cast(Settings, current_app.extensions["vitrine.settings"])


def secret() -> str:
    return settings().secret_key.get_secret_value()


class _Scoped:
    """Refuses keys outside the tenant's prefix."""

    def __init__(self, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self._prefix = tenant_prefix(tenant_id)

    def _own(self, key: str) -> str:
        if not key.startswith(self._prefix):
            raise ForeignTenant(f"{key} is outside {self._prefix}")
        return key


class TenantBlobs(_Scoped):
    """`infra.ports.BlobStore`, for one tenant's keys."""

    def __init__(self, tenant_id: str, adapters: Ports) -> None:
        super().__init__(tenant_id)
        self._store = adapters.blobs

    def put(self, key: str, source: Path | bytes | BinaryIO, *, content_type: str) -> BlobInfo:
        return self._store.put(self._own(key), source, content_type=content_type)

    def stat(self, key: str) -> BlobInfo:
        return self._store.stat(self._own(key))

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        return self._store.open(self._own(key), start, length)

    def fetch(self, key: str, into: Path) -> Path:
        return self._store.fetch(self._own(key), into)

    def copy(self, source: str, target: str) -> BlobInfo:
        return self._store.copy(self._own(source), self._own(target))

    def delete(self, key: str) -> None:
        self._store.delete(self._own(key))

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        return self._store.list(self._own(prefix))

    def delete_prefix(self, prefix: str) -> int:
        return self._store.delete_prefix(self._own(prefix))


class TenantIntake(_Scoped):
    """`infra.ports.Intake`, for one tenant's keys."""

    def __init__(self, tenant_id: str, adapters: Ports) -> None:
        super().__init__(tenant_id)
        self._store = adapters.intake

    def writer(self, key: str, offset: int) -> IntakeWriter:
        return self._store.writer(self._own(key), offset)

    def size(self, key: str) -> int:
        return self._store.size(self._own(key))

    def read(self, key: str, length: int) -> BinaryIO:
        return self._store.read(self._own(key), length)

    def join(self, parts: Sequence[tuple[str, int]], key: str) -> int:
        return self._store.join([(self._own(part), length) for part, length in parts], self._own(key))

    def seal(self, key: str, length: int, target: str, *, content_type: str) -> BlobInfo:
        return self._store.seal(self._own(key), length, self._own(target), content_type=content_type)

    def discard(self, key: str) -> None:
        self._store.discard(self._own(key))

    def leftovers(self, prefix: str) -> Iterator[str]:
        return self._store.leftovers(self._own(prefix))


class TenantMedia:
    """Media attributes, for one tenant's assets."""

    def __init__(self, tenant_id: str, adapters: Ports) -> None:
        self._tenant_id = tenant_id
        self._store = adapters.media

    def put(self, asset_id: str, attributes: Mapping[str, str]) -> None:
        self._store.put(self._item(asset_id), attributes)

    def get(self, asset_id: str) -> dict[str, str]:
        return self._store.get(self._item(asset_id))

    def delete(self, asset_id: str) -> None:
        self._store.delete(self._item(asset_id))

    def _item(self, asset_id: str) -> str:
        return f"{self._tenant_id}/{asset_id}"


@dataclass(frozen=True)
class Entitlements:
    """What the tenant may do now, from its state, its standing and (with billing) its plan.

    Taking files home is not among it: members always may.
    """

    writable: bool
    open: bool
    """Whether visitors are let in."""
    standing: Standing
    """What members are told about their bill."""
    max_upload_bytes: int
    max_storage_bytes: int | None = None
    max_photos_month: int | None = None
    """None: without limit. What is taken of them: `tenants/quota.py`."""
    over_budget: OnBudget | None = None
    """What the tenant's own budget of this month asks for, once it is reached."""


@dataclass(frozen=True)
class Site:
    """One tenant, and its session, blobs, uploads, media attributes, usage and entitlements."""

    tenant: Tenant
    blobs: TenantBlobs
    intake: TenantIntake
    media: TenantMedia
    edge: Edge
    metrics: Metrics
    entitlements: Entitlements
    _ports: Ports
    _begun: Session | None

    @cached_property
    def session(self) -> Session:
        return self._begun or _bound_session(self.tenant_id)

    @property
    def tenant_id(self) -> str:
        # Not `tenant.id`: after a commit that would read the row again, and so begin a transaction.
        return self.blobs.tenant_id

    def now(self) -> datetime:
        return self._ports.clock.now()

    def enqueue(self, body: dict[str, Any]) -> None:
        """Send `body` to the job queue once the current transaction commits, with the id of the request behind it."""
        request_id = get_contextvars().get("request_id")
        traced = {**body, "trace": request_id} if request_id else body
        outbox.add(self.session, self.tenant_id, traced, now=self.now())

    def use(
        self, event_id: str, meter: usage.Meter, quantity: float, at: datetime | None = None, /, **about: str | None
    ) -> bool:
        """Record usage within the current transaction; False if that event was recorded before.

        A new event becomes the metric `usage.<meter>` of the tenant when the transaction commits. `at` is when it
        happened, now unless it is told afterwards.
        """
        at = at or self.now()
        new = usage.record(self.session, self.tenant_id, event_id, meter, quantity, at=at, **about)
        if new:
            usage.tell(self.session, self.metrics, self.tenant_id, meter, quantity, at=at)
        return new

    def generation_token(self, way: str, asset_id: str, generation: int, *, marked: bool = False) -> str:
        """`<way>/<token>`: opens the renditions of one generation to who came by that way (`tenants/delivery.py`):
        the plain ones, or those with the watermark."""
        prefix = media_prefix(self.tenant_id, way, asset_id, generation, marked=marked)
        return f"{way}/{self.edge.grant(prefix, until=self.media_until())}"

    def generation_tokens(self, way: str) -> Callable[[str], str]:
        """The tokens of many: takes `generation_path`."""
        return self.edge.granting(self.media_until(), f"{way}:{renditions_root(self.tenant_id)}")

    def media_until(self) -> datetime:
        """The end of media tokens made now: a day's boundary, so that a page's addresses stay cacheable all day."""
        day = self.now().replace(hour=0, minute=0, second=0, microsecond=0)
        return day + timedelta(days=3)


def media_prefix(tenant_id: str, way: str, asset_id: str, generation: int, *, marked: bool = False) -> str:
    """What a media token is for: the plain renditions of a generation, or the marked ones, never both."""
    return f"{way}:{generation_prefix(tenant_id, asset_id, generation, marked=marked)}"


def enter(tenant: Tenant, *, detached: bool = False) -> Site:
    """Bind the current session, and what is logged, to the tenant, for the rest of a request. `detached`: the tenant is
    to be looked at only, as it is (`tenants/detached.py`), and the session is begun where something wants it."""
    adapters = ports()
    bind_contextvars(tenant=tenant.id)
    begun = None if detached else _bound_session(tenant.id)
    if begun and tenant not in begun:
        tenant = begun.merge(tenant, load=False)
    return Site(
        tenant=tenant,
        blobs=TenantBlobs(tenant.id, adapters),
        intake=TenantIntake(tenant.id, adapters),
        media=TenantMedia(tenant.id, adapters),
        edge=adapters.edge,
        metrics=adapters.metrics,
        entitlements=_entitlements(tenant, adapters.clock.now()),
        _ports=adapters,
        _begun=begun,
    )


def _bound_session(tenant_id: str) -> Session:
    session = db.session()
    bind_tenant(session, tenant_id)
    return session


def _entitlements(tenant: Tenant, now: datetime) -> Entitlements:
    most = settings().max_upload_bytes
    paid = tenant.standing in (Standing.GOOD, Standing.OVERDUE)
    return Entitlements(
        writable=paid and tenant.state is TenantState.ACTIVE,
        open=tenant.standing is not Standing.FROZEN and tenant.state is not TenantState.DELETED,
        standing=tenant.standing,
        max_upload_bytes=most if tenant.max_upload_bytes is None else min(most, tenant.max_upload_bytes),
        max_storage_bytes=tenant.max_storage_bytes,
        max_photos_month=tenant.max_photos_month,
        over_budget=tenant.over_budget if tenant.over_budget_month == f"{now:%Y-%m}" else None,
    )


@contextmanager
def open_site(tenant_id: str) -> Iterator[Site]:
    """A Site for a job or a command; commits nothing by itself and leaves the session clean.

    Raises `LookupError` if there is no such tenant.
    """
    session = db.session()
    with scope_kept(session), bound_contextvars(tenant=tenant_id):
        try:
            with reading(), across_tenants(session, "look up the tenant"):
                tenant = registry.by_id(session, tenant_id)
                if tenant is None:
                    raise LookupError(f"no tenant {tenant_id}")
            session.rollback()
            yield enter(tenant)
        finally:
            session.rollback()
