"""What a step is given and what it gives back. `jobs.py` makes a `Task`; files in `steps/` are functions of it.

A step reads `task.original`, writes below `task.scratch`, hands finished files to `task.put` and makes them visible
with `task.publish`. It knows no tenant, no database and no queue.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tenants.catalog import Kind
from tenants.mark_layout import Position


class Rejected(Exception):
    """The file's own fault; the text is a sentence that its uploader will read. Never retried."""


@dataclass(frozen=True)
class Made:
    """One finished rendition. `name` is relative to the generation, like `w640.jpg` or `hls/master.m3u8`."""

    name: str
    path: Path
    content_type: str
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class Mark:
    """A watermark: a PNG with transparency at `picture`, and how it lies (`tenants/mark_layout.py`).

    `opacity` is percent. `full`: a photo is put in its own size, too.
    """

    picture: Path
    position: Position
    size: int
    opacity: int
    full: bool = False


@dataclass(frozen=True)
class Facts:
    """What was learnt about the original. `width` and `height` are as shown, after orientation; `duration` seconds.

    `taken_at` is aware: real UTC where the offset (minutes) is known, else the camera's local time labelled as UTC.
    `media` are flat attributes for the media store, such as `camera`, `lens`, `exposure`; names that start with
    `private.` (GPS among them) never reach a page.
    """

    kind: Kind
    content_type: str
    width: int
    height: int
    duration: float | None = None
    taken_at: datetime | None = None
    taken_offset: int | None = None
    thumbhash: str | None = None
    dominant: str | None = None
    media: dict[str, str] = field(default_factory=dict)
    lean: bool = False
    """Whether sizes were left out for the tenant's budget."""


@dataclass(frozen=True)
class Task:
    """One asset to process, in one generation.

    `put` stores a rendition (not yet visible). `publish` makes everything put so far visible with the facts, by
    compare-and-set, and raises if the lease is lost: the step lets that pass. `progress` takes percent and a stage.
    `sandbox` (as in the settings) and `threads` (of each codec) are for the programs that a step starts. With a `mark`
    every rendition is put twice: as it is, and below `m/` with the watermark. `turn` is degrees clockwise, by which a
    photo's pictures are turned after its own orientation. `lean`: only the smaller sizes (`tenants/lean.py`).
    """

    asset_id: str
    filename: str
    original: Path
    scratch: Path
    max_pixels: int
    max_video_seconds: int
    put: Callable[[Made], None]
    publish: Callable[[Facts], None]
    progress: Callable[[int, str], None]
    sandbox: str = "auto"
    threads: int = 2
    mark: Mark | None = None
    turn: int = 0
    lean: bool = False
