"""Three tenants for the tour of all pages: `gamma` is new and has nothing, `beta` has everything in work, and `alpha`
has a great deal of everything: long names, words from right to left, large numbers.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import cycle
from urllib.parse import urlencode

import bill_stage
import gallery
import pyotp
from conftest import PASSWORD, World
from flask import Flask
from metered import delivered, stored, use

from billing import terms
from billing.plans import GB
from tenants import (
    abuse,
    announcements,
    api_tokens,
    audit,
    blocklist,
    claims,
    contributions,
    embeds,
    exports,
    features,
    guests,
    hiding,
    invitations,
    lifecycle,
    news,
    people,
    proofing,
    registry,
    resetting,
    sharing,
    support,
    two_factor,
    visits,
    watermarks,
    webhooks,
)
from tenants.abuse import Reason
from tenants.api_tokens import Scope
from tenants.catalog import Album, Asset, AssetState, Visibility, album_by_id, create_album
from tenants.claims import DomainState
from tenants.db import db
from tenants.exports import ExportState
from tenants.features import Feature
from tenants.news import NewsKind
from tenants.outbox import media_job
from tenants.scope import Site, enter, open_site, ports, secret
from tenants.sharing import GUEST_RIGHTS, Rights, ShareLink
from tenants.webhooks import DeliveryState, Event, WebhookDelivery

LONG = "Donaudampfschifffahrtsgesellschaftskapitän Friedrich-Wilhelm von Hohenzollern-Sigmaringen"
RIGHT_TO_LEFT = "חתונה בירושלים, אוסף התמונות המלא"
NAMES = ("Mira Vale", LONG[:78], "سارة الحسيني", "Ōe", "Jean-Baptiste & Fils")
SAYINGS = (
    "Could you make this one a little brighter?",
    "هذه أجمل صورة في الألبوم، شكرا جزيلا لكم",
    "We would like this one for the cover of the book, and a large print for the hall, framed in oak. " * 3,
)
SHAPES = (None, 0.75, 1.5)
HOSTS = ("photos.münchen.example", "hochzeitsfotografie-am-bodensee.friedrichshafen.example", "shop.example")


@dataclass
class Staged:
    """What the paths of the tour's table are filled with, by the names of their variables, for each tenant."""

    ids: dict[str, dict[str, str]] = field(default_factory=dict)


def stage(web: Flask, world: World) -> Staged:
    staged = Staged()
    with web.app_context():
        suspended = _studios()
        number = bill_stage.furnish(web, world)  # Before the rest: it moves the tenants' birth into the month before.
        with open_site(world.alpha) as site:
            staged.ids["alpha"] = _full(site, world) | {
                "number": number,
                "code": "storage_gb_hours",
                "span": urlencode({"start": _z(site.now() - timedelta(days=60)), "end": _z(site.now())}),
            }
        with open_site(world.beta) as site:
            staged.ids["beta"] = _busy(site, world)
        _new("gamma")
        staged.ids["operator"] = _operator(world) | {"suspended": suspended}
        db.session.remove()
    return staged


def _z(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _new(site_name: str) -> None:
    """A tenant on its first day: an owner and nothing else."""
    session = db.session()
    tenant = registry.create(session, site_name, site_name.title(), now=ports().clock.now())
    site = enter(tenant)
    people.add(session, tenant.id, "gina@example.com", people.Role.OWNER, PASSWORD, now=site.now(), name="Gina")
    session.commit()


def _full(site: Site, world: World) -> dict[str, str]:
    session, now = site.session, site.now()
    site.tenant.name = "Alpha & Söhne Hochzeitsfotografie"
    album = album_by_id(session, world.alpha, world.alpha_album)
    assert album is not None
    ids = gallery.fill(site, album, 14)
    photos = [session.get_one(Asset, (world.alpha, asset_id)) for asset_id in ids]
    for photo, caption in zip(photos, cycle(["", *SAYINGS]), strict=False):
        photo.caption, photo.size, photo.sha256 = caption, 48_300_000_000 // 7, f"{photos.index(photo):064x}"
    photos[1].filename = f"{LONG.replace(' ', '_')}_IMG_000000000000001234567890.jpg"
    photos[2].sha256 = photos[3].sha256 = photos[4].sha256 = "ab" * 32
    lone = _albums(site)
    _trash(site, album)
    refused = gallery.add_waiting(site, album, AssetState.REJECTED, place=99)
    refused.reason = "This is text, not a photo or a video."
    made = _shared(site, album, photos)
    _people(site)
    made |= _programs(site)
    for host in HOSTS:
        claims.claim(session, site.tenant, host, "localhost", now=now)
    broken = claims.claim(session, site.tenant, "old.example", "localhost", now=now)
    claims.fail(session, site.tenant, broken, "proof-lost")
    wishes = [
        hiding.ask(session, photo, name, f"{world.alice[:6]}@example.com", text, now=now)
        for photo, name, text in zip(photos[5:], NAMES, cycle(SAYINGS), strict=False)
    ]
    hiding.answer(session, wishes[0], hide=True, reason="", by="alice@example.com", now=now)
    hiding.answer(session, wishes[1], hide=False, reason=SAYINGS[2], by="alice@example.com", now=now)
    _archives(site)
    by = audit.Who(world.alice, "alice@example.com", "2001:db8:85a3:8d3:1319:8a2e:370:7348", "Firefox")
    for action, about in zip(audit.ACTIONS, cycle(("IMG_1.jpg", LONG, RIGHT_TO_LEFT)), strict=False):
        audit.record(session, world.alpha, action, by, now=now, album=album.id, about=about, count=1_234)
    support.note(
        session,
        world.alpha,
        support.grant(session, world.alpha, people.Role.VIEWER, 72, "alice@example.com", now=now).id,
        "olga",
        "GET",
        f"/dashboard/albums/{album.id}/settings",
        now=now,
    )
    _visits(site, photos[0].id)
    session.commit()
    return made | {
        "album_id": album.id,
        "asset_id": photos[1].id,
        "host": "photos.xn--mnchen-3ya.example",
        "empty_album": world.alpha_private,
        "lone_album": lone.album_id,
        "lone": lone.id,
    }


def _albums(site: Site) -> Asset:
    """Returns the only photo of one of them."""
    for number, title in enumerate((LONG, RIGHT_TO_LEFT, *NAMES, "2019", "Sommerfest", "Team")):
        made = create_album(site.session, site.tenant_id, title, now=site.now(), visibility=Visibility.PUBLIC)
        photo = gallery.add_photo(site, made, gallery.shot(gallery.sources()[number % 5], SHAPES[number % 3]))
        made.description = SAYINGS[2]
    return photo


def _trash(site: Site, album: Album) -> None:
    for number, name in enumerate((*NAMES, LONG)):
        gone = gallery.add_photo(site, album, gallery.shot(gallery.sources()[number]), filename=f"{name}.jpg")
        gone.deleted_at = site.now() - timedelta(days=number)


def _shared(site: Site, album: Album, photos: list[Asset]) -> dict[str, str]:
    """Links of every kind, what guests left behind them, and embeddings."""
    session, now = site.session, site.now()
    rights = Rights.DOWNLOAD | GUEST_RIGHTS
    for number, label in enumerate((LONG, RIGHT_TO_LEFT, "Press", "")):
        until = now + timedelta(days=30) if number % 2 else now - timedelta(days=1)
        sharing.create_link(session, album, secret(), now=now, label=label, rights=rights, expires_at=until)
    link, _ = sharing.create_link(
        session, album, secret(), now=now, label="The couple", rights=rights, password="a good password", visits=12_345
    )
    for name, text in zip(NAMES, cycle(SAYINGS), strict=False):
        _left(site, link, album, photos, name, text)
    for origin in ("https://www.example.com", f"https://{HOSTS[1]}"):
        embeds.create(session, site.tenant_id, [origin], now=now, album=album, label=LONG[:60])
    return {"link_id": link.id}


def _left(site: Site, link: ShareLink, album: Album, photos: list[Asset], name: str, text: str) -> None:
    session, now = site.session, site.now()
    guest = guests.create(session, link, name, now=now)
    guests.set_favourite(session, guest, photos[0], True, now=now)
    guests.add_comment(session, guest, photos[1], text, now=now)
    chosen = proofing.begin(session, guest, f"For the book of {name}"[:100], 30, now=now)
    proofing.choose(session, chosen, [photo.id for photo in photos[:9]])
    proofing.submit(session, chosen, now=now)
    sent = gallery.add_photo(site, album, gallery.shot(gallery.sources()[3]), filename=f"{name}.jpg")
    contributions.announce(session, link, guest.id, sent.id, 1_000_000, now=now)
    contributions.arrived(session, album, sent, now=now)
    news.tell(session, album, NewsKind.COMMENT, name, text[:200], now=now)


def _people(site: Site) -> None:
    session, now = site.session, site.now()
    for number, name in enumerate(NAMES):
        role = (people.Role.ADMIN, people.Role.EDITOR, people.Role.VIEWER)[number % 3]
        address = f"{'a-rather-long-address-' * (number % 3)}{number}@studio.example"
        people.add_hashed(session, site.tenant_id, address, role, "", now=now, name=name)
        invitations.invite(session, site.tenant_id, f"guest-{address}", role, "alice@example.com", now=now)


def _programs(site: Site) -> dict[str, str]:
    session, now = site.session, site.now()
    for name in ("Website", LONG):
        api_tokens.create(session, site.tenant_id, name, list(Scope), made_by="alice@example.com", now=now)
    webhooks.create(site, f"https://{HOSTS[1]}/{'path/' * 20}", list(Event))
    hook, _ = webhooks.create(site, "https://www.example.com/hooks", list(Event), label="Lightroom bridge")
    for state in (*DeliveryState, DeliveryState.FAILED):
        webhooks.publish(site, Event.PING, {"album": LONG}, only=hook)
        session.flush()
        sent = session.query(WebhookDelivery).filter_by(last_at=None).first()
        sent.state, sent.attempts, sent.last_at = state, 8, now
        sent.last_status = 200 if state is DeliveryState.DELIVERED else None
        sent.last_error = "" if state is DeliveryState.DELIVERED else f"{HOSTS[1]}: no answer within 10 seconds"
    off, _ = webhooks.create(site, "https://old.example/", [Event.ASSET_READY], label="Old site")
    webhooks.switch(site, off, False)
    return {"webhook_id": hook.id, "quiet_hook": off.id}


def _archives(site: Site) -> None:
    """One of each end."""
    for state in (ExportState.GONE, ExportState.FAILED, ExportState.READY):
        made = exports.ask(site)
        made.state, made.size, made.total = state, 1_234_567_890_123, 104_729
        made.missing = 3 if state is ExportState.READY else 0
        made.reason = "The disk of the worker is full." if state is ExportState.FAILED else ""
        made.ready_at = made.expires_at = site.now() + exports.KEPT
        site.session.flush()


def _visits(site: Site, photo: str) -> None:
    for number in range(30):
        looks = [
            visits.Visit(what, "alpha-shows", photo * (what == "photos"), f"192.0.2.{place}", "Firefox", referrer)
            for place in range(3 + (number * 7) % 11)
            for what, referrer in (("views", "blog.example"), ("views", HOSTS[1]), ("photos", ""))
        ]
        visits.write(site.session, site.tenant_id, looks, now=site.now() - timedelta(days=number))


def _busy(site: Site, world: World) -> dict[str, str]:
    """Uploads that are processed, an archive, a domain and a new watermark under way; a second step at sign-in."""
    session, now = site.session, site.now()
    album = album_by_id(session, world.beta, world.beta_album)
    assert album is not None
    gallery.fill(site, album, 3)
    for number in range(5):
        waiting = gallery.add_waiting(site, album, place=10 + number)
        waiting.stage, waiting.progress = "resize", 20 * number
    site.tenant.marks = True
    session.add(watermarks.Watermark(tenant_id=world.beta, text="© Beta", drawn_sha256="0" * 64))
    exports.ask(site)
    session.flush()
    claim = exports.claim(site, exports.latest(session)[0].id, 3600)
    assert claim is not None
    exports.progress(site, claim, 4_711, 10_472, 3600)
    host = claims.claim(session, site.tenant, "photos.beta.example", "localhost", now=now)
    host.state = DomainState.CERTIFICATE
    hook, _ = webhooks.create(site, "https://www.example.com/hooks", [Event.ASSET_READY])
    webhooks.publish(site, Event.PING, {}, only=hook)
    viewer = people.add(session, world.beta, "vera@example.com", people.Role.VIEWER, PASSWORD, now=now, name="Vera")
    totp = two_factor.new_secret()
    codes = two_factor.enable(session, viewer, secret(), totp, pyotp.TOTP(totp).at(now), now=now)
    absent = people.add(session, world.beta, "nils@example.com", people.Role.EDITOR, PASSWORD, now=now, name="Nils")
    _invited, token = invitations.invite(
        session, world.beta, "newcomer@example.com", people.Role.EDITOR, "bob@example.com", now=now
    )
    session.commit()
    return {
        "album_id": album.id,
        "asset_id": session.query(Asset).filter_by(state=AssetState.PROCESSING).first().id,
        "host": host.host,
        "webhook_id": hook.id,
        "token": token,
        "reset": resetting.token(secret(), absent, now=now),
        "code": codes[0],
    }


def _operator(world: World) -> dict[str, str]:
    """Reports, dead letters, announcements and switches."""
    made: dict[str, str] = {"tenant_id": world.alpha}
    with open_site(world.alpha) as site:
        now = site.now()
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        photo = site.session.query(Asset).filter_by(album_id=album.id, state=AssetState.READY).first()
        for reason, text in zip(Reason, cycle(SAYINGS), strict=False):
            url = f"http://alpha.localhost/a/{album.slug}/{photo.id}"
            abuse.report(site, album, photo, url, reason, text, "reporter@example.com")
        made["report_id"] = site.session.query(abuse.AbuseReport).first().id
        failed = gallery.add_waiting(site, album, AssetState.FAILED, place=100)
        failed.filename = f"{LONG}.mov"
        for number in range(3):
            blocklist.block(
                site.session, f"{number:064x}", who="olga", reason=Reason.CHILD.value, report_id=None, now=now
            )
        features.switch_for(site.session, world.alpha, next(iter(Feature)), False)
        text = "Tonight from 02:00 to 02:30 UTC uploads pause for a new database."
        announcements.publish(
            site.session, text, announcements.Level.INFO, "olga", starts_at=now + timedelta(days=1), ends_at=None
        )
        site.session.commit()
        letter = media_job(world.alpha, failed.id)
    for _ in range(3):
        ports().queue.send(letter, group=world.alpha)
    for _ in range(6):
        for message in ports().queue.receive(10, visibility=timedelta(seconds=1)):
            ports().queue.extend(message.receipt, timedelta())
    return made


def _studios() -> str:
    """Neighbours since last month, some of whom pay and some of whom cost. The id of a suspended one."""
    session, now = db.session(), ports().clock.now()
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for number in range(12):
        tenant_id = registry.create(session, f"studio-{number}", f"{NAMES[number % 5]} {number}", now=now).id
        session.commit()
        with open_site(tenant_id) as site:
            if number % 3 == 0:
                terms.assign(site, "studio", since=month - timedelta(days=1))
            if number % 4 == 3:
                lifecycle.suspend(site, timedelta(days=7))
            site.session.commit()
        use(tenant_id, stored(month, number * GB), delivered(month + timedelta(minutes=5), 20 * number * GB))
    return tenant_id
