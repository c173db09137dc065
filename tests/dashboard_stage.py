"""The dashboard as browser tests find it: an album with a little of everything, and Alice signed in."""

import gallery
from conftest import PASSWORD, World
from flask import Flask
from playwright.sync_api import Page, expect

from tenants import claims, sharing
from tenants.catalog import AssetState, Ordering, album_by_id
from tenants.scope import open_site, secret


def furnish(web: Flask, world: World, count: int = 6, *, manual: bool = False) -> list[str]:
    """Photos, one that waits, one that was refused, one in the trash, and a link."""
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        album.ordering = Ordering.MANUAL if manual else Ordering.CAPTURED
        ids = gallery.fill(site, album, count)
        gallery.add_waiting(site, album, place=count + 1)
        refused = gallery.add_waiting(site, album, AssetState.REJECTED, place=count + 2)
        refused.reason = "This is text, not a photo or a video."
        gallery.add_waiting(site, album, place=count + 3).deleted_at = site.now()
        sharing.create_link(site.session, album, secret(), now=site.now(), label="The neighbours")
        claims.claim(site.session, site.tenant, "photos.münchen.example", "localhost", now=site.now())
        site.session.commit()
        return ids


PIXEL = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")


def long_album(web: Flask, world: World, page: Page, count: int) -> list[str]:
    """Rows of so many photos without files, and a pixel for each of their pictures; the ids in the album's order."""
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        ids = gallery.fill_rows(site, album, count)
        site.session.commit()
    page.route("**/m/**", lambda route: route.fulfill(status=200, content_type="image/gif", body=PIXEL))
    return ids


def sign_in(page: Page, origin: str) -> Page:
    page.goto(f"{origin}/dashboard/sign-in")
    page.get_by_label("E-mail address").fill("alice@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Albums", exact=True)).to_be_visible()
    return page


def shown(page: Page) -> list[str]:
    ids: list[str] = page.locator(".tile").evaluate_all("tiles => tiles.map(tile => tile.dataset.id)")
    return ids
