"""Webhooks in any order, twice, at once, late, forged: the tenant ends as if they had come in order, or is left alone.

Stripe is a fake (tests/stripe_fake); signatures are made by Stripe's own algorithm and checked by Stripe's own library.
"""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import ManualClock, World
from flask import Flask
from stripe_fake import FakeStripe
from stripe_fake.subscriptions import become
from stripe_fake.subscriptions import update as change
from stripe_stage import OLD, Stage, by_stripe, on_clock

from billing import backend, subscriptions, webhook
from billing.stripe_gateway import Snapshot
from infra.settings import Settings

DAY = 24 * 3600
Events = list[dict[str, Any]]


@pytest.fixture
def settings(settings: Settings, stripe_url: str) -> Settings:
    return by_stripe(settings, stripe_url)


@pytest.fixture
def stage(web: Flask, fake: FakeStripe, settings: Settings, clock: ManualClock) -> Stage:
    return Stage.of(on_clock(web, clock), fake, settings)


def ends_unpaid(stage: Stage, tenant_id: str, customer: str) -> None:
    name = stage.subscribe(tenant_id, customer, trial_days=14)
    for status in ("active", "past_due", "active", "past_due", "unpaid"):
        become(stage.fake, name, status)


def comes_back(stage: Stage, tenant_id: str, customer: str) -> None:
    become(stage.fake, stage.subscribe(tenant_id, customer), "canceled")
    stage.fake.clock.sleep(3600)  # type: ignore[attr-defined]
    name = stage.subscribe(tenant_id, customer, "business")
    become(stage.fake, name, "past_due")


def moves_and_leaves(stage: Stage, tenant_id: str, customer: str) -> None:
    name = stage.subscribe(tenant_id, customer)
    items = stage.fake.get("subscription", name)["items"]["data"]
    new = stage.lines("business")
    moves = [{"id": item["id"], "price": line["price"]} for item, line in zip(items, new, strict=True)]
    with stage.fake.lock:
        change(stage.fake, {"items": moves}, name)
        change(stage.fake, {"cancel_at_period_end": "true"}, name)


ENDS = {
    ends_unpaid: ("unpaid", "studio", [("studio", "unpaid", False)]),
    comes_back: ("overdue", "business", [("studio", "canceled", False), ("business", "past_due", False)]),
    moves_and_leaves: ("good", "business", [("business", "active", True)]),
}
ORDERS: dict[str, Callable[[Events], Events]] = {
    "in order": lambda events: events,
    "reversed": lambda events: events[::-1],
    "each twice": lambda events: [event for event in events for _ in range(2)],
    "the first again at last": lambda events: [*events, events[0]],
    "the last alone": lambda events: events[-1:],
    "mixed": lambda events: random.Random(7).sample(events, len(events)),
}


@pytest.mark.parametrize("life", ENDS, ids=lambda life: life.__name__)
def test_the_order_of_webhooks_does_not_matter(stage: Stage, world: World, life: Callable[..., None]) -> None:
    """Told after the fact, in each order, to a tenant that stands as if nothing had been told."""
    customer = stage.account(world.alpha)
    begun = len(stage.fake.events)
    life(stage, world.alpha, customer)
    events = stage.fake.events[begun:]
    assert len(events) > 2
    for number, order in enumerate(ORDERS.values()):
        told = [{**event, "id": f"{event['id']}_{number}"} for event in events]
        for event in order(told):
            assert stage.tell(event).status_code == 200
        assert stage.state(world.alpha) == ENDS[life]
    assert set(stage.outcomes().values()) == {"done"}


@pytest.mark.parametrize("life", ENDS, ids=lambda life: life.__name__)
def test_told_as_it_happens_it_ends_the_same(stage: Stage, world: World, life: Callable[..., None]) -> None:
    """The reference for every other order: each event is handled before anything else happens."""
    customer = stage.account(world.alpha)
    tell = stage.fake.tell

    def tell_at_once(kind: str, thing: dict[str, Any]) -> dict[str, Any]:
        event = tell(kind, thing)
        held = stage.fake.lock._release_save()  # type: ignore[attr-defined]  # The handler asks the fake meanwhile.
        assert stage.tell(event).status_code == 200
        stage.fake.lock._acquire_restore(held)  # type: ignore[attr-defined]
        return event

    stage.fake.tell = tell_at_once  # type: ignore[method-assign]
    life(stage, world.alpha, customer)
    assert stage.state(world.alpha) == ENDS[life]


@pytest.mark.every_database
def test_all_at_once(stage: Stage, world: World) -> None:
    customer = stage.account(world.alpha)
    begun = len(stage.fake.events)
    ends_unpaid(stage, world.alpha, customer)
    events = stage.fake.events[begun:] * 2
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(stage.tell, events))
    assert {answer.status_code for answer in answers} == {200}
    assert stage.state(world.alpha) == ENDS[ends_unpaid]
    assert len(stage.outcomes()) == len(events) / 2


@pytest.mark.every_database
def test_a_reading_that_comes_late_overwrites_nothing(stage: Stage, world: World) -> None:
    """Two handlers at once: the one that asked first answers last, with what is no longer so."""
    customer = stage.account(world.alpha)
    name = stage.subscribe(world.alpha, customer)

    class Slow:
        def subscriptions(self, customer: str) -> list[Snapshot]:
            before = stage.gateway.subscriptions(customer)
            become(stage.fake, name, "unpaid")
            assert stage.refresh(world.alpha)
            return before

    with stage.app.app_context():
        assert not subscriptions.refresh(Slow(), world.alpha)  # type: ignore[arg-type]
    assert stage.state(world.alpha) == ("unpaid", "studio", [("studio", "unpaid", False)])


def test_what_is_not_stripes_is_refused(stage: Stage, world: World) -> None:
    customer = stage.account(world.alpha)
    become(stage.fake, stage.subscribe(world.alpha, customer), "unpaid")
    event = stage.fake.events[-1]
    untouched = stage.state(world.alpha)
    assert stage.tell(event, age=301).status_code == 400
    assert stage.tell(event, secret="whsec_guessed").status_code == 400
    assert stage.tell(event, body=b'{"id": "evt_forged"}').status_code == 400
    client = stage.app.test_client()
    assert client.post("/webhooks/stripe", json=event).status_code == 400
    assert client.post("/webhooks/stripe", data=b"x" * 600_000).status_code == 413
    assert stage.outcomes() == {}
    assert stage.state(world.alpha) == untouched == ("good", "free", [])
    assert stage.tell(event, age=290, secret=OLD).status_code == 200
    assert stage.state(world.alpha)[0] == "unpaid"


@pytest.mark.every_database
def test_another_tenants_customer_is_refused(stage: Stage, world: World) -> None:
    """Beta's customer with a subscription that says it is alpha's: whoever wrote that, neither is changed."""
    stage.account(world.alpha)
    bobs = stage.account(world.beta)
    become(stage.fake, stage.subscribe(world.alpha, bobs), "canceled")
    answer = stage.tell(stage.fake.events[-1])
    assert (answer.status_code, answer.json) == (200, {"outcome": "refused"})
    # An event that names nobody is about beta, whose subscriptions are read and found to be wrong.
    invoice = stage.fake.make("invoice", customer=bobs)
    assert stage.tell(stage.fake.tell("invoice.paid", invoice)).json == {"outcome": "refused"}
    for tenant_id in (world.alpha, world.beta):
        assert stage.state(tenant_id) == ("good", "free", [])


def test_what_is_nobodys_is_ignored(stage: Stage, world: World) -> None:
    stage.account(world.alpha)
    stranger = stage.fake.keep(stage.fake.make("customer"))
    become(stage.fake, stage.subscribe("", stranger["id"]), "canceled")
    for event in (stage.fake.events[-1], stage.fake.tell("product.updated", stage.fake.all("product")[0])):
        assert stage.tell(event).json == {"outcome": "ignored"}
    assert stage.state(world.alpha) == ("good", "free", [])


@pytest.mark.every_database
def test_what_could_not_be_handled_is_kept_and_tried_again(stage: Stage, world: World, clock: ManualClock) -> None:
    customer = stage.account(world.alpha)
    become(stage.fake, stage.subscribe(world.alpha, customer), "past_due")
    event = stage.fake.events[-1]
    stage.fake.fail_next(500, 500, 500)
    assert stage.tell(event).status_code == 503
    assert stage.outcomes() == {event["id"]: "received"}
    stage.fake.fail_next(500, 500, 500)
    with stage.app.app_context():
        assert backend.catch_up(clock.now()) == {}
        assert backend.catch_up(clock.now()) == {"done": 1}
        assert backend.catch_up(clock.now()) == {}
    assert stage.state(world.alpha)[0] == "overdue"
    assert stage.tell(event).json == {"outcome": "done"}


@pytest.mark.every_database
def test_handled_events_are_forgotten_after_ninety_days_and_others_never(
    stage: Stage, world: World, clock: ManualClock
) -> None:
    """One is refused, one handled at once, one handled only sixty days later, and one that nobody could handle."""
    stage.account(world.alpha)
    bobs = stage.account(world.beta)
    become(stage.fake, stage.subscribe(world.alpha, bobs), "canceled")
    assert stage.tell(stage.fake.events[-1]).json == {"outcome": "refused"}
    assert stage.tell(stage.fake.tell("product.updated", stage.fake.all("product")[0])).json == {"outcome": "ignored"}
    carol = stage.fake.keep(stage.fake.make("customer"))
    late, stuck = (stage.fake.tell("invoice.paid", stage.fake.make("invoice", customer=carol["id"])) for _ in range(2))
    with stage.app.app_context():
        for event in (late, stuck):
            webhook.store(event)
        clock.sleep(60 * DAY)
        assert webhook.handle(stage.gateway, late["id"]) == "ignored"
        clock.sleep(29 * DAY)
        assert webhook.forget(clock.now()) == {}
        clock.sleep(2 * DAY)
        assert webhook.forget(clock.now()) == {"webhooks forgotten": 2}
        assert stage.outcomes() == {late["id"]: "ignored", stuck["id"]: "received"}
        clock.sleep(400 * DAY)
        assert webhook.forget(clock.now()) == {"webhooks forgotten": 1}
    assert stage.outcomes() == {stuck["id"]: "received"}
