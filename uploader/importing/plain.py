"""Folders of photos: each folder with photos becomes an album inside of that of the folder around it."""

from pathlib import PurePosixPath

from tenants.filenames import sort_name
from uploader.importing.plan import Plan, PlannedAlbum, PlannedFile, is_media
from uploader.importing.source import Source

NO_MEDIA = "it is neither a photo nor a video"


def read(source: Source, title: str = "") -> Plan:
    """`title` is the outermost album's; the source's name by default."""
    plan = Plan("plain", skipped=list(source.skipped))
    files = []
    for path, entry in source.entries.items():
        if is_media(entry.name):
            files.append(entry)
        else:
            plan.skip(path, NO_MEDIA)
    wanted: set[str] = set()
    for entry in files:
        wanted |= {"", *(str(parent) for parent in PurePosixPath(entry.path).parents if str(parent) != ".")}
    for folder in sorted(wanted, key=lambda folder: (folder.count("/") + bool(folder), sort_name(folder))):
        around = str(PurePosixPath(folder).parent)
        plan.albums.append(
            PlannedAlbum(
                folder,
                PurePosixPath(folder).name if folder else title or source.name,
                parent=None if not folder else "" if around == "." else around,
            )
        )
    files.sort(key=lambda entry: sort_name(entry.path))
    plan.files = [PlannedFile(entry, entry.folder, entry.name) for entry in files]
    return plan
