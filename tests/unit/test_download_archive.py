"""ZIP files by layout, read back by those who know the format: Python's zipfile and Info-ZIP's unzip."""

import random
import subprocess
import zipfile
import zlib
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.filenames import MOST_BYTES, distinct, safe
from webapp.download.archive import Archive, Content, Entry

THEN = datetime(2024, 6, 3, 9, 30, 12, tzinfo=UTC)


def made(files: dict[str, bytes]) -> tuple[Archive, bytes]:
    contents = list(files.values())
    archive = Archive([Entry(name, len(data), THEN) for name, data in files.items()])
    return archive, part(archive, contents, 0, archive.size)


def part(archive: Archive, contents: list[bytes], start: int, stop: int) -> bytes:
    pieces = archive.part(start, stop, lambda number: zlib.crc32(contents[number]))
    return b"".join(
        contents[piece.entry][piece.start : piece.start + piece.length] if isinstance(piece, Content) else piece
        for piece in pieces
    )


FILES = {"Grüße – 1.jpg": b"one" * 50, "empty.txt": b"", "写真.jpg": bytes(range(256)), "z.bin": b"\0" * 1000}


def test_python_and_unzip_read_it(tmp_path: Path) -> None:
    archive, whole = made(FILES)
    assert archive.size == len(whole)
    with zipfile.ZipFile(BytesIO(whole)) as read:
        assert read.testzip() is None
        assert {info.filename: read.read(info) for info in read.infolist()} == FILES
        assert read.infolist()[0].date_time == (2024, 6, 3, 9, 30, 12)
    (tmp_path / "a.zip").write_bytes(whole)
    told = subprocess.run(["unzip", "-t", tmp_path / "a.zip"], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
    assert "No errors detected" in told.stdout


def test_an_empty_archive_is_one(tmp_path: Path) -> None:
    _, whole = made({})
    assert zipfile.ZipFile(BytesIO(whole)).namelist() == []


@given(st.lists(st.binary(max_size=40), max_size=6), st.data())
def test_any_part_is_the_same_bytes(contents: list[bytes], data: st.DataObject) -> None:
    archive, whole = made({f"{number}.bin": content for number, content in enumerate(contents)})
    start = data.draw(st.integers(0, archive.size))
    stop = data.draw(st.integers(start, archive.size))
    assert part(archive, contents, start, stop) == whole[start:stop]


def test_a_crc_is_asked_for_only_where_it_is_written() -> None:
    archive, whole = made(FILES)
    asked: list[int] = []

    def crc(number: int) -> int:
        asked.append(number)
        return 0

    middle = whole.index(b"oneone") + 20
    assert len(list(archive.part(middle, middle + 10, crc))) == 1
    assert asked == []


class Holes:
    """Writes an archive whose files are all zeros, as a sparse file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, archive: Archive, crcs: list[int]) -> None:
        with self.path.open("wb") as file:
            for piece in archive.part(0, archive.size, crcs.__getitem__):
                if isinstance(piece, Content):
                    file.seek(piece.length, 1)
                else:
                    file.write(piece)
            assert file.tell() == archive.size


def test_entries_beyond_four_gigabytes(tmp_path: Path) -> None:
    """One that is that large, and one that begins that far in: both kinds of ZIP64 field."""
    sizes = {"large.mov": (1 << 32) + 5, "behind.jpg": 12, "also.jpg": 7}
    archive = Archive([Entry(name, size, THEN) for name, size in sizes.items()])
    crcs = [0xDEADBEEF, zlib.crc32(bytes(12)), zlib.crc32(bytes(7))]
    Holes(tmp_path / "big.zip").write(archive, crcs)
    with zipfile.ZipFile(tmp_path / "big.zip") as read:
        assert {info.filename: info.file_size for info in read.infolist()} == sizes
        assert read.getinfo("large.mov").CRC == 0xDEADBEEF
        assert read.read("behind.jpg") == bytes(12)
    command = ["unzip", "-t", str(tmp_path / "big.zip"), "behind.jpg", "also.jpg"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_more_entries_than_sixteen_bits_count(tmp_path: Path) -> None:
    count = 70_000
    _, whole = made({f"{number}.txt": b"x" for number in range(count)})
    with zipfile.ZipFile(BytesIO(whole)) as read:
        assert len(read.namelist()) == count
        assert read.read("69999.txt") == b"x"
    (tmp_path / "many.zip").write_bytes(whole)
    told = subprocess.run(["unzip", "-Z", "-h", tmp_path / "many.zip"], capture_output=True, text=True, check=True)
    assert f"number of entries: {count}" in told.stdout


@pytest.mark.parametrize(("count", "wide"), [(65_534, False), (65_535, True)])
def test_the_counts_own_limit_is_zip64_already(count: int, wide: bool) -> None:
    """65,535 in the old field means: look into the new one."""
    archive = Archive([Entry(str(number), 0, THEN) for number in range(count)])
    assert (b"PK\x06\x06" in part(archive, [b""] * count, archive.size - 98, archive.size)) is wide


def test_times_that_the_format_cannot_hold_are_bent() -> None:
    old = datetime(1899, 12, 31, 23, 59, 59, tzinfo=UTC)
    late = datetime(2150, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    archive = Archive([Entry("old", 0, old), Entry("late", 0, late)])
    with zipfile.ZipFile(BytesIO(part(archive, [b"", b""], 0, archive.size))) as read:
        assert [info.date_time[0] for info in read.infolist()] == [1980, 2107]


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("Grüße – 1.jpg", "Grüße – 1.jpg"),
        ("写真.heic", "写真.heic"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..\\..\\boot.ini", "_.._boot.ini"),
        ("C:\\autoexec.bat", "C__autoexec.bat"),
        ('a<b>:"c|d?*.jpg', "a_b___c_d__.jpg"),
        ("CON", "_CON"),
        ("nul.jpg", "_nul.jpg"),
        ("com1.tar.gz", "_com1.tar.gz"),
        ("conference.jpg", "conference.jpg"),
        ("trailing. . ", "trailing"),
        ("...", "unnamed"),
        ("", "unnamed"),
        ("a\x00b\n.jpg", "a_b_.jpg"),
        (".hidden.jpg", "hidden.jpg"),
        ("e\u0301te\u0301.jpg", "\u00e9t\u00e9.jpg"),
    ],
)
def test_names_are_safe_everywhere(given_name: str, kept: str) -> None:
    assert safe(given_name) == kept


def test_names_that_are_the_same_somewhere_get_numbers() -> None:
    names = ["a.jpg", "A.JPG", "a (2).jpg", "a.jpg", "Stra\u00dfe.jpg", "STRASSE.jpg", "\u00e9", "e\u0301"]
    assert list(distinct(names)) == [
        "a.jpg",
        "A (2).JPG",
        "a (2) (2).jpg",
        "a (3).jpg",
        "Straße.jpg",
        "STRASSE (2).jpg",
        "é",
        "é (2)",
    ]


def test_long_names_keep_their_extension_and_stay_apart() -> None:
    names = list(distinct(["写" * 255 + ".jpeg"] * 3))
    assert len(set(names)) == 3
    assert all(name.endswith(".jpeg") and len(name.encode()) <= MOST_BYTES for name in names)
    many = list(distinct(["IMG.jpg"] * 20_000))
    random.shuffle(many)
    assert len({name.casefold() for name in many}) == 20_000
