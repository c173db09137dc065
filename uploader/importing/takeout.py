"""Google Photos by Google Takeout: side files in JSON, cut names, numbers in brackets, a copy in each album's folder.

What is here was learnt from exports; Google documents none of it. A file's side file has its name with `.json` or,
since 2024, `.supplemental-metadata.json` behind it, where all before `.json` is cut to 46 characters; a number that
Google added to a name comes right before `.json`. Edited copies and the films of live photos have none of their own.
"""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from tenants import portable
from tenants.filenames import sort_name
from uploader.importing.plain import NO_MEDIA
from uploader.importing.plan import MOST_CAPTION, Details, Plan, PlannedAlbum, PlannedFile, is_media
from uploader.importing.source import Entry, Source

CUT = 46
"""Characters that Google leaves of a side file's name before `.json`."""
_LONG = ".supplemental-metadata"
_NUMBERED = re.compile(r"^(?P<stem>.*)\((?P<number>\d{1,5})\)$", re.DOTALL)
_EDITED = ("edited", "bearbeitet", "modifié", "editado", "modificato", "bewerkt", "edytowane", "redigerad", "muokattu")
_YEAR = re.compile(
    r"(Photos from|Fotos von|Photos de|Photos de l'année|Fotos del?|Foto del|Foto's uit|Fotos uit|Zdjęcia z|Foton från)"
    r" (?P<year>(19|20)\d\d)"
)
_MOST_SIDE = 1024 * 1024
IN_ALBUM = "it is in the album “%s” as well, and is imported there"
TRASHED = "it was in the trash at Google"


def recognised(source: Source) -> bool:
    """Whether this looks like a Takeout: a side file with a capture time, as Google writes it."""
    sides = [path for path in source.entries if path.endswith(".json")]
    return any("photoTakenTime" in _side(source, path) for path in sides[:200])


def read(source: Source) -> Plan:
    plan = Plan("takeout", skipped=list(source.skipped))
    folders: dict[str, list[Entry]] = {}
    for path, entry in source.entries.items():
        if is_media(entry.name):
            folders.setdefault(entry.folder, []).append(entry)
        elif not path.endswith(".json"):
            plan.skip(path, NO_MEDIA)
    # Albums before years: what is in an album is left out of its year.
    ordered = sorted(folders, key=lambda folder: (bool(_YEAR.fullmatch(_last(folder))), sort_name(folder)))
    placed: dict[tuple[str, str, int], str] = {}
    for folder in ordered:
        _folder(source, plan, folder, folders[folder], placed)
    return plan


def _folder(
    source: Source, plan: Plan, folder: str, entries: list[Entry], placed: dict[tuple[str, str, int], str]
) -> None:
    about = _album(source, folder)
    title = portable.text(about.get("title"), 200) or _last(folder) or source.name
    is_year = _YEAR.fullmatch(_last(folder)) is not None
    sides = Sides(path for path in source.inside(folder) if path.endswith(".json"))
    files = []
    for entry in sorted(entries, key=lambda entry: sort_name(entry.path)):
        same = (entry.name, entry.mark, entry.size)
        if is_year and same in placed:
            plan.skip(entry.path, IN_ALBUM % placed[same])
            continue
        side = sides.of(entry.name, {each.name for each in entries})
        known = _side(source, side) if side else {}
        if known.get("trashed") is True:
            plan.skip(entry.path, TRASHED)
            continue
        if not is_year:
            placed.setdefault(same, title)
        files.append(
            PlannedFile(
                entry,
                folder,
                _full_name(entry.name, known),
                lambda side=side: details(_side(source, side) if side else {}),  # type: ignore[misc]
            )
        )
    if files:
        plan.albums.append(PlannedAlbum(folder, title, portable.text(about.get("description"), 5000)))
        plan.files += files


class Sides:
    """The side files of one folder, by what is left of the name of the file that they are about."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_name: dict[tuple[str, str], str] = {}
        for path in paths:
            stem, number = _number(PurePosixPath(path).name.removesuffix(".json"))
            self._by_name.setdefault((stem, number), path)

    def of(self, name: str, beside: set[str] = frozenset()) -> str | None:  # type: ignore[assignment]
        """The path of the side file of a photo or video; None if it has none. `beside` are files in the same folder."""
        for stem, number in _candidates(name, beside):
            found = self._longest(stem, number)
            if found is not None:
                return found
        return None

    def _longest(self, name: str, number: str) -> str | None:
        """The side file whose name is the longest beginning of the file's name with Google's addition."""
        whole = name + _LONG
        for length in range(len(whole), min(CUT, len(name)) - 1, -1):
            if (path := self._by_name.get((whole[:length], number))) is not None:
                return path
        return self._by_name.get((PurePosixPath(name).stem, number))  # Long ago the extension was left out.


def _candidates(name: str, beside: set[str]) -> list[tuple[str, str]]:
    """Names and numbers that the side file may go by: the file's own, its unedited one's, its live photo's."""
    path = PurePosixPath(name)
    stem, number = _number(path.stem)
    # `a(1).jpg` belongs to `a.jpg(1).json`; a camera's own brackets are in `a(1).jpg.json`.
    found = [(name, ""), (stem + path.suffix, number)] if number else [(name, "")]
    edited = (ending for ending in _EDITED if stem.lower().endswith(f"-{ending}"))
    found += [(stem[: -len(ending) - 1] + path.suffix, number) for ending in edited]
    if path.suffix.lower() in (".mp4", ".mov"):
        stills = (still for still in sorted(beside) if PurePosixPath(still).stem == path.stem and still != name)
        found += [candidate for still in stills for candidate in _candidates(still, set())]
    return found


def _number(name: str) -> tuple[str, str]:
    """`IMG.jpg(2)` to `IMG.jpg` and `2`."""
    found = _NUMBERED.match(name)
    return (found["stem"], found["number"]) if found else (name, "")


def _full_name(name: str, side: dict[str, Any]) -> str:
    """The name that the file had before Google cut it, if the side file is about this very file."""
    title = portable.text(side.get("title"), 255)
    given, full = PurePosixPath(name), PurePosixPath(title)
    cut = len(given.stem) >= CUT - len(given.suffix) and full.stem.startswith(given.stem)
    return title if title and cut and full.suffix.lower() == given.suffix.lower() else name


def _last(folder: str) -> str:
    return PurePosixPath(folder).name if folder else ""


def _album(source: Source, folder: str) -> dict[str, Any]:
    """What an album's own file tells (`metadata.json`, whose name is in the account's language)."""
    for path in source.inside(folder):
        if path.endswith(".json"):
            found = _side(source, path)
            if "title" in found and "photoTakenTime" not in found and ({"date", "access", "description"} & set(found)):
                return found
    return {}


def _side(source: Source, path: str) -> dict[str, Any]:
    try:
        found = json.loads(source.read(path, _MOST_SIDE) or b"null")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def details(side: dict[str, Any]) -> Details:
    """Caption, capture time (Google knows it in UTC) and place. Faces that Google named are nobody else's business."""
    return Details(
        caption=portable.text(side.get("description"), MOST_CAPTION),
        taken_at=_moment(side.get("photoTakenTime")),
        place=_place(side.get("geoData")) or _place(side.get("geoDataExif")),
    )


def _moment(given: Any) -> datetime | None:
    try:
        found = datetime.fromtimestamp(int(given["timestamp"]), tz=UTC)
    except (TypeError, KeyError, ValueError, OverflowError, OSError):
        return None
    return found if found.year > 1800 else None


def _place(given: Any) -> tuple[float, float] | None:
    """Zero and zero are how Google says that it knows of none."""
    try:
        place = float(given["latitude"]), float(given["longitude"])
    except (TypeError, KeyError, ValueError):
        return None
    return place if place != (0.0, 0.0) and abs(place[0]) <= 90 and abs(place[1]) <= 180 else None
