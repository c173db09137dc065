"""A short film made of photographs, so that a first run has a video to show: slow pans, cross-fades, a soft chord."""

from pathlib import Path
from typing import Any

import click
import ffmpeg

from processor.sandbox import MIB, Limits, choose

WIDTH, HEIGHT, RATE = 1920, 1080, 30
SECONDS = 4.6
"""Each photograph; the next one begins to show a FADE before its end."""
FADE = 0.8
MOST = 3
TRAVEL = 2
"""Pixels that the view moves a frame. Whole ones: a pan by fractions trembles."""
CHORD = (130.81, 196.00, 246.94, 329.63)
"""C3, G3, B3, E4 in hertz."""


def make_sample(photos: list[Path], target: Path) -> None:
    """Render up to three photographs into a 1080p MP4 of about 12 seconds. Raises `ValueError` without photographs."""
    if not photos:
        raise ValueError("a film needs photographs")
    chosen = photos[:MOST]
    film = None
    for number, photo in enumerate(chosen):
        scene = _pan(photo, right=number % 2 == 0)
        film = scene if film is None else _fade(film, scene, number)
    length = len(chosen) * (SECONDS - FADE) + FADE
    output = ffmpeg.output(
        film,
        _chord(length),
        str(target.name),
        **{"c:v": "libx264", "preset": "veryfast", "crf": 20, "c:a": "aac", "b:a": "128k"},
        pix_fmt="yuv420p",
        movflags="+faststart",
        t=length,
    )
    command = ffmpeg.compile(output, cmd=["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y"])
    finished = choose("auto").run(
        command, read=chosen, write=target.parent.resolve(), limits=Limits(memory=1024 * MIB, cpu=300, wall=600)
    )
    if finished.returncode != 0:
        raise RuntimeError(f"ffmpeg could not render the sample: {finished.stderr.strip()[-300:]}")


def _pan(photo: Path, *, right: bool) -> Any:
    """A view that travels across a photograph which is a little larger than the picture."""
    room = round(SECONDS * RATE) * TRAVEL
    still = ffmpeg.input(str(photo.resolve()), loop=1, framerate=RATE, t=SECONDS)
    wide = still.filter("scale", WIDTH + room, HEIGHT, force_original_aspect_ratio="increase")
    across = f"n*{TRAVEL}" if right else f"{room}-n*{TRAVEL}"
    view = wide.filter("crop", WIDTH, HEIGHT, across, "(ih-oh)/2")
    return view.filter("setsar", 1).filter("format", "yuv420p")


def _fade(film: Any, scene: Any, number: int) -> Any:
    return ffmpeg.filter([film, scene], "xfade", duration=FADE, offset=round(number * (SECONDS - FADE), 3))


def _chord(seconds: float) -> Any:
    tones = "+".join(f"0.05*sin(2*PI*{tone}*t)*(0.75+0.25*sin(2*PI*t/{3 + n}))" for n, tone in enumerate(CHORD))
    sound = ffmpeg.input(f"aevalsrc='{tones}':s=48000:d={seconds}", format="lavfi")
    return sound.filter("afade", type="in", duration=1).filter("afade", type="out", start_time=seconds - 2, duration=2)


@click.command("sample-video")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
def command(folder: Path, target: Path) -> None:
    """Render a short film from the photographs in FOLDER."""
    photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))
    try:
        make_sample(photos, target)
    except (ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{target}: a film of {min(len(photos), MOST)} photographs")
