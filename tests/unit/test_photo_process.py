"""The whole of `photo.process`: sizes, orientation, order of publication, animation, and nothing private left."""

import re
from pathlib import Path

import numpy as np
import pytest
from pictures import private_exif, process, quadrants
from PIL import Image, ImageOps

from processor.steps.photo_resize import ladder
from processor.task import Rejected
from tenants.catalog import Kind

SECRETS = (b"Exif", b"GPS", b"http://ns.adobe.com", b"SecretCam", b"Jane Doe", b"ICC_PROFILE", b"acsp", b"holiday")


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((4000, 3000), [(320, 240), (640, 480), (1280, 960), (2048, 1536)]),
        ((2048, 1000), [(320, 156), (640, 312), (1280, 625), (2048, 1000)]),
        ((900, 600), [(320, 213), (640, 427), (900, 600)]),
        ((640, 480), [(320, 240), (640, 480)]),
        ((100, 80), [(100, 80)]),
        ((1, 1), [(1, 1)]),
        ((30_000, 1_000), [(320, 11), (640, 21), (1280, 43), (2048, 68)]),
        ((60_000, 1), [(320, 1), (640, 1), (1280, 1), (2048, 1)]),
        ((900, 40_000), [(184, 8192)]),
        ((2_000, 10_000), [(320, 1600), (640, 3201), (1280, 6402), (1638, 8192)]),
    ],
)
def test_the_ladder_never_upscales_and_bounds_the_height(
    size: tuple[int, int], expected: list[tuple[int, int]]
) -> None:
    assert ladder(*size) == expected


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_is_applied(tmp_path: Path, orientation: int, form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned"
    Image.fromarray(quadrants()).save(path, form, exif=exif)
    outcome = process(path, tmp_path / "out")
    with Image.open(path) as original:
        upright = ImageOps.exif_transpose(original).convert("RGB")
    assert (outcome.facts.width, outcome.facts.height) == upright.size
    for suffix in ("jpg", "avif"):
        shown = outcome.open(f"w{upright.width}.{suffix}").convert("RGB")
        assert shown.size == upright.size
        for x in (0.25, 0.75):
            for y in (0.25, 0.75):
                at = (int(upright.width * x), int(upright.height * y))
                difference = np.subtract(shown.getpixel(at), upright.getpixel(at))
                assert np.abs(difference).max() <= 30, (suffix, at)


def test_jpeg_is_published_before_the_modern_format(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(quadrants(900, 600)).save(path)
    outcome = process(path, tmp_path / "out")
    (first, then), (second, finally_) = outcome.published
    assert then == {"w320.jpg", "w640.jpg", "w900.jpg"}
    assert finally_ == then | {"w320.avif", "w640.avif", "w900.avif"}
    assert first == second
    assert (first.kind, first.content_type, first.width, first.height) == (Kind.PHOTO, "image/jpeg", 900, 600)
    assert first.thumbhash
    assert re.fullmatch("#[0-9a-f]{6}", first.dominant or "")
    for made in outcome.made.values():
        with Image.open(made.path) as rendition:
            assert rendition.size == (made.width, made.height)
            assert made.content_type == Image.MIME[rendition.format or ""]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_nothing_private_is_left_in_any_rendition(tmp_path: Path, form: str) -> None:
    path = tmp_path / "holiday"
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>http://ns.adobe.com Jane Doe</x:xmpmeta>"
    more = {"comment": "Jane Doe"} if form == "JPEG" else {}
    if form in ("JPEG", "WEBP", "AVIF"):
        more["xmp"] = xmp
    Image.fromarray(quadrants(400, 300)).save(path, form, exif=private_exif(), **more)
    assert b"SecretCam" in path.read_bytes()
    outcome = process(path, tmp_path / "out")
    assert len(outcome.made) == 4
    for made in outcome.made.values():
        data = made.path.read_bytes()
        assert [secret for secret in SECRETS if secret in data] == []
        with Image.open(made.path) as rendition:
            assert not rendition.getexif()
            assert not {"icc_profile", "exif", "xmp", "comment", "XML:com.adobe.xmp"} & rendition.info.keys()
    assert outcome.facts.media["camera"] == "SecretCam Model 1"
    if form != "TIFF":  # Pillow writes no directory of places into TIFF.
        assert outcome.facts.media["private.gps_lat"] == "52.520000"


@pytest.mark.parametrize("form", ["GIF", "WEBP"])
def test_an_animation_moves_and_has_a_still(tmp_path: Path, form: str) -> None:
    frames = [Image.fromarray(np.roll(quadrants(800, 500), 40 * shift, axis=1)) for shift in range(6)]
    delays = [50, 100, 200, 50, 100, 90]
    path = tmp_path / "moving"
    frames[0].save(path, form, save_all=True, append_images=frames[1:], duration=delays, loop=0)
    outcome = process(path, tmp_path / "out")
    assert outcome.published[0][1] == {"w320.jpg", "w640.jpg", "w800.jpg"}
    still = outcome.open("w800.jpg")
    assert np.abs(np.subtract(still.getpixel((100, 100)), (220, 20, 20))).max() <= 12
    made = outcome.made["animated.webp"]
    assert (made.width, made.height) == (640, 400)
    moving = outcome.open("animated.webp")
    assert (moving.size, moving.n_frames, moving.info["loop"]) == ((640, 400), 6, 0)
    seen = []
    for index in range(6):
        moving.seek(index)
        moving.load()
        seen.append(moving.info["duration"])
        reference = frames[index].convert("RGB").resize((640, 400)).getpixel((40, 40))
        assert np.abs(np.subtract(moving.convert("RGB").getpixel((40, 40)), reference)).max() <= 40
    assert seen == delays


def test_only_the_first_page_of_a_tiff_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "pages"
    pages = [Image.new("RGB", (60, 40), colour) for colour in ("red", "green")]
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:])
    outcome = process(path, tmp_path / "out")
    assert set(outcome.made) == {"w60.jpg", "w60.avif"}
    assert outcome.open("w60.jpg").getpixel((30, 20)) == pytest.approx((254, 0, 0), abs=2)


def test_a_video_is_not_a_photo(tmp_path: Path) -> None:
    path = tmp_path / "clip.jpg"
    path.write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(64))
    with pytest.raises(Rejected, match="video"):
        process(path, tmp_path / "out")
