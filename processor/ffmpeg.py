"""ffmpeg and ffprobe on untrusted files: graphs by ffmpeg-python, run in the sandbox, within allow-lists.

ffmpeg opens whatever it recognises, and some formats are programs: a playlist named `holiday.mp4` makes it read local
files and call other hosts. So the demuxer is named by us, from the content that `sniff` saw; it may use no protocol but
plain files, and no decoder that is not on the list.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg
import structlog

from processor.sandbox import Finished, Limits, Sandbox
from processor.task import Rejected

log = structlog.get_logger()

DEMUXERS = {
    "video/mp4": "mov",
    "video/x-m4v": "mov",
    "video/quicktime": "mov",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
    "video/mp2t": "mpegts",
}

VIDEO_DECODERS = (
    *("h264", "hevc", "av1", "libdav1d", "libaom-av1", "vp8", "vp9", "libvpx", "libvpx-vp9"),
    *("mpeg4", "msmpeg4", "msmpeg4v2", "mpeg1video", "mpeg2video", "h263", "mjpeg", "dvvideo", "prores", "dnxhd"),
)
AUDIO_DECODERS = (
    *("aac", "aac_latm", "mp3", "mp3float", "mp2", "mp2float", "ac3", "eac3", "opus", "libopus", "vorbis", "flac"),
    *("alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le", "pcm_u8"),
    *("pcm_mulaw", "pcm_alaw", "adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "amrnb", "libopencore_amrnb"),
)
MAX_STREAMS = 64
MAX_FRAME_PIXELS = 8192 * 4352
"""One decoded frame: 8K with its padding. Above it decoders refuse before they allocate."""

SILENCE = 120.0
"""ffmpeg reports twice a second; after so many seconds without a word it hangs."""

UNFIT = ("Unknown encoder", "No such filter", "Unrecognized option", "Option not found", "loading shared libraries")
NO_MEMORY = ("Cannot allocate memory", "malloc of size", "Failed to allocate", "get_buffer() failed")

Stream = Any
"""A node of ffmpeg-python's graph; the library ships no types."""


class Unfit(RuntimeError):
    """This machine's ffmpeg lacks something; not the file's fault."""


@dataclass(frozen=True)
class Reached:
    """How far a run has come: output `seconds` and video `frames`."""

    seconds: float = 0.0
    frames: int = 0


@dataclass(frozen=True)
class Tools:
    """ffmpeg and ffprobe in one sandbox. `threads` bounds each decoder, encoder and the filters."""

    sandbox: Sandbox
    threads: int

    def source(self, path: Path, demuxer: str, **options: Any) -> Stream:
        """An input within the allow-lists; `options` such as `ss` go before it."""
        return ffmpeg.input(str(path), format=demuxer, threads=self.threads, **_allowed(demuxer), **options)

    def probe(self, path: Path, demuxer: str) -> dict[str, Any]:
        """ffprobe's `format` and `streams`. Raises `Rejected` if there is nothing to read."""
        command = ["ffprobe", "-hide_banner", "-loglevel", "error", "-f", demuxer]
        for name, value in _allowed(demuxer).items():
            command += [f"-{name}", str(value)]
        command += ["-show_format", "-show_streams", "-of", "json", "-i", str(path)]
        limits = Limits(wall=60, cpu=30)
        finished = self.sandbox.run(command, read=[path], limits=limits)
        if finished.returncode != 0:
            raise verdict(finished, limits)
        report: dict[str, Any] = json.loads(finished.stdout)
        return report

    def run(
        self,
        output: Stream,
        *,
        read: Path,
        write: Path,
        limits: Limits,
        on_progress: Callable[[Reached], None] = lambda reached: None,
    ) -> Reached:
        """Run a graph to its end; how far it came. Relative outputs are in `write`.

        Raises `Rejected` for what the file is to blame for, `Unfit`, `OSError` for a full disk, `Expired`.
        """
        command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y"]
        command += ["-progress", "pipe:1", "-stats_period", "0.5", "-filter_complex_threads", str(self.threads)]
        report = ProgressReport(on_progress)
        finished = self.sandbox.run(
            ffmpeg.compile(output, cmd=command), read=[read], write=write, limits=limits, on_line=report.line
        )
        log.info("ffmpeg", cpu=round(finished.cpu, 2), peak_mib=finished.peak >> 20, returncode=finished.returncode)
        if finished.returncode != 0:
            raise verdict(finished, limits)
        return report.reached


class ProgressReport:
    """Reads `-progress` output: blocks of `key=value` that end with the key `progress`."""

    def __init__(self, on_progress: Callable[[Reached], None]) -> None:
        self.reached = Reached()
        self._values: dict[str, str] = {}
        self._tell = on_progress

    def line(self, text: str) -> None:
        name, _, value = text.strip().partition("=")
        self._values[name] = value
        if name == "progress":
            # Until something is written the time is `N/A`, and with some encoders negative.
            self.reached = Reached(
                seconds=max(self.reached.seconds, _number(self._values.get("out_time_us")) / 1e6),
                frames=max(self.reached.frames, _number(self._values.get("frame"))),
            )
            self._tell(self.reached)


def verdict(finished: Finished, limits: Limits) -> Exception:
    """What a failed run means: the file's fault (`Rejected`) unless there is a sign that it is ours."""
    complaint = finished.stderr.strip()
    log.warning("ffmpeg.failed", returncode=finished.returncode, complaint=complaint[-500:])
    if any(sign in complaint for sign in UNFIT):
        return Unfit(complaint.splitlines()[0])
    if "No space left on device" in complaint:
        return OSError(28, "no room for renditions in the scratch folder")
    if "max pixel count" in complaint:
        return Rejected("The pictures in the video are larger than 8K, or the file is damaged.")
    if any(sign in complaint for sign in NO_MEMORY):
        return Rejected("The video needs more memory to decode than is allowed.")
    if finished.cpu >= limits.cpu:
        return Rejected("The video takes more work to decode than is allowed for its length.")
    if "whitelist" in complaint:
        return Rejected("The video uses a codec that is not accepted. Export it as MP4 with H.264 and upload that.")
    if "moov atom not found" in complaint:
        return Rejected("The video is cut off: its index is missing. Copy it from the camera again and upload that.")
    return Rejected("The video is damaged or is not what it seems: it could not be read.")


def _allowed(demuxer: str) -> dict[str, Any]:
    return {
        "protocol_whitelist": "file",
        "format_whitelist": demuxer,
        "codec_whitelist": ",".join(VIDEO_DECODERS + AUDIO_DECODERS),
        "max_streams": MAX_STREAMS,
        "max_pixels": MAX_FRAME_PIXELS,
    }


def _number(text: str | None) -> int:
    return int(text) if text and text.lstrip("-").isdigit() else 0
