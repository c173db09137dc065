"""Reports of lost objects, as S3 sends them, and a listing that lacks some. Behind SQS stands moto's server."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from aws_double import DoubleClock
from conftest import World
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from infra.aws.client import Clients
from infra.aws.s3_events import LOST, S3LostObjects, lost_keys
from infra.local.clock import SystemClock
from infra.local.no_losses import NoLosses
from infra.ports import Loss
from infra.settings import SettingsError, load
from processor import losses
from tenants import catalog
from tenants.catalog import Asset, AssetState, Rendition
from tenants.names import RenditionKey, new_id, parse_rendition, rendition_key
from tenants.outbox import Outbox
from tenants.scope import open_site, ports

BUCKET = "vitrine-media"


def event(*keys: str, name: str = LOST, bucket: str = BUCKET) -> str:
    """The body of a notification, with the fields of S3's documentation that matter here."""
    records = [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventTime": "2026-06-01T12:00:00.000Z",
            "eventName": name,
            "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 1024}},
        }
        for key in keys
    ]
    return json.dumps({"Records": records})


TEST_EVENT = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET})


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        (event("t/a/r/b/1/w640.jpg"), ["t/a/r/b/1/w640.jpg"]),
        (event("a", "b"), ["a", "b"]),
        (event("a", name="s3:ReducedRedundancyLostObject"), ["a"]),
        (event("red+flower%2Fgr%C3%BCn.jpg"), ["red flower/grün.jpg"]),
        (event("a", name="ObjectCreated:Put"), []),
        (event("a", bucket="somebody-elses"), []),
        (TEST_EVENT, []),
        ("not json", []),
        ("[]", []),
        ("{}", []),
        ('{"Records": "x"}', []),
        ('{"Records": [null, 1, {"eventName": 5, "s3": {"object": {"key": 5}, "bucket": {"name": 1}}}]}', []),
    ],
)
def test_events(body: str, keys: list[str]) -> None:
    assert list(lost_keys(body, BUCKET)) == keys


def test_keys_are_parsed_back() -> None:
    key = RenditionKey(new_id(), new_id(), 12, "hls/v0/seg-3.m4s")
    assert parse_rendition(rendition_key(*key)) == key


@given(st.text(max_size=120) | st.builds("t/{}/r/{}/{}/{}".format, *[st.text(max_size=30)] * 4))
def test_only_keys_of_renditions_are_parsed(text: str) -> None:
    found = parse_rendition(text)
    assert found is None or rendition_key(*found) == text


@pytest.mark.parametrize(
    "key", ["t/{t}/o/{a}/1/w1.jpg", "t/{t}/r/{a}/0/w1.jpg", "t/{t}/r/{a}/01/w1.jpg", "t/{t}/r/{a}/1/../w1.jpg\n", ""]
)
def test_foreign_keys_are_not(key: str) -> None:
    assert parse_rendition(key.format(t=new_id(), a=new_id())) is None


# --- The queue -------------------------------------------------------------------------------------------------------


@pytest.fixture
def sqs(keys: None, moto_clock: DoubleClock, unique: str) -> Iterator[tuple[S3LostObjects, Any, str]]:
    """The adapter, a client that is S3, and the queue's address."""
    clients = Clients(region="us-east-1", endpoint_url=moto_clock.url)
    client = clients.get("sqs")
    url = client.create_queue(QueueName=unique)["QueueUrl"]
    yield S3LostObjects(clients, queue=unique, bucket=BUCKET), client, url
    client.delete_queue(QueueUrl=url)
    clients.close()


def test_reports_arrive_until_they_are_settled(sqs: tuple[S3LostObjects, Any, str], moto_clock: DoubleClock) -> None:
    adapter, s3, url = sqs
    assert adapter.receive() == []
    s3.send_message(QueueUrl=url, MessageBody=event("a"))
    (first,) = adapter.receive(timedelta(seconds=1))
    assert first.keys == ("a",)
    assert adapter.receive() == []
    moto_clock.sleep(150)
    (again,) = adapter.receive()
    adapter.settle(again.receipt)
    moto_clock.sleep(150)
    assert adapter.receive() == []


def test_a_queue_that_is_not_there_is_a_wrong_setting(keys: None, moto_clock: DoubleClock, unique: str) -> None:
    clients = Clients(region="us-east-1", endpoint_url=moto_clock.url)
    with pytest.raises(SettingsError, match="VITRINE_SQS_LOST_QUEUE"):
        S3LostObjects(clients, queue=unique, bucket=BUCKET).receive()
    clients.close()


def test_without_anyone_to_report_nothing_comes() -> None:
    quiet = NoLosses(SystemClock())
    assert quiet.receive(timedelta(milliseconds=1)) == []
    quiet.settle("x")


def test_settings(tmp_path: Any) -> None:
    with pytest.raises(SettingsError, match="VITRINE_SQS_LOST_QUEUE: is needed by VITRINE_LOSSES=sqs"):
        load(data_dir=tmp_path, losses="sqs", aws_region="us-east-1", s3_bucket=BUCKET)


# --- What is done about them -----------------------------------------------------------------------------------------

Shelve = Callable[..., str]


@pytest.fixture
def shelve(core: Flask, world: World) -> Shelve:
    """A READY photo of alpha's with the renditions named; the stored ones have objects. Its id."""

    def add(*names: str, stored: tuple[str, ...] | None = None, state: AssetState = AssetState.READY) -> str:
        with open_site(world.alpha) as site:
            album = catalog.album_by_id(site.session, world.alpha, world.alpha_album)
            assert album is not None
            about = {"asset_id": new_id(), "filename": "a.jpg", "sha256": "0" * 64, "size": 1, "now": site.now()}
            asset = catalog.add_asset(site.session, album, **about)
            asset.state, asset.generation, asset.fence = state, 1, 1
            asset_id = asset.id
            for name in names:
                row = {"tenant_id": world.alpha, "asset_id": asset_id, "generation": 1, "name": name}
                site.session.add(Rendition(**row, content_type="image/jpeg", width=1, height=1, size=1))
            site.session.commit()
            for name in names if stored is None else stored:
                site.blobs.put(rendition_key(world.alpha, asset_id, 1, name), b"x", content_type="image/jpeg")
        return asset_id

    return add


def asked(world: World) -> list[str]:
    with open_site(world.alpha) as site:
        return sorted(body["asset"] for body in site.session.scalars(site.session.query(Outbox.body).statement))


def test_a_listing_that_lacks_some(shelve: Shelve, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "_PAGE", 2)
    names = ("w1.jpg", "w2.jpg", "hls/v0/seg-1.m4s")
    shelve(*names)
    some, nothing = shelve(*names, stored=names[:1]), shelve(*names, stored=())
    shelve(*names, stored=(), state=AssetState.VIEWABLE)
    shelve(*names)
    last = shelve(*names, stored=names[1:])
    with open_site(world.alpha) as site:
        assert losses.look(site) == 3
        assert losses.look(site) == 0
    assert asked(world) == sorted([some, nothing, last])


def test_a_great_loss_is_made_good_by_and_by(shelve: Shelve, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "MOST", 2)
    for _ in range(3):
        shelve("w1.jpg", stored=())
    with open_site(world.alpha) as site:
        assert [losses.look(site), losses.look(site), losses.look(site)] == [2, 1, 0]


def test_reports_are_heeded_once_and_all_are_settled(
    shelve: Shelve, world: World, sqs: tuple[S3LostObjects, Any, str], core: Flask
) -> None:
    adapter, s3, url = sqs
    object.__setattr__(ports(), "losses", adapter)
    lost, kept = shelve("w1.jpg", stored=()), shelve("w1.jpg")
    keys = [rendition_key(world.alpha, asset, 1, "w1.jpg") for asset in (lost, kept)]
    foreign = rendition_key(new_id(), lost, 1, "w1.jpg")
    bodies = [event(*keys), event(keys[0]), event(foreign), event("t/../../etc/passwd"), TEST_EVENT, "nonsense"]
    for body in bodies:
        s3.send_message(QueueUrl=url, MessageBody=body)
    assert losses.hear(timedelta(seconds=1)) == 1
    assert asked(world) == [lost]
    found = s3.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert found["ApproximateNumberOfMessages"] == found["ApproximateNumberOfMessagesNotVisible"] == "0"
    with open_site(world.alpha) as site:
        assert site.session.get_one(Asset, (world.alpha, lost)).state is AssetState.VIEWABLE


def test_what_is_not_dealt_with_is_not_settled(shelve: Shelve, core: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    settled: list[str] = []

    class Reports(NoLosses):
        def receive(self, wait: timedelta = timedelta()) -> list[Loss]:
            return [Loss("receipt", ("a",))]

        def settle(self, *receipts: str) -> None:
            settled.extend(receipts)

    def away(_report: Loss) -> int:
        raise ConnectionError

    object.__setattr__(ports(), "losses", Reports(SystemClock()))
    monkeypatch.setattr(losses, "_heed", away)
    with pytest.raises(ConnectionError):
        losses.hear()
    assert settled == []
