"""Erase a tenant: close it, remove what it has in every store, look whether anything is left, sign what was removed.

Each step can be done again, so whoever finds an erasure unfinished begins at the first. The rows go last but one: they
say where the rest is. Then the stores are emptied once more, of what a writer brought in meanwhile.
"""

from collections import Counter
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Table, column, delete, func, inspect, or_, select, table, update

from infra.ports import ForgettingMetrics, ForgettingQueue
from infra.sql import reading
from tenants import claims, erasure, purges
from tenants.claims import DomainClaim
from tenants.db import across_tenants, db
from tenants.erasure import Erasure
from tenants.names import intake_prefix, tenant_prefix
from tenants.registry import Tenant, TenantState
from tenants.scope import Site, open_site, ports, secret

log = structlog.get_logger(__name__)

ELSEWHERE = {
    "messages": "Messages of a queue that cannot be searched end when they are received, after 14 days at most.",
    "metrics": "Numbers that a metrics service keeps under the account's id expire there, after 15 months at most.",
}
_KEPT = ("erasures", "alembic_version")
_NAMING = ("tenant_id", "named", "group_name")
_STRIPE = table("stripe_events", column("named"), column("customer"))
_ACCOUNTS = table("billing_accounts", column("tenant_id"), column("customer"))


@dataclass
class Removed:
    """How many of each were removed: objects, bytes arriving, messages, items, points, rows by table."""

    counts: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    hosts: list[str] = field(default_factory=list)


def run_due() -> int:
    """Carry out what is due; how many tenants are gone. One that cannot be finished now is tried again next time."""
    with reading():
        ids = erasure.due()
        db.session.rollback()
    return sum(erase(erasure_id) is not None for erasure_id in ids)


def erase(erasure_id: str) -> str | None:
    """The receipt; None if something is left for another time: a host that the edge still serves, a store that is away,
    an erasure that was undone."""
    tenant_id = _begin(erasure_id)
    if tenant_id is None:
        return None
    removed = Removed()
    try:
        with open_site(tenant_id) as site:
            removed.hosts = _close(site, removed)
            if not _let_go_of_domains(site):
                log.info("the edge still lets go of a host", tenant=tenant_id)
                return None
            _drop_copies(site, removed.hosts, f"{erasure_id}-before")
            _empty(site, removed)
            _rows(site)
            _empty(site, removed)
            _drop_copies(site, removed.hosts, f"{erasure_id}-after")
    except LookupError:
        log.info("the rows were gone already", tenant=tenant_id)  # It stopped between rows and receipt.
        _empty_stores(tenant_id, removed)
    left = probe(tenant_id, but=erasure_id)
    if any(left.values()):
        log.error("an erasure left something, it will be tried again", tenant=tenant_id, left=left)
        return None
    return _seal(erasure_id, removed, left)


def _begin(erasure_id: str) -> str | None:
    session = db.session()
    with across_tenants(session, "an erasure is carried out"):
        session.execute(
            update(Erasure)
            .where(Erasure.id == erasure_id, Erasure.cancelled_at.is_(None), Erasure.begun_at.is_(None))
            .values(begun_at=ports().clock.now())
            .execution_options(synchronize_session=False)
        )
        session.commit()
        begun = (Erasure.begun_at.is_not(None), Erasure.erased_at.is_(None))
        tenant_id = session.scalar(select(Erasure.tenant_id).where(Erasure.id == erasure_id, *begun))
        session.rollback()
    return tenant_id


def _close(site: Site, removed: Removed) -> list[str]:
    """No host of the tenant has pages any more; its hosts."""
    tenant = site.session.get_one(Tenant, site.tenant_id)
    tenant.state = TenantState.SUSPENDED
    hosts = purges.hosts_of(site)
    site.session.commit()
    with reading(), across_tenants(site.session, "what there is of a tenant is counted before it goes"):
        removed.rows.update(rows_of(site.tenant_id))
        site.session.rollback()
    return hosts


def _let_go_of_domains(site: Site) -> bool:
    """One step for each domain of the tenant's own; whether the edge serves none of them any more."""
    names = list(site.session.scalars(select(DomainClaim.host)))
    site.session.rollback()
    open_ones = 0
    for host in names:
        if not site.edge.withdraw(host):
            open_ones += 1
            continue
        claim = site.session.get(DomainClaim, (site.tenant_id, host))
        if claim is not None:
            claim.on_edge = False
            claims.remove(site.session, site.session.get_one(Tenant, site.tenant_id), claim, site.now())
        site.session.commit()
    return open_ones == 0


def _drop_copies(site: Site, hosts: list[str], reference: str) -> None:
    if site.edge.shared_seconds:
        site.edge.invalidate(hosts, ["/"], reference=reference)


def _empty(site: Site, removed: Removed) -> None:
    _empty_stores(site.tenant_id, removed)


def _empty_stores(tenant_id: str, removed: Removed) -> None:
    """Everything that is not a row."""
    adapters = ports()
    if isinstance(adapters.queue, ForgettingQueue):
        removed.counts["messages"] += adapters.queue.forget(tenant_id)
    for key in list(adapters.intake.leftovers(intake_prefix(tenant_id))):
        adapters.intake.discard(key)
        removed.counts["arriving"] += 1
    removed.counts["objects"] += adapters.blobs.delete_prefix(tenant_prefix(tenant_id))
    removed.counts["items"] += adapters.media.delete_prefix(f"{tenant_id}/")
    if isinstance(adapters.metrics, ForgettingMetrics):
        removed.counts["metrics"] += adapters.metrics.forget(tenant=tenant_id)


def _rows(site: Site) -> None:
    """Webhooks that name the tenant, then the tenant, which takes along whatever refers to it."""
    session, tenant_id = site.session, site.tenant_id
    with across_tenants(session, "a tenant's rows go, webhooks about it among them"):
        own = select(_ACCOUNTS.c.customer).where(_ACCOUNTS.c.tenant_id == tenant_id)
        session.execute(delete(_STRIPE).where(or_(_STRIPE.c.named == tenant_id, _STRIPE.c.customer.in_(own))))
        session.execute(delete(Tenant).where(Tenant.id == tenant_id).execution_options(synchronize_session=False))
        session.commit()


def rows_of(tenant_id: str, *, but: str = "") -> Counter[str]:
    """How many rows of each table name the tenant, whichever package's table it is: the database says what there is.

    `but` is an erasure's id: the row that still says what is being done.
    """
    session = db.session()
    found: Counter[str] = Counter()
    inspector = inspect(session.connection())
    for name in inspector.get_table_names():
        columns = {each["name"] for each in inspector.get_columns(name)}
        naming = ["id"] if name == "tenants" else [each for each in _NAMING if each in columns]
        if not naming or name in _KEPT:
            continue
        there: Table = table(name, *(column(each) for each in naming))  # type: ignore[assignment]
        own = or_(*(there.c[each] == tenant_id for each in naming))
        found[name] = session.scalar(select(func.count()).select_from(there).where(own)) or 0
    others = select(func.count()).where(Erasure.tenant_id == tenant_id, Erasure.id != but)
    found["erasures"] = session.scalar(others.select_from(Erasure)) or 0 if but else 0
    return Counter({name: count for name, count in found.items() if count})


def probe(tenant_id: str, *, but: str = "") -> dict[str, int]:
    """What is left of a tenant, store by store."""
    adapters, session, metrics = ports(), db.session(), ports().metrics
    with reading(), across_tenants(session, "whether anything of an erased tenant is left"):
        rows = sum(rows_of(tenant_id, but=but).values())
        session.rollback()
    return {
        "objects": sum(1 for _ in adapters.blobs.list(tenant_prefix(tenant_id))),
        "arriving": sum(1 for _ in adapters.intake.leftovers(intake_prefix(tenant_id))),
        "items": sum(1 for _ in adapters.media.items(f"{tenant_id}/")),
        "metrics": metrics.remembered(tenant=tenant_id) if isinstance(metrics, ForgettingMetrics) else 0,
        "rows": rows,
    }


def _seal(erasure_id: str, removed: Removed, left: dict[str, int]) -> str:
    session, now = db.session(), ports().clock.now()
    with across_tenants(session, "the receipt of an erasure"):
        row = session.get_one(Erasure, erasure_id)
        document = {
            "receipt": row.id,
            "subject_sha256": row.subject,
            "asked_by": row.asked_by,
            "requested_at": row.requested_at.isoformat(),
            "erased_at": now.isoformat(),
            "removed": {**removed.counts, "rows": dict(sorted(removed.rows.items())), "hosts": len(removed.hosts)},
            "found_afterwards": left,
            "backups_expire_at": erasure.backups_end(now).isoformat(),
            "elsewhere": [
                sentence
                for what, sentence in ELSEWHERE.items()
                if not isinstance(getattr(ports(), _PORT[what]), (ForgettingQueue, ForgettingMetrics))
            ],
        }
        row.receipt = erasure.seal(secret(), document)
        row.erased_at, row.tenant_id = now, None
        receipt = row.receipt
        session.commit()
    log.info("a tenant is erased", receipt=erasure_id)
    return receipt


_PORT = {"messages": "queue", "metrics": "metrics"}
