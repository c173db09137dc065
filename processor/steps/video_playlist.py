"""Multivariant playlists (RFC 8216, section 4.3.4), written from what the rungs turned out to be."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import m3u8

from processor.steps.video_ladder import Rung

AUDIO_CODEC = "mp4a.40.2"


def multivariant(folder: Path, ladder: Sequence[Rung], rate: Fraction, *, audio: bool) -> str:
    """The playlist over these rungs, lowest first, and the audio group; every address is relative."""
    playlist = m3u8.M3U8()
    playlist.version = "7"
    playlist.is_independent_segments = True
    sound = (0, 0)
    if audio:
        sound = _bitrates(folder / "audio.m3u8")
        playlist.add_media(
            m3u8.Media(
                uri="audio.m3u8",
                type="AUDIO",
                group_id="audio",
                name="Sound",
                default="YES",
                autoselect="YES",
                channels="2",
            )
        )
    for rung in ladder:
        peak, average = _bitrates(folder / f"{rung.name}.m3u8")
        codecs = [_video_codec(folder / f"{rung.name}.mp4"), *([AUDIO_CODEC] if audio else [])]
        stream = {
            "bandwidth": peak + sound[0],
            "average_bandwidth": average + sound[1],
            "resolution": f"{rung.width}x{rung.height}",
            "frame_rate": f"{float(rate):.3f}",
            "codecs": ",".join(codecs),
            **({"audio": "audio"} if audio else {}),
        }
        playlist.add_playlist(m3u8.Playlist(f"{rung.name}.m3u8", stream, playlist.media, ""))
    return str(playlist.dumps())


def _bitrates(path: Path) -> tuple[int, int]:
    """Peak and average bits a second over the segments, the two numbers that players choose by."""
    segments = m3u8.loads(path.read_text()).segments
    sizes = [int((segment.byterange or "0").partition("@")[0]) * 8 for segment in segments]
    durations = [segment.duration or 0.0 for segment in segments]
    # A last segment of a few frames says nothing about the bandwidth that it takes.
    lasting = [(size, length) for size, length in zip(sizes, durations, strict=True) if length >= 0.5]
    peak = max((size / length for size, length in lasting), default=sum(sizes) / max(sum(durations), 0.1))
    return round(peak), round(sum(sizes) / max(sum(durations), 0.1))


def _video_codec(path: Path) -> str:
    """RFC 6381: profile, constraints and level as in the decoder configuration (ISO/IEC 14496-15, 5.3.3.1)."""
    with path.open("rb") as file:
        head = file.read(4096)
    at = head.index(b"avcC") + 5
    return f"avc1.{head[at : at + 3].hex()}"
