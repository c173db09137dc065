"""AVIF by SVT-AV1 in its still-picture mode, through PyAV.

It needs about three quarters of the CPU seconds of libaom at its fastest, which libvips has, and fewer bytes for the
same SSIM (docs/adr/0030). PyAV's FFmpeg only ever sees our own pixels here, never a stranger's file.
"""

import os
from pathlib import Path

os.environ.setdefault("SVT_LOG", "1")  # Errors only. Read by the encoder whenever one is opened.

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from numpy.typing import NDArray

MIN_SIDE = 4
"""SVT-AV1 takes nothing smaller."""

CRF = 18
"""Quality, 63 to 0. The SSIM of libaom at the quality that equals our JPEG's (0030)."""
_MEAN = Interpolation.AREA | Interpolation.FULL_CHR_H_INP
"""Chroma is the mean of all four pixels that it stands for."""


def write_avif(rows: NDArray[np.uint8], into: Path, crf: int = CRF) -> None:
    """`rows` is height x width x 3 of 8-bit sRGB, both sides at least `MIN_SIDE`."""
    height, width = rows.shape[:2]
    frame = _planes(rows)
    # In still-picture mode presets above 10 do as 10 does. `lp` is the level of parallelism.
    options = {"preset": "10", "crf": str(crf), "svtav1-params": "avif=1:lp=1"}
    with av.open(str(into), "w", format="avif") as file:
        stream = file.add_stream("libsvtav1", rate=1, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        # What a decoder is told (ITU-T H.273): sRGB as full-range YCbCr by the matrix of BT.601, as in JPEG.
        stream.codec_context.color_primaries = ColorPrimaries.BT709
        stream.codec_context.color_trc = ColorTrc.IEC61966_2_1
        stream.codec_context.colorspace = Colorspace.ITU601
        stream.codec_context.color_range = ColorRange.JPEG
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def _planes(rows: NDArray[np.uint8]) -> av.VideoFrame:
    """By way of 10 bits: swscale rounds chroma down, which at 8 bits is a cast of half a level."""
    frame = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(rows), "rgb24")
    for depth in ("yuv420p10le", "yuv420p"):
        frame = frame.reformat(
            format=depth,
            dst_colorspace=Colorspace.ITU601,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=_MEAN,
            threads=1,
        )
        frame.colorspace, frame.color_range = Colorspace.ITU601, ColorRange.JPEG
    return frame
