"""From the first payment to a frozen site: what an owner does, what members and visitors may then. Stripe is a fake."""

import gallery
import pytest
from conftest import ManualClock, World
from flask import Flask
from stripe_fake import FakeStripe
from stripe_fake.subscriptions import become, complete_checkout
from stripe_stage import Stage, by_stripe, on_clock
from visits import Browser, member, visitor

from billing import customers, desk
from infra.settings import Settings
from tenants.catalog import album_by_id
from tenants.scope import open_site
from tenants.statements import Paying

DAY = 24 * 3600
CHECKOUT, PLAN, PORTAL = (f"/dashboard/billing/{name}" for name in ("checkout", "plan", "portal"))


@pytest.fixture
def settings(settings: Settings, stripe_url: str) -> Settings:
    return by_stripe(settings, stripe_url)


@pytest.fixture
def stage(web: Flask, fake: FakeStripe, settings: Settings, clock: ManualClock) -> Stage:
    web.config["WTF_CSRF_ENABLED"] = False
    return Stage.of(on_clock(web, clock), fake, settings)


@pytest.fixture
def alice(stage: Stage, world: World) -> Browser:
    return member(stage.app, world.alpha, world.alice)


def pay(stage: Stage, alice: Browser, code: str = "studio", **more: str) -> str:
    """Through Checkout; Stripe's id of the subscription. Every webhook that comes of it is delivered."""
    seen = len(stage.fake.events)
    address = alice.post(CHECKOUT, data={"plan": code}).location or ""
    assert address.startswith("https://checkout.stripe.com/c/pay/")
    made = complete_checkout(stage.fake, address.rpartition("/")[2], **more)
    for event in stage.fake.events[seen:]:
        assert stage.tell(event).status_code == 200
    return str(made["id"])


def become_told(stage: Stage, name: str, status: str) -> None:
    become(stage.fake, name, status)
    assert stage.tell(stage.fake.events[-1]).json == {"outcome": "done"}


def shown(stage: Stage, tenant_id: str) -> Paying:
    with stage.app.app_context(), open_site(tenant_id) as site:
        return desk.standing(site)


def test_a_first_payment(stage: Stage, world: World, alice: Browser, clock: ManualClock) -> None:
    """A trial, tax and a promotion code; the tenant is known to Stripe, and the plan's limits hold at once."""
    assert shown(stage, world.alpha).can_subscribe
    coupon = stage.gateway.client.v1.coupons.create({"percent_off": 20, "duration": "forever"}).id
    code = {"promotion": {"type": "coupon", "coupon": coupon}, "code": "SPRING"}
    stage.gateway.client.v1.promotion_codes.create(code)  # type: ignore[arg-type]
    name = pay(stage, alice, promotion_code="SPRING")
    (customer,) = stage.fake.all("customer")
    assert (customer["email"], customer["metadata"]) == ("alice@example.com", {"tenant": world.alpha})
    (session,) = stage.fake.all("checkout.session")
    assert session["success_url"] == "http://alpha.localhost/dashboard/usage/plan?paid=1"
    assert session["cancel_url"] == "http://alpha.localhost/dashboard/usage/plan"
    subscription = stage.fake.get("subscription", name)
    assert subscription["automatic_tax"]["enabled"] and len(subscription["discounts"]) == 1
    assert stage.state(world.alpha) == ("good", "studio", [("studio", "trialing", False)])
    found = shown(stage, world.alpha)
    assert (found.plan, found.status, found.can_subscribe) == ("studio", "trialing", False)
    assert found.trial_end is not None and (found.trial_end - clock.time).days == customers.TRIAL_DAYS
    with stage.app.app_context(), open_site(world.alpha) as site:
        assert site.entitlements.max_storage_bytes == 2000 * 10**9
    assert stage.state(world.beta) == ("good", "free", [])


def test_a_second_click_gets_the_same_page(stage: Stage, alice: Browser) -> None:
    first, second = (alice.post(CHECKOUT, data={"plan": "studio"}).location for _ in range(2))
    assert first == second
    assert len(stage.fake.all("customer")) == len(stage.fake.all("checkout.session")) == 1


def test_one_subscription_at_a_time(stage: Stage, world: World, alice: Browser, clock: ManualClock) -> None:
    """Nothing is sold twice; who comes back after the end pays at once."""
    name = pay(stage, alice)
    clock.sleep(60)
    assert alice.post(CHECKOUT, data={"plan": "business"}).status_code == 409
    become_told(stage, name, "canceled")
    assert shown(stage, world.alpha).can_subscribe
    clock.sleep(60)
    again = stage.fake.get("subscription", pay(stage, alice, "business"))
    assert (again["status"], again["trial_end"]) == ("active", None)
    assert stage.state(world.alpha)[:2] == ("good", "business")


def test_another_plan_is_in_force_at_once(stage: Stage, world: World, alice: Browser, clock: ManualClock) -> None:
    name = pay(stage, alice)
    become_told(stage, name, "active")
    clock.sleep(15 * DAY)
    with stage.app.app_context(), open_site(world.alpha) as site:
        assert customers.preview(site, "business")["subtotal"] > 9900
    answer = alice.post(PLAN, data={"plan": "business"})
    assert (answer.status_code, answer.location) == (303, "http://alpha.localhost/dashboard/usage/plan")
    assert stage.state(world.alpha) == ("good", "business", [("business", "active", False)])
    latest = stage.fake.get("invoice", stage.fake.get("subscription", name)["latest_invoice"])
    assert [line["amount"] for line in latest["lines"]["data"]] == [-950, 4950]
    assert {line["price"]["product"] for line in stage.fake.get("subscription", name)["items"]["data"]} >= {
        "vitrine_plan_business", "vitrine_use_delivered_gb",
    }  # fmt: skip
    assert alice.post(PLAN, data={"plan": "free"}).status_code == 422


def test_a_declined_card_changes_nothing(stage: Stage, world: World, alice: Browser) -> None:
    become_told(stage, pay(stage, alice), "active")
    before = stage.state(world.alpha)
    stage.fake.broken_cards.add(stage.fake.all("customer")[0]["id"])
    answer = alice.post(PLAN, data={"plan": "business"})
    assert answer.status_code == 409
    assert "declined" in answer.text
    assert stage.refresh(world.alpha) and stage.state(world.alpha) == before


def test_cancelling_and_thinking_again(stage: Stage, world: World, alice: Browser) -> None:
    pay(stage, alice)
    for keep in (False, True):
        with stage.app.app_context(), open_site(world.alpha) as site:
            customers.cancel(site, keep=keep)
        assert shown(stage, world.alpha).ends_with_period is not keep


def test_the_portal(stage: Stage, alice: Browser) -> None:
    assert alice.post(PORTAL).status_code == 409
    pay(stage, alice)
    assert (alice.post(PORTAL).location or "").startswith("https://billing.stripe.com/p/session/")


def test_paying_is_the_owners(stage: Stage, world: World, alice: Browser) -> None:
    """With a form token; Stripe is not even asked for anybody else."""
    asked = len(stage.fake.asked)
    for path in (CHECKOUT, PLAN, PORTAL):
        assert member(stage.app, world.alpha, world.adam).post(path, data={"plan": "studio"}).status_code == 403
        assert visitor(stage.app).post(path, data={"plan": "studio"}).status_code in (303, 401)
    stage.app.config["WTF_CSRF_ENABLED"] = True
    assert alice.post(PORTAL).status_code == 400
    assert len(stage.fake.asked) == asked


def test_stripe_away_is_said(stage: Stage, alice: Browser) -> None:
    stage.fake.fail_next(500, 500, 500)
    assert alice.post(CHECKOUT, data={"plan": "studio"}).status_code == 503


def test_what_each_standing_allows(stage: Stage, world: World, alice: Browser) -> None:
    """past_due warns, unpaid makes the site read-only, canceled freezes; members take their files home always."""
    guest = visitor(stage.app)
    with stage.app.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]), filename="a.jpg", original=True)
        site.session.commit()
    name = pay(stage, alice)
    for status, writes, visitors in (("active", 303, 200), ("past_due", 303, 200), ("unpaid", 403, 200),
                                     ("canceled", 403, 403)):  # fmt: skip
        become_told(stage, name, status)
        title = f"while {status}"
        assert alice.post("/dashboard/albums/new", data={"title": title}).status_code == writes, status
        for path in ("/", "/a/alpha-shows", "/a/alpha-shows/zip?size=original"):
            if "zip" not in path or visitors == 403:
                assert guest.get(path).status_code == visitors, (status, path)
            assert alice.get(path).status_code == 200, (status, path)
        with stage.app.app_context(), open_site(world.alpha) as site:
            assert site.entitlements.writable is (writes == 303)
        assert guest.get("/dashboard/sign-in").status_code == 200
        assert guest.get("/brand/icon.png?size=32").status_code == 200
        assert alice.post(PORTAL).status_code == 303
    assert visitor(stage.app, "http://beta.localhost").get("/").status_code == 200
