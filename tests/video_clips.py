"""Tiny clips made by ffmpeg, a task that records what steps do with them, and questions to ffprobe about the result."""

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processor.task import Facts, Made, Task

SILENT = ("-an",)
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


def render(target: Path, *arguments: str) -> Path:
    """Run ffmpeg with these arguments into `target`."""
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *arguments, str(target)], check=True, timeout=60)
    return target


def clip(
    target: Path,
    *,
    size: str = "320x180",
    seconds: float = 3,
    rate: str = "30",
    sound: bool = True,
    more: tuple[str, ...] = (),
) -> Path:
    """A moving test card, with a tone if there is `sound`."""
    inputs = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}"]
    if sound:
        inputs += ["-f", "lavfi", "-i", f"sine=duration={seconds}:sample_rate=44100"]
    return render(target, *inputs, *H264, *more)


@dataclass
class Record:
    """What a step put, published and told, in order. `made` maps a rendition's name to a copy of its file."""

    task: Task
    folder: Path
    made: dict[str, Made] = field(default_factory=dict)
    published: list[tuple[set[str], Facts]] = field(default_factory=list)
    progress: list[tuple[int, str]] = field(default_factory=list)

    def path(self, name: str) -> Path:
        return self.folder / name


def record(original: Path, folder: Path, **changes: Any) -> Record:
    """A task for `original` with folders of its own below `folder`."""
    scratch, kept = folder / "scratch", folder / "kept"
    scratch.mkdir(parents=True)

    def put(made: Made) -> None:
        target = kept / made.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made.path, target)
        assert made.name not in record.made, "objects are written once"
        record.made[made.name] = made

    settings: dict[str, Any] = {
        "asset_id": "0" * 26,
        "filename": original.name,
        "original": original,
        "scratch": scratch,
        "max_pixels": 200_000_000,
        "max_video_seconds": 3600,
        "put": put,
        "publish": lambda facts: record.published.append((set(record.made), facts)),
        "progress": lambda percent, stage: record.progress.append((percent, stage)),
    }
    record = Record(Task(**{**settings, **changes}), kept)
    return record


def probe(path: Path, *arguments: str) -> dict[str, Any]:
    """ffprobe's JSON, streams by default."""
    command = ["ffprobe", "-loglevel", "error", "-of", "json", *(arguments or ("-show_streams",)), str(path)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    return answer


def picture(path: Path) -> dict[str, Any]:
    """The first video stream."""
    return next(stream for stream in probe(path)["streams"] if stream["codec_type"] == "video")


def keyframes(path: Path) -> list[float]:
    """Presentation times of the keyframes, in seconds."""
    packets = probe(path, "-select_streams", "v:0", "-show_entries", "packet=pts_time,flags")["packets"]
    return [round(float(packet["pts_time"]), 3) for packet in packets if "K" in packet["flags"]]


def decodes(path: Path) -> str:
    """What ffmpeg complains about when it decodes all of `path`: empty if nothing."""
    command = ["ffmpeg", "-nostdin", "-loglevel", "warning", "-xerror", "-i", str(path), "-f", "null", "-"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr


def grey(path: Path, second: float = 0) -> list[list[int]]:
    """One frame's luma at 8 x 8, rows of 16 (black) to 235 (white) as stored."""
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-ss", str(second), "-i", str(path), "-frames:v", "1"]
    command += ["-vf", "extractplanes=y,scale=8:8:flags=area", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    luma = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    return [list(luma[row : row + 8]) for row in range(0, 64, 8)]
