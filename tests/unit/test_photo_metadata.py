"""What the camera wrote is read, bounded and cleaned; garbage costs its own value and nothing else."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import process, quadrants
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from processor.steps.photo_header import Header, read_header
from processor.steps.photo_metadata import VALUE_BYTES, Details, details_of

MAIN = {0x010F: "Canon", 0x0110: "Canon EOS R5", 0x0132: "2020:01:01 00:00:00"}
CAMERA = {
    0x9003: "2024:07:14 18:30:05",
    0x9291: "42",
    0x9011: "+02:00",
    0xA434: "RF24-70mm F2.8 L IS USM",
    0x920A: IFDRational(35, 1),
    0x829D: IFDRational(28, 10),
    0x829A: IFDRational(1, 250),
    0x8827: 400,
}
PLACE = {1: "S", 2: (33.0, 51.0, 24.48), 3: "E", 4: (151.0, 12.0, 55.3)}


def exif(main: dict[int, Any] | None = None, camera: dict[int, Any] | None = None, place: Any = None) -> Image.Exif:
    made = Image.Exif()
    made.update(main or {})
    made.get_ifd(0x8769).update(camera or {})
    made.get_ifd(0x8825).update(place or {})
    return made


def read(main: dict[int, Any] | None = None, camera: dict[int, Any] | None = None, place: Any = None) -> Details:
    return details_of(Header(Path("none"), "image/jpeg", 1, 1, exif=exif(main, camera, place).tobytes()))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_everything_is_read_from_every_format(tmp_path: Path, form: str) -> None:
    image, notes = Image.fromarray(quadrants()), exif(MAIN, CAMERA, PLACE)
    path = tmp_path / "photo"
    if form == "HEIF":
        pillow_heif.from_pillow(image).save(path, exif=notes.tobytes())
    else:
        image.save(path, form, exif=notes)
    facts = process(path, tmp_path / "out").facts
    assert facts.taken_at == datetime(2024, 7, 14, 16, 30, 5, 420_000, tzinfo=UTC)
    assert facts.taken_offset == 120
    assert facts.media == {
        "camera": "Canon EOS R5",
        "lens": "RF24-70mm F2.8 L IS USM",
        "focal_length": "35 mm",
        "aperture": "f/2.8",
        "exposure": "1/250 s",
        "iso": "ISO 400",
        "private.gps_lat": "-33.856800",
        "private.gps_lon": "151.215361",
    }


def test_tiff_keeps_its_notes_in_its_own_directory(tmp_path: Path) -> None:
    path = tmp_path / "photo.tif"
    Image.fromarray(quadrants()).save(path, exif=exif(MAIN))
    made = details_of(read_header(path, "image/tiff", 1 << 20))
    assert made.media == {"camera": "Canon EOS R5"}
    assert made.taken_at == datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("camera", "taken_at", "offset"),
    [
        ({0x9003: "2024:07:14 18:30:05"}, datetime(2024, 7, 14, 18, 30, 5, tzinfo=UTC), None),
        ({0x9003: "2024:07:14 18:30:05", 0x9011: "-09:30"}, datetime(2024, 7, 15, 4, 0, 5, tzinfo=UTC), -570),
        ({0x9003: "2024:07:14 18:30:05", 0x9011: "Z"}, datetime(2024, 7, 14, 18, 30, 5, tzinfo=UTC), 0),
        ({0x9003: "2024:07:14 18:30:05", 0x9011: "+25:00"}, datetime(2024, 7, 14, 18, 30, 5, tzinfo=UTC), None),
        (
            {0x9003: "    :  :     :  :  ", 0x9004: "2021-02-03 04:05:06"},
            datetime(2021, 2, 3, 4, 5, 6, tzinfo=UTC),
            None,
        ),
        ({0x9003: "0000:00:00 00:00:00"}, None, None),
        ({0x9003: "2024:13:45 99:00:00"}, None, None),
        ({0x9003: "2024:07:14 18:30:05", 0x9291: "x²"}, datetime(2024, 7, 14, 18, 30, 5, tzinfo=UTC), None),
        ({0x9003: "yesterday"}, None, None),
    ],
)
def test_capture_time(camera: dict[int, Any], taken_at: datetime | None, offset: int | None) -> None:
    made = read(camera=camera)
    assert (made.taken_at, made.taken_offset) == (taken_at, offset)


def test_the_time_of_the_file_serves_when_there_is_no_other() -> None:
    assert read(main={0x0132: "2020:01:02 03:04:05"}).taken_at == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("NIKON CORPORATION", "NIKON D90", "NIKON D90"),
        ("SONY", "ILCE-7M4", "SONY ILCE-7M4"),
        ("Apple", "iPhone 15\0\0\0rest of memory", "Apple iPhone 15"),
        ("  Leica \n", "", "Leica"),
        ("", "X100", "X100"),
        ("\x1b[31mred", "\x07bell", "[31mred bell"),
    ],
)
def test_camera_names(make: str, model: str, camera: str) -> None:
    assert read(main={0x010F: make, 0x0110: model}).media.get("camera") == camera


def test_utf8_in_a_field_meant_for_ascii_is_read_as_such() -> None:
    notes = exif(main={0x0110: "UUUUUUUU"}).tobytes()
    for written, shown in (("Ümläüt1".encode()[:8], "Ümläü"), ("Ü".encode("latin-1") * 8, "Ü" * 8)):
        changed = notes.replace(b"UUUUUUUU", written)
        assert details_of(Header(Path("none"), "image/jpeg", 1, 1, exif=changed)).media["camera"] == shown


def test_values_are_bounded_in_bytes() -> None:
    lens = read(camera={0xA434: ("Ü" * 5_000).encode()}).media["lens"]
    assert lens == "Ü" * (VALUE_BYTES // 2)
    assert len(read(main={0x010F: "a" * 900, 0x0110: "b" * 900}).media["camera"].encode()) <= VALUE_BYTES


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [((1, 250), "1/250 s"), ((1, 4), "1/4 s"), ((5, 10), "0.5 s"), ((30, 1), "30 s"), ((0, 1), None), ((1, 0), None)],
)
def test_exposure(seconds: tuple[int, int], shown: str | None) -> None:
    assert read(camera={0x829A: IFDRational(*seconds)}).media.get("exposure") == shown


@pytest.mark.parametrize(
    "place",
    [
        {1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (1.0, 2.0, 3.0)},
        {1: "N", 2: (IFDRational(0, 0), 0.0, 0.0), 3: "E", 4: (1.0, 2.0, 3.0)},
        {1: "N", 2: (1.0, 2.0, 3.0)},
        {1: "N", 2: (1.0, 2.0), 3: "E", 4: (1.0, 2.0, 3.0)},
    ],
)
def test_a_place_is_whole_or_absent(place: dict[int, Any]) -> None:
    assert not {"private.gps_lat", "private.gps_lon"} & read(place=place).media.keys()


def test_one_broken_value_does_not_hide_its_neighbours() -> None:
    made = read(main=MAIN, camera={**CAMERA, 0x829D: IFDRational(1, 0), 0x8827: 0, 0x9003: "soon"})
    assert "aperture" not in made.media
    assert "iso" not in made.media
    assert made.media["lens"] == CAMERA[0xA434]


@given(data=st.data())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_garbage_never_fails(data: st.DataObject) -> None:
    notes = bytearray(exif(MAIN, CAMERA, PLACE).tobytes())
    for place in data.draw(st.lists(st.integers(6, len(notes) - 1), min_size=1, max_size=12)):
        notes[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(notes)))
    for garbage in (bytes(notes), bytes(notes[:cut]), data.draw(st.binary(max_size=200))):
        made = details_of(Header(Path("none"), "image/jpeg", 1, 1, exif=garbage))
        for name, value in made.media.items():
            assert name.isascii()
            assert 0 < len(value.encode()) <= VALUE_BYTES
            assert value.isprintable()


def test_a_photo_with_garbage_for_notes_is_still_a_photo(tmp_path: Path) -> None:
    out = BytesIO()
    Image.fromarray(quadrants()).save(out, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 300)
    path = tmp_path / "photo.jpg"
    path.write_bytes(out.getvalue())
    facts = process(path, tmp_path / "out").facts
    assert (facts.media, facts.taken_at) == ({}, None)
