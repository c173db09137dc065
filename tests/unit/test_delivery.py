"""Deleted or revoked means gone: an address of a picture works for as long as what it was given for."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import gallery
import pytest
from cachetools import TTLCache
from conftest import World
from dashboard_client import Browser as Member
from flask import Flask
from sqlalchemy import event, select
from visits import BETA, Browser, member, share_link, visitor

from infra.local.edge import AppEdge
from infra.ports import Ports, Serving
from tenants import delivery, embeds, people, purges
from tenants.catalog import Asset, Visibility, album_by_id
from tenants.db import db
from tenants.purges import EdgePurge
from tenants.scope import open_site, ports
from tenants.sharing import ShareLink

pytestmark = pytest.mark.every_database


@pytest.fixture
def photos(web: Flask, world: World) -> list[str]:
    """Two photos in the private album."""
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        made = [gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]), filename=f"{n}.jpg") for n in (1, 2)]
        site.session.commit()
        return [asset.id for asset in made]


def picture(browser: Browser, path: str, asset_id: str) -> str:
    """The address of the asset's JPEG in a page."""
    page = browser.get(path, follow_redirects=True).text
    _, found, rest = page.partition(f"/{asset_id}/1/w320.jpg")
    assert found, page
    return page[: page.index(found)].rpartition('"')[2].rpartition(" ")[2] + found if rest else ""


def link_visitor(web: Flask, world: World) -> Browser:
    guest = visitor(web)
    assert guest.get(share_link(web, world.alpha, world.alpha_private)).status_code == 303
    return guest


def forget(web: Flask) -> None:
    """Let the seconds pass for which a process remembers (`webapp/delivery.REMEMBERED_SECONDS`)."""
    remembered: TTLCache[object, object] = web.extensions["vitrine.standings"]
    remembered.clear()


@pytest.fixture
def alice(web: Flask, world: World) -> Member:
    signed_in = Member(web)
    signed_in.sign_in("alice")
    return signed_in


def test_a_revoked_link_ends_its_own_visitors_pictures_and_nobody_elses(
    web: Flask, world: World, photos: list[str], alice: Member
) -> None:
    first, second = link_visitor(web, world), link_visitor(web, world)
    ours, others = (picture(guest, "/a/alpha-secret", photos[0]) for guest in (first, second))
    assert ours != others
    assert {first.get(ours).status_code, second.get(others).status_code} == {200}
    with web.app_context(), open_site(world.alpha) as site:
        links = list(site.session.scalars(select(ShareLink.id).order_by(ShareLink.id)))
    alice.get("/dashboard/")
    path = f"/dashboard/albums/{world.alpha_private}/share/{links[0]}/revoke"
    assert alice.post(path).status_code == 200
    forget(web)
    assert first.get(ours).status_code == 404
    assert visitor(web).get(ours).status_code == 404
    assert second.get(others).status_code == 200


def test_an_expired_link_ends_with_its_time(web: Flask, world: World, photos: list[str]) -> None:
    guest = link_visitor(web, world)
    address = picture(guest, "/a/alpha-secret", photos[0])
    with web.app_context(), open_site(world.alpha) as site:
        site.session.scalars(select(ShareLink)).one().expires_at = site.now() - timedelta(seconds=1)
        site.session.commit()
    assert guest.get(address).status_code == 404


def test_a_deleted_photo_is_gone_and_its_neighbour_is_not(
    web: Flask, world: World, photos: list[str], alice: Member
) -> None:
    guest = link_visitor(web, world)
    addresses = [picture(guest, "/a/alpha-secret", photo) for photo in photos]
    for address in addresses:
        assert guest.get(address).status_code == 200
    base = f"/dashboard/albums/{world.alpha_private}/assets"
    assert alice.post(f"{base}/delete", {"id": photos[0]}).status_code == 200
    forget(web)
    assert [guest.get(address).status_code for address in addresses] == [404, 200]
    assert alice.get(f"/m/{_of_member(web, world, photos[0])}").status_code == 200  # It is in the trash.
    assert alice.post(f"{base}/restore", {"id": photos[0]}).status_code == 200
    forget(web)
    assert guest.get(addresses[0]).status_code == 200


def _of_member(web: Flask, world: World, asset_id: str) -> str:
    with web.app_context(), open_site(world.alpha) as site:
        return f"{site.generation_token(delivery.by_membership(world.alice), asset_id, 1)}/{asset_id}/1/w320.jpg"


def test_more_deleted_photos_than_are_listed(
    web: Flask, world: World, photos: list[str], alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MOST_GONE", 0)
    guest = link_visitor(web, world)
    addresses = [picture(guest, "/a/alpha-secret", photo) for photo in photos]
    base = f"/dashboard/albums/{world.alpha_private}/assets"
    assert alice.post(f"{base}/delete", {"id": photos[0]}).status_code == 200
    assert [guest.get(address).status_code for address in addresses] == [404, 200]


def test_a_public_album_turned_private_or_deleted(web: Flask, world: World, photos: list[str], alice: Member) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        album.visibility = Visibility.UNLISTED
        site.session.commit()
    anyone, guest = visitor(web), link_visitor(web, world)
    for_all = picture(anyone, "/a/alpha-secret", photos[0])
    for_guest = picture(guest, "/a/alpha-secret", photos[0])
    assert {anyone.get(for_all).status_code, guest.get(for_guest).status_code} == {200}
    form = {"title": "alpha secret", "visibility": "private", "ordering": "captured"}
    assert alice.post(f"/dashboard/albums/{world.alpha_private}/settings", form).status_code == 200
    forget(web)
    assert anyone.get(for_all).status_code == 404
    assert guest.get(for_guest).status_code == 200
    assert alice.post(f"/dashboard/albums/{world.alpha_private}/delete").status_code == 200
    forget(web)
    assert guest.get(for_guest).status_code == 404


def test_a_removed_members_pictures_end(web: Flask, world: World, photos: list[str]) -> None:
    adam = member(web, world.alpha, world.adam)
    address = picture(adam, "/a/alpha-secret", photos[0])
    assert adam.get(address).status_code == 200
    with web.app_context(), open_site(world.alpha) as site:
        people.remove(site.session, site.session.get_one(people.Member, (world.alpha, world.adam)))
        site.session.commit()
    forget(web)
    assert adam.get(address).status_code == 404


def test_a_way_is_good_at_its_own_tenant_only(web: Flask, world: World, photos: list[str]) -> None:
    with web.app_context():
        session = db.session()
        now = ports().clock.now()
        with open_site(world.beta) as site:
            assert not delivery.standing(session, world.beta, delivery.by_openness(world.alpha_album), now).open
            assert not delivery.standing(session, world.beta, delivery.by_membership(world.alice), now).open
            assert delivery.standing(session, world.beta, delivery.by_openness(site_album(world)), now).open
            assert site.tenant_id == world.beta
        for odd in ("", "o", "x" + world.alpha_album, "o" + "!" * 26):
            assert not delivery.standing(session, world.alpha, odd, now).open
    address = picture(link_visitor(web, world), "/a/alpha-secret", photos[0])
    assert visitor(web, BETA).get(address).status_code == 404


def site_album(world: World) -> str:
    return world.beta_album


def test_a_page_of_pictures_costs_one_statement(web: Flask, world: World, photos: list[str]) -> None:
    guest = link_visitor(web, world)
    addresses = [picture(guest, "/a/alpha-secret", photo) for photo in photos]
    visitor(web).get("/m/x/x/" + "0" * 26 + "/1/x.jpg")  # The host is known from here on.
    seen: list[str] = []
    with web.app_context():
        engine = db.engine

    def note(*arguments: object) -> None:
        seen.append(str(arguments[2]))

    event.listen(engine, "before_cursor_execute", note)
    for address in addresses * 3:
        assert guest.get(address).status_code == 200
    assert len([statement for statement in seen if "FROM" in statement]) == 1


def test_it_is_answered_from_an_index(web: Flask, world: World) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        now = ports().clock.now()
        statement = delivery.WAYS["o"](world.alpha, world.alpha_album, now)
        if site.session.get_bind().dialect.name != "sqlite":
            site.session.connection().exec_driver_sql("SET LOCAL enable_seqscan = off")
        compiled = statement.compile(site.session.get_bind(), compile_kwargs={"literal_binds": True})
        prefix = "EXPLAIN QUERY PLAN " if site.session.get_bind().dialect.name == "sqlite" else "EXPLAIN "
        plan = site.session.connection().exec_driver_sql(prefix + str(compiled).replace("%", "%%")).all()
        assert "ix_assets_deleted" in str(plan)


# --- With an edge that keeps copies -----------------------------------------------------------------------------------


class CopyingEdge(AppEdge):
    """Our fake of a CDN: asks for cookies and notes what it is told to drop. The rest is the app's edge."""

    shared_seconds = 600

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.dropped: list[tuple[str, str]] = []
        self.away = False

    def cookies(self, origin: str, path: str, *, until: datetime) -> dict[str, str]:
        return {"CloudFront-Policy": f"{origin}{path}", "CloudFront-Until": f"{until:%Y-%m-%dT%H.%M}"}

    def invalidate(self, hosts: list[str], paths: list[str], *, reference: str) -> None:  # type: ignore[override]
        if self.away:
            from infra.errors import Unavailable

            raise Unavailable("away")
        self.dropped += [(host, path) for host in hosts for path in paths]

    def serve(self, host: str) -> Serving:
        return Serving(True)


@pytest.fixture
def edge(web: Flask) -> Iterator[CopyingEdge]:
    made = CopyingEdge(["x" * 40], web.extensions["vitrine.ports"].clock)
    object.__setattr__(web.extensions["vitrine.ports"], "edge", made)
    yield made


def test_a_cookie_of_the_edge_ends_with_the_link(
    web: Flask, world: World, photos: list[str], edge: CopyingEdge
) -> None:
    soon = ports_of(web).clock.now() + timedelta(hours=1)
    guest = visitor(web)
    guest.get(share_link(web, world.alpha, world.alpha_private, expires_at=soon))
    cookies = [
        line for line in guest.get("/a/alpha-secret").headers.getlist("Set-Cookie") if "CloudFront-Until" in line
    ]
    assert len(cookies) == 1
    assert f"CloudFront-Until={soon:%Y-%m-%dT%H.%M};" in cookies[0]


def ports_of(web: Flask) -> Ports:
    found: Ports = web.extensions["vitrine.ports"]
    return found


Deed = Callable[[Member, World, list[str], str], str]


def _delete_photo(_alice: Member, world: World, photos: list[str], _link: str) -> str:
    return f"/dashboard/albums/{world.alpha_private}/assets/delete"


def _delete_album(_alice: Member, world: World, _photos: list[str], _link: str) -> str:
    return f"/dashboard/albums/{world.alpha_private}/delete"


def _revoke(_alice: Member, world: World, _photos: list[str], link: str) -> str:
    return f"/dashboard/albums/{world.alpha_private}/share/{link}/revoke"


@pytest.mark.parametrize("deed", [_delete_photo, _delete_album, _revoke])
def test_the_edge_drops_its_copies(
    web: Flask,
    world: World,
    photos: list[str],
    edge: CopyingEdge,
    alice: Member,
    deed: Deed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guest = link_visitor(web, world)
    page = guest.get("/a/alpha-secret")
    with web.app_context(), open_site(world.alpha) as site:
        link = site.session.scalars(select(ShareLink.id)).one()
    path = f"/m/{delivery.by_link(link)}/"
    cookie = next(line for line in page.headers.getlist("Set-Cookie") if line.startswith("CloudFront-Policy"))
    for part in (f"Path={path}", "Secure", "HttpOnly", "SameSite=Lax"):
        assert part in cookie
    answer = guest.get(picture(guest, "/a/alpha-secret", photos[0]))
    assert "s-maxage=600" in answer.headers["Cache-Control"]
    edge.away = True
    assert alice.post(deed(alice, world, photos, link), {"id": photos[0]}).status_code == 200
    assert edge.dropped == []
    edge.away = False
    alice.post("/dashboard/account", {})  # Whoever comes next sends what waits.
    assert ("alpha.localhost", path) in edge.dropped
    # Once more when no process of the fleet can remember the way as open: one may have filled the edge again.
    once = edge.dropped.count(("alpha.localhost", path))
    with web.app_context():
        monkeypatch.setattr(purges, "LATE", timedelta(0))
        assert purges.send_all() == 1
        assert edge.dropped.count(("alpha.localhost", path)) == once + 1
        assert purges.send_all() == 0
    with web.app_context(), open_site(world.alpha) as site:
        assert site.session.scalars(select(EdgePurge)).all() == []
        assert site.session.get(Asset, (world.alpha, photos[0])) is not None


def test_the_edge_drops_plain_pictures_where_a_mark_comes(
    web: Flask, world: World, photos: list[str], edge: CopyingEdge, alice: Member
) -> None:
    link_visitor(web, world)
    with web.app_context(), open_site(world.alpha) as site:
        link = site.session.scalars(select(ShareLink.id)).one()
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        grant = embeds.create(site.session, world.alpha, ["https://shop.example"], now=site.now(), album=album).id
        site.session.commit()

    def dropped(path: str, form: dict[str, str]) -> set[str]:
        edge.dropped.clear()
        assert alice.post(path, form).status_code == 200
        return {path for host, path in edge.dropped if host == "alpha.localhost"}

    alice.get("/dashboard/")
    look = {"source": "text", "position": "corner", "size": "30", "opacity": "60"}
    base = f"/dashboard/albums/{world.alpha_private}"
    album_form = {"title": "alpha secret", "visibility": "unlisted", "ordering": "captured"}
    assert dropped("/dashboard/watermark", look) == set(), "nobody sees it yet"
    ways = {f"/m/{way}/" for way in (delivery.by_openness(world.alpha_private), f"s{link}", f"e{grant}")}
    assert dropped(f"{base}/settings", {**album_form, "marks": "yes"}) >= ways
    assert f"/m/s{link}/" in dropped(f"{base}/share/{link}", {"rights": "view", "lifetime": "0", "marks": "no"})
    assert "/m/" in dropped("/dashboard/watermark", {**look, "marks": "y"})
