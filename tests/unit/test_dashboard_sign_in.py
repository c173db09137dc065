"""Signing in and out: for whom it works, where it leads, and what it refuses to tell."""

import pytest
from conftest import PASSWORD
from dashboard_client import Browser
from flask import Flask


def test_a_member_signs_in_and_out(web: Flask) -> None:
    browser = Browser(web)
    assert browser.get("/dashboard/").headers["Location"] == "/dashboard/sign-in?next=/dashboard/"
    assert browser.sign_in("alice").headers["Location"] == "/dashboard/"
    assert "alpha shows" in browser.get("/dashboard/").text
    assert browser.submit("/dashboard/sign-out").status_code == 303
    assert browser.get("/dashboard/").status_code == 303


@pytest.mark.parametrize(("name", "password"), [("alice", "not her password"), ("nobody", PASSWORD), ("bob", PASSWORD)])
def test_a_refusal_tells_nothing(web: Flask, name: str, password: str) -> None:
    browser = Browser(web)
    browser.get("/dashboard/sign-in")
    refused = browser.submit("/dashboard/sign-in", {"email": f"{name}@example.com", "password": password})
    assert refused.status_code == 401
    assert "do not fit together" in refused.text
    assert browser.get("/dashboard/").status_code == 303


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/dashboard/trash", "/dashboard/trash"),
        ("/dashboard/?q=a%26b", "/dashboard/?q=a&b"),
        ("https://evil.example/", "/dashboard/"),
        ("//evil.example/", "/dashboard/"),
        ("/%5Cevil.example/", "/dashboard/"),
        ("/%09/evil.example/", "/dashboard/"),
        ("javascript:alert(1)", "/dashboard/"),
    ],
)
def test_it_leads_back_but_never_elsewhere(web: Flask, target: str, leads_to: str) -> None:
    answer = Browser(web).sign_in("alice", query=f"?next={target.replace('&', '%26').replace('?', '%3F')}")
    assert answer.headers["Location"] == leads_to


def test_a_session_is_nobodys_at_another_tenant(web: Flask) -> None:
    alpha = Browser(web)
    alpha.sign_in("alice")
    cookie = alpha.cookies.get_cookie("__Host-session", domain="alpha.localhost")
    assert cookie is not None
    beta = Browser(web, "beta.localhost")
    beta.cookies.set_cookie("__Host-session", cookie.value, domain="beta.localhost", secure=True)
    assert beta.get("/dashboard/").status_code == 303


def test_guessing_is_slowed_for_that_address_only(web: Flask) -> None:
    browser = Browser(web)
    browser.get("/dashboard/sign-in")
    guess = {"email": "alice@example.com", "password": "guess after guess"}
    answers = [browser.submit("/dashboard/sign-in", guess).status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]
    assert Browser(web, place=browser.place).sign_in("adam").status_code == 303
    assert Browser(web, place=browser.place).sign_in("alice").status_code == 429
    assert Browser(web).sign_in("alice").status_code == 303


def test_it_needs_a_csrf_token(web: Flask) -> None:
    browser = Browser(web)
    given = {"email": "alice@example.com", "password": PASSWORD}
    assert browser.post("/dashboard/sign-in", given, accept="text/html").status_code == 400


def test_a_changed_password_ends_other_sessions(web: Flask) -> None:
    here, there = Browser(web), Browser(web)
    here.sign_in("alice")
    there.sign_in("alice")
    here.get("/dashboard/account")
    wrong = here.submit("/dashboard/account", {"current": "not it at all", "password": "a new long one"})
    assert wrong.status_code == 422
    assert "not your current password" in wrong.text
    changed = here.submit("/dashboard/account", {"current": PASSWORD, "password": "a new long one"})
    assert changed.status_code == 303
    assert here.get("/dashboard/").status_code == 200
    assert there.get("/dashboard/").status_code == 303
    assert Browser(web).sign_in("alice", "a new long one").status_code == 303
