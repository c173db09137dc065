"""What a file is, by its content. Names and declared types are not believed.

An allow-list with a check of structure behind every magic number, so that text that happens to begin like a picture
does not pass. Signature libraries (puremagic, filetype) are made for the opposite task: they name as many formats as
they can and answer with the best guess, which an attacker may choose.
"""

import struct
from collections.abc import Callable
from pathlib import Path

from infra.errors import N_
from processor.task import Rejected
from tenants.catalog import Kind
from tenants.reasons import ACCEPTED

HEAD = 4096
"""Bytes that are looked at. 21 packets of an MPEG transport stream fit into it."""


_TRANSPORT_PACKET = 188
_QUICKTIME_ATOMS = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
_VIDEO_BRANDS = {b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"iso7", b"iso8", b"iso9", b"isoa", b"isob"}
_VIDEO_BRANDS |= {b"mp41", b"mp42", b"mp71", b"avc1", b"dash", b"MSNV", b"NDSH", b"f4v ", b"XAVC", b"CAEP"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF_BRANDS = {b"avif", b"avis"}
_CONTAINER_BRANDS = {b"mif1", b"mif2", b"msf1", b"miaf"}
"""Say that it is an HEIF container, and leave the codec to the compatible brands."""


def kind_of(path: Path) -> tuple[Kind, str]:
    """Photo or video, and the content type. Raises `Rejected` for whatever is not on the allow-list."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    size = path.stat().st_size
    for look in (_still, _riff, _iso_media, _matroska, _quicktime, _transport_stream):
        if found := look(head, size):
            kind = Kind.VIDEO if found.startswith("video/") else Kind.PHOTO
            return kind, found
    raise Rejected(_refusal(head))


def _still(head: bytes, size: int) -> str | None:
    # JPEG, ITU-T T.81 B.1.1.3: SOI, then another marker. PNG, ISO/IEC 15948 5.2: the signature, then IHDR.
    if head[:3] == b"\xff\xd8\xff" and head[3:4] >= b"\xc0":
        return "image/jpeg"
    if head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR":
        return "image/png"
    if head[:6] in (b"GIF87a", b"GIF89a") and b"\0" in head[13:]:  # Every block of data ends in a zero.
        return "image/gif"
    return _tiff(head, size)


def _tiff(head: bytes, size: int) -> str | None:
    """TIFF 6.0 section 2, and BigTIFF: byte order, version, and an offset of the first directory inside the file."""
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 16:
        return None
    version, offset = struct.unpack_from(f"{order}HI", head, 2)
    if version == 43:
        width, _, offset = struct.unpack_from(f"{order}HHQ", head, 4)
        version = 42 if width == 8 else 0
    if version != 42 or not 8 <= offset < size:
        return None
    return None if head[8:10] == b"CR" else "image/tiff"  # Canon's CR2 is raw sensor data in a TIFF.


def _riff(head: bytes, _size: int) -> str | None:
    if head[:4] != b"RIFF":
        return None
    if head[8:12] == b"WEBP" and head[12:16] in (b"VP8 ", b"VP8L", b"VP8X"):
        return "image/webp"
    return "video/x-msvideo" if head[8:12] == b"AVI " and head[12:16] == b"LIST" else None


def _iso_media(head: bytes, size: int) -> str | None:
    """ISO/IEC 14496-12 section 4.3: a FileTypeBox with a major and compatible brands."""
    if head[4:8] != b"ftyp" or len(head) < 16:
        return None
    length = int.from_bytes(head[:4], "big")
    if not 16 <= length <= min(size, HEAD) or length % 4:
        return None
    major = head[8:12]
    brands = [major, *(head[at : at + 4] for at in range(16, length, 4))]
    if major in _AVIF_BRANDS | _HEIC_BRANDS | _CONTAINER_BRANDS:
        return _still_codec(brands)
    if major == b"qt  ":
        return "video/quicktime"
    if major[:3] == b"M4V":
        return "video/x-m4v"
    return "video/mp4" if any(brand in _VIDEO_BRANDS for brand in brands) and major[:3] != b"M4A" else None


def _still_codec(brands: list[bytes]) -> str | None:
    for brand in brands:
        if brand in _AVIF_BRANDS:
            return "image/avif"
        if brand in _HEIC_BRANDS:
            return "image/heic"
    return None


def _quicktime(head: bytes, size: int) -> str | None:
    """QuickTime from before the file type box: begins with one of a few atoms, whose length fits the file."""
    if head[4:8] not in _QUICKTIME_ATOMS:
        return None
    length = int.from_bytes(head[:4], "big")
    if length == 1:
        length = int.from_bytes(head[8:16], "big")
    return "video/quicktime" if 8 <= length <= size else None


def _matroska(head: bytes, _size: int) -> str | None:
    """EBML (RFC 8794) with the DocType element, 0x4282, near its start."""
    if head[:4] != b"\x1a\x45\xdf\xa3":
        return None
    at = head.find(b"\x42\x82", 4, 64)
    if at < 0 or at + 2 >= len(head):
        return None
    length = head[at + 2] & 0x7F
    name = head[at + 3 : at + 3 + length].rstrip(b"\0")
    return {b"webm": "video/webm", b"matroska": "video/x-matroska"}.get(name)


def _transport_stream(head: bytes, _size: int) -> str | None:
    """ISO/IEC 13818-1: a sync byte every 188 bytes; in the BDAV variant four bytes precede each packet."""
    for lead, step in ((0, _TRANSPORT_PACKET), (4, _TRANSPORT_PACKET + 4)):
        syncs = head[lead::step]
        if len(syncs) >= 3 and syncs.count(0x47) == len(syncs):
            return "video/mp2t"
    return None


# --- Refusals: what people upload by mistake, and what to do about it -------------------------------------------------

_Test = Callable[[bytes], bool]


def _starts(*prefixes: bytes) -> _Test:
    return lambda head: head.startswith(prefixes)


def _markup(*names: bytes) -> _Test:
    return lambda head: head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and any(n in head.lower() for n in names)


_MISTAKES: tuple[tuple[_Test, str], ...] = (
    (lambda head: not head, N_("The file is empty. It may not have been copied completely.")),
    (_starts(b"#EXTM3U"), N_("This is a playlist, not a video. Upload the video file itself.")),
    (_markup(b"<svg"), N_("SVG drawings are not accepted. Export the drawing as PNG.")),
    (
        _markup(b"<html", b"<!doctype html"),
        N_("This is a web page, not a photo. Save the picture itself and upload that."),
    ),
    (_starts(b"%PDF"), N_("PDF documents are not accepted. Export the pages as JPEG.")),
    (_starts(b"%!PS"), N_("PostScript is not accepted. Export the picture as JPEG.")),
    (_starts(b"8BPS"), N_("Photoshop documents are not accepted. Export the picture as JPEG or TIFF.")),
    (_starts(b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b"), N_("Archives are not accepted. Unpack it first.")),
    (_starts(b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO"), N_("Camera raw is not accepted. Export the photo as JPEG.")),
    (lambda head: head[8:10] == b"CR", N_("Camera raw is not accepted. Export the photo as JPEG.")),
    (_starts(b"\xff\x0a", b"\0\0\0\x0cJXL "), N_("JPEG XL is not accepted yet. Export the photo as JPEG or AVIF.")),
    (_starts(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), N_("JPEG 2000 is not accepted. Export the photo as JPEG.")),
    (_starts(b"BM"), N_("BMP pictures are not accepted. Save it as PNG.")),
    (_starts(b"ID3", b"fLaC", b"OggS"), N_("Sound files are not accepted.")),
    (lambda head: b"\0" not in head and head.isascii(), N_("This is text, not a photo or a video.")),
)


UNKNOWN = N_("The content is not of a kind that is accepted, or is damaged at its start.")


def _refusal(head: bytes) -> str:
    for matches, sentence in _MISTAKES:
        if matches(head):
            return f"{sentence} {ACCEPTED}"
    return f"{UNKNOWN} {ACCEPTED}"
