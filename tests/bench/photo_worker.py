"""Our side of photo.py, in a process of its own: `python -m tests.bench.photo_worker OUT FILE...`.

Prints one JSON line a file: CPU seconds of this process for the whole of `photo.process`, and its peak RSS in bytes.
"""

import json
import re
import sys
import time
from pathlib import Path

from processor.steps import photo
from processor.task import Task


def develop(original: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    photo.process(
        Task(
            asset_id="bench",
            filename=original.name,
            original=original,
            scratch=folder,
            max_pixels=200_000_000,
            max_video_seconds=0,
            put=lambda made: None,
            publish=lambda facts: None,
            progress=lambda percent, stage: None,
        )
    )


def peak_rss() -> int:
    """Bytes. Not getrusage's ru_maxrss, which a process inherits from the one that started it."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


def main() -> None:
    out, *files = map(Path, sys.argv[1:])
    develop(files[0], out / "0")  # Warms up: libraries load, tables are built.
    for index, file in enumerate(files):
        before = time.process_time()
        develop(file, out / str(index))
        cpu = time.process_time() - before
        print(json.dumps({"cpu": cpu, "rss": peak_rss()}))


if __name__ == "__main__":
    main()
