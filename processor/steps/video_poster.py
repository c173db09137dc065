"""The poster: one telling frame, found by seeking, then treated as a photo."""

from dataclasses import replace
from pathlib import Path

import ffmpeg
from PIL import Image, ImageStat

from processor.ffmpeg import Tools
from processor.steps.photo import develop, leaner, versions, write
from processor.steps.photo_encode import JPEG, MODERN
from processor.steps.photo_header import read_header
from processor.steps.photo_placeholder import Placeholder, placeholder
from processor.steps.photo_resize import ladder
from processor.steps.video_ladder import even_side, limits
from processor.steps.video_picture import even, scaled, to_sdr
from processor.steps.video_probe import Source
from processor.task import Rejected, Task

MOMENTS = (0.1, 0.25, 0.5, 0.0)
"""Parts of the duration that are tried in turn: the start is often black, or a title."""

FLAT = 12.0
"""Standard deviation of luminance (0 to 127) below which a frame is a black, white or plain one."""


def make_posters(task: Task, source: Source, tools: Tools) -> Placeholder:
    """Put the poster in all widths and formats; its placeholder."""
    header = read_header(choose_frame(task.scratch, source, tools), "image/png", task.max_pixels)
    pictures = leaner(develop(header)) if task.lean else develop(header)
    both = versions(task, pictures)
    write(task, both, JPEG)
    write(task, both, MODERN)
    return placeholder(pictures[0])


def choose_frame(scratch: Path, source: Source, tools: Tools) -> Path:
    """The first frame that shows something, or else the one with the most to see, as PNG."""
    best: tuple[float, Path] | None = None
    for number, part in enumerate(MOMENTS):
        path = scratch / f"poster{number}.png"
        _grab(source, source.duration * part, path, tools)
        if not path.exists():
            continue
        detail = _detail(path)
        if best is None or detail > best[0]:
            best = detail, path
        if detail >= FLAT:
            break
    if best is None:
        raise Rejected("No picture of this video could be decoded: it is damaged.")
    return best[1]


def _grab(source: Source, second: float, path: Path, tools: Tools) -> None:
    """One frame at `second`, by seeking in the input. A seek behind the last frame leaves no file."""
    opened = tools.source(source.path, source.demuxer, ss=f"{second:.3f}")
    # Even sides, as zimg wants them where colour is stored at half the resolution.
    width, height = (even_side(side) for side in ladder(source.width, source.height)[-1])
    frame = to_sdr(scaled(even(opened[str(source.index)], source), width, height), source)
    output = ffmpeg.output(frame, path.name, format="image2", vframes=1, update=1, pix_fmt="rgb24", map_metadata=-1)
    bounds = replace(limits(source, tools.threads), cpu=120, wall=240)
    tools.run(output, read=source.path, write=path.parent, limits=bounds)


def _detail(path: Path) -> float:
    with Image.open(path) as frame:
        return float(ImageStat.Stat(frame.convert("L").resize((64, 64))).stddev[0])
