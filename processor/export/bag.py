"""A BagIt bag (RFC 8493) as a ZIP file that is written in one go: bytes leave as they are made, and nothing is kept but
the list of names and hashes.

Not by the library `bagit`, which makes bags of folders: it would need the whole tenant on this machine's disk, and read
all of it again for hashes. The tests check our bags with it.
"""

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import BinaryIO

CHUNK = 256 * 1024
_DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_PLAIN_FILE = 0o100644 << 16
_LARGE = 2**31


class _Sink:
    """What `zipfile` writes, until it is taken. Cannot seek, so sizes and checksums follow each file."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None: ...

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class Bag:
    """`add` and `copy` what goes into the payload, then `close`. Each gives the bytes of the archive that are due."""

    def __init__(self, root: str, now: datetime) -> None:
        self._root, self._now = root, now
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", allowZip64=True)  # type: ignore[call-overload]  # it needs no more
        self._payload: list[tuple[str, str]] = []
        self._tags: list[tuple[str, str]] = []
        self._octets = 0

    def add(self, path: str, data: bytes, *, at: datetime | None = None) -> Iterator[bytes]:
        """A document: deflated."""
        self._payload.append((f"data/{path}", hashlib.sha256(data).hexdigest()))
        self._octets += len(data)
        yield from self._write(f"data/{path}", data, at)

    def copy(self, path: str, stream: BinaryIO, size: int, *, at: datetime | None = None) -> Iterator[bytes]:
        """A file of `size` bytes as it is: media do not shrink. `sha256_of` tells its hash afterwards."""
        entry = self._entry(f"data/{path}", at, zipfile.ZIP_STORED)
        running = hashlib.sha256()
        with self._zip.open(entry, "w", force_zip64=size >= _LARGE) as file:
            while chunk := stream.read(CHUNK):
                running.update(chunk)
                self._octets += len(chunk)
                file.write(chunk)
                yield self._sink.take()
        self._payload.append((f"data/{path}", running.hexdigest()))
        yield self._sink.take()

    @property
    def newest_hash(self) -> str:
        """Of what was added last."""
        return self._payload[-1][1]

    def tag(self, path: str, data: bytes) -> Iterator[bytes]:
        """A file beside the payload."""
        self._tags.append((path, hashlib.sha256(data).hexdigest()))
        yield from self._write(path, data, None)

    def close(self, about: Mapping[str, str]) -> Iterator[bytes]:
        """The tag files, with `about` in bag-info.txt, and the archive's directory."""
        info = {
            **about,
            "Bagging-Date": f"{self._now:%Y-%m-%d}",
            "Payload-Oxum": f"{self._octets}.{len(self._payload)}",
        }
        lines = "".join(f"{name}: {' '.join(value.split())}\n" for name, value in info.items())
        yield from self.tag("bagit.txt", _DECLARATION)
        yield from self.tag("bag-info.txt", lines.encode())
        yield from self.tag("manifest-sha256.txt", _manifest(self._payload))
        yield from self._write("tagmanifest-sha256.txt", _manifest(self._tags), None)
        self._zip.close()
        yield self._sink.take()

    def _write(self, path: str, data: bytes, at: datetime | None) -> Iterator[bytes]:
        self._zip.writestr(self._entry(path, at, zipfile.ZIP_DEFLATED), data)
        yield self._sink.take()

    def _entry(self, path: str, at: datetime | None, how: int) -> zipfile.ZipInfo:
        moment = (at or self._now).astimezone(UTC)
        year = min(max(moment.year, 1980), 2107)
        entry = zipfile.ZipInfo(f"{self._root}/{path}", (year, *moment.timetuple()[1:6]))
        entry.compress_type = how
        entry.external_attr = _PLAIN_FILE
        return entry


def _manifest(files: list[tuple[str, str]]) -> bytes:
    """Names hold neither line breaks nor percent signs (`content.fit`), so nothing in them needs encoding (2.1.3)."""
    return "".join(f"{digest}  {path}\n" for path, digest in files).encode()
