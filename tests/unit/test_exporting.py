"""An export through the queue: from the question to an archive that can be fetched, and what goes wrong on the way."""

import io
import zipfile
from datetime import timedelta

import gallery
import pytest
from bridge_stage import Stage
from conftest import World
from rq.job import Job
from rq.serializers import JSONSerializer

from infra.sql import reading
from processor import exporting, reconcile
from processor.dispatch import MediaJob, NotAllowed
from processor.reconcile import Graces
from tenants import exports
from tenants.catalog import album_by_id
from tenants.db import db
from tenants.exports import Export, ExportState
from tenants.names import export_prefix, new_id
from tenants.scope import open_site, ports
from uploader.relay import relay_once


def ask(tenant_id: str) -> str:
    with open_site(tenant_id) as site:
        export_id = exports.ask(site).id
        site.session.commit()
    relay_once()
    return export_id


def stored(tenant_id: str, export_id: str) -> Export:
    with reading(), open_site(tenant_id) as site:
        export = site.session.get_one(Export, (tenant_id, export_id))
        site.session.expunge(export)
        return export


def job_of(stage: Stage) -> Job:
    (job_id,) = stage.dispatch.fleet().queued
    return MediaJob.fetch(job_id, connection=stage.dispatch.connection, serializer=JSONSerializer)


def test_it_is_made_by_a_worker_and_its_message_ends(stage: Stage, world: World) -> None:
    with open_site(stage.tenant) as site:
        album = album_by_id(site.session, stage.tenant, world.alpha_album)
        assert album is not None
        gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]), original=True)
        site.session.commit()
    export_id = ask(stage.tenant)
    stage.bridge.step()
    job = job_of(stage)
    assert (job.func_name, job.args[:2]) == ("processor.exporting.run", [stage.tenant, export_id])
    job.func(*job.args)
    made = stored(stage.tenant, export_id)
    # The stage's own asset has no bytes in the store: it is named, and the rest is there.
    assert (made.state, made.done, made.total, made.missing, made.percent) == (ExportState.READY, 2, 2, 1, 100)
    with open_site(stage.tenant) as site, site.blobs.open(exports.key_of(made)) as file:
        archive = zipfile.ZipFile(io.BytesIO(file.read()))
        assert archive.testzip() is None and made.size == archive.fp.seek(0, 2)  # type: ignore[union-attr]
    stage.dispatch.queue.remove(job.id)
    stage.bridge.step()
    assert (stage.queue.depth().waiting, stage.queue.depth().in_flight, stage.bridge.held) == (0, 0, [])


def test_two_at_once_make_one_archive(stage: Stage) -> None:
    export_id = ask(stage.tenant)
    with open_site(stage.tenant) as site:
        first = exports.claim(site, export_id, 60)
        assert first is not None and exports.claim(site, export_id, 60) is None
        exports.release(site, first)
        second = exports.claim(site, export_id, 60)
        assert second is not None and second.fence == first.fence + 1
        with pytest.raises(exports.LostExport):
            exports.ready(site, first, 1)
        exports.ready(site, second, 5)
    assert stored(stage.tenant, export_id).size == 5


def test_a_failed_attempt_is_tried_again_and_at_last_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object) -> object:
        raise OSError("the disk is gone")
        yield b""

    monkeypatch.setattr("processor.export.content.Box.parts", broken)
    export_id = ask(stage.tenant)
    for _ in range(2):
        stage.bridge.step()
        job = job_of(stage)
        with pytest.raises(OSError, match="disk is gone"):
            exporting.run(*job.args)
        stage.fail(job.id)
        stage.bridge.step()
        ports().clock.sleep(1.1)
    failed = stored(stage.tenant, export_id)
    assert failed.state is ExportState.FAILED and "could not be made" in failed.reason
    with open_site(stage.tenant) as site:
        exports.ask(site)  # Another may be asked for.
        site.session.rollback()


def test_forgotten_ones_are_sent_again_and_old_archives_go(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_site(stage.tenant) as site:
        export_id = exports.ask(site).id
        site.session.commit()
        site.session.execute(db.text("DELETE FROM outbox"))
        site.session.commit()
    reconcile.run(Graces(idle=timedelta(0)))
    relay_once()
    stage.bridge.step()
    assert export_id in {held.subject[1] for held in stage.bridge.held}
    exporting.run(stage.tenant, export_id, new_id(), 1)
    assert stored(stage.tenant, export_id).state is ExportState.READY
    monkeypatch.setattr(exports, "KEPT", timedelta(0))
    with open_site(stage.tenant) as site:
        export = site.session.get_one(Export, (stage.tenant, export_id))
        export.expires_at = site.now()
        site.session.commit()
        assert exports.tidy(site) == 1
        assert list(site.blobs.list(export_prefix(stage.tenant, export_id))) == []
    assert stored(stage.tenant, export_id).state is ExportState.GONE


def test_a_link_opens_its_own_archive_for_a_day(stage: Stage) -> None:
    export_id = ask(stage.tenant)
    exporting.run(stage.tenant, export_id, new_id(), 1)
    with open_site(stage.tenant) as site:
        export = site.session.get_one(Export, (stage.tenant, export_id))
        now = site.now()
        token = exports.mint("s" * 40, export, now)

        def opens(token: str, tenant: str, at: timedelta = timedelta()) -> bool:
            return exports.opened_by(site.session, "s" * 40, tenant, token, now + at) is not None

        assert opens(token, stage.tenant)
        assert not opens(token, new_id())
        assert not opens(token, stage.tenant, exports.LINK_LIVES)
        assert not opens(token[:-2], stage.tenant) and not opens("", stage.tenant)


def test_nothing_else_is_run(stage: Stage) -> None:
    job = MediaJob.create("processor.export.content.Box", connection=stage.dispatch.connection)
    with pytest.raises(NotAllowed):
        _ = job.func
