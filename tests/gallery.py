"""Albums full of real photographs, made without the processing pipeline: what pages need, in the shape it leaves.

The photographs are those of Debian's `mate-backgrounds`. They are resized once a test run and stored many times.
"""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from sqlalchemy import insert

from processor.steps import photo_placeholder
from processor.steps import place as places
from processor.task import Facts, Made
from tenants import search
from tenants.blanks import Blanks
from tenants.catalog import (
    POSITION_STEP,
    Album,
    Asset,
    AssetState,
    Kind,
    Rendition,
    Visibility,
    create_album,
)
from tenants.filenames import sort_name
from tenants.names import new_id, original_key, rendition_key
from tenants.scope import Site

PHOTOS = Path("/usr/share/backgrounds/mate/nature")
FORMATS = (("jpg", "JPEG", "image/jpeg"), ("webp", "WEBP", "image/webp"))


@dataclass(frozen=True)
class Shot:
    """A photograph's renditions: bytes, media type, width and height by name."""

    path: Path
    size: tuple[int, int]
    dominant: str
    thumbhash: str
    renditions: dict[str, tuple[bytes, str, int, int]]


def sources() -> list[Path]:
    return sorted(PHOTOS.glob("*.jpg"))


@lru_cache(maxsize=64)
def shot(path: Path, shape: float | None = None, widths: tuple[int, ...] = (320, 640)) -> Shot:
    """The photograph, cropped to an aspect ratio if one is given, at the widths."""
    with Image.open(path) as original:
        original.draft("RGB", (max(widths) * 2, max(widths) * 2))
        image = original.convert("RGB")
    if shape is not None:
        image = ImageOps.fit(image, _largest(image.size, shape))
    hint = image.convert("RGBA")
    hint.thumbnail((100, 100))
    pixels = np.asarray(hint)
    made = {}
    for width in widths:
        small = image.resize((width, round(width * image.height / image.width)), reducing_gap=2.0)
        for extension, pillow, content_type in FORMATS:
            file = BytesIO()
            small.save(file, pillow, quality=78)
            made[f"w{width}.{extension}"] = (file.getvalue(), content_type, small.width, small.height)
    return Shot(
        path,
        image.size,
        photo_placeholder.dominant(pixels),
        b64encode(photo_placeholder.thumbhash(pixels)).decode(),
        made,
    )


def _largest(size: tuple[int, int], shape: float) -> tuple[int, int]:
    width, height = size
    return (width, round(width / shape)) if width / height < shape else (round(height * shape), height)


def add_photo(
    site: Site,
    album: Album,
    picture: Shot,
    *,
    place: int = 1,
    taken_at: datetime | None = None,
    filename: str | None = None,
    caption: str = "",
    media: dict[str, str] | None = None,
    original: bool = False,
) -> Asset:
    """A READY photo with its rendition files; the original's bytes too when they are asked for."""
    content = picture.path.read_bytes() if original else b""
    name = filename or picture.path.name
    asset = Asset(
        tenant_id=site.tenant_id,
        id=new_id(),
        album_id=album.id,
        kind=Kind.PHOTO,
        state=AssetState.READY,
        filename=name,
        sort_name=sort_name(name),
        caption=caption,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        content_type="image/jpeg",
        width=picture.size[0],
        height=picture.size[1],
        taken_at=taken_at or site.now(),
        taken_offset=120 if taken_at else None,
        has_capture_time=taken_at is not None,
        dominant=picture.dominant,
        thumbhash=picture.thumbhash,
        position=place * POSITION_STEP,
        generation=1,
        fence=1,
        blanks=(places.look(picture.path, Kind.PHOTO, "image/jpeg") if original else Blanks()).stored(),
        created_at=site.now(),
        ready_at=site.now(),
    )
    site.session.add(asset)
    site.session.flush()
    _store(site, asset.id, picture)
    if original:
        site.blobs.put(original_key(site.tenant_id, asset.id, asset.sha256), content, content_type="image/jpeg")
    search.index(site.session, site.tenant_id, asset.id, camera=(media or {}).get("camera", ""))
    if media:
        asset_id = asset.id
        site.session.commit()  # The media store writes on a connection of its own.
        site.media.put(asset_id, media)
    return asset


def add_film(site: Site, album: Album, made: dict[str, tuple[Path, Made]], facts: Facts, *, place: int = 1) -> Asset:
    """A READY video out of what the video step put and learnt."""
    asset = add_waiting(site, album, AssetState.READY, place=place)
    for name, (path, rendition) in made.items():
        site.blobs.put(rendition_key(site.tenant_id, asset.id, 1, name), path, content_type=rendition.content_type)
        site.session.add(
            Rendition(
                tenant_id=site.tenant_id,
                asset_id=asset.id,
                generation=1,
                name=name,
                content_type=rendition.content_type,
                width=rendition.width,
                height=rendition.height,
                size=path.stat().st_size,
            )
        )
    asset.kind, asset.generation, asset.filename = Kind.VIDEO, 1, "film.mp4"
    asset.width, asset.height, asset.duration = facts.width, facts.height, facts.duration
    site.session.flush()
    return asset


def _store(site: Site, asset_id: str, picture: Shot) -> None:
    for rendition, (data, content_type, width, height) in picture.renditions.items():
        site.blobs.put(rendition_key(site.tenant_id, asset_id, 1, rendition), data, content_type=content_type)
        site.session.add(
            Rendition(
                tenant_id=site.tenant_id,
                asset_id=asset_id,
                generation=1,
                name=rendition,
                content_type=content_type,
                width=width,
                height=height,
                size=len(data),
            )
        )


def develop(site: Site, asset_id: str, picture: Shot) -> None:
    """Let a waiting asset become a READY photo."""
    asset = site.session.get_one(Asset, (site.tenant_id, asset_id))
    _store(site, asset_id, picture)
    asset.kind, asset.state, asset.generation = Kind.PHOTO, AssetState.READY, 1
    asset.width, asset.height = picture.size
    site.session.flush()


def add_waiting(site: Site, album: Album, state: AssetState = AssetState.PROCESSING, *, place: int = 1) -> Asset:
    """An asset with nothing to see yet, or ever."""
    asset = Asset(
        tenant_id=site.tenant_id,
        id=new_id(),
        album_id=album.id,
        state=state,
        filename="waiting.jpg",
        sort_name="waiting.jpg",
        sha256="0" * 64,
        size=1,
        taken_at=site.now(),
        position=place * POSITION_STEP,
        created_at=site.now(),
    )
    site.session.add(asset)
    site.session.flush()
    return asset


def fill(site: Site, album: Album, count: int, *, shapes: Sequence[float | None] = (None, 0.75, 1.5, 1.0)) -> list[str]:
    """`count` photos of varied shapes, a minute apart; their ids in order of capture."""
    paths, start = sources(), datetime.fromisoformat("2024-06-03T09:00:00+00:00")
    return [
        add_photo(
            site,
            album,
            shot(paths[number % len(paths)], shapes[number % len(shapes)]),
            place=number + 1,
            taken_at=start + timedelta(minutes=number),
            filename=f"IMG_{number + 1}.jpg",
        ).id
        for number in range(count)
    ]


def _height(number: int) -> int:
    """Of a photo 3,000 pixels wide: five of ten lie and two stand, as cameras make them, three are cropped."""
    return 2000 if number % 10 < 5 else 4500 if number % 10 < 7 else 1500 + number * 7 % 2400


def fill_rows(site: Site, album: Album, count: int) -> list[str]:
    """Rows of `count` READY photos without files, many at the same moment; their ids in order of capture."""
    start = datetime.fromisoformat("2024-06-03T09:00:00+00:00")
    ids = sorted(new_id() for _ in range(count))
    common = {"tenant_id": site.tenant_id}
    site.session.execute(
        insert(Asset),
        [
            {
                **common,
                "id": asset_id,
                "album_id": album.id,
                "kind": Kind.PHOTO,
                "state": AssetState.READY,
                "filename": f"IMG_{number}.jpg",
                "sort_name": sort_name(f"IMG_{number % 7}.jpg"),
                "sha256": f"{number:064x}",
                "size": 1,
                "width": 3000,
                "height": _height(number),
                "taken_at": start + timedelta(seconds=number // 5),
                "has_capture_time": True,
                "position": (number // 3) * POSITION_STEP,
                "generation": 1,
                "fence": 1,
                "created_at": start,
            }
            for number, asset_id in enumerate(ids)
        ],
    )
    site.session.execute(
        insert(Rendition),
        [
            {
                **common,
                "asset_id": asset_id,
                "generation": 1,
                "name": f"w{width}.{extension}",
                "content_type": f"image/{kind}",
                "width": width,
                "height": width * _height(number) // 3000,
                "size": 1,
            }
            for number, asset_id in enumerate(ids)
            for width in (320, 640, 1280)
            for extension, kind in (("jpg", "jpeg"), ("webp", "webp"))
        ],
    )
    return ids


def public_album(site: Site, title: str) -> Album:
    return create_album(site.session, site.tenant_id, title, now=site.now(), visibility=Visibility.PUBLIC)
