"""CPU seconds a photo against sharp (npm): the same widths, formats and effort, one core each, in one run.

    npm ci --prefix tests/bench
    python -m tests.bench.photo [--limit N] [FOLDER ...]

Real photographs (see photographs.py) as 12 and 24 megapixel JPEG. Ours is the whole of `photo.process`, with
metadata and placeholder; sharp makes just the renditions. Both use their encoders' fastest effort, and qualities are
set for equal SSIM, that of the 2048 and 640 pixel renditions to the original scaled by Pillow in one step.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from processor.steps.photo_encode import AOM_SETTINGS, JPEG, JPEG_SETTINGS, MODERN
from processor.steps.photo_resize import WIDTHS, ladder
from tests.bench.photographs import at_megapixels, in_new_process, photographs
from tests.bench.ssim import ssim

HERE = Path(__file__).parent
COMPARED = (2048, 640)
ROUNDS = 3
IQ_QUALITY = 67
"""sharp's AVIF quality for the SSIM that ours has at its own number: medians of modern_format.py."""

PEERS = {
    "sharp": {"full_decode": True, "tuned_for_psnr": False},
    "sharp, half-scale decode": {"full_decode": False, "tuned_for_psnr": False},
    "sharp, AVIF tuned for PSNR": {"full_decode": True, "tuned_for_psnr": True},
}
"""The first is the peer of the target: it decodes all pixels, as ours does, for the same SSIM. The second lets sharp
decode a large JPEG at half scale (its default), which costs it SSIM. The third gives it libaom's cheapest tuning, which
is not sharp's default. Ours encodes AVIF by SVT-AV1, which sharp does not have."""


@dataclass(frozen=True)
class Figures:
    """One photo on one side: CPU seconds, sum of the renditions in bytes, SSIM by rendition name."""

    cpu: float
    size: int
    likeness: dict[str, float]


def sharp_settings(*, full_decode: bool, tuned_for_psnr: bool) -> dict[str, Any]:
    """Ours in sharp's words.

    sharp's own tuning of AVIF (`iq`) needs another quality number for the same SSIM: modern_format.py measures both.
    """
    tuned = {"quality": AOM_SETTINGS["Q"], "tune": AOM_SETTINGS["tune"]} if tuned_for_psnr else {"quality": IQ_QUALITY}
    sampling = {"chromaSubsampling": "4:2:0"}
    return {
        "fastShrinkOnLoad": not full_decode,
        "jpeg": {"quality": JPEG_SETTINGS["quality"], "optimiseCoding": JPEG_SETTINGS["optimize"], **sampling},
        "modernFormat": MODERN.suffix,
        "modern": {"effort": AOM_SETTINGS["effort"], **tuned, **sampling},
    }


def work(file: Path) -> dict[str, Any]:
    with Image.open(file) as image:
        return {"path": str(file), "sizes": ladder(*image.size)}


def run_sharp(files: list[Path], out: Path, **how: bool) -> list[dict[str, float]]:
    out.mkdir(exist_ok=True)
    settings = out / "settings.json"
    settings.write_text(json.dumps({"files": [work(file) for file in files], "out": str(out), **sharp_settings(**how)}))
    command = ["node", "sharp_peer.mjs", str(settings)]
    environment = {"PATH": os.environ["PATH"], "VIPS_CONCURRENCY": "1"}
    text = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE, env=environment).stdout
    return [json.loads(line) for line in text.splitlines()]


def run_ours(files: list[Path], out: Path) -> list[dict[str, float]]:
    text = in_new_process("tests.bench.photo_worker", str(out), *map(str, files))
    return [json.loads(line) for line in text.splitlines()]


def figures(line: dict[str, float], folder: Path, references: dict[int, Image.Image]) -> Figures:
    names = [f"w{width}.{form.suffix}" for width in WIDTHS for form in (JPEG, MODERN)]
    likeness = {}
    for width, reference in references.items():
        for form in (JPEG, MODERN):
            with Image.open(folder / f"w{width}.{form.suffix}") as made:
                likeness[f"w{width}.{form.suffix}"] = ssim(made, reference)
    size = sum((folder / name).stat().st_size for name in names)
    return Figures(line["cpu"], size, likeness)


def references(file: Path) -> dict[int, Image.Image]:
    with Image.open(file) as image:
        plain = image.convert("RGB")
        sizes = [size for size in ladder(*image.size) if size[0] in COMPARED]
        return {size[0]: plain.resize(size, Image.Resampling.LANCZOS) for size in sizes}


def least(rounds: list[list[dict[str, float]]]) -> list[dict[str, float]]:
    """Of each photo the round with the least CPU: what a busy neighbour adds is not the program's."""
    return [min(lines, key=lambda line: line["cpu"]) for lines in zip(*rounds, strict=True)]


def compare(megapixels: int, files: list[Path], folder: Path) -> dict[str, list[float]]:
    """Print a table for one size; ratios by peer. The sides take turns, `ROUNDS` times."""
    our_rounds, peer_rounds = [], {name: [] for name in PEERS}
    for _ in range(ROUNDS):
        our_rounds.append(run_ours(files, folder / "ours"))
        for name, how in PEERS.items():
            peer_rounds[name].append(run_sharp(files, folder / name, **how))
    truths = [references(file) for file in files]
    ours = [figures(line, folder / "ours" / str(i), truths[i]) for i, line in enumerate(least(our_rounds))]
    peers = {name: least(rounds) for name, rounds in peer_rounds.items()}
    ratios: dict[str, list[float]] = {}
    for name, peer_lines in peers.items():
        print(f"\n{megapixels} MP against {name}")
        print(
            "                  peer CPU   our CPU  RATIO    kB peer/ours   SSIM ours - peer: "
            + ", ".join(ours[0].likeness)
        )
        differences = []
        for i, line in enumerate(peer_lines):
            peer, mine = figures(line, folder / name / str(i), truths[i]), ours[i]
            ratios.setdefault(name, []).append(mine.cpu / peer.cpu)
            differences.append([mine.likeness[made] - peer.likeness[made] for made in mine.likeness])
            print(
                f"{files[i].stem[:16]:16} {peer.cpu:7.3f} s {mine.cpu:7.3f} s  {ratios[name][-1]:.2f}x "
                f"{peer.size / 1000:7.0f}/{mine.size / 1000:.0f}   " + " ".join(f"{d:+.4f}" for d in differences[-1])
            )
        means = " ".join(f"{statistics.fmean(column):+.4f}" for column in zip(*differences, strict=True))
        print(f"mean RATIO {statistics.fmean(ratios[name]):.3f}x, mean SSIM differences {means}")
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--limit", type=int, default=5, help="Only so many photographs (default 5).")
    arguments = parser.parse_args()
    found = photographs(arguments.folders)
    chosen = found[:: max(1, len(found) // arguments.limit)][: arguments.limit]
    totals: dict[str, list[float]] = {name: [] for name in PEERS}
    with tempfile.TemporaryDirectory() as name:
        for megapixels in (12, 24):
            folder = Path(name) / str(megapixels)
            folder.mkdir()
            files = [at_megapixels(path, megapixels, folder) for path in chosen]
            for peer, ratios in compare(megapixels, files, folder).items():
                totals[peer] += ratios
            alone = json.loads(in_new_process("tests.bench.photo_worker", str(folder / "rss"), str(files[0])))
            print(f"\npeak RSS of a process for one {megapixels} MP photo: {alone['rss'] / 2**20:.0f} MB")
    print()
    for peer, ratios in totals.items():
        print(f"mean RATIO over both sizes against {peer}: {statistics.fmean(ratios):.3f}x")


if __name__ == "__main__":
    main()
