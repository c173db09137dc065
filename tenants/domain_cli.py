"""`flask --app wsgi domains add|list|check|remove|primary`."""

from collections.abc import Callable

import click
import structlog
from flask.cli import AppGroup
from sqlalchemy import select
from structlog.contextvars import bind_contextvars

from infra.errors import Problem, Unavailable
from tenants import claims, domain_steps, domains, purges
from tenants.claims import DomainClaim
from tenants.commands import fail, friendly, site_of
from tenants.db import db
from tenants.doctor import MESSAGES
from tenants.heartbeat import Heartbeat
from tenants.scope import Site, ports, settings

log = structlog.get_logger(__name__)

group = AppGroup("domains", help="Tenants' own domains: claim, check, list, remove.")


@group.command("add")
@click.argument("slug")
@click.argument("host")
@click.option("--vouched", is_flag=True, help="Served without proof: you know whose it is.")
@friendly
def add(slug: str, host: str, vouched: bool) -> None:
    """Claim a host for a tenant and print the records to make."""
    with site_of(slug) as site:
        make = claims.vouch if vouched else claims.claim
        claim = make(site.session, site.tenant, host, settings().base_domain, now=site.now())
        site.session.commit()
        _print_findings(site, claim.host)


@group.command("list")
@click.argument("slug")
@friendly
def list_domains(slug: str) -> None:
    """One line a domain: host, state, what it waits for."""
    with site_of(slug) as site:
        for claim in site.session.scalars(select(DomainClaim).order_by(DomainClaim.host)):
            waits = MESSAGES[claim.reason] % {"found": claim.about, "name": claim.host} if claim.reason else ""
            primary = "primary" if site.tenant.primary_host == claim.host else ""
            click.echo(f"{domains.shown(claim.host)}\t{claim.state.value}\t{primary}\t{waits}")


@group.command("check")
@click.argument("slug", required=False)
@click.argument("host", required=False)
@click.option(
    "--loop", is_flag=True, help="Again and again, until stopped: every claim of every tenant when it is due."
)
@click.option("--every", type=click.IntRange(1), default=15, show_default=True, help="Seconds between, with --loop.")
@friendly
def check(slug: str | None, host: str | None, loop: bool, every: int) -> None:
    """Take the next step of one claim and show what the doctor finds; without arguments, of all that are due."""
    if slug and host:
        with site_of(slug) as site:
            tenant_id, name = site.tenant_id, domains.host_name(host, settings().base_domain)
            site.session.rollback()
        state = domain_steps.advance(tenant_id, name)
        if state is None:
            fail(f"{slug} has not claimed {name}. `flask --app wsgi domains add {slug} {name}` does.")
        click.echo(f"{domains.shown(name)}: {state.value}")
        with site_of(slug) as site:
            _print_findings(site, name)
        return
    if slug:
        raise Problem("invalid", "Name the host as well, or neither.")
    if not loop:
        _tend(lambda: None)
        return
    bind_contextvars(fleet="domains")
    heartbeat = Heartbeat("domains")
    while True:
        heartbeat.beat()
        if _tend(heartbeat.beat):
            heartbeat.turned()
        ports().clock.sleep(every)


@group.command("remove")
@click.argument("slug")
@click.argument("host")
@friendly
def remove(slug: str, host: str) -> None:
    """Serve the tenant on the host no more, at once."""
    with site_of(slug) as site:
        claims.remove(site.session, site.tenant, _claim_of(site, host), site.now())
        site.session.commit()
        click.echo(f"{host} is not served any more.")


@group.command("primary")
@click.argument("slug")
@click.argument("host", required=False)
@click.option("--redirect", is_flag=True, help="Send visitors of the tenant's other hosts there.")
@friendly
def primary(slug: str, host: str | None, redirect: bool) -> None:
    """Choose the host that the tenant's site is known by; without HOST its sub-domain."""
    with site_of(slug) as site:
        claims.choose_primary(site.tenant, _claim_of(site, host) if host else None, redirect=redirect)
        site.session.commit()


def _tend(step: Callable[[], None]) -> bool:
    """Every step that is due, and what the edge still has to drop; whether nothing broke. One that has to wait does not
    hold up others. `step` is called before each."""
    try:
        for tenant_id, host in domain_steps.due():
            step()
            try:
                state = domain_steps.advance(tenant_id, host)
                log.info("looked at a domain", tenant=tenant_id, host=host, state=state.value if state else "removed")
            except Unavailable as error:
                log.warning("the edge is away", host=host, error=str(error))
                domain_steps.postpone(tenant_id, host)
        purges.send_all()
    except Exception:
        db.session.rollback()
        log.exception("domains are looked at again later")
        return False
    return True


def _claim_of(site: Site, host: str) -> DomainClaim:
    name = domains.host_name(host, settings().base_domain)
    claim = site.session.get(DomainClaim, (site.tenant_id, name))
    if claim is None:
        fail(f"{site.tenant.slug} has not claimed {name}.")
    return claim


def _print_findings(site: Site, host: str) -> None:
    for finding in domain_steps.examine(site, host):
        click.echo(f"{finding.verdict.value:8}{finding}")
        if finding.record and finding.verdict.value != "ok":
            record = finding.record
            click.echo(f"        {record.kind}\t{record.name}\t{record.value}")
