"""What is done to the selected files of an album: move, copy, tags, caption, turn, trash and the way back."""

from typing import Any

from flask import g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select

from infra.errors import Problem
from tenants import arrivals, bulk, catalog, moves, ordering, purges, tags, watermarks, webhooks
from tenants.catalog import Album, Asset
from tenants.names import is_id
from tenants.people import Role
from tenants.webhooks import Event
from webapp.auth import require
from webapp.dashboard import lookup
from webapp.dashboard.answers import album_url, done
from webapp.dashboard.assets import checked_caption
from webapp.dashboard.chosen import chosen_of, moment, stamp
from webapp.dashboard.mount import bp
from webapp.dashboard.record import named, note

TURNS = {"90": 90, "180": 180, "270": 270}


@bp.post("/albums/<album_id>/assets/delete")
@require(Role.EDITOR)
def delete_assets(album_id: str) -> ResponseReturnValue:
    album = lookup.album_of(album_id)
    chosen, count, names = chosen_of(album)
    now = g.site.now()
    bulk.trash(g.site, chosen, now=now)
    purges.close_album(g.site, album_id)
    note("asset.deleted", album=album, about=named(names, count), count=count)
    return done(
        _("“%(name)s” is in the trash.", name=names[0])
        if count == 1
        else ngettext("%(num)s item is in the trash.", "%(num)s items are in the trash.", count),
        back=album_url(album_id),
        undo=url_for("dashboard.restore_assets", album_id=album_id, at=stamp(now)),
        count=count,
    )


@bp.post("/albums/<album_id>/assets/restore")
@require(Role.EDITOR)
def restore_assets(album_id: str) -> ResponseReturnValue:
    """All that was deleted `at` one moment, which is how it is undone; or the `id`s, or with `all` every one of the
    album's that is in the trash."""
    album = lookup.album_of(album_id)
    at = moment(request.args.get("at", ""))
    if at is not None:
        count, ids, names = bulk.restore(g.site.session, album, at), [], []
    else:
        found = lookup.assets_of(album, _in_trash(album), deleted=True)
        count, ids, names = len(found), [row.id for row in found], [row.filename for row in found]
        for row in found:
            row.deleted_at = None
    if not count:
        raise Problem("not-found", "There is nothing to bring back any more.")
    note("asset.restored", album=album, about=named(names, count), count=count)
    message = (
        _("“%(name)s” is back in the album.", name=names[0])
        if count == 1 and names
        else ngettext("%(num)s item is back in the album.", "%(num)s items are back in the album.", count)
    )
    return done(message, back=album_url(album_id), ids=ids[:500])


def _in_trash(album: Album) -> list[str]:
    if "all" not in request.form:
        return request.form.getlist("id")
    gone = (Asset.album_id == album.id, Asset.deleted_at.is_not(None), Asset.emptied_at.is_(None))
    return list(g.site.session.scalars(select(Asset.id).where(*gone)))


@bp.post("/albums/<album_id>/assets/move-to")
@require(Role.EDITOR)
def move_to_album(album_id: str) -> ResponseReturnValue:
    """Into the album `album`, or into a new one that is called `title`."""
    album = lookup.album_of(album_id)
    chosen, count, names = chosen_of(album)
    target, now = _target(album), g.site.now()
    moves.move(g.site.session, album, chosen.clause(), target, now=now)
    _settle(album, target)
    note("asset.moved", album=album, about=named(names, count), count=count, into=target.title)
    undo = url_for("dashboard.move_back", album_id=target.id, source=album_id, at=stamp(now))
    title = target.title
    return done(
        ngettext("%(num)s file is in “%(album)s” now.", "%(num)s files are in “%(album)s” now.", count, album=title),
        back=album_url(album_id),
        undo=undo,
        count=count,
    )


@bp.post("/albums/<album_id>/assets/move-back")
@require(Role.EDITOR)
def move_back(album_id: str) -> ResponseReturnValue:
    """Undo a move: what came into this album from `source` `at` that moment, and still is here, goes back."""
    album, source = lookup.album_of(album_id), lookup.album_of(request.args.get("source", ""))
    at = moment(request.args.get("at", ""))
    which = Asset.deleted_at.is_(None) & moves.left_at(g.site.session, source, at) if at else Asset.id.is_(None)
    count = moves.move(g.site.session, album, which, source, now=g.site.now())
    if not count:
        raise Problem("not-found", "There is nothing to move back any more.")
    _settle(album, source)
    note("asset.moved", album=album, count=count, into=source.title)
    message = ngettext(
        "%(num)s file is back in “%(album)s”.", "%(num)s files are back in “%(album)s”.", count, album=source.title
    )
    return done(message, back=album_url(source.id))


def _settle(left: Album, into: Album) -> None:
    """After a move: pictures that others may have seen are closed, those that want the mark are made with it."""
    left.updated_at = into.updated_at = g.site.now()
    for album in (left, into):
        webhooks.publish(g.site, Event.ALBUM_CHANGED, webhooks.about_album(album))
    purges.close_album(g.site, left.id)
    watermarks.ask(g.site)


@bp.post("/albums/<album_id>/assets/copy-to")
@require(Role.EDITOR)
def copy_to_album(album_id: str) -> ResponseReturnValue:
    """As `move_to_album`, with copies that have files of their own."""
    album = lookup.album_of(album_id)
    chosen, count, names = chosen_of(album)
    if count > arrivals.MOST_COPIES:
        raise Problem("too-large", "At most %(most)s files are copied at once.", values={"most": arrivals.MOST_COPIES})
    target = _target(album)
    order = ordering.sort_key(album.ordering)
    assets = list(g.site.session.scalars(select(Asset).where(chosen.clause()).order_by(order, Asset.id)))
    target_id, title = target.id, target.title
    g.site.session.commit()
    arrivals.copy_into(g.site, assets, target_id)
    note("asset.copied", album=lookup.album_of(album_id), about=named(names, count), count=count, into=title)
    return done(
        ngettext("%(num)s copy is in “%(album)s”.", "%(num)s copies are in “%(album)s”.", count, album=title),
        back=album_url(album_id),
        count=count,
    )


def _target(source: Album) -> Album:
    title, asked = request.form.get("title", "").strip(), request.form.get("album", "")
    if title:
        target = catalog.create_album(g.site.session, g.site.tenant_id, title, now=g.site.now())
        note("album.made", album=target)
        return target
    if not is_id(asked):
        raise Problem("invalid", "Choose an album, or give a new one a title.", field="album")
    target = lookup.album_of(asked)
    if target.id == source.id:
        raise Problem("invalid", "The files are in this album already. Choose another.", field="album")
    return target


@bp.post("/albums/<album_id>/assets/tag")
@require(Role.EDITOR)
def tag_assets(album_id: str) -> ResponseReturnValue:
    """`tags` are added, or with `do=remove` taken away."""
    album = lookup.album_of(album_id)
    chosen, count, names = chosen_of(album)
    labels = tags.parse(request.form.get("tags", ""))
    if not labels:
        raise Problem("invalid", "Write a tag first.", field="tags")
    remove = request.form.get("do") == "remove"
    if remove:
        changed = bulk.untag(g.site.session, chosen, labels)
        message = ngettext("%(num)s tag is removed.", "%(num)s tags are removed.", changed)
    else:
        changed = bulk.tag(g.site.session, chosen, labels)
        message = ngettext("%(num)s file is tagged.", "%(num)s files are tagged.", changed)
        if changed < count:
            message += " " + _("The others have as many tags as they may.")
    told: dict[str, Any] = {"removed" if remove else "added": labels}
    note("asset.tagged", album=album, about=named(names, count), count=count, **told)
    return done(message, back=album_url(album_id), count=changed)


@bp.post("/albums/<album_id>/assets/caption")
@require(Role.EDITOR)
def caption_assets(album_id: str) -> ResponseReturnValue:
    """`caption` below all of them, or with `bare` below those that have none."""
    album = lookup.album_of(album_id)
    chosen, count, names = chosen_of(album)
    text = checked_caption()
    changed = bulk.caption(g.site, chosen, text, only_bare="bare" in request.form)
    note("asset.changed", album=album, about=named(names, count), count=changed, caption=text[:200])
    message = ngettext("%(num)s caption is written.", "%(num)s captions are written.", changed)
    return done(message, back=album_url(album_id), count=changed)


@bp.post("/albums/<album_id>/assets/turn")
@require(Role.EDITOR)
def turn_assets(album_id: str) -> ResponseReturnValue:
    """Photos, clockwise by `turn` degrees: 90, 180 or 270."""
    album = lookup.album_of(album_id)
    degrees = TURNS.get(request.form.get("turn", ""))
    if degrees is None:
        raise Problem("invalid", "Photos are turned by 90, 180 or 270 degrees.", field="turn")
    chosen, count, names = chosen_of(album)
    changed = bulk.rotate(g.site, chosen, degrees)
    if not changed:
        raise Problem("conflict", "None of these is a finished photo: there is nothing to turn.")
    note("asset.turned", album=album, about=named(names, count), count=changed, degrees=degrees)
    message = ngettext("%(num)s photo is being turned.", "%(num)s photos are being turned.", changed)
    if changed < count:
        message += " " + _("Videos and unfinished files stay as they are.")
    return done(message, back=album_url(album_id), count=changed)
