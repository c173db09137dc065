"""`flask --app wsgi billing …`: the ledger's commands."""

import signal
import threading
from collections import Counter
from datetime import UTC, datetime
from itertools import count

import click
import structlog
from flask import Flask
from flask.cli import AppGroup
from sqlalchemy import func, select
from structlog.contextvars import bind_contextvars

from billing import (
    alerts,
    audit,
    backend,
    bills,
    closing,
    deliveries,
    invoices,
    margin_cli,
    outgoing,
    renditions,
    terms,
)
from billing.bills import month_of
from billing.ledger import LedgerHead, LedgerRow, MeterRow
from infra.sql import reading
from tenants.commands import fail, friendly, site_of
from tenants.db import across_tenants, db
from tenants.heartbeat import Heartbeat
from tenants.registry import Tenant
from tenants.scope import ports, settings

log = structlog.get_logger(__name__)

group = AppGroup("billing", help="Usage to invoice: close hours, verify the ledger, rebuild bills.")

PAUSE_SECONDS = 60.0
LOOK_BACK = 10
"""Late events are looked for in every tenth turn: most of what it finds was counted when its hour was closed."""


def register(app: Flask) -> None:
    group.add_command(margin_cli.command)
    app.cli.add_command(group)


def turn(now: datetime, *, look_back: bool = True) -> Counter[str]:
    """Close what is due, measure renditions, tell of budgets, send what is closed, and do what was left undone."""
    done = deliveries.run(now)
    done += closing.run(now, closing.rules(settings()), look_back=look_back)
    done += renditions.run(ports().clock.now()) + alerts.run(ports().clock.now())
    return done + outgoing.run(backend.sink()) + backend.catch_up(now)


@group.command("close")
@click.option("--at", "at", default="", metavar="TIME", help="As if it were that time (ISO 8601); now by default.")
def close(at: str) -> None:
    """Close the hours that are due, correct older ones, send their meter events. Running it twice changes nothing."""
    now = ports().clock.now()
    done = turn(min(_time(at), now) if at else now)
    click.echo(", ".join(f"{many} {kind}" for kind, many in sorted(done.items())) or "nothing to close")


@group.command("run")
@click.option("--loop", is_flag=True, help="Again every minute until stopped.")
def run(loop: bool) -> None:
    """What a machine runs all the time: `close`, again and again."""
    bind_contextvars(fleet="billing")
    stop = threading.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: stop.set())
    heartbeat = Heartbeat("billing")
    for number in count():
        heartbeat.beat()
        try:
            done = turn(ports().clock.now(), look_back=number % LOOK_BACK == 0)
            heartbeat.turned()
            if done:
                log.info("usage closed", **done)
        except Exception:
            if not loop:
                raise
            log.exception("closing usage failed, it is tried again")
            db.session.rollback()
        if not loop or stop.wait(PAUSE_SECONDS):
            return


@group.command("status")
def status() -> None:
    """How far each tenant is closed, what waits and why, and what became of meter events."""
    session = db.session()
    with reading(), across_tenants(session, "billing status"):
        for slug, head in session.execute(
            select(Tenant.slug, LedgerHead).join(LedgerHead, LedgerHead.tenant_id == Tenant.id).order_by(Tenant.slug)
        ):
            waits = f"\twaits: {head.waits_for}" if head.waits_for else ""
            click.echo(f"{slug}\tclosed until {head.closed_until:%Y-%m-%dT%H:%MZ}\t{head.number} rows{waits}")
        for state, events in session.execute(select(MeterRow.state, func.count()).group_by(MeterRow.state)):
            click.echo(f"meter events {state}\t{events}")
        odd = select(MeterRow).where(MeterRow.state.in_(("doubtful", "refused"))).order_by(MeterRow.identifier)
        for row in session.scalars(odd.limit(100)):
            click.echo(f"{row.state}\t{row.identifier}\t{row.value}\t{row.why}")
        session.rollback()


@group.command("verify")
@click.argument("slug", default="")
def verify(slug: str) -> None:
    """Check every row of the ledger, of one tenant or of all. Ends with status 1 and names what is wrong."""
    session = db.session()
    found = 0
    with reading(), across_tenants(session, "billing verify"):
        if db.engine.dialect.name == "postgresql":  # A reader of SQLite has one snapshot anyway.
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        wanted = select(Tenant.id, Tenant.slug).order_by(Tenant.slug)
        tenants = session.execute(wanted.where(Tenant.slug == slug) if slug else wanted).all()
        if slug and not tenants:
            fail(f"there is no tenant {slug!r}.")
        for tenant_id, name in tenants:
            for fault in audit.verify(session, tenant_id):
                found += 1
                click.echo(f"{name}\trow {fault.row}\t{fault.what}")
        rows = session.scalar(select(func.count()).select_from(LedgerRow))
        session.rollback()
    if found:
        raise SystemExit(1)
    click.echo(f"{len(tenants)} tenants, {rows} rows in all: nothing was changed")


@group.command("invoice")
@click.argument("slug")
@click.argument("period", metavar="YYYY-MM")
@friendly
def invoice(slug: str, period: str) -> None:
    """Issue the tenant's invoice of a month that is closed; prints its number and total."""
    with site_of(slug) as site:
        made = invoices.issue(site, *month_of(period))
        site.session.commit()
        click.echo(f"{made.number}\t{made.total} {made.currency} minor units")


@group.command("recompute")
@click.argument("what", metavar="INVOICE|SLUG:YYYY-MM")
@friendly
def recompute(what: str) -> None:
    """Rebuild an invoice from the ledger and say equal or where it differs; of a tenant's month, show its bill."""
    slug, mark, period = what[:-8], what[-8:-7], what[-7:]  # An invoice is called `<slug>-YYYY-MM`.
    if not slug or mark not in "-:":
        fail(f"{what!r} is neither an invoice, as acme-2026-02, nor a tenant's month, as acme:2026-02.")
    with site_of(slug) as site:
        if mark == ":":
            made = bills.bill(site.session, site.tenant_id, *month_of(period))
            for line in made.lines:
                click.echo(f"{line.dimension}\t{line.plan}\t{line.start[:13]}\t{line.quantity}\t{line.amount}")
            click.echo(f"total\t{made.total} {made.currency} minor units")
            return
        kept = invoices.by_number(site.session, site.tenant_id, what)
        if kept is None:
            fail(f"there is no invoice {what!r}.")
        wrong = list(invoices.differences(site.session, kept))
        click.echo("\n".join(wrong) or f"{what}: equal, {kept.total} {kept.currency} minor units")
        if late := invoices.outstanding(site.session, kept):
            click.echo(f"{late} minor units came late: they are on the next invoice")
        if wrong:
            raise SystemExit(1)


@group.command("plan")
@click.argument("slug")
@click.argument("code")
@click.option("--since", default="", metavar="TIME", help="ISO 8601; the current hour by default.")
@friendly
def plan(slug: str, code: str, since: str) -> None:
    """Put a tenant on a plan, with its limits."""
    with site_of(slug) as site:
        chosen = terms.assign(site, code, since=_time(since) if since else None)
        site.session.commit()
        click.echo(f"{slug} is on {chosen.name}")


@group.command("settle")
@click.argument("identifier")
@click.option("--counted/--lost", "counted", required=True, help="What Stripe's summary shows: it has it, or not.")
def settle(identifier: str, counted: bool) -> None:
    """Decide about a meter event of which nobody knows whether it arrived."""
    session = db.session()
    with across_tenants(session, "settle a meter event"):
        if not outgoing.settle(session, identifier, counted=counted, now=ports().clock.now()):
            session.rollback()
            fail(f"{identifier} is not doubtful.")
        session.commit()
    click.echo("counted" if counted else "it will be sent again")


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time: write 2026-02-28T23:00Z.") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
