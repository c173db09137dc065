"""What goes into an export, in order: each album's originals with their side files and pages, then what holds it all.

Rows are read in short transactions, a few hundred at a time, and none is open while bytes flow.
"""

import json
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import func, select

from infra.errors import BlobMissing
from infra.sql import reading
from processor.export.bag import Bag
from processor.export.pages import AlbumPage, Item, Pages
from tenants import guest_data, nesting, portable, tags, watermarks
from tenants.catalog import SHOWN, Album, Asset, Rendition
from tenants.domains import Domain
from tenants.filenames import distinct, safe
from tenants.guests import Guest
from tenants.names import brands_root, original_key, rendition_key
from tenants.ordering import sort_key
from tenants.people import Member
from tenants.portable import AlbumDocument
from tenants.registry import Tenant
from tenants.scope import Site
from tenants.sharing import ShareLink
from tenants.sidecar import xmp

BATCH = 200
THUMB, LARGE = 480, 2560
"""Pixels: the narrowest picture that is at least, and the widest that is at most so wide, go onto the pages."""
MISSING_FILE = "missing.txt"
_LINK_FIELDS = ("label", "level", "allowed", "asks_name", "expires_at", "revoked_at", "visits", "created_at")

Told = Callable[[int, int], None]
"""Hears of files done, of how many."""


@dataclass
class Box:
    """One export under way. `parts` gives the archive; afterwards `missing` names what the store no longer had."""

    site: Site
    export_id: str
    told: Told = lambda done, total: None
    missing: list[str] = field(default_factory=list)
    done: int = 0
    total: int = 0
    _folders: dict[str, str] = field(default_factory=dict)
    _pages: list[AlbumPage] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the folder that everything is in."""
        return f"{self.site.tenant.slug}-{self.site.now():%Y-%m-%d}"

    def parts(self) -> Iterator[bytes]:
        site = self.site
        with reading():
            tenant = site.session.get_one(Tenant, site.tenant_id)
            pages = Pages(tenant.name, tenant.brand, f"{site.now():%Y-%m-%d}")
            name, about = self.name, self._about(tenant)
            albums = _albums(site)
            in_albums = Asset.album_id.in_([album.id for album in albums])
            files = select(func.count()).select_from(Asset).where(Asset.deleted_at.is_(None), in_albums)
            self.total = site.session.scalar(files) or 0
            site.session.rollback()
        bag = Bag(name, site.now())
        self._folders = {
            album.id: f"{number:03d}-{safe(str(album.fields['slug']))[:60]}" for number, album in enumerate(albums, 1)
        }
        for album in albums:
            yield from self._album(bag, pages, album)
        yield from self._brand(bag)
        about["albums"] = [f"albums/{self._folders[album.id]}" for album in albums]
        yield from bag.add(portable.TENANT_FILE, _json(about))
        yield from self._site(bag, pages)
        if self.missing:
            yield from bag.add(MISSING_FILE, "".join(f"{line}\n" for line in self.missing).encode())
        yield from bag.tag("index.html", pages.start("data/site/index.html"))
        yield from bag.close(
            {
                "Source-Organization": str(about["tenant"]["name"]),
                "External-Identifier": self.export_id,
                "Bag-Software-Agent": "Vitrine",
            }
        )

    def _about(self, tenant: Tenant) -> dict[str, Any]:
        session = self.site.session
        own = (Domain.tenant_id == tenant.id,)
        return portable.tenant_document(
            tenant,
            watermarks.of(self.site),
            export=self.export_id,
            exported_at=self.site.now().isoformat(),
            members=[
                {name: portable.plain(getattr(member, name)) for name in ("email", "name", "role", "created_at")}
                for member in session.scalars(select(Member).order_by(Member.id))
            ],
            domains=list(session.scalars(select(Domain.host).where(*own).order_by(Domain.host))),
        )

    # -- an album --

    def _album(self, bag: Bag, pages: Pages, album: AlbumDocument) -> Iterator[bytes]:
        folder = self._folders[album.id]
        page = AlbumPage(
            album.id, folder, str(album.fields["title"]), str(album.fields["description"]), parent=album.parent
        )
        self._pages.append(page)
        with reading():
            named = _names(self.site, album)
            self.site.session.rollback()
        for start in range(0, len(named), BATCH):
            for asset, labels, renditions, name in self._batch(named[start : start + BATCH]):
                media = self.site.media.get(asset.id)
                yield from self._original(bag, folder, asset, labels, media, name)
                if not asset.held:
                    yield from self._pictures(bag, page, asset, renditions, is_cover=asset.id == album.cover)
                self.done += 1
                self.told(self.done, self.total)
        album.files = [name for _, name in named]
        for at in range(len(page.items)):
            yield from bag.add(f"site/{folder}/{page.items[at].page}", pages.photo(page, at))
        yield from bag.add(f"albums/{folder}/{portable.ALBUM_FILE}", _json(album.document()))

    def _batch(self, named: list[tuple[str, str]]) -> list[tuple[Asset, list[str], list[Rendition], str]]:
        session = self.site.session
        ids = [asset_id for asset_id, _ in named]
        with reading():
            assets = {asset.id: asset for asset in session.scalars(select(Asset).where(Asset.id.in_(ids)))}
            labels = tags.of(session, ids)
            pictures: dict[str, list[Rendition]] = {}
            for rendition in session.scalars(_shown_renditions(ids)):
                pictures.setdefault(rendition.asset_id, []).append(rendition)
            session.expunge_all()
            session.rollback()
        return [
            (assets[asset_id], labels.get(asset_id, []), pictures.get(asset_id, []), name)
            for asset_id, name in named
            if asset_id in assets
        ]

    def _original(
        self, bag: Bag, folder: str, asset: Asset, labels: list[str], media: dict[str, str], name: str
    ) -> Iterator[bytes]:
        path = f"albums/{folder}/{name}"
        yield from bag.add(path + portable.SIDE, _json(portable.asset_document(asset, labels, media)))
        yield from bag.add(path + portable.XMP, xmp(asset, labels, media))
        try:
            stream = self.site.blobs.open(original_key(self.site.tenant_id, asset.id, asset.sha256))
        except BlobMissing:
            self.missing.append(f"{path}: the store had this file no more")
            return
        with stream:
            yield from bag.copy(path, stream, asset.size, at=asset.taken_at)
        if bag.newest_hash != asset.sha256:
            self.missing.append(f"{path}: the file in the store is damaged, its SHA-256 was {asset.sha256}")

    def _pictures(
        self, bag: Bag, page: AlbumPage, asset: Asset, renditions: list[Rendition], *, is_cover: bool
    ) -> Iterator[bytes]:
        number = len(page.items) + 1
        stills = sorted(
            (r for r in renditions if r.name.startswith("w") and r.content_type == "image/jpeg" and r.width),
            key=lambda r: r.width or 0,
        )
        wanted: dict[str, Rendition] = {}
        if stills:
            wanted["thumb"] = next((r for r in stills if (r.width or 0) >= THUMB), stills[-1])
            wanted["large"] = [r for r in stills if (r.width or 0) <= LARGE or r is stills[0]][-1]
        if film := next((r for r in renditions if r.name == "video.mp4"), None):
            wanted["film"] = film
        written: dict[str, str] = {}
        for role, rendition in wanted.items():
            file = f"{number:05d}-{rendition.name.rpartition('/')[2]}"
            if file not in written.values() and not (yield from self._rendition(bag, page, file, asset, rendition)):
                continue
            written[role] = file
        large = wanted.get("large")
        label = asset.caption.partition("\n")[0] or asset.filename
        size = (large.width or 0, large.height or 0) if large else (0, 0)
        page.items.append(Item(number, label, asset.caption, **written, width=size[0], height=size[1]))
        if written.get("thumb") and (is_cover or not page.cover):
            page.cover = written["thumb"]

    def _rendition(
        self, bag: Bag, page: AlbumPage, file: str, asset: Asset, rendition: Rendition
    ) -> Generator[bytes, None, bool]:
        """Whether it was there."""
        key = rendition_key(self.site.tenant_id, asset.id, rendition.generation, rendition.name)
        try:
            stream = self.site.blobs.open(key)
        except BlobMissing:  # It can be made again, and the original is there.
            return False
        with stream:
            yield from bag.copy(f"site/{page.folder}/{file}", stream, rendition.size)
        return True

    # -- the rest --

    def _brand(self, bag: Bag) -> Iterator[bytes]:
        for found in self.site.blobs.list(brands_root(self.site.tenant_id)):
            with self.site.blobs.open(found.key) as stream:
                yield from bag.copy(f"brand/{PurePosixPath(found.key).name}", stream, found.size)

    def _site(self, bag: Bag, pages: Pages) -> Iterator[bytes]:
        yield from bag.add("site/style.css", pages.style())
        for page in self._pages:
            self._borrow_cover(page)
            yield from bag.add(f"site/{page.folder}/index.html", pages.album(page, self._pages))
        yield from bag.add("site/index.html", pages.home(self._pages))

    def _borrow_cover(self, page: AlbumPage) -> None:
        """A collection without photos shows the first cover of what is in it."""
        below = page
        while not page.cover:
            inner = next((each for each in self._pages if each.parent == below.id), None)
            if inner is None:
                return
            if inner.cover:
                page.cover = inner.cover if inner.cover.startswith("../") else f"../{inner.folder}/{inner.cover}"
            below = inner


def _albums(site: Site) -> list[AlbumDocument]:
    """Live albums, each behind the one that it is in. One within a deleted album is on top."""
    session = site.session
    live = {
        album.id: album for album in session.scalars(select(Album).where(Album.deleted_at.is_(None)).order_by(Album.id))
    }
    parents = {row.album_id: row.parent_id for row in session.scalars(select(nesting.AlbumParent))}
    placed: dict[str, AlbumDocument] = {}

    def place(album: Album, depth: int = 0) -> None:
        parent = live.get(parents.get(album.id, "")) if depth < nesting.MOST_LEVELS else None
        if parent is not None and parent.id not in placed:
            place(parent, depth + 1)
        if album.id not in placed:
            placed[album.id] = _document(site, album, parent.id if parent else None)

    for album in live.values():
        place(album)
    return list(placed.values())


def _document(site: Site, album: Album, parent: str | None) -> AlbumDocument:
    links = site.session.scalars(select(ShareLink).where(ShareLink.album_id == album.id).order_by(ShareLink.id))
    guests = site.session.scalars(select(Guest).where(Guest.album_id == album.id).order_by(Guest.id))
    return AlbumDocument(
        album.id,
        portable.album_fields(album),
        parent=parent,
        cover=album.cover_id,
        links=[{name: portable.plain(getattr(link, name)) for name in _LINK_FIELDS} for link in links],
        guests=[guest_data.about(site.session, guest) for guest in guests],
    )


def _names(site: Site, album: AlbumDocument) -> list[tuple[str, str]]:
    """Ids and names of the album's files, in its order."""
    stored = site.session.get_one(Album, (site.tenant_id, album.id))
    rows = site.session.execute(
        select(Asset.id, Asset.filename)
        .where(Asset.album_id == album.id, Asset.deleted_at.is_(None))
        .order_by(sort_key(stored.ordering), Asset.id)
    ).all()
    return list(zip([row.id for row in rows], distinct(fit(row.filename) for row in rows), strict=True))


def fit(filename: str) -> str:
    """A name that is no side file's, and that needs no encoding in a manifest."""
    name = filename.replace("%", "_")
    return f"{name}_" if name.lower().endswith((portable.SIDE, portable.XMP)) else name


def _shown_renditions(ids: Iterable[str]) -> Any:
    published = (
        (Asset.tenant_id == Rendition.tenant_id)
        & (Asset.id == Rendition.asset_id)
        & (Asset.generation == Rendition.generation)
    )
    wanted = select(Rendition).join(Asset, published)
    return wanted.where(
        Asset.id.in_(list(ids)),
        Asset.state.in_(SHOWN),
        Rendition.name.not_like("hls/%"),
        Rendition.name.not_like("m/%"),
    )


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1).encode()
