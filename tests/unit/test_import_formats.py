"""Imports from elsewhere, and what somebody might put into an archive to get out of it or to fill our disks."""

import json
import os
import sqlite3
import stat
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import World
from flask import Flask
from sqlalchemy import select

import wsgi
from infra.errors import Problem
from infra.settings import Settings
from tenants import nesting, tags
from tenants.catalog import Album, Asset
from tenants.db import db
from tenants.scope import Site, open_site
from uploader.importing import takeout
from uploader.importing.cli import plan_of
from uploader.importing.dump import of_mysql
from uploader.importing.run import Importer, Report
from uploader.importing.source import Entry, Source, open_all


@pytest.fixture
def beta(settings: Settings, world: World) -> Iterator[Site]:
    app: Flask = wsgi.create_app(settings)
    with app.app_context():
        with open_site(world.beta) as site:
            yield site
        db.session.remove()
        db.engine.dispose()


def bring(site: Site, *sources: Path, kind: str = "auto") -> Report:
    return Importer(site, plan_of(open_all(sources), kind)).run()


def write(root: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return root


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder).as_posix())
    return target


def albums(site: Site) -> dict[str, list[tuple[str, str]]]:
    """File names and captions by album title; the world's own empty album is left out."""
    found = {
        album.title: [
            (asset.filename, asset.caption)
            for asset in site.session.scalars(select(Asset).where(Asset.album_id == album.id).order_by(Asset.position))
        ]
        for album in site.session.scalars(select(Album))
    }
    found.pop("beta shows", None)
    return found


def asset(site: Site, filename: str) -> Asset:
    return site.session.scalars(select(Asset).where(Asset.filename == filename)).one()


def reasons(report: Report) -> dict[str, str]:
    return {line.path: line.reason for line in report.skipped}


# --- Google Takeout ---------------------------------------------------------------------------------------------------

SIDE = {
    "photoTakenTime": {"timestamp": "1557045296"},
    "description": "said",
    "geoData": {"latitude": 0, "longitude": 0},
}


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("IMG_1.jpg", "IMG_1.jpg.json"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json"),
        ("IMG_1.jpg", "IMG_1.jpg.suppl.json"),
        ("IMG_1.jpg", "IMG_1.jpg..json"),
        ("IMG_1(1).jpg", "IMG_1.jpg(1).json"),
        ("IMG_1(1).jpg", "IMG_1.jpg.supplemental-metadata(1).json"),
        ("scan(3).jpg", "scan(3).jpg.json"),
        ("IMG_1-edited.jpg", "IMG_1.jpg.json"),
        ("IMG_1-edited(1).jpg", "IMG_1.jpg(1).json"),
        ("IMG_1-bearbeitet.jpg", "IMG_1.jpg.supplemental-metadata.json"),
        ("a" * 47 + ".jpg", "a" * 46 + ".json"),
        ("b" * 40 + ".jpg", ("b" * 40 + ".jpg.supplemental-metadata")[:46] + ".json"),
        ("b" * 40 + "(2).jpg", ("b" * 40 + ".jpg.supplemental-metadata")[:46] + "(2).json"),
        ("IMG_2.MP4", "IMG_2.HEIC.json"),
        ("IMG_3.jpg", "IMG_3.json"),
    ],
)
def test_side_files_are_found_by_what_google_left_of_their_names(name: str, side: str) -> None:
    others = ["IMG_10.jpg.json", "IMG_1.jpg(2).json", "metadata.json", "zzz.json"]
    sides = takeout.Sides([f"T/{each}" for each in (*others, side)])
    assert sides.of(name, {name, "IMG_2.HEIC"}) == f"T/{side}"


@pytest.mark.parametrize("name", ["IMG_1.jpg", "IMG_1(3).jpg", "IMG.jpg", "a" * 47 + ".jpg"])
def test_no_side_file_of_another_is_taken(name: str) -> None:
    sides = takeout.Sides(["T/IMG_10.jpg.json", "T/IMG_1.jpg(2).json", "T/IMG_1.png.json", "T/" + "a" * 45 + "b.json"])
    assert sides.of(name, {name}) is None


def test_a_takeout_in_two_archives(beta: Site, tmp_path: Path) -> None:
    long = "Ein sehr langer Name, den Google abschneiden wird, leider.jpg"
    photos, rest = "Takeout/Google Photos", tmp_path / "rest"
    write(
        tmp_path / "one",
        {
            f"{photos}/Photos from 2019/IMG_1.jpg": b"one",
            f"{photos}/Photos from 2019/IMG_2.jpg": b"two",
            f"{photos}/Photos from 2019/{long[:47]}.jpg": b"long",
            f"{photos}/Photos from 2019/binned.jpg": b"binned",
            f"{photos}/Island/IMG_1.jpg": b"one",
            f"{photos}/Island/IMG_1-edited.jpg": b"one, nicer",
            f"{photos}/archive_browser.html": b"<html>",
        },
    )
    write(
        rest,
        {
            f"{photos}/Island/metadata.json": {
                "title": "Ísland 🇮🇸",
                "description": "Reise",
                "date": {"timestamp": "1"},
            },
            f"{photos}/Island/IMG_1.jpg.supplemental-metadata.json": {
                **SIDE,
                "title": "IMG_1.jpg",
                "geoData": {"latitude": 64.1, "longitude": -21.9},
            },
            f"{photos}/Photos from 2019/{long[:46]}.json": {**SIDE, "title": long},
            f"{photos}/Photos from 2019/binned.jpg.json": {**SIDE, "trashed": True},
            f"{photos}/Photos from 2019/IMG_2.jpg.json": b"{ this is no json",
        },
    )
    report = bring(beta, zipped(tmp_path / "one", tmp_path / "1.zip"), zipped(rest, tmp_path / "2.zip"))
    assert albums(beta) == {
        "Ísland 🇮🇸": [("IMG_1-edited.jpg", "said"), ("IMG_1.jpg", "said")],
        "Photos from 2019": [(long, "said"), ("IMG_2.jpg", "")],
    }
    told = reasons(report)
    assert "Ísland" in told[f"{photos}/Photos from 2019/IMG_1.jpg"]
    assert told[f"{photos}/Photos from 2019/binned.jpg"] == takeout.TRASHED
    assert "neither a photo" in told[f"{photos}/archive_browser.html"]
    first = asset(beta, "IMG_1.jpg")
    assert first.taken_at.isoformat() == "2019-05-05T08:34:56+00:00" and first.has_capture_time
    assert beta.media.get(first.id) == {"private.gps_lat": "64.100000", "private.gps_lon": "-21.900000"}
    assert beta.media.get(asset(beta, long).id) == {}

    again = bring(beta, tmp_path / "2.zip", tmp_path / "1.zip")
    assert (again.new, again.known, again.albums) == (0, 4, 0)


# --- Lychee and Piwigo ------------------------------------------------------------------------------------------------


def test_lychee_with_its_database(beta: Site, tmp_path: Path) -> None:
    tmp_path = tmp_path / "lychee"
    write(
        tmp_path,
        {
            "uploads/original/ab/cd/1.jpg": b"one",
            "uploads/original/ab/cd/2.jpg": b"two",
            "uploads/small/ab/cd/1.jpg": b"small one",
            "uploads/original/stray.jpg": b"stray",
        },
    )
    with closing(sqlite3.connect(tmp_path / "database.sqlite")) as made:
        made.executescript(
            """
            CREATE TABLE base_albums (id TEXT, title TEXT, description TEXT);
            CREATE TABLE albums (id TEXT, parent_id TEXT, _lft INTEGER);
            CREATE TABLE photos (id TEXT, title TEXT, description TEXT, taken_at TEXT, latitude REAL, longitude REAL);
            CREATE TABLE photo_album (photo_id TEXT, album_id TEXT);
            CREATE TABLE size_variants (photo_id TEXT, type INTEGER, short_path TEXT);
            CREATE TABLE tags (id INTEGER, name TEXT);
            CREATE TABLE photos_tags (photo_id TEXT, tag_id INTEGER);
            INSERT INTO base_albums VALUES ('in', 'Inner', 'about'), ('out', 'Outer', NULL), ('no', 'Empty', NULL);
            INSERT INTO albums VALUES ('in', 'out', 2), ('out', NULL, 1), ('no', NULL, 5);
            INSERT INTO photos VALUES ('p1', 'Sunset', 'At sea', '2020-05-01 18:00:00', 48.5, 11.5),
              ('p2', '2.jpg', NULL, NULL, NULL, NULL), ('p3', 'Lost', NULL, NULL, NULL, NULL),
              ('p4', 'Evil', NULL, NULL, NULL, NULL);
            INSERT INTO photo_album VALUES ('p1', 'in'), ('p2', 'gone'), ('p3', 'in'), ('p4', 'in');
            INSERT INTO size_variants VALUES ('p1', 0, 'original/ab/cd/1.jpg'), ('p1', 4, 'small/ab/cd/1.jpg'),
              ('p2', 0, 'original/ab/cd/2.jpg'), ('p3', 0, 'original/ab/cd/3.jpg'), ('p4', 0, '../../../../etc/passwd');
            INSERT INTO tags VALUES (1, 'sea');
            INSERT INTO photos_tags VALUES ('p1', 1);
            """
        )
        made.commit()
    report = bring(beta, tmp_path)
    assert albums(beta) == {"Outer": [], "Inner": [("Sunset.jpg", "At sea")], "Unsorted": [("2.jpg", "")]}
    sunset = asset(beta, "Sunset.jpg")
    assert tags.of(beta.session, [sunset.id]) == {sunset.id: ["sea"]}
    assert beta.media.get(sunset.id)["private.gps_lat"] == "48.500000"
    assert beta.session.scalars(select(nesting.AlbumParent)).one().album_id == sunset.album_id
    told = reasons(report)
    assert "not among the files" in told["original/ab/cd/3.jpg"] and "not among" in told["../../../../etc/passwd"]
    assert "knows no photo" in told["uploads/original/stray.jpg"] and len(told) == 3


DUMP = r"""
CREATE TABLE `piwigo_categories` (
  `id` smallint(5) unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL DEFAULT '',
  `id_uppercat` smallint(5) unsigned DEFAULT NULL,
  `comment` text,
  `status` enum('public','private') NOT NULL DEFAULT 'public',
  PRIMARY KEY (`id`)
) ENGINE=MyISAM;
INSERT INTO `piwigo_categories` VALUES
 (2,'Inner; it''s \'quoted\'',1,'two\nlines','private'),(1,'Outer',NULL,NULL,'public');
INSERT INTO `piwigo_images` (`id`, `file`, `date_creation`, `name`, `comment`, `path`, `latitude`, `longitude`) VALUES
 (7,'b.jpg','2001-02-03 04:05:06','Title','Text (with), brackets','./upload/2020/b.jpg',48.5,-1.25e1),
 (8,'c.jpg',NULL,NULL,NULL,'./upload/2020/missing.jpg',NULL,NULL);
INSERT INTO `piwigo_image_category` (`image_id`,`category_id`,`rank`) VALUES (7,2,1),(7,1,1),(8,2,NULL);
INSERT INTO `piwigo_image_tag` (`image_id`,`tag_id`) VALUES (7,3);
INSERT INTO `piwigo_tags` (`id`,`name`) VALUES (3,'ev\\en, t');
"""


def test_piwigo_with_its_dump(beta: Site, tmp_path: Path) -> None:
    tmp_path = tmp_path / "piwigo"
    write(tmp_path, {"upload/2020/b.jpg": b"bytes", "piwigo.sql": DUMP.encode()})
    report = bring(beta, tmp_path)
    inner = "Inner; it's 'quoted'"
    assert albums(beta) == {
        "Outer": [("b.jpg", "Title\nText (with), brackets")],
        inner: [("b.jpg", "Title\nText (with), brackets")],
    }
    described = beta.session.scalars(select(Album).where(Album.title == inner)).one()
    assert described.description == "two\nlines"
    (both,) = {each.taken_at.isoformat() for each in beta.session.scalars(select(Asset))}
    assert both == "2001-02-03T04:05:06+00:00"
    assert list(reasons(report)) == ["./upload/2020/missing.jpg"]


def test_a_dump_that_ends_early_gives_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "half.sql"
    path.write_text(DUMP[: DUMP.index("brackets")])
    entry = Entry("half.sql", path.stat().st_size, "", lambda: path.open("rb"))
    rows = of_mysql(entry, ("categories", "images"))
    assert len(rows["categories"]) == 2 and rows["images"] == []


# --- Traps ------------------------------------------------------------------------------------------------------------


def test_paths_and_links_of_an_archive_lead_nowhere(beta: Site, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    with zipfile.ZipFile(tmp_path / "trap.zip", "w") as trap:
        for name in (
            "../up.jpg",
            "/abs.jpg",
            "a/../../b.jpg",
            "C:/win.jpg",
            "back\\slash.jpg",
            "a//b.jpg",
            "good/fine.jpg",
        ):
            trap.writestr(name, name)
        link = zipfile.ZipInfo("good/link.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        trap.writestr(link, "/etc/passwd")
        device = zipfile.ZipInfo("good/device.jpg")
        device.external_attr = (stat.S_IFCHR | 0o666) << 16
        trap.writestr(device, "x")
    report = bring(beta, tmp_path / "trap.zip")
    assert albums(beta) == {"trap": [], "good": [("fine.jpg", "")]}
    told = reasons(report)
    assert len(told) == 8 and told["good/link.jpg"] == "it is a link"
    assert told["../up.jpg"].startswith("its path leads out")
    assert not (tmp_path / "up.jpg").exists() and not (tmp_path.parent / "up.jpg").exists()


def test_links_in_a_folder_are_not_followed(beta: Site, tmp_path: Path) -> None:
    secret = write(tmp_path / "elsewhere", {"secret.jpg": b"secret"})
    root = write(tmp_path / "photos", {"a.jpg": b"a"})
    (root / "link.jpg").symlink_to(secret / "secret.jpg")
    (root / "folder").symlink_to(secret)
    os.mkfifo(root / "pipe.jpg")
    report = bring(beta, root)
    assert albums(beta) == {"photos": [("a.jpg", "")]}
    assert set(reasons(report)) == {"link.jpg", "folder", "pipe.jpg"}


def test_a_link_that_takes_a_files_place_is_refused(beta: Site, tmp_path: Path) -> None:
    root = write(tmp_path / "photos", {"a.jpg": b"a", "b.jpg": b"b"})
    plan = plan_of(open_all([root]), "plain")
    (root / "a.jpg").unlink()
    (root / "a.jpg").symlink_to("/etc/passwd")
    report = Importer(beta, plan).run()
    assert (report.new, list(reasons(report))) == (1, ["a.jpg"])


def test_bombs_do_not_unpack(beta: Site, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("bomb.jpg", b"\0" * 50_000_000)
        bomb.writestr("fine.jpg", b"fine")
    report = bring(beta, tmp_path / "bomb.zip")
    assert report.new == 1 and "implausibly" in reasons(report)["bomb.jpg"]


def test_an_archive_of_overlapping_entries_is_refused_whole(tmp_path: Path) -> None:
    """Many entries of the directory name the same bytes: a kilobyte claims to be gigabytes."""
    with zipfile.ZipFile(tmp_path / "trap.zip", "w", zipfile.ZIP_STORED) as trap:
        trap.writestr("one.jpg", os.urandom(200_000))
        trap.filelist = [copied(trap.filelist[0], f"{number}.jpg") for number in range(50)]
    with pytest.raises(Problem, match="many times over"):
        open_all([tmp_path / "trap.zip"])


def copied(info: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    for each in ("compress_type", "header_offset", "CRC", "compress_size", "file_size"):
        setattr(made, each, getattr(info, each))
    return made


def test_damage_and_encryption_are_told_and_the_rest_arrives(beta: Site, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        bad.writestr("broken.jpg", b"these bytes will be changed")
        bad.writestr("empty.jpg", b"")
        bad.writestr("fine.jpg", b"fine")
    data = (tmp_path / "bad.zip").read_bytes().replace(b"these bytes", b"other bytes", 1)
    (tmp_path / "bad.zip").write_bytes(data)
    report = bring(beta, tmp_path / "bad.zip")
    told = reasons(report)
    assert report.new == 1 and "cannot be read" in told["broken.jpg"] and "empty" in told["empty.jpg"]


def test_deep_folders_and_odd_names(beta: Site, tmp_path: Path) -> None:
    deep = "/".join(f"level {number}" for number in range(1, 9))
    write(tmp_path / "photos", {f"{deep}/a.jpg": b"deep", "notes.txt": b"x", ".hidden/b.jpg": b"h", "big.jpg": b"big"})
    report = bring(beta, tmp_path / "photos")
    assert report.new == 2 and "notes.txt" in reasons(report) and report.albums == 9
    levels = {row.album_id: row.parent_id for row in beta.session.scalars(select(nesting.AlbumParent))}
    here, depth = asset(beta, "a.jpg").album_id, 1
    while here in levels:
        here, depth = levels[here], depth + 1
    assert depth == nesting.MOST_LEVELS


@pytest.mark.parametrize("broken", [b"", b"PK\x05\x06 not a zip", b"no archive at all"])
def test_what_is_no_archive_is_said(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(broken)
    with pytest.raises(Problem):
        open_all([tmp_path / "x.zip"])


def test_documents_of_an_export_are_not_believed(beta: Site, tmp_path: Path) -> None:
    """Values of the wrong kind, circles among albums, names that lead out."""
    ids = [f"01m8b0yav0dmkg1qcggdgh8dx{letter}" for letter in "ab"]
    write(
        tmp_path,
        {
            "x/tenant.json": {
                "format": "vitrine-tenant",
                "version": 1,
                "brand": {"css": 7, "accent": "red"},
                "tenant": 3,
            },
            "x/albums/1/album.json": {
                "id": ids[0],
                "title": "A\x00" * 300,
                "parent": ids[1],
                "visibility": "everybody",
                "files": ["../../tenant.json", "a.jpg", 7],
                "created_at": "yesterday",
                "slug": "../etc",
            },
            "x/albums/2/album.json": {"id": ids[1], "title": 5, "parent": ids[0], "ordering": "name"},
            "x/albums/3/album.json": [1, 2],
            "x/albums/1/a.jpg": b"bytes",
            "x/albums/1/a.jpg.json": {
                "caption": ["x"],
                "tags": "t",
                "taken_at": 5,
                "media": {"a": 1, "B b": "c"},
                "position": "1",
            },
        },
    )
    report = bring(beta, tmp_path)
    assert (report.new, report.albums) == (1, 2)
    made = beta.session.get_one(Album, (beta.tenant_id, asset(beta, "a.jpg").album_id))
    assert made.title == "A" * 200 and made.visibility.value == "private" and "/" not in made.slug


def test_a_source_reads_no_more_than_it_may(tmp_path: Path) -> None:
    source: Source = open_all([write(tmp_path, {"a.json": b"x" * 100, "b.jpg": b"b"})])
    assert source.read("a.json", 99) is None and source.read("../a.json", 99) is None
    assert source.read("a.json", 100) == b"x" * 100
