"""Decoded frames to what every rendition starts from: upright, square pixels, constant rate, 8-bit SDR in BT.709."""

from typing import Any

import ffmpeg

from processor.ffmpeg import Stream
from processor.steps.video_probe import Colour, Source

# ITU-R BT.2408 puts diffuse white at 203 cd/m2. The Moebius curve leaves what is darker nearly as it is, shows white at
# 84 % and rolls off what is brighter; the well-known Hable curve darkens faces by a quarter (docs/adr/0042).
_LINEAR = {"t": "linear", "npl": 203}
_SDR = {"p": "bt709", "t": "bt709", "m": "bt709", "r": "tv"}
_TRANSFER = {Colour.PQ: "smpte2084", Colour.HLG: "arib-std-b67", Colour.WIDE: "bt2020-10"}


def even(frames: Stream, source: Source) -> Stream:
    """Progressive frames at the source's constant rate, from time zero.

    ffmpeg has turned them already by the display matrix. A variable rate becomes constant here, once, before anything
    branches off, so that every rung has the same frames and the same keyframes.
    """
    if source.interlaced:
        frames = frames.filter("bwdif", mode="send_frame", deint="interlaced")
    return frames.filter("fps", fps=str(source.rate), start_time=0)


def scaled(frames: Stream, width: int, height: int) -> Stream:
    """Square pixels at this size."""
    return frames.filter("scale", width, height, flags="bicubic").filter("setsar", 1)


def to_sdr(frames: Stream, source: Source) -> Stream:
    """8-bit 4:2:0 in the range and colours that every screen shows. Scale before it: it computes in float."""
    if source.colour is Colour.SDR:
        return frames.filter("scale", out_range="tv").filter("format", "yuv420p")
    given: dict[str, Any] = {"tin": _TRANSFER[source.colour], "pin": "bt2020", "min": "bt2020nc", "rin": "tv"}
    if source.colour is Colour.WIDE:
        return frames.filter("zscale", **given, **_SDR).filter("format", "yuv420p")
    linear = frames.filter("zscale", **given, **_LINEAR).filter("format", "gbrpf32le").filter("zscale", p="bt709")
    mapped = linear.filter("tonemap", "mobius")
    return mapped.filter("zscale", **_SDR).filter("format", "yuv420p")


def overlaid(frames: Stream, layer: Stream) -> Stream:
    """One still layer of RGBA over every frame of the same size."""
    return ffmpeg.filter([frames, layer], "overlay", format="yuv420", eof_action="repeat")
