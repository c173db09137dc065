"""What only the store of files has behind its ports."""

import os
from pathlib import Path

from infra.local.files import FileBlobs


def test_what_a_killed_writer_left_in_the_store_goes_after_a_day(tmp_path: Path) -> None:
    FileBlobs(tmp_path)
    fresh, old = tmp_path / "scratch/fresh", tmp_path / "scratch/old"
    for left in (fresh, old):
        left.write_bytes(b"half")
    os.utime(old, (0, 0))
    FileBlobs(tmp_path)
    assert list((tmp_path / "scratch").iterdir()) == [fresh]
