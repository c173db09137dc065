"""Claims to host names: who says that a host is theirs, how far that has come, and how it ends.

Any tenant may claim any host. A claim is proven by a TXT record that only the owner of the host can make; the host is
then the tenant's (`tenants/domains.Domain`), and nobody else's. A token is of use once: a host that is claimed again,
or that was lost, gets a new one, so an old record proves nothing.
"""

import enum
import secrets
from datetime import datetime, timedelta

from sqlalchemy import String, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy_utils import ChoiceType

from infra.errors import Problem
from tenants.db import Base, TenantOwned, across_tenants
from tenants.domains import Domain, host_name
from tenants.registry import Tenant

MOST_CLAIMS = 50
"""A tenant's; more than any brand needs, and a bound on what one of them makes this machine ask."""
PROOF_LABEL = "_challenge"
PROOF_PREFIX = "site-proof="


class DomainState(enum.Enum):
    """CLAIMED -> VERIFIED -> CERTIFICATE -> LIVE; FAILED and REMOVED are not served, whatever they were before.

    VERIFIED: the proof was seen and the host is the tenant's. CERTIFICATE: the edge serves it, as soon as its
    certificate does. REMOVED: the row goes as soon as the edge has let go of the host.
    """

    CLAIMED = "claimed"
    VERIFIED = "verified"
    CERTIFICATE = "certificate"
    LIVE = "live"
    FAILED = "failed"
    REMOVED = "removed"


HELD = (DomainState.VERIFIED, DomainState.CERTIFICATE, DomainState.LIVE)


class DomainClaim(TenantOwned, Base):
    __tablename__ = "domain_claims"

    host: Mapped[str] = mapped_column(String(253), primary_key=True)
    token: Mapped[str] = mapped_column(String(43))
    state: Mapped[DomainState] = mapped_column(ChoiceType(DomainState, impl=String(12)), default=DomainState.CLAIMED)
    vouched: Mapped[bool] = mapped_column(default=False)
    """The operator knows whose it is: no proof is asked."""
    on_edge: Mapped[bool] = mapped_column(default=False)
    """The edge was told of the host, so it has to be told of the end as well."""
    reason: Mapped[str] = mapped_column(String(40), default="")
    """What it waits for, or why it failed: a key of `tenants.doctor.MESSAGES`."""
    about: Mapped[str] = mapped_column(String(300), default="")
    created_at: Mapped[datetime]
    proved_at: Mapped[datetime | None]
    """When the proof was seen last."""
    missing_since: Mapped[datetime | None]
    """When it was first not seen any more."""
    checked_at: Mapped[datetime | None]
    next_at: Mapped[datetime] = mapped_column(index=True)


def proof_name(host: str) -> str:
    return f"{PROOF_LABEL}.{host}"


def proof_value(token: str) -> str:
    """Says nothing about who hosts the site: everyone can read it."""
    return PROOF_PREFIX + token


def claim(session: Session, tenant: Tenant, host: str, base_domain: str, *, now: datetime) -> DomainClaim:
    """A claim that waits for its proof. Raises `Problem` if the host is malformed, the operator's, or claimed already.

    Whether another tenant has claimed or even proven it is not told: the proof decides.
    """
    name = host_name(host, base_domain)
    found = session.get(DomainClaim, (tenant.id, name))
    if found is not None and found.state is not DomainState.REMOVED:
        raise Problem("conflict", "%(host)s is on your list already.", values={"host": name}, field="host")
    count = session.scalar(select(func.count()).select_from(DomainClaim).where(DomainClaim.tenant_id == tenant.id))
    if found is None and (count or 0) >= MOST_CLAIMS:
        raise Problem(
            "conflict",
            "A site can have %(most)s domains. Remove one first.",
            values={"most": MOST_CLAIMS},
            field="host",
        )
    if found is None:
        found = DomainClaim(tenant_id=tenant.id, host=name, created_at=now)
        session.add(found)
    _begin(found, now)
    session.flush()
    return found


def vouch(session: Session, tenant: Tenant, host: str, base_domain: str, *, now: datetime) -> DomainClaim:
    """A claim whose proof is the operator's word. Raises `Problem` as `claim` does, and if the host is another's."""
    made = claim(session, tenant, host, base_domain, now=now)
    if session.get(Domain, made.host) is not None:
        raise Problem("conflict", "%(host)s is already in use.", values={"host": made.host})
    made.vouched = True
    hold(session, made, now)
    return made


def retry(claim: DomainClaim, now: datetime) -> None:
    """Look again, now. One that was held and lost needs fresh proof."""
    if claim.state is DomainState.FAILED:
        if claim.proved_at is None:
            claim.state, claim.reason, claim.about, claim.next_at, claim.created_at = (
                DomainState.CLAIMED,
                "",
                "",
                now,
                now,
            )
        else:
            _begin(claim, now)
    claim.next_at = now


def remove(session: Session, tenant: Tenant, claim: DomainClaim, now: datetime) -> None:
    """Not served from here on. The row stays until the edge has let go of the host."""
    release(session, tenant, claim)
    claim.state, claim.reason, claim.about, claim.next_at = DomainState.REMOVED, "", "", now
    claim.token = _new_token()
    session.flush()
    if not claim.on_edge:
        session.delete(claim)
        session.flush()


def fail(session: Session, tenant: Tenant, claim: DomainClaim, reason: str, about: str = "") -> None:
    """Not served from here on; says why."""
    release(session, tenant, claim)
    claim.state, claim.reason, claim.about = DomainState.FAILED, reason, about[:300]
    session.flush()


def hold(session: Session, claim: DomainClaim, now: datetime) -> None:
    """The host is the tenant's. Raises an IntegrityError if somebody was faster."""
    session.add(Domain(host=claim.host, tenant_id=claim.tenant_id, created_at=now, verified_at=now))
    claim.state, claim.proved_at, claim.missing_since, claim.reason = DomainState.VERIFIED, now, None, ""
    session.flush()


def release(session: Session, tenant: Tenant, claim: DomainClaim) -> None:
    """The host is nobody's, if it was this tenant's."""
    session.execute(
        delete(Domain)
        .where(Domain.host == claim.host, Domain.tenant_id == claim.tenant_id)
        .execution_options(synchronize_session="fetch")
    )
    if tenant.primary_host == claim.host:
        tenant.primary_host, tenant.redirect_to_primary = None, False


def displace(session: Session, host: str, holder: str) -> None:
    """Take the host from a tenant that can no longer prove it, for one that can.

    The session forgets its objects: it works for everyone for a moment.
    """
    with across_tenants(session, "a host changes hands"):
        for statement in (
            delete(Domain).where(Domain.host == host, Domain.tenant_id == holder),
            update(DomainClaim)
            .where(DomainClaim.host == host, DomainClaim.tenant_id == holder)
            .values(state=DomainState.FAILED, reason="taken-over", about="", on_edge=False),
            update(Tenant)
            .where(Tenant.id == holder, Tenant.primary_host == host)
            .values(primary_host=None, redirect_to_primary=False),
        ):
            session.execute(statement.execution_options(synchronize_session=False))


def token_of(session: Session, host: str, tenant_id: str) -> tuple[str, bool] | None:
    """Another tenant's token for the host, and whether the operator vouches for it; None if it claims it no more."""
    with across_tenants(session, "whether whoever holds a host can still prove it"):
        row = session.execute(
            select(DomainClaim.token, DomainClaim.vouched).where(
                DomainClaim.host == host, DomainClaim.tenant_id == tenant_id
            )
        ).first()
    return (row[0], row[1]) if row else None


def choose_primary(tenant: Tenant, claim: DomainClaim | None, *, redirect: bool) -> None:
    """The host that the site is known by; with `redirect`, visitors of its others are sent there. None: the
    sub-domain."""
    if claim is not None and claim.state is not DomainState.LIVE:
        raise Problem("conflict", "%(host)s is not live yet.", values={"host": claim.host})
    tenant.primary_host = claim.host if claim else None
    tenant.redirect_to_primary = redirect and claim is not None


def check_often(claim: DomainClaim, now: datetime) -> timedelta:
    """How long until the next look: soon while somebody waits for it, now and then once it is live."""
    if claim.on_edge and claim.state not in (DomainState.CLAIMED, *HELD):
        return timedelta(minutes=1)  # The edge lets go in steps.
    if claim.state in (DomainState.LIVE, DomainState.FAILED) and claim.missing_since is None:
        return timedelta(hours=6)
    age = now - claim.created_at
    return min(max(age / 20, timedelta(seconds=30)), timedelta(hours=1))


def _begin(claim: DomainClaim, now: datetime) -> None:
    claim.token, claim.state, claim.vouched = _new_token(), DomainState.CLAIMED, False
    claim.reason = claim.about = ""
    claim.proved_at = claim.missing_since = claim.checked_at = None
    claim.created_at = claim.next_at = now


def _new_token() -> str:
    return secrets.token_urlsafe(24)
