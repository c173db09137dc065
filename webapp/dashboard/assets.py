"""One photo or video: caption and tags, cover, another try."""

from typing import Any

from flask import g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.errors import Problem
from tenants import editing, outbox, tags
from tenants.audit import MAX_VALUE
from tenants.catalog import AssetState
from tenants.people import Role
from webapp.auth import require
from webapp.dashboard import lookup, queries
from webapp.dashboard.answers import album_url, done
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note

MAX_CAPTION = 2000
MAX_ALT = 1000


@bp.get("/albums/<album_id>/assets/<asset_id>")
@require(Role.VIEWER)
def asset(album_id: str, asset_id: str) -> ResponseReturnValue:
    album = lookup.album_of(album_id)
    found = lookup.asset_of(album, asset_id)
    queries.load_pictures(g.site.session, [found])
    media = {name: value for name, value in g.site.media.get(found.id).items() if not name.startswith("private.")}
    twin = queries.twins(g.site.session, [found]).get(found.id)
    labels = tags.of(g.site.session, [found.id]).get(found.id, [])
    return render_template("dashboard/asset.html", album=album, asset=found, media=media, twin=twin, tags=labels)


@bp.post("/albums/<album_id>/assets/<asset_id>/caption")
@require(Role.EDITOR)
def caption(album_id: str, asset_id: str) -> ResponseReturnValue:
    album = lookup.album_of(album_id)
    found = lookup.asset_of(album, asset_id)
    text = checked_caption()
    alt = request.form.get("alt", found.alt).strip()
    if len(alt) > MAX_ALT:
        raise Problem(
            "invalid", "A description may have up to %(most)s characters.", values={"most": MAX_ALT}, field="alt"
        )
    labels = tags.parse(request.form["tags"]) if "tags" in request.form else None
    camera = g.site.media.get(found.id).get("camera", "")
    was = {"caption": found.caption, "alt": found.alt}
    editing.describe(g.site, found, camera=camera, labels=labels, caption=text, alt=alt)
    told: dict[str, Any] = {"tags": request.form["tags"][:MAX_VALUE]} if labels is not None else {}
    note("asset.changed", album=album, about=found.filename, was=was, row=found, **told)
    back = url_for("dashboard.asset", album_id=album_id, asset_id=asset_id)
    return done(_("Caption and tags are saved."), back=back, caption=text)


def checked_caption() -> str:
    """The form's caption. Raises `Problem` if it is too long."""
    text = request.form.get("caption", "").strip()
    if len(text) > MAX_CAPTION:
        raise Problem(
            "invalid", "A caption may have up to %(most)s characters.", values={"most": MAX_CAPTION}, field="caption"
        )
    return text


@bp.post("/albums/<album_id>/cover")
@require(Role.EDITOR)
def cover(album_id: str) -> ResponseReturnValue:
    album = lookup.album_of(album_id)
    found = lookup.asset_of(album, request.form.get("id", ""))
    editing.choose_cover(album, found)
    note("album.cover", album=album, about=found.filename)
    return done(_("This is the album's cover now."), back=album_url(album_id))


@bp.post("/albums/<album_id>/assets/<asset_id>/retry")
@require(Role.EDITOR)
def retry(album_id: str, asset_id: str) -> ResponseReturnValue:
    """Process once more. What was rejected stays so unless the limits changed, but asking does no harm."""
    album = lookup.album_of(album_id)
    found = lookup.asset_of(album, asset_id)
    if found.state not in (AssetState.FAILED, AssetState.REJECTED):
        raise Problem("conflict", "This file has not failed: there is nothing to try again.")
    found.state = AssetState.RECEIVED
    found.reason = found.stage = ""
    found.progress = 0
    g.site.enqueue(outbox.media_job(g.site.tenant_id, found.id))
    note("asset.retried", album=album, about=found.filename)
    return done(_("It is being processed again."), back=album_url(album_id), ids=[found.id])
