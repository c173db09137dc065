"""Guests add photos of their own: the page, and the ticket for the upload host."""

from datetime import timedelta

from flask import g, jsonify, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.errors import Problem
from tenants import contributions, features, quota, tickets
from tenants.features import Feature
from tenants.scope import secret, settings
from tenants.sharing import Action
from webapp import headers
from webapp.limits import limiter, visitor
from webapp.site import visitors
from webapp.site.blueprint import album_or_404, site

TYPES = ("image/*", "video/*", "application/octet-stream")
"""The last is what browsers say of a file that they do not know, HEIC for one. The content decides."""


@site.get("/a/<slug>/add")
def add(slug: str) -> str:
    album = album_or_404(slug)
    features.require(g.site.session, g.site.tenant_id, Feature.GUEST_UPLOADS)
    link = visitors.pass_for(album, Action.UPLOAD).link
    headers.allow("connect-src", settings().upload_url)
    files, taken = contributions.used(g.site.session, link)
    return render_template(
        "site/add.html",
        album=album,
        files_left=None if link.upload_files is None else max(0, link.upload_files - files),
        bytes_left=None if link.upload_bytes is None else max(0, link.upload_bytes - taken),
    )


@site.post("/a/<slug>/ticket")
@limiter.limit("30 per hour", key_func=visitor)
def guest_ticket(slug: str) -> ResponseReturnValue:
    """As the dashboard's: `{"endpoint", "ticket", "expires", "max_bytes"}`. It is worth no more than the link is."""
    album = album_or_404(slug)
    features.require(g.site.session, g.site.tenant_id, Feature.GUEST_UPLOADS)
    if not g.site.entitlements.writable:
        raise Problem("forbidden", _("This site is read-only at the moment: nothing can be changed."))
    link, guest = visitors.guest_for(album, Action.UPLOAD)
    left = quota.check(g.site, guest=True)
    most = min(g.site.entitlements.max_upload_bytes, link.upload_bytes or g.site.entitlements.max_upload_bytes)
    most = most if left is None else min(most, left)
    now, lifetime = g.site.now(), timedelta(seconds=settings().ticket_ttl)
    minted = tickets.mint(
        secret(),
        tenant=g.site.tenant_id,
        album=album.id,
        max_bytes=most,
        now=now,
        lifetime=lifetime,
        types=TYPES,
        link=link.id,
        guest=guest.id,
    )
    g.site.session.commit()
    response = jsonify(
        endpoint=f"{settings().upload_url}/files/",
        ticket=minted,
        expires=int((now + lifetime).timestamp()),
        max_bytes=most,
    )
    response.headers["Cache-Control"] = "no-store"
    return response
