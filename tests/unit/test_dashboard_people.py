"""Members: invitations, two steps of signing in, and where somebody is signed in, through the real pages."""

import re
import time
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from conftest import PASSWORD, World
from dashboard_client import Browser
from flask import Flask
from mail_folder import letters
from sqlalchemy import select

from infra.settings import Settings
from infra.sql import reading
from tenants import invitations, people, sessions
from tenants.audit import AuditEvent
from tenants.db import db
from tenants.people import Role
from tenants.scope import open_site

NEW = "a password of her own"


def invite(alice: Browser, email: str = "Carol@Example.com", role: str = "editor") -> str:
    """The path of the address that the page shows once."""
    answer = alice.submit("/dashboard/members", {"email": email, "role": role})
    assert answer.status_code == 200, answer.text
    return "/" + _shown(answer.text)


def _shown(text: str) -> str:
    found = re.search(r"dashboard/join/[\w-]+", text)
    assert found is not None
    return found[0]


def join(web: Flask, path: str, password: str = NEW) -> tuple[Browser, int]:
    guest = Browser(web)
    guest.get("/dashboard/sign-in")  # Where a form's token is, also when there is no invitation.
    guest.get(path)
    return guest, guest.submit(path, {"name": "Carol", "password": password}).status_code


def logged(web: Flask, world: World, action: str) -> list[str]:
    """Who did that, as the audit log has it."""
    with web.app_context():
        with reading(), open_site(world.alpha) as site:
            found = select(AuditEvent.who).where(AuditEvent.action == action).order_by(AuditEvent.id)
            who = list(site.session.scalars(found))
        db.session.remove()
    return who


def test_an_invitation_becomes_a_member(alice: Browser, web: Flask, world: World, settings: Settings) -> None:
    path = invite(alice)
    (letter,) = letters(settings)
    assert letter.startswith("carol@example.com\nInvitation to Alpha\n")
    assert path in letter
    assert "alice@example.com invites you" in letter
    carol, status = join(web, path)
    assert status == 303
    assert carol.get("/dashboard/").status_code == 200
    assert Browser(web).sign_in("carol", NEW).status_code == 303
    _, again = join(web, path)
    assert again == 404
    assert logged(web, world, "member.joined") == ["carol@example.com"]


def test_without_mail_the_page_says_so(alice: Browser) -> None:
    assert "This server sends no mail" in alice.get("/dashboard/members").text
    answer = alice.submit("/dashboard/members", {"email": "carol@example.com", "role": "viewer"})
    assert "lies in its mail folder" in answer.text
    assert "/dashboard/join/" not in alice.get("/dashboard/members").text


def test_a_new_letter_makes_the_one_before_worthless(alice: Browser, web: Flask, settings: Settings) -> None:
    first = invite(alice)
    waiting = alice.get("/dashboard/members").text
    found = re.search(r"/dashboard/members/invitations/(\w+)/again", waiting)
    assert found is not None
    answer = alice.submit(found[0])
    second = "/" + _shown(answer.text)
    assert first != second
    assert join(web, first)[1] == 404
    assert alice.submit(found[0].replace("again", "withdraw")).status_code == 303
    assert join(web, second)[1] == 404
    assert len(letters(settings)) == 2


def test_an_invitation_ends(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        now = site.now()
        _, token = invitations.invite(
            site.session, world.alpha, "c@example.com", Role.EDITOR, "alice@example.com", now=now
        )
        late = now + invitations.LIFETIME
        assert invitations.find(site.session, token, now=late - timedelta(seconds=1)) is not None
        assert invitations.find(site.session, token, now=late) is None
    with open_site(world.beta) as site:
        assert invitations.find(site.session, token, now=now) is None


def test_nobody_invites_above_themselves(alice: Browser, web: Flask, world: World) -> None:
    admin, _ = join(web, invite(alice, role="admin"))
    admin.get("/dashboard/members")
    assert admin.submit("/dashboard/members", {"email": "x@example.com", "role": "owner"}).status_code == 403
    assert admin.submit("/dashboard/members", {"email": "x@example.com", "role": "viewer"}).status_code == 200
    alice.get("/dashboard/members")
    path = invite(alice, "owner@example.com", "owner")
    found = re.findall(r"/dashboard/members/invitations/(\w+)/again", alice.get("/dashboard/members").text)
    refused = [admin.submit(f"/dashboard/members/invitations/{each}/withdraw").status_code for each in found]
    assert sorted(refused) == [303, 403]
    assert join(web, path)[1] == 303


def test_an_invitation_ends_with_who_gave_it(alice: Browser, web: Flask, world: World) -> None:
    carol, _ = join(web, invite(alice, role="admin"))
    carol.get("/dashboard/members")
    path = invite(carol, "friend@example.com", "viewer")
    with web.app_context(), open_site(world.alpha) as site:
        member = people.by_email(site.session, "carol@example.com")
        assert member is not None
        carol_id = member.id
    assert alice.submit(f"/dashboard/members/{carol_id}/remove").status_code == 303
    assert join(web, path)[1] == 404


@pytest.mark.parametrize("email", ["alice@example.com", "nonsense"])
def test_a_wrong_address_is_explained(alice: Browser, email: str) -> None:
    answer = alice.submit("/dashboard/members", {"email": email, "role": "viewer"})
    assert answer.status_code == 422
    assert "already a member" in answer.text or "not an e-mail address" in answer.text


def test_a_short_password_does_not_use_up_the_invitation(alice: Browser, web: Flask) -> None:
    path = invite(alice)
    assert join(web, path, "short")[1] == 422
    assert join(web, path)[1] == 303


# --- Two steps ---


def secret_of(page: str) -> str:
    found = re.search(r'class="pairing-key"[^>]*>([A-Z2-7 ]+)<', page)
    assert found is not None
    return found[1].replace(" ", "")


def code(secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(datetime.now(UTC) + timedelta(seconds=30 * steps))


def set_up(browser: Browser) -> tuple[str, list[str]]:
    page = browser.get("/dashboard/account/two-factor").text
    secret = secret_of(page)
    sealed = re.search(r'name="sealed"[^>]*value="([^"]+)"', page)
    assert sealed is not None
    given = {"sealed": sealed[1], "code": code(secret, -1), "current": PASSWORD}
    answer = browser.submit("/dashboard/account/two-factor", given)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return secret, re.findall(r"<code>([a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4})</code>", answer.text)


def test_signing_in_takes_two_steps(alice: Browser, web: Flask, world: World) -> None:
    secret, codes = set_up(alice)
    assert len(codes) == 10
    other = Browser(web)
    half = other.sign_in("alice")
    assert half.location == "/dashboard/sign-in/code?next=/dashboard/"
    assert other.get("/dashboard/").status_code == 303, "half of it opens nothing"
    other.get("/dashboard/sign-in/code")
    assert other.submit("/dashboard/sign-in/code", {"code": "000000"}).status_code == 401
    assert other.submit("/dashboard/sign-in/code?next=/dashboard/trash", {"code": code(secret)}).location.endswith(
        "/trash"
    )
    assert other.get("/dashboard/").status_code == 200
    third = Browser(web)
    third.sign_in("alice")
    third.get("/dashboard/sign-in/code")
    assert third.submit("/dashboard/sign-in/code", {"code": code(secret)}).status_code == 401, "good once"
    assert third.submit("/dashboard/sign-in/code", {"code": codes[0]}).status_code == 303
    assert logged(web, world, "session.confirmed") == ["alice@example.com"] * 2


def test_setting_it_up_needs_the_password_and_the_code(alice: Browser) -> None:
    page = alice.get("/dashboard/account/two-factor").text
    secret = secret_of(page)
    sealed = re.search(r'name="sealed"[^>]*value="([^"]+)"', page)
    assert sealed is not None
    for given in ({"code": code(secret), "current": "wrong"}, {"code": "123456", "current": PASSWORD}):
        answer = alice.submit("/dashboard/account/two-factor", {"sealed": sealed[1], **given})
        assert answer.status_code == 422
        assert secret_of(answer.text) == secret, "what was scanned stays what is asked for"
    assert alice.get("/dashboard/account/two-factor").status_code == 200


def test_guessing_the_code_is_slowed(alice: Browser, web: Flask) -> None:
    set_up(alice)
    other = Browser(web)
    other.sign_in("alice")
    other.get("/dashboard/sign-in/code")
    answers = [other.submit("/dashboard/sign-in/code", {"code": "000000"}).status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]
    elsewhere = Browser(web)
    elsewhere.sign_in("alice")
    elsewhere.get("/dashboard/sign-in/code")
    assert elsewhere.submit("/dashboard/sign-in/code", {"code": "000000"}).status_code == 429


def test_the_first_step_is_forgotten_in_time(alice: Browser, web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(alice)
    other = Browser(web)
    other.sign_in("alice")
    monkeypatch.setattr("webapp.entry.HALF_WAY", timedelta(seconds=-1))
    other.sign_in("alice")
    assert other.get("/dashboard/sign-in/code").status_code == 303
    other.get("/dashboard/sign-in")
    assert other.submit("/dashboard/sign-in/code", {"code": "000000"}).location.startswith("/dashboard/sign-in?")


def test_it_ends_with_the_password_or_by_an_admin(alice: Browser, web: Flask, world: World) -> None:
    set_up(alice)
    alice.get("/dashboard/account/two-factor")
    assert alice.submit("/dashboard/account/two-factor/off", {"current": "wrong"}).status_code == 422
    assert alice.submit("/dashboard/account/two-factor/off", {"current": PASSWORD}).status_code == 303
    assert Browser(web).sign_in("alice").location == "/dashboard/"
    adam = Browser(web)
    adam.sign_in("adam")
    set_up(adam)
    alice.get("/dashboard/members")
    assert alice.submit(f"/dashboard/members/{world.adam}/reset-two-factor").status_code == 303
    assert adam.get("/dashboard/").status_code == 303, "whoever was in as them is out"
    assert Browser(web).sign_in("adam").location == "/dashboard/"
    assert logged(web, world, "two-factor.on") == ["alice@example.com", "adam@example.com"]
    assert logged(web, world, "two-factor.off") == ["alice@example.com"]
    assert alice.submit(f"/dashboard/members/{world.alice}/reset-two-factor").status_code == 409


# --- Sessions ---


def listed(browser: Browser) -> list[str]:
    return re.findall(r"/dashboard/account/sessions/(\w+)/end", browser.get("/dashboard/account").text)


def test_each_browser_is_listed_and_ends_alone(alice: Browser, web: Flask) -> None:
    assert listed(alice) == []
    other = Browser(web)
    other.sign_in("alice")
    (session_id,) = listed(alice)
    assert "this one" in alice.get("/dashboard/account").text
    assert alice.submit(f"/dashboard/account/sessions/{session_id}/end").status_code == 303
    assert other.get("/dashboard/").status_code == 303
    assert alice.get("/dashboard/").status_code == 200
    assert listed(alice) == []


def test_everywhere_but_here(alice: Browser, web: Flask) -> None:
    other = Browser(web)
    other.sign_in("alice")
    alice.get("/dashboard/account")
    assert alice.submit("/dashboard/account/sign-out-everywhere").status_code == 303
    assert other.get("/dashboard/").status_code == 303
    assert alice.get("/dashboard/").status_code == 200
    assert listed(alice) == []


def test_signing_out_ends_the_row_too(alice: Browser, web: Flask, world: World) -> None:
    cookie = alice.cookies.get_cookie("__Host-session", domain="alpha.localhost")
    assert cookie is not None
    alice.submit("/dashboard/sign-out")
    thief = Browser(web)
    thief.cookies.set_cookie("__Host-session", cookie.value, domain="alpha.localhost", secure=True)
    assert thief.get("/dashboard/").status_code == 303, "a copy of the cookie is worth nothing after signing out"


def test_nobody_ends_anothers_session(alice: Browser, web: Flask, world: World) -> None:
    adam = Browser(web)
    adam.sign_in("adam")
    with web.app_context(), open_site(world.alpha) as site:
        member = people.by_email(site.session, "adam@example.com")
        assert member is not None
        (kept,) = sessions.of(site.session, member, now=site.now())
        session_id = kept.id
    assert alice.submit(f"/dashboard/account/sessions/{session_id}/end").status_code == 404
    assert adam.get("/dashboard/").status_code == 200


def test_when_a_browser_was_here_is_kept_up(
    alice: Browser, web: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen() -> datetime:
        with web.app_context(), open_site(world.alpha) as site:
            member = people.by_email(site.session, "alice@example.com")
            assert member is not None
            return sessions.of(site.session, member, now=site.now())[0].seen_at

    before = seen()
    alice.get("/dashboard/trash")
    assert seen() == before, "not for every page"
    monkeypatch.setattr(sessions, "SEEN_EVERY", timedelta())
    time.sleep(0.01)
    alice.get("/dashboard/trash")
    assert seen() > before


def test_a_cookie_from_before_there_was_a_list_goes_on(web: Flask, world: World) -> None:
    from visits import member

    old = member(web, world.alpha, world.alice)
    assert old.get("/dashboard/account").status_code == 200
    here = Browser(web)
    here.sign_in("alice")
    here.get("/dashboard/account")
    here.submit("/dashboard/account/sign-out-everywhere")
    assert old.get("/dashboard/account").status_code == 303
