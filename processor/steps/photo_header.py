"""First look at a photo: dimensions, frames, profile and EXIF from its header, and the caps. No pixel is decoded."""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pillow_heif

from infra.errors import N_
from processor.steps.photo_vips import pyvips
from processor.task import Rejected
from tenants import reasons

MAX_SIDE = 65_500
"""What libjpeg can hold; no camera and no scanner comes close."""
MAX_FRAMES = 3_000
_QUARTER = {1: 6, 6: 3, 3: 8, 8: 1, 2: 7, 7: 4, 4: 5, 5: 2}
"""EXIF orientations: each and what it becomes by a quarter turn clockwise."""
PROFILE_LIMIT = 4 * 1024 * 1024

DAMAGED = N_("The photo is damaged or incomplete. Try to copy it again from where it came.")

pillow_heif.options.DECODE_THREADS = 1


@dataclass(frozen=True)
class Header:
    """What the file says about itself. `width` and `height` are as stored; `orientation` (EXIF, 1 to 8) comes after.

    HEIC and AVIF turn their pictures by boxes of their own (ISO/IEC 23008-12 6.5), which the decoders obey, so theirs
    is always 1. `frames` is 1 for a still.
    """

    path: Path
    content_type: str
    width: int
    height: int
    frames: int = 1
    orientation: int = 1
    profile: bytes | None = None
    exif: bytes | None = None

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height after orientation."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def turned(header: Header, degrees: int) -> Header:
    """The header of the same file, shown turned clockwise by a multiple of 90."""
    orientation = header.orientation
    for _ in range(degrees // 90 % 4):
        orientation = _QUARTER[orientation]
    return replace(header, orientation=orientation)


@contextmanager
def blaming_the_file() -> Iterator[None]:
    """What decoders raise inside becomes `Rejected`; failures of the machine (memory, disk) pass."""
    try:
        yield
    except (pyvips.Error, ValueError, EOFError, RuntimeError, SyntaxError) as error:
        raise Rejected(DAMAGED) from error


def read_header(path: Path, content_type: str, max_pixels: int) -> Header:
    """The header, if width x height x frames stays within `max_pixels`, else `Rejected`."""
    with blaming_the_file():
        header = _read_heic(path) if content_type == "image/heic" else _read_vips(path, content_type)
    _check(header, max_pixels)
    if content_type == "image/gif" and not gif_is_whole(path):
        raise Rejected(DAMAGED)
    return header


def _read_heic(path: Path) -> Header:
    image = pillow_heif.open_heif(path, convert_hdr_to_8bit=True)
    if not len(image):  # A container whose items are damaged opens as one that has no picture.
        raise Rejected(DAMAGED)
    width, height = image.size
    profile = image.info.get("icc_profile")
    return Header(path, "image/heic", width, height, profile=profile, exif=image.info.get("exif"))


def _read_vips(path: Path, content_type: str) -> Header:
    image = pyvips.Operation.call(loader_of(content_type), str(path), access="sequential")

    def field(name: str) -> bytes | None:
        return image.get(name) if image.get_typeof(name) else None

    orientation = image.get("orientation") if image.get_typeof("orientation") else 1
    if content_type == "image/avif" or not 1 <= orientation <= 8:
        orientation = 1
    return Header(
        path,
        content_type,
        image.width,
        image.height,
        frames=image.get("n-pages") if image.get_typeof("n-pages") else 1,
        orientation=orientation,
        profile=field("icc-profile-data"),
        exif=field("exif-data"),
    )


def gif_is_whole(path: Path) -> bool:
    """Whether the blocks of a GIF (GIF89a, 15 to 27) lead to its trailer: its decoder fills in what is missing."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:

        def table(flags: int) -> int:
            return 3 << (flags & 7) + 1 if flags & 0x80 else 0

        at = 13 + table(data[10])
        try:
            while data[at] != 0x3B:
                if data[at] == 0x21:  # Extension: a label, then sub-blocks.
                    at += 2
                elif data[at] == 0x2C:  # Image: descriptor, colour table, code size, then sub-blocks.
                    at += 11 + table(data[at + 9])
                else:
                    return False
                while data[at]:
                    at += data[at] + 1
                at += 1
        except IndexError:
            return False
    return True


def loader_of(content_type: str) -> str:
    """The name of the libvips operation that reads this type from a file."""
    return {"image/avif": "heifload"}.get(content_type, content_type.removeprefix("image/") + "load")


def _check(header: Header, max_pixels: int) -> None:
    width, height, frames = header.width, header.height, header.frames
    if width < 1 or height < 1:
        raise Rejected("The photo has no pixels.")
    if max(width, height) > MAX_SIDE:
        raise Rejected(reasons.filled(reasons.PHOTO_SIDE, size=f"{width} x {height}", most=f"{MAX_SIDE:,}"))
    if frames > MAX_FRAMES:
        raise Rejected(reasons.filled(reasons.PHOTO_FRAMES, frames=f"{frames:,}", most=f"{MAX_FRAMES:,}"))
    if width * height * frames > max_pixels:
        sentence = reasons.ANIMATION_SIZE if frames > 1 else reasons.PHOTO_SIZE
        most = max_pixels // 1_000_000
        raise Rejected(reasons.filled(sentence, size=f"{width} x {height}", frames=frames, most=most))
