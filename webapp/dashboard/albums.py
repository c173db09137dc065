"""The list of albums, and one album: its photos, its settings, its end and its return."""

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.errors import Problem
from tenants import editing, nesting
from tenants.catalog import Album, Ordering
from tenants.names import is_id
from tenants.people import Role
from tenants.scope import settings
from webapp import headers
from webapp.auth import require
from webapp.dashboard import lookup, places, queries
from webapp.dashboard.answers import album_url, done
from webapp.dashboard.forms import AlbumForm, yes_no
from webapp.dashboard.mount import bp


@bp.get("/")
@require(Role.VIEWER)
def albums() -> ResponseReturnValue:
    search = request.args.get("q", "").strip()[:200]
    before = request.args.get("before", "")
    cards, following = queries.album_cards(g.site.session, search=search, before=before if is_id(before) else "")
    return render_template("dashboard/albums.html", cards=cards, following=following, search=search)


@bp.route("/albums/new", methods=["GET", "POST"])
@require(Role.EDITOR)
def new_album() -> ResponseReturnValue:
    form = AlbumForm()
    if form.validate_on_submit():
        album = editing.create_album(g.site, form.title.data, ordering=Ordering(form.ordering.data), **form.fields())
        if places.moved(album, form):
            g.site.session.commit()
            return redirect(album_url(album.id), 303)
        g.site.session.rollback()
    places.offer(form)
    return render_template("dashboard/album_new.html", form=form), 422 if form.errors else 200


@bp.get("/albums/<album_id>")
@require(Role.VIEWER)
def album(album_id: str) -> ResponseReturnValue:
    found = lookup.album_of(album_id)
    after = request.args.get("after", "")
    assets, following = queries.assets_page(g.site.session, found, after=after if is_id(after) else "")
    headers.allow("connect-src", settings().upload_url)
    return render_template(
        "dashboard/album.html",
        album=found,
        assets=assets,
        following=following,
        after=after,
        counts=queries.counts(g.site.session, [found.id]).get(found.id, queries.Counts()),
        twins=queries.twins(g.site.session, assets),
    )


@bp.route("/albums/<album_id>/settings", methods=["GET", "POST"])
@require(Role.EDITOR)
def album_settings(album_id: str) -> ResponseReturnValue:
    found = lookup.album_of(album_id)
    form = AlbumForm(data=_shown(found))
    if form.validate_on_submit() and places.moved(found, form):
        _change(found, form)
        return done(_("The album is saved."), back=url_for("dashboard.album_settings", album_id=found.id))
    places.offer(form, found)
    return render_template("dashboard/album_settings.html", album=found, form=form), 422 if form.errors else 200


def _shown(album: Album) -> dict[str, object]:
    return {
        "title": album.title,
        "description": album.description,
        "visibility": album.visibility.value,
        "ordering": album.ordering.value,
        "layout": album.layout.value if album.layout else "",
        "originals": album.originals,
        "capture": album.capture or "",
        "place": yes_no(album.place),
        "marks": yes_no(album.marks),
        "parent": nesting.parent_of(g.site.session, album) or "",
    }


def _change(album: Album, form: AlbumForm) -> None:
    changes = {"title": form.title.data, "ordering": Ordering(form.ordering.data), **form.fields()}
    editing.change_album(g.site, album, changes)


@bp.post("/albums/<album_id>/delete")
@require(Role.EDITOR)
def delete_album(album_id: str) -> ResponseReturnValue:
    found = lookup.album_of(album_id)
    editing.bin_album(g.site, found)
    undo = url_for("dashboard.restore_album", album_id=found.id)
    return done(_("“%(album)s” is in the trash.", album=found.title), back=url_for("dashboard.albums"), undo=undo)


@bp.post("/albums/<album_id>/restore")
@require(Role.EDITOR)
def restore_album(album_id: str) -> ResponseReturnValue:
    found = g.site.session.get(Album, (g.site.tenant_id, album_id)) if is_id(album_id) else None
    if found is None:
        raise Problem("not-found")
    found.deleted_at = None
    return done(_("“%(album)s” is back.", album=found.title), back=album_url(found.id))
