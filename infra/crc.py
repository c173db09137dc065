"""CRC-32 as ZIP has it (ISO 3309, zlib's), of a stream in constant memory."""

import zlib
from typing import Protocol

_CHUNK = 256 * 1024


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def crc32_of(stream: Readable) -> int:
    """From where the stream stands to its end."""
    running = 0
    while chunk := stream.read(_CHUNK):
        running = zlib.crc32(chunk, running)
    return running
