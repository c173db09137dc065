"""What a video is, learnt before anything is decoded, and whether it may be decoded at all."""

import enum
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from processor.ffmpeg import AUDIO_DECODERS, DEMUXERS, MAX_FRAME_PIXELS, SILENCE, Tools
from processor.sandbox import Limits
from processor.task import Rejected, Task
from tenants import reasons

MIN_SIDE = 16
MAX_SIDE = 8192
MAX_RATE = 60
"""Frames a second of renditions; slow-motion sources have up to 240."""

PIXELS_PER_SECOND = 1920 * 1080 * 60
"""A task's `max_video_seconds` are meant for 1080p at 60 frames a second: larger pictures may be less long."""

AGREED = 0.5
"""Seconds by which packets and header may differ: decoding order hides the last frames from the walk."""

SHORTEST = 0.04
"""Seconds that a single picture lasts."""

SHORTEST_PART = 0.9
"""A file that holds less than this part of what its header announces is cut off."""

STANDARD_RATES = tuple(
    Fraction(rate)
    for rate in ("10", "12", "15", "24000/1001", "24", "25", "30000/1001", "30", "48", "50", "60000/1001", "60")
)


class Colour(enum.Enum):
    """How pixel values mean light: SDR as screens take it; HDR by PQ or HLG; WIDE is SDR with BT.2020 primaries."""

    SDR = "sdr"
    PQ = "pq"
    HLG = "hlg"
    WIDE = "wide"


@dataclass(frozen=True)
class Audio:
    """`index` is the stream's; `channels` as recorded; `layout` empty where the file does not name it."""

    index: int
    channels: int
    layout: str


@dataclass(frozen=True)
class Source:
    """A video that may be decoded. `width` and `height` are as shown: turned, with square pixels.

    `rate` is the constant rate of its renditions, `duration` seconds, both checked
    against the packets rather than believed from the header.
    """

    path: Path
    demuxer: str
    index: int
    width: int
    height: int
    stored: tuple[int, int]
    rate: Fraction
    duration: float
    colour: Colour
    interlaced: bool
    audio: Audio | None
    tags: dict[str, str]

    @property
    def short_side(self) -> int:
        return min(self.width, self.height)


def examine(task: Task, tools: Tools, content_type: str) -> Source:
    """Read headers, check the caps, walk the packets once. Raises `Rejected`."""
    demuxer = DEMUXERS[content_type]
    report = tools.probe(task.original, demuxer)
    video = _picture_stream(report["streams"])
    width, height = _stored_size(video)
    if announced := _seconds(video, report["format"]):
        _check_length(announced, task.max_video_seconds)
    seconds, frames = _walk(task, tools, demuxer, video["index"])
    _check_whole(seconds, announced)
    _check_length(seconds, task.max_video_seconds)
    if announced is not None and abs(seconds - announced) < AGREED:
        seconds = announced
    if width * height * frames > task.max_video_seconds * PIXELS_PER_SECOND:
        raise Rejected("The video is too long for its picture size. Export it at 1080p and upload that.")
    shown = _shown_size(video, width, height)
    return Source(
        path=task.original,
        demuxer=demuxer,
        index=video["index"],
        width=shown[0],
        height=shown[1],
        stored=(width, height),
        rate=_rate(video, Fraction(frames) / Fraction(seconds)),
        duration=seconds,
        colour=_colour(video),
        interlaced=video.get("field_order", "progressive") not in ("progressive", "unknown"),
        audio=_audio(report["streams"]),
        tags={**_lower(report["format"].get("tags")), **_own_tags(video)},
    )


def _picture_stream(streams: list[dict[str, Any]]) -> dict[str, Any]:
    """The first stream of moving pictures: not the cover picture of a music file."""
    for stream in streams:
        if stream.get("codec_type") == "video" and not stream.get("disposition", {}).get("attached_pic"):
            return stream
    raise Rejected("There is no video in this file.")


def _stored_size(video: dict[str, Any]) -> tuple[int, int]:
    width, height = int(video.get("width", 0)), int(video.get("height", 0))
    if min(width, height) < MIN_SIDE:
        raise Rejected(reasons.filled(reasons.VIDEO_TINY, size=f"{width} x {height}"))
    if max(width, height) > MAX_SIDE or width * height > MAX_FRAME_PIXELS:
        raise Rejected(reasons.filled(reasons.VIDEO_SIZE, size=f"{width} x {height}"))
    return width, height


def _shown_size(video: dict[str, Any], width: int, height: int) -> tuple[int, int]:
    """After the pixel aspect ratio and the display matrix."""
    across, _, down = str(video.get("sample_aspect_ratio", "1:1")).partition(":")
    aspect = (
        Fraction(int(across), int(down)) if across.isdigit() and down.isdigit() and int(across) and int(down) else 1
    )
    if not Fraction(1, 4) <= aspect <= 4:
        aspect = 1
    width = round(width * aspect)
    quarter_turns = round(_rotation(video) / 90)
    return (height, width) if quarter_turns % 2 else (width, height)


def _rotation(video: dict[str, Any]) -> float:
    for side in video.get("side_data_list", ()):
        if "rotation" in side:
            return float(side["rotation"])
    return 0.0


def _walk(task: Task, tools: Tools, demuxer: str, index: int) -> tuple[float, int]:
    """Seconds and frames of the picture stream, by reading every packet and decoding none."""
    packets = ffmpeg.output(tools.source(task.original, demuxer)[str(index)], "-", format="null", codec="copy")
    size = task.original.stat().st_size
    limits = Limits(wall=120 + size / 5e6, cpu=60 + int(size / 100e6), silence=SILENCE)
    reached = tools.run(packets, read=task.original, write=task.scratch, limits=limits)
    if reached.frames < 1:
        raise Rejected("There are no pictures in this video: it is damaged or was cut off at its start.")
    return max(reached.seconds, SHORTEST), reached.frames


def _seconds(video: dict[str, Any], container: dict[str, Any]) -> float | None:
    """What the header announces; live recordings in WebM announce nothing."""
    for place in (video, container):
        try:
            seconds = float(place["duration"])
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds) and seconds > 0:
            return seconds
    return None


def _check_length(seconds: float, most: int) -> None:
    if seconds > most:
        raise Rejected(reasons.filled(reasons.VIDEO_LENGTH, length=_clock(seconds), most=_clock(most)))


def _check_whole(seconds: float, announced: float | None) -> None:
    if announced is not None and seconds < announced * SHORTEST_PART - 1:
        raise Rejected(reasons.filled(reasons.VIDEO_CUT, length=_clock(seconds), whole=_clock(announced)))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _rate(video: dict[str, Any], average: Fraction) -> Fraction:
    """The source's own rate if it keeps to it, else the standard rate nearest to its average."""
    nominal = _fraction(video.get("r_frame_rate"))
    if nominal and nominal <= MAX_RATE and abs(average / nominal - 1) < Fraction(1, 50):
        return nominal
    return min(STANDARD_RATES, key=lambda rate: abs(rate - average))


def _fraction(text: str | None) -> Fraction | None:
    over, _, under = (text or "").partition("/")
    return Fraction(int(over), int(under)) if over.isdigit() and under.isdigit() and int(under) and int(over) else None


def _colour(video: dict[str, Any]) -> Colour:
    known = {"smpte2084": Colour.PQ, "arib-std-b67": Colour.HLG}
    if found := known.get(video.get("color_transfer", "")):
        return found
    return Colour.WIDE if video.get("color_primaries") == "bt2020" else Colour.SDR


def _audio(streams: list[dict[str, Any]]) -> Audio | None:
    """The first audio stream that may be decoded; a video whose sound has a strange codec is shown without."""
    for stream in streams:
        names = {stream.get("codec_name"), f"lib{stream.get('codec_name')}"}
        if stream.get("codec_type") == "audio" and names & _AUDIO and stream.get("channels"):
            return Audio(stream["index"], int(stream["channels"]), stream.get("channel_layout", ""))
    return None


_AUDIO = {*AUDIO_DECODERS, "amr_nb"}


def _lower(tags: dict[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (tags or {}).items()}


def _own_tags(video: dict[str, Any]) -> dict[str, str]:
    tags = _lower(video.get("tags"))
    return {name: tags[name] for name in ("creation_time",) if name in tags}
