"""A plan's limits: held before a byte is sent, given back when nothing comes of an upload, right after all."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from conftest import ManualClock, World
from dashboard_client import Browser
from flask import Flask
from sqlalchemy import select, update
from upload_server import BODY, Answer, AppClient, headers, named, ticket

from infra.errors import Problem
from infra.settings import Settings
from infra.sql import reading
from processor import purge
from tenants import arrivals, quota
from tenants.catalog import Asset, album_by_id
from tenants.quota import QuotaUse
from tenants.registry import OnBudget, Tenant
from tenants.scope import Site, open_site
from uploader.session import Upload
from uploader.sweep import sweep_tenant

pytestmark = pytest.mark.every_database

LIMIT = 1000


@pytest.fixture
def site(core: Flask, world: World) -> Iterator[Site]:
    """Alpha's, with room for 1,000 bytes."""
    limit(world, storage=LIMIT)
    with open_site(world.alpha) as site:
        site.session.rollback()
        yield site


def limit(world: World, *, storage: int | None = None, photos: int | None = None) -> None:
    with open_site(world.alpha) as site:
        quota.set_limits(site, storage=storage, upload=None, photos=photos)
        site.session.commit()


def used(site: Site, what: str = quota.STORAGE) -> int:
    with reading():
        found = site.session.scalar(
            select(QuotaUse.used).where(QuotaUse.tenant_id == site.tenant_id, QuotaUse.what == what)
        )
        site.session.rollback()
    return found or 0


class Client:
    """Speaks tus to the upload app with a ticket for alpha's album."""

    def __init__(self, app: Flask, settings: Settings, world: World) -> None:
        self._send = AppClient(app)
        self._ticket = ticket(settings.secret_key.get_secret_value(), world.alpha, world.alpha_album)

    def create(self, size: int, data: bytes = b"", name: str = "a.jpg", **more: str | int) -> Answer:
        given = {"Upload_Length": size, "Upload_Metadata": named(name), **more}
        return self._send("POST", "/files/", {**headers(self._ticket, **given), **(BODY if data else {})}, data)

    def defer(self) -> str:
        given = {"Upload_Defer_Length": 1, "Upload_Metadata": named("a.jpg")}
        return self._send("POST", "/files/", headers(self._ticket, **given)).headers["Location"]

    def patch(self, path: str, offset: int, data: bytes, **more: str | int) -> Answer:
        return self._send("PATCH", path, {**headers(self._ticket, Upload_Offset=offset, **more), **BODY}, data)

    def delete(self, path: str) -> Answer:
        return self._send("DELETE", path, headers(self._ticket))

    def reuse(self, sha256: str) -> Answer:
        body = json.dumps({"sha256": sha256, "filename": "twin.jpg"}).encode()
        return self._send("POST", "/files/reuse", {**headers(self._ticket), "Content-Type": "application/json"}, body)


@pytest.fixture
def client(upload: Flask, site: Site, settings: Settings, world: World) -> Client:
    return Client(upload, settings, world)


def refused(answer: Answer) -> bool:
    return answer.status == 413 and json.loads(answer.body)["type"].endswith("over-quota")


def test_room_is_taken_when_an_upload_is_created(client: Client, site: Site) -> None:
    assert client.create(600).status == 201
    assert used(site) == 600
    assert refused(client.create(401))
    assert used(site) == 600
    assert client.create(400).status == 201
    assert refused(client.create(1))


def test_a_refusal_leaves_nothing_behind(client: Client, site: Site) -> None:
    assert refused(client.create(LIMIT + 1))
    with reading():
        assert site.session.scalars(select(Upload)).all() == []
        site.session.rollback()


def test_an_upload_that_is_ended_gives_its_room_back(client: Client, site: Site) -> None:
    path = client.create(LIMIT).headers["Location"]
    assert client.delete(path).status == 204
    assert used(site) == 0


def test_an_upload_that_runs_out_of_time_gives_its_room_back(client: Client, site: Site) -> None:
    client.create(LIMIT)
    site.session.execute(update(Upload).values(expires_at=site.now() - timedelta(days=1)))
    site.session.commit()
    sweep_tenant(site)
    assert used(site) == 0


def test_a_length_that_is_told_later_is_held_to_the_limit_as_it_comes(client: Client, site: Site) -> None:
    path = client.defer()
    assert client.patch(path, 0, b"x" * 900).status == 204
    assert used(site) == 900
    assert refused(client.patch(path, 900, b"x" * 101))
    assert used(site) == 900
    assert client.patch(path, 900, b"x" * 50, Upload_Length=950).status == 204
    assert used(site) == 950


def test_parts_and_their_whole_are_counted_once(client: Client, site: Site) -> None:
    parts = [client.create(300, b"x" * 300, Upload_Concat="partial").headers["Location"] for _ in range(2)]
    assert used(site) == 600
    made = client._send(
        "POST",
        "/files/",
        headers(client._ticket, Upload_Concat="final;" + " ".join(parts), Upload_Metadata=named("whole.jpg")),
    )
    assert made.status == 201
    assert used(site) == 600


def test_an_asset_keeps_its_room_until_it_is_purged(client: Client, site: Site) -> None:
    assert client.create(700, b"x" * 700).status == 201
    assert used(site) == 700
    asset = site.session.scalars(select(Asset)).one()
    asset.deleted_at = site.now() - timedelta(days=40)
    site.session.commit()
    assert refused(client.create(301))
    assert purge.assets(site, timedelta(days=30)) == 1
    assert used(site) == 0


def test_what_is_reused_takes_room_too(client: Client, site: Site) -> None:
    client.create(600, b"x" * 600)
    sha256 = site.session.scalars(select(Asset.sha256)).one()
    site.session.rollback()
    answer = client.reuse(sha256)
    assert refused(answer)
    assert used(site) == 600


def test_what_is_copied_takes_room_too(client: Client, site: Site) -> None:
    client.create(600, b"x" * 600)
    assets = site.session.scalars(select(Asset)).all()
    with pytest.raises(Problem) as refusal:
        arrivals.copy(site, assets, "Copies")
    assert refusal.value.code == "over-quota"
    site.session.rollback()
    assert used(site) == 600


def test_an_upload_that_a_release_without_quotas_began_is_held_to_the_limit_at_its_end(
    client: Client, site: Site
) -> None:
    path = client.create(600).headers["Location"]
    site.session.execute(update(Upload).values(reserved=0))
    site.session.execute(update(QuotaUse).values(used=900))
    site.session.commit()
    assert refused(client.patch(path, 0, b"x" * 600))
    assert used(site) == 900


def test_the_sweep_counts_again(client: Client, site: Site) -> None:
    client.create(300, b"x" * 300)
    client.create(200)
    site.session.execute(update(QuotaUse).values(used=7))
    site.session.commit()
    assert sweep_tenant(site)["recounted"] == 1
    assert used(site) == 500
    assert sweep_tenant(site)["recounted"] == 0


def test_what_is_there_counts_when_a_limit_comes(client: Client, site: Site, world: World) -> None:
    limit(world)
    client.create(5000, b"x" * 5000)
    client.create(100)
    limit(world, storage=LIMIT)
    assert used(site) == 5100
    assert refused(client.create(1))


def test_photos_of_a_month_are_counted_and_videos_are_not(client: Client, site: Site, world: World) -> None:
    limit(world, photos=2)
    paths = [client.create(10).headers["Location"] for _ in range(2)]
    assert refused(client.create(10))
    video = client.create(10, Upload_Metadata=named("a.mp4", filetype="video/mp4"))
    assert video.status == 201
    client.delete(paths[0])
    assert used(site, quota.PHOTOS) == 1
    assert client.create(10).status == 201


def test_a_new_month_begins_at_none(site: Site, world: World, clock: ManualClock) -> None:
    limit(world, photos=1)
    ports = site._ports.__class__(**{**vars(site._ports), "clock": clock})
    with open_site(world.alpha) as fresh:
        object.__setattr__(fresh, "_ports", ports)
        assert quota.take_photo(fresh) == "2026-06"
        with pytest.raises(Problem, match="used up"):
            quota.take_photo(fresh)
        clock.sleep(30 * 24 * 3600)
        assert quota.take_photo(fresh) == "2026-07"
        quota.give_photo_back(fresh.session, fresh.tenant_id, "2026-06")
        with pytest.raises(Problem, match="used up"):
            quota.take_photo(fresh)
        fresh.session.rollback()


def test_no_ticket_is_given_when_nothing_is_left(web: Flask, site: Site, world: World) -> None:
    alice = Browser(web)
    alice.sign_in("alice")
    path = f"/dashboard/albums/{world.alpha_album}/ticket"
    assert alice.post(path).get_json()["max_bytes"] == LIMIT
    quota.take(site, 400)
    site.session.commit()
    assert alice.post(path).get_json()["max_bytes"] == 600
    quota.take(site, 600)
    site.session.commit()
    answer = alice.post(path)
    assert answer.status_code == 413
    assert "storage are used up" in answer.get_json()["detail"]


def test_no_tenant_takes_anothers_room(client: Client, site: Site, world: World) -> None:
    client.create(LIMIT)
    with open_site(world.beta) as beta:
        quota.set_limits(beta, storage=LIMIT, upload=None, photos=None)
        beta.session.commit()
    with open_site(world.beta) as beta:
        assert quota.check(beta) == LIMIT
        assert album_by_id(beta.session, world.beta, world.beta_album) is not None


# --- A tenant's own budget --------------------------------------------------------------------------------------------


def stop(site: Site) -> None:
    """Its budget is reached and set to stop, as `billing.budgets.weigh` writes it."""
    asked = {"over_budget": OnBudget.STOP, "over_budget_month": quota.month_of(site.now())}
    site.session.execute(update(Tenant).values(**asked))
    site.session.commit()


def stopped(answer: Answer) -> bool:
    return answer.status == 403 and json.loads(answer.body)["type"].endswith("over-budget")


def test_a_reached_budget_that_stops_takes_nothing_new_and_lets_the_rest_end(client: Client, site: Site) -> None:
    client.create(100, b"x" * 100)
    sha256 = site.session.scalars(select(Asset.sha256)).one()
    site.session.rollback()
    path = client.create(100).headers["Location"]
    parts = [client.create(50, b"x" * 50, Upload_Concat="partial").headers["Location"]]
    stop(site)
    assert stopped(client.create(100)) and stopped(client.reuse(sha256))
    assert stopped(client.create(50, Upload_Concat="partial"))
    assert client.patch(path, 0, b"y" * 100).status == 204
    whole = headers(client._ticket, Upload_Concat=f"final;{parts[0]}", Upload_Metadata=named("whole.jpg"))
    assert client._send("POST", "/files/", whole).status == 201
    assert len(site.session.scalars(select(Asset)).all()) == 3
    with open_site(site.tenant_id) as now, pytest.raises(Problem) as refusal:
        arrivals.copy(now, now.session.scalars(select(Asset)).all(), "Copies")
    assert refusal.value.code == "over-budget"


def test_the_ticket_tells_members_why_and_guests_that_it_is_so(web: Flask, site: Site, world: World) -> None:
    alice = Browser(web)
    alice.sign_in("alice")
    alice.get(f"/dashboard/albums/{world.alpha_album}")
    asked = f"/dashboard/albums/{world.alpha_album}/ticket"
    assert alice.submit(asked, {}).status_code == 200
    stop(site)
    refused = alice.submit(asked, {})
    assert refused.status_code == 403 and "budget is used up" in refused.text
    page = alice.get(f"/dashboard/albums/{world.alpha_album}").text
    assert "nothing new can be added" in page
    with open_site(world.alpha) as later, pytest.raises(Problem, match="No files are taken in") as told:
        quota.check(later, guest=True)
    assert "budget" not in told.value.detail
