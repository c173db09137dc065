"""`flask --app wsgi billing margin`: what each tenant brings in and costs, in a terminal or as CSV."""

import click

from billing import costs, margin
from billing.bills import month_of
from infra.sql import reading
from tenants import margins
from tenants.commands import friendly
from tenants.db import db
from tenants.margins import Margins
from tenants.scope import ports, settings

TITLES = ("tenant", "plan", "revenue", "cost", "margin", "storage", "requests", "delivery", "spot")


@click.command("margin")
@click.argument("period", metavar="[YYYY-MM]", default="")
@click.option("--csv", "as_csv", is_flag=True, help="For a spreadsheet, with usage.")
@friendly
def command(period: str, as_csv: bool) -> None:
    """Revenue, estimated AWS cost and margin of each tenant, those that lose most first; this month by default."""
    now = ports().clock.now()
    start = month_of(period)[0] if period else now
    with reading():
        found = margin.of_month(db.session(), costs.load(settings().aws_prices), start.year, start.month, now)
        db.session.rollback()
    click.echo(margins.as_csv(found) if as_csv else _table(found), nl=not as_csv)


def _table(found: Margins) -> str:
    rows: list[tuple[str, ...]] = [TITLES]
    for each in found.tenants:
        parts = (each.costs.storage, each.costs.requests, each.costs.delivery, each.costs.spot)
        cents = (each.revenue, each.costs.total, each.amount, *parts)
        rows.append((each.slug, each.plan, *(f"{amount / 100:.2f}" for amount in cents)))
    rows.append(("all", "", *(f"{amount / 100:.2f}" for amount in _sums(found)), *[""] * 4))
    wide = [max(len(row[column]) for row in rows) for column in range(len(TITLES))]
    lines = [
        "  ".join(cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(row, wide, strict=True)) for row in rows)
    ]
    until = f"{found.until:%Y-%m-%dT%H:%MZ}"
    return "\n".join([f"{found.start:%Y-%m} until {until}, {found.currency.upper()}", *map(str.rstrip, lines)])


def _sums(found: Margins) -> tuple[int, int, int]:
    return found.revenue, found.cost, found.revenue - found.cost
