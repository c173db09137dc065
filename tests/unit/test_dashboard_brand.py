"""The brand page, logos and the contrast rule; members; share links."""

import html
import io
from collections.abc import Iterator

import pytest
from conftest import PASSWORD, World
from dashboard_client import Browser
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import select

from infra.errors import Problem
from infra.sql import reading
from tenants import people
from tenants.people import Member, Role
from tenants.registry import Brand, Theme
from tenants.scope import Site, open_site
from tenants.sharing import ShareLink
from webapp.brand import palette, pictures
from webapp.brand.colours import contrast, ink_on
from webapp.dashboard import logo

BRAND = {"name": "Alpha & Sons", "tagline": "Since 1931", "accent": "#1f6f43", "font": "serif", "theme": "light"}


@pytest.fixture
def site(core: Flask, world: World) -> Iterator[Site]:
    """Alpha's, through an app of its own: requests must not share its context. It reads; `rollback` sees the latest."""
    with reading(), open_site(world.alpha) as site:
        yield site


def picture(kind: str, size: tuple[int, int] = (1600, 900), **options: object) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, "#aa3355").save(made, kind, **options)
    return made.getvalue()


def test_the_brand_is_saved_and_shown(alice: Browser, site: Site) -> None:
    saved = alice.submit("/dashboard/brand", BRAND)
    assert saved.status_code == 303
    page = alice.get("/").text
    assert "Alpha &amp; Sons" in page
    assert "#1f6f43" in page
    assert 'data-theme="light"' in page
    site.session.rollback()
    assert site.tenant.brand.tagline == "Since 1931"


def test_an_unreadable_accent_is_refused_with_a_usable_one(alice: Browser) -> None:
    refused = alice.submit("/dashboard/brand", {**BRAND, "theme": "auto", "accent": "#ffee88"})
    assert refused.status_code == 422
    taken = html.unescape(refused.text.split('name="take" value="')[1].split('"')[0])
    assert (
        alice.submit("/dashboard/brand", {**BRAND, "theme": "auto", "accent": "#ffee88", "take": taken}).status_code
        == 303
    )
    assert f"--accent:{taken.partition(':')[2]}" in alice.get("/").text
    for wrong in ("red", "#12", "#12345g", "#123456;}", ""):
        answer = alice.submit("/dashboard/brand", {**BRAND, "accent": wrong})
        assert answer.status_code == 422, wrong


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True), st.sampled_from(Theme))
def test_what_is_suggested_is_usable(colour: str, theme: Theme) -> None:
    brand = Brand(accent=colour, theme=theme)
    for refusal in palette.refusals(brand):
        assert refusal.suggestion
        assert palette.usable(refusal.suggestion, brand)
        assert contrast(refusal.suggestion, ink_on(refusal.suggestion)) >= 4.5


def test_a_logo_is_encoded_again_and_served(alice: Browser, site: Site) -> None:
    photo = picture("JPEG", comment=b"secret place", exif=Image.Exif())
    sent = {**BRAND, "logo": (io.BytesIO(photo), "logo.jpg")}
    assert alice.submit("/dashboard/brand", sent).status_code == 303
    site.session.rollback()
    digest = site.tenant.brand.logo_sha256
    served = alice.get(f"/brand/{digest}")
    assert served.content_type == "image/png"
    assert b"secret" not in served.data
    with Image.open(io.BytesIO(served.data)) as kept:
        assert kept.size == (569, 320)
    assert alice.submit("/dashboard/brand", {**BRAND, "logo": (io.BytesIO(photo), "logo.jpg")}).status_code == 303
    assert alice.submit("/dashboard/brand", {**BRAND, "remove_logo": "y"}).status_code == 303
    site.session.rollback()
    assert site.tenant.brand.logo_sha256 is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no PNG, JPEG or WebP"),
        (picture("GIF", (8, 8)), "no PNG, JPEG or WebP"),
        (picture("PNG")[:200], "no PNG, JPEG or WebP"),
        (b"", "no PNG, JPEG or WebP"),
        (picture("PNG", (8000, 2001)), "too many pixels"),
        (b"\x89PNG" + b"\0" * pictures.MAX_BYTES, "up to 4 MB"),
    ],
    ids=["svg", "gif", "cut short", "empty", "huge", "large"],
)
def test_a_wrong_logo_is_explained(data: bytes, said: str) -> None:
    with pytest.raises(Problem, match=said):
        logo.encode(data)


def test_transparency_survives() -> None:
    made = io.BytesIO()
    Image.new("RGBA", (40, 20), (10, 20, 30, 0)).save(made, "WEBP", lossless=True)
    with Image.open(io.BytesIO(logo.encode(made.getvalue()))) as kept:
        assert (kept.format, kept.mode, kept.size) == ("PNG", "RGBA", (40, 20))
        assert kept.getpixel((5, 5))[3] == 0


def test_members_come_change_and_go(alice: Browser, web: Flask, site: Site, world: World) -> None:
    with web.app_context(), open_site(world.alpha) as own:
        people.add(own.session, world.alpha, "Carol@Example.com", Role.EDITOR, "a long first one", now=own.now())
        own.session.commit()
    site.session.rollback()
    carol = site.session.scalars(select(Member).where(Member.email == "carol@example.com")).one()
    carol_id = carol.id
    browser = Browser(web)
    assert browser.sign_in("carol", "a long first one").status_code == 303
    assert browser.get("/dashboard/brand").status_code == 403
    assert alice.post(f"/dashboard/members/{carol_id}/role", {"role": "admin"}).status_code == 200
    assert browser.get("/dashboard/brand").status_code == 200
    # An admin neither makes an owner nor touches one.
    assert browser.post(f"/dashboard/members/{carol_id}/role", {"role": "owner"}).status_code == 403
    assert browser.post(f"/dashboard/members/{world.alice}/remove").status_code == 403
    assert browser.post(f"/dashboard/members/{carol_id}/remove").status_code == 409
    assert alice.post(f"/dashboard/members/{carol_id}/remove").status_code == 200
    assert browser.get("/dashboard/").status_code == 303


def test_the_last_owner_stays(alice: Browser, site: Site, world: World) -> None:
    assert alice.post(f"/dashboard/members/{world.alice}/role", {"role": "admin"}).status_code == 409
    assert alice.post(f"/dashboard/members/{world.alice}/role", {"role": "owner"}).status_code == 200
    assert alice.post(f"/dashboard/members/{world.adam}/role", {"role": "owner"}).status_code == 200
    assert alice.post(f"/dashboard/members/{world.alice}/role", {"role": "viewer"}).status_code == 200
    site.session.rollback()
    adam = site.session.get_one(Member, (world.alpha, world.adam))
    assert adam.role is Role.OWNER


def test_a_link_is_made_opens_and_is_revoked(alice: Browser, web: Flask, site: Site, world: World) -> None:
    base = f"/dashboard/albums/{world.alpha_private}"
    alice.get(f"{base}/share")
    short = alice.submit(f"{base}/share", {"rights": "view", "lifetime": "7", "password": "short"})
    assert short.status_code == 422
    made = alice.submit(f"{base}/share", {"label": "Aunt", "rights": "view", "lifetime": "7", "password": PASSWORD})
    assert made.status_code == 303
    page = alice.get(f"{base}/share").text
    assert "<li>Look</li>" in page
    address = page.split('data-copy="')[1].split('"')[0]
    site.session.rollback()
    link = site.session.scalars(select(ShareLink)).one()
    assert link.label == "Aunt"
    assert link.expires_at is not None
    assert 6 < (link.expires_at - site.now()).total_seconds() / 86400 < 7
    path = "/" + address.partition("//")[2].partition("/")[2]
    visitor = Browser(web)
    assert visitor.get("/a/alpha-secret").status_code == 404
    visitor.get(path)
    assert visitor.submit(path, {"password": PASSWORD}).status_code in (302, 303)
    assert visitor.get("/a/alpha-secret").status_code == 200
    assert alice.post(f"{base}/share/{link.id}/revoke").status_code == 200
    assert visitor.get("/a/alpha-secret").status_code == 404
    assert alice.post(f"{base}/share/{link.id}/revoke").status_code == 404
    assert "Aunt" not in alice.get(f"{base}/share").text


def test_a_link_of_another_album_is_not_revoked_through_this_one(alice: Browser, site: Site, world: World) -> None:
    alice.submit(f"/dashboard/albums/{world.alpha_private}/share", {"rights": "view", "lifetime": "0"})
    site.session.rollback()
    link = site.session.scalars(select(ShareLink)).one()
    assert alice.post(f"/dashboard/albums/{world.alpha_album}/share/{link.id}/revoke").status_code == 404
