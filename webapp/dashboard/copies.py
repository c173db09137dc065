"""Files that are there twice, and a file in the place of another."""

from flask import g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from infra.errors import Problem
from infra.sql import reading
from tenants import catalog, duplicates, purges, replacing
from tenants.names import is_id
from tenants.people import Role
from webapp.auth import require
from webapp.dashboard import lookup, queries
from webapp.dashboard.answers import done
from webapp.dashboard.chosen import moment, stamp
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note


@bp.get("/duplicates")
@require(Role.EDITOR)
def duplicates_page() -> ResponseReturnValue:
    with reading():
        groups, following = duplicates.groups(g.site.session, after=request.args.get("after", "")[:64])
        return render_template("dashboard/duplicates.html", groups=groups, following=following)


@bp.post("/duplicates/keep")
@require(Role.EDITOR)
def keep_one() -> ResponseReturnValue:
    """`id` stays; every other copy of the same bytes goes into the trash."""
    asset_id, now = request.form.get("id", ""), g.site.now()
    if not is_id(asset_id):
        raise Problem("invalid", "Choose the copy to keep.", field="id")
    kept, albums = duplicates.keep(g.site.session, g.site.tenant_id, asset_id, now=now)
    for album_id in sorted(set(albums)):
        purges.close_album(g.site, album_id)
    home = catalog.album_by_id(g.site.session, g.site.tenant_id, kept.album_id)
    note("asset.deleted", album=home, about=kept.filename, count=len(albums), kept=kept.id)
    return done(
        ngettext("%(num)s copy is in the trash.", "%(num)s copies are in the trash.", len(albums)),
        back=url_for("dashboard.duplicates_page"),
        undo=url_for("dashboard.keep_all", sha256=kept.sha256, at=stamp(now)),
    )


@bp.post("/duplicates/undo")
@require(Role.EDITOR)
def keep_all() -> ResponseReturnValue:
    at = moment(request.args.get("at", ""))
    sha256 = request.args.get("sha256", "")
    count = duplicates.bring_back(g.site.session, g.site.tenant_id, sha256, at) if at else 0
    if not count:
        raise Problem("not-found", "There is nothing to bring back any more.")
    note("asset.restored", count=count)
    message = ngettext("%(num)s copy is back.", "%(num)s copies are back.", count)
    return done(message, back=url_for("dashboard.duplicates_page"))


@bp.get("/albums/<album_id>/assets/<asset_id>/replace")
@require(Role.EDITOR)
def replace_page(album_id: str, asset_id: str) -> ResponseReturnValue:
    album = lookup.album_of(album_id)
    asset = lookup.asset_of(album, asset_id)
    offered = replacing.candidates(g.site.session, asset)
    queries.load_pictures(g.site.session, [asset, *offered])
    return render_template("dashboard/replace.html", album=album, asset=asset, offered=offered)


@bp.post("/albums/<album_id>/assets/<asset_id>/replace")
@require(Role.EDITOR)
def replace_file(album_id: str, asset_id: str) -> ResponseReturnValue:
    """`by` is a file of the same album, uploaded for this."""
    by = request.form.get("by", "")
    with reading():
        lookup.asset_of(lookup.album_of(album_id), asset_id)
    if not is_id(by) or by == asset_id:
        raise Problem("invalid", "Choose the file to put in its place.", field="by")
    album = lookup.album_of(album_id)
    told = replacing.ask(g.site, album, asset_id, by)
    purges.close_album(g.site, album_id)
    note("asset.replaced", album=album, about=told.old, changed={"filename": [told.old, told.new]})
    message = _("“%(old)s” gets its new file now. Its links stay, its pictures are made again.", old=told.old)
    return done(message, back=url_for("dashboard.asset", album_id=album_id, asset_id=asset_id))
