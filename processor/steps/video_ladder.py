"""The HLS ladder: sizes, one chain of scalers, one encoder a rung, sound once for all of them.

Segments are fragmented MP4 (CMAF), each rung one file that its playlist addresses by byte ranges: one object to store,
to authorise and to delete. docs/adr/0041 tells why the lowest rung has a run of its own.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from processor.ffmpeg import SILENCE, Reached, Stream, Tools
from processor.sandbox import MIB, Limits
from processor.steps.video_picture import even, overlaid, scaled, to_sdr
from processor.steps.video_probe import Audio, Source
from processor.steps.watermark import layer
from processor.task import Mark, Rejected

KEYFRAME_SECONDS = 2
SEGMENT_SECONDS = 4

BITRATES = {240: 400, 360: 800, 540: 1800, 720: 3200, 1080: 6000}
"""Short side to the most kbit/s at up to 30 frames a second; usually constant quality stays well below it."""

LEAN_SIDE = 540
"""Short side of the highest rung of a lean ladder."""

WIDEST = 2.4
"""Longer side over shorter: anything beyond a cinema's format gets a smaller rung rather than a wider one."""

CLOSE = 1.15
"""A source this little above a rung takes that rung's place: 1088 lines are not worth a rung beside 1080."""

DECODABLE = 0.5
"""A video of which less than this part can be decoded is refused rather than shown in pieces."""

ENCODER = {"c:v": "libx264", "preset": "veryfast", "crf": 22, "profile:v": "high", "pix_fmt": "yuv420p"}
SOUND = {"c:a": "aac", "b:a": "128k", "ar": 48000, "ac": 2}
CLEAN = {"map_metadata": -1, "map_chapters": -1, "fflags": "+bitexact", "flags:v": "+bitexact", "flags:a": "+bitexact"}
"""No tag of the original reaches a rendition."""


@dataclass(frozen=True)
class Rung:
    """One variant. `name` is the stem of its files, `kbits` the most that it takes a second."""

    name: str
    width: int
    height: int
    kbits: int


def rungs(width: int, height: int, rate: Fraction) -> list[Rung]:
    """The ladder of a picture shown at this size, lowest first: never above it, every side even."""
    highest = min(width, height, max(BITRATES))
    sides = [side for side in BITRATES if side * CLOSE < highest] + [highest]
    return [_rung(side, width, height, rate) for side in sides]


def leaner(ladder: Sequence[Rung]) -> list[Rung]:
    """Without the rungs that a reached budget saves; at least the lowest."""
    return [rung for rung in ladder if min(rung.width, rung.height) <= LEAN_SIDE] or list(ladder[:1])


def _rung(side: int, width: int, height: int, rate: Fraction) -> Rung:
    scale = min(1.0, side / min(width, height), WIDEST * side / max(width, height))
    name = next((rung for rung in BITRATES if rung >= side), max(BITRATES))
    kbits = round(BITRATES[name] * (1.5 if rate > 40 else 1.0))
    return Rung(f"v{side}", even_side(width * scale), even_side(height * scale), kbits)


def even_side(length: float) -> int:
    """4:2:0 needs even sides. Down, so that nothing is above the source."""
    return max(2, int(length + 1e-6) // 2 * 2)


def encode(
    source: Source,
    wanted: Sequence[Rung],
    tools: Tools,
    folder: Path,
    *,
    audio: Audio | None = None,
    mark: Mark | None = None,
    on_progress: Callable[[Reached], None],
) -> None:
    """One decode into these rungs (`<name>.mp4`, `<name>.m3u8`), and with `audio` into `audio.mp4`, `audio.m3u8`.

    Each rung is scaled from the next higher one; a `mark` goes on the highest. Raises `Rejected` if most of the
    pictures cannot be decoded.
    """
    opened = tools.source(source.path, source.demuxer)
    outputs: list[Stream] = []
    frames = even(opened[str(source.index)], source)
    highest_first = sorted(wanted, key=lambda rung: rung.width, reverse=True)
    for number, rung in enumerate(highest_first):
        frames = scaled(frames, rung.width, rung.height)
        if number == 0:
            frames = to_sdr(frames, source)
            if mark is not None:
                frames = overlaid(frames, _layer(rung, mark, folder))
        branches = frames.filter_multi_output("split")
        last = rung is highest_first[-1]
        outputs.append(_hls(frames if last else branches[0], rung.name, _video_options(rung, source.rate, tools)))
        frames = branches[1]
    if audio is not None:
        outputs.append(_hls(_stereo(opened[str(audio.index)], audio), "audio", SOUND))
    reached = tools.run(
        ffmpeg.merge_outputs(*outputs),
        read=source.path,
        write=folder,
        limits=limits(source, tools.threads),
        on_progress=on_progress,
    )
    if reached.frames < source.duration * source.rate * DECODABLE:
        raise Rejected("The video is damaged: most of its pictures could not be decoded.")


def _layer(rung: Rung, mark: Mark, folder: Path) -> Stream:
    """The watermark as one frame of raw RGBA: bytes that we drew, so they need no decoder on the list."""
    path = folder / "layer.rgba"
    path.write_bytes(layer(rung.width, rung.height, mark).tobytes())
    only = {"protocol_whitelist": "file", "format_whitelist": "rawvideo", "codec_whitelist": "rawvideo"}
    size = rung.width, rung.height
    return ffmpeg.input(str(path), format="rawvideo", pix_fmt="rgba", video_size=size, **only)


def limits(source: Source, threads: int) -> Limits:
    """What decoding and encoding this source may take: above what was measured (docs/adr/0042), far above for time."""
    frame = source.stored[0] * source.stored[1] * 3  # Bytes at 10 bits in 4:2:0.
    held = 40  # Frames: the decoder's references and threads, and the filters' queues.
    return Limits(
        memory=(640 + 64 * threads) * MIB + frame * held,
        cpu=300 + int(source.duration * 60),
        wall=600 + source.duration * 60,
        silence=SILENCE,
        file=64 * MIB + int(source.duration * 2 * max(BITRATES.values()) * 1000 / 8),
    )


def _stereo(sound: Stream, audio: Audio) -> Stream:
    """Two channels from time zero, gaps filled with silence so that sound stays with the picture."""
    if audio.channels > 2 and not audio.layout:
        sound = sound.filter("pan", "stereo|c0=c0|c1=c1")  # Nobody says which channel is which.
    return sound.filter("aresample", **{"async": 1, "first_pts": 0})


def _video_options(rung: Rung, rate: Fraction, tools: Tools) -> dict[str, Any]:
    return {
        **ENCODER,
        "maxrate": f"{rung.kbits}k",
        "bufsize": f"{rung.kbits * 3 // 2}k",
        "threads": tools.threads,
        # The only keyframes are the forced ones, at the same frames of every rung.
        "force_key_frames": f"expr:gte(t,n_forced*{KEYFRAME_SECONDS})",
        "forced-idr": 1,
        "g": math.ceil(rate * KEYFRAME_SECONDS) + 1,
        "sc_threshold": 0,
    }


def _hls(stream: Stream, name: str, options: dict[str, Any]) -> Stream:
    return ffmpeg.output(
        stream,
        f"{name}.m3u8",
        **options,
        **CLEAN,
        format="hls",
        # By default the muxer shifts each file until its decoding times are not negative, and so the picture, which
        # is decoded out of order, behind the sound. An edit list (ISO/IEC 14496-12, 8.6.6) keeps both at zero.
        avoid_negative_ts="disabled",
        hls_time=SEGMENT_SECONDS,
        hls_playlist_type="vod",
        hls_segment_type="fmp4",
        hls_flags="single_file+independent_segments",
        hls_segment_filename=f"{name}.mp4",
    )
