"""ThumbHash against its author's own implementation, and the dominant colour."""

from base64 import b64decode, b64encode

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.steps.photo_placeholder import dominant, placeholder, thumbhash


def pattern(width: int, height: int, alpha: bool, seed: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    bands = [x * 7 + y * 3 + seed, x * x + y * 5 + seed * 3, x * 2 + y * y + seed * 7]
    bands.append(x * 11 + y * 13 if alpha else np.full_like(x, 255))
    return (np.stack(bands, axis=-1) & 255).astype(np.uint8)


# Output of npm's thumbhash 0.1.1, rgbaToThumbHash, for the same pixels.
@pytest.mark.parametrize(
    ("width", "height", "alpha", "seed", "expected"),
    [
        (100, 75, False, 0, "HwgGDYJ2hlhXaAhVZWRmd8/ItbxA"),
        (75, 100, False, 40, "3/cBDQJnRqj4eHaIhXhIc6r4hnZf"),
        (64, 64, False, 200, "4PcFFwR2c2mIhY+q56h3lnd6eQo2c1AF"),
        (100, 20, False, 9, "oAcKEYJWZnBohYV247ACXds="),
        (100, 75, True, 0, "HwiCBIAIUYMXKAEA9J1L/AeTlxgXh3uACA=="),
        (30, 90, True, 5, "H/iBCgIHhllTMEZZL3z6IhqRZ4akcEc="),
        (8, 8, True, 123, "JRmCDQAVsIaxh3toiLCNg+BWcYdweId4iA=="),
    ],
)
def test_thumbhash_is_that_of_the_reference(width: int, height: int, alpha: bool, seed: int, expected: str) -> None:
    ours = thumbhash(pattern(width, height, alpha, seed))
    reference = b64decode(expected)
    assert ours[:5] == reference[:5]
    assert len(ours) == len(reference)
    # A coefficient exactly between two steps may fall either way, since sums run in another order.
    steps = [
        abs((a >> shift & 15) - (b >> shift & 15)) for a, b in zip(ours, reference, strict=True) for shift in (0, 4)
    ]
    assert max(steps) <= 1
    assert sum(steps) <= 2


def test_a_transparent_picture_has_a_hash() -> None:
    assert b64encode(thumbhash(np.zeros((4, 4, 4), np.uint8))) == b"AAiCBQAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="


def test_dominant_is_the_colour_of_the_largest_area() -> None:
    rows = np.full((30, 30, 4), 255, np.uint8)
    rows[:20, :, :3] = (200, 40, 60)
    assert dominant(rows) == "#c8283c"


def test_transparent_pixels_do_not_dominate() -> None:
    rows = np.zeros((30, 30, 4), np.uint8)
    rows[:5, :, :] = (0, 0, 255, 255)
    assert dominant(rows) == "#0000ff"
    assert dominant(np.zeros((3, 3, 4), np.uint8)) == "#ffffff"


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 500), (500, 1), (320, 213)])
def test_any_shape_has_a_placeholder(width: int, height: int) -> None:
    made = placeholder(np.full((height, width, 3), 90, np.uint8))
    assert made.dominant == "#5a5a5a"
    assert 5 <= len(b64decode(made.thumbhash)) <= 25
