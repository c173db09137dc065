"""A link's terms in the dashboard: made, shown, changed, drawn as a QR code."""

from datetime import UTC, datetime

import pytest
from conftest import World
from dashboard_client import Browser
from flask import Flask

from infra.sql import reading
from tenants import sharing
from tenants.scope import open_site
from tenants.sharing import Rights, ShareLink

EVERYTHING = {
    "label": "Print shop",
    "rights": "download",
    **dict.fromkeys(("favourite", "comment", "select", "upload", "asks_name"), "y"),
    "lifetime": "-1",
    "until": "2031-05-04",
    "password": "a long password",
    "pin": "123456",
    "max_visits": "50",
    "choose_at_most": "30",
    "upload_files": "10",
    "upload_mb": "200",
}


def stored(core: Flask, world: World) -> ShareLink:
    with reading(), open_site(world.alpha) as site:
        link = site.session.query(ShareLink).one()
        site.session.expunge(link)
        return link


def test_a_link_has_the_terms_it_was_given_and_keeps_its_secrets(alice: Browser, core: Flask, world: World) -> None:
    base = f"/dashboard/albums/{world.alpha_private}/share"
    assert alice.submit(base, EVERYTHING).status_code == 303
    link = stored(core, world)
    assert link.rights == Rights.DOWNLOAD | sharing.GUEST_RIGHTS
    assert link.expires_at == datetime(2031, 5, 5, tzinfo=UTC)
    assert (link.max_visits, link.choose_at_most, link.upload_files, link.upload_bytes) == (50, 30, 10, 200_000_000)
    page = alice.get(base).text
    for chip in ("Download originals", "Favourites", "Choose 30", "Add photos", "PIN to download", "0 of 50 visits"):
        assert chip in page
    form = alice.get(f"{base}/{link.id}").text
    assert 'value="2031-05-04"' in form
    assert "a long password" not in form and "123456" not in form

    changed = {"label": "Aunt", "rights": "web", "lifetime": "0", "comment": "y", "password": "", "pin": ""}
    assert alice.submit(f"{base}/{link.id}", changed).status_code == 303
    after = stored(core, world)
    assert (after.rights, after.level) == (Rights.VIEW | Rights.WEB | Rights.COMMENT, "view")
    assert (after.password_hash, after.pin_hash, after.expires_at) == (link.password_hash, link.pin_hash, None)
    assert alice.submit(f"{base}/{link.id}", {**changed, "no_password": "y", "no_pin": "y"}).status_code == 303
    bare = stored(core, world)
    assert (bare.password_hash, bare.pin_hash, bare.token_sha256) == (None, None, link.token_sha256)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"pin": "1234"}, "6 to 12 digits"),
        ({"pin": "12345a"}, "6 to 12 digits"),
        ({"until": ""}, "Pick the last day."),
        ({"max_visits": "0"}, "A whole number from 1"),
        ({"password": "short"}, "At least 10 characters"),
        ({"rights": "everything"}, "Not a valid choice"),
    ],
)
def test_what_is_wrong_is_said(alice: Browser, world: World, wrong: dict[str, str], said: str) -> None:
    base = f"/dashboard/albums/{world.alpha_private}/share"
    alice.get(base)
    answer = alice.submit(base, {**EVERYTHING, **wrong})
    assert answer.status_code == 422
    assert said in answer.text


def test_the_code_is_an_svg_without_script(alice: Browser, core: Flask, world: World) -> None:
    base = f"/dashboard/albums/{world.alpha_private}/share"
    alice.get(base)
    alice.submit(base, {"rights": "view", "lifetime": "0"})
    code = alice.get(f"{base}/{stored(core, world).id}/qr.svg")
    assert code.mimetype == "image/svg+xml"
    assert code.data.count(b"<path") >= 1
    assert b"<script" not in code.data
