"""Files that are there twice, a file in the place of another, and the first steps."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta

import gallery
import pytest
from conftest import World
from dashboard_client import Browser
from flask import Flask
from sqlalchemy import delete, select

from infra.sql import reading
from processor import leftovers
from tenants import outbox, sharing
from tenants.catalog import Album, Asset, AssetState, album_by_id
from tenants.names import original_key
from tenants.scope import Site, open_site, secret
from uploader import placing


@pytest.fixture
def site(core: Flask, world: World) -> Iterator[Site]:
    with reading(), open_site(world.alpha) as site:
        yield site


@pytest.fixture
def photos(site: Site, world: World) -> list[str]:
    """The same photo in two albums and twice in one, and another photo."""
    site.session.rollback()
    with reading(False):
        made = []
        for number, album_id in ((0, world.alpha_album), (0, world.alpha_private), (0, world.alpha_album), (1, "")):
            album = album_by_id(site.session, world.alpha, album_id or world.alpha_album)
            assert album is not None
            shot = gallery.shot(gallery.sources()[number])
            made.append(gallery.add_photo(site, album, shot, filename=f"{number}.jpg", original=True).id)
        site.session.commit()
    return made


def of(site: Site, asset_id: str) -> Asset:
    site.session.rollback()
    return site.session.get_one(Asset, (site.tenant_id, asset_id), populate_existing=True)


def place() -> int:
    """What the relay's fleet does."""
    with reading(False):
        return placing.place_once()


def test_duplicates_are_shown_with_a_choice(alice: Browser, site: Site, world: World, photos: list[str]) -> None:
    page = alice.get("/dashboard/duplicates").text
    assert page.count('type="radio"') == 3
    assert "3 copies" in page and photos[3] not in page
    kept = alice.post("/dashboard/duplicates/keep", {"id": photos[1]}).get_json()
    assert kept["message"] == "2 copies are in the trash."
    assert [of(site, each).deleted_at is None for each in photos] == [False, True, False, True]
    assert "No file is here twice" in alice.get("/dashboard/duplicates").text
    assert alice.post("/dashboard/duplicates/keep", {"id": photos[1]}).status_code == 404
    assert alice.post(kept["undo"]).status_code == 200
    assert all(of(site, each).deleted_at is None for each in photos)
    assert alice.post(kept["undo"]).status_code == 404
    assert alice.post("/dashboard/duplicates/keep", {"id": "nonsense"}).status_code == 422


def test_many_duplicates_come_in_pages(
    alice: Browser, site: Site, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.duplicates.GROUPS_A_PAGE", 2)
    with reading(False):
        site.session.rollback()
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        for _ in range(2):
            gallery.fill_rows(site, album, 5)
        site.session.commit()
    address, seen = "/dashboard/duplicates", 0
    for _ in range(3):
        page = alice.get(address).text
        seen += page.count("<fieldset")
        address = page.partition('rel="next" href="')[2].partition('"')[0]
    assert (seen, address) == (5, "")


def test_a_replaced_file_keeps_its_asset(alice: Browser, site: Site, world: World, photos: list[str]) -> None:
    old_id, new_id = photos[0], photos[3]
    base = f"/dashboard/albums/{world.alpha_album}/assets/{old_id}"
    before, new = of(site, old_id).sha256, of(site, new_id)
    wanted, size = new.sha256, new.size
    assert new_id in alice.get(f"{base}/replace").text
    assert alice.post(f"{base}/replace", {"by": new_id}).status_code == 200
    assert of(site, old_id).sha256 == before  # Until the original is in its place.
    place()
    asset = of(site, old_id)
    assert (asset.sha256, asset.size, asset.filename, asset.state) == (wanted, size, "1.jpg", AssetState.VIEWABLE)
    assert of(site, new_id).deleted_at is not None
    (job,) = site.session.scalars(select(outbox.Outbox)).all()
    assert (job.body["asset"], job.body["why"]) == (old_id, "replaced")
    with site.blobs.open(original_key(world.alpha, old_id, wanted)) as stored:
        assert hashlib.sha256(stored.read()).hexdigest() == wanted
    # The keeper removes the file that was there, and no other.
    with reading(False):
        site.session.rollback()
        assert leftovers.originals(site, timedelta(0) - timedelta(minutes=1)) == 1
    keys = {info.key for info in site.blobs.list(f"t/{world.alpha}/o/")}
    assert original_key(world.alpha, old_id, before) not in keys
    assert original_key(world.alpha, old_id, wanted) in keys


def test_what_cannot_replace(alice: Browser, site: Site, world: World, photos: list[str]) -> None:
    base = f"/dashboard/albums/{world.alpha_album}/assets/{photos[0]}/replace"
    assert alice.post(base, {}).status_code == 422
    assert alice.post(base, {"by": photos[0]}).status_code == 422
    assert alice.post(base, {"by": photos[1]}).status_code == 404  # It is in another album.
    with reading(False):
        of(site, photos[3]).state = AssetState.PROCESSING
        site.session.commit()
    assert alice.post(base, {"by": photos[3]}).status_code == 409
    assert (
        "There is no newer file"
        in alice.get(f"/dashboard/albums/{world.alpha_private}/assets/{photos[1]}/replace").text
    )


def test_the_first_steps_follow_what_is_there(alice: Browser, web: Flask, site: Site, world: World) -> None:
    assert "Your first shared album" in alice.get("/dashboard/").text  # There is no photo yet.
    with reading(False):
        site.session.rollback()
        site.session.execute(delete(Album).where(Album.tenant_id == world.alpha))
        site.session.commit()
    page = alice.get("/dashboard/").text
    assert "0 of 4 done" in page
    alice.submit("/dashboard/albums/new", {"title": "First", "visibility": "private", "ordering": "captured"})
    assert "1 of 4 done" in alice.get("/dashboard/").text
    with reading(False):
        site.session.rollback()
        album = site.session.scalars(select(Album)).one()
        gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]))
        site.session.commit()
    assert "2 of 4 done" in alice.get("/dashboard/").text
    with reading(False):
        album = site.session.scalars(select(Album)).one()
        sharing.create_link(site.session, album, secret(), now=site.now())
        site.session.commit()
    assert "Your first shared album" not in alice.get("/dashboard/").text


def test_the_first_steps_are_put_away(alice: Browser, web: Flask, world: World) -> None:
    adam = Browser(web)
    adam.sign_in("adam")
    assert "Your first shared album" not in adam.get("/dashboard/").text  # A viewer can do none of them.
    assert alice.submit("/dashboard/guide/hide").status_code == 303
    assert "Your first shared album" not in alice.get("/dashboard/").text
