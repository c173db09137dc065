"""An export of ours (`tenants/portable.py`), in its ZIP file or unpacked. Its words are checked like anybody's."""

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from tenants import portable
from tenants.catalog import Ordering, Visibility
from tenants.names import is_id
from tenants.portable import ALBUM_FILE, MOST_JSON, SIDE, TENANT_FILE, XMP
from tenants.privacy import Capture
from tenants.registry import Layout
from uploader.importing.plan import MOST_CAPTION, Details, Plan, PlannedAlbum, PlannedFile, outermost_first
from uploader.importing.source import Source

MOST_SIDE = 256 * 1024
WAITS = "a guest added it and nobody had approved it; it is in the archive and stays there"


def root_of(source: Source) -> str | None:
    """The folder in which `tenant.json` is, if the source is an export."""
    for path in source.entries:
        if PurePosixPath(path).name == TENANT_FILE and path.count("/") <= 2:
            found = document(source, path)
            if found.get("format") == portable.FORMAT and found.get("version") == portable.VERSION:
                return path.removesuffix(TENANT_FILE)
    return None


def document(source: Source, path: str, most: int = MOST_JSON) -> dict[str, Any]:
    """The JSON object of that path; an empty one for anything else."""
    try:
        found = json.loads(source.read(path, most) or b"null")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read(source: Source, root: str) -> Plan:
    plan = Plan("vitrine", skipped=list(source.skipped))
    plan.settings = document(source, root + TENANT_FILE)
    brand = f"{root}brand/"
    plan.brand = [entry for path, entry in source.entries.items() if path.startswith(brand)]
    wanted = {
        path.removesuffix(ALBUM_FILE): document(source, path)
        for path in source.entries
        if path.startswith(f"{root}albums/") and path.endswith(f"/{ALBUM_FILE}")
    }
    found = {str(about.get("id")): (folder, about) for folder, about in wanted.items() if is_id(str(about.get("id")))}
    for album_id in outermost_first({key: found[key][1].get("parent") for key in sorted(found)}):
        folder, about = found[album_id]
        covers = {str(file.cover_id): file.path for file in _files(source, plan, folder, about, album_id)}
        cover = covers.get(str(about.get("cover")))
        parent = about.get("parent")
        plan.albums.append(_album(album_id, about, parent if parent in found else None, cover))
    return plan


def _album(album_id: str, about: dict[str, Any], parent: str | None, cover: str | None) -> PlannedAlbum:
    fields = {
        "visibility": portable.member(Visibility, about.get("visibility")) or Visibility.PRIVATE,
        "ordering": portable.member(Ordering, about.get("ordering")) or Ordering.CAPTURED,
        "layout": portable.member(Layout, about.get("layout")),
        "originals": portable.flag(about.get("originals")) or False,
        "place": portable.flag(about.get("place")),
        "marks": portable.flag(about.get("marks")),
    }
    if capture := portable.member(Capture, about.get("capture")):
        fields["capture"] = capture.value
    if made := portable.moment(about.get("created_at")):
        fields["created_at"] = made
    return PlannedAlbum(
        album_id,
        portable.text(about.get("title"), 200) or "Album",
        portable.text(about.get("description"), 5000),
        parent=parent,
        slug=portable.text(about.get("slug"), 80),
        cover=cover,
        fields=fields,
    )


@dataclass(frozen=True)
class _Placed:
    path: str
    cover_id: str | None


def _files(source: Source, plan: Plan, folder: str, about: dict[str, Any], album_id: str) -> list[_Placed]:
    """Plan the files of an album's folder, in the order that `album.json` has them; those that it forgot come last."""
    here = source.inside(folder.removesuffix("/"))
    media = {path for path in here if not path.endswith((SIDE, XMP))}
    named = about.get("files")
    order = [folder + name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    placed = []
    for path in dict.fromkeys((*(path for path in order if path in media), *sorted(media))):
        side = document(source, path + SIDE, MOST_SIDE)
        if side.get("held") is True:
            plan.skip(path, WAITS)
            continue
        entry = source.entries[path]
        filename = portable.text(side.get("filename"), 255) or entry.name
        plan.files.append(
            PlannedFile(entry, album_id, filename, lambda path=path: details(source, path + SIDE))  # type: ignore[misc]
        )
        placed.append(_Placed(path, side.get("id") if isinstance(side.get("id"), str) else None))
    for path in sorted(set(order) - media):
        plan.skip(path, "the album names it, and it is not in the archive")
    return placed


def details(source: Source, path: str) -> Details:
    side = document(source, path, MOST_SIDE)
    labels, media = side.get("tags"), side.get("media")
    digest = side.get("sha256")
    return Details(
        caption=portable.text(side.get("caption"), MOST_CAPTION),
        tags=tuple(portable.text(label, 100) for label in labels) if isinstance(labels, list) else (),
        taken_at=portable.moment(side.get("taken_at")),
        taken_offset=portable.number(side.get("taken_offset"), -1440, 1440),
        captured=portable.flag(side.get("has_capture_time")) or False,
        media={str(k): v for k, v in media.items() if isinstance(v, str)} if isinstance(media, dict) else {},
        position=portable.number(side.get("position"), -(2**62), 2**62),
        sha256=digest if isinstance(digest, str) and len(digest) == 64 else None,
    )
