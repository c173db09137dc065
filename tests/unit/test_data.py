"""“Your data”: the archive of everything, the end of an account, what is known of a guest, and forgetting one."""

import io
import json
import re
import zipfile
from datetime import timedelta

import gallery
import pytest
from conftest import PASSWORD, World
from dashboard_client import Browser
from flask import Flask
from sqlalchemy import select
from visits import visitor

from infra.sql import reading
from processor import erasing, exporting
from tenants import contributions, erasure, exports, guests, lifecycle, proofing, sharing
from tenants.audit import AuditEvent
from tenants.catalog import Asset, album_by_id
from tenants.db import across_tenants, db
from tenants.registry import Tenant, TenantState
from tenants.scope import Site, open_site, ports, secret


def put_photo(site: Site, album_id: str) -> Asset:
    album = album_by_id(site.session, site.tenant_id, album_id)
    assert album is not None
    made = gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]), original=True)
    site.session.commit()
    return made


def made_one(web: Flask, world: World) -> None:
    """The worker's part of the newest export."""
    with web.app_context():
        with reading(), open_site(world.alpha) as site:
            export_id = exports.latest(site.session, 1)[0].id
        exporting.run(world.alpha, export_id, "m", 1)
        db.session.remove()


def address(alice: Browser) -> str:
    found = re.search(r'href="(/dashboard/data/archives/[^"]+)"', alice.get("/dashboard/data").text)
    assert found is not None
    return found[1]


def test_an_archive_is_asked_for_made_and_fetched(web: Flask, world: World, alice: Browser) -> None:
    assert "None yet." in alice.get("/dashboard/data").text
    with web.app_context():
        with open_site(world.alpha) as site:
            put_photo(site, world.alpha_album)
        db.session.remove()
    assert alice.submit("/dashboard/data/export").status_code == 303
    page = alice.get("/dashboard/data").text
    assert "Waiting for a worker" in page and "data-refresh" in page
    assert alice.post("/dashboard/data/export").status_code == 409, "one at a time"
    made_one(web, world)
    fragment = alice.get("/dashboard/data/progress").text
    assert "Ready" in fragment and "data-refresh" not in fragment
    # A download tool has the address and no session, and may go on where it stopped.
    where = address(alice)
    tool = visitor(web)
    answer = tool.get(where)
    assert (answer.status_code, answer.content_type) == (200, "application/zip")
    assert "alpha-20" in answer.headers["Content-Disposition"]
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    assert archive.testzip() is None and any(name.endswith("bagit.txt") for name in archive.namelist())
    part = tool.get(where, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.data) == (206, answer.data[10:20])


def test_another_tenant_and_a_wrong_address_get_nothing(web: Flask, world: World, alice: Browser) -> None:
    alice.submit("/dashboard/data/export")
    made_one(web, world)
    where = address(alice)
    assert visitor(web, "http://beta.localhost").get(where).status_code == 404
    assert visitor(web).get(where[:-2]).status_code == 404


def test_a_read_only_tenant_still_takes_its_data_along(web: Flask, world: World, alice: Browser) -> None:
    with web.app_context():
        with open_site(world.alpha) as site:
            site.tenant.state = TenantState.READ_ONLY
            site.session.commit()
        db.session.remove()
    alice.get("/dashboard/data")
    assert alice.submit("/dashboard/data/export").status_code == 303
    made_one(web, world)
    assert visitor(web).get(address(alice)).status_code == 200


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"slug": "beta", "current": PASSWORD}, "That is another name"),
        ({"slug": "alpha", "current": "wrong"}, "not your current password"),
        ({"slug": "alpha"}, "Enter your current password"),
    ],
)
def test_deleting_the_account_asks_for_its_name_and_the_password(
    web: Flask, world: World, alice: Browser, given: dict[str, str], told: str
) -> None:
    answer = alice.submit("/dashboard/data/erase", given)
    assert answer.status_code == 422 and told in answer.text
    with web.app_context(), open_site(world.alpha) as site:
        assert site.tenant.state is TenantState.ACTIVE


def close_alpha(alice: Browser) -> None:
    assert alice.submit("/dashboard/data/erase", {"slug": "alpha", "current": PASSWORD}).status_code == 303


def test_the_account_is_closed_and_erased_when_the_grace_is_over(web: Flask, world: World, alice: Browser) -> None:
    close_alpha(alice)
    number = re.search(r"gives you: (\w{26})", alice.get("/dashboard/data").text)
    assert number is not None
    assert visitor(web).get("/").status_code == 403
    assert "is to be erased" in alice.get("/dashboard/").text
    assert alice.submit("/dashboard/data/export").status_code == 303, "what is closed can still be taken along"
    assert alice.post("/dashboard/albums/new", {"title": "More"}).status_code == 403
    with web.app_context():
        with across_tenants(db.session(), "test") as session:
            entry = session.scalars(select(AuditEvent).where(AuditEvent.action == "data.erase")).one()
            assert (entry.who, entry.address) == ("alice@example.com", alice.place)
            tenant = session.get_one(Tenant, world.alpha)
            assert tenant.delete_after is not None and tenant.delete_after > ports().clock.now() + timedelta(days=1)
            asked = session.get_one(erasure.Erasure, number[1])
            asked.due_at = ports().clock.now()
            session.commit()
        assert erasing.run_due() == 1
        receipt = erasure.receipt_of(number[1])
        assert receipt is not None
        assert erasure.opened(secret(), receipt)["subject_sha256"] == erasure.subject(world.alpha)
        db.session.remove()


def test_an_owner_keeps_the_account_after_all(web: Flask, alice: Browser) -> None:
    close_alpha(alice)
    alice.get("/dashboard/data")
    assert alice.submit("/dashboard/data/keep").status_code == 303
    assert visitor(web).get("/").status_code == 200
    assert "Delete this account" in alice.get("/dashboard/data").text
    assert alice.post("/dashboard/data/keep").status_code == 409


def test_what_the_operator_closed_no_owner_opens(web: Flask, world: World, alice: Browser) -> None:
    with web.app_context():
        with open_site(world.alpha) as site:
            lifecycle.delete(site)
            site.session.commit()
        db.session.remove()
    assert "Keep this account" not in alice.get("/dashboard/data").text
    assert alice.post("/dashboard/data/keep").status_code == 403
    assert visitor(web).get("/").status_code == 403


# --- Guests ---


@pytest.fixture
def guest(web: Flask, world: World) -> str:
    """A guest of alpha's album with something of each kind; the id."""
    with web.app_context():
        with open_site(world.alpha) as site:
            photo, added = (put_photo(site, world.alpha_album) for _ in range(2))
            album = album_by_id(site.session, site.tenant_id, world.alpha_album)
            assert album is not None
            link, _ = sharing.create_link(site.session, album, secret(), now=site.now())
            made = guests.create(site.session, link, "Grace", now=site.now())
            guests.set_favourite(site.session, made, photo, True, now=site.now())
            guests.add_comment(site.session, made, photo, "How nice", now=site.now())
            chosen = proofing.begin(site.session, made, "Prints", None, now=site.now())
            proofing.choose(site.session, chosen, [photo.id])
            site.session.add(
                contributions.Contribution(
                    tenant_id=site.tenant_id,
                    id=added.id,
                    album_id=album.id,
                    link_id=link.id,
                    guest_id=made.id,
                    size=1,
                    state=contributions.ContributionState.APPROVED,
                    created_at=site.now(),
                )
            )
            site.session.commit()
            guest_id = made.id
        db.session.remove()
    return guest_id


def _base(world: World, guest: str) -> str:
    return f"/dashboard/albums/{world.alpha_album}/guests/{guest}"


def test_what_is_known_of_a_guest_is_one_file(world: World, alice: Browser, guest: str) -> None:
    answer = alice.get(f"{_base(world, guest)}/data")
    told = json.loads(answer.data)
    assert "Grace.json" in answer.headers["Content-Disposition"]
    assert told["name"] == "Grace" and told["comments"][0]["text"] == "How nice"
    assert all(len(told[kind]) == 1 for kind in ("favourites", "comments", "selections", "uploads"))


@pytest.mark.parametrize("files", [False, True])
def test_a_guest_is_forgotten(web: Flask, world: World, alice: Browser, guest: str, files: bool) -> None:
    assert "Grace" in alice.get(f"/dashboard/albums/{world.alpha_album}/guests").text
    assert alice.submit(f"{_base(world, guest)}/forget", {"files": "1"} if files else {}).status_code == 303
    page = alice.get(f"/dashboard/albums/{world.alpha_album}/guests").text
    assert "Grace" not in page and "How nice" not in page
    assert alice.get(f"{_base(world, guest)}/data").status_code == 404
    with web.app_context(), reading(), open_site(world.alpha) as site:
        kept = site.session.scalars(select(Asset).where(Asset.emptied_at.is_(None))).all()
        assert len(kept) == (1 if files else 2)
        log = site.session.scalars(select(AuditEvent).where(AuditEvent.action == "guest.forgotten")).one()
        assert "Grace" not in f"{log.about}{log.details}"
        db.session.remove()
