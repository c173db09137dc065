"""One photo: from the uploaded file to renditions, placeholder and facts.

The order is by what a visitor waits for. JPEG of all widths takes about a quarter of the work and shows everywhere,
so it is published first; the modern format and an animation follow.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from processor.steps.photo_animation import animate
from processor.steps.photo_colour import over_white, to_srgb, upright
from processor.steps.photo_decode import Picture, decode, from_array
from processor.steps.photo_encode import JPEG, MODERN, Format, Rows
from processor.steps.photo_header import Header, blaming_the_file, read_header, turned
from processor.steps.photo_metadata import details_of
from processor.steps.photo_placeholder import placeholder
from processor.steps.photo_resize import ladder, resized, shrink
from processor.steps.sniff import kind_of
from processor.steps.watermark import marked, write_whole
from processor.task import Facts, Made, Mark, Rejected, Task
from tenants.catalog import Kind
from tenants.names import FULL, MARKED

Step = Callable[[Picture], Picture]

PIPELINE: Sequence[Step] = (shrink, to_srgb, upright)
"""From the decoded original to the largest rendition."""

LEAN_WIDTH = 1280
"""Pixels of the widest picture of a lean set: enough for a laptop's window, half of the bytes of a whole set."""


def process(task: Task) -> None:
    """Renditions in JPEG, published; then in the modern format (and the animation), published.

    Raises `Rejected` for a file that is not a photo, is damaged or too large.
    """
    kind, content_type = kind_of(task.original)
    if kind is not Kind.PHOTO:
        raise Rejected("This is a video, not a photo.")
    header = turned(read_header(task.original, content_type, task.max_pixels), task.turn)
    task.progress(5, "decoding")
    with blaming_the_file():
        whole = develop(header)
    rungs = leaner(whole) if task.lean else whole
    both = versions(task, rungs)
    task.progress(20, "jpeg")
    write(task, both, JPEG)
    facts = replace(_facts(header, rungs[0]), lean=len(rungs) < len(whole))
    task.publish(facts)
    task.progress(35, MODERN.suffix)
    write(task, both, MODERN)
    if header.frames > 1 and content_type in ("image/gif", "image/webp"):
        task.progress(80, "animation")
        _write_animation(task, header)
    if task.mark is not None and task.mark.full:
        task.progress(90, "full size")
        _write_full(task, header, task.mark)
    task.publish(facts)


def develop(header: Header) -> list[Rows]:
    """The picture at each width of its ladder, smallest first, upright and in sRGB: rows of RGB or RGBA.

    One decode; each width is made from the next larger one.
    """
    picture = decode(header)
    for step in PIPELINE:
        picture = step(picture)
    rungs = [picture.pixels.numpy()]
    for width, height in reversed(ladder(*header.shown)[:-1]):
        rungs.insert(0, resized(from_array(rungs[0]), width, height).numpy())
    return rungs


def leaner(rungs: Sequence[Rows]) -> Sequence[Rows]:
    """Without the sizes that a reached budget saves; at least the smallest."""
    return [rows for rows in rungs if rows.shape[1] <= LEAN_WIDTH] or rungs[:1]


def versions(task: Task, rungs: Sequence[Rows]) -> list[tuple[str, Rows]]:
    """Every rung as it is, and with the watermark if there is one: what goes before its name, and its rows."""
    plain = [("", rows) for rows in rungs]
    return plain if task.mark is None else plain + [(MARKED, marked(rows, task.mark)) for rows in rungs]


def write(task: Task, pictures: Iterable[tuple[str, Rows]], form: Format) -> None:
    """Encode and put every picture in one format."""
    for prefix, rows in pictures:
        height, width = rows.shape[:2]
        name = f"{prefix}w{width}.{form.suffix}"
        path = task.scratch / name
        path.parent.mkdir(exist_ok=True)
        form.save(rows, path)
        task.put(Made(name, path, form.content_type, width, height))


def _write_full(task: Task, header: Header, mark: Mark) -> None:
    """A second decode, row by row: at its own size a photo is not kept in memory."""
    path = task.scratch / MARKED / FULL
    with blaming_the_file():
        picture = upright(to_srgb(decode(header)))
        size = write_whole(over_white(picture.pixels), mark, path)
    task.put(Made(f"{MARKED}{FULL}", path, "image/jpeg", *size))


def _write_animation(task: Task, header: Header) -> None:
    for prefix, mark in (("", None), (MARKED, task.mark)) if task.mark else (("", None),):
        path = task.scratch / f"{prefix}animated.webp"
        with blaming_the_file():
            width, height = animate(header, path, mark)
        task.put(Made(f"{prefix}animated.webp", path, "image/webp", width, height))


def _facts(header: Header, smallest: Rows) -> Facts:
    details = details_of(header)
    sketch = placeholder(smallest)
    width, height = header.shown
    return Facts(
        kind=Kind.PHOTO,
        content_type=header.content_type,
        width=width,
        height=height,
        taken_at=details.taken_at,
        taken_offset=details.taken_offset,
        thumbhash=sketch.thumbhash,
        dominant=sketch.dominant,
        media=details.media,
    )
