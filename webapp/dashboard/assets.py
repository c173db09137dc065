"""One photo or video, or the selected ones: caption, cover, trash and return, another try."""

from flask import g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from infra.errors import Problem
from tenants import outbox, purges
from tenants.catalog import SHOWN, Asset, AssetState
from tenants.people import Role
from webapp.auth import require
from webapp.dashboard import lookup, queries
from webapp.dashboard.answers import album_url, done
from webapp.dashboard.mount import bp

MAX_CAPTION = 2000


@bp.get("/albums/<album_id>/assets/<asset_id>")
@require(Role.VIEWER)
def asset(album_id: str, asset_id: str) -> ResponseReturnValue:
    album = lookup.album_of(album_id)
    found = lookup.asset_of(album, asset_id)
    queries.load_pictures(g.site.session, [found])
    media = {name: value for name, value in g.site.media.get(found.id).items() if not name.startswith("private.")}
    twin = queries.twins(g.site.session, [found]).get(found.id)
    return render_template("dashboard/asset.html", album=album, asset=found, media=media, twin=twin)


@bp.post("/albums/<album_id>/assets/<asset_id>/caption")
@require(Role.EDITOR)
def caption(album_id: str, asset_id: str) -> ResponseReturnValue:
    found = lookup.asset_of(lookup.album_of(album_id), asset_id)
    text = request.form.get("caption", "").strip()
    if len(text) > MAX_CAPTION:
        raise Problem("invalid", f"A caption may have up to {MAX_CAPTION} characters.", field="caption")
    found.caption = text
    back = url_for("dashboard.asset", album_id=album_id, asset_id=asset_id)
    return done("The caption is saved.", back=back, caption=text)


@bp.post("/albums/<album_id>/cover")
@require(Role.EDITOR)
def cover(album_id: str) -> ResponseReturnValue:
    album = lookup.album_of(album_id)
    found = lookup.asset_of(album, request.form.get("id", ""))
    if found.state not in SHOWN:
        raise Problem("conflict", "This file has no picture yet. Wait until it is processed.")
    album.cover_id = found.id
    return done("This is the album's cover now.", back=album_url(album_id))


@bp.post("/albums/<album_id>/assets/delete")
@require(Role.EDITOR)
def delete_assets(album_id: str) -> ResponseReturnValue:
    found = lookup.assets_of(lookup.album_of(album_id), request.form.getlist("id"))
    for row in found:
        row.deleted_at = g.site.now()
    purges.close_album(g.site, album_id)
    return done(
        f"{_named(found)} in the trash.",
        back=album_url(album_id),
        undo=url_for("dashboard.restore_assets", album_id=album_id),
        ids=[row.id for row in found],
    )


@bp.post("/albums/<album_id>/assets/restore")
@require(Role.EDITOR)
def restore_assets(album_id: str) -> ResponseReturnValue:
    found = lookup.assets_of(lookup.album_of(album_id), request.form.getlist("id"), deleted=True)
    for row in found:
        row.deleted_at = None
    return done(f"{_named(found)} back in the album.", back=album_url(album_id), ids=[row.id for row in found])


@bp.post("/albums/<album_id>/assets/<asset_id>/retry")
@require(Role.EDITOR)
def retry(album_id: str, asset_id: str) -> ResponseReturnValue:
    """Process once more. What was rejected stays so unless the limits changed, but asking does no harm."""
    found = lookup.asset_of(lookup.album_of(album_id), asset_id)
    if found.state not in (AssetState.FAILED, AssetState.REJECTED):
        raise Problem("conflict", "This file has not failed: there is nothing to try again.")
    found.state = AssetState.RECEIVED
    found.reason = found.stage = ""
    found.progress = 0
    g.site.enqueue(outbox.media_job(g.site.tenant_id, found.id))
    return done("It is being processed again.", back=album_url(album_id), ids=[found.id])


def _named(assets: list[Asset]) -> str:
    if len(assets) == 1:
        return f"“{assets[0].filename}” is"
    return f"{len(assets)} items are"
