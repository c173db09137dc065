"""The list of albums, and one album: its photos, its settings, its end and its return."""

from collections.abc import Iterable
from typing import Any

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.errors import Problem
from tenants import audit, editing, nesting
from tenants.catalog import Album, Ordering
from tenants.names import is_id
from tenants.people import Role
from tenants.scope import settings
from tenants.statements import of_app
from webapp import headers
from webapp.auth import require
from webapp.dashboard import guide, lookup, places, queries
from webapp.dashboard.amounts import VISITS
from webapp.dashboard.answers import album_url, done
from webapp.dashboard.forms import VISIBILITIES, AlbumForm, yes_no
from webapp.dashboard.mount import bp
from webapp.dashboard.queries import AlbumsWanted
from webapp.dashboard.record import note


@bp.get("/")
@require(Role.VIEWER)
def albums() -> ResponseReturnValue:
    """`q` is part of a title; `visibility`, `holds` and `sort` as in `AlbumsWanted`; `after` goes on."""
    wanted, after = _wanted(), request.args.get("after", "")
    cards, following = queries.album_cards(g.site.session, wanted, after=after if is_id(after) else "")
    asked: dict[str, Any] = {
        "q": wanted.words,
        "visibility": wanted.visibility,
        "holds": wanted.holds,
        "sort": wanted.sort,
    }
    return render_template(
        "dashboard/albums.html",
        cards=cards,
        wanted=wanted,
        guide=guide.steps() if not wanted.filtered else [],
        following=url_for(".albums", **{k: v for k, v in asked.items() if v}, after=following) if following else None,
    )


def _wanted() -> AlbumsWanted:
    """What the query asks for; what makes no sense in it is passed over."""

    def one_of(name: str, choices: Iterable[str], default: str = "") -> str:
        given = request.args.get(name, "")
        return given if given in choices else default

    return AlbumsWanted(
        words=request.args.get("q", "").strip()[:200],
        visibility=one_of("visibility", VISIBILITIES),
        holds=one_of("holds", queries.HOLDS),
        sort=one_of("sort", queries.ALBUM_KEYS, "newest"),
    )


@bp.route("/albums/new", methods=["GET", "POST"])
@require(Role.EDITOR)
def new_album() -> ResponseReturnValue:
    form = AlbumForm()
    if form.validate_on_submit():
        album = editing.create_album(g.site, form.title.data, ordering=Ordering(form.ordering.data), **form.fields())
        if places.moved(album, form):
            note("album.made", album=album)
            g.site.session.commit()
            return redirect(album_url(album.id), 303)
        g.site.session.rollback()
    places.offer(form)
    return render_template("dashboard/album_new.html", form=form), 422 if form.errors else 200


@bp.get("/albums/<album_id>")
@require(Role.VIEWER)
def album(album_id: str) -> ResponseReturnValue:
    found = lookup.album_of(album_id)
    after, before = (name if is_id(name := request.args.get(each, "")) else "" for each in ("after", "before"))
    page = queries.assets_page(g.site.session, found, after=after, before=before)
    headers.allow("connect-src", settings().upload_url)
    return render_template(
        "dashboard/album.html",
        album=found,
        page=page,
        counts=queries.counts(g.site.session, [found.id]).get(found.id, queries.Counts()),
        twins=queries.twins(g.site.session, page.assets),
        targets=places.others(found),
    )


@bp.route("/albums/<album_id>/settings", methods=["GET", "POST"])
@require(Role.EDITOR)
def album_settings(album_id: str) -> ResponseReturnValue:
    found = lookup.album_of(album_id)
    form, was = AlbumForm(data=_shown(found)), audit.snapshot(found)
    if form.validate_on_submit() and places.moved(found, form):
        _change(found, form)
        note("album.changed", album=found, was=was, row=found)
        return done(_("The album is saved."), back=url_for("dashboard.album_settings", album_id=found.id))
    places.offer(form, found)
    visits = of_app().visits(g.site, found.id, VISITS)
    page = render_template("dashboard/album_settings.html", album=found, form=form, visits=visits)
    return page, 422 if form.errors else 200


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
    note("album.deleted", album=found)
    undo = url_for("dashboard.restore_album", album_id=found.id)
    return done(_("“%(album)s” is in the trash.", album=found.title), back=url_for("dashboard.albums"), undo=undo)


@bp.post("/albums/<album_id>/restore")
@require(Role.EDITOR)
def restore_album(album_id: str) -> ResponseReturnValue:
    found = g.site.session.get(Album, (g.site.tenant_id, album_id)) if is_id(album_id) else None
    if found is None or found.emptied_at is not None:
        raise Problem("not-found")
    found.deleted_at = None
    note("album.restored", album=found)
    return done(_("“%(album)s” is back.", album=found.title), back=album_url(found.id))
