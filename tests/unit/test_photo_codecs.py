"""The two encoders of AVIF and the two decoders of JPEG agree, each where the other takes over."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import Rows
from PIL import Image

from processor.steps import photo_decode
from processor.steps.photo_decode import decode
from processor.steps.photo_encode import AVIF
from processor.steps.photo_header import Header, read_header
from processor.steps.photo_vips import pyvips


def scene(width: int, height: int) -> Rows:
    """Soft colours: what is between two samples of chroma does not matter."""
    x, y = np.linspace(0, 3, width)[None, :], np.linspace(0, 2, height)[:, None]
    waves = [np.sin(x + y), np.cos(x - y), np.sin(2 * x) * np.cos(y)]
    return np.stack([127 + 100 * wave for wave in waves], axis=-1).astype(np.uint8)


def header_of(path: Path, **settings: Any) -> Header:
    Image.fromarray(scene(3200, 200)).save(path, "JPEG", quality=95, **settings)
    return read_header(path, "image/jpeg", 1 << 30)


def difference(one: Rows, other: Rows) -> Any:
    return np.abs(one.astype(int) - other.astype(int))


def is_array(pixels: pyvips.Image) -> bool:
    """Whole in memory, rather than a file that is read when the pixels are asked for."""
    return not pixels.get_typeof("jpeg-multiscan")


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_a_plain_jpeg_is_the_same_by_either_decoder(tmp_path: Path, subsampling: str) -> None:
    header = header_of(tmp_path / "photo", subsampling=subsampling)
    turbo = decode(header).pixels
    assert is_array(turbo)
    apart = difference(turbo.numpy(), pyvips.Image.jpegload(str(header.path)).numpy())
    assert apart.max() <= 6
    assert apart.mean() < 0.5


def test_many_scans_and_huge_photos_are_left_to_libvips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_array(decode(header_of(tmp_path / "progressive", progressive=True)).pixels)
    plain = header_of(tmp_path / "plain")
    monkeypatch.setattr(photo_decode, "ARRAY_PIXELS", 3200 * 200 - 1)
    assert not is_array(decode(plain).pixels)


def test_cmyk_and_grey_keep_their_bands(tmp_path: Path) -> None:
    for mode, bands in (("CMYK", 4), ("L", 1)):
        path = tmp_path / mode
        Image.fromarray(scene(64, 64)).convert(mode).save(path, "JPEG")
        assert decode(read_header(path, "image/jpeg", 1 << 30)).pixels.bands == bands


def test_a_warning_of_libjpeg_turbo_is_judged_by_libvips(tmp_path: Path) -> None:
    header = header_of(tmp_path / "photo")
    data = header.path.read_bytes()
    table = data.index(b"\xff\xdb")
    stray = replace(header, path=tmp_path / "stray")
    stray.path.write_bytes(data[:table] + bytes(7) + data[table:])
    pixels = decode(stray).pixels
    assert not is_array(pixels)
    assert difference(pixels.numpy(), pyvips.Image.jpegload(str(header.path)).numpy()).max() == 0


@pytest.mark.parametrize("size", [(4, 4), (3, 3), (1, 1), (4, 900), (2, 900), (321, 213), (320, 200)])
def test_avif_of_any_size_keeps_size_and_colours(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "made.avif"
    for colour in [(200, 60, 60), (40, 70, 190), (128, 128, 128), (255, 255, 255), (0, 0, 0)]:
        AVIF.save(np.full((size[1], size[0], 3), colour, np.uint8), path)
        with Image.open(path) as made:
            assert made.size == size
            assert difference(np.asarray(made.convert("RGB")), np.array(colour)).max() <= 3


def test_avif_has_no_cast_and_no_shift(tmp_path: Path) -> None:
    rows, path = scene(641, 427), tmp_path / "made.avif"
    AVIF.save(rows, path)
    signed = pyvips.Image.heifload(str(path)).numpy().astype(int) - rows
    assert np.abs(signed.mean(axis=(0, 1))).max() < 0.6  # Half a level of chroma is 0.9 of blue.
    assert np.abs(signed).mean() < 1.5


def test_avif_keeps_transparency(tmp_path: Path) -> None:
    alpha = np.linspace(0, 255, 96).astype(np.uint8)[None, :].repeat(64, 0)
    AVIF.save(np.dstack([scene(96, 64), alpha]), tmp_path / "made.avif")
    with Image.open(tmp_path / "made.avif") as made:
        assert difference(np.asarray(made)[..., 3], alpha).max() <= 8
