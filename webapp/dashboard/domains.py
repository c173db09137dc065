"""The tenant's own domains: claim, records to make, the doctor, which one is the first, and the end."""

from dataclasses import dataclass

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

from infra.errors import Problem, Unavailable
from infra.sql import reading
from tenants import claims, domain_steps, domains, purges
from tenants.claims import DomainClaim, DomainState
from tenants.doctor import MESSAGES, Finding, Record
from tenants.people import Role
from tenants.scope import settings
from webapp import language
from webapp.auth import require
from webapp.dashboard.answers import done, say
from webapp.dashboard.forms import DomainForm
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.limits import limiter

LOOKS = "12 per minute; 120 per hour"
"""Each asks name servers and hosts of the tenant's choice."""


@dataclass(frozen=True)
class Diagnosis:
    """A finding, in the reader's language."""

    finding: Finding
    text: str


@bp.route("/domains", methods=["GET", "POST"])
@require(Role.ADMIN)
def domains_page() -> ResponseReturnValue:
    form = DomainForm()
    if form.validate_on_submit():
        try:
            claim = claims.claim(
                g.site.session, g.site.tenant, form.host.data, settings().base_domain, now=g.site.now()
            )
        except Problem as problem:
            g.site.session.rollback()
            form.host.errors = [language.told(problem)]
        else:
            host = claim.host
            note("domain.claimed", about=host)
            g.site.session.commit()
            say(_("Now make these records at your domain's provider."))
            return redirect(url_for("dashboard.domain", host=host), 303)
    with reading():
        held = select(DomainClaim).where(DomainClaim.state != DomainState.REMOVED).order_by(DomainClaim.host)
        page = render_template(
            "dashboard/domains.html", form=form, claims=list(g.site.session.scalars(held)), fallback=_fallback()
        )
    return page, 422 if form.errors else 200


@bp.get("/domains/<host>")
@require(Role.ADMIN)
@limiter.limit(LOOKS, exempt_when=lambda: "look" not in request.args)
def domain(host: str) -> ResponseReturnValue:
    """With `look` the doctor examines it first, which takes some seconds."""
    claim = _claim_of(host)
    findings = domain_steps.examine(g.site, claim.host) if "look" in request.args else []
    return _page(_claim_of(host), findings)


@bp.post("/domains/<host>/check")
@require(Role.ADMIN)
@limiter.limit(LOOKS)
def check_domain(host: str) -> ResponseReturnValue:
    """The next step now, instead of when the loop comes by; then what the doctor finds."""
    claim = _claim_of(host)
    name, failed = claim.host, claim.state is DomainState.FAILED
    if failed:
        claims.retry(claim, g.site.now())
    note("domain.checked", about=name)
    g.site.session.commit()
    try:
        domain_steps.advance(g.site.tenant_id, name)
    except Unavailable as error:
        raise Problem("unavailable", _("The delivery network does not answer. Try again in a few minutes.")) from error
    return redirect(url_for("dashboard.domain", host=name, look=1), 303)


@bp.post("/domains/<host>/primary")
@require(Role.ADMIN)
def choose_primary(host: str) -> ResponseReturnValue:
    """The first domain, or with the sub-domain's name the sub-domain."""
    claim = None if host == _fallback() else _claim_of(host)
    claims.choose_primary(g.site.tenant, claim, redirect=request.form.get("redirect") == "yes")
    shown = domains.shown(host)
    note("domain.primary", about=shown)
    return done(_("Your site is known as %(host)s now.", host=shown), back=url_for("dashboard.domains_page"))


@bp.post("/domains/<host>/remove")
@require(Role.ADMIN)
def remove_domain(host: str) -> ResponseReturnValue:
    claim = _claim_of(host)
    purges.add(g.site, [claim.host], ["/"])
    claims.remove(g.site.session, g.site.tenant, claim, g.site.now())
    shown = domains.shown(host)
    note("domain.removed", about=shown)
    return done(_("%(host)s does not lead here any more.", host=shown), back=url_for("dashboard.domains_page"))


@bp.app_template_global()
def domain_words(claim: DomainClaim) -> str:
    """What it waits for, or why it failed."""
    if not claim.reason:
        return ""
    return _worded(claim.reason, {"found": claim.about, "name": claim.host})


bp.add_app_template_filter(domains.shown, "idn")


def _page(claim: DomainClaim, findings: list[Finding]) -> str:
    return render_template(
        "dashboard/domain.html",
        claim=claim,
        records=_records(claim),
        diagnoses=[Diagnosis(finding, _worded(finding.code, finding.about)) for finding in findings],
        is_primary=g.site.tenant.primary_host == claim.host,
    )


def _worded(code: str, about: object) -> str:
    return str(_(MESSAGES[code]) % about)


def _records(claim: DomainClaim) -> list[Record]:
    """To be made, as far as can be said without asking anyone: the doctor knows better whether it is an apex."""
    host = claim.host
    place = domain_steps.place(g.site)
    proof = [] if claim.vouched else [Record("TXT", claims.proof_name(host), claims.proof_value(claim.token))]
    if host.count(".") > 1:
        return [*proof, Record("CNAME", host, place.target)]
    addresses = [Record("AAAA" if ":" in address else "A", host, address) for address in place.addresses]
    return [*proof, *(addresses or [Record("ALIAS", host, place.target)])]


def _fallback() -> str:
    return f"{g.site.tenant.slug}.{settings().base_domain}"


def _claim_of(host: str) -> DomainClaim:
    claim: DomainClaim | None = g.site.session.get(DomainClaim, (g.site.tenant_id, host), populate_existing=True)
    if claim is None or claim.state is DomainState.REMOVED:
        raise Problem("not-found")
    return claim
