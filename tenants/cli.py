"""Commands for tenants, members and albums: `flask --app wsgi tenants …`."""

from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup
from sqlalchemy import select

from tenants import catalog, claims, domain_cli, erasure_cli, people, registry, search
from tenants.commands import friendly, site_of
from tenants.db import db
from tenants.scope import ports, settings

tenants = AppGroup("tenants", help="Tenants: create, list, domains.")
members = AppGroup("members", help="Members of a tenant.")
albums = AppGroup("albums", help="Albums of a tenant.")


def register(app: Flask) -> None:
    for group in (tenants, members, albums, domain_cli.group):
        app.cli.add_command(group)
    for command in (erasure_cli.erase, erasure_cli.keep, erasure_cli.receipt):
        tenants.add_command(command)


@tenants.command("create")
@click.argument("slug")
@click.option("--name", default="", help="Display name; the slug by default.")
@click.option("--accent", default=None, help="Brand colour as CSS hex.")
@click.option("--tagline", default="")
@click.option("--if-missing", is_flag=True, help="Succeed quietly when the tenant exists.")
@friendly
def create_tenant(slug: str, name: str, accent: str | None, tagline: str, if_missing: bool) -> None:
    """Create a tenant; its site is at <SLUG>.<base domain>."""
    session = db.session()
    if if_missing and registry.by_slug(session, slug):
        return
    tenant = registry.create(session, slug, name, now=ports().clock.now())
    if accent:
        tenant.brand.accent = accent
    tenant.brand.tagline = tagline
    session.commit()
    click.echo(f"{tenant.name}: {settings().site_url(f'{slug}.{settings().base_domain}')}")


@tenants.command("list")
def list_tenants() -> None:
    """One line a tenant: slug, state, name."""
    for tenant in db.session.scalars(select(registry.Tenant).order_by(registry.Tenant.slug)):
        click.echo(f"{tenant.slug}\t{tenant.state.value}\t{tenant.name}")


@tenants.command("domain")
@click.argument("slug")
@click.argument("host")
@friendly
def add_domain(slug: str, host: str) -> None:
    """Serve the tenant on a custom host name. The operator vouches for its ownership."""
    with site_of(slug) as site:
        claim = claims.vouch(site.session, site.tenant, host, settings().base_domain, now=site.now())
        site.session.commit()
        click.echo(settings().site_url(claim.host))


@tenants.command("index")
@click.argument("slug")
@friendly
def index_words(slug: str) -> None:
    """Make the search index of a tenant's photos and videos anew, as after a release that introduces it."""
    with site_of(slug) as site:
        count, after = 0, ""
        while ids := search.next_ids(site.session, site.tenant_id, after=after):
            for asset_id in ids:
                search.index(site.session, site.tenant_id, asset_id, camera=site.media.get(asset_id).get("camera", ""))
            site.session.commit()
            count, after = count + len(ids), ids[-1]
        click.echo(f"{count} indexed")


@tenants.command("credit")
@click.argument("slug")
@click.argument("shown", type=click.Choice(["on", "off"]))
def show_credit(slug: str, shown: str) -> None:
    """Say on the tenant's pages who hosts them, or do not: the default."""
    with site_of(slug) as site:
        site.tenant.brand.host_credit = shown == "on"
        site.session.commit()


@members.command("add")
@click.argument("slug")
@click.argument("email")
@click.option("--role", type=click.Choice([role.value for role in people.Role]), default="owner", show_default=True)
@click.option("--name", default="")
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True, envvar="VITRINE_MEMBER_PASSWORD")
@click.option("--if-missing", is_flag=True, help="Succeed quietly when the member exists.")
@friendly
def add_member(slug: str, email: str, role: str, name: str, password: str, if_missing: bool) -> None:
    """Add a member who can sign in to the tenant's dashboard."""
    with site_of(slug) as site:
        if if_missing and people.by_email(site.session, email):
            return
        people.add(site.session, site.tenant_id, email, people.Role(role), password, now=site.now(), name=name)
        site.session.commit()
        click.echo(f"{email} is {role} of {slug}")


@albums.command("create")
@click.argument("slug")
@click.argument("title")
@click.option("--visibility", type=click.Choice([v.value for v in catalog.Visibility]), default="private")
@click.option("--originals/--no-originals", default=False, help="Let viewers download originals.")
@friendly
def create_album(slug: str, title: str, visibility: str, originals: bool) -> None:
    """Create an empty album and print its address."""
    with site_of(slug) as site:
        fields: dict[str, Any] = {"visibility": catalog.Visibility(visibility), "originals": originals}
        album = catalog.create_album(site.session, site.tenant_id, title, now=site.now(), **fields)
        site.session.commit()
        click.echo(f"{settings().site_url(f'{slug}.{settings().base_domain}')}/a/{album.slug}")


@albums.command("list")
@click.argument("slug")
def list_albums(slug: str) -> None:
    """One line an album: slug, visibility, title."""
    with site_of(slug) as site:
        live = select(catalog.Album).where(catalog.Album.deleted_at.is_(None)).order_by(catalog.Album.id)
        for album in site.session.scalars(live):
            click.echo(f"{album.slug}\t{album.visibility.value}\t{album.title}")
