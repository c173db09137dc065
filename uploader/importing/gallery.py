"""Lychee and Piwigo: their folder of files together with their database, as it is (SQLite) or as a dump (`.sql`).

Paths in a database are looked up among the source's files and nowhere else, so they lead nowhere.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from tenants import portable
from tenants.catalog import Ordering, Visibility
from uploader.importing.dump import Rows, of_mysql, of_sqlite
from uploader.importing.plain import NO_MEDIA
from uploader.importing.plan import MOST_CAPTION, Details, Plan, PlannedAlbum, PlannedFile, is_media, outermost_first
from uploader.importing.source import Entry, Source

LYCHEE = ("base_albums", "albums", "photos", "size_variants", "photo_album", "tags", "photos_tags")
PIWIGO = ("categories", "images", "image_category", "image_tag", "tags")
_ORIGINAL = 0
"""Lychee's size variant of the file as it was uploaded (`SizeVariantType::ORIGINAL`)."""
UNSORTED = "Unsorted"


def find(source: Source) -> tuple[str, Rows] | None:
    """`lychee` or `piwigo` with the rows of its tables, if the source has such a database."""
    for path, entry in source.entries.items():
        if path.endswith((".sqlite", ".sqlite3", ".db")):
            rows = of_sqlite(entry, LYCHEE)
            if rows.get("photos") and "size_variants" in rows:
                return "lychee", rows
        elif path.endswith(".sql"):
            rows = of_mysql(entry, PIWIGO)
            if rows["images"] and "path" in rows["images"][0]:
                return "piwigo", rows
            rows = of_mysql(entry, LYCHEE)
            if rows["photos"] and rows["size_variants"]:
                return "lychee", rows
    return None


def read(source: Source, kind: str, rows: Rows) -> Plan:
    plan = Plan(kind, skipped=list(source.skipped))
    used = (_lychee if kind == "lychee" else _piwigo)(source, plan, rows)
    # Smaller pictures that the gallery made of its originals are not told of one by one.
    made = ("thumb", "small", "medium", "_data", "i.php", "raw", "placeholder")
    for path, entry in source.entries.items():
        if path not in used and is_media(entry.name) and not any(part in made for part in PurePosixPath(path).parts):
            plan.skip(path, "the database of the gallery knows no photo there")
        elif path not in used and not is_media(entry.name) and not path.endswith((".sql", ".sqlite", ".db")):
            plan.skip(path, NO_MEDIA)
    _leave_out_empty(plan)
    return plan


def _lychee(source: Source, plan: Plan, rows: Rows) -> set[str]:
    base = {str(row.get("id")): row for row in rows.get("base_albums", [])}
    tree = {str(row.get("id")): row for row in rows.get("albums", [])}
    for key in outermost_first({key: _id(row.get("parent_id")) for key, row in tree.items()}):
        about = {**tree[key], **base.get(key, {})}
        plan.albums.append(
            PlannedAlbum(
                key,
                portable.text(about.get("title"), 200) or "Album",
                portable.text(about.get("description"), 5000),
                parent=parent if (parent := _id(tree[key].get("parent_id"))) in tree else None,
            )
        )
    paths = {
        str(row.get("photo_id")): str(row.get("short_path"))
        for row in rows.get("size_variants", [])
        if row.get("type") == _ORIGINAL
    }
    names = {row.get("id"): row.get("name") for row in rows.get("tags", [])}
    labels: dict[str, list[str]] = {}
    for row in rows.get("photos_tags", []):
        labels.setdefault(str(row.get("photo_id")), []).append(str(names.get(row.get("tag_id")) or ""))
    places: dict[str, list[str]] = {}
    for row in rows.get("photo_album", []):
        places.setdefault(str(row.get("photo_id")), []).append(str(row.get("album_id")))
    files = _Files(source, plan, set(tree))
    for row in rows.get("photos", []):
        key = str(row.get("id"))
        albums = places.get(key) or [str(row.get("album_id") or "")]
        tags = labels.get(key) or str(row.get("tags") or "").split(",")
        title = portable.text(row.get("title"), 255)
        files.add(paths.get(key, ""), albums, title, partial(_details, row, "description", tags))
    return files.used


def _piwigo(source: Source, plan: Plan, rows: Rows) -> set[str]:
    tree = {str(row.get("id")): row for row in rows["categories"]}
    for key in outermost_first({key: _id(row.get("id_uppercat")) for key, row in tree.items()}):
        about = tree[key]
        parent = _id(about.get("id_uppercat"))
        plan.albums.append(
            PlannedAlbum(
                key,
                portable.text(about.get("name"), 200) or "Album",
                portable.text(about.get("comment"), 5000),
                parent=parent if parent in tree else None,
                fields={
                    "ordering": Ordering.CAPTURED,
                    "visibility": Visibility.PRIVATE if about.get("status") == "private" else Visibility.UNLISTED,
                },
            )
        )
    names = {row.get("id"): row.get("name") for row in rows["tags"]}
    labels: dict[str, list[str]] = {}
    for row in rows["image_tag"]:
        labels.setdefault(str(row.get("image_id")), []).append(str(names.get(row.get("tag_id")) or ""))
    places: dict[str, list[str]] = {}
    for row in rows["image_category"]:
        places.setdefault(str(row.get("image_id")), []).append(str(row.get("category_id")))
    files = _Files(source, plan, set(tree))
    for row in rows["images"]:
        key = str(row.get("id"))
        tags = labels.get(key, [])
        name = portable.text(row.get("file"), 255)
        files.add(
            str(row.get("path") or ""),
            places.get(key, [""]),
            name,
            partial(_details, row, "comment", tags),
        )
    return files.used


class _Files:
    """Finds what a database names among the files, and plans it for each album that it is in."""

    def __init__(self, source: Source, plan: Plan, albums: set[str]) -> None:
        self._source, self._plan, self._albums = source, plan, albums
        self._by_tail: dict[str, list[str]] = {}
        for path in source.entries:
            self._by_tail.setdefault(PurePosixPath(path).name, []).append(path)
        self.used: set[str] = set()

    def add(self, path: str, albums: Iterable[str], name: str, details: Callable[[], Details]) -> None:
        entry = self._entry(path.removeprefix("./"))
        if entry is None:
            self._plan.skip(path or name or "?", "the database names it, and it is not among the files")
            return
        self.used.add(entry.path)
        suffix = PurePosixPath(entry.name).suffix
        filename = name if name.lower().endswith(suffix.lower()) and suffix else f"{name or 'photo'}{suffix}"
        for album in albums:
            known = album if album in self._albums else self._unsorted()
            self._plan.files.append(PlannedFile(entry, known, filename, details))

    def _unsorted(self) -> str:
        if UNSORTED not in self._albums:
            self._albums.add(UNSORTED)
            self._plan.albums.append(PlannedAlbum(UNSORTED, UNSORTED))
        return UNSORTED

    def _entry(self, path: str) -> Entry | None:
        """The file whose path ends so: a database knows paths from its gallery's own folder on."""
        if not path:
            return None
        fits = [
            each
            for each in self._by_tail.get(PurePosixPath(path).name, [])
            if each == path or each.endswith(f"/{path}")
        ]
        return self._source.entries[min(fits, key=len)] if fits else None


def _details(row: dict[str, Any], caption: str, tags: list[str]) -> Details:
    taken = _time(row.get("taken_at") or row.get("date_creation"))
    texts = [portable.text(row.get(caption), MOST_CAPTION)]
    if caption == "comment" and (name := portable.text(row.get("name"), 500)):
        texts.insert(0, name)
    return Details(
        caption="\n".join(filter(None, texts)),
        tags=tuple(filter(None, (portable.text(tag, 100) for tag in tags))),
        taken_at=taken,
        place=_place(row),
    )


def _time(value: Any) -> datetime | None:
    """Galleries keep local times without an offset: that is what a photo without one has here, too."""
    try:
        found = datetime.fromisoformat(str(value).strip()) if value else None
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC) if found is not None and found.year > 1800 else None


def _place(row: dict[str, Any]) -> tuple[float, float] | None:
    try:
        place = float(row["latitude"]), float(row["longitude"])
    except (KeyError, TypeError, ValueError):
        return None
    return place if abs(place[0]) <= 90 and abs(place[1]) <= 180 and place != (0.0, 0.0) else None


def _id(value: Any) -> str | None:
    return None if value in (None, "") else str(value)


def _leave_out_empty(plan: Plan) -> None:
    """Albums without a file of their own, or below them, are not made."""
    wanted = {file.album for file in plan.files}
    parents = {album.key: album.parent for album in plan.albums}
    for key in list(wanted):
        above = parents.get(key)
        while above is not None and above not in wanted:
            wanted.add(above)
            above = parents.get(above)
    plan.albums = [album for album in plan.albums if album.key in wanted]
