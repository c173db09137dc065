"""Guests at the upload host: within their link's quota, hidden until approved, and ended with the link."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from conftest import World
from flask import Flask
from upload_server import BODY, AppClient, headers, named

from infra.sql import reading
from tenants import contributions, guests, sharing, tickets
from tenants.catalog import Asset, album_by_id
from tenants.contributions import Contribution
from tenants.news import News
from tenants.scope import Site, open_site, secret
from tenants.sharing import Rights, ShareLink

DATA = b"not really a photo"


@pytest.fixture
def site(core: Flask, world: World) -> Iterator[Site]:
    """It reads; what writes says so, since the requests between write as well."""
    with reading(), open_site(world.alpha) as site:
        yield site


@contextmanager
def writing(site: Site) -> Iterator[None]:
    site.session.rollback()
    with reading(False):
        yield
        site.session.commit()


@pytest.fixture
def link(site: Site, world: World) -> ShareLink:
    with writing(site):
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        terms = {"rights": Rights.VIEW | Rights.UPLOAD, "upload_files": 2, "upload_bytes": len(DATA) * 2}
        made, _ = sharing.create_link(site.session, album, secret(), now=site.now(), **terms)
    return made


def ticket(site: Site, link: ShareLink, name: str = "Zoe") -> str:
    with writing(site):
        guest = guests.create(site.session, link, name, now=site.now())
    return tickets.mint(
        secret(),
        tenant=site.tenant_id,
        album=link.album_id,
        max_bytes=1 << 20,
        types=("image/*", "video/*"),
        now=site.now(),
        lifetime=timedelta(hours=1),
        link=link.id,
        guest=guest.id,
    )


def send(client: AppClient, bearer: str, data: bytes = DATA, **more: str | int) -> tuple[int, dict[str, str]]:
    given = {"Upload_Length": len(data), "Upload_Metadata": named("beach.jpg"), **more}
    answer = client("POST", "/files/", {**headers(bearer, **given), **BODY}, data)
    return answer.status, dict(answer.headers)


def states(site: Site) -> list[str]:
    site.session.rollback()
    return sorted(each.state.value for each in site.session.query(Contribution))


def test_what_a_guest_sends_arrives_hidden_and_is_told(upload: Flask, site: Site, link: ShareLink) -> None:
    client, bearer = AppClient(upload), ticket(site, link)
    status, answered = send(client, bearer)
    assert status == 201
    site.session.rollback()
    asset = site.session.get_one(Asset, (site.tenant_id, answered["Upload-Asset"]))
    assert asset.held
    assert states(site) == ["waiting"]
    told = site.session.query(News).one()
    assert (told.kind.value, told.who, told.about) == ("upload", "Zoe", "beach.jpg")
    album = album_by_id(site.session, site.tenant_id, link.album_id)
    assert album is not None
    assert [(found.id, who.name) for found, who in contributions.waiting(site.session, album)] == [(asset.id, "Zoe")]
    with writing(site):
        contributions.judge(site.session, [asset], approve=True, now=site.now())
    assert not asset.held
    assert contributions.waiting(site.session, album) == []


def test_the_quota_counts_what_is_announced(upload: Flask, site: Site, link: ShareLink) -> None:
    client, bearer = AppClient(upload), ticket(site, link)
    assert send(client, bearer, DATA * 3)[0] == 413
    empty = client("POST", "/files/", headers(bearer, Upload_Length=len(DATA), Upload_Metadata=named("a.jpg")))
    assert empty.status == 201  # Not a byte has come, and its place is taken.
    assert send(client, bearer)[0] == 201
    refused = client(
        "POST", "/files/", headers(ticket(site, link, "Yan"), Upload_Length=1, Upload_Metadata=named("b.jpg"))
    )
    assert refused.status == 413
    assert b"2 files" in refused.body
    assert client("DELETE", empty.headers["Location"], headers(bearer)).status == 204
    assert states(site) == ["waiting"]
    assert send(client, bearer)[0] == 201


def test_what_is_rejected_gives_its_place_back(upload: Flask, site: Site, link: ShareLink) -> None:
    client, bearer = AppClient(upload), ticket(site, link)
    made = [send(client, bearer)[1]["Upload-Asset"] for _ in range(2)]
    assert send(client, bearer)[0] == 413
    with writing(site):
        asset = site.session.get_one(Asset, (site.tenant_id, made[0]))
        contributions.judge(site.session, [asset], approve=False, now=site.now())
    assert asset.deleted_at is not None
    assert send(client, bearer)[0] == 201


@pytest.mark.parametrize("end", ["revoked", "expired", "taken away"])
def test_a_link_that_ends_ends_uploads_midway(upload: Flask, site: Site, link: ShareLink, end: str) -> None:
    client, bearer = AppClient(upload), ticket(site, link)
    begun = client("POST", "/files/", headers(bearer, Upload_Length=len(DATA), Upload_Metadata=named("a.jpg")))
    place = begun.headers["Location"]
    with writing(site):
        if end == "taken away":
            link.rights = Rights.VIEW
        elif end == "revoked":
            link.revoked_at = site.now()
        else:
            link.expires_at = site.now()
    patched = client("PATCH", place, {**headers(bearer, Upload_Offset=0), **BODY}, DATA)
    assert (patched.status, client("HEAD", place, headers(bearer)).status) == (410, 410)
    assert send(client, bearer)[0] == 410
    assert states(site) == ["arriving"]


def test_a_guest_reaches_nothing_but_their_own(upload: Flask, site: Site, link: ShareLink) -> None:
    client = AppClient(upload)
    member = tickets.mint(
        secret(),
        tenant=site.tenant_id,
        album=link.album_id,
        max_bytes=1 << 20,
        now=site.now(),
        lifetime=timedelta(hours=1),
    )
    theirs = client("POST", "/files/", headers(member, Upload_Length=9, Upload_Metadata=named("theirs.jpg")))
    zoe, yan = ticket(site, link), ticket(site, link, "Yan")
    mine = client("POST", "/files/", headers(zoe, Upload_Length=9, Upload_Metadata=named("mine.jpg")))
    for bearer, place in ((zoe, theirs), (yan, mine), (yan, theirs)):
        for method in ("HEAD", "DELETE"):
            assert client(method, place.headers["Location"], headers(bearer)).status == 404
    assert client("HEAD", mine.headers["Location"], headers(zoe)).status == 200


def test_a_guest_learns_nothing_about_stored_files(upload: Flask, site: Site, link: ShareLink) -> None:
    client, bearer = AppClient(upload), ticket(site, link)
    assert send(client, bearer)[0] == 201
    status, answered = send(client, bearer)
    assert status == 201
    assert "Upload-Duplicate-Of" not in answered
    body = b'{"sha256": ["' + b"a" * 64 + b'"]}'
    for path in ("/files/known", "/files/reuse"):
        assert client("POST", path, {**headers(bearer), "Content-Type": "application/json"}, body).status == 403


@pytest.mark.parametrize("more", [{"Upload_Defer_Length": 1}, {"Upload_Length": 3, "Upload_Concat": "partial"}])
def test_guests_say_how_long_a_file_is(upload: Flask, site: Site, link: ShareLink, more: dict[str, str | int]) -> None:
    answer = AppClient(upload)("POST", "/files/", headers(ticket(site, link), Upload_Metadata=named("a.jpg"), **more))
    assert answer.status == 400


def test_a_type_that_is_no_medium_is_refused(upload: Flask, site: Site, link: ShareLink) -> None:
    kind = named("a.exe", filetype="application/x-msdos")
    answer = AppClient(upload)("POST", "/files/", headers(ticket(site, link), Upload_Length=3, Upload_Metadata=kind))
    assert answer.status == 415
