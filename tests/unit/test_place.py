"""Originals leave without their place: what is found in which files, that nothing else changes, and who gets which."""

import zipfile
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from conftest import World
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import png_chunk, private_exif, quadrants
from PIL import Image
from video_clips import clip, decodes, record
from visits import member, share_link, visitor

from processor import jobs
from processor.steps import place, video
from processor.steps.photo_header import read_header
from processor.steps.photo_metadata import details_of
from processor.steps.sniff import kind_of
from processor.steps.video_probe import examine
from tenants import catalog
from tenants.blanks import Blanks, Patch
from tenants.catalog import Album, Asset, Kind, Rendition, Visibility
from tenants.names import new_id, original_key, rendition_key
from tenants.outbox import Outbox
from tenants.registry import Tenant
from tenants.scope import open_site
from tenants.sharing import Rights

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description exif:GPSLatitude="52,31.2N" drone-dji:GpsLongitude'
    b" = '+13.4050'><exif:GPSAltitude>341/10</exif:GPSAltitude><dc:title>A boat</dc:title></rdf:Description></rdf:RDF>"
    b"</x:xmpmeta>"
)


def blanked(path: Path) -> tuple[bytes, Blanks]:
    return blanked_as(path, kind_of(path)[1])


def blanked_as(path: Path, content_type: str) -> tuple[bytes, Blanks]:
    found = place.look(path, Kind.VIDEO if content_type.startswith("video") else Kind.PHOTO, content_type)
    with path.open("rb") as file:
        return found.file(file).read(), found


def tells_place(path: Path, into: Path, data: bytes) -> bool:
    """Whether our own reader finds the place; it finds the camera all the same."""
    copy = into / f"copy{path.suffix}"
    copy.write_bytes(data)
    details = details_of(read_header(copy, kind_of(copy)[1], 10**9))
    assert details.media["camera"] == "SecretCam Model 1"
    return "private.gps_lat" in details.media


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_a_photo_keeps_everything_but_its_place(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"photo.{form.lower()}"
    pixels = np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8)
    if form == "HEIF":
        pillow_heif.from_pillow(Image.fromarray(pixels)).save(path, exif=private_exif().tobytes(), quality=90)
    else:
        Image.fromarray(pixels).save(path, form, exif=private_exif())
    assert tells_place(path, tmp_path, path.read_bytes())
    data, found = blanked(path)
    assert found.patches
    assert len(data) == path.stat().st_size
    assert not tells_place(path, tmp_path, data)
    if form == "HEIF":
        one, other = (np.asarray(pillow_heif.open_heif(BytesIO(each))) for each in (path.read_bytes(), data))
    else:
        one, other = (np.asarray(Image.open(BytesIO(each))) for each in (path.read_bytes(), data))
    assert (one == other).all()


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_keeps_everything_but_its_place(tmp_path: Path, order: str) -> None:
    exif = private_exif()
    exif.endian = order
    path = tmp_path / "photo.tif"
    path.write_bytes(exif.tobytes()[6:])  # What an Exif block holds is a TIFF file.
    data, _ = blanked_as(path, "image/tiff")
    before, after = Image.Exif(), Image.Exif()
    before.load(path.read_bytes())
    after.load(data)
    assert before.get_ifd(0x8825)
    assert not after.get_ifd(0x8825)
    assert after[0x010F] == before[0x010F] == "SecretCam"


def test_xmp_loses_its_place_and_keeps_its_title(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(quadrants()).save(path, xmp=XMP)
    data, _ = blanked(path)
    for secret in (b"52,31", b"13.4050", b"341/10"):
        assert secret in path.read_bytes()
        assert secret not in data
    assert b"A boat" in data


def test_what_png_packs_goes_whole_and_its_checksums_fit(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    out = BytesIO()
    Image.fromarray(quadrants()).save(out, "PNG", exif=private_exif())
    start, rest = out.getvalue()[:33], out.getvalue()[33:]
    packed = png_chunk(b"zTXt", b"Raw profile type exif\0\0" + b"packed") + png_chunk(b"tEXt", b"Title\0A boat")
    path.write_bytes(start + packed + rest)
    data, _ = blanked(path)
    assert b"Raw profile" not in data
    image = Image.open(BytesIO(data))
    image.load()  # Pillow compares every checksum.
    assert image.text == {"Title": "A boat"}  # type: ignore[attr-defined]


def test_a_photo_without_a_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x010F] = "SecretCam"
    Image.fromarray(quadrants()).save(path, exif=exif)
    data, found = blanked(path)
    assert not found.patches
    assert data == path.read_bytes()


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_a_film_loses_its_place_and_still_plays(tmp_path: Path, suffix: str) -> None:
    about = ("-metadata", "location=+48.8577+002.2950/", "-metadata", "location-eng=+48.8577+002.2950/")
    more = ("-metadata", "com.apple.quicktime.location.ISO6709=+48.8577+002.2950+035.1/")
    path = clip(tmp_path / f"film.{suffix}", seconds=1, more=(*about, *more, "-movflags", "use_metadata_tags"))
    plain = clip(tmp_path / f"plain.{suffix}", seconds=1, more=about)
    for film in (path, plain):
        assert "48.8" in str(tags_of(film, tmp_path))
        data, _ = blanked(film)
        copy = tmp_path / f"{film.stem}-copy.{suffix}"
        copy.write_bytes(data)
        assert decodes(copy) == ""
        assert "48.8" not in str(tags_of(copy, tmp_path))


def tags_of(film: Path, folder: Path) -> dict[str, str]:
    task = record(film, folder / f"{film.stem}-task").task
    return examine(task, video.Tools(video.choose("auto"), 1), kind_of(film)[1]).tags


def test_a_film_with_a_track_of_positions_cannot_leave_without_them(tmp_path: Path) -> None:
    path = clip(tmp_path / "film.mp4", seconds=1, more=("-metadata", "comment=gpmd"))
    assert not blanked(path)[1].possible


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["II*\0", "MM\0*"]), st.sampled_from(["image/jpeg", "image/png"]))
def test_no_file_makes_it_fail(tmp_path_factory: pytest.TempPathFactory, data: bytes, magic: str, kind: str) -> None:
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data + magic.encode() + data)
    found = place.look(path, Kind.PHOTO, kind)
    with path.open("rb") as file:
        assert len(found.file(file).read()) == path.stat().st_size
    path.write_bytes(data + b"moov" + data)
    place.look(path, Kind.VIDEO, "video/mp4")


@given(
    st.binary(min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(0, 50), st.binary(min_size=1, max_size=4), st.integers(1, 5)), max_size=4),
    st.integers(1, 9),
)
def test_pieces_are_blanked_as_the_whole_is(data: bytes, wanted: list[tuple[int, bytes, int]], step: int) -> None:
    patches, free = [], 0
    for start, fill, times in sorted(wanted):
        patch = Patch(max(start, free), fill, times)
        free = patch.stop
        patches.append(patch)
    found = Blanks(tuple(patches))
    expected = bytearray(data + bytes(400))
    for patch in patches:
        expected[patch.start : patch.stop] = patch.fill * patch.times
    pieces = b"".join(found.laid_over(data[at : at + step], at) for at in range(0, len(data), step))
    assert pieces == found.laid_over(data, 0) == bytes(expected[: len(data)])


# --- Over HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture
def photo(web: Flask, world: World, tmp_path: Path) -> tuple[str, bytes]:
    """Id and bytes of an original with a place, processed by the real job, in an album that gives originals away."""
    path = tmp_path / "photo.jpg"
    Image.fromarray(quadrants(700, 500)).save(path, exif=private_exif(), quality=95)
    data, asset_id = path.read_bytes(), new_id()
    with web.app_context(), open_site(world.alpha) as site:
        album = site.session.get_one(Album, (world.alpha, world.alpha_album))
        album.originals = True
        digest = sha256(data).hexdigest()
        site.blobs.put(original_key(world.alpha, asset_id, digest), data, content_type="image/jpeg")
        about: dict[str, Any] = {"filename": "a.jpg", "sha256": digest, "size": len(data), "now": site.now()}
        catalog.add_asset(site.session, album, asset_id=asset_id, **about)
        site.session.commit()
    with web.app_context():
        jobs.run(world.alpha, asset_id, "message", 1)
    return asset_id, data


def has_place(data: bytes) -> bool:
    exif = Image.open(BytesIO(data)).getexif()
    assert exif[0x010F] == "SecretCam"
    return bool(exif.get_ifd(0x8825))


def unzipped(data: bytes) -> bytes:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert archive.testzip() is None
        (name,) = archive.namelist()
        return archive.read(name)


def change(web: Flask, world: World, what: Callable[[Tenant, Album], None]) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        album = site.session.get_one(Album, (world.alpha, world.alpha_album))
        what(site.session.get_one(Tenant, world.alpha), album)
        site.session.commit()


def allow_by_tenant(tenant: Tenant, album: Album) -> None:
    tenant.place = True


def allow_by_album(tenant: Tenant, album: Album) -> None:
    album.place = True


def forbid_by_album(tenant: Tenant, album: Album) -> None:
    tenant.place, album.place = True, False


@pytest.mark.parametrize(
    ("allow", "told"), [(None, False), (allow_by_tenant, True), (allow_by_album, True), (forbid_by_album, False)]
)
def test_an_original_tells_its_place_only_where_pages_may(
    allow: Callable[[Tenant, Album], None] | None, told: bool, web: Flask, world: World, photo: tuple[str, bytes]
) -> None:
    asset_id, data = photo
    if allow:
        change(web, world, allow)
    anyone = visitor(web)
    whole = anyone.get(f"/a/alpha-shows/{asset_id}/original")
    assert has_place(whole.data) is told
    assert (whole.data == data) is told
    assert whole.content_length == len(data)
    archive = anyone.get("/a/alpha-shows/zip?size=original")
    assert unzipped(archive.data) == whole.data
    for size in ("web", "original"):
        tail = anyone.get(f"/a/alpha-shows/zip?size={size}", headers={"Range": "bytes=100-"})
        assert tail.data == anyone.get(f"/a/alpha-shows/zip?size={size}").data[100:]
    assert b"SecretCam" not in unzipped(anyone.get("/a/alpha-shows/zip?size=web").data)
    assert b"SecretCam" not in anyone.get(f"/a/alpha-shows/{asset_id}/web").data


def test_ranges_and_validators_are_those_of_what_leaves(web: Flask, world: World, photo: tuple[str, bytes]) -> None:
    asset_id, _ = photo
    path, anyone = f"/a/alpha-shows/{asset_id}/original", visitor(web)
    whole = anyone.get(path)
    step = 997
    pieces = [
        anyone.get(path, headers={"Range": f"bytes={at}-{at + step - 1}"}).data
        for at in range(0, len(whole.data), step)
    ]
    assert b"".join(pieces) == whole.data
    assert anyone.get(path, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    change(web, world, allow_by_album)
    told = anyone.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    assert told.status_code == 200
    assert told.headers["ETag"] != whole.headers["ETag"]
    # Half of one and half of the other would be a broken file.
    resumed = anyone.get(path, headers={"Range": "bytes=100-", "If-Range": whole.headers["ETag"]})
    assert (resumed.status_code, resumed.data) == (200, told.data)


def test_by_a_link_as_by_the_album_and_not_for_those_who_edit_it(
    web: Flask, world: World, photo: tuple[str, bytes]
) -> None:
    asset_id, data = photo
    path = f"/a/alpha-shows/{asset_id}/original"
    guest = visitor(web)
    assert guest.get(share_link(web, world.alpha, world.alpha_album, rights=Rights.DOWNLOAD)).status_code == 303
    assert not has_place(guest.get(path).data)
    assert not has_place(member(web, world.alpha, world.adam).get(path).data), "a member who only looks"
    assert member(web, world.alpha, world.alice).get(path).data == data


def test_an_original_that_nobody_has_looked_at_waits_until_somebody_has(
    web: Flask, world: World, photo: tuple[str, bytes]
) -> None:
    asset_id, _ = photo
    with web.app_context(), open_site(world.alpha) as site:
        site.session.get_one(Asset, (world.alpha, asset_id)).blanks = None
        site.session.query(Outbox).delete()
        site.session.commit()
    for path in (f"/a/alpha-shows/{asset_id}/original", "/a/alpha-shows/zip?size=original"):
        answer = visitor(web).get(path)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
    with web.app_context(), open_site(world.alpha) as site:
        assert [row.body["why"] for row in site.session.query(Outbox)] == ["place"], "asked once"
    with web.app_context():
        jobs.run(world.alpha, asset_id, "message", 1)
    assert not has_place(visitor(web).get(f"/a/alpha-shows/{asset_id}/original").data)


def test_a_film_that_cannot_leave_without_its_place_does_not(
    web: Flask, world: World, photo: tuple[str, bytes]
) -> None:
    asset_id, data = photo
    with web.app_context(), open_site(world.alpha) as site:
        site.session.get_one(Asset, (world.alpha, asset_id)).blanks = Blanks(possible=False).stored()
        site.session.commit()
    refused = visitor(web).get(f"/a/alpha-shows/{asset_id}/original")
    assert refused.status_code == 403
    assert "where it was taken" in refused.text
    assert visitor(web).get("/a/alpha-shows/zip?size=original").status_code == 404
    change(web, world, allow_by_tenant)
    assert visitor(web).get(f"/a/alpha-shows/{asset_id}/original").data == data


def test_no_rendition_tells_anything_of_the_camera(web: Flask, world: World, photo: tuple[str, bytes]) -> None:
    asset_id, _ = photo
    with web.app_context(), open_site(world.alpha) as site:
        site.session.get_one(Album, (world.alpha, world.alpha_album)).visibility = Visibility.PUBLIC
        names = [row.name for row in site.session.query(Rendition).filter_by(asset_id=asset_id)]
        assert names
        for name in names:
            with site.blobs.open(rendition_key(world.alpha, asset_id, 1, name)) as stored:
                data = stored.read()
            assert not [secret for secret in (b"Exif", b"GPS", b"SecretCam") if secret in data], name
