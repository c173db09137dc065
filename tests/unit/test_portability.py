"""A tenant goes into a box and comes out of it: export, deletion, import give the same tenant back."""

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import bagit
import gallery
import pytest
from conftest import World
from flask import Flask
from sqlalchemy import delete, select

import wsgi
from infra.settings import Settings
from processor.export.content import Box
from tenants import catalog, nesting, registry, tags
from tenants.catalog import POSITION_STEP, Album, Asset, Ordering, Visibility
from tenants.db import across_tenants, db
from tenants.names import brand_key, new_id, original_key
from tenants.registry import Tenant
from tenants.scope import Site, enter, open_site
from uploader.importing.cli import plan_of
from uploader.importing.run import Importer, Report
from uploader.importing.settings import take_over
from uploader.importing.source import open_all

pytestmark = pytest.mark.every_database

TAKEN = datetime(2024, 6, 3, 9, tzinfo=UTC)


@pytest.fixture
def app(settings: Settings, world: World) -> Any:
    app = wsgi.create_app(settings)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@dataclass
class Seen:
    """What must be the same afterwards, without ids."""

    title: str
    slug: str
    visibility: str
    ordering: str
    description: str
    cover: str | None
    files: list[tuple[Any, ...]] = field(default_factory=list)
    inside: dict[str, "Seen"] = field(default_factory=dict)


def tree(site: Site) -> dict[str, Seen]:
    """The albums of a tenant as they lie within each other, with each file's name, caption, tags, hash and bytes."""
    session = site.session
    parents = {row.album_id: row.parent_id for row in session.scalars(select(nesting.AlbumParent))}
    seen: dict[str, Seen] = {}
    for album in session.scalars(select(Album).where(Album.deleted_at.is_(None))):
        order = {Ordering.MANUAL: Asset.position, Ordering.NAME: Asset.sort_name, Ordering.CAPTURED: Asset.taken_at}
        assets = session.scalars(
            select(Asset)
            .where(Asset.album_id == album.id, Asset.deleted_at.is_(None))
            .order_by(order[album.ordering], Asset.id)
        ).all()
        labels = tags.of(session, [asset.id for asset in assets])
        covers = {asset.id: asset.filename for asset in assets}
        seen[album.id] = Seen(
            *(album.title, album.slug, album.visibility.value, album.ordering.value, album.description),
            covers.get(album.cover_id or ""),
            [
                (a.filename, a.caption, labels.get(a.id, []), a.sha256, a.size, stored(site, a), a.taken_at, a.held)
                for a in assets
            ],
        )
    for album_id, parent_id in parents.items():
        if album_id in seen and parent_id in seen:
            seen[parent_id].inside[seen[album_id].slug] = seen[album_id]
    return {each.slug: each for album_id, each in seen.items() if parents.get(album_id) not in seen}


def stored(site: Site, asset: Asset) -> str:
    """The SHA-256 of the bytes that are really there."""
    with site.blobs.open(original_key(site.tenant_id, asset.id, asset.sha256)) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def furnish(site: Site) -> None:
    """Albums within albums, the same photo twice, names that are alike, an order by hand, text of many scripts."""
    first, second, third = (gallery.shot(path) for path in gallery.sources()[:3])
    outer = catalog.create_album(site.session, site.tenant_id, "Hochzeiten 100 %", now=site.now())
    inner = catalog.create_album(
        site.session, site.tenant_id, "Anna & Ben", now=site.now(), ordering=Ordering.MANUAL, originals=True
    )
    inner.description, inner.visibility = "Two\nlines <b>", Visibility.UNLISTED
    nesting.put(site.session, inner, outer)
    named = catalog.create_album(site.session, site.tenant_id, "By name", now=site.now(), ordering=Ordering.NAME)
    media = {"camera": "Kamera 1", "private.gps_lat": "48.1", "private.gps_lon": "-11.5"}
    one = gallery.add_photo(
        site,
        inner,
        first,
        place=3,
        filename="IMG_1.jpg",
        caption="Die Braut 👰\nlächelt",
        original=True,
        taken_at=TAKEN,
    )
    tags.put(site.session, one, ["Été", "golden hour"])
    two = gallery.add_photo(site, inner, second, place=1, filename="img_1.JPG", original=True)
    gallery.add_photo(site, inner, first, place=2, filename="IMG_1.jpg", caption="again", original=True)
    gallery.add_photo(site, outer, third, filename="50%.json.jpg", original=True, media=media)
    inner = site.session.get_one(Album, (site.tenant_id, inner.id))
    inner.cover_id = two.id
    named = site.session.get_one(Album, (site.tenant_id, named.id))
    gallery.add_photo(site, named, second, filename="b10.jpg", original=True)
    gallery.add_photo(site, named, third, filename="b9.jpg", original=True)
    tenant = site.session.get_one(Tenant, site.tenant_id)
    tenant.brand.accent, tenant.brand.tagline, tenant.capture = "#aa3300", "Bilder & mehr", "camera"
    png = io.BytesIO()
    from PIL import Image

    Image.new("RGB", (20, 10), "red").save(png, "PNG")
    digest = hashlib.sha256(png.getvalue()).hexdigest()
    site.blobs.put(brand_key(site.tenant_id, digest), png.getvalue(), content_type="image/png")
    tenant.brand.logo_sha256, tenant.brand.logo_type = digest, "image/png"
    site.session.commit()


def export(tenant_id: str, target: Path) -> Box:
    with open_site(tenant_id) as site:
        box = Box(site, new_id())
        with target.open("wb") as file:
            file.writelines(box.parts())
        return box


def bring(site: Site, *sources: Path, with_settings: bool = False) -> Report:
    plan = plan_of(open_all(sources), "auto")
    if with_settings:
        take_over(site, plan)
    return Importer(site, plan).run()


def delete_tenant(tenant_id: str) -> None:
    session = db.session()
    with across_tenants(session, "the test removes the tenant"):
        session.execute(delete(Tenant).where(Tenant.id == tenant_id))
        session.commit()


def test_a_round_trip_gives_the_same_tenant_back(app: Flask, world: World, tmp_path: Path) -> None:
    archive = tmp_path / "box.zip"
    with open_site(world.alpha) as site:
        furnish(site)
        before = tree(site)
    box = export(world.alpha, archive)
    assert (box.done, box.missing) == (6, [])
    delete_tenant(world.alpha)

    tenant = registry.create(db.session(), "alpha", "Somebody", now=datetime.now(UTC))
    db.session.commit()
    site = enter(tenant)
    report = bring(site, archive, with_settings=True)
    assert (report.new, report.known, report.skipped) == (6, 0, [])
    assert tree(site) == before
    assert len(before["hochzeiten-100"].inside["anna-ben"].files) == 3
    again = site.session.get_one(Tenant, site.tenant_id)
    assert (again.name, again.capture, again.brand.accent, again.brand.tagline) == (
        *("Alpha", "camera", "#aa3300", "Bilder & mehr"),
    )
    with site.blobs.open(brand_key(site.tenant_id, str(again.brand.logo_sha256))) as logo:
        assert logo.read(4) == b"\x89PNG"
    place = site.session.scalars(select(Asset.id).where(Asset.filename == "50%.json.jpg")).one()
    assert site.media.get(place)["private.gps_lat"] == "48.1"

    second = bring(site, archive)
    assert (second.new, second.known, second.albums) == (0, 6, 0)
    assert tree(site) == before


def test_the_bag_is_valid_and_its_pages_hold_together(app: Flask, world: World, tmp_path: Path) -> None:
    with open_site(world.alpha) as site:
        furnish(site)
    export(world.alpha, tmp_path / "box.zip")
    with zipfile.ZipFile(tmp_path / "box.zip") as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "unpacked")
    (root,) = (tmp_path / "unpacked").iterdir()
    bag = bagit.Bag(str(root))  # An implementation that is not ours.
    bag.validate()
    assert bag.info["Source-Organization"] == "Alpha"
    pages = list(root.rglob("*.html"))
    assert len(pages) == 1 + 1 + 5 + 6  # start, home, albums (three of `furnish`, two of `world`), photos
    for page in pages:
        for target in targets(page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"
        assert "<script" not in page.read_text() and "48.1" not in page.read_text()
    album = next(root.glob("data/albums/*-anna-ben"))
    assert {path.name for path in album.iterdir() if path.suffix not in (".json", ".xmp")} == {
        *("img_1.JPG", "IMG_1 (2).jpg", "IMG_1 (3).jpg"),
    }
    side = next(json.loads(path.read_text()) for path in album.glob("*.jpg.json") if "Braut" in path.read_text())
    assert (side["tags"], side["taken_at"]) == (["Été", "golden hour"], "2024-06-03T09:00:00+00:00")
    xmp = ElementTree.parse(next(root.glob("data/albums/*-hochzeiten-100/50_.json.jpg.xmp"))).getroot()  # noqa: S314 (ours)
    coordinates = [each.text for each in xmp.iter() if "GPS" in each.tag]
    assert coordinates == ["48,6.000000N", "11,30.000000W"]


def targets(html: str) -> list[str]:
    """Relative addresses of a page, unquoted."""
    from html.parser import HTMLParser
    from urllib.parse import unquote

    found: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(unquote(value) for name, value in attrs if name in ("href", "src", "poster") and value)

    Parser().feed(html)
    assert found
    return found


def test_a_lost_original_is_named_and_ends_nothing(app: Flask, world: World, tmp_path: Path) -> None:
    with open_site(world.alpha) as site:
        furnish(site)
        lost = site.session.scalars(select(Asset).where(Asset.filename == "b9.jpg")).one()
        site.blobs.delete(original_key(site.tenant_id, lost.id, lost.sha256))
    box = export(world.alpha, tmp_path / "box.zip")
    assert len(box.missing) == 1 and "b9.jpg" in box.missing[0]
    with open_site(world.beta) as site:
        report = bring(site, tmp_path / "box.zip")
        assert report.new == 5 and [line.reason for line in report.skipped] == [
            "the album names it, and it is not in the archive"
        ]


def test_a_stopped_import_goes_on_without_doubling(app: Flask, world: World, tmp_path: Path) -> None:
    with open_site(world.alpha) as site:
        furnish(site)
        before = tree(site)
    export(world.alpha, tmp_path / "box.zip")
    with open_site(world.beta) as site:
        plan = plan_of(open_all([tmp_path / "box.zip"]), "auto")
        importer = Importer(site, plan)
        importer.moved = lambda count: importer.stop.set()
        stopped = importer.run()
        assert stopped.stopped and stopped.new == 1

        # A crash behind the asset and before the note: the note is all that is missing.
        from tenants.imported import Imported

        site.session.execute(delete(Imported).where(Imported.asset_id.is_not(None)))
        site.session.commit()
        again = bring(site, tmp_path / "box.zip")
        assert (again.new, again.known) == (5, 1)
        assert {slug: seen for slug, seen in tree(site).items() if slug != "beta-shows"} == before


def test_what_was_thrown_away_stays_away(app: Flask, world: World, tmp_path: Path) -> None:
    with open_site(world.alpha) as site:
        furnish(site)
    export(world.alpha, tmp_path / "box.zip")
    with open_site(world.beta) as site:
        bring(site, tmp_path / "box.zip")
        site.session.scalars(select(Asset).where(Asset.filename == "b9.jpg")).one().deleted_at = site.now()
        site.session.commit()
        assert bring(site, tmp_path / "box.zip").new == 0


def test_damage_is_found(app: Flask, world: World, tmp_path: Path) -> None:
    with open_site(world.alpha) as site:
        furnish(site)
    export(world.alpha, tmp_path / "box.zip")
    with zipfile.ZipFile(tmp_path / "box.zip") as whole, zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        for info in whole.infolist():
            data = whole.read(info)
            bad.writestr(info.filename, data[:-1] + b"!" if info.filename.endswith("b9.jpg") else data)
    with open_site(world.beta) as site:
        report = bring(site, tmp_path / "bad.zip")
        (line,) = report.skipped
        assert report.new == 5 and line.path.endswith("b9.jpg") and "damaged" in line.reason


def test_the_commands(settings: Settings, world: World, tmp_path: Path) -> None:
    app = wsgi.create_app(settings)
    with app.app_context(), open_site(world.alpha) as site:
        furnish(site)
    runner = app.test_cli_runner()
    target = str(tmp_path / "alpha.zip")
    said = runner.invoke(args=["tenants", "export", "alpha", target]).output
    assert "6 files" in said, said
    assert "is there already" in runner.invoke(args=["tenants", "export", "alpha", target]).output
    tried = runner.invoke(args=["tenants", "import", "beta", target, "--dry-run"]).output
    assert "vitrine: 5 albums, 6 files" in tried, tried
    done = runner.invoke(args=["tenants", "import", "beta", target, "--report", str(tmp_path / "report.json")])
    assert done.exit_code == 0 and "6 new" in done.output, done.output
    assert json.loads((tmp_path / "report.json").read_text()) == []
    assert POSITION_STEP  # Positions came along: `tree` compares the order.
    with app.app_context():
        db.engine.dispose()
