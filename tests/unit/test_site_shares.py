"""A share link's life: opened, counted, locked by a password, expired, revoked."""

from datetime import timedelta

import pytest
from conftest import World
from flask import Flask
from visits import ALPHA, BETA, give, member, visitor

from tenants import sharing
from tenants.catalog import Album, album_by_id
from tenants.scope import open_site
from tenants.sharing import ShareLink

SECRET = "/a/alpha-secret"
WORD = "open sesame please"


def change(web: Flask, world: World, path: str, **fields: object) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        link = sharing.find_link(site.session, path.removeprefix("/s/"))
        assert link is not None
        for name, value in fields.items():
            setattr(link, name, value)
        site.session.commit()


def visits(web: Flask, world: World, path: str) -> int:
    with web.app_context(), open_site(world.alpha) as site:
        link = sharing.find_link(site.session, path.removeprefix("/s/"))
        assert link is not None
        return link.visits


def test_a_link_opens_its_album_and_no_other(web: Flask, shared: str) -> None:
    client = visitor(web)
    assert client.get(SECRET).status_code == 404
    answer = client.get(shared)
    assert (answer.status_code, answer.location) == (303, SECRET)
    assert client.get(SECRET).status_code == 200
    assert visitor(web).get(SECRET).status_code == 404


def test_visits_are_counted_once_a_session(web: Flask, world: World, shared: str) -> None:
    client = visitor(web)
    for _ in range(3):
        client.get(shared)
    visitor(web).get(shared)
    visitor(web).head(shared)
    assert visits(web, world, shared) == 2


def test_a_revoked_link_ends_sessions_that_it_opened(web: Flask, world: World, shared: str) -> None:
    client = visitor(web)
    client.get(shared)
    with web.app_context(), open_site(world.alpha) as site:
        now = site.now()
    change(web, world, shared, revoked_at=now)
    assert client.get(SECRET).status_code == 404
    gone = client.get(shared)
    assert gone.status_code == 410
    assert "no longer valid" in gone.text
    assert "secret" not in gone.text


def test_an_expired_link_is_gone(web: Flask, world: World, shared: str) -> None:
    client = visitor(web)
    client.get(shared)
    with web.app_context(), open_site(world.alpha) as site:
        past = site.now() - timedelta(seconds=1)
    change(web, world, shared, expires_at=past)
    assert client.get(SECRET).status_code == 404
    assert client.get(shared).status_code == 410


def test_a_link_means_nothing_on_another_tenants_host(web: Flask, shared: str) -> None:
    assert visitor(web, BETA).get(shared).status_code == 404


@pytest.mark.parametrize("token", ["x", "A" * 22, "A" * 500, "%00", "..%2f.."])
def test_an_unknown_link_tells_nothing(web: Flask, token: str) -> None:
    answer = visitor(web).get(f"/s/{token}")
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_a_password_is_asked_for_and_checked(web: Flask, world: World, shared: str) -> None:
    change(web, world, shared, password_hash=sharing.hash_password(WORD))
    client = visitor(web)
    assert client.get(shared).status_code == 200
    assert client.get(SECRET).status_code == 404
    assert give(client, shared, "wrong one") == 422
    assert client.get(SECRET).status_code == 404
    assert give(client, shared, WORD) == 303
    assert client.get(SECRET).status_code == 200


def test_a_new_password_locks_out_who_had_the_old_one(web: Flask, world: World, shared: str) -> None:
    client = visitor(web)
    client.get(shared)
    change(web, world, shared, password_hash=sharing.hash_password(WORD))
    assert client.get(SECRET).status_code == 404
    assert client.get(shared).status_code == 200


def test_a_password_without_the_forms_token_is_refused(web: Flask, world: World, shared: str) -> None:
    change(web, world, shared, password_hash=sharing.hash_password(WORD))
    assert visitor(web).post(shared, data={"password": WORD}).status_code == 400


def test_the_link_of_a_deleted_album_is_gone(web: Flask, world: World, shared: str) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        album.deleted_at = site.now()
        site.session.commit()
    assert visitor(web).get(shared).status_code == 410


def test_signing_in_keeps_what_links_opened(web: Flask, world: World, shared: str) -> None:
    adam = member(web, world.alpha, world.adam, ALPHA)
    adam.get(shared)
    assert adam.get(SECRET).status_code == 200
    with web.app_context(), open_site(world.alpha) as site:
        assert site.session.get(Album, (world.alpha, world.alpha_private)) is not None
        assert site.session.query(ShareLink).count() == 1
