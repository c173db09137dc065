"""CPU of the HLS ladder: ours (the lowest rung first, then one decode for all others) against one ffmpeg run a rung.

    python -m tests.bench.video [CLIP]

Both use the same encoder settings, demuxer options and sandbox; only the number of decodes, the source of each scaling
and the number of audio encodings differ. Without CLIP one is rendered by ffmpeg: 24 s of 1080p at 30 frames a second,
moving and zooming over three photographs of Debian's mate-backgrounds with film grain, and a sine tone. So it is no
camera footage, but it has a photograph's detail, motion by fractions of pixels and noise.
"""

import logging
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ffmpeg
import structlog

from processor.ffmpeg import Tools
from processor.sandbox import Finished, Sandbox, choose
from processor.steps.video_ladder import ENCODER, encode, rungs
from processor.steps.video_probe import Source, examine
from processor.task import Task

PHOTOS = Path("/usr/share/backgrounds/mate/nature")
SHOTS = (
    ("Garden.jpg", {"z": "1+0.0008*on", "x": "iw/2-iw/zoom/2+on*0.7", "y": "ih/2-ih/zoom/2"}),
    ("FreshFlower.jpg", {"z": "1.2-0.0006*on", "x": "on*0.9", "y": "on*0.4"}),
    ("Storm.jpg", {"z": "1+0.0008*on"}),
)
SECONDS = 24


@dataclass(frozen=True)
class Meter(Sandbox):
    """The sandbox, remembering what each run took."""

    runs: list[Finished] = field(default_factory=list)

    def run(self, *arguments: Any, **options: Any) -> Finished:
        finished = super().run(*arguments, **options)
        self.runs.append(finished)
        return finished

    def spent(self) -> tuple[float, int]:
        """CPU seconds, and the peak in MiB of the largest run, since it was last asked."""
        taken = list(self.runs)
        self.runs.clear()
        return sum(run.cpu for run in taken), max(run.peak for run in taken) >> 20


def render(target: Path) -> None:
    """The clip that the module's docstring describes."""
    shots = []
    for name, camera in SHOTS:
        still = ffmpeg.input(str(PHOTOS / name), loop=1, framerate=30, t=SECONDS / len(SHOTS))
        wide = still.filter("scale", 2880, 1620, force_original_aspect_ratio="increase").filter("crop", 2880, 1620)
        shots.append(wide.filter("zoompan", d=1, s="1920x1080", fps=30, **camera).filter("setsar", 1))
    film = ffmpeg.concat(*shots).filter("noise", alls=3, allf="t").filter("format", "yuv420p")
    tone = ffmpeg.input(f"sine=frequency=220:sample_rate=48000:duration={SECONDS}", format="lavfi")
    output = ffmpeg.output(film, tone, str(target), **{"c:v": "libx264", "preset": "veryfast", "crf": 17, "c:a": "aac"})
    ffmpeg.run(output, cmd=["ffmpeg", "-nostdin", "-loglevel", "error"], overwrite_output=True)


def separately(source: Source, tools: Tools, folder: Path) -> None:
    """What the peer does: each rung decodes, scales from the full picture and encodes the sound again."""
    for rung in rungs(source.width, source.height, source.rate):
        encode(source, [rung], tools, folder, audio=source.audio, on_progress=lambda reached: None)


def at_once(source: Source, tools: Tools, folder: Path) -> None:
    """All rungs from one decode, with the sound once: the least CPU, but nothing plays before everything does."""
    ladder = rungs(source.width, source.height, source.rate)
    encode(source, ladder, tools, folder, audio=source.audio, on_progress=lambda reached: None)


def ours(source: Source, tools: Tools, folder: Path) -> None:
    """As `processor/steps/video.py` does it: the lowest rung with the sound, then all others from one decode."""
    ladder = rungs(source.width, source.height, source.rate)
    encode(source, ladder[:1], tools, folder, audio=source.audio, on_progress=lambda reached: None)
    encode(source, ladder[1:], tools, folder, on_progress=lambda reached: None)


def sound(source: Source, tools: Tools, meter: Meter, folder: Path) -> float:
    """CPU seconds of encoding the sound once: the lowest rung with it, less the lowest rung without."""
    lowest = rungs(source.width, source.height, source.rate)[:1]
    spent = []
    for audio in (source.audio, None):
        encode(source, lowest, tools, folder, audio=audio, on_progress=lambda reached: None)
        spent.append(meter.spent()[0])
    return max(0.0, spent[0] - spent[1])


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory(prefix="vitrine-bench-") as name:
        folder = Path(name)
        clip = Path(sys.argv[1]) if len(sys.argv) > 1 else folder / "clip.mp4"
        if len(sys.argv) < 2:
            render(clip)
        meter = Meter(choose("auto").method)
        tools = Tools(meter, threads=2)
        task: Any = Task("", clip.name, clip, folder, 1, 36_000, print, print, print)
        source = examine(task, tools, "video/mp4")
        meter.spent()
        ladder = ", ".join(f"{rung.width}x{rung.height}" for rung in rungs(source.width, source.height, source.rate))
        print(f"{source.width}x{source.height}, {source.duration:.1f} s, into {ladder}")
        print(f"{ENCODER['c:v']} {ENCODER['preset']} crf {ENCODER['crf']}, {tools.threads} threads, {meter.method}")
        figures = {}
        for way in (separately, at_once, ours):
            way(source, tools, folder)
            figures[way.__name__] = cpu, peak = meter.spent()
            print(f"{way.__name__:<12} CPU {cpu:7.2f} s   {cpu / source.duration:5.2f} s a second   peak {peak} MiB")
        peer = figures["separately"][0]
        repeated = sound(source, tools, meter, folder) * (len(rungs(source.width, source.height, source.rate)) - 1)
        print(f"RATIO ours / separate runs                   {figures['ours'][0] / peer:.2f}x CPU")
        print(f"RATIO ours / separate runs, sound only once  {figures['ours'][0] / (peer - repeated):.2f}x CPU")
        print(f"RATIO at once / separate runs                {figures['at_once'][0] / peer:.2f}x CPU")


if __name__ == "__main__":
    main()
