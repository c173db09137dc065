"""Files are what their bytes say, and what is not on the list is refused with a sentence."""

import struct
from io import BytesIO
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

from processor.steps.sniff import kind_of
from processor.task import Rejected
from tenants.catalog import Kind


def still(form: str) -> bytes:
    out = BytesIO()
    image = Image.new("RGB", (32, 32), (200, 10, 10))
    if form == "HEIF":
        pillow_heif.from_pillow(image).save(out)
    else:
        image.save(out, form)
    return out.getvalue()


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    brands = b"".join(compatible)
    return struct.pack(">I", 16 + len(brands)) + b"ftyp" + major + bytes(4) + brands + bytes(64)


def ebml(doctype: bytes) -> bytes:
    body = b"\x42\x86\x81\x01" + b"\x42\x82" + bytes([0x80 | len(doctype)]) + doctype
    return b"\x1a\x45\xdf\xa3" + bytes([0x80 | len(body)]) + body + bytes(32)


@pytest.mark.parametrize(
    ("form", "content_type"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("AVIF", "image/avif"),
        ("HEIF", "image/heic"),
        ("TIFF", "image/tiff"),
        ("GIF", "image/gif"),
    ],
)
def test_stills(tmp_path: Path, form: str, content_type: str) -> None:
    path = tmp_path / "named.txt"
    path.write_bytes(still(form))
    assert kind_of(path) == (Kind.PHOTO, content_type)


@pytest.mark.parametrize(
    ("head", "content_type"),
    [
        (ftyp(b"isom", b"isom", b"avc1"), "video/mp4"),
        (ftyp(b"mp42"), "video/mp4"),
        (ftyp(b"M4V ", b"mp42"), "video/x-m4v"),
        (ftyp(b"qt  "), "video/quicktime"),
        (struct.pack(">I", 8) + b"wide" + struct.pack(">I", 20) + b"mdat" + bytes(40), "video/quicktime"),
        (ebml(b"webm"), "video/webm"),
        (ebml(b"matroska"), "video/x-matroska"),
        (b"RIFF\0\1\0\0AVI LIST" + bytes(40), "video/x-msvideo"),
        ((b"G" + bytes(187)) * 30, "video/mp2t"),
        ((bytes(4) + b"G" + bytes(187)) * 30, "video/mp2t"),
    ],
)
def test_videos(tmp_path: Path, head: bytes, content_type: str) -> None:
    path = tmp_path / "named.jpg"
    path.write_bytes(head)
    assert kind_of(path) == (Kind.VIDEO, content_type)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"the free encyclopedia of things, longer than sixteen bytes", "text"),
        (b"GIF89a is a format", "text"),
        (b"GGGGGGGG", "text"),
        (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", "playlist"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"  <!DOCTYPE html><html><img src=x></html>", "web page"),
        (b"%PDF-1.7\n", "PDF"),
        (b"8BPS\0\1" + bytes(20), "Photoshop"),
        (b"PK\x03\x04" + bytes(30), "Archives"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(40), "raw"),
        (b"BM" + bytes(60), "BMP"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20), "JPEG XL"),
        (ftyp(b"M4A ", b"mp42"), "not of a kind"),
        (ftyp(b"crx "), "not of a kind"),
        (ftyp(b"mif1", b"jpeg"), "not of a kind"),
        (struct.pack(">I", 1 << 20) + b"mdat" + bytes(40), "not of a kind"),
        (ebml(b"docx"), "not of a kind"),
        (b"II*\0" + struct.pack("<I", 1 << 30) + bytes(40), "not of a kind"),
        (b"RIFF\0\1\0\0WAVEfmt " + bytes(40), "not of a kind"),
        (b"\x7fELF" + bytes(60), "not of a kind"),
    ],
)
def test_everything_else_is_refused_with_a_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "holiday.jpg"
    path.write_bytes(content)
    with pytest.raises(Rejected, match=words) as refusal:
        kind_of(path)
    assert "JPEG" in str(refusal.value)
    assert len(str(refusal.value)) <= 300  # What the asset's `reason` holds.
