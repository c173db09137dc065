"""Who may do what: the table behind every page."""

from datetime import timedelta

import pytest
from conftest import World
from flask import Flask

from tenants import catalog, sharing
from tenants.catalog import Album, Visibility
from tenants.people import Role
from tenants.scope import open_site, secret
from tenants.sharing import Action, Rights, Viewer, may

pytestmark = pytest.mark.every_database


def album(visibility: Visibility, *, originals: bool = False, tenant: str = "a") -> Album:
    return Album(tenant_id=tenant, id="1", visibility=visibility, originals=originals, deleted_at=None)


VIEW, WEB, ORIGINAL, EDIT, MANAGE = (
    Action.VIEW,
    Action.DOWNLOAD_WEB,
    Action.DOWNLOAD_ORIGINAL,
    Action.EDIT,
    Action.MANAGE,
)
FAVOURITE, COMMENT, SELECT, UPLOAD = Action.FAVOURITE, Action.COMMENT, Action.SELECT, Action.UPLOAD
PUBLIC, PRIVATE = Visibility.PUBLIC, Visibility.PRIVATE


@pytest.mark.parametrize(
    ("role", "grant", "visibility", "originals", "allowed"),
    [
        (None, None, PUBLIC, False, {VIEW}),
        (None, None, PUBLIC, True, {VIEW, WEB, ORIGINAL}),
        (None, None, Visibility.UNLISTED, False, {VIEW}),
        (None, None, PRIVATE, True, set()),
        (None, Rights.VIEW, PRIVATE, False, {VIEW}),
        (None, Rights.VIEW, PRIVATE, True, {VIEW, WEB, ORIGINAL}),
        (None, Rights.DOWNLOAD, PRIVATE, False, {VIEW, WEB, ORIGINAL}),
        (None, Rights.VIEW | Rights.WEB, PRIVATE, False, {VIEW, WEB}),
        (None, Rights.VIEW | Rights.FAVOURITE, PRIVATE, False, {VIEW, FAVOURITE}),
        (None, Rights.VIEW | Rights.SELECT, PRIVATE, False, {VIEW, FAVOURITE, SELECT}),
        (None, Rights.VIEW | Rights.COMMENT, PUBLIC, False, {VIEW, COMMENT}),
        (None, Rights.VIEW | Rights.UPLOAD, Visibility.UNLISTED, False, {VIEW, UPLOAD}),
        (Role.VIEWER, None, PRIVATE, False, {VIEW}),
        (Role.VIEWER, Rights.VIEW | Rights.WEB, PRIVATE, False, {VIEW, WEB}),
        (Role.EDITOR, None, PRIVATE, False, {VIEW, WEB, ORIGINAL, EDIT}),
        (Role.ADMIN, None, PRIVATE, False, {VIEW, WEB, ORIGINAL, EDIT, MANAGE}),
        (Role.OWNER, None, PRIVATE, False, {VIEW, WEB, ORIGINAL, EDIT, MANAGE}),
    ],
)
def test_the_table(
    role: Role | None, grant: Rights | None, visibility: Visibility, originals: bool, allowed: set[Action]
) -> None:
    viewer = Viewer("a", role, {"1": grant} if grant else {})
    thing = album(visibility, originals=originals)
    assert {action for action in Action if may(viewer, action, thing)} == allowed


@pytest.mark.parametrize("action", list(Action))
def test_nothing_of_another_tenant(action: Action) -> None:
    foreign = album(PUBLIC, originals=True, tenant="b")
    assert not may(Viewer("a", Role.OWNER, {"1": Rights.DOWNLOAD}), action, foreign)


def test_a_pin_that_was_not_given_holds_back_what_the_album_itself_allows() -> None:
    thing = album(PRIVATE, originals=True)
    assert not may(Viewer("a", None, {"1": Rights.VIEW}, without_pin=frozenset({"1"})), ORIGINAL, thing)
    assert may(Viewer("a", None, {"1": Rights.VIEW}), ORIGINAL, thing)
    assert may(Viewer("a", Role.EDITOR, {"1": Rights.VIEW}, without_pin=frozenset({"1"})), ORIGINAL, thing)


@pytest.mark.parametrize("action", [VIEW, WEB, ORIGINAL, FAVOURITE, COMMENT, SELECT])
def test_what_a_guest_added_is_the_editors_until_it_is_approved(action: Action) -> None:
    thing, held = album(PUBLIC, originals=True), catalog.Asset(tenant_id="a", album_id="1", deleted_at=None, held=True)
    everything = Rights.DOWNLOAD | Rights.FAVOURITE | Rights.COMMENT | Rights.SELECT | Rights.UPLOAD
    assert not may(Viewer("a", None, {"1": everything}), action, (thing, held))
    assert not may(Viewer("a", Role.VIEWER, {"1": everything}), action, (thing, held))
    assert may(Viewer("a", Role.EDITOR, {"1": everything}), action, (thing, held))
    held.held = False
    assert may(Viewer("a", None, {"1": everything}), action, (thing, held))


def test_links_of_earlier_releases_and_for_them() -> None:
    old = sharing.ShareLink(level="download")
    assert old.rights == Rights.DOWNLOAD
    assert sharing.ShareLink(level="view").rights == Rights.VIEW
    new = sharing.ShareLink(rights=Rights.WEB | Rights.COMMENT)
    assert (new.rights, new.level) == (Rights.VIEW | Rights.WEB | Rights.COMMENT, "view")
    new.rights = Rights.ORIGINAL
    assert new.level == "download"


def test_an_asset_is_judged_with_its_own_album() -> None:
    public, asset = album(PUBLIC), catalog.Asset(tenant_id="a", album_id="2", deleted_at=None)
    assert not may(Viewer("a"), VIEW, (public, asset))


def test_deleted_things_are_gone_for_visitors(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        gone = album(PUBLIC)
        gone.deleted_at = site.now()
        assert not may(Viewer("a", None), VIEW, gone)
        assert not may(Viewer("a", Role.OWNER), VIEW, gone)
        assert may(Viewer("a", Role.EDITOR), EDIT, gone)


def test_a_link_is_found_by_its_token_only_within_its_tenant(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        shared = catalog.album_by_id(site.session, world.alpha, world.alpha_private)
        assert shared is not None
        now = site.now()
        link, token = sharing.create_link(
            site.session, shared, secret(), now=now, password="open sesame!", expires_at=now + timedelta(days=1)
        )
        assert len(token) >= 22
        assert token not in (link.token_sha256, link.id)
        assert sharing.find_link(site.session, token) is link
        assert sharing.token_of(secret(), link.id) == token
        assert sharing.opens(link, "open sesame!")
        assert not sharing.opens(link, "open barley!")
        assert link.is_live(now)
        assert not link.is_live(now + timedelta(days=1))
        link.revoked_at = now
        assert not link.is_live(now)
        site.session.commit()
    with open_site(world.beta) as site:
        assert sharing.find_link(site.session, token) is None
