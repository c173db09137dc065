"""Folders of tests in memory where there is room, since most of what tests write is read once and thrown away.

On a disk a copy of a PostgreSQL database, a thousand files, took half a second; here a twentieth of one. And SQLite
waits for the disk at each commit: the product's promise is kept, but no test pulls the plug.
"""

import os
import shutil
from pathlib import Path

GIB = 1024**3
_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made in it has a name of its own


def place(room: int, *, programs: bool = False) -> str | None:
    """Where to make a folder that may grow to `room` bytes; None is the usual place. Some tests run `programs` there:
    containers often forbid that."""
    if not _MEMORY.is_dir() or shutil.disk_usage(_MEMORY).free < room:
        return None
    forbidden = os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
    return None if programs and forbidden else str(_MEMORY)


def keep_folders() -> None:
    """Make pytest's `tmp_path` and its like there."""
    if (root := place(6 * GIB, programs=True)) is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", root)
