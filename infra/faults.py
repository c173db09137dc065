"""The place where a test kills this process. Does nothing unless ``VITRINE_FAULTS`` names a folder.

A test arms a point by putting a file with the point's name into that folder; the file holds a signal's name. The first
process that comes by takes the file away and sends itself the signal, so each armed file strikes exactly once, whatever
number of processes pass the point. With `PAUSE` in the file it waits there for a signal from elsewhere.
"""

import contextlib
import os
import signal
from pathlib import Path

_FOLDER = os.environ.get("VITRINE_FAULTS", "")


def point(name: str) -> None:
    """Pass the point `name`, such as `claim` or `write-hls/master.m3u8` (the slash becomes a hyphen)."""
    if not _FOLDER:
        return
    armed = Path(_FOLDER) / name.replace("/", "-")
    with contextlib.suppress(FileNotFoundError):
        taken = armed.with_name(f".{armed.name}.{os.getpid()}")
        armed.rename(taken)
        what = taken.read_text().strip()
        if what == "PAUSE":
            signal.pause()
        else:
            os.kill(os.getpid(), signal.Signals[what])
