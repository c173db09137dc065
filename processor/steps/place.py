"""Finds what in an original tells where it was taken, so that it can leave without (`tenants/blanks.py`).

Photos: the GPS directory of every Exif block (Exif 3.0, 4.6.6), wherever the container has it, and XMP properties whose
names begin with GPS; PNG's checksums are made right again, and its packed metadata goes as a whole. Films: ISO 6709
coordinates and the location box (3GPP TS 26.244, 8.9) in an MP4's or MOV's metadata. A film with a track of positions
(action cameras, drones) cannot leave without its place.

Files are hostile: everything read is bounded, and what is malformed tells nothing.
"""

import mmap
import re
import struct
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from infra.crc import crc32_of
from tenants.blanks import Blanks, Patch
from tenants.catalog import Kind

Span = tuple[int, int]

# Each begins with bytes that are the same in all that it finds, so that `re` looks for these first: files are large.
_TIFF = tuple(map(re.compile, (rb"II\*\0", rb"MM\0\*")))
_VALUE = rb"""\w{1,40}(?:\s{0,20}=\s{0,20}(?:"([^"<>]{1,300})"|'([^'<>]{1,300})')|[^<>]{0,100}>([^<>]{1,300})<)"""
_XMP = tuple(re.compile(name + _VALUE) for name in (rb":GPS", rb":Gps"))
_ISO_6709 = re.compile(
    rb"[+-]\d{2,6}\.\d{1,10}[+-]\d{3,7}\.\d{1,10}(?:[+-]\d{1,6}(?:\.\d{1,10})?)?(?:CRS[\w/-]{1,30})?/?"
)
_TRACKS = (b"gpmd", b"camm", b"rtmd", b"djmd", b"dbgi")
"""Formats of samples that may be positions: GoPro's, Google's, Sony's, DJI's two."""
_GPS_IFD = 0x8825
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of a value, by the type of a TIFF entry (TIFF 6.0, section 2)."""
_MOST_ENTRIES, _MOST_BLOCKS, _MOST_BOXES, _LONGEST = 512, 64, 4096, 1 << 16
_MP4 = ("video/mp4", "video/quicktime", "video/x-m4v")
_NOTHING = b"viTr"
"""An ancillary, private PNG chunk that means nothing to anybody."""


def look(original: Path, kind: Kind, content_type: str) -> Blanks:
    """What has to be blanked; and if there is something, the CRC-32 of the file without it."""
    with original.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if kind is Kind.VIDEO:
            metadata = list(_metadata_boxes(data)) if content_type in _MP4 else []
            if any(data.find(name, *span) >= 0 for span in metadata for name in _TRACKS):
                return Blanks(possible=False)
            patches = [patch for span in metadata for patch in _of_film(data, span)]
        elif content_type == "image/png":
            patches = _of_png(data)
        else:
            patches = _of_photo(data)
    blanks = Blanks(_apart(patches))
    if not blanks.patches:
        return blanks
    with original.open("rb") as whole:
        return Blanks(blanks.patches, crc32_of(blanks.file(whole)))


def _apart(patches: list[Patch]) -> tuple[Patch, ...]:
    """In order, without what lies on one before them."""
    kept: list[Patch] = []
    for patch in sorted(patches, key=lambda patch: (patch.start, -patch.stop)):
        covered = kept[-1].stop - patch.start if kept else 0
        if covered <= 0:
            kept.append(patch)
        elif len(patch.fill) == 1 and covered < patch.times:
            kept.append(Patch(patch.start + covered, patch.fill, patch.times - covered))
    return tuple(kept)


def _of_photo(data: mmap.mmap) -> list[Patch]:
    blocks = [found.start() for magic in _TIFF for found in islice(magic.finditer(data), _MOST_BLOCKS)]
    spans = [span for block in blocks for span in _gps_of(data, block)]
    return [_zeros(span) for span in spans] + _of_xmp(data, (0, len(data)))


def _of_xmp(data: mmap.mmap, span: Span) -> list[Patch]:
    properties = (found for pattern in _XMP for found in pattern.finditer(data, *span))
    return [_spaces(found.span(found.lastindex or 0)) for found in properties]


def _gps_of(data: mmap.mmap, block: int) -> Iterator[Span]:
    """The GPS directories of a TIFF block and what their entries point at."""
    order = "<" if data[block : block + 2] == b"II" else ">"
    following: int | None = 4
    for _ in range(8):  # IFD0, IFD1 and some more; a ring ends here.
        directory = _entries(data, block, following, order) if following is not None else None
        if directory is None:
            return
        at, entries = directory
        for tag, _kind, _count, value in entries:
            if tag == _GPS_IFD:
                yield from _directory(data, block, struct.unpack(order + "I", value)[0], order)
        following = at + 2 + 12 * len(entries) - block


def _entries(
    data: mmap.mmap, block: int, pointer: int, order: str
) -> tuple[int, list[tuple[int, int, int, bytes]]] | None:
    """Of the directory that the four bytes at `pointer` name: where it is, and tag, type, count and value of each.

    Four bytes of pixels that look like a TIFF's first do no harm: what follows would need a GPS entry, too.
    """
    try:
        (offset,) = struct.unpack_from(order + "I", data, block + pointer)
        return _read_directory(data, block + offset, order) if offset else None
    except struct.error:
        return None


def _read_directory(data: mmap.mmap, at: int, order: str) -> tuple[int, list[tuple[int, int, int, bytes]]] | None:
    (count,) = struct.unpack_from(order + "H", data, at)
    if not 0 < count <= _MOST_ENTRIES:
        return None
    return at, [struct.unpack_from(order + "HHI4s", data, at + 2 + 12 * number) for number in range(count)]


def _directory(data: mmap.mmap, block: int, offset: int, order: str) -> Iterator[Span]:
    try:
        found = _read_directory(data, block + offset, order)
    except struct.error:
        return
    if found is None:
        return
    at, entries = found
    yield at, at + 2 + 12 * len(entries)  # A count of zero, and no entries.
    for _, kind, count, value in entries:
        length = min(_SIZES.get(kind, 8) * count, _LONGEST)
        start = block + struct.unpack(order + "I", value)[0]
        if length > 4 and start < len(data):
            yield start, min(start + length, len(data))


def _of_png(data: mmap.mmap) -> list[Patch]:
    """As a photo's, with checksums that fit; packed metadata, which may hold anything, goes whole."""
    inside = _of_photo(data)
    patches = []
    for start, name, length in _chunks(data):
        body = data[start + 8 : start + 8 + length]
        if name in (b"zTXt", b"iTXt", b"tEXt") and _is_packed(name, body):
            checksum = zlib.crc32(_NOTHING + bytes(length)).to_bytes(4)
            patches += [
                Patch(start + 4, _NOTHING),
                Patch(start + 8, b"\0", length),
                Patch(start + 8 + length, checksum),
            ]
            continue
        its = [patch for patch in inside if start + 8 <= patch.start and patch.stop <= start + 8 + length]
        if its and name != b"IDAT":
            blanked = Blanks(_apart(its)).laid_over(body, start + 8)
            patches += [*its, Patch(start + 8 + length, zlib.crc32(name + blanked).to_bytes(4))]
    return [patch for patch in patches if patch.stop > patch.start]


def _chunks(data: mmap.mmap) -> Iterator[tuple[int, bytes, int]]:
    """Start, name and length of the content of each chunk (PNG 3, 5.3)."""
    start = 8
    for _ in range(1 << 16):
        if start + 12 > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, start)
        if start + 12 + length > len(data):
            return
        yield start, name, length
        start += 12 + length


def _is_packed(name: bytes, body: bytes) -> bool:
    keyword, _, rest = body[:_LONGEST].partition(b"\0")
    if keyword.startswith(b"Raw profile type"):  # ImageMagick's: metadata in hexadecimal digits.
        return True
    return name == b"zTXt" or (name == b"iTXt" and rest[:1] == b"\1")


def _metadata_boxes(data: mmap.mmap) -> Iterator[Span]:
    """The boxes of the file's first level that hold no samples (ISO/IEC 14496-12, 4.2)."""
    start = 0
    for _ in range(_MOST_BOXES):
        if start + 16 > len(data):
            return
        size, name = struct.unpack_from(">I4s", data, start)
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start + 8)
        stop = len(data) if size == 0 else start + size
        if size != 0 and size < 8:
            return
        if name in (b"moov", b"meta", b"udta", b"uuid", b"moof"):
            yield start, min(stop, len(data))
        start = stop


def _of_film(data: mmap.mmap, span: Span) -> Iterator[Patch]:
    for found in _ISO_6709.finditer(data, *span):
        yield _spaces(found.span())
    at = data.find(b"loci", *span)
    while at >= 0:
        size = int.from_bytes(data[at - 4 : at])
        if 8 < size <= _LONGEST and at - 4 + size <= span[1]:
            yield _zeros((at + 4, at - 4 + size))
        at = data.find(b"loci", at + 4, span[1])
    yield from _of_xmp(data, span)


def _zeros(span: Span) -> Patch:
    return Patch(span[0], b"\0", span[1] - span[0])


def _spaces(span: Span) -> Patch:
    return Patch(span[0], b" ", span[1] - span[0])
