"""An original without the place where it was taken: the same file, of the same size, with those bytes blanked.

The processor finds the bytes (`processor/steps/place.py`) and they are kept beside the asset; whoever sends the file
lays them over it on the way. So nothing is stored twice, ranges and resuming work as before, and the file that the
tenant keeps is the one that was uploaded.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, BinaryIO

from tenants.catalog import Album
from tenants.people import Role
from tenants.privacy import shows_place
from tenants.registry import Tenant
from tenants.sharing import Viewer


@dataclass(frozen=True)
class Patch:
    """`fill`, `times` over, from byte `start` on."""

    start: int
    fill: bytes
    times: int = 1

    @property
    def stop(self) -> int:
        return self.start + len(self.fill) * self.times


@dataclass(frozen=True)
class Blanks:
    """In order and apart from each other; none for a file that tells no place. `crc32` is the blanked file's, if
    anything is blanked.

    `possible` is False for a file whose place cannot be taken out, such as a film with a track of positions.
    """

    patches: tuple[Patch, ...] = ()
    crc32: int | None = None
    possible: bool = True

    def laid_over(self, chunk: bytes, at: int) -> bytes:
        """`chunk`, which begins at byte `at` of the original, as it leaves."""
        first = bisect_right([patch.stop for patch in self.patches], at)
        changed: bytearray | None = None
        for patch in self.patches[first:]:
            if patch.start >= at + len(chunk):
                break
            changed = bytearray(chunk) if changed is None else changed
            start, stop = max(patch.start, at), min(patch.stop, at + len(chunk))
            skipped = (start - patch.start) % len(patch.fill)
            repeated = patch.fill * ((stop - start) // len(patch.fill) + 2)
            changed[start - at : stop - at] = repeated[skipped : skipped + stop - start]
        return chunk if changed is None else bytes(changed)

    def file(self, whole: BinaryIO, at: int = 0) -> "BlankedFile":
        return BlankedFile(whole, self, at)

    def stored(self) -> dict[str, Any]:
        """For the asset's column."""
        return {
            "patches": [[patch.start, patch.fill.hex(), patch.times] for patch in self.patches],
            "crc32": self.crc32,
            "possible": self.possible,
        }


class BlankedFile:
    """A file that is read from start to end, from byte `at` of the original on, as it leaves."""

    def __init__(self, whole: BinaryIO, blanks: Blanks, at: int) -> None:
        self._whole, self._blanks, self._at = whole, blanks, at

    def read(self, size: int = -1) -> bytes:
        chunk = self._whole.read(size)
        self._at += len(chunk)
        return self._blanks.laid_over(chunk, self._at - len(chunk))

    def close(self) -> None:
        self._whole.close()


def of(stored: dict[str, Any] | None) -> Blanks | None:
    """From the asset's column; None while nobody has looked."""
    if stored is None:
        return None
    patches = tuple(Patch(start, bytes.fromhex(fill), times) for start, fill, times in stored["patches"])
    return Blanks(patches, stored["crc32"], stored["possible"])


def wanted(viewer: Viewer, tenant: Tenant, album: Album) -> bool:
    """Whether this viewer's originals of the album leave without their place: everybody's, unless the tenant lets pages
    tell it, but for those who may edit the album."""
    edits = viewer.role is not None and viewer.role.at_least(Role.EDITOR)
    return not (edits or shows_place(tenant, album))
