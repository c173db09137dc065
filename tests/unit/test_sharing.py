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


VIEW, ORIGINAL, EDIT, MANAGE = Action.VIEW, Action.DOWNLOAD_ORIGINAL, Action.EDIT, Action.MANAGE
PUBLIC, PRIVATE = Visibility.PUBLIC, Visibility.PRIVATE


@pytest.mark.parametrize(
    ("role", "grant", "visibility", "originals", "allowed"),
    [
        (None, None, PUBLIC, False, {VIEW}),
        (None, None, PUBLIC, True, {VIEW, ORIGINAL}),
        (None, None, Visibility.UNLISTED, False, {VIEW}),
        (None, None, PRIVATE, True, set()),
        (None, Rights.VIEW, PRIVATE, False, {VIEW}),
        (None, Rights.VIEW, PRIVATE, True, {VIEW, ORIGINAL}),
        (None, Rights.DOWNLOAD, PRIVATE, False, {VIEW, ORIGINAL}),
        (Role.VIEWER, None, PRIVATE, False, {VIEW}),
        (Role.EDITOR, None, PRIVATE, False, {VIEW, ORIGINAL, EDIT}),
        (Role.ADMIN, None, PRIVATE, False, {VIEW, ORIGINAL, EDIT, MANAGE}),
        (Role.OWNER, None, PRIVATE, False, {VIEW, ORIGINAL, EDIT, MANAGE}),
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
