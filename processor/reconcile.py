"""What no single process can be trusted to finish: the gap between what is and what should be, closed now and then.

Every part may run at any time, in several processes at once, and again after a crash anywhere in it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

import structlog
from sqlalchemy import func, or_, select, update

from infra.sql import reading
from processor import erasing, leftovers, losses, purge
from processor.giving_up import give_up
from processor.verdict import is_media_job, look_up, subject_of
from tenants import dead_letters, exports, lean, lifecycle, outbox, visits, watermarks
from tenants.catalog import TERMINAL, Asset
from tenants.db import db
from tenants.outbox import Outbox
from tenants.registry import Tenant
from tenants.scope import Site, open_site, ports, settings

log = structlog.get_logger(__name__)

_DEAD_LETTERS = 1000


@dataclass(frozen=True)
class Graces:
    """How long each kind of thing is left alone.

    `idle`: an unfinished asset that nobody holds, before it counts as forgotten. `superseded`: a generation that pages
    or caches may still show. `orphan`: an object without a row, whose row may be about to be written. `undo`: what a
    tenant has deleted and may bring back.
    """

    idle: timedelta = timedelta(hours=1)
    superseded: timedelta = timedelta(hours=1)
    orphan: timedelta = timedelta(hours=25)
    undo: timedelta = timedelta(days=30)


@dataclass
class Report:
    """How many of each were dealt with."""

    closed_tenants: int = 0
    rebuilt: int = 0
    marked_again: int = 0
    made_whole: int = 0
    requeued: int = 0
    failed: int = 0
    settled_dead_letters: int = 0
    superseded_generations: int = 0
    orphan_renditions: int = 0
    orphan_originals: int = 0
    scratch_folders: int = 0
    purged_assets: int = 0
    purged_albums: int = 0
    expired_exports: int = 0
    erased_tenants: int = 0

    def __str__(self) -> str:
        done = [f"{name.replace('_', ' ')}: {count}" for name, count in asdict(self).items() if count]
        return ", ".join(done) or "nothing to do"


def run(graces: Graces | None = None) -> Report:
    """Everything once, for every tenant."""
    graces = graces or Graces(orphan=timedelta(seconds=settings().upload_expiry) + timedelta(hours=1))
    report = Report()
    report.failed, report.settled_dead_letters = bury(graces.idle)
    report.rebuilt = losses.hear()
    quiet = ports().queue.depth().waiting == 0
    for tenant_id in _tenants():
        with open_site(tenant_id) as site:
            report.closed_tenants += lifecycle.close_if_due(site)
            if quiet:
                report.requeued += requeue(site, graces.idle) + exports.requeue(site, graces.idle)
            report.purged_assets += purge.assets(site, graces.undo)
            report.purged_albums += purge.albums(site, graces.undo)
            visits.forget(site.session, tenant_id, site.now().date())
            site.session.commit()
            report.rebuilt += losses.look(site)
            report.marked_again += watermarks.catch_up(site)
            report.made_whole += lean.catch_up(site)
            report.superseded_generations += leftovers.superseded(site, graces.superseded)
            report.orphan_renditions += leftovers.renditions(site, graces.orphan)
            report.orphan_originals += leftovers.originals(site, graces.orphan)
            report.expired_exports += exports.tidy(site)
    report.erased_tenants = erasing.run_due()
    report.scratch_folders = leftovers.scratch(settings().data_dir)
    log.info("reconciled", **asdict(report))
    return report


def _tenants() -> Sequence[str]:
    session = db.session()
    with reading():
        ids = session.scalars(select(Tenant.id).order_by(Tenant.id)).all()
        session.rollback()
    return ids


def requeue(site: Site, idle: timedelta) -> int:
    """Send a message again for every unfinished asset that nobody has touched for `idle`; how many.

    For when the queue is empty: an asset's message may be any of those that wait. One that is sent twice does no harm,
    and `leased_until` is set to now (a lease that has run out), so that an asset's turn comes once in `idle` at most.
    """
    now = site.now()
    forgotten = (
        Asset.tenant_id == site.tenant_id,
        Asset.state.not_in(TERMINAL),
        Asset.deleted_at.is_(None),
        or_(Asset.leased_until.is_(None), Asset.leased_until <= now),
        func.coalesce(Asset.leased_until, Asset.created_at) < now - idle,
    )
    with reading():
        found = site.session.scalars(select(Asset.id).where(*forgotten).order_by(Asset.id)).all()
        on_its_way = {body.get("asset") for body in site.session.scalars(select(Outbox.body))} if found else set()
        site.session.rollback()
    sent = 0
    for asset_id in found:
        if asset_id in on_its_way:
            continue
        touched = site.session.execute(
            update(Asset)
            .where(*forgotten, Asset.id == asset_id)
            .values(leased_until=now)
            .execution_options(synchronize_session=False)
        )
        if touched.rowcount:  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult
            site.enqueue(outbox.media_job(site.tenant_id, asset_id))
            sent += 1
        site.session.commit()
    return sent


def bury(idle: timedelta) -> tuple[int, int]:
    """Settle dead letters: FAILED for an asset whose work was given up, and away with those whose work is done.

    Returns both numbers. The bridge marks an asset itself when the last attempt fails before its eyes; this is for the
    message that died with its bridge. An asset that was touched within `idle` is left: it may be tried again right now.
    """
    queue = ports().queue
    letters = [(letter, subject_of(letter.body)) for letter in queue.dead(_DEAD_LETTERS)]
    views = look_up([subject for _, subject in letters if subject], ports().clock.now())
    failed = settled = 0
    for letter, subject in letters:
        if subject is None:
            continue
        view = views.get(subject)
        if view is None or (view.ended and not view.failed):
            settled += queue.redrive(letter.id)  # The bridge receives it, finds nothing left to do and deletes it.
        elif not view.ended:
            failed += give_up(*subject, idle=idle)
    return failed, settled


def redrive() -> int:
    """Try every dead letter again, with a fresh count of receives; how many."""
    letters = [letter for letter in ports().queue.dead(_DEAD_LETTERS) if is_media_job(letter.body)]
    return sum(dead_letters.redrive(letter.id, letter.body) for letter in letters)
