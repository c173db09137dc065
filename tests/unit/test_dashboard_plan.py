"""The plan page and what every page of the dashboard says while a bill is not paid. Stripe is a fake."""

import pytest
from conftest import ManualClock, World
from flask import Flask
from stripe_fake import FakeStripe
from stripe_fake.subscriptions import become, complete_checkout
from stripe_stage import Stage, by_stripe, on_clock
from visits import Browser, member, visitor

from infra.settings import Settings
from tenants import people
from tenants.people import Role
from tenants.scope import open_site
from webapp.dashboard.plan import STRIPE_PAGES

PAGE = "/dashboard/usage/plan"
CHECKOUT, PLAN, PORTAL = (f'action="/dashboard/billing/{name}"' for name in ("checkout", "plan", "portal"))


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


def subscribed(stage: Stage, alice: Browser) -> str:
    """On Studio through the page's own form; Stripe's id of the subscription."""
    seen = len(stage.fake.events)
    address = alice.post("/dashboard/billing/checkout", data={"plan": "studio"}).location or ""
    made = complete_checkout(stage.fake, address.rpartition("/")[2])
    for event in stage.fake.events[seen:]:
        assert stage.tell(event).status_code == 200
    return str(made["id"])


def pages(stage: Stage) -> list[str]:
    """Every page of the dashboard that needs nothing in its address."""
    found = [
        rule.rule
        for rule in stage.app.url_map.iter_rules()
        if rule.endpoint.startswith("dashboard.") and not rule.arguments and "GET" in (rule.methods or ())
    ]
    assert len(found) > 12
    return found


def test_before_the_first_payment_checkout_is_the_way(alice: Browser) -> None:
    answer = alice.get(PAGE)
    assert CHECKOUT in answer.text and 'value="studio"' in answer.text and 'value="business"' in answer.text
    assert 'value="free"' not in answer.text  # What costs nothing is not sold.
    assert PORTAL not in answer.text and PLAN not in answer.text
    (action,) = [part for part in answer.headers["Content-Security-Policy"].split("; ") if part.startswith("form-act")]
    assert action.split()[1:] == ["'self'", *STRIPE_PAGES]
    for said in ("100 GB", "$0.04 for a GB more", "Storage at most", "14 days on trial"):
        assert said in answer.text, said


def test_with_a_subscription_the_plan_is_changed_and_the_portal_is_there(stage: Stage, alice: Browser) -> None:
    subscribed(stage, alice)
    page = alice.get(PAGE).text
    assert CHECKOUT not in page and PORTAL in page and PLAN in page
    assert 'value="business"' in page and 'value="studio"' not in page
    assert "The trial ends on" in page
    assert (alice.post("/dashboard/billing/portal").location or "").startswith(STRIPE_PAGES[1])


def test_back_from_checkout_before_the_webhook_the_page_says_so(alice: Browser) -> None:
    assert "as soon as the payment is confirmed" in alice.get(f"{PAGE}?paid=1").text
    assert "as soon as the payment is confirmed" not in alice.get(PAGE).text


def test_an_admin_sees_plans_and_cannot_pay(stage: Stage, world: World) -> None:
    with stage.app.app_context(), open_site(world.alpha) as site:
        admin = people.add(site.session, world.alpha, "ada@example.com", Role.ADMIN, "a long password", now=site.now())
        ada_id = admin.id
        site.session.commit()
    ada = member(stage.app, world.alpha, ada_id)
    page = ada.get(PAGE).text
    assert CHECKOUT not in page and "Only owners choose the plan and pay." in page


@pytest.mark.parametrize(
    ("status", "says"),
    [("past_due", "The last payment failed"), ("unpaid", "The bill is not paid"), ("canceled", "has ended")],
)
def test_every_page_of_the_dashboard_tells_of_a_bill_that_is_not_paid(
    stage: Stage, alice: Browser, world: World, status: str, says: str
) -> None:
    name = subscribed(stage, alice)
    shown = [page for page in pages(stage) if b'class="bar"' in alice.get(page).data]  # Not what is shown within one.
    assert len(shown) > 8
    assert not [page for page in shown if 'class="standing"' in alice.get(page).text]
    become(stage.fake, name, status)
    assert stage.tell(stage.fake.events[-1]).status_code == 200
    for page in shown:
        answer = alice.get(page)
        if answer.status_code == 200:
            assert says in answer.text, page
    assert "payment" not in visitor(stage.app).get("/").text  # That is between the members and the operator.
    bob = member(stage.app, world.beta, world.bob, "http://beta.localhost")
    assert 'class="standing"' not in bob.get(PAGE).text
