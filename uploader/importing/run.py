"""Carry a plan out: albums first, then each file through the same intake as any upload.

It may be stopped at any point and begun again (`tenants/imported.py`). A file is an asset before it is noted; whoever
comes again finds it by its hash and notes it then, so a crash between the two doubles nothing.
"""

import hashlib
import re
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from sqlalchemy import select, update

from infra.attributes import fitted
from infra.errors import Problem
from infra.sql import reading
from tenants import catalog, filenames, imported, nesting, search, tags
from tenants.catalog import Album, Asset
from tenants.privacy import PLACE
from tenants.scope import Site
from tenants.words import tag_word
from uploader import folder
from uploader.importing.plan import Details, Plan, PlannedAlbum, PlannedFile
from uploader.importing.source import Skipped

_CHUNK = 1024 * 1024
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9_]{0,30}(\.[a-z0-9_]{1,30})?")
_MOST_ATTRIBUTES = 40
_ENDS_ALL = ("disk-full", "over-quota", "over-budget", "forbidden")
"""What holds for every other file as well."""


@dataclass
class Report:
    new: int = 0
    known: int = 0
    albums: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    stopped: bool = False


@dataclass
class Importer:
    """`moved` hears of bytes done, `about` of what is being done. `stop` is looked at between files."""

    site: Site
    plan: Plan
    moved: Callable[[int], None] = lambda count: None
    about: Callable[[str], None] = lambda text: None
    stop: threading.Event = field(default_factory=threading.Event)
    report: Report = field(default_factory=Report)
    _albums: dict[str, str] = field(default_factory=dict)
    _assets: dict[str, str] = field(default_factory=dict)

    def run(self, *, visibility: catalog.Visibility | None = None) -> Report:
        """Raises `Problem` for what ends everything: a full disk, a plan without room, an account that is read-only."""
        self.report.skipped += self.plan.skipped
        for album in self.plan.albums:
            self._album(album, visibility)
        for number, file in enumerate(self.plan.files, 1):
            if self.stop.is_set():
                self.report.stopped = True
                return self.report
            self.about(f"{number}/{len(self.plan.files)} {file.filename}")
            self._file(file)
        for album in self.plan.albums:
            self._cover(album)
        return self.report

    def _key(self, kind: str, *parts: str) -> str:
        return imported.key(self.plan.format, kind, *parts)

    # -- albums --

    def _album(self, wanted: PlannedAlbum, visibility: catalog.Visibility | None) -> None:
        site, named = self.site, self._key("album", wanted.key)
        known = imported.find(site.session, site.tenant_id, named)
        if known is not None and not known.trashed:
            self._albums[wanted.key] = known.album_id
            site.session.rollback()
            return
        fields = {**({"visibility": visibility} if visibility else {}), **wanted.fields}
        made = fields.pop("created_at", None)
        album = catalog.create_album(site.session, site.tenant_id, wanted.title, now=site.now(), **fields)
        album.description = wanted.description
        if made is not None:
            album.created_at = made
        if wanted.slug and wanted.slug == filenames.slugify(wanted.slug) and self._is_free(wanted.slug):
            album.slug = wanted.slug
        self._put_inside(album, wanted.parent)
        imported.note(site.session, site.tenant_id, named, album.id, None, now=site.now())
        self._albums[wanted.key] = album.id
        self.report.albums += 1
        site.session.commit()

    def _is_free(self, slug: str) -> bool:
        taken = select(Album.id).where(Album.tenant_id == self.site.tenant_id, Album.slug == slug)
        return self.site.session.scalar(taken) is None

    def _put_inside(self, album: Album, parent_key: str | None) -> None:
        """As deep as albums may be: what is deeper in its source comes to lie beside what is around it."""
        session = self.site.session
        parent_id = self._albums.get(parent_key) if parent_key is not None else None
        while parent_id is not None:
            parent = session.get(Album, (self.site.tenant_id, parent_id))
            if parent is None:
                return
            try:
                nesting.put(session, album, parent)
                return
            except Problem:
                parent_id = nesting.parent_of(session, parent)

    def _cover(self, wanted: PlannedAlbum) -> None:
        asset_id = self._assets.get(wanted.cover) if wanted.cover else None
        album_id = self._albums.get(wanted.key)
        if asset_id is None or album_id is None:
            return
        album = self.site.session.get(Album, (self.site.tenant_id, album_id))
        if album is not None and album.cover_id is None:
            album.cover_id = asset_id
        self.site.session.commit()

    # -- files --

    def _file(self, file: PlannedFile) -> None:
        try:
            asset_id, new = self._bring_in(file)
        except Problem as problem:
            if problem.code in _ENDS_ALL:
                raise
            self.report.skipped.append(Skipped(file.entry.path, problem.detail or problem.title))
        except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, zipfile.LargeZipFile) as error:
            self.site.session.rollback()
            self.report.skipped.append(Skipped(file.entry.path, f"it cannot be read: {error}"))
        else:
            if asset_id is not None:
                self._assets[file.entry.path] = asset_id
            self.report.new += new
            self.report.known += not new

    def _bring_in(self, file: PlannedFile) -> tuple[str | None, bool]:
        """The asset's id (None: it is in the trash), and whether it is new."""
        site, entry = self.site, file.entry
        album_id = self._albums[file.album]
        digest = "" if entry.mark else _sha256(entry.open())
        named = self._key("file", file.album, entry.path, entry.mark or digest)
        with reading():
            known = imported.find(site.session, site.tenant_id, named)
            site.session.rollback()
        if known is not None:
            self.moved(entry.size)
            return (None if known.trashed else known.asset_id), False
        details = file.details()
        digest = digest or _sha256(entry.open())
        if details.sha256 not in (None, digest):
            raise Problem("checksum-mismatch", "it is damaged: its SHA-256 is not the one that is written beside it")
        with reading():
            found = imported.unclaimed(site.session, album_id, digest)
            site.session.rollback()
        if found is not None:
            self.moved(entry.size)
            self._note(found, album_id, named, details)
            return found, False
        with entry.open() as stream:
            asset_id = folder.arrive(site, album_id, file.filename, entry.size, stream, self.moved, sha256=digest)
        self._note(asset_id, album_id, named, details)
        return asset_id, True

    def _note(self, asset_id: str, album_id: str, named: str, details: Details) -> None:
        """What the source knows of the file, and that it is here, in one transaction."""
        site = self.site
        asset = site.session.get_one(Asset, (site.tenant_id, asset_id), populate_existing=True)
        asset.caption = details.caption or asset.caption
        if details.position is not None:
            asset.position = details.position
        if details.tags:
            tags.put(site.session, asset, _labels(details.tags))
        site.session.flush()
        if details.taken_at is not None:
            # By a compare: what a worker has read from the file itself holds.
            times = {"taken_at": details.taken_at, "taken_offset": details.taken_offset}
            site.session.execute(
                update(Asset)
                .where(Asset.tenant_id == site.tenant_id, Asset.id == asset_id, Asset.has_capture_time.is_(False))
                .values(**times, has_capture_time=details.captured)
                .execution_options(synchronize_session=False)
            )
        search.index(site.session, site.tenant_id, asset_id, camera=details.media.get("camera", ""))
        imported.note(site.session, site.tenant_id, named, album_id, asset_id, now=site.now())
        site.session.commit()
        self._attributes(asset_id, details)

    def _attributes(self, asset_id: str, details: Details) -> None:
        """Media attributes that the file itself has not told, the place among them. A worker's own come on top."""
        wanted = {
            name: fitted(value)
            for name, value in list(details.media.items())[:_MOST_ATTRIBUTES]
            if _ATTRIBUTE.fullmatch(name) and value.isprintable()
        }
        if details.place is not None:
            wanted |= dict(zip(PLACE, (f"{degrees:.6f}" for degrees in details.place), strict=True))
        if wanted:
            there = self.site.media.get(asset_id)
            missing = {name: value for name, value in wanted.items() if name not in there}
            if missing:
                self.site.media.put(asset_id, missing)


def _labels(labels: tuple[str, ...]) -> list[str]:
    """Those that are tags here; too long or too many is no reason to lose the others."""
    kept: list[str] = []
    for label in labels:
        try:
            kept += [each for each in tags.parse(label) if each not in kept]
        except Problem:
            continue
    by_word: dict[str, str] = {}
    for label in kept:
        by_word.setdefault(tag_word(label), label)
    return list(by_word.values())[: tags.MOST_TAGS]


def _sha256(stream: BinaryIO) -> str:
    running = hashlib.sha256()
    with stream:
        while chunk := stream.read(_CHUNK):
            running.update(chunk)
    return running.hexdigest()
