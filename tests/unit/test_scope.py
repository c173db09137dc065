"""The guards behind `Site`: what a forgetful handler runs into."""

import pytest
from conftest import World
from flask import Flask
from sqlalchemy import exists, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from tenants import catalog, registry
from tenants.catalog import Album
from tenants.db import ForeignTenant, ScopeMissing, across_tenants, db
from tenants.registry import Tenant
from tenants.scope import enter, open_site

pytestmark = pytest.mark.every_database


def test_an_unscoped_read_is_refused(core: Flask, world: World) -> None:
    with pytest.raises(ScopeMissing):
        db.session.scalars(select(Album)).all()


def test_a_read_sees_only_its_tenant(core: Flask, world: World) -> None:
    with open_site(world.beta) as site:
        assert [album.id for album in site.session.scalars(select(Album))] == [world.beta_album]
        assert catalog.album_by_id(site.session, world.beta, world.alpha_album) is None


UNNAMED = {
    "in the criterion only": select(func.count()).where(Album.title != ""),
    "as what is selected from": select(func.count()).select_from(Album),
    "under another name": select(func.count()).select_from(aliased(Album)),
    "in an exists": select(exists().where(Album.title != "")),
    "in a subquery": select(func.count()).select_from(select(Album.id).subquery()),
    "joined": select(func.count(Tenant.id)).join(Album, Album.tenant_id == Tenant.id),
    "beside": select(func.count(Tenant.id)).where(Tenant.id == Album.tenant_id),
    "in a subquery of the criterion": select(func.count(Tenant.id)).where(Tenant.id.in_(select(Album.tenant_id))),
}
"""Statements that select no tenant-owned class, and yet read its rows. Alpha has two albums, beta has one."""


@pytest.mark.parametrize("where", UNNAMED)
def test_a_class_is_scoped_wherever_it_occurs(core: Flask, world: World, where: str) -> None:
    with pytest.raises(ScopeMissing):
        db.session.scalar(UNNAMED[where])
    with open_site(world.beta) as site:
        assert site.session.scalar(UNNAMED[where]) == 1


def test_a_criterion_follows_the_session_from_tenant_to_tenant(core: Flask, world: World) -> None:
    """One statement, compiled once and cached, must not keep the first tenant's id."""
    seen = []
    for tenant in (world.alpha, world.beta, world.alpha):
        with open_site(tenant) as site:
            seen.append(site.session.scalar(UNNAMED["in the criterion only"]))
    assert seen == [2, 1, 2]


def test_a_bare_table_needs_a_scope_too(core: Flask, world: World) -> None:
    """What it then gets is PostgreSQL's to say (row-level security): it knows no class to find a criterion by."""
    with pytest.raises(ScopeMissing):
        db.session.execute(select(Album.metadata.tables["albums"].c.id))


def test_what_belongs_to_no_tenant_needs_no_scope(core: Flask, world: World) -> None:
    assert db.session.scalar(select(func.count()).select_from(Tenant)) == 2
    assert db.session.scalar(select(func.count()).where(Tenant.slug == "beta")) == 1
    assert db.session.scalar(text("SELECT 1")) == 1


def test_the_identity_map_does_not_carry_rows_across(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        assert site.session.get(Album, (world.alpha, world.alpha_album)) is not None
        tenant = registry.by_slug(site.session, "beta")
        assert tenant is not None
        other = enter(tenant)
        assert other.session.get(Album, (world.alpha, world.alpha_album)) is None


def test_a_flush_of_a_foreign_row_is_refused(core: Flask, world: World) -> None:
    with open_site(world.beta) as site, pytest.raises(ForeignTenant):
        catalog.create_album(site.session, world.alpha, "smuggled", now=site.now())


def test_a_reference_cannot_leave_the_tenant(core: Flask, world: World) -> None:
    with across_tenants(db.session(), "test") as session:
        album = session.get(Album, (world.alpha, world.alpha_album))
        assert album is not None
        session.add(
            catalog.Asset(
                tenant_id=world.beta,
                id="0" * 26,
                album_id=album.id,
                filename="x",
                sort_name="x",
                sha256="0" * 64,
                size=1,
                taken_at=album.created_at,
                created_at=album.created_at,
            )
        )
        with pytest.raises(IntegrityError):
            session.flush()
        session.rollback()


def test_blobs_of_another_tenant_are_out_of_reach(core: Flask, world: World) -> None:
    with open_site(world.beta) as site, pytest.raises(ForeignTenant):
        site.blobs.put(f"t/{world.alpha}/b/{'0' * 64}", b"x", content_type="image/png")
