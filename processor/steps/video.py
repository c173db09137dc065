"""One video: from the uploaded file to posters, an HLS ladder, a plain MP4, a storyboard and facts.

The order is by what a visitor waits for: posters and the lowest rung first, published as soon as they play, then the
higher rungs from one more decode, and what can be made from rungs without decoding the original again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from processor.ffmpeg import DEMUXERS, Reached, Tools
from processor.sandbox import choose
from processor.steps import video_storyboard as storyboard
from processor.steps.photo_placeholder import Placeholder
from processor.steps.sniff import kind_of
from processor.steps.video_ladder import Rung, encode, rungs
from processor.steps.video_metadata import details_of
from processor.steps.video_playlist import multivariant
from processor.steps.video_poster import make_posters
from processor.steps.video_probe import Source, examine
from processor.steps.video_progressive import remux
from processor.task import Facts, Made, Rejected, Task
from tenants.catalog import Kind

PLAYLIST = "application/vnd.apple.mpegurl"


@dataclass
class Work:
    """One video on its way: what the steps below share."""

    task: Task
    tools: Tools
    content_type: str
    source: Source
    ladder: list[Rung]
    folder: Path
    placeholder: Placeholder | None = None


Step = Callable[[Work], None]


def process(task: Task) -> None:
    """Posters and the lowest rung, published; then everything else, published.

    Raises `Rejected` for a file that is not a video, is damaged or too large.
    """
    kind, content_type = kind_of(task.original)
    if kind is not Kind.VIDEO or content_type not in DEMUXERS:
        raise Rejected("This is a photo, not a video.")
    tools = Tools(choose(task.sandbox), task.threads)
    task.progress(1, "probe")
    source = examine(task, tools, content_type)
    folder = task.scratch / "hls"
    folder.mkdir()
    work = Work(task, tools, content_type, source, rungs(source.width, source.height, source.rate), folder)
    for step in PIPELINE:
        step(work)


def poster(work: Work) -> None:
    work.task.progress(4, "poster")
    work.placeholder = make_posters(work.task, work.source, work.tools)


def lowest_rung(work: Work) -> None:
    """With the sound that all rungs share; the video plays from here on."""
    lowest = work.ladder[0]
    _encode(work, [lowest], FIRST)
    _put_rung(work, lowest.name, "video/mp4", lowest)
    if work.source.audio is not None:
        _put_rung(work, "audio", "audio/mp4", None)
    _put_playlist(work, "first", work.ladder[:1])
    work.task.publish(_facts(work))


def higher_rungs(work: Work) -> None:
    higher = work.ladder[1:]
    if higher:
        _encode(work, higher, REST)
    for rung in higher:
        _put_rung(work, rung.name, "video/mp4", rung)
    _put_playlist(work, "master", work.ladder)


def progressive(work: Work) -> None:
    """One MP4 for players without HLS and for downloads, put together from a rung and the sound."""
    work.task.progress(95, "mp4")
    rung = [rung for rung in work.ladder if min(rung.width, rung.height) <= 720][-1]
    path = remux(work.folder, rung, work.tools, audio=work.source.audio is not None)
    work.task.put(Made("video.mp4", path, "video/mp4", rung.width, rung.height))


def seek_pictures(work: Work) -> None:
    work.task.progress(97, "storyboard")
    lowest = work.ladder[0]
    board = storyboard.plan(lowest, work.source.duration)
    sprite = storyboard.draw(board, work.folder / f"{lowest.name}.mp4", work.tools, work.folder)
    columns, rows = board.sheet
    work.task.put(Made("storyboard.jpg", sprite, "image/jpeg", board.width * columns, board.height * rows))
    cues = work.folder / "storyboard.vtt"
    cues.write_text(storyboard.index(board, work.source.duration))
    work.task.put(Made("storyboard.vtt", cues, "text/vtt"))


def finish(work: Work) -> None:
    work.task.publish(_facts(work))
    work.task.progress(100, "ready")


PIPELINE: Sequence[Step] = (poster, lowest_rung, higher_rungs, progressive, seek_pictures, finish)

FIRST = (8, 30)
REST = (30, 95)
"""Percent at the start and end of the two encodings, by their usual share of the work."""


def _encode(work: Work, wanted: Sequence[Rung], span: tuple[int, int]) -> None:
    lowest = work.ladder[0] in wanted
    start, end = span
    told = start

    def tell(reached: Reached) -> None:
        nonlocal told
        part = min(1.0, reached.seconds / work.source.duration)
        percent = start + int((end - start) * part)
        if percent > told:
            told = percent
            work.task.progress(percent, "encode")

    work.task.progress(start, "encode")
    encode(
        work.source,
        wanted,
        work.tools,
        work.folder,
        audio=work.source.audio if lowest else None,
        on_progress=tell,
    )


def _put_rung(work: Work, name: str, content_type: str, rung: Rung | None) -> None:
    size = (rung.width, rung.height) if rung else (None, None)
    work.task.put(Made(f"hls/{name}.mp4", work.folder / f"{name}.mp4", content_type, *size))
    work.task.put(Made(f"hls/{name}.m3u8", work.folder / f"{name}.m3u8", PLAYLIST, *size))


def _put_playlist(work: Work, name: str, ladder: Sequence[Rung]) -> None:
    path = work.folder / f"{name}.m3u8"
    path.write_text(multivariant(work.folder, ladder, work.source.rate, audio=work.source.audio is not None))
    work.task.put(Made(f"hls/{name}.m3u8", path, PLAYLIST))


def _facts(work: Work) -> Facts:
    source, details = work.source, details_of(work.source.tags)
    assert work.placeholder is not None
    return Facts(
        kind=Kind.VIDEO,
        content_type=work.content_type,
        width=source.width,
        height=source.height,
        duration=round(source.duration, 3),
        taken_at=details.taken_at,
        taken_offset=details.taken_offset,
        thumbhash=work.placeholder.thumbhash,
        dominant=work.placeholder.dominant,
        media=details.media,
    )
