"""A guest's choice as a file or as an album: for the photographer's own tools."""

import csv
import io
from pathlib import PurePosixPath

from flask import Response, g
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.errors import Problem
from tenants import arrivals, proofing
from tenants.catalog import Album, Asset
from tenants.guests import Guest
from tenants.people import Role
from tenants.proofing import Selection
from webapp.auth import require
from webapp.dashboard import lookup
from webapp.dashboard.answers import album_url, done
from webapp.dashboard.guests import guest_of, selection_of
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.site.sending import disposition

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet run a cell instead of showing it (OWASP, CSV injection)."""


@bp.get("/albums/<album_id>/selections/<selection_id>/export/<kind>")
@require(Role.EDITOR)
def export_selection(album_id: str, selection_id: str, kind: str) -> Response:
    """`csv`: a table. `txt`: names without extension, separated by commas, as Lightroom's library filter takes them."""
    album = lookup.album_of(album_id)
    selection = selection_of(album, selection_id)
    guest = guest_of(album, selection.guest_id)
    return _file(kind, album, guest, selection.name, proofing.assets_of(g.site.session, album, selection))


@bp.get("/albums/<album_id>/guests/<guest_id>/export/<kind>")
@require(Role.EDITOR)
def export_favourites(album_id: str, guest_id: str, kind: str) -> Response:
    """A guest's favourites; as `export_selection`."""
    album = lookup.album_of(album_id)
    guest = guest_of(album, guest_id)
    return _file(kind, album, guest, _("Favourites"), proofing.assets_of(g.site.session, album, guest))


@bp.post("/albums/<album_id>/selections/<selection_id>/copy")
@require(Role.EDITOR)
def copy_selection(album_id: str, selection_id: str) -> ResponseReturnValue:
    album = lookup.album_of(album_id)
    selection = selection_of(album, selection_id)
    return _copied(album, selection, selection.name)


@bp.post("/albums/<album_id>/guests/<guest_id>/copy")
@require(Role.EDITOR)
def copy_favourites(album_id: str, guest_id: str) -> ResponseReturnValue:
    album = lookup.album_of(album_id)
    guest = guest_of(album, guest_id)
    return _copied(album, guest, guest.name or _("Favourites"))


def _copied(album: Album, chosen_by: Selection | Guest, name: str) -> ResponseReturnValue:
    title = f"{album.title}: {name}"
    chosen = proofing.assets_of(g.site.session, album, chosen_by)
    count = len(chosen)
    made = arrivals.copy(g.site, chosen, title)
    note("selection.copied", album=made, count=count)
    return done(_("This is the new album. Its pictures are being made."), back=album_url(made.id))


def _file(kind: str, album: Album, guest: Guest, name: str, assets: list[Asset]) -> Response:
    if kind == "csv":
        body, content_type = _table(guest, name, assets), "text/csv; charset=utf-8"
    elif kind == "txt":
        names = [PurePosixPath(asset.filename).stem for asset in assets]
        body, content_type = ", ".join(names) + "\n", "text/plain; charset=utf-8"
    else:
        raise Problem("not-found")
    response = Response(body, content_type=content_type)
    response.headers["Content-Disposition"] = disposition(f"{album.title} - {name}.{kind}".replace("/", "-"))
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _table(guest: Guest, name: str, assets: list[Asset]) -> str:
    """CSV (RFC 4180) with a byte order mark, without which Excel takes UTF-8 for something else."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow([_("File name"), _("Caption"), _("Guest"), _("Selection")])
    for asset in assets:
        table.writerow([harmless(cell) for cell in (asset.filename, asset.caption, guest.name, name)])
    return "\ufeff" + text.getvalue()


def harmless(cell: str) -> str:
    """The cell as text: an apostrophe goes before what would be a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
