"""The guards behind `Site`: what a forgetful handler runs into."""

import pytest
from conftest import World
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from tenants import catalog, registry
from tenants.catalog import Album
from tenants.db import ForeignTenant, ScopeMissing, across_tenants, db
from tenants.scope import enter, open_site

pytestmark = pytest.mark.every_database


def test_an_unscoped_read_is_refused(core: Flask, world: World) -> None:
    with pytest.raises(ScopeMissing):
        db.session.scalars(select(Album)).all()


def test_a_read_sees_only_its_tenant(core: Flask, world: World) -> None:
    with open_site(world.beta) as site:
        assert [album.id for album in site.session.scalars(select(Album))] == [world.beta_album]
        assert catalog.album_by_id(site.session, world.beta, world.alpha_album) is None


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
