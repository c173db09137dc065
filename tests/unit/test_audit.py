"""The audit log: every change in the dashboard leaves an entry, entries stay as they are, and admins read them."""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from conftest import PASSWORD, World
from crossing import passkey_of
from dashboard_client import Browser
from flask import Flask
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from infra.sql import reading
from tenants import (
    api_tokens,
    audit,
    catalog,
    claims,
    contributions,
    embeds,
    guests,
    hiding,
    invitations,
    names,
    people,
    proofing,
    sharing,
    webhooks,
)
from tenants.api_tokens import Scope
from tenants.audit import AuditEvent, Wanted, Who
from tenants.catalog import Album, Asset, AssetState, Kind
from tenants.db import across_tenants, db
from tenants.people import Member, Role
from tenants.registry import Tenant
from tenants.scope import Site, open_site, secret
from tenants.sessions import MemberSession
from tenants.webhooks import Event, WebhookDelivery

Fields = dict[str, object]
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class Stage:
    """Ids of what there is to be changed at alpha's."""

    undo = ""
    """Where the last answer said that its change is undone."""

    def __init__(self, site: Site, album_id: str, other: str) -> None:
        session, now = site.session, site.now()
        album = catalog.album_by_id(session, site.tenant_id, album_id)
        assert album is not None
        self.album, self.other = album_id, other
        self.photos = [self._photo(site, album, number) for number in range(4)]
        self.replaced, self.replacing = (self._photo(site, album, number) for number in (7, 8))
        failed, held = (session.get_one(Asset, (site.tenant_id, each)) for each in self.photos[2:])
        failed.state, failed.generation, held.held = AssetState.FAILED, 0, True
        self.failed, self.held = failed.id, held.id
        rights = sharing.Rights.VIEW | sharing.GUEST_RIGHTS
        link, _ = sharing.create_link(session, album, secret(), now=now, label="Family", rights=rights)
        guest = guests.create(session, link, "Grace", now=now)
        session.add(
            contributions.Contribution(
                tenant_id=site.tenant_id,
                id=self.held,
                album_id=album.id,
                link_id=link.id,
                guest_id=guest.id,
                size=1,
                state=contributions.ContributionState.WAITING,
                created_at=now,
            )
        )
        first = session.get_one(Asset, (site.tenant_id, self.photos[0]))
        guests.set_favourite(session, guest, first, True, now=now)
        self.comment = guests.add_comment(session, guest, first, "How nice", now=now).id
        selection = proofing.begin(session, guest, "Prints", None, now=now)
        proofing.choose(session, selection, [first.id])
        self.link, self.guest, self.selection = link.id, guest.id, selection.id
        self.wish = hiding.ask(session, first, "Una", "", "On the left", now=now).id
        self.grant = embeds.create(session, site.tenant_id, ["https://blog.example"], now=now, album=album).id
        self.host = claims.claim(session, site.tenant, "photos.example.com", "localhost", now=now).host
        added = people.add(session, site.tenant_id, "eve@example.com", Role.VIEWER, PASSWORD, now=now)
        self.member = added.id
        self.invitation = invitations.invite(
            session, site.tenant_id, "pat@example.com", Role.VIEWER, "alice@example.com", now=now
        )[0].id
        self.device, alice = names.new_id(), people.by_email(session, "alice@example.com")
        assert alice is not None
        session.add(
            MemberSession(tenant_id=site.tenant_id, id=self.device, member_id=alice.id, created_at=now, seen_at=now)
        )
        self.passkey = names.new_id()
        session.add(passkey_of(alice, self.passkey, site))
        self.token = api_tokens.create(
            session, site.tenant_id, "Script", [Scope.ALBUMS_READ], made_by="alice@example.com", now=now
        )[0].id
        hook, _secret = webhooks.create(site, "https://hooks.example.com/", [Event.ALBUM_CHANGED])
        webhooks.publish(site, Event.PING, {}, only=hook)
        session.flush()
        self.hook, self.delivery = hook.id, session.scalars(select(WebhookDelivery.id)).one()

    @staticmethod
    def _photo(site: Site, album: Album, number: int) -> str:
        asset = catalog.add_asset(
            site.session,
            album,
            asset_id=names.new_id(),
            filename=f"img{number}.jpg",
            sha256=f"{number:064x}",
            size=3,
            now=site.now(),
        )
        asset.kind, asset.state, asset.generation = Kind.PHOTO, AssetState.READY, 1
        site.blobs.put(names.original_key(site.tenant_id, asset.id, asset.sha256), b"abc", content_type="image/jpeg")
        return asset.id


def _in(stage: Stage, rest: str = "") -> str:
    return f"/dashboard/albums/{stage.album}{rest}"


ALBUM_FORM = {"title": "Renamed", "visibility": "unlisted", "ordering": "captured"}
SHARE_FORM = {"label": "Friends", "rights": "view", "lifetime": "0"}

DEEDS: dict[str, tuple[str, Callable[[Stage], tuple[str, Fields]]]] = {
    # endpoint: (the action of its entry, the request that does it); done one after the other, in this order
    "new_album": ("album.made", lambda _: ("/dashboard/albums/new", {**ALBUM_FORM, "title": "Made"})),
    "album_settings": ("album.changed", lambda on: (_in(on, "/settings"), ALBUM_FORM)),
    "delete_album": ("album.deleted", lambda on: (_in(on, "/delete"), {})),
    "restore_album": ("album.restored", lambda on: (_in(on, "/restore"), {})),
    "arrange": ("album.arranged", lambda on: (_in(on, "/arrange"), {})),
    "move": ("asset.reordered", lambda on: (_in(on, "/move"), {"id": on.photos[1], "after": ""})),
    "cover": ("album.cover", lambda on: (_in(on, "/cover"), {"id": on.photos[0]})),
    "caption": ("asset.changed", lambda on: (_in(on, f"/assets/{on.photos[0]}/caption"), {"caption": "Fern"})),
    "retry": ("asset.retried", lambda on: (_in(on, f"/assets/{on.failed}/retry"), {})),
    "delete_assets": ("asset.deleted", lambda on: (_in(on, "/assets/delete"), {"id": on.photos[:2]})),
    "restore_assets": ("asset.restored", lambda on: (_in(on, "/assets/restore"), {"id": on.photos[:2]})),
    "tag_assets": ("asset.tagged", lambda on: (_in(on, "/assets/tag"), {"id": on.photos[:2], "tags": "sea"})),
    "caption_assets": ("asset.changed", lambda on: (_in(on, "/assets/caption"), {"all": "1", "caption": "Fern"})),
    "turn_assets": ("asset.turned", lambda on: (_in(on, "/assets/turn"), {"id": on.photos[1], "turn": "90"})),
    "copy_to_album": (
        "asset.copied",
        lambda on: (_in(on, "/assets/copy-to"), {"id": on.photos[0], "album": on.other}),
    ),
    "keep_one": ("asset.deleted", lambda on: ("/dashboard/duplicates/keep", {"id": on.photos[0]})),
    "keep_all": ("asset.restored", lambda on: (on.undo, {})),
    "move_to_album": (
        "asset.moved",
        lambda on: (_in(on, "/assets/move-to"), {"id": on.photos[0], "album": on.other}),
    ),
    "hide_guide": ("guide.hidden", lambda _: ("/dashboard/guide/hide", {})),
    "replace_file": (
        "asset.replaced",
        lambda on: (_in(on, f"/assets/{on.replaced}/replace"), {"by": on.replacing}),
    ),
    "move_back": ("asset.moved", lambda on: (on.undo, {})),
    "empty_trash": ("trash.emptied", lambda _: ("/dashboard/trash/empty", {"sure": "yes"})),
    "ticket": ("upload.started", lambda on: (_in(on, "/ticket"), {})),
    "shares": ("share.made", lambda on: (_in(on, "/share"), SHARE_FORM)),
    "share_terms": ("share.changed", lambda on: (_in(on, f"/share/{on.link}"), SHARE_FORM)),
    "judge": ("guests.approved", lambda on: (_in(on, "/contributions"), {"do": "approve", "id": on.held})),
    "hide_comment": ("comment.hidden", lambda on: (_in(on, f"/comments/{on.comment}/hide"), {"hidden": "1"})),
    "delete_guest_comment": ("comment.deleted", lambda on: (_in(on, f"/comments/{on.comment}/delete"), {})),
    "reopen": ("selection.reopened", lambda on: (_in(on, f"/selections/{on.selection}/reopen"), {})),
    "copy_selection": ("selection.copied", lambda on: (_in(on, f"/selections/{on.selection}/copy"), {})),
    "copy_favourites": ("selection.copied", lambda on: (_in(on, f"/guests/{on.guest}/copy"), {})),
    "album_embeds": ("embed.made", lambda on: (_in(on, "/embed"), {"origins": "https://a.example", "scope": "album"})),
    "switch_off_embed": ("embed.ended", lambda on: (_in(on, f"/embed/{on.grant}/off"), {})),
    "revoke": ("share.revoked", lambda on: (_in(on, f"/share/{on.link}/revoke"), {})),
    "answer_hide": ("request.hidden", lambda on: (f"/dashboard/requests/{on.wish}", {"do": "hide"})),
    "undo_hide": ("request.undone", lambda on: (f"/dashboard/requests/{on.wish}/undo", {})),
    "forget_guest": ("guest.forgotten", lambda on: (_in(on, f"/guests/{on.guest}/forget"), {})),
    "ask_export": ("data.export", lambda _: ("/dashboard/data/export", {})),
    "news_seen": ("news.read", lambda _: ("/dashboard/news/seen", {})),
    "brand": (
        "brand.changed",
        lambda _: ("/dashboard/brand", {"name": "Alpha Studio", "accent": "#204060", "theme": "auto", "font": "serif"}),
    ),
    "watermark": (
        "watermark.changed",
        lambda _: (
            "/dashboard/watermark",
            {"source": "text", "text": "Alpha", "position": "corner", "size": "30", "opacity": "60"},
        ),
    ),
    "privacy": ("privacy.changed", lambda _: ("/dashboard/privacy", {"capture": "date"})),
    "domains_page": ("domain.claimed", lambda _: ("/dashboard/domains", {"host": "more.example.com"})),
    "check_domain": ("domain.checked", lambda on: (f"/dashboard/domains/{on.host}/check", {})),
    "choose_primary": ("domain.primary", lambda _: ("/dashboard/domains/alpha.localhost/primary", {})),
    "remove_domain": ("domain.removed", lambda on: (f"/dashboard/domains/{on.host}/remove", {})),
    "invite": ("member.invited", lambda _: ("/dashboard/members", {"email": "new@example.com", "role": "viewer"})),
    "invite_again": ("member.invited", lambda on: (f"/dashboard/members/invitations/{on.invitation}/again", {})),
    "withdraw": ("member.withdrawn", lambda on: (f"/dashboard/members/invitations/{on.invitation}/withdraw", {})),
    "reset_two_factor": ("two-factor.reset", lambda on: (f"/dashboard/members/{on.member}/reset-two-factor", {})),
    "support": ("support.let", lambda _: ("/dashboard/support", {"role": "viewer", "hours": "1"})),
    "end_support": ("support.ended", lambda _: ("/dashboard/support/end", {})),
    "tokens": ("token.made", lambda _: ("/dashboard/api", {"name": "A", "scopes": ["albums:read"], "lifetime": "30"})),
    "revoke_token": ("token.revoked", lambda on: (f"/dashboard/api/tokens/{on.token}/revoke", {})),
    "hooks": (
        "webhook.made",
        lambda _: ("/dashboard/webhooks", {"url": "https://more.example.com/", "events": ["album.created"]}),
    ),
    "ping_hook": ("webhook.tried", lambda on: (f"/dashboard/webhooks/{on.hook}/ping", {})),
    "replay_hook": (
        "webhook.sent",
        lambda on: (f"/dashboard/webhooks/{on.hook}/deliveries/{on.delivery}/replay", {}),
    ),
    "switch_hook": ("webhook.switched", lambda on: (f"/dashboard/webhooks/{on.hook}/switch", {})),
    "delete_hook": ("webhook.deleted", lambda on: (f"/dashboard/webhooks/{on.hook}/delete", {})),
    "end_session": ("session.others", lambda on: (f"/dashboard/account/sessions/{on.device}/end", {})),
    "rename_passkey": (
        "passkey.renamed",
        lambda on: (f"/dashboard/account/passkeys/{on.passkey}/rename", {"name": "B"}),
    ),
    "remove_passkey": ("passkey.removed", lambda on: (f"/dashboard/account/passkeys/{on.passkey}/remove", {})),
    "sign_out_everywhere": ("session.others", lambda _: ("/dashboard/account/sign-out-everywhere", {})),
    "change_role": ("member.changed", lambda on: (f"/dashboard/members/{on.member}/role", {"role": "editor"})),
    "remove_member": ("member.removed", lambda on: (f"/dashboard/members/{on.member}/remove", {})),
    "bill": ("budget.changed", lambda _: ("/dashboard/usage", {"budget": "50"})),
    "account": (
        "password.changed",
        lambda _: ("/dashboard/account", {"current": PASSWORD, "password": "another long password"}),
    ),
    "sign_out": ("session.ended", lambda _: ("/dashboard/sign-out", {})),
    "sign_in": (
        "session.begun",
        lambda _: ("/dashboard/sign-in", {"email": "alice@example.com", "password": "another long password"}),
    ),
}

WRITES_NOTHING = {"brand_preview", "seen_announcement", "enter_support", "begin_passkey", "forgotten"}
"""POST only because a form is too long for a query; put away in one browser; told in support's own log; because a
password is in it, and what follows is in the log; or asked by nobody knows whom."""

ASK_FOR_MORE = {
    *("join", "reset_password", "second_step", "two_factor", "two_factor_off", "erase_account", "keep_account"),
    *("add_passkey", "passkey_sign_in"),
}
"""Their entries are looked for where a code is at hand (test_dashboard_people.py), a letter (test_forgotten.py) or a
device (test_passkeys.py); or they end the tenant (test_data.py)."""


@pytest.fixture
def site(core: Flask, world: World) -> Iterator[Site]:
    with reading(), open_site(world.alpha) as site:
        yield site


@pytest.fixture
def stage(site: Site, world: World) -> Stage:
    site.session.rollback()
    with reading(False):
        made = Stage(site, world.alpha_album, world.alpha_private)
        site.session.commit()
    return made


def entries(site: Site) -> list[AuditEvent]:
    site.session.rollback()
    return list(site.session.scalars(select(AuditEvent).order_by(AuditEvent.id)))


def test_every_post_route_of_the_dashboard_writes_an_entry(
    web: Flask, alice: Browser, stage: Stage, site: Site
) -> None:
    rules = [rule for rule in web.url_map.iter_rules() if rule.endpoint.startswith("dashboard.")]
    posts = {rule.endpoint.removeprefix("dashboard.") for rule in rules if "POST" in (rule.methods or ())}
    assert posts - WRITES_NOTHING - ASK_FOR_MORE == set(DEEDS), (
        "A route that changes something calls webapp/dashboard/record.py's note() before it commits, and has its line"
        " in DEEDS."
    )
    wrong = []
    seen = len(entries(site))
    for endpoint, (action, deed) in DEEDS.items():
        path, fields = deed(stage)
        for page in ("/dashboard/sign-in", "/dashboard/account"):
            alice.get(page)  # One of the two has the present token, signed in or out.
        answer = alice.post(path, fields)
        stage.undo = (answer.get_json(silent=True) or {}).get("undo") or stage.undo
        made = entries(site)[seen:]
        seen += len(made)
        if answer.status_code >= 400:
            wrong.append(f"{endpoint}: {answer.status_code} {answer.text[-400:]}")
        elif [event.action for event in made] != [action]:
            wrong.append(f"{endpoint}: wrote {[event.action for event in made]}, not {action}")
        elif not (made[0].who == "alice@example.com" and made[0].address == alice.place and made[0].request):
            wrong.append(f"{endpoint}: says neither who nor from where")
    assert not wrong, "\n".join(wrong)


def test_what_is_refused_leaves_no_entry(alice: Browser, stage: Stage, site: Site) -> None:
    before = len(entries(site))
    assert alice.post(_in(stage, "/settings"), {**ALBUM_FORM, "title": ""}).status_code == 422
    assert alice.post(_in(stage, "/assets/delete"), {"id": names.new_id()}).status_code == 404
    assert alice.post("/dashboard/members", {"email": "x", "role": "viewer"}).status_code == 422
    assert len(entries(site)) == before


def test_an_entry_tells_before_and_after_and_no_secret(alice: Browser, stage: Stage, site: Site) -> None:
    alice.post(_in(stage, "/settings"), ALBUM_FORM)
    alice.post(_in(stage, f"/share/{stage.link}"), {**SHARE_FORM, "password": "opensesame"})
    changed, shared = entries(site)[-2:]
    assert changed.details["changed"]["title"] == ["alpha shows", "Renamed"]
    assert changed.details["changed"]["visibility"] == ["public", "unlisted"]
    assert (changed.album, changed.about) == (stage.album, "Renamed")
    assert shared.details["changed"]["label"] == ["Family", "Friends"]
    assert shared.details["changed"]["password_hash"] == ["…", "…"]
    assert "argon2" not in str(shared.details)


@pytest.mark.every_database
def test_entries_cannot_be_changed(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        write(site.session, site.tenant_id, "news.read")
        site.session.commit()
        for change in (update(AuditEvent).values(who="nobody"), delete(AuditEvent)):
            with pytest.raises(DBAPIError):
                site.session.execute(change.execution_options(synchronize_session=False))
            site.session.rollback()
        assert len(audit.page(site.session, Wanted(), size=9)[0]) == 1


@pytest.mark.every_database
def test_a_tenant_that_goes_takes_its_entries_along(core: Flask, world: World) -> None:
    with open_site(world.beta) as site:
        write(site.session, site.tenant_id, "news.read")
        site.session.commit()
    with across_tenants(db.session(), "the end of a tenant") as session:
        session.execute(delete(Tenant).where(Tenant.id == world.beta))
        assert session.scalar(select(AuditEvent.id).where(AuditEvent.tenant_id == world.beta)) is None
        session.rollback()


def write(session: Session, tenant_id: str, action: str, **more: Any) -> None:
    by = Who(member=more.pop("member", "0" * 26), email=more.pop("email", "a@b.example"), address="192.0.2.7")
    audit.record(session, tenant_id, action, by, **{"now": NOON, **more})


def test_filters_and_pages(site: Site) -> None:
    site.session.rollback()
    with reading(False):
        for number in range(5):
            now = NOON - timedelta(days=1 - number)
            write(site.session, site.tenant_id, "asset.deleted", now=now, about=f"img{number}.jpg", album="b" * 26)
        write(site.session, site.tenant_id, "album.made", member="1" * 26, email="c@d.example", about="100% wool")
        site.session.commit()

    def found(**asked: object) -> list[str]:
        return [event.about for event in audit.page(site.session, Wanted(**asked), size=9)[0]]  # type: ignore[arg-type]

    assert found(member="1" * 26) == ["100% wool"]
    assert found(action="album") == found(action="album.made") == ["100% wool"]
    assert found(words="0%") == ["100% wool"]
    assert len(found(words="192.0.2.7")) == 6
    assert found(album="b" * 26, first=date(2026, 1, 4)) == ["img4.jpg", "img3.jpg"]
    assert found(action="asset", last=date(2026, 1, 1)) == ["img0.jpg"]
    first, cursor = audit.page(site.session, Wanted(), size=4)
    assert cursor is not None
    rest, end = audit.page(site.session, Wanted(), size=4, before=cursor)
    assert (len(first), len(rest), end) == (4, 2, None)
    assert audit.people(site.session) == [("0" * 26, "a@b.example"), ("1" * 26, "c@d.example")]


def test_the_page_and_the_file_say_the_same(
    alice: Browser, stage: Stage, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.dashboard.logbook.ROWS_AT_ONCE", 2)
    alice.post(_in(stage, "/settings"), {**ALBUM_FORM, "title": "=cmd|' /C calc'!A0"})
    for _ in range(3):
        alice.post(_in(stage, "/cover"), {"id": stage.photos[0]})
    page = alice.get("/dashboard/log").text
    assert "Chose a cover" in page and "Changed an album’s settings" in page
    only = alice.get("/dashboard/log?action=album.cover").text
    assert only.count('class="log-what"') == 3
    assert "Nothing fits these filters" in alice.get("/dashboard/log?words=nobody-did-this").text
    answer = alice.get("/dashboard/log.csv?action=album")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["action"] for row in rows] == ["album.cover"] * 3 + ["album.changed"]
    assert rows[-1]["about"] == "'=cmd|' /C calc'!A0"
    assert rows[0]["address"] == alice.place


def test_a_removed_member_stays_in_the_log(alice: Browser, stage: Stage, site: Site, world: World) -> None:
    alice.post(f"/dashboard/members/{stage.member}/remove")
    (entry,) = [event for event in entries(site) if event.action == "member.removed"]
    assert entry.about == "eve@example.com"
    assert site.session.get(Member, (world.alpha, stage.member)) is None
