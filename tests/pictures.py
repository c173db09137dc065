"""Photos made for tests, and a run of the photo pipeline that keeps what it put and published."""

import struct
import zlib
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from processor.steps import photo
from processor.steps.photo_decode import from_array
from processor.steps.photo_vips import pyvips
from processor.task import Facts, Made, Mark, Task

Rows = NDArray[np.uint8]


@dataclass
class Outcome:
    """What `photo.process` made: renditions by name, and at each publication the names that were put before it."""

    made: dict[str, Made] = field(default_factory=dict)
    published: list[tuple[Facts, set[str]]] = field(default_factory=list)

    @property
    def facts(self) -> Facts:
        return self.published[-1][0]

    def open(self, name: str) -> Image.Image:
        return Image.open(BytesIO(self.made[name].path.read_bytes()))


def process(path: Path, scratch: Path, max_pixels: int = 200_000_000, mark: Mark | None = None) -> Outcome:
    outcome = Outcome()
    scratch.mkdir(exist_ok=True)
    photo.process(
        Task(
            asset_id="01J0000000000000000000000A",
            filename=path.name,
            original=path,
            scratch=scratch,
            max_pixels=max_pixels,
            max_video_seconds=0,
            put=lambda made: outcome.made.update({made.name: made}),
            publish=lambda facts: outcome.published.append((facts, set(outcome.made))),
            progress=lambda percent, stage: None,
            mark=mark,
        )
    )
    return outcome


def private_exif() -> Image.Exif:
    """A camera, a name and a place."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x013B] = "SecretCam", "Model 1", "Jane Doe"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    return exif


def quadrants(width: int = 96, height: int = 64) -> Rows:
    """Red and green above, blue and white below: every turn and mirror image of it differs."""
    rows = np.full((height, width, 3), 255, np.uint8)
    rows[: height // 2, : width // 2] = (220, 20, 20)
    rows[: height // 2, width // 2 :] = (20, 200, 20)
    rows[height // 2 :, : width // 2] = (20, 20, 220)
    return rows


def patches(colours: list[tuple[int, ...]], side: int = 32) -> NDArray[np.uint8]:
    """Flat squares in a row."""
    return np.repeat(np.repeat(np.array([colours], np.uint8), side, axis=0), side, axis=1)


def centre(image: Image.Image, index: int, side: int = 32) -> NDArray[np.int64]:
    """The colour in the middle of the patch number `index`."""
    pixel = image.getpixel((index * side + side // 2, side // 2))
    return np.array(pixel, np.int64)


# --- Profiles ---------------------------------------------------------------------------------------------------------

ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457), 2.19921875)
PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491), 1.8)
"""Colorants as XYZ under D50, and the gamma."""


def matrix_profile(red: tuple[float, ...], green: tuple[float, ...], blue: tuple[float, ...], gamma: float) -> bytes:
    """A version 2 display profile (ICC.1:2001-04): three colorants, one curve."""

    def xyz(values: tuple[float, ...]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(79)
    tags = {
        b"desc": text,
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
        b"rXYZ": xyz(red),
        b"gXYZ": xyz(green),
        b"bXYZ": xyz(blue),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, at = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += padded
    size = at + len(body)
    header = struct.pack(">I4xI4s4s4s12x4s28x", size, 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    header += struct.pack(">iii", round(0.9642 * 65536), 65536, round(0.8249 * 65536))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def built_in_profile(name: str) -> bytes:
    """One of the profiles that libvips carries: `p3`, `cmyk`, `srgb`."""
    grey = from_array(np.full((4, 4, 3), 128, np.uint8))
    return bytes(grey.icc_transform(name).get("icc-profile-data"))


def converted(image: Image.Image, profile: bytes) -> Image.Image:
    """The reference: LittleCMS by Pillow, relative colorimetric with black point compensation."""
    made = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert made is not None
    return made


# --- Files that lie ---------------------------------------------------------------------------------------------------


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes whose header promises `width` x `height` pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(10_000))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def gif_of(frames: int, width: int, height: int) -> bytes:
    """A GIF with as many frames as asked for, in 19 bytes each: every one is a single dot on the canvas."""
    start = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return start + frame * frames + b"\x3b"


def tiff_of(pages: int, side: int) -> bytes:
    out = BytesIO()
    page = Image.new("1", (side, side))
    page.save(out, "TIFF", compression="group4", save_all=True, append_images=[page] * (pages - 1))
    return out.getvalue()


def jpeg_with_scans(scans: int, rows: Rows) -> bytes:
    """A progressive JPEG whose last scan is repeated: each costs a pass over the picture."""
    out = BytesIO()
    Image.fromarray(rows).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + data[-2:]


def with_alpha(rows: Rows, alpha: Rows) -> Image.Image:
    return Image.fromarray(np.dstack([rows, alpha]))


def sixteen_bits(rows: NDArray[np.uint16], path: Path) -> Path:
    """PNG or TIFF, by the name, of 16-bit RGB or RGBA."""
    height, width, bands = rows.shape
    image = pyvips.Image.new_from_memory(rows.tobytes(), width, height, bands, "ushort").copy(interpretation="rgb16")
    image.write_to_file(str(path))
    return path
