"""The plain MP4: a rung and the sound in one file, copied rather than encoded again."""

from pathlib import Path

import ffmpeg

from processor.ffmpeg import Tools
from processor.sandbox import MIB, Limits
from processor.steps.video_ladder import CLEAN, Rung


def remux(folder: Path, rung: Rung, tools: Tools, *, audio: bool) -> Path:
    """`video.mp4` with its index in front, so that it starts playing before it is loaded (faststart)."""
    target = folder / "video.mp4"
    pictures = folder / f"{rung.name}.mp4"
    streams = [tools.source(pictures, "mov")["v:0"]]
    size = pictures.stat().st_size
    if audio:
        sound = folder / "audio.mp4"
        streams.append(tools.source(sound, "mov")["a:0"])
        size += sound.stat().st_size
    output = ffmpeg.output(*streams, target.name, format="mp4", codec="copy", movflags="+faststart", **CLEAN)
    # The index is moved by writing the file once more in place.
    limits = Limits(file=size + 64 * MIB, cpu=60 + int(size / 20e6), wall=120 + size / 5e6)
    tools.run(output, read=pictures, write=folder, limits=limits)
    return target
