"""The pages of an export: plain HTML with pictures beside it, which any browser opens from a disk, without scripts.

They show what the site's visitors could see in the best case, in every album: no capture data, no place, no guests.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel.support import NullTranslations, Translations
from jinja2 import Environment, FileSystemLoader

from infra.errors import N_
from tenants.registry import Brand

_HERE = Path(__file__).parent
_CATALOGUES = _HERE.parents[1] / "webapp" / "translations"

WORDS = {
    "albums": N_("Albums"),
    "previous": N_("Previous"),
    "next": N_("Next"),
    "photo": N_("Photo"),
    "video": N_("Video"),
    "nothing": N_("No picture of this file was ready when the export was made. The file itself is in it."),
    "empty": N_("This album has no photos of its own."),
    "start": N_("Start here"),
    "made": N_("Exported on %(day)s"),
    "inside": N_("Open the pages"),
    "originals": N_("Your original files, each with what you wrote about it beside it"),
}


@dataclass(frozen=True)
class Item:
    """A file on the pages. `thumb`, `large` and `film` are names beside the page; empty where there is none."""

    number: int
    label: str
    caption: str
    thumb: str = ""
    large: str = ""
    film: str = ""
    width: int = 0
    height: int = 0

    @property
    def page(self) -> str:
        return f"{self.number:05d}.html"


@dataclass
class AlbumPage:
    """`folder` is its folder's name below `site/`."""

    id: str
    folder: str
    title: str
    description: str
    parent: str | None = None
    cover: str = ""
    """The thumbnail of the cover, beside the album's page."""
    items: list[Item] = field(default_factory=list)


class Pages:
    """Draws pages in the tenant's language and accent colour."""

    def __init__(self, name: str, brand: Brand, made: str) -> None:
        locale = brand.locale or "en"
        catalogue = Translations.load(str(_CATALOGUES), [locale.replace("-", "_"), locale.partition("-")[0]])
        self._common: dict[str, Any] = {
            "name": name,
            "tagline": brand.tagline,
            "lang": locale,
            "words": _words(catalogue),
            "made": catalogue.gettext(WORDS["made"]) % {"day": made},
        }
        self._accent = brand.accent

    def style(self) -> bytes:
        return (_HERE / "templates" / "style.css").read_text().replace("#3a5a78", self._accent).encode()

    def start(self, target: str) -> bytes:
        """The file beside the payload that people find first."""
        return self._draw("start.html", target=target)

    def home(self, albums: list[AlbumPage]) -> bytes:
        return self._draw("home.html", albums=[album for album in albums if album.parent is None])

    def album(self, album: AlbumPage, albums: list[AlbumPage]) -> bytes:
        parent = next((each for each in albums if each.id == album.parent), None)
        below = [each for each in albums if each.parent == album.id]
        return self._draw("album.html", album=album, parent=parent, below=below)

    def photo(self, album: AlbumPage, at: int) -> bytes:
        """`at` counts the album's items from 0."""
        items = album.items
        previous = items[at - 1] if at else None
        following = items[at + 1] if at + 1 < len(items) else None
        return self._draw("photo.html", album=album, item=items[at], previous=previous, following=following)

    def _draw(self, template: str, **about: Any) -> bytes:
        return _environment().get_template(template).render(**self._common, **about).encode()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )


def _words(catalogue: NullTranslations) -> dict[str, str]:
    return {name: catalogue.gettext(word) for name, word in WORDS.items()}
