"""Real photographs for measurements: the freely licensed ones that Debian packages.

`mate-backgrounds` is a dependency of the sample album and so always there. More of them, many at a camera's full
size, come from `lomiri-wallpapers-20.04`, `lomiri-wallpapers-16.04` and `ukui-wallpapers`; installed or unpacked
(`apt-get download PACKAGE; dpkg -x PACKAGE*.deb FOLDER`), their folder is an argument of the scripts.
"""

import subprocess
import sys
from pathlib import Path

from PIL import Image

FOLDERS = (Path("/usr/share/backgrounds/mate/nature"), Path("/usr/share/backgrounds/lomiri"))
MIN_PIXELS = 1_300_000


def photographs(folders: list[Path]) -> list[Path]:
    """JPEG files below `folders` (or the default ones) of at least `MIN_PIXELS`, by name."""
    found = []
    for path in sorted(path for folder in folders or FOLDERS for path in folder.rglob("*.jpg")):
        with Image.open(path) as image:
            if image.width * image.height >= MIN_PIXELS:
                found.append(path)
    if not found:
        raise SystemExit("no photographs found: apt install mate-backgrounds, or name a folder")
    return found


def at_megapixels(source: Path, megapixels: int, folder: Path) -> Path:
    """The photograph as a JPEG of about that many megapixels with a camera's quality, made once.

    One that has nearly that size is taken as it came from the camera; others are resized (enlarged, mostly: then the
    decoder has a somewhat easier file than a camera's, on both sides of a comparison alike).
    """
    with Image.open(source) as image:
        factor = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
        if 0.95 < factor < 1.05:
            return source
        target = folder / f"{source.stem}-{megapixels}mp.jpg"
        if not target.exists():
            size = (round(image.width * factor), round(image.height * factor))
            enlarged = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
            enlarged.save(target, quality=92, subsampling="4:2:0", icc_profile=image.info.get("icc_profile"))
    return target


def in_new_process(module: str, *arguments: str) -> str:
    """Standard output of `python -m module`, so that one measurement's memory and caches do not help the next."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=root).stdout
