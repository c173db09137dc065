"""Structural similarity (Wang et al. 2004): mean over luma, Gaussian window of sigma 1.5."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from processor.steps.photo_vips import pyvips

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim(one: Image.Image, other: Image.Image) -> float:
    """Of two pictures of the same size; 1.0 for equal ones."""
    x, y = _luma(one), _luma(other)
    mean_x, mean_y = _blur(x), _blur(y)
    var_x = _blur(x * x) - mean_x * mean_x
    var_y = _blur(y * y) - mean_y * mean_y
    covariance = _blur(x * y) - mean_x * mean_y
    likeness = (mean_x * mean_y * 2 + _C1) * (covariance * 2 + _C2)
    return float((likeness / ((mean_x * mean_x + mean_y * mean_y + _C1) * (var_x + var_y + _C2))).avg())


def _luma(image: Image.Image) -> pyvips.Image:
    plane: NDArray[np.float32] = np.asarray(image.convert("RGB"), np.float32) @ np.array([0.299, 0.587, 0.114], "f4")
    return pyvips.Image.new_from_memory(plane.tobytes(), image.width, image.height, 1, "float")


def _blur(image: pyvips.Image) -> pyvips.Image:
    return image.gaussblur(1.5, precision="float")
