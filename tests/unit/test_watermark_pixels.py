"""The watermark as the real steps put it: which pixels change, which do not, and what comes with it for free."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import m3u8
import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import private_exif, process, quadrants, with_alpha
from PIL import Image, ImageDraw, ImageOps
from video_clips import clip, grey, record

from processor.steps import video, watermark
from processor.steps.watermark import layer
from processor.task import Mark
from tenants.mark_layout import Position, laid

SECRETS = (b"Exif", b"GPS", b"SecretCam", b"Jane Doe")


@pytest.fixture
def mark(tmp_path: Path) -> Mark:
    """A white bar in a black frame, twice as wide as high."""
    picture = Image.new("RGBA", (200, 100), (0, 0, 0, 255))
    ImageDraw.Draw(picture).rectangle((10, 10, 190, 90), fill=(255, 255, 255, 255))
    picture.save(tmp_path / "mark.png")
    return Mark(tmp_path / "mark.png", Position.CORNER, size=40, opacity=100)


def changed(plain: Image.Image, marked: Image.Image) -> NDArray[np.bool_]:
    """Where the two differ by more than an encoder does."""
    one, other = (np.asarray(each.convert("RGB"), int) for each in (plain, marked))
    return np.abs(one - other).max(axis=2) > 40


@pytest.mark.parametrize("size", [(900, 600), (600, 900), (40, 40), (3, 2), (1, 1)])
@pytest.mark.parametrize("position", Position)
def test_a_mark_has_its_size_and_place(size: tuple[int, int], position: Position) -> None:
    plan = laid(size, (200, 100), position, 40)
    assert plan.width == max(1, round(min(size) * 0.4))
    assert plan.height == max(1, round(min(size) * 0.2))
    if position is not Position.TILED:
        ((x, y),) = plan.spots
        assert 0 <= x <= size[0] - plan.width
        assert 0 <= y <= size[1] - plan.height
    for first, second in pairwise(sorted(plan.spots, key=lambda spot: (spot[1], spot[0]))):
        assert second[1] > first[1] or second[0] >= first[0] + plan.width  # Tiles do not lie on each other.


def test_tiles_leave_no_part_of_the_picture_unmarked(mark: Mark) -> None:
    covered = layer(1200, 800, Mark(mark.picture, Position.TILED, 25, 100))[:, :, 3] > 0
    for y in range(0, 800, 200):
        for x in range(0, 1200, 300):
            assert covered[y : y + 200, x : x + 300].any(), (x, y)


def test_every_size_and_format_of_a_photo_is_made_plain_and_marked(tmp_path: Path, mark: Mark) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(quadrants(900, 600)).save(path, exif=private_exif(), quality=95)
    outcome = process(path, tmp_path / "out", mark=mark)
    plain = {f"w{width}.{form}" for width in (320, 640, 900) for form in ("jpg", "avif")}
    assert set(outcome.made) == plain | {f"m/{name}" for name in plain}
    first = outcome.published[0][1]
    assert {name for name in first if name.endswith("jpg")} == first, "what is seen first is seen marked, too"
    assert len(first) == 6
    for name in plain:
        picture = outcome.open(name)
        where = changed(picture, outcome.open(f"m/{name}"))
        height, width = where.shape
        assert where[height // 2 :, width // 2 :].mean() > 0.04, name  # The white bar on white shows by its frame only.
        assert not where[: height // 2].any()
        assert not where[:, : width // 2].any()
        data = outcome.made[f"m/{name}"].path.read_bytes()
        assert not [secret for secret in SECRETS if secret in data]


def test_without_a_mark_nothing_is_made_twice(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(quadrants()).save(path)
    assert set(process(path, tmp_path / "out").made) == {"w96.jpg", "w96.avif"}


def test_opacity_lets_the_picture_through(tmp_path: Path, mark: Mark) -> None:
    path = tmp_path / "photo.png"
    Image.new("RGB", (400, 400), (0, 0, 0)).save(path)
    shown = {}
    for opacity in (25, 100):
        half = Mark(mark.picture, Position.CENTRE, 50, opacity)
        outcome = process(path, tmp_path / f"out{opacity}", mark=half)
        shown[opacity] = outcome.open("m/w400.jpg").convert("L").getpixel((200, 200))
    assert shown[100] == pytest.approx(255, abs=3)
    assert shown[25] == pytest.approx(64, abs=6)


def test_transparent_pictures_carry_it_where_there_is_nothing_too(tmp_path: Path, mark: Mark) -> None:
    path = tmp_path / "cut-out.png"
    rows = quadrants(400, 400)
    with_alpha(rows, np.zeros((400, 400), np.uint8)).save(path)
    centred = Mark(mark.picture, Position.CENTRE, 50, 100)
    outcome = process(path, tmp_path / "out", mark=centred)
    avif = outcome.open("m/w400.avif").convert("RGBA")
    assert avif.getpixel((200, 200))[3] == 255
    assert avif.getpixel((10, 10))[3] == 0
    assert outcome.open("w400.avif").convert("RGBA").getpixel((200, 200))[3] == 0


def test_every_frame_of_an_animation_has_it(tmp_path: Path, mark: Mark) -> None:
    frames = [Image.new("RGB", (300, 200), colour) for colour in ((200, 0, 0), (0, 120, 0), (0, 0, 200))]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 200, 300], loop=0)
    centred = Mark(mark.picture, Position.CENTRE, 60, 100)
    outcome = process(tmp_path / "a.gif", tmp_path / "out", mark=centred)
    plain, marked = outcome.open("animated.webp"), outcome.open("m/animated.webp")
    assert (plain.n_frames, marked.n_frames) == (3, 3)  # type: ignore[attr-defined]
    for number in range(3):
        plain.seek(number)
        marked.seek(number)
        plain.load()
        marked.load()
        assert marked.info["duration"] == plain.info["duration"]
        where = changed(plain, marked)
        assert where[100, 150], number
        assert not where[:20].any()


def test_a_videos_posters_rungs_file_and_storyboard_are_marked(tmp_path: Path, mark: Mark) -> None:
    original = clip(tmp_path / "original.mp4", size="640x360", seconds=3)
    centred = Mark(mark.picture, Position.CENTRE, 60, 100)
    made = record(original, tmp_path / "task", mark=centred)
    video.process(made.task)
    names = {name for name in made.made if not name.startswith("m/")}
    assert {name for name in made.made if name.startswith("m/")} == {f"m/{name}" for name in names}
    assert changed(Image.open(made.path("w640.jpg")), Image.open(made.path("m/w640.jpg"))).any()
    for name in ("hls/v240.mp4", "hls/v360.mp4", "video.mp4"):
        for second in (0, 2.5):
            rows = grey(made.path(f"m/{name}"), second)
            assert min(rows[y][x] for y in (3, 4) for x in (3, 4)) > 215, name  # The bar, from start to end.
    playlist = m3u8.loads(made.path("m/hls/master.m3u8").read_text())
    assert [entry.uri for entry in playlist.playlists] == ["v240.m3u8", "v360.m3u8"]
    assert made.path("m/hls/audio.mp4").read_bytes() == made.path("hls/audio.mp4").read_bytes()
    board = changed(Image.open(made.path("storyboard.jpg")), Image.open(made.path("m/storyboard.jpg")))
    assert board.any()


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_photo_in_its_own_size_has_it_too_where_that_is_wanted(
    tmp_path: Path, mark: Mark, orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "photo.jpg"
    exif = private_exif()
    exif[0x0112] = orientation
    Image.fromarray(quadrants(2600, 1800)).save(path, exif=exif, quality=95)
    full = replace(mark, position=Position.CENTRE, full=True)
    outcome = process(path, tmp_path / "out", mark=full)
    large = outcome.open("m/full.jpg")
    assert large.size == (outcome.facts.width, outcome.facts.height)
    assert "full.jpg" not in outcome.made
    upright = ImageOps.exif_transpose(Image.open(path))
    where = changed(upright, large)
    height = where.shape[0]
    assert where[height * 2 // 5 : height * 3 // 5].any()
    assert not where[: height // 5].any()
    data = outcome.made["m/full.jpg"].path.read_bytes()
    assert not [secret for secret in SECRETS if secret in data]
    monkeypatch.setattr(watermark, "MAX_PIXELS", 1_000_000)
    small = process(path, tmp_path / "small", mark=full).open("m/full.jpg")
    assert 980_000 < small.width * small.height <= 1_000_000
