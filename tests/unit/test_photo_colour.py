"""Colours arrive as they were meant: wide gamut, CMYK, 16 bits, grey and transparency."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from pictures import (
    ADOBE_RGB,
    PROPHOTO,
    Rows,
    built_in_profile,
    centre,
    converted,
    matrix_profile,
    patches,
    process,
    sixteen_bits,
    with_alpha,
)
from PIL import Image

from processor.steps import photo
from processor.steps.photo_colour import is_srgb
from processor.steps.photo_header import read_header
from processor.steps.sniff import kind_of

COLOURS: list[tuple[int, ...]] = [(200, 60, 60), (60, 180, 90), (40, 70, 190), (230, 220, 40), (128, 128, 128)]
INKS: list[tuple[int, ...]] = [(0, 200, 200, 10), (200, 0, 180, 0), (230, 190, 0, 20), (0, 0, 0, 128), (90, 40, 30, 0)]

PROFILES = {"Display P3": built_in_profile("p3")}
PROFILES |= {"Adobe RGB": matrix_profile(*ADOBE_RGB), "ProPhoto": matrix_profile(*PROPHOTO)}


def developed(path: Path) -> Rows:
    """The largest rendition before it is encoded: colour without an encoder's noise."""
    header = read_header(path, kind_of(path)[1], 1 << 30)
    rows: Rows = photo.develop(header)[-1]
    return rows


def assert_like(rows: Rows, reference: Image.Image, tolerance: int) -> None:
    wanted = np.asarray(reference)
    assert rows.shape == wanted.shape
    assert np.abs(rows.astype(int) - wanted.astype(int)).max() <= tolerance


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_wide_gamut_becomes_srgb(tmp_path: Path, name: str, form: str) -> None:
    image = Image.fromarray(patches(COLOURS))
    path = tmp_path / "wide"
    image.save(path, form, icc_profile=PROFILES[name], **({"lossless": True} if form == "WEBP" else {}))
    reference = converted(image, PROFILES[name])
    assert np.abs(np.asarray(reference).astype(int) - patches(COLOURS)).max() > 10  # The profile matters.
    assert_like(developed(path), reference, 2)


def test_display_p3_jpeg_and_heic_all_the_way_to_the_rendition(tmp_path: Path) -> None:
    image = Image.fromarray(patches(COLOURS))
    profile = PROFILES["Display P3"]
    image.save(tmp_path / "p3.jpg", quality=98, icc_profile=profile, subsampling=0)
    pillow_heif.from_pillow(image).save(tmp_path / "p3.heic", quality=95, icc_profile=profile)
    reference = converted(image, profile)
    for name in ("p3.jpg", "p3.heic"):
        outcome = process(tmp_path / name, tmp_path / "out")
        for rendition in ("w160.jpg", "w160.avif"):
            shown = outcome.open(rendition).convert("RGB")
            for index in range(len(COLOURS)):
                assert np.abs(centre(shown, index) - centre(reference, index)).max() <= 8, (name, rendition, index)


@pytest.mark.parametrize("embedded", [True, False])
@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk_becomes_srgb(tmp_path: Path, form: str, embedded: bool) -> None:
    profile = built_in_profile("cmyk")
    image = Image.frombytes("CMYK", (160, 32), patches(INKS).tobytes())
    path = tmp_path / "inks"
    more = {"quality": 100, "subsampling": 0} if form == "JPEG" else {}
    image.save(path, form, **more, **({"icc_profile": profile} if embedded else {}))
    # Without a profile, coated offset is assumed: the same one.
    assert_like(developed(path), converted(image, profile), 3 if form == "JPEG" else 2)


def test_a_profile_that_is_broken_or_of_other_pixels_is_ignored(tmp_path: Path) -> None:
    rows = patches(COLOURS)
    for index, profile in enumerate([b"garbage" * 40, built_in_profile("cmyk"), PROFILES["ProPhoto"][:200]]):
        path = tmp_path / f"{index}.png"
        Image.fromarray(rows).save(path, icc_profile=profile)
        assert_like(developed(path), Image.fromarray(rows), 0)


def test_an_srgb_profile_is_known_by_what_it_does() -> None:
    assert is_srgb(built_in_profile("srgb"))
    assert not is_srgb(PROFILES["Adobe RGB"])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_become_eight_by_scaling(tmp_path: Path, suffix: str) -> None:
    rows = patches(COLOURS).astype(np.uint16) * 257
    assert_like(developed(sixteen_bits(rows, tmp_path / f"deep.{suffix}")), Image.fromarray(patches(COLOURS)), 1)


def test_sixteen_bits_with_alpha(tmp_path: Path) -> None:
    alpha = np.full((32, 160, 1), 0x8080, np.uint16)
    rows = np.concatenate([patches(COLOURS).astype(np.uint16) * 257, alpha], axis=2)
    made = developed(sixteen_bits(rows, tmp_path / "deep.png"))
    assert made.shape[2] == 4
    assert np.abs(made[..., :3].astype(int) - patches(COLOURS)).max() <= 1
    assert np.abs(made[..., 3].astype(int) - 0x80).max() <= 1


@pytest.mark.parametrize("mode", ["L", "LA", "P", "I;16", "1"])
def test_grey_and_palette(tmp_path: Path, mode: str) -> None:
    ramp = np.repeat(np.array([[0, 255, 0, 255]], np.uint8), 16, axis=0).repeat(16, axis=1)
    path = tmp_path / "grey.png"
    if mode == "I;16":
        Image.fromarray(ramp.astype(np.uint16) * 257).save(path)
    else:
        Image.fromarray(ramp).convert(mode).save(path)
    assert_like(developed(path), Image.fromarray(ramp).convert("RGB"), 1)


def test_transparency_is_white_in_jpeg_and_kept_in_the_modern_format(tmp_path: Path) -> None:
    rows = patches([(220, 30, 30), (220, 30, 30), (30, 30, 220)])
    alpha = patches([(255,), (0,), (128,)])[..., 0]
    path = tmp_path / "cut.png"
    with_alpha(rows, alpha).save(path)
    outcome = process(path, tmp_path / "out")
    flat, kept = outcome.open("w96.jpg"), outcome.open("w96.avif")
    assert np.abs(centre(flat, 1) - 255).max() <= 3
    assert np.abs(centre(flat, 2) - (142, 142, 237)).max() <= 6
    assert kept.mode == "RGBA"
    assert [int(centre(kept, index)[3]) for index in range(3)] == pytest.approx([255, 0, 128], abs=4)


def test_hidden_colours_do_not_bleed_into_edges(tmp_path: Path) -> None:
    """Transparent pixels may hold anything; shrinking must not mix it into their visible neighbours."""
    rows = np.zeros((700, 700, 3), np.uint8)
    rows[:, ::2] = (0, 255, 0)
    rows[:, 1::2] = (255, 0, 0)
    alpha = np.zeros((700, 700), np.uint8)
    alpha[:, 1::2] = 255
    path = tmp_path / "edge.png"
    with_alpha(rows, alpha).save(path)
    small = photo.develop(read_header(path, "image/png", 1 << 30))[0]
    assert small.shape == (320, 320, 4)
    assert small[20:-20, 20:-20, 1].max() <= 2


def test_an_opaque_alpha_channel_is_dropped(tmp_path: Path) -> None:
    out = BytesIO()
    Image.fromarray(patches(COLOURS)).convert("RGBA").save(out, "PNG")
    path = tmp_path / "opaque.png"
    path.write_bytes(out.getvalue())
    assert developed(path).shape[2] == 3
