"""`flask --app wsgi trace`: an upload followed to its page, stopped at each stage on its way."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import gallery
import pytest
from aws_double import DoubleClock
from conftest import World
from flask import Flask
from flask.testing import FlaskCliRunner
from upload_server import BODY, AppClient, headers, named, ticket

import wsgi
from infra.aws.client import Clients
from infra.aws.sqs import SqsQueue
from infra.settings import Settings
from processor import giving_up, jobs, lease
from tenants import catalog, tracing
from tenants.catalog import Asset
from tenants.db import db
from tenants.names import new_id, original_key, rendition_key
from tenants.scope import open_site, ports
from uploader import relay

DATA = gallery.sources()[0].read_bytes()


@dataclass
class Journey:
    """An upload of alpha's, and what the operator sees of it."""

    upload: Flask
    commands: Flask
    world: World
    path: str = ""
    asset_id: str = ""

    @property
    def upload_id(self) -> str:
        return self.path.rpartition("/")[2]

    def begin(self) -> None:
        self._client, key = AppClient(self.upload), self.upload.config["SECRET_KEY"]
        self._headers = headers(ticket(key, self.world.alpha, self.world.alpha_album))
        about = {"Upload-Length": str(len(DATA)), "Upload-Metadata": named("shore.jpg")}
        self.path = self._client("POST", "/files/", {**self._headers, **about}).headers["Location"]

    def send(self, start: int, end: int) -> None:
        about = {"Upload-Offset": str(start), **BODY}
        answer = self._client("PATCH", self.path, {**self._headers, **about}, DATA[start:end])
        assert answer.status == 204
        self.asset_id = answer.headers.get("Upload-Asset", "")

    def all(self) -> None:
        self.begin()
        self.send(0, len(DATA))

    def cancel(self) -> None:
        assert self._client("DELETE", self.path, self._headers).status == 204

    def trace(self, subject: str = "") -> dict[str, Any]:
        runner: FlaskCliRunner = self.commands.test_cli_runner()
        subject = subject or self.asset_id or self.upload_id
        done = runner.invoke(args=["trace", subject, "--json"])
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        shown = runner.invoke(args=["trace", subject]).stdout
        assert shown.rstrip().endswith(found["verdict"])
        assert [line for line in shown.splitlines() if "  +" in line] != []
        return found

    def verdict(self) -> str:
        return str(self.trace()["verdict"])


@pytest.fixture
def journey(upload: Flask, settings: Settings, world: World) -> Iterator[Journey]:
    commands = wsgi.create_app(settings)
    yield Journey(upload, commands, world)
    with commands.app_context():
        db.engine.dispose()


def whats(found: dict[str, Any]) -> list[str]:
    return [moment["what"].partition(" (")[0] for moment in found["moments"]]


def test_an_upload_that_has_not_arrived(journey: Journey) -> None:
    journey.begin()
    journey.send(0, 1000)
    found = journey.trace()
    assert found["verdict"].startswith(f"It waits for the uploader: 1,000 of {len(DATA):,} bytes have arrived")
    assert (found["asset"], whats(found)) == (None, [f"upload {journey.upload_id} created"])
    journey.cancel()
    assert "Upload it again" in journey.verdict()


def test_every_stage_to_the_page(journey: Journey) -> None:
    journey.all()
    assert journey.verdict().startswith("It waits for `relay` since 20")
    assert journey.trace(journey.upload_id)["asset"]["id"] == journey.asset_id
    with journey.commands.app_context():
        assert relay.relay_once() == 1
    assert journey.verdict().startswith("Its message waits in the queue (0 receives so far, 1 messages wait)")
    with journey.commands.app_context():
        (message,) = ports().queue.receive(1, visibility=timedelta(minutes=1))
    assert journey.verdict().startswith("A bridge has its message (receive 1), and no worker has begun")
    with journey.commands.app_context(), open_site(journey.world.alpha) as site:
        held = lease.claim(site, journey.asset_id, 60)
        assert held is not None
        jobs.commit.progress(site, held, 40, "encode")
    assert journey.verdict().startswith("A worker has it (encode, 40 %) and holds it until 20")
    with journey.commands.app_context():
        with open_site(journey.world.alpha) as site:
            lease.release(site, held)
        jobs.run(journey.world.alpha, journey.asset_id, message.id, 1)
        ports().queue.delete(message.receipt)
    found = journey.trace()
    assert found["verdict"] == "Nothing: it is ready."
    # Within a transaction several things happen at nearly the same time.
    assert set(whats(found)) == {
        f"upload {journey.upload_id} created",
        "last byte committed",
        "asset and outbox row written",
        f"counted: stored.bytes {len(DATA):g}",
        f"counted: upload.bytes {len(DATA):g}",
        "upload finished",
        "last claimed by a worker",
        "first shown on pages",
        "ready",
        "counted: photo.count 1",
    }
    order = [
        whats(found).index(what) for what in ("last byte committed", "upload finished", "last claimed by a worker")
    ]
    assert order == sorted(order)
    assert [moment["after"] for moment in found["moments"]] == sorted(moment["after"] for moment in found["moments"])
    assert found["stored"]["original"] and found["stored"]["missing"] == [] and found["stored"]["renditions"] > 3


def test_what_is_missing(journey: Journey) -> None:
    journey.all()
    with journey.commands.app_context():
        jobs.run(journey.world.alpha, journey.asset_id, "message", 1)
        relay.relay_once()
        with open_site(journey.world.alpha) as site:
            site.blobs.delete(rendition_key(journey.world.alpha, journey.asset_id, 1, "w640.jpg"))
    found = journey.trace()
    assert found["stored"]["missing"] == ["w640.jpg"]
    assert found["verdict"].startswith("It is ready, but 1 of its renditions are missing.")


def test_ends_that_are_not_good(journey: Journey) -> None:
    journey.all()
    with journey.commands.app_context(), open_site(journey.world.alpha) as site:
        asset = site.session.get_one(Asset, (site.tenant_id, journey.asset_id))
        key = original_key(site.tenant_id, journey.asset_id, asset.sha256)
        site.session.rollback()
        site.blobs.delete(key)
    assert journey.verdict().endswith("THE ORIGINAL IS MISSING: no attempt can succeed.")
    with journey.commands.app_context():
        assert giving_up.give_up(journey.world.alpha, journey.asset_id)
    assert journey.verdict().startswith("It was given up: We could not process this file.")
    for state, start in ((catalog.AssetState.REJECTED, "It was refused"), (catalog.AssetState.READY, "It was deleted")):
        with journey.commands.app_context(), open_site(journey.world.alpha) as site:
            asset = site.session.get_one(Asset, (site.tenant_id, journey.asset_id))
            asset.state = state
            asset.deleted_at = site.now() if state is catalog.AssetState.READY else None
            site.session.commit()
        assert journey.verdict().startswith(start)


def test_dead_letters_and_forgotten_ones(journey: Journey) -> None:
    journey.all()
    with journey.commands.app_context():
        relay.relay_once()
        queue = ports().queue
        for _ in range(6):
            for message in queue.receive(1, visibility=timedelta(minutes=1)):
                queue.extend(message.receipt, timedelta())
        assert queue.depth().dead == 1
    found = journey.trace()
    assert found["verdict"].startswith("Its message is a dead letter after 5 receives")
    assert found["moments"][-1]["what"].endswith("became a dead letter")
    with journey.commands.app_context():
        assert queue.redrive(found["queue"]["messages"][0]["id"])
        (message,) = queue.receive(1, visibility=timedelta(minutes=1))
        queue.delete(message.receipt)
    assert journey.verdict().startswith("Nobody works on it and no message asks for it")


def test_on_sqs_it_says_what_cannot_be_known(
    journey: Journey, keys: None, moto_clock: DoubleClock, unique: str
) -> None:
    """Behind SQS stands moto's server."""
    clients = Clients(region="us-east-1", endpoint_url=moto_clock.url)
    queue = SqsQueue(clients, moto_clock, name=unique, max_receives=1)
    assert not isinstance(queue, tracing.SearchableQueue)
    journey.all()
    with journey.commands.app_context():
        object.__setattr__(ports(), "queue", queue)
        relay.relay_once()
    assert journey.verdict().startswith(
        "Its message is on SQS, waiting or in a bridge's hands: SQS does not tell which"
    )
    assert journey.trace()["queue"]["messages"] is None
    assert len(queue.receive(1, visibility=timedelta(seconds=1))) == 1
    moto_clock.sleep(2)
    assert queue.receive(1, visibility=timedelta(seconds=1)) == []
    assert journey.verdict().startswith("Its message is a dead letter")
    clients.close()


@pytest.mark.parametrize("subject", ["", "nonsense", "../../etc/passwd"])
def test_what_is_not_there(journey: Journey, subject: str) -> None:
    for asked in (subject, new_id()):
        done = journey.commands.test_cli_runner().invoke(args=["trace", asked])
        assert done.exit_code == 1 and done.stderr.startswith("error: there is no asset or upload")


def test_moments_are_in_order() -> None:
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    late, early = (tracing.Moment(noon + timedelta(seconds=second), "counted") for second in (5, 1))
    found = tracing.Trace(now=noon, tenant_id="", usage=[late, early])
    assert found.moments() == [early, late]
