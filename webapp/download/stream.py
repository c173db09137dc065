"""An archive's bytes on their way to a client, in constant memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import structlog
from flask import Flask, current_app
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from infra.crc import crc32_of
from infra.errors import BlobMissing
from infra.sql import reading
from tenants import delivered, healing
from tenants.catalog import Asset, Rendition
from tenants.names import RenditionKey, new_id
from tenants.scope import TenantBlobs, open_site
from tenants.usage import Meter
from webapp.download.archive import Archive, Content
from webapp.download.choice import File

log = structlog.get_logger(__name__)

CHUNK = 256 * 1024
SAVED_AT_ONCE = 100


class Checksums:
    """CRC-32s of the files. One that nobody has computed yet is computed once, by reading the file, and kept."""

    def __init__(self, files: list[File], blobs: TenantBlobs) -> None:
        self._files, self._blobs = files, blobs
        self._fresh: dict[int, int] = {}
        self._unsaved: list[int] = []

    def __call__(self, number: int) -> int:
        known = self._files[number].crc32
        return known if known is not None else self._computed(number)

    def _computed(self, number: int) -> int:
        if number not in self._fresh:
            with self._blobs.open(self._files[number].key) as stream:
                self._fresh[number] = crc32_of(stream)
            self._unsaved.append(number)
            if len(self._unsaved) >= SAVED_AT_ONCE:
                self.save()
        return self._fresh[number]

    def save(self) -> None:
        """In a transaction of its own. What cannot be saved now is computed again by a later download."""
        if not self._unsaved:
            return
        try:
            with reading(False), open_site(self._blobs.tenant_id) as site:
                for number in self._unsaved:
                    site.session.execute(
                        self._update(self._files[number], self._fresh[number]),
                        execution_options={"synchronize_session": False},
                    )
                site.session.commit()
        except (SQLAlchemyError, LookupError) as error:
            log.warning("checksums not kept", error=str(error))
        self._unsaved.clear()

    def _update(self, file: File, crc32: int) -> Any:
        own = self._blobs.tenant_id
        if file.rendition is None:
            return update(Asset).where(Asset.tenant_id == own, Asset.id == file.asset_id).values(crc32=crc32)
        generation, name = file.rendition
        return (
            update(Rendition)
            .where(
                Rendition.tenant_id == own,
                Rendition.asset_id == file.asset_id,
                Rendition.generation == generation,
                Rendition.name == name,
            )
            .values(crc32=crc32)
        )


class Stream:
    """The body of one response: bytes of the archive. `close` must be called, as WSGI servers do."""

    def __init__(
        self, archive: Archive, files: list[File], blobs: TenantBlobs, *, window: tuple[int, int], album_id: str
    ) -> None:
        """`window` is the offset of the first byte, and how many."""
        self._archive, self._files, self._blobs = archive, files, blobs
        self._start, self._stop = window[0], sum(window)
        self._album_id = album_id
        self._app = cast(Flask, current_app._get_current_object())  # type: ignore[attr-defined]
        self._crc = Checksums(files, blobs)
        self._sent = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._archive.part(self._start, self._stop, self._checksum):
            for chunk in self._read(piece) if isinstance(piece, Content) else (piece,):
                yield chunk
                self._sent += len(chunk)

    def _checksum(self, number: int) -> int:
        with self._app.app_context(), self._healing(number):  # The request's own has ended: bodies come after it.
            return self._crc(number)

    def _read(self, piece: Content) -> Iterator[bytes]:
        """Raises `EOFError` for an object that is shorter than it was: a cut connection says so to the client."""
        left, key, found = piece.length, self._files[piece.entry].key, self._files[piece.entry].blanks
        with self._healing(piece.entry), self._blobs.open(key, piece.start, piece.length) as stream:
            while left:
                chunk = stream.read(min(CHUNK, left))
                if not chunk:
                    raise EOFError(f"{key} ends {left} bytes early")
                at = piece.start + piece.length - left
                left -= len(chunk)
                yield found.laid_over(chunk, at) if found else chunk

    @contextmanager
    def _healing(self, number: int) -> Iterator[None]:
        """Have a rendition that is lost made again. This download ends; the next one finds it."""
        try:
            yield
        except BlobMissing:
            file = self._files[number]
            if file.rendition is not None:
                with self._app.app_context(), open_site(self._blobs.tenant_id) as site:
                    lost = RenditionKey(site.tenant_id, file.asset_id, *file.rendition)
                    healing.ask(site, lost, why="a download misses it")
            raise

    def close(self) -> None:
        """Keep what was computed, and record what was delivered: what the client took, not what it asked for."""
        with self._app.app_context():
            self._crc.save()
            if self._sent and delivered.of_app() is not None:
                self._record()

    def _record(self) -> None:
        try:
            with reading(False), open_site(self._blobs.tenant_id) as site:
                site.use(f"download:{new_id()}", Meter.DELIVERED, self._sent, album_id=self._album_id)
                site.session.commit()
        except (SQLAlchemyError, LookupError) as error:
            log.error("a delivery is not recorded", bytes=self._sent, album=self._album_id, error=str(error))
