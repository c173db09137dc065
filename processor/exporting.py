"""One export job: claim the export, write its archive into the store as it is made, say that it is ready.

At least once, as every job: a second holder writes an archive of its own under its own fence, and `exports.tidy`
removes those that nobody will fetch.
"""

import io
import time
from collections.abc import Iterator
from typing import BinaryIO, cast

import structlog
from structlog.contextvars import bound_contextvars

from infra.access_log import safe_request_id
from infra.errors import BlobExists
from processor.export.content import Box
from processor.jobs import LetGo
from tenants import exports
from tenants.exports import ExportClaim, LostExport
from tenants.names import export_key, is_id
from tenants.scope import Site, open_site, settings

log = structlog.get_logger(__name__)

LONGEST_SECONDS = 12 * 3600
TOLD_SECONDS = 2.0


class Pulled(io.RawIOBase):
    """A stream over an iterator of bytes, for stores that read what they keep."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self._left = parts, memoryview(b"")
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        while not self._left:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._left = memoryview(part)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        self.size += count
        return count


def run(tenant_id: str, export_id: str, message_id: str, attempt: int, trace: str = "") -> None:
    """What an export message asks for. Raises when it should be tried again."""
    if not (is_id(tenant_id) and is_id(export_id)):
        raise ValueError("not the ids of a tenant and an export")
    about: dict[str, object] = {"tenant": tenant_id, "export": export_id, "message": message_id, "attempt": attempt}
    if request_id := safe_request_id(trace):
        about["request_id"] = request_id
    with bound_contextvars(**about, fleet="worker"), open_site(tenant_id) as site:
        held = exports.claim(site, export_id, settings().visibility)
        if held is None:
            log.info("nothing to do: the export is over or someone makes it")
            return
        _make(site, held)


def _make(site: Site, held: ExportClaim) -> None:
    began = time.monotonic()
    keeper = _Keeper(site, held)
    box = Box(site, held.export_id, keeper.told)
    stream = Pulled(_kept_alive(box, keeper))
    key = export_key(site.tenant_id, held.export_id, held.fence)
    try:
        site.blobs.put(key, cast(BinaryIO, stream), content_type="application/zip")
        exports.ready(site, held, stream.size, len(box.missing), box.done)
    except (LostExport, BlobExists) as lost:
        log.warning("export lost, leaving it to its new holder", error=str(lost))
    except BaseException as error:
        site.session.rollback()
        exports.release(site, held)
        if not isinstance(error, LetGo):
            site.metrics.put("job.errors", 1, tenant=site.tenant_id, kind="export", cause="failed")
        raise
    else:
        seconds = time.monotonic() - began
        log.info("export ready", size=stream.size, files=box.done, missing=len(box.missing), seconds=round(seconds, 3))
        site.metrics.put("job.seconds", seconds, unit="Seconds", tenant=site.tenant_id, kind="export")


def _kept_alive(box: Box, keeper: "_Keeper") -> Iterator[bytes]:
    for part in box.parts():
        keeper.look()
        yield part


class _Keeper:
    """Holds on to the export while bytes flow, and says how far it is. A film takes longer than a lease."""

    def __init__(self, site: Site, held: ExportClaim) -> None:
        self._site, self._held = site, held
        self._done = self._total = 0
        self._next = 0.0

    def told(self, done: int, total: int) -> None:
        self._done, self._total = done, total

    def look(self) -> None:
        """Raises `LostExport`."""
        now = time.monotonic()
        if now >= self._next:
            exports.progress(self._site, self._held, self._done, self._total, settings().visibility)
            self._next = now + min(TOLD_SECONDS, settings().visibility / 3)
