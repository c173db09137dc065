"""A window onto a file."""

import io
from typing import BinaryIO


class BoundedReader(io.BufferedIOBase, BinaryIO):
    """At most `length` bytes of `file` from `start`; closes the file with itself."""

    def __init__(self, file: BinaryIO, start: int, length: int | None) -> None:
        self._file = file
        file.seek(start)
        self._left = length

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if self._left is None:
            return self._file.read(-1 if size is None else size)
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        data = self._file.read(wanted)
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()
