"""The operator's console: what it tells of tenants, what it does to them, and that all of it is written down."""

import re
from datetime import timedelta

import gallery
import pytest
from conftest import World
from dashboard_client import Browser as Member
from flask import Flask
from operator_stage import OWN, Operator
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError
from visits import ALPHA, member, visitor

from infra.sql import reading
from processor import reconcile
from tenants import catalog, claims, erasure, lifecycle, operator_log
from tenants.catalog import AssetState
from tenants.claims import DomainClaim
from tenants.db import across_tenants, db
from tenants.erasure import Erasure
from tenants.operator_log import Actor, OperatorEntry
from tenants.outbox import media_job
from tenants.registry import Tenant, TenantState
from tenants.scope import open_site, ports

pytestmark = pytest.mark.every_database


@pytest.fixture
def olga(web: Flask, world: World) -> Operator:
    return Operator(web)


def log_of(web: Flask) -> list[OperatorEntry]:
    """The newest first."""
    with web.app_context(), reading():
        found = list(operator_log.latest(db.session(), 50))
        db.session.expunge_all()
        return found


def tenant_of(web: Flask, tenant_id: str) -> Tenant:
    with web.app_context(), open_site(tenant_id) as site:
        found = site.tenant
        site.session.expunge(found)
        return found


def at(web: Flask, path: str = "/", origin: str = ALPHA) -> int:
    return visitor(web, origin).get(path).status_code


# --- Getting in ---


def test_a_code_is_good_once_and_names_who_comes(web: Flask, world: World) -> None:
    olga = Operator(web, "olga")
    assert olga.get("/operator/tenants").status_code == 200
    (entry,) = log_of(web)
    assert (entry.action, entry.who, entry.address) == ("sign-in", "olga", "127.0.0.1")


def test_every_page_needs_the_session(web: Flask, world: World) -> None:
    """The routes come from the app: a new one is asked on the day it is there."""
    web.config["WTF_CSRF_ENABLED"] = False
    stranger = visitor(web, OWN)
    asked = 0
    for rule in web.url_map.iter_rules():
        if not rule.endpoint.startswith("operator.") or rule.endpoint in ("operator.enter", "operator.leave"):
            continue
        path = re.sub(r"<[^>]+>", "01hzzzzzzzzzzzzzzzzzzzzzzz", rule.rule)
        for method in (rule.methods or set()) & {"GET", "POST"}:
            answer = stranger.open(path, method=method)
            assert (answer.status_code, answer.location) == (303, "/operator/"), f"{method} {path}"
            asked += 1
    assert asked > 25
    assert log_of(web) == []


def test_every_change_needs_a_token(web: Flask, olga: Operator) -> None:
    olga.token = "guess"
    for rule in web.url_map.iter_rules():
        if rule.endpoint.startswith("operator.") and "POST" in (rule.methods or ()):
            path = re.sub(r"<[^>]+>", "01hzzzzzzzzzzzzzzzzzzzzzzz", rule.rule)
            assert olga.post(path).status_code == 400, path


def test_what_is_not_there_is_not_found(web: Flask, olga: Operator, world: World) -> None:
    for bad in ("01hzzzzzzzzzzzzzzzzzzzzzzz", "no-id"):
        for rule in web.url_map.iter_rules():
            if rule.endpoint.startswith("operator.") and rule.arguments and rule.endpoint != "static":
                path = re.sub(r"<[^>]+>", bad, rule.rule)
                for method in (rule.methods or set()) & {"GET", "POST"}:
                    answer = olga.get(path) if method == "GET" else olga.post(path, reason="a reason", to="on")
                    assert answer.status_code == 404, f"{method} {path}: {answer.status_code}"


# --- Tenants ---


def test_the_list_finds_by_name_host_and_member(web: Flask, olga: Operator, world: World) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        claims.vouch(site.session, site.tenant, "photos.example.com", "localhost", now=site.now())
        site.session.commit()
    for query, found in (
        ("lph", {"Alpha"}),
        ("photos.ex", {"Alpha"}),
        ("bob@", {"Beta"}),
        ("%", set()),
        ("", {"Alpha", "Beta"}),
    ):
        page = olga.get(f"/operator/tenants?q={query.replace('%', '%25')}").text
        assert {name for name in ("Alpha", "Beta") if f">{name}</a>" in page} == found, query
    assert "photos.example.com" in olga.get("/operator/tenants").text
    assert ">Alpha</a>" not in olga.get("/operator/tenants?state=suspended").text


def test_the_list_goes_on(web: Flask, olga: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.operator.tenants.A_PAGE", 1)
    first = olga.get("/operator/tenants").text
    assert ">Alpha</a>" in first and ">Beta</a>" not in first
    assert ">Beta</a>" in olga.get("/operator/tenants?after=alpha").text


def test_a_tenant_is_made_with_its_first_owner(web: Flask, olga: Operator) -> None:
    olga.get("/operator/tenants/new")
    answer = olga.post("/operator/tenants/new", slug="gamma", name="Gamma", owner="gina@example.com")
    assert answer.status_code == 303
    page = olga.get(answer.location).text
    address = re.search(r"http://gamma\.localhost[^ ]*(/dashboard/join/[\w-]+)", page)
    assert address is not None
    gina = Member(web, "gamma.localhost")
    gina.get(address[1])
    assert gina.submit(address[1], {"name": "Gina", "password": "a long enough one"}).status_code == 303
    assert gina.get("/dashboard/members").status_code == 200
    taken = olga.post("/operator/tenants/new", slug="gamma")
    assert taken.status_code == 422
    assert "is taken" in taken.text
    wrong = olga.post("/operator/tenants/new", slug="delta", owner="nonsense")
    assert wrong.status_code == 422
    assert at(web, origin="http://delta.localhost") == 404, "nothing was made"
    assert log_of(web)[0].action == "tenant.create"


def test_suspended_is_read_only_first_and_then_a_neutral_page(web: Flask, olga: Operator, world: World) -> None:
    base = f"/operator/tenants/{world.alpha}"
    olga.get(base)
    assert olga.post(f"{base}/suspend", notice=7).status_code == 422, "without a reason"
    assert olga.post(f"{base}/suspend", notice=5, reason="spam").status_code == 422, "no such notice"
    assert olga.post(f"{base}/suspend", notice=7, reason="spam").status_code == 303
    assert tenant_of(web, world.alpha).state is TenantState.READ_ONLY
    assert at(web) == 200
    alice = Member(web)
    alice.sign_in("alice")
    alice.get("/dashboard/albums/new")
    assert alice.submit("/dashboard/albums/new", {"title": "New"}).status_code == 403
    with web.app_context(), open_site(world.alpha) as site:
        assert not lifecycle.close_if_due(site)
        site.tenant.closes_at = site.now() - timedelta(seconds=1)
        site.session.commit()
    with web.app_context():
        assert reconcile.run().closed_tenants == 1
    page = visitor(web).get("/")
    assert page.status_code == 403
    assert "This site is paused" in page.text
    assert "Alpha" not in page.text
    assert alice.get("/dashboard/").status_code == 403, "members too"
    assert at(web, origin="http://beta.localhost") == 200
    olga.get(base)
    assert olga.post(f"{base}/restore").status_code == 303
    assert at(web) == 200
    told = [(entry.action, entry.subject, entry.detail.get("why")) for entry in log_of(web)[:2]]
    assert told == [("tenant.restore", "alpha", None), ("tenant.suspend", "alpha", "spam")]


def test_pictures_of_a_closed_tenant_are_closed(web: Flask, olga: Operator, world: World) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        album = catalog.album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        asset = gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]))
        token = site.generation_token(f"o{album.id}", asset.id, 1)
        path = f"/m/{token}/{asset.id}/1/w320.jpg"
        site.session.commit()
    assert at(web, path) == 200
    olga.get(f"/operator/tenants/{world.alpha}")
    assert olga.post(f"/operator/tenants/{world.alpha}/suspend", notice=0, reason="takedown").status_code == 303
    web.extensions["vitrine.hosts"].clear()  # Remembered for five seconds.
    assert at(web, path) == 403


def test_deleting_needs_the_name_and_can_be_undone(web: Flask, olga: Operator, world: World) -> None:
    base = f"/operator/tenants/{world.alpha}"
    olga.get(base)
    assert olga.post(f"{base}/delete", reason="left us", slug="beta").status_code == 422
    assert olga.post(f"{base}/delete", reason="left us", slug="alpha").status_code == 303
    gone = tenant_of(web, world.alpha)
    assert gone.state is TenantState.DELETED
    assert gone.delete_after is not None
    with web.app_context():
        now = ports().clock.now()
        waiting = db.session.scalars(select(Erasure)).one()
        assert (waiting.tenant_id, waiting.due_at, erasure.due()) == (world.alpha, gone.delete_after, [])
        db.session.execute(update(Erasure).values(due_at=now))
        assert erasure.due() == [waiting.id], "the keeper erases it then"
        db.session.rollback()
    assert gone.delete_after - now > lifecycle.GRACE - timedelta(minutes=5)
    assert at(web) == 403
    olga.get(base)
    assert olga.post(f"{base}/delete", reason="again", slug="alpha").status_code == 409, "its date stands"
    assert olga.post(f"{base}/suspend", reason="again").status_code == 409
    assert olga.post(f"{base}/restore").status_code == 303
    assert at(web) == 200
    assert tenant_of(web, world.alpha).delete_after is None


# --- The log ---


def test_entries_cannot_be_changed_or_removed(web: Flask, olga: Operator) -> None:
    with web.app_context():
        for statement in (update(OperatorEntry).values(who="nobody"), delete(OperatorEntry)):
            with pytest.raises(DBAPIError, match=r"append-only|permission denied"):
                db.session.execute(statement)
            db.session.rollback()
    assert [entry.who for entry in log_of(web)] == ["olga"]


def test_the_log_is_searched_and_goes_on(web: Flask, olga: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    with web.app_context():
        for number in range(3):
            operator_log.write(
                db.session(), Actor("otto", "::1", "x"), "feature.switch", now=ports().clock.now(), subject=f"s{number}"
            )
        db.session.commit()
    assert olga.get("/operator/log?q=otto").text.count("feature.switch") == 3
    assert "sign-in" not in olga.get("/operator/log?q=s1").text
    monkeypatch.setattr("webapp.operator.log.A_PAGE", 2)
    page = olga.get("/operator/log").text
    assert "s2" in page and "s0" not in page
    older = re.search(r"/operator/log\?before=\w+", page)
    assert older is not None
    assert "s0" in olga.get(older[0]).text


# --- The queue ---


def kill(web: Flask, world: World) -> tuple[str, str]:
    """A dead letter about a FAILED photo of alpha: ids of the letter and the photo."""
    with web.app_context():
        with open_site(world.alpha) as site:
            album = catalog.album_by_id(site.session, world.alpha, world.alpha_album)
            assert album is not None
            asset = gallery.add_waiting(site, album, AssetState.FAILED)
            asset_id = asset.id
            site.session.commit()
        queue = ports().queue
        sent = queue.send(media_job(world.alpha, asset_id), group=world.alpha)
        for _ in range(6):
            for message in queue.receive(10, visibility=timedelta(seconds=1)):
                queue.extend(message.receipt, timedelta())
        assert [letter.id for letter in queue.dead()] == [sent]
        db.session.remove()
    return sent, asset_id


def state_of(web: Flask, world: World, asset_id: str) -> AssetState:
    with web.app_context(), open_site(world.alpha) as site:
        return site.session.get_one(catalog.Asset, (world.alpha, asset_id)).state


def test_a_dead_letter_is_looked_at_and_tried_again(web: Flask, olga: Operator, world: World) -> None:
    sent, asset_id = kill(web, world)
    page = olga.get("/operator/queue").text
    assert sent in page and ">alpha</a>" in page
    assert olga.post("/operator/queue/redrive", id=sent).status_code == 303
    assert state_of(web, world, asset_id) is AssetState.RECEIVED
    with web.app_context():
        assert ports().queue.dead() == []
        assert ports().queue.depth().waiting == 1
    assert (log_of(web)[0].action, log_of(web)[0].subject) == ("letter.redrive", sent)


def test_discarding_needs_a_choice_and_a_reason(web: Flask, olga: Operator, world: World) -> None:
    sent, asset_id = kill(web, world)
    olga.get("/operator/queue")
    assert olga.post("/operator/queue/discard", id=sent).status_code == 422
    assert olga.post("/operator/queue/discard", reason="broken file").status_code == 422
    assert olga.post("/operator/queue/discard", id=sent, reason="broken file").status_code == 303
    with web.app_context():
        assert ports().queue.depth().dead == 0
    assert state_of(web, world, asset_id) is AssetState.FAILED
    entry = log_of(web)[0]
    assert (entry.action, entry.tenant, entry.detail["why"]) == ("letter.discard", world.alpha, "broken file")


# --- Domains ---


def test_a_broken_domain_is_listed_and_looked_at_again(web: Flask, olga: Operator, world: World) -> None:
    assert "All domains work" in olga.get("/operator/domains").text
    with web.app_context(), open_site(world.alpha) as site:
        claim = claims.claim(site.session, site.tenant, "bad.example", "localhost", now=site.now())
        claims.fail(site.session, site.tenant, claim, "proof-missing")
        claim.next_at = site.now() + timedelta(hours=6)
        site.session.commit()
    page = olga.get("/operator/domains").text
    assert "bad.example" in page
    assert "The record that proves ownership is not there yet." in page
    assert olga.post(f"/operator/domains/{world.alpha}/bad.example/retry").status_code == 303
    with web.app_context(), across_tenants(db.session(), "test"):
        claim = db.session.get_one(DomainClaim, (world.alpha, "bad.example"))
        assert claim.next_at <= ports().clock.now()
    assert log_of(web)[0].action == "domain.retry"


# --- Switches ---


def test_a_feature_goes_off_for_all_or_for_one(web: Flask, olga: Operator, world: World) -> None:
    embed = "/embed/alpha-shows"
    assert at(web, embed) == 200
    olga.get("/operator/features")
    assert olga.post("/operator/features/embeds", to="maybe").status_code == 422
    assert olga.post("/operator/features/embeds", to="off").status_code == 303
    refused = visitor(web).get(embed)
    assert refused.status_code == 403
    assert "switched off" in refused.text
    assert olga.post(f"/operator/tenants/{world.alpha}/features/embeds", to="on").status_code == 303
    assert at(web, embed) == 200
    assert at(web, "/embed/beta-shows", "http://beta.localhost") == 403
    assert olga.post(f"/operator/tenants/{world.alpha}/features/embeds", to="").status_code == 303
    assert at(web, embed) == 403
    assert olga.post("/operator/features/embeds", to="on").status_code == 303
    assert at(web, embed) == 200
    assert [entry.action for entry in log_of(web)[:4]] == ["feature.switch"] * 4


def test_a_switch_counts_the_editions_of_whom_it_is_for(web: Flask, olga: Operator, world: World) -> None:
    def editions() -> dict[str, int]:
        with web.app_context(), db.engine.connect() as connection:
            return {row.tenant_id: row.number for row in connection.execute(text("SELECT * FROM editions"))}

    before = editions()
    olga.post(f"/operator/tenants/{world.alpha}/features/archives", to="off")
    between = editions()
    assert between[world.alpha] > before[world.alpha]
    assert between[world.beta] == before[world.beta]
    olga.post("/operator/features/archives", to="off")
    assert all(number > between[tenant] for tenant, number in editions().items())


# --- Announcements ---


def test_members_read_announcements_until_they_put_them_away(web: Flask, olga: Operator, world: World) -> None:
    olga.get("/operator/announcements")
    told = "On Sunday <b>all</b> is slow"
    assert olga.post("/operator/announcements", text="", level="info").status_code == 422
    early = {"starts_at": "2030-01-02T10:00", "ends_at": "2030-01-01T10:00"}
    assert "would end before it starts" in olga.post("/operator/announcements", text=told, level="info", **early).text
    assert olga.post("/operator/announcements", text=told, level="warning").status_code == 303
    later = {"starts_at": "2099-01-02T10:00"}
    assert olga.post("/operator/announcements", text="Not yet", level="info", **later).status_code == 303
    alice = Member(web)
    alice.sign_in("alice")
    page = alice.get("/dashboard/trash").text
    assert "On Sunday &lt;b&gt;all&lt;/b&gt; is slow" in page
    assert "Not yet" not in page
    assert "On Sunday" not in visitor(web).get("/").text, "visitors are not told"
    put_away = re.search(r"/dashboard/announcements/(\w+)/seen", page)
    assert put_away is not None
    assert alice.submit(put_away[0]).status_code == 303
    assert "On Sunday" not in alice.get("/dashboard/trash").text
    adam = Member(web)
    adam.sign_in("adam")
    assert "On Sunday" in adam.get("/dashboard/").text
    assert olga.post(f"/operator/announcements/{put_away[1]}/end").status_code == 303
    assert "On Sunday" not in adam.get("/dashboard/").text


def test_a_member_never_opens_the_console(web: Flask, world: World) -> None:
    cookie = member(web, world.alpha, world.alice).get_cookie("__Host-session", "alpha.localhost")
    assert cookie is not None
    thief = visitor(web, OWN)
    thief.set_cookie("__Host-session", cookie.value, domain="localhost")
    assert thief.get("/operator/tenants").location == "/operator/"
