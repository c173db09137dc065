"""One step of a claim: look at the world, then write down what follows.

Questions to DNS, the host and the edge take seconds, so they are asked outside of any transaction. Any process may take
any step at any time, again after a crash anywhere in it: what it was decided on is compared before it is written.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from infra.ports import Serving
from infra.settings import listed
from infra.sql import reading
from tenants import claims, purges
from tenants.claims import HELD, DomainClaim, DomainState
from tenants.db import across_tenants, db
from tenants.doctor import Doctor, Finding, Patient, Place, Verdict
from tenants.domains import Domain
from tenants.probe import Prober
from tenants.scope import Site, open_site, ports, secret, settings

SOON = timedelta(seconds=5)
"""Between a step that led on and the next."""
PROOF_WAITED_FOR = timedelta(days=30)
GRACE = timedelta(days=3)
"""How long a host is served on after its proof disappeared: nobody's records are edited without a mistake."""
SILENCE = timedelta(days=14)
"""How long if its name servers say nothing at all, which is no proof of anything."""


@dataclass(frozen=True)
class _Before:
    """The claim as it was decided on."""

    host: str
    token: str
    state: DomainState
    vouched: bool
    on_edge: bool
    holder: str | None
    """Who is served on the host now, whoever that is."""


@dataclass(frozen=True)
class _Seen:
    proven: bool | None = None
    rival_holds: bool = False
    serving: Serving | None = None
    withdrawn: bool = False
    live: bool = False
    reason: str = ""
    about: str = ""


def prober() -> Prober:
    """Asks hosts where this deployment's own sites are: the scheme and port of public links."""
    chosen = settings()
    return Prober(secret=secret(), scheme=chosen.scheme, port=chosen.site_port, own=frozenset(chosen.domain_addresses))


def doctor(site: Site) -> Doctor:
    """For the site's domains, with this deployment's records."""
    return Doctor(ports().resolver, prober(), place(site), site.now())


def place(site: Site) -> Place:
    """Where the site's domains should lead."""
    chosen = settings()
    return Place(
        target=chosen.domain_target or f"{site.tenant.slug}.{chosen.base_domain}",
        addresses=tuple(str(address) for address in chosen.domain_addresses),
        cas=tuple(listed(chosen.domain_cas)),
    )


def patient(claim: DomainClaim) -> Patient:
    return Patient(claim.host, claim.token, claim.vouched)


def due(limit: int = 100) -> list[tuple[str, str]]:
    """`(tenant, host)` of claims whose next step is due, the longest waiting first."""
    session = db.session()
    with reading(), across_tenants(session, "claims of every tenant are looked after by one loop"):
        rows = session.execute(
            select(DomainClaim.tenant_id, DomainClaim.host)
            .where(DomainClaim.next_at <= ports().clock.now())
            .order_by(DomainClaim.next_at)
            .limit(limit)
        ).all()
        session.rollback()
    return [(row[0], row[1]) for row in rows]


def advance(tenant_id: str, host: str) -> DomainState | None:
    """Take the next step of the claim; the state that it is in then, None if there is no such claim any more.

    Raises `Unavailable` if the edge is away: nothing is written then.
    """
    with open_site(tenant_id) as site:
        with reading():
            before = _read(site, host)
            examiner = doctor(site)
            site.session.rollback()
        if before is None:
            return None
        seen = _look(site, examiner, before)
        state = _write(site, before, seen)
        site.session.commit()
    purges.send_all()
    return state


def postpone(tenant_id: str, host: str) -> None:
    """Look again in a minute: the edge did not answer."""
    with open_site(tenant_id) as site:
        claim = site.session.get(DomainClaim, (site.tenant_id, host))
        if claim is not None:
            claim.next_at = site.now() + timedelta(minutes=1)
        site.session.commit()


def _read(site: Site, host: str) -> _Before | None:
    claim = site.session.get(DomainClaim, (site.tenant_id, host))
    if claim is None:
        return None
    holder = site.session.scalar(select(Domain.tenant_id).where(Domain.host == host))
    return _Before(host, claim.token, claim.state, claim.vouched, claim.on_edge, holder)


# --- What there is to see ---------------------------------------------------------------------------------------------


def _look(site: Site, examiner: Doctor, before: _Before) -> _Seen:
    if before.state in (DomainState.FAILED, DomainState.REMOVED):
        # A host that is somebody else's by now is the edge's to keep.
        return _Seen(withdrawn=before.holder is not None or not before.on_edge or site.edge.withdraw(before.host))
    proven = True if before.vouched else examiner.proven(before.host, before.token)
    if before.state is DomainState.CLAIMED:
        return _Seen(proven=proven, rival_holds=bool(proven) and _rival_holds(site, examiner, before))
    serving = site.edge.serve(before.host) if proven is not False else None
    if serving is None or not serving.ready:
        about = serving.waits_for if serving else ""
        return _Seen(proven=proven, serving=serving, reason="edge-waiting", about=about)
    reach = examiner.reach(before.host)
    for finding in (examiner.reached(reach), *examiner.certificate(reach)):
        if finding.verdict in (Verdict.WRONG, Verdict.UNKNOWN):
            return _Seen(proven=proven, serving=serving, reason=finding.code, about=finding.about.get("found", ""))
    return _Seen(proven=proven, serving=serving, live=True)


def _rival_holds(site: Site, examiner: Doctor, before: _Before) -> bool:
    """Whether another tenant has the host and can still prove it: fresh proof of one is not the end of the other's."""
    if before.holder is None or before.holder == site.tenant_id:
        return False
    with reading():
        held = claims.token_of(site.session, before.host, before.holder)
        site.session.rollback()
    if held is None:
        return False
    token, vouched = held
    return vouched or examiner.proven(before.host, token) is not False


# --- What follows -----------------------------------------------------------------------------------------------------


def _write(site: Site, before: _Before, seen: _Seen) -> DomainState | None:
    wins = before.state is DomainState.CLAIMED and seen.proven and not seen.rival_holds
    if wins and before.holder is not None and before.holder != site.tenant_id:
        claims.displace(site.session, before.host, before.holder)
        purges.add(site, [before.host], ["/"])
    claim = site.session.get(DomainClaim, (site.tenant_id, before.host), with_for_update=True, populate_existing=True)
    if claim is None:
        return None
    now = site.now()
    claim.checked_at = now
    if (claim.token, claim.state) == (before.token, before.state):
        _decide(site, claim, seen)
    if claim.state is DomainState.REMOVED and not claim.on_edge:
        site.session.delete(claim)
        return None
    moved = claim.state is not before.state
    claim.next_at = now + (SOON if moved else claims.check_often(claim, now))
    return claim.state


def _decide(site: Site, claim: DomainClaim, seen: _Seen) -> None:
    now = site.now()
    if claim.state in (DomainState.FAILED, DomainState.REMOVED):
        claim.on_edge = claim.on_edge and not seen.withdrawn
    elif claim.state is DomainState.CLAIMED:
        _claimed(site, claim, seen)
    elif _lost(claim, seen, now):
        claims.fail(site.session, site.tenant, claim, "proof-lost")
        purges.add(site, [claim.host], ["/"])
    elif seen.proven is False:
        claim.reason, claim.about = "proof-missing", ""
    elif claim.state in HELD and seen.serving is not None:
        claim.on_edge = True
        claim.reason, claim.about = seen.reason, seen.about[:300]
        if seen.serving.ready and claim.state is DomainState.VERIFIED:
            claim.state = DomainState.CERTIFICATE
        if seen.live:
            claim.state = DomainState.LIVE


def _claimed(site: Site, claim: DomainClaim, seen: _Seen) -> None:
    now = site.now()
    if seen.rival_holds:
        claim.reason, claim.about = "held", claims.proof_name(claim.host)
    elif seen.proven:
        held = site.session.get(Domain, claim.host)
        if held is None:
            claims.hold(site.session, claim, now)
    elif now - claim.created_at > PROOF_WAITED_FOR:
        claims.fail(site.session, site.tenant, claim, "proof-late")
    else:
        claim.reason = "proof-missing" if seen.proven is False else "no-answer"


def _lost(claim: DomainClaim, seen: _Seen, now: datetime) -> bool:
    """Whether the proof is gone for good. Keeps count of how long it has not been seen."""
    if seen.proven:
        claim.proved_at, claim.missing_since = now, None
        return False
    if claim.missing_since is None:
        claim.missing_since = now
    return now - claim.missing_since > (GRACE if seen.proven is False else SILENCE)


def examine(site: Site, host: str) -> list[Finding]:
    """The doctor's findings for one of the site's claims. Raises `LookupError` if there is none."""
    with reading():
        claim = site.session.get(DomainClaim, (site.tenant_id, host))
        if claim is None:
            raise LookupError(host)
        examiner, subject = doctor(site), patient(claim)
        site.session.rollback()
    return examiner.examine(subject)
