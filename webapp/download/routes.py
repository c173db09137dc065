"""The page where a visitor chooses, and the archive itself."""

from babel.units import format_unit
from flask import Blueprint, Response, current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale

from infra.errors import Problem
from tenants import blanks, downloads, features
from tenants.catalog import Album
from tenants.delivered import COUNTED
from tenants.features import Feature
from tenants.scope import secret
from tenants.sharing import may, sees_marked
from webapp.download.choice import RIGHTS, File, Size, allowed, archive_of, etag_of, files_of
from webapp.download.slots import Slots
from webapp.download.stream import Stream
from webapp.limits import visitor
from webapp.site import listing, placeless
from webapp.site.blueprint import album_or_404
from webapp.site.sending import Whole, answer_for, disposition

download = Blueprint("download", __name__)

UNITS = (("gigabyte", 1e9), ("megabyte", 1e6), ("kilobyte", 1e3), ("byte", 1))


@download.before_request
def _unless_off() -> None:
    """Single originals are sent by the album site and go on."""
    features.require(g.site.session, g.site.tenant_id, Feature.ARCHIVES)


@download.get("/a/<slug>/download")
def choose(slug: str) -> ResponseReturnValue:
    """The whole album in each size that the visitor may have, and a form to choose single photos with."""
    album = album_or_404(slug)
    sizes = allowed(g.viewer, album)
    if not sizes:
        raise Problem("not-found")
    page = _page(album)
    offers = [(size, _all_files(album, size)) for size in sizes]
    return render_template(
        "site/download.html",
        album=album,
        page=page,
        csrf_wanted=True,
        offers=[(size, len(files), amount(sum(file.size for file in files))) for size, files in offers if files],
    )


@download.post("/a/<slug>/zip")
def select(slug: str) -> ResponseReturnValue:
    """Keep the form's `id`s as a selection and go to its archive, whose address can be resumed."""
    album = album_or_404(slug)
    size = _size(album, request.form.get("size", ""))
    made = downloads.make(g.site.session, album, request.form.getlist("id"), now=g.site.now())
    if not made.asset_ids:
        raise Problem("invalid", "Choose at least one photo, then download.")
    address = url_for("download.archive", slug=album.slug, size=size.value, list=made.id)
    g.site.session.commit()
    return redirect(address, 303)


@download.get("/a/<slug>/zip")
def archive(slug: str) -> Response:
    """The album, or the selection `list`, as a ZIP file. 200, 206, 304 or 416, as conditions and range ask; 429 or 503
    with Retry-After while too many are under way."""
    album = album_or_404(slug)
    files = _files(album, _size(album, request.args.get("size", "")))
    packed = archive_of(files)
    response, window = answer_for(
        Whole(packed.size, etag_of(files)), content_type="application/zip", cache="private, no-cache"
    )
    response.headers["Content-Disposition"] = disposition(f"{album.title}.zip")
    response.headers["X-Robots-Tag"] = "noindex"
    if window is None:
        return response
    body = Stream(packed, files, g.site.blobs, window=window, album_id=album.id)
    # From here on nothing needs the database: a connection must not be held for as long as a download takes.
    g.site.session.rollback()
    slots: Slots = current_app.extensions["vitrine.downloads"]
    response.call_on_close(slots.take(visitor()))
    response.response = body
    request.environ[COUNTED] = True  # What the client takes of it, once it is over.
    return response


def _size(album: Album, asked: str) -> Size:
    """Raises `Problem` for what is no size, or one that this visitor may not have."""
    size = next((size for size in Size if size.value == asked), None)
    if size is None or not may(g.viewer, RIGHTS[size], album):
        raise Problem("not-found")
    return size


def _files(album: Album, size: Size) -> list[File]:
    only = None
    if "list" in request.args:
        only = downloads.chosen(g.site.session, album, request.args["list"], now=g.site.now())
        if only is None:
            raise Problem("gone", "This selection is no longer kept. Choose the photos again.")
    files = _all_files(album, size, only)
    if not files:
        raise Problem("not-found", "There is nothing to download yet.")
    if size is Size.ORIGINAL and blanks.wanted(g.viewer, g.site.tenant, album):
        unknown = [file.asset_id for file in files if file.blanks is None]
        if unknown:
            placeless.ask(*unknown)
    return files


def _all_files(album: Album, size: Size, only: frozenset[str] | None = None) -> list[File]:
    """As this viewer may have them."""
    marked, without = sees_marked(g.viewer, album), blanks.wanted(g.viewer, g.site.tenant, album)
    return files_of(g.site.session, album, size, only, marked=marked, placeless=without)


def _page(album: Album) -> listing.Page:
    cursors = listing.Cursors(secret(), album)
    after, before = request.args.get("after"), request.args.get("before")
    try:
        return listing.page(
            g.site.session, album, cursors, after=after, before=None if after else before, size=listing.PAGE_SIZE
        )
    except ValueError:
        raise Problem("not-found") from None


def amount(size: int) -> str:
    """Bytes as people write them: `3.2 GB`."""
    unit, worth = next((unit, worth) for unit, worth in UNITS if size >= worth or worth == 1)
    value = round(size / worth, 1 if worth > 1 and size < 10 * worth else None)
    text: str = format_unit(value, f"digital-{unit}", "short", locale=get_locale())
    return text
