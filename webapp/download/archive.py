"""A ZIP file as a function of its list of entries: its size, and any part of it, without writing the rest.

Entries are stored, not deflated: photos and videos do not shrink, and only so is every offset known beforehand. Format:
PKWARE APPNOTE 6.3.10, with ZIP64 (4.3.14, 4.5.3) where a size, an offset or the number of entries asks for it. Names
are UTF-8 (general purpose flag bit 11, appendix D); the time of change is in DOS form and, exact, in Info-ZIP's `UT`
field. CRC-32s are in the local headers, not in data descriptors behind the data, which readers of streams cannot skip
in stored entries. So an entry's CRC-32 must be known before its first byte is sent, and no sooner.
"""

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

U16, U32 = 0xFFFF, 0xFFFFFFFF
"""In these fields they mean: look into the ZIP64 record."""

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END64 = struct.Struct("<IQHHIIQQQQ")
_LOCATOR = struct.Struct("<IIQI")
_END = struct.Struct("<IHHHHIIH")

_UTF8 = 1 << 11
_STORED = 0
_NEEDS_ZIP64, _NEEDS_STORED = 45, 10
_MADE_BY_UNIX = 3 << 8 | 45
_PLAIN_FILE = 0o100644 << 16
_TIME_FIELD = struct.Struct("<HHBi")
_ZIP64_FIELD = 0x0001


@dataclass(frozen=True, slots=True)
class Entry:
    """One file. `name` is unique in its archive and at most 65,535 bytes of UTF-8; `size` is bytes."""

    name: str
    size: int
    changed: datetime


@dataclass(frozen=True, slots=True)
class Content:
    """`length` bytes of an entry's file from `start`, to be read from wherever it is."""

    entry: int
    start: int
    length: int


Crc = Callable[[int], int]
"""The CRC-32 of the entry of that number. May have to read it."""


class Archive:
    """The layout: local header and file of each entry in turn, the central directory, the end records.

    Holds some twenty bytes an entry beside the entries themselves.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._starts = list(accumulate((_local_size(entry) + entry.size for entry in entries), initial=0))
        self._records = list(
            accumulate(
                (_central_size(entry, at) for entry, at in zip(entries, self._starts, strict=False)),
                initial=self._starts[-1],
            )
        )
        self._end = _end(len(entries), self._starts[-1], self._records[-1])
        self.size: int = self._records[-1] + len(self._end)

    def part(self, start: int, stop: int, crc: Crc) -> Iterator[bytes | Content]:
        """Bytes from `start` to before `stop`, in order. `crc` is asked for an entry when its header is due, and again
        for the directory."""
        yield from self._files(start, min(stop, self._starts[-1]), crc)
        yield from self._directory(max(start, self._starts[-1]), min(stop, self._records[-1]), crc)
        yield from _cut(self._end, self._records[-1], start, stop)

    def _files(self, start: int, stop: int, crc: Crc) -> Iterator[bytes | Content]:
        number = bisect_right(self._starts, start) - 1
        while start < stop and number < len(self._entries):
            entry, at = self._entries[number], self._starts[number]
            data_at = self._starts[number + 1] - entry.size
            if start < data_at:
                yield from _cut(_local(entry, crc(number)), at, start, stop)
            first, last = max(start, data_at), min(stop, data_at + entry.size)
            if first < last:
                yield Content(number, first - data_at, last - first)
            number += 1
            start = max(start, self._starts[number])

    def _directory(self, start: int, stop: int, crc: Crc) -> Iterator[bytes]:
        number = bisect_right(self._records, start) - 1
        while start < stop and number < len(self._entries):
            record = _central(self._entries[number], self._starts[number], crc(number))
            yield from _cut(record, self._records[number], start, stop)
            number += 1
            start = max(start, self._records[number])


def _cut(data: bytes, at: int, start: int, stop: int) -> Iterator[bytes]:
    """What of `data`, which lies at offset `at`, is between `start` and `stop`."""
    piece = data[max(start - at, 0) : max(stop - at, 0)]
    if piece:
        yield piece


def _local(entry: Entry, crc: int) -> bytes:
    """The local file header (4.3.7)."""
    name, large = entry.name.encode(), entry.size >= U32
    extra = _time(entry) + (_zip64(entry.size, entry.size) if large else b"")
    sizes = (U32, U32) if large else (entry.size, entry.size)
    return b"".join((_LOCAL.pack(0x04034B50, *_common(entry, large), crc, *sizes, len(name), len(extra)), name, extra))


def _local_size(entry: Entry) -> int:
    wide = 4 + 16 if entry.size >= U32 else 0
    return _LOCAL.size + len(entry.name.encode()) + _TIME_FIELD.size + wide


def _central_size(entry: Entry, at: int) -> int:
    wide = 16 * (entry.size >= U32) + 8 * (at >= U32)
    return _CENTRAL.size + len(entry.name.encode()) + _TIME_FIELD.size + (4 + wide if wide else 0)


def _central(entry: Entry, at: int, crc: int) -> bytes:
    """The central directory's record of it (4.3.12). The ZIP64 field holds just the values that need it (4.5.3)."""
    name, large, far = entry.name.encode(), entry.size >= U32, at >= U32
    wide = [entry.size] * 2 * large + [at] * far
    extra = _time(entry) + (_zip64(*wide) if wide else b"")
    sizes = (U32, U32) if large else (entry.size, entry.size)
    fixed = _CENTRAL.pack(
        0x02014B50,
        _MADE_BY_UNIX,
        *_common(entry, bool(wide)),
        crc,
        *sizes,
        len(name),
        len(extra),
        0,  # comment
        0,  # disk
        0,  # internal attributes
        _PLAIN_FILE,
        U32 if far else at,
    )
    return b"".join((fixed, name, extra))


def _common(entry: Entry, zip64: bool) -> tuple[int, int, int, int, int]:
    """Version needed, flags, method, time and date, as both headers have them."""
    changed = entry.changed
    year = min(max(changed.year, 1980), 2107)  # DOS counts 128 years from 1980, in steps of two seconds.
    time = changed.hour << 11 | changed.minute << 5 | changed.second // 2
    date = (year - 1980) << 9 | changed.month << 5 | changed.day
    return _NEEDS_ZIP64 if zip64 else _NEEDS_STORED, _UTF8, _STORED, time, date


def _time(entry: Entry) -> bytes:
    """Info-ZIP's extended timestamp: the time of change in UTC seconds, in 32 bits."""
    seconds = min(max(int(entry.changed.timestamp()), -(2**31)), 2**31 - 1)
    return _TIME_FIELD.pack(0x5455, 5, 1, seconds)


def _zip64(*values: int) -> bytes:
    return struct.pack(f"<HH{len(values)}Q", _ZIP64_FIELD, 8 * len(values), *values)


def _end(count: int, directory: int, end: int) -> bytes:
    """The end of central directory (4.3.16), behind its ZIP64 form and locator where those are needed."""
    length = end - directory
    wide = b""
    if count >= U16 or directory >= U32 or length >= U32:
        needed = _NEEDS_ZIP64
        wide = _END64.pack(0x06064B50, 44, _MADE_BY_UNIX, needed, 0, 0, count, count, length, directory)
        wide += _LOCATOR.pack(0x07064B50, 0, end, 1)
    counted = min(count, U16)
    return wide + _END.pack(0x06054B50, 0, 0, counted, counted, min(length, U32), min(directory, U32), 0)
