"""What alpha has that nobody else may see or change, and everything that a tenant owns as it is stored."""

import re
from dataclasses import dataclass

import gallery
import pytest
from conftest import World
from flask import Flask
from sqlalchemy import select
from visits import share_link
from werkzeug.routing import Rule

from tenants import api_tokens, claims, embeds, guests, hiding, invitations, proofing, resetting, webhooks
from tenants.api_tokens import Scope
from tenants.catalog import Asset, album_by_id
from tenants.db import Base, TenantOwned, db
from tenants.delivery import by_membership
from tenants.names import new_id
from tenants.passkeys import Passkey
from tenants.people import Member, Role
from tenants.scope import Site, open_site, secret
from tenants.sharing import GUEST_RIGHTS, Rights, ShareLink
from tenants.webhooks import Event, WebhookDelivery

MARK = "alpha-marked-secret"
"""Part of every name that alpha's private things bear: finding it in an answer is a leak."""

IN_FRAMES = ("embed.granted", "embed.granted_photo")


@dataclass(frozen=True)
class Left:
    """Ids of what a guest left."""

    guest: str
    selection: str
    comment: str


@dataclass(frozen=True)
class Things:
    album: str
    asset: str
    media_token: str
    link_id: str
    link_token: str
    member: str
    left: Left
    grant_id: str
    grant_key: str
    invitation: str
    invitation_token: str
    frame_token: str
    host: str
    token_id: str
    webhook_id: str
    delivery_id: str
    hide_id: str
    passkey_id: str
    reset_token: str

    def path(self, rule: Rule) -> str:
        """The rule's path with alpha's ids in the place of its variables."""
        values = {
            "slug": MARK,
            "album_id": self.album,
            "asset_id": self.asset,
            "member_id": self.member,
            "link_id": self.link_id,
            "grant_id": self.grant_id,
            "key": self.grant_key,
            "invitation_id": self.invitation,
            **dict.fromkeys(("session_id", "announcement_id", "report_id"), "01hzzzzzzzzzzzzzzzzzzzzzzz"),
            "tenant_id": "01hzzzzzzzzzzzzzzzzzzzzzzz",
            "token": {
                "dashboard.join": self.invitation_token,
                "dashboard.reset_password": self.reset_token,
                "site.media": self.media_token.partition("/")[2],
                **dict.fromkeys(IN_FRAMES, self.frame_token),
            }.get(rule.endpoint, self.link_token),
            "way": self.media_token.partition("/")[0],
            "host": self.host,
            "generation": "1",
            "name": "w320.jpg",
            "sha256": "ab" * 32,
            "guest_id": self.left.guest,
            "selection_id": self.left.selection,
            "comment_id": self.left.comment,
            "kind": "csv",
            "number": "alpha-2024-01",
            "code": "photos",
            "token_id": self.token_id,
            "webhook_id": self.webhook_id,
            "delivery_id": self.delivery_id,
            "hide_id": self.hide_id,
            "passkey_id": self.passkey_id,
        }
        return re.sub(r"<([^>]+)>", lambda variable: values[variable.group(1).rpartition(":")[2]], rule.rule)


@pytest.fixture
def things(web: Flask, world: World) -> Things:
    # Refusals must come from scoping and rights: with this on, a missing form token would refuse first.
    web.config["WTF_CSRF_ENABLED"] = False
    rights = Rights.DOWNLOAD | GUEST_RIGHTS
    token = share_link(web, world.alpha, world.alpha_private, label=MARK, rights=rights).removeprefix("/s/")
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        album.title = album.description = album.slug = MARK
        shot = gallery.shot(gallery.sources()[0])
        asset = gallery.add_photo(site, album, shot, filename=f"{MARK}.jpg", caption=MARK, original=True)
        link = site.session.scalars(select(ShareLink)).one()
        left = leave(site, link, asset)
        grant = embeds.create(
            site.session, world.alpha, [f"https://{MARK}.example"], now=site.now(), album=album, label=MARK
        )
        frame_token = embeds.mint(secret(), grant, album, now=site.now())
        media_token = site.generation_token(by_membership(world.alice), asset.id, 1)
        invited, invitation_token = invitations.invite(
            site.session, world.alpha, f"{MARK}@example.com", Role.VIEWER, "alice@example.com", now=site.now()
        )
        host = claims.claim(site.session, site.tenant, "alphas-own.example", "localhost", now=site.now()).host
        mine, _ = api_tokens.create(
            site.session, world.alpha, MARK, [Scope.ALBUMS_READ], made_by=f"{MARK}@example.com", now=site.now()
        )
        hook, _ = webhooks.create(site, f"https://{MARK}.example/", [Event.ALBUM_CHANGED], label=MARK)
        webhooks.publish(site, Event.PING, {MARK: MARK}, only=hook)
        delivery = site.session.scalars(select(WebhookDelivery)).one()
        delivery.last_error = MARK
        wish = hiding.ask(site.session, asset, MARK, f"{MARK}@example.com", MARK, now=site.now())
        passkey = passkey_of(site.session.get_one(Member, (world.alpha, world.alice)), new_id(), site, name=MARK)
        site.session.add(passkey)
        alice = site.session.get_one(Member, (world.alpha, world.alice))
        made = Things(
            *(album.id, asset.id, media_token, link.id, token, world.alice, left),
            *(grant.id, grant.key, invited.id, invitation_token, frame_token, host, mine.id, hook.id, delivery.id),
            *(wish.id, passkey.id, resetting.token(secret(), alice, now=site.now())),
        )
        site.session.commit()
        return made


def passkey_of(member: Member, passkey_id: str, site: Site, *, name: str = "Phone") -> Passkey:
    """A row as good as any for who only looks at its place; no device has its key."""
    return Passkey(
        tenant_id=member.tenant_id,
        id=passkey_id,
        member_id=member.id,
        host="alpha.localhost",
        name=name,
        credential_id=passkey_id,
        public_key=b"",
        sign_count=0,
        created_at=site.now(),
    )


def leave(site: Site, link: ShareLink, asset: Asset) -> Left:
    """What a guest of the link leaves."""
    guest = guests.create(site.session, link, MARK, now=site.now())
    guests.set_favourite(site.session, guest, asset, True, now=site.now())
    comment = guests.add_comment(site.session, guest, asset, MARK, now=site.now())
    selection = proofing.begin(site.session, guest, MARK, 3, now=site.now())
    proofing.choose(site.session, selection, [asset.id])
    return Left(guest.id, selection.id, comment.id)


def rows_of(web: Flask, tenant_id: str, *, but: set[str] | None = None) -> dict[str, list[str]]:
    """Everything that the tenant owns, as stored."""
    with web.app_context():
        tables = [mapper.local_table for mapper in Base.registry.mappers if issubclass(mapper.class_, TenantOwned)]
        with db.engine.connect() as connection:
            return {
                table.name: sorted(
                    repr(row) for row in connection.execute(select(table).where(table.c.tenant_id == tenant_id))
                )
                for table in tables
                if table.name not in (but or set())
            }
