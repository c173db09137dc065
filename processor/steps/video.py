"""One video: from the uploaded file to posters, an HLS ladder, a plain MP4, a storyboard and facts.

The order is by what a visitor waits for: posters and the lowest rung first, published as soon as they play, then the
higher rungs from one more decode, and what can be made from rungs without decoding the original again. With a
watermark each of these is made twice, the second time below `m/` with the mark on every frame; sound is copied.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from processor.ffmpeg import DEMUXERS, Reached, Tools
from processor.sandbox import choose
from processor.steps import video_storyboard as storyboard
from processor.steps.photo import LEAN_WIDTH
from processor.steps.photo_placeholder import Placeholder
from processor.steps.sniff import kind_of
from processor.steps.video_ladder import Rung, encode, leaner, rungs
from processor.steps.video_metadata import details_of
from processor.steps.video_playlist import multivariant
from processor.steps.video_poster import make_posters
from processor.steps.video_probe import Source, examine
from processor.steps.video_progressive import remux
from processor.task import Facts, Made, Mark, Rejected, Task
from tenants.catalog import Kind
from tenants.names import MARKED

PLAYLIST = "application/vnd.apple.mpegurl"


@dataclass(frozen=True)
class Version:
    """The video as it is, or with the mark: what goes before the names of its renditions, and where they are made."""

    prefix: str
    folder: Path
    mark: Mark | None = None


@dataclass
class Work:
    """One video on its way: what the steps below share. The first of its versions is the plain one."""

    task: Task
    tools: Tools
    content_type: str
    source: Source
    ladder: list[Rung]
    versions: Sequence[Version]
    lean: bool
    """Whether a size was left out, of the ladder or of the poster."""
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
    whole = rungs(source.width, source.height, source.rate)
    ladder = leaner(whole) if task.lean else whole
    lean = task.lean and (len(ladder) < len(whole) or source.width > LEAN_WIDTH)
    work = Work(task, tools, content_type, source, ladder, _versions(task), lean)
    for step in PIPELINE:
        step(work)


def _versions(task: Task) -> list[Version]:
    versions = [Version("", task.scratch / "hls")]
    if task.mark is not None:
        versions.append(Version(MARKED, task.scratch / "marked", task.mark))
    for version in versions:
        version.folder.mkdir()
    return versions


def poster(work: Work) -> None:
    work.task.progress(4, "poster")
    work.placeholder = make_posters(work.task, work.source, work.tools)


def lowest_rung(work: Work) -> None:
    """With the sound that all rungs share; the video plays from here on."""
    lowest = work.ladder[0]
    _encode(work, [lowest], FIRST)
    for version in work.versions:
        _put_rung(work, version, lowest.name, "video/mp4", lowest)
        if work.source.audio is not None:
            _put_rung(work, version, "audio", "audio/mp4", None)
        _put_playlist(work, version, "first", work.ladder[:1])
    work.task.publish(_facts(work))


def higher_rungs(work: Work) -> None:
    higher = work.ladder[1:]
    if higher:
        _encode(work, higher, REST)
    for version in work.versions:
        for rung in higher:
            _put_rung(work, version, rung.name, "video/mp4", rung)
        _put_playlist(work, version, "master", work.ladder)


def progressive(work: Work) -> None:
    """One MP4 for players without HLS and for downloads, put together from a rung and the sound."""
    work.task.progress(95, "mp4")
    rung = [rung for rung in work.ladder if min(rung.width, rung.height) <= 720][-1]
    for version in work.versions:
        path = remux(version.folder, rung, work.tools, audio=work.source.audio is not None)
        work.task.put(Made(f"{version.prefix}video.mp4", path, "video/mp4", rung.width, rung.height))


def seek_pictures(work: Work) -> None:
    work.task.progress(97, "storyboard")
    lowest = work.ladder[0]
    board = storyboard.plan(lowest, work.source.duration)
    columns, rows = board.sheet
    for version in work.versions:
        folder, prefix = version.folder, version.prefix
        sprite = storyboard.draw(board, folder / f"{lowest.name}.mp4", work.tools, folder)
        size = board.width * columns, board.height * rows
        work.task.put(Made(f"{prefix}storyboard.jpg", sprite, "image/jpeg", *size))
        cues = folder / "storyboard.vtt"
        cues.write_text(storyboard.index(board, work.source.duration))
        work.task.put(Made(f"{prefix}storyboard.vtt", cues, "text/vtt"))


def finish(work: Work) -> None:
    work.task.publish(_facts(work))
    work.task.progress(100, "ready")


PIPELINE: Sequence[Step] = (poster, lowest_rung, higher_rungs, progressive, seek_pictures, finish)

FIRST = (8, 30)
REST = (30, 95)
"""Percent at the start and end of the two encodings, by their usual share of the work."""


def _encode(work: Work, wanted: Sequence[Rung], span: tuple[int, int]) -> None:
    """These rungs in every version, each with its part of the percents."""
    start, end = span
    each = (end - start) // len(work.versions)
    for number, version in enumerate(work.versions):
        _encode_version(work, version, wanted, (start + number * each, start + (number + 1) * each))


def _encode_version(work: Work, version: Version, wanted: Sequence[Rung], span: tuple[int, int]) -> None:
    audio = work.source.audio if work.ladder[0] in wanted else None
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
        version.folder,
        audio=audio if version.mark is None else None,
        mark=version.mark,
        on_progress=tell,
    )
    if audio is not None and version.mark is not None:
        for name in ("audio.mp4", "audio.m3u8"):
            shutil.copyfile(work.versions[0].folder / name, version.folder / name)


def _put_rung(work: Work, version: Version, name: str, content_type: str, rung: Rung | None) -> None:
    size = (rung.width, rung.height) if rung else (None, None)
    stem = f"{version.prefix}hls/{name}"
    work.task.put(Made(f"{stem}.mp4", version.folder / f"{name}.mp4", content_type, *size))
    work.task.put(Made(f"{stem}.m3u8", version.folder / f"{name}.m3u8", PLAYLIST, *size))


def _put_playlist(work: Work, version: Version, name: str, ladder: Sequence[Rung]) -> None:
    path = version.folder / f"{name}.m3u8"
    path.write_text(multivariant(version.folder, ladder, work.source.rate, audio=work.source.audio is not None))
    work.task.put(Made(f"{version.prefix}hls/{name}.m3u8", path, PLAYLIST))


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
        lean=work.lean,
    )
