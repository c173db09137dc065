"""One media job: claim the asset, run the steps of its kind, commit.

May run any number of times for one asset, at once or in turn (`lease`, `commit`). Returns when there is nothing left to
do or someone else does it; raises when the work should be tried again. Whether it has succeeded is for the database to
say, never for the return of this function.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from flask import Flask, current_app
from structlog.contextvars import bound_contextvars

from infra import faults
from infra.access_log import safe_request_id
from infra.attributes import fitted
from infra.crc import crc32_of
from processor import commit, lease, limits
from processor.lease import Claim, Keeper, LostLease
from processor.task import Facts, Made, Mark, Rejected, Task
from tenants import lean, watermarks
from tenants.blanks import Blanks
from tenants.catalog import Kind
from tenants.names import brand_key, generation_prefix, is_id, original_key, rendition_key, renditions_prefix
from tenants.scope import Site, open_site, settings

log = structlog.get_logger(__name__)

PROGRESS_SECONDS = 1.0


class LetGo(BaseException):
    """This process is to end before its job has: the asset is free again for another."""


def let_go(*_signal: object) -> None:
    """What SIGTERM does to a job."""
    raise LetGo


def run(tenant_id: str, asset_id: str, message_id: str, attempt: int, trace: str = "") -> None:
    """What a media message asks for. `attempt` counts the message's receives; `trace` is the id of the request that
    caused it."""
    if not (is_id(tenant_id) and is_id(asset_id)):
        raise ValueError("not the ids of a tenant and an asset")
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # the lease's thread needs the app
    about: dict[str, object] = {
        "tenant": tenant_id,
        "asset": asset_id,
        "message": message_id,
        "attempt": attempt,
        "fleet": "worker",
    }
    if request_id := safe_request_id(trace):
        about["request_id"] = request_id
    with bound_contextvars(**about), open_site(tenant_id) as site:
        held = lease.claim(site, asset_id, settings().visibility)
        if held is None:
            log.info("nothing to do: the asset is at its end or someone works on it")
            return
        faults.point("claim")
        with Keeper(app, tenant_id, held, settings().visibility) as keeper:
            _work(site, held, keeper)


def _work(site: Site, held: Claim, keeper: Keeper) -> None:
    """Process and bring the asset to an end; or let go of it and raise.

    Metrics: `job.seconds` of work that ended well, by tenant and kind; `job.errors` by tenant, kind (`pending` where
    the file's was not recognised) and cause (`rejected`, `failed`; `given up` is `giving_up`'s).
    """
    began = time.monotonic()
    run = _Run(site, held, keeper)
    try:
        with _scratch(settings().data_dir, held) as folder:
            facts = run.process(folder)
        faults.point("before-commit")
        commit.ready(site, held, facts, run.stored, run.crc32, run.mark, run.blanks)
    except Rejected as refusal:
        if _reject(site, held, str(refusal)):
            _erred(site, run.kind, "rejected")
    except LostLease as lost:
        log.warning("lease lost, leaving the asset to its new holder", error=str(lost))
    except BaseException as error:
        site.session.rollback()
        lease.release(site, held)
        if not isinstance(error, LetGo):
            _erred(site, run.kind, "failed")
        raise
    else:
        faults.point("after-commit")
        watermarks.ask_next(site)
        seconds = time.monotonic() - began
        log.info("ready", kind=facts.kind.value, seconds=round(seconds, 3), generation=held.fence)
        site.metrics.put("job.seconds", seconds, unit="Seconds", tenant=site.tenant_id, kind=facts.kind.value)


def _erred(site: Site, kind: Kind, cause: str) -> None:
    site.metrics.put("job.errors", 1, tenant=site.tenant_id, kind=kind.value, cause=cause)


def _reject(site: Site, held: Claim, reason: str) -> bool:
    """Whether the lease was still held. Nothing of the file is shown any more; of one that was good enough once, what
    is left of it stays."""
    try:
        (commit.keep(site, held) if held.rebuild else commit.reject(site, held, reason))
    except LostLease as lost:
        log.warning("lease lost, not rejecting", error=str(lost))
        site.blobs.delete_prefix(generation_prefix(site.tenant_id, held.asset_id, held.fence))
        return False
    if held.rebuild:
        log.error("a rebuild was rejected, what is left is shown", reason=reason)
        site.blobs.delete_prefix(generation_prefix(site.tenant_id, held.asset_id, held.fence))
        return True
    log.info("rejected", reason=reason)
    site.blobs.delete_prefix(renditions_prefix(site.tenant_id, held.asset_id))
    return True


class _Run:
    """The hands that a `Task` is given: they know the tenant, the generation and the lease; the steps do not."""

    def __init__(self, site: Site, held: Claim, keeper: Keeper) -> None:
        self._site, self._held, self._keeper = site, held, keeper
        self.kind = Kind.PENDING
        self.stored: list[commit.Stored] = []
        self.crc32: int | None = None
        """The original's, once it has been read."""
        self.blanks: Blanks | None = None
        """What of the original tells its place."""
        self.mark: str | None = None
        """The digest of the watermark that marked renditions carry."""
        self._published: tuple[Facts, int] | None = None
        self._told = float("-inf")

    def process(self, folder: Path) -> Facts:
        """Run the steps; what was published last. Raises `Rejected`, `LostLease` or whatever went wrong."""
        from processor.steps import place, sniff

        original = self._site.blobs.fetch(
            original_key(self._site.tenant_id, self._held.asset_id, self._held.sha256), folder / "original"
        )
        self.kind, content_type = sniff.kind_of(original)
        self.crc32 = _crc32(original)  # Archives need it, and here the file is at hand.
        self.blanks = place.look(original, self.kind, content_type)
        faults.point("decode")
        steps = _steps_of(self.kind)
        with limits.confined(limits.of_kind(self.kind, settings())):
            steps(self._task(original, folder / "work"))
        if self._published is None or self._published[1] != len(self.stored):
            raise RuntimeError("the steps ended with something unpublished")
        return self._published[0]

    def _task(self, original: Path, work: Path) -> Task:
        work.mkdir()
        return Task(
            asset_id=self._held.asset_id,
            filename=self._held.filename,
            original=original,
            scratch=work,
            max_pixels=settings().max_pixels,
            max_video_seconds=settings().max_video_seconds,
            sandbox=settings().sandbox,
            threads=settings().video_threads,
            mark=self._mark(work.parent),
            turn=self._held.turn,
            lean=lean.wanted_by(self._site, whole=self._held.rebuild and not self._held.lean),
            put=self.put,
            publish=self.publish,
            progress=self.progress,
        )

    def _mark(self, folder: Path) -> Mark | None:
        """The album's watermark, fetched."""
        wanted = watermarks.wanted_by(self._site, self._held.album_id)
        if wanted is None:
            return None
        self.mark = wanted.digest
        key = brand_key(self._site.tenant_id, wanted.drawn_sha256)
        picture = self._site.blobs.fetch(key, folder / "mark.png")
        return Mark(picture, wanted.position, wanted.size, wanted.opacity, wanted.full)

    def put(self, made: Made) -> None:
        """Store one object of this generation. Its key is this claim's alone, so it cannot be taken."""
        self._keeper.check()
        key = rendition_key(self._site.tenant_id, self._held.asset_id, self._held.fence, made.name)
        info = self._site.blobs.put(key, made.path, content_type=made.content_type)
        stored = commit.Stored(made.name, made.content_type, made.width, made.height, info.size, _crc32(made.path))
        self.stored.append(stored)
        faults.point(f"write-{made.name}")

    def publish(self, facts: Facts) -> None:
        """Make what was stored so far visible, then the media attributes, which are the same in every generation."""
        self._keeper.check()
        before = self._published
        since = before[1] if before else 0
        faults.point("before-publish")
        commit.publish(self._site, self._held, facts, self.stored[since:])
        faults.point("after-publish")
        if facts.media and (before is None or before[0].media != facts.media):
            self._site.media.put(self._held.asset_id, {name: fitted(value) for name, value in facts.media.items()})
        self._published = (facts, len(self.stored))

    def progress(self, percent: int, stage: str) -> None:
        """At most one write a second: a step may call this as often as it likes."""
        self._keeper.check()
        now = time.monotonic()
        if now - self._told >= PROGRESS_SECONDS:
            commit.progress(self._site, self._held, percent, stage)
            self._told = now


def _crc32(path: Path) -> int:
    with path.open("rb") as file:
        return crc32_of(file)


def _steps_of(kind: Kind) -> Callable[[Task], None]:
    # Imported late: a worker's parent must not initialise libvips, which does not survive a fork.
    if kind is Kind.VIDEO:
        from processor.steps import video

        return video.process
    from processor.steps import photo

    return photo.process


@contextmanager
def _scratch(data_dir: Path, held: Claim) -> Iterator[Path]:
    """A folder of this claim's own, gone afterwards. One that a killed process left is `reconcile`'s to remove."""
    folder = scratch_root(data_dir) / f"{held.asset_id}-{held.fence}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def scratch_root(data_dir: Path) -> Path:
    return data_dir / "scratch"
