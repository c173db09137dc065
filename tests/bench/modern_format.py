"""WebP or AVIF: CPU and bytes of each at the same likeness to the picture, on many real photographs.

    python -m tests.bench.modern_format [FOLDER ...]

For every photograph and width the target is the SSIM that the JPEG rendition reaches. Each candidate's quality is
searched until it reaches the same; bytes and CPU seconds are those of that quality (interpolated between the two
nearest whole ones). RATIO is candidate / WebP at method 4, the peer that everybody uses.
"""

import argparse
import io
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from processor.steps.photo_avif import write_avif
from processor.steps.photo_decode import from_array
from processor.steps.photo_encode import JPEG_SETTINGS
from processor.steps.photo_vips import pyvips
from tests.bench.photographs import photographs
from tests.bench.ssim import ssim

WIDTHS = (640, 1280)
PEER = "webp method 4"
Encoder = Callable[[pyvips.Image, int], bytes]
"""At a quality from 0 to 100."""


def vips(saver: str, **settings: Any) -> Encoder:
    def encode(pixels: pyvips.Image, quality: int) -> bytes:
        return bytes(pyvips.Operation.call(f"{saver}_buffer", pixels, Q=quality, keep="none", **settings))

    return encode


def svt(pixels: pyvips.Image, quality: int) -> bytes:
    with tempfile.NamedTemporaryFile(suffix=".avif") as file:
        write_avif(pixels.numpy(), Path(file.name), crf=round(63 * (1 - quality / 100)))
        return Path(file.name).read_bytes()


AOM: dict[str, Any] = {"compression": "av1", "effort": 0, "subsample_mode": "on"}
JPEG = vips("jpegsave", optimize_coding=True, subsample_mode="on")
CANDIDATES: dict[str, Encoder] = {
    PEER: vips("webpsave", effort=4),
    "avif tune iq": vips("heifsave", **AOM),
    "avif tune psnr": vips("heifsave", **AOM, tune="psnr"),
    "avif svt": svt,
}


@dataclass(frozen=True)
class Point:
    """One encoding: `quality` as the encoder counts it, `size` bytes, `cpu` seconds."""

    quality: float
    likeness: float
    size: float
    cpu: float


def encoding(pixels: pyvips.Image, encoder: Encoder, quality: int) -> Point:
    before = time.process_time()
    data = encoder(pixels, quality)
    cpu = time.process_time() - before
    with Image.open(io.BytesIO(data)) as back:
        return Point(quality, ssim(Image.fromarray(pixels.numpy()), back), len(data), cpu)


def at_likeness(encode: Callable[[int], Point], target: float) -> Point | None:
    """Bisect over whole qualities, then interpolate; None if no quality reaches the target from both sides."""
    low, high = encode(20), encode(98)
    if not low.likeness <= target <= high.likeness:
        return None
    while high.quality - low.quality > 1:
        middle = encode(int(low.quality + high.quality) // 2)
        low, high = (middle, high) if middle.likeness <= target else (low, middle)
    part = (target - low.likeness) / ((high.likeness - low.likeness) or 1)
    return Point(
        low.quality + part,
        target,
        low.size + part * (high.size - low.size),
        low.cpu + part * (high.cpu - low.cpu),
    )


def measure(path: Path, width: int) -> dict[str, Point] | None:
    """Each candidate's point for one photograph at one width."""
    with Image.open(path) as original:
        if original.width <= width:
            return None
        height = round(original.height * width / original.width)
        image = original.convert("RGB").resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)
    pixels = from_array(np.asarray(image))
    target = encoding(pixels, JPEG, JPEG_SETTINGS["quality"]).likeness
    points = {name: at_likeness(partial(encoding, pixels, encoder), target) for name, encoder in CANDIDATES.items()}
    found = {name: point for name, point in points.items() if point is not None}
    return found if len(found) == len(points) else None


def geometric(values: list[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--limit", type=int, default=0, help="Only so many photographs.")
    arguments = parser.parse_args()
    paths = photographs(arguments.folders)[: arguments.limit or None]
    rows: list[tuple[str, int, dict[str, Point]]] = []
    for path in paths:
        for width in WIDTHS:
            if points := measure(path, width):
                rows.append((path.stem, width, points))
                peer, fast = points[PEER], points["avif svt"]
                print(
                    f"{path.stem[:32]:32} {width:5}  webp {peer.size / 1000:6.1f} kB {peer.cpu:.3f} s"
                    f"   avif bytes x {fast.size / peer.size:.2f}  CPU x {fast.cpu / peer.cpu:.2f}",
                    flush=True,
                )
    print(f"\n{len({name for name, _, _ in rows})} photographs, {len(rows)} pictures, at the SSIM of their JPEG")
    print("candidate        quality (median, range)   bytes RATIO (worst)   total bytes   CPU RATIO   total CPU")
    for name in CANDIDATES:
        mine, peers = [row[2][name] for row in rows], [row[2][PEER] for row in rows]
        sizes = [a.size / b.size for a, b in zip(mine, peers, strict=True)]
        qualities = sorted(point.quality for point in mine)
        print(
            f"{name:16} {statistics.median(qualities):6.1f}  {qualities[0]:4.0f}-{qualities[-1]:3.0f}"
            f"{geometric(sizes):18.2f} ({max(sizes):.2f})"
            f"{sum(p.size for p in mine) / sum(p.size for p in peers):14.2f}"
            f"{geometric([a.cpu / b.cpu for a, b in zip(mine, peers, strict=True)]):12.2f}"
            f"{sum(p.cpu for p in mine) / sum(p.cpu for p in peers):12.2f}"
        )


if __name__ == "__main__":
    main()
