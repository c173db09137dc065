"""Inside of which album an album is, as the album form has it."""

from flask import g
from flask_babel import gettext as _
from sqlalchemy import select

from infra.errors import Problem
from tenants import catalog, nesting
from tenants.catalog import Album
from tenants.names import is_id
from webapp.dashboard.forms import AlbumForm
from webapp.language import told

MOST_OFFERED = 500
"""Albums in the menu, the newest of them."""


def offer(form: AlbumForm, album: Album | None = None) -> None:
    """Fill the menu: the top, and the tenant's other albums by title."""
    titles = others(album)
    present = form.parent.data
    if is_id(present or "") and present not in titles:
        here = catalog.album_by_id(g.site.session, g.site.tenant_id, present)
        titles |= {here.id: here.title} if here is not None and (album is None or here.id != album.id) else {}
    form.parent.choices = {"": str(_("No other album")), **titles}


def others(album: Album | None = None) -> dict[str, str]:
    """The newest other albums, by title: id to title."""
    newest = select(Album.id, Album.title).where(Album.deleted_at.is_(None)).order_by(Album.id.desc())
    rows = g.site.session.execute(newest.limit(MOST_OFFERED))
    titles = [(row.id, row.title) for row in rows if album is None or row.id != album.id]
    return dict(sorted(titles, key=lambda pair: pair[1].casefold()))


def moved(album: Album, form: AlbumForm) -> bool:
    """Put the album where the form says, within the transaction; False, with the form's error set, if it cannot be."""
    asked = form.parent.data or ""
    parent = catalog.album_by_id(g.site.session, g.site.tenant_id, asked) if is_id(asked) else None
    if asked and parent is None:
        form.parent.errors = [_("This album is gone. Choose another.")]
        return False
    try:
        nesting.put(g.site.session, album, parent)
    except Problem as problem:
        form.parent.errors = [told(problem)]
        return False
    return True
