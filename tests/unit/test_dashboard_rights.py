"""Every dashboard route, from the app's own list: who may use it, with what token, on whose things."""

import re
from collections.abc import Iterator

import pytest
from conftest import PASSWORD, World
from crossing import passkey_of
from dashboard_client import Browser
from flask import Flask
from werkzeug.routing import Rule

from tenants import (
    api_tokens,
    catalog,
    claims,
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
from tenants.db import db
from tenants.people import Role
from tenants.registry import TenantState
from tenants.scope import open_site, secret
from tenants.webhooks import Event, WebhookDelivery
from webapp.dashboard.mount import ALWAYS

NOT_READ = ("sign_in", "second_step", "bill_parts", "invoice", "invoice_pdf", "archive", "reset_password")
"""Lead on who is signed in, or show what alpha has none of."""
OPEN = {f"dashboard.{name}" for name in ("sign_in", "second_step", "sign_out", "join", "enter_support", "archive")}
OPEN |= {"dashboard.passkey_options", "dashboard.passkey_sign_in", "dashboard.forgotten", "dashboard.reset_password"}
NEEDS = {
    Role.VIEWER: {"albums", "album", "asset", "progress", "account", "two_factor", "two_factor_off", "end_session"}
    | {"sign_out_everywhere", "seen_announcement"}
    | {"new_passkey", "begin_passkey", "add_passkey", "rename_passkey", "remove_passkey"},
    Role.EDITOR: {"new_album", "album_settings", "delete_album", "restore_album", "caption", "cover", "delete_assets"}
    | {"restore_assets", "retry", "arrange", "move", "ticket", "shares", "share_terms", "share_code", "revoke", "trash"}
    | {"newsroom", "news_seen", "album_guests", "judge", "hide_comment", "delete_guest_comment", "reopen"}
    | {"export_selection", "export_favourites", "copy_selection", "copy_favourites"}
    | {"album_embeds", "switch_off_embed", "price"}
    | {
        "visits_page",
        "duplicates_page",
        "keep_one",
        "keep_all",
        "replace_page",
        "replace_file",
        "hide_guide",
        "tag_assets",
        "caption_assets",
        "turn_assets",
        "copy_to_album",
        "move_to_album",
        "move_back",
        "empty_trash",
    }
    | {"hide_requests", "answer_hide", "undo_hide", "guest_data_file", "forget_guest"},
    Role.ADMIN: {
        "brand",
        "brand_preview",
        "watermark",
        "watermark_preview",
        "watermark_progress",
        "privacy",
        "members",
        "change_role",
        "remove_member",
        "domains_page",
    }
    | {"domain", "check_domain", "choose_primary", "remove_domain"}
    | {"bill", "bill_parts", "invoice", "invoice_pdf", "plan", "audit_log", "audit_export"}
    | {"invite", "invite_again", "withdraw", "reset_two_factor", "support", "end_support"}
    | {"tokens", "revoke_token", "hooks", "hook", "ping_hook", "switch_hook", "delete_hook", "replay_hook"}
    | {"data", "data_progress", "ask_export"},
    Role.OWNER: {"erase_account", "keep_account"},
}


@pytest.fixture
def things(web: Flask, world: World) -> Iterator[dict[str, dict[str, str]]]:
    """Ids by tenant slug that routes of the dashboard take; and members of every role for alpha."""
    found: dict[str, dict[str, str]] = {}
    with web.app_context():
        for slug, tenant, album_id in (
            ("alpha", world.alpha, world.alpha_album),
            ("beta", world.beta, world.beta_album),
        ):
            with open_site(tenant) as site:
                album = catalog.album_by_id(site.session, tenant, album_id)
                assert album is not None
                asset = names.new_id()
                catalog.add_asset(
                    site.session, album, asset_id=asset, filename="a.jpg", sha256="a" * 64, size=1, now=site.now()
                )
                link, _ = sharing.create_link(site.session, album, secret(), now=site.now())
                member = world.bob if slug == "beta" else world.adam
                guest = guests.create(site.session, link, "Guest", now=site.now())
                selection = proofing.begin(site.session, guest, "Prints", None, now=site.now())
                added = site.session.get_one(catalog.Asset, (tenant, asset))
                comment = guests.add_comment(site.session, guest, added, "Nice", now=site.now())
                found[slug] = {"album_id": album_id, "asset_id": asset, "link_id": link.id, "member_id": member}
                found[slug] |= {"guest_id": guest.id, "selection_id": selection.id, "comment_id": comment.id}
                host = f"{slug}.example.com"
                claims.claim(site.session, site.tenant, host, "localhost", now=site.now())
                grant = embeds.create(site.session, tenant, ["https://blog.example"], now=site.now(), album=album)
                found[slug] |= {"grant_id": grant.id, "host": host, "kind": "csv" if slug == "alpha" else "exe"}
                found[slug] |= {"number": f"{slug}-2024-01", "code": "photos"}
                invited, token = invitations.invite(
                    site.session, tenant, "new@example.com", Role.VIEWER, "alice@example.com", now=site.now()
                )
                found[slug] |= {"invitation_id": invited.id, "token": token, "session_id": names.new_id()}
                found[slug] |= {"hide_id": hiding.ask(site.session, added, "", "", "On the left", now=site.now()).id}
                own = site.session.get_one(people.Member, (tenant, world.alice if slug == "alpha" else world.bob))
                passkey = passkey_of(own, names.new_id(), site)
                site.session.add(passkey)
                found[slug] |= {"announcement_id": names.new_id(), "passkey_id": passkey.id}
                mine, _ = api_tokens.create(
                    site.session, tenant, "Script", [Scope.ALBUMS_READ], made_by="x@example.com", now=site.now()
                )
                hook, _ = webhooks.create(site, "https://hooks.example.com/", [Event.ALBUM_CHANGED])
                webhooks.publish(site, Event.PING, {}, only=hook)
                site.session.flush()
                delivery = site.session.scalars(db.select(WebhookDelivery)).one()
                found[slug] |= {"token_id": mine.id, "webhook_id": hook.id, "delivery_id": delivery.id}
                if slug == "alpha":
                    for role in (Role.EDITOR, Role.ADMIN):
                        address = f"{role.value}@example.com"
                        people.add(site.session, tenant, address, role, PASSWORD, now=site.now())
                site.session.commit()
        db.session.remove()
    yield found


def routes(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("dashboard.")]


def address(rule: Rule, ids: dict[str, str]) -> str:
    return re.sub(r"<(\w+)>", lambda name: ids[name[1]], rule.rule)


def name(rule: Rule) -> str:
    return rule.endpoint.removeprefix("dashboard.")


def methods(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) & {"GET", "POST"})


def test_the_table_of_roles_is_complete(web: Flask) -> None:
    assert {name(rule) for rule in routes(web)} == set.union(*NEEDS.values()) | {
        each.removeprefix("dashboard.") for each in OPEN
    }


def test_nobody_gets_in_without_signing_in(web: Flask, things: dict[str, dict[str, str]]) -> None:
    stranger = Browser(web)
    stranger.get("/dashboard/sign-in")
    for rule in routes(web):
        if rule.endpoint in OPEN:
            continue
        path = address(rule, things["alpha"])
        if "GET" in methods(rule):
            assert stranger.get(path).headers["Location"].startswith("/dashboard/sign-in?next="), path
            assert stranger.get(path, accept="application/json").status_code == 401, path
        if "POST" in methods(rule):
            assert stranger.post(path).status_code == 401, path


def test_each_role_gets_as_far_as_it_should(web: Flask, things: dict[str, dict[str, str]]) -> None:
    for who, role in (("adam", Role.VIEWER), ("editor", Role.EDITOR), ("admin", Role.ADMIN)):
        member = Browser(web)
        member.sign_in(who)
        for rule in routes(web):
            if rule.endpoint in OPEN:
                continue
            allowed = any(name(rule) in endpoints and role.at_least(needed) for needed, endpoints in NEEDS.items())
            for method in methods(rule):
                # Ids that do not exist: what is allowed changes nothing, and is not refused for its role.
                path = address(rule, dict.fromkeys(things["alpha"], names.new_id()))
                status = (member.get(path) if method == "GET" else member.post(path)).status_code
                assert (status != 403) == allowed, f"{role.value}: {method} {path} gave {status}"
                if name(rule) == "sign_out_everywhere":
                    member.get("/dashboard/")  # A new session has a new token.


def test_things_of_another_tenant_are_not_there(web: Flask, things: dict[str, dict[str, str]]) -> None:
    alice = Browser(web)
    alice.sign_in("alice")
    own, foreign = things["alpha"], things["beta"]
    tried = 0
    for rule in routes(web):
        for argument in rule.arguments:
            ids = {**own, argument: foreign[argument]}
            for method in methods(rule):
                path = address(rule, ids)
                fields = {"id": own["asset_id"], "role": "viewer", "after": ""}
                status = (alice.get(path) if method == "GET" else alice.post(path, fields)).status_code
                assert status == 404, f"{method} {path} gave {status}"
                tried += 1
    assert tried > 20
    for action in ("assets/delete", "assets/restore", "cover"):
        path = f"/dashboard/albums/{own['album_id']}/{action}"
        assert alice.post(path, {"id": foreign["asset_id"]}).status_code == 404, path


def test_every_post_needs_its_token(web: Flask, things: dict[str, dict[str, str]]) -> None:
    alice = Browser(web)
    alice.sign_in("alice")
    alice.token = ""
    for rule in routes(web):
        if "POST" in methods(rule) and name(rule) != "enter_support":  # Its pass is worth more than a token.
            assert alice.post(address(rule, things["alpha"])).status_code == 400, rule.rule


def test_ids_that_are_none_are_not_found(web: Flask) -> None:
    alice = Browser(web)
    alice.sign_in("alice")
    for rule in routes(web):
        if rule.arguments:
            path = address(rule, dict.fromkeys(rule.arguments, "no-id"))
            for method in methods(rule):
                assert (alice.get(path) if method == "GET" else alice.post(path)).status_code in (400, 404, 422), path


def test_a_read_only_tenant_changes_nothing(web: Flask, things: dict[str, dict[str, str]], world: World) -> None:
    alice = Browser(web)
    alice.sign_in("alice")
    with web.app_context():
        with open_site(world.alpha) as site:
            site.tenant.state = TenantState.READ_ONLY
            site.session.commit()
        db.session.remove()
    for rule in routes(web):
        path = address(rule, things["alpha"])
        if "POST" in methods(rule) and rule.endpoint not in ALWAYS:
            assert alice.post(path).status_code == 403, path
        if "GET" in methods(rule) and name(rule) not in NOT_READ:
            assert alice.get(path).status_code == 200, path
