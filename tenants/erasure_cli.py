"""`flask --app wsgi tenants erase`, `keep` and `receipt`."""

import json
from datetime import timedelta
from pathlib import Path

import click
from sqlalchemy import select

from infra.errors import Problem
from tenants import erasure
from tenants.commands import friendly, site_of
from tenants.db import db
from tenants.registry import Tenant
from tenants.scope import secret


@click.command("erase")
@click.argument("slug")
@click.option("--grace", type=click.IntRange(0, 365), help="Days to undo it; VITRINE_ERASURE_GRACE_DAYS by default.")
@click.option("--confirm", default="", help="The slug once more, instead of being asked for it.")
@friendly
def erase(slug: str, grace: int | None, confirm: str) -> None:
    """Close a tenant, and have everything of it removed when the grace is over. `reconcile` does that."""
    with site_of(slug) as site:
        typed = confirm or click.prompt(f"Everything of {slug} will be removed for good. Type {slug} to go on")
        if typed != slug:
            raise Problem("invalid", "That is another name. Nothing was changed.")
        asked = erasure.ask(site, "operator", None if grace is None else timedelta(days=grace))
        site.session.commit()
        click.echo(f"closed; to be erased at {asked.due_at:%Y-%m-%d %H:%M} UTC. Until then: `tenants keep {slug}`")
        click.echo(f"afterwards: flask --app wsgi tenants receipt {asked.id}")


@click.command("keep")
@click.argument("slug")
@friendly
def keep(slug: str) -> None:
    """Undo `erase` while its grace lasts."""
    with site_of(slug) as site:
        erasure.undo(site)
        site.session.commit()
        click.echo(f"{slug} stays")


@click.command("receipt")
@click.argument("source", metavar="FILE|ID")
@friendly
def receipt(source: str) -> None:
    """Check an erasure's receipt, print it, and fail if its tenant is here again, as after a restore."""
    file = Path(source)
    text = file.read_text() if file.is_file() else erasure.receipt_of(source)
    if text is None:
        raise Problem("not-found", f"{source} is neither a file nor the id of a finished erasure.")
    document = erasure.opened(secret(), text)
    click.echo(json.dumps(document, indent=2))
    for tenant in db.session.scalars(select(Tenant)):
        if erasure.subject(tenant.id) == document["subject_sha256"]:
            raise Problem(
                "conflict", f"{tenant.slug} is here again, from a backup perhaps: `tenants erase {tenant.slug}`."
            )
