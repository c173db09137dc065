"""Webhooks: written with the change, signed, sent to public addresses alone, tried again, listed, sent anew."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import gallery
import pytest
from api_client import Program, make_token
from conftest import ManualClock, World
from flask import Flask
from receiver import Receiver, receiving
from sqlalchemy import select
from standardwebhooks import Webhook, WebhookVerificationError

from infra.errors import Problem
from infra.guarded import may_connect
from infra.settings import Settings
from infra.sql import reading
from tenants import bulk, editing, webhook_delivery, webhooks
from tenants.catalog import Visibility, album_by_id
from tenants.scope import open_site
from tenants.webhook_delivery import PAUSES, Parcel, attempt
from tenants.webhooks import DeliveryState, Event, WebhookDelivery, WebhookEndpoint

pytestmark = pytest.mark.every_database
LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_networks": LOOPBACK})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def clock(core: Flask, clock: ManualClock) -> ManualClock:
    core.extensions["vitrine.ports"] = replace(core.extensions["vitrine.ports"], clock=clock)
    return clock


def listen(world: World, url: str, *events: Event) -> str:
    with open_site(world.alpha) as site:
        _, secret = webhooks.create(site, url, events or tuple(Event))
        site.session.commit()
        return secret


def publish(world: World) -> None:
    """Alpha's private album becomes public."""
    with open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        editing.change_album(site, album, {"visibility": Visibility.PUBLIC})
        site.session.commit()


def deliveries(world: World) -> list[WebhookDelivery]:
    with reading(), open_site(world.alpha) as site:
        rows = list(site.session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))
        site.session.expunge_all()
        return rows


def test_a_change_is_told_signed(core: Flask, world: World, receiver: Receiver) -> None:
    secret = listen(world, f"{receiver.url}/in?a=b", Event.ALBUM_PUBLISHED)
    publish(world)
    assert webhook_delivery.deliver_due() == 1
    path, headers, body = receiver.got[0]
    assert path == "/in?a=b"
    told = Webhook(secret).verify(body, headers)
    assert told["type"] == "album.published" and told["data"]["album_id"] == world.alpha_private
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace(b"public", b"secret"), headers)
    row = deliveries(world)[0]
    assert (row.state, row.attempts, row.last_status) == (DeliveryState.DELIVERED, 1, 204)
    assert headers["webhook-id"] == row.message_id
    assert webhook_delivery.deliver_due() == 0


def test_what_is_rolled_back_is_told_to_nobody(core: Flask, world: World, receiver: Receiver) -> None:
    listen(world, receiver.url)
    with open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        editing.bin_album(site, album)
        site.session.rollback()
    assert webhook_delivery.deliver_due() == 0 and deliveries(world) == []


def test_each_event_is_told_by_what_causes_it(web: Flask, world: World, receiver: Receiver) -> None:
    with web.app_context():
        listen(world, receiver.url)
    program = Program(web, make_token(web, world.alpha))
    album = program.post("/albums", {"title": "Told", "visibility": "public"})
    link = program.post(f"/albums/{album.json['id']}/share-links")
    program.delete(f"/share-links/{link.json['id']}")
    program.delete(album.headers["Location"], album.headers["ETag"])
    with web.app_context():
        webhook_delivery.deliver_due()
    told = {json.loads(body)["type"] for _, _, body in receiver.got}
    assert told == {"album.created", "album.published", "share.created", "share.revoked", "album.deleted"}
    assert not any(link.json["url"].encode() in body for _, _, body in receiver.got)


def test_many_that_are_trashed_at_once_are_told_one_by_one(core: Flask, world: World, receiver: Receiver) -> None:
    listen(world, receiver.url, Event.ASSET_DELETED)
    with open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        ids = {gallery.add_photo(site, album, gallery.shot(path)).id for path in gallery.sources()[:3]}
        bulk.trash(site, bulk.Chosen(album, frozenset(), every=True), now=site.now())
        site.session.commit()
    assert webhook_delivery.deliver_due() == 3
    told = [json.loads(body) for _, _, body in receiver.got]
    assert {each["type"] for each in told} == {"asset.deleted"}
    assert {each["data"]["asset_id"] for each in told} == ids
    assert all(each["data"]["album_id"] == world.alpha_album and each["data"]["kind"] == "photo" for each in told)


def test_another_tenants_changes_are_not_told(core: Flask, world: World, receiver: Receiver) -> None:
    listen(world, receiver.url)
    with open_site(world.beta) as site:
        editing.create_album(site, "Beta's own")
        site.session.commit()
    assert webhook_delivery.deliver_due() == 0 and receiver.got == []


def test_it_is_tried_again_with_growing_pauses_and_given_up(
    core: Flask, world: World, receiver: Receiver, clock: ManualClock
) -> None:
    listen(world, receiver.url)
    publish(world)
    receiver.answers = [500] * 100
    begun = clock.now()
    for pause in PAUSES:
        tried = webhook_delivery.deliver_due()
        assert tried >= 1
        assert webhook_delivery.deliver_due() == 0, "not before its time"
        clock.sleep(pause.total_seconds() * 1.1 + 1)
    webhook_delivery.deliver_due()
    assert timedelta(days=3) < clock.now() - begun < timedelta(days=4)
    row = deliveries(world)[0]
    assert (row.state, row.attempts, row.last_status) == (DeliveryState.FAILED, len(PAUSES) + 1, 500)
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == len(deliveries(world))
    with reading(), open_site(world.alpha) as site:
        endpoint = site.session.scalars(select(WebhookEndpoint)).one()
        assert endpoint.disabled_at is not None and "three days" in endpoint.disabled_why


def test_what_was_sent_is_sent_again_under_its_id(core: Flask, world: World, receiver: Receiver) -> None:
    listen(world, receiver.url, Event.ALBUM_PUBLISHED)
    publish(world)
    webhook_delivery.deliver_due()
    with open_site(world.alpha) as site:
        webhooks.replay(site, site.session.scalars(select(WebhookDelivery)).one())
        site.session.commit()
    assert webhook_delivery.deliver_due() == 1
    assert receiver.got[0][1]["webhook-id"] == receiver.got[1][1]["webhook-id"]


def test_410_switches_it_off(core: Flask, world: World, receiver: Receiver) -> None:
    listen(world, receiver.url, Event.ALBUM_PUBLISHED, Event.ALBUM_DELETED)
    receiver.answers = [410]
    publish(world)
    webhook_delivery.deliver_due()
    with open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        editing.bin_album(site, album)
        site.session.commit()
    assert webhook_delivery.deliver_due() == 0 and len(receiver.got) == 1


def test_a_claim_that_ran_out_is_taken_up_by_another(
    core: Flask, world: World, receiver: Receiver, clock: ManualClock
) -> None:
    listen(world, receiver.url, Event.ALBUM_PUBLISHED)
    publish(world)
    tenant_id, delivery_id = webhook_delivery._due()[0]
    parcel = webhook_delivery._claim(tenant_id, delivery_id)
    assert parcel is not None
    assert webhook_delivery._claim(tenant_id, delivery_id) is None and webhook_delivery.deliver_due() == 0
    clock.sleep(61)
    assert webhook_delivery.deliver_due() == 1
    webhook_delivery._record(parcel, webhook_delivery.Outcome(status=500))
    assert deliveries(world)[0].state is DeliveryState.DELIVERED, "the late one changes nothing"


def parcel(url: str) -> Parcel:
    return Parcel("t", "d", 1, url, "m", "{}", "whsec_" + "YWJj" * 8)


def test_a_redirect_is_not_followed(core: Flask, world: World, receiver: Receiver, clock: ManualClock) -> None:
    receiver.answers, receiver.location = [302], f"{receiver.url}/elsewhere"
    outcome = attempt(parcel(receiver.url), clock.now(), LOOPBACK)
    assert outcome.status == 302 and not outcome.good
    assert [path for path, _, _ in receiver.got] == ["/"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_not_connected_to(receiver: Receiver, clock: ManualClock, host: str) -> None:
    port = receiver.url.rpartition(":")[2]
    outcome = attempt(parcel(f"http://{host}:{port}/"), clock.now(), ())
    assert outcome.status is None and receiver.got == []
    assert "public" in outcome.error


def test_the_address_that_was_looked_at_is_the_one_connected_to(
    receiver: Receiver, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads elsewhere at the second look (DNS rebinding). The resolver is a fake that answers so."""
    port = int(receiver.url.rpartition(":")[2])
    answers = iter(["93.184.216.34"])
    asked: list[str] = []
    plain = socket.getaddrinfo

    def rebinding(host: str, *rest: object, **more: object) -> object:
        asked.append(host)
        if host != "rebind.example":
            return plain(host, *rest, **more)  # type: ignore[arg-type]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers, "127.0.0.1"), port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(webhook_delivery, "SECONDS", 0.5)
    outcome = attempt(parcel(f"http://rebind.example:{port}/"), clock.now(), ())
    assert receiver.got == [] and outcome.status is None
    assert asked.count("rebind.example") == 1, "the name is looked up once"


def test_of_several_addresses_none_may_be_private(
    clock: ManualClock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 80)) for each in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    assert "public" in attempt(parcel("http://two.example/"), clock.now(), ()).error


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        *((each, False) for each in ("10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1")),
        *((each, False) for each in ("0.0.0.1", "127.0.0.53", "224.0.0.1", "255.255.255.255", "::1", "fe80::1")),
        *((each, False) for each in ("fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "ff02::1")),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert may_connect(address) is public


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://example.com/", "example.com", "https://", "https://user:pw@example.com/", "https://example.com/#x"),
        *(
            "https://example.com:22/",
            "https://10.0.0.1/",
            "https://[::1]/",
            "https://exa mple.com/",
            "https://h:99999/",
        ),
    ],
)
def test_which_addresses_are_refused_at_once(core: Flask, world: World, url: str) -> None:
    with open_site(world.alpha) as site, pytest.raises(Problem) as refused:
        webhooks.create(site, url, tuple(Event))
    assert refused.value.extra["field"] == "url"


def test_a_secret_is_told_once_and_kept_sealed(web: Flask, world: World) -> None:
    program = Program(web, make_token(web, world.alpha))
    made = program.post(
        "/webhooks", {"url": "https://example.com/hook", "events": ["asset.ready"]}, Idempotency_Key="h"
    )
    assert made.status_code == 201, made.text
    secret = made.json["secret"]
    assert (
        program.post(
            "/webhooks", {"url": "https://example.com/hook", "events": ["asset.ready"]}, Idempotency_Key="h"
        ).json["secret"]
        == secret
    ), "whoever lost the answer asks for it again"
    assert "secret" not in program.get(made.headers["Location"]).json
    with web.app_context(), reading(), open_site(world.alpha) as site:
        endpoint = site.session.scalars(select(WebhookEndpoint)).one()
        assert secret not in endpoint.sealed_secret and webhooks.signing_secret(endpoint) == secret


def test_programs_manage_webhooks_and_read_deliveries(web: Flask, world: World, receiver: Receiver) -> None:
    program = Program(web, make_token(web, world.alpha))
    made = program.post("/webhooks", {"url": receiver.url, "events": ["asset.ready"]})
    path = made.headers["Location"]
    assert program.post(f"{path}/ping").status_code == 201
    with web.app_context():
        assert webhook_delivery.deliver_due() == 1
    listed = program.get(f"{path}/deliveries").json["items"]
    assert [(row["event"], row["state"]) for row in listed] == [("ping", "delivered")]
    assert program.post(f"/deliveries/{listed[0]['id']}/replay").json["state"] == "pending"
    version = program.get(path).headers["ETag"]
    off = program.patch(path, {"enabled": False, "label": "Off"}, version)
    assert off.json["enabled"] is False
    assert program.patch(path, {"label": "Late"}, version).status_code == 412
    assert program.delete(path, off.headers["ETag"]).status_code == 204
    assert program.get("/webhooks").json["items"] == []
    with web.app_context():
        assert deliveries(world) == []
