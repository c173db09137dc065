"""File names: as they come, as they are sorted, and made fit for every file system of other people's disks."""

import re
from collections.abc import Iterable, Iterator
from unicodedata import normalize

MOST_BYTES = 240
"""File systems take 255 bytes of a name; the rest is for a number and for who unpacks into a longer one."""

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
"""What Windows refuses in a name. The slashes would lead out of the folder anywhere."""

_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)


def sort_name(filename: str) -> str:
    """Natural order as a plain string: digits are padded, so that `img9` comes before `img10`."""
    return re.sub(r"\d+", lambda digits: digits.group().zfill(12), filename.casefold())[:255]


def clean_filename(given: str) -> str:
    """The last path component without control characters; what people see and download, never part of a key."""
    name = re.split(r"[/\\]", given)[-1]
    name = "".join(c for c in name if c.isprintable()).strip(" .")
    return name[-255:] or "unnamed"


def slugify(title: str) -> str:
    """A readable path segment; letters of any script are kept."""
    words = re.findall(r"[^\W_]+", title.casefold())
    return "-".join(words)[:60].strip("-") or "album"


def safe(name: str) -> str:
    """A name for one file in one folder, on Windows, macOS and Linux. Letters of any script stay."""
    kept = _FORBIDDEN.sub("_", normalize("NFC", name)).strip(" .")
    kept = kept or "unnamed"
    if _DEVICE.match(kept):
        kept = f"_{kept}"
    return _fitted(kept, "")


def distinct(names: Iterable[str]) -> Iterator[str]:
    """Each name, or the next free `name (2).jpg`. Names that differ only in case or in how an accent is composed are
    the same to macOS and Windows, and so here."""
    taken: set[str] = set()
    next_number: dict[str, int] = {}
    for given in names:
        name, first = safe(given), _key(safe(given))
        number = next_number.get(first, 1)
        while _key(name) in taken:
            number += 1
            name = _fitted(safe(given), f" ({number})")
        next_number[first] = number
        taken.add(_key(name))
        yield name


def _key(name: str) -> str:
    return normalize("NFC", name.casefold())


def _fitted(name: str, mark: str) -> str:
    """`mark` before the extension, the stem shortened to what fits."""
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension) > 10:
        stem, dot, extension = name, "", ""
    tail = f"{mark}{dot}{extension}"
    room = MOST_BYTES - len(tail.encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(" .") + tail
