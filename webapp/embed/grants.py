"""Frames by grant: albums, private ones too, on the sites that a tenant named.

`/embed/~<key>` is what stands in the embedding page. It looks where the request comes from, mints a token and goes on
to `/embed/~<key>/at/<token>`, which needs no cookie. What that proves: browsers do not let a page forge the Referer or
Sec-Fetch-Dest of a frame, so other sites cannot show the album to anyone. It is no proof against a program, which says
what it likes: who knows the key can have the album's pictures. `frame-ancestors` has the browser check once more.
"""

from typing import Any
from urllib.parse import urlsplit

from flask import g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from infra.errors import Problem
from tenants import catalog, embeds
from tenants.catalog import Album
from tenants.embeds import EmbedGrant
from tenants.scope import secret
from tenants.sharing import Action, Viewer, may
from tenants.usage import Meter
from webapp import canonical, headers
from webapp.embed.blueprint import embed, look_as
from webapp.embed.frames import Frame, album_page, photo_page
from webapp.host import writing
from webapp.limits import limiter

FRAMES = frozenset({"iframe", "frame", "embed", "object"})
"""Sec-Fetch-Dest (Fetch Metadata) of what is shown inside another page."""


@embed.get("/embed/~<key>")
@embed.get("/embed/~<key>/<slug>")
@limiter.limit("120 per minute")
def gate(key: str, slug: str | None = None) -> ResponseReturnValue:
    """Checks the embedding page's origin, counts the view, and goes to the frame. `slug` names the album where the
    grant is for the whole site."""
    grant = _live(key)
    album = _album_of(grant, slug)
    _refuse_tabs()
    if _embedding_origin() not in grant.allowed_origins:
        raise Problem("origin", "Whoever runs this album can add the website to the embedding's list.")
    token = embeds.mint(secret(), grant, album, now=g.site.now())
    own: dict[str, Any] = {name: request.args[name] for name in ("photos", "theme") if name in request.args}
    answer = redirect(url_for("embed.granted", key=key, token=token, **own), 303)
    answer.headers["Cache-Control"] = "no-store"
    headers.frame_by(*grant.allowed_origins)
    _count(grant, album)
    return answer


@embed.get("/embed/~<key>/at/<token>")
def granted(key: str, token: str) -> ResponseReturnValue:
    album, frame = _opened(key, token)
    return album_page(album, frame)


@embed.get("/embed/~<key>/at/<token>/<asset_id>")
def granted_photo(key: str, token: str, asset_id: str) -> ResponseReturnValue:
    album, frame = _opened(key, token)
    return photo_page(g.viewer, album, asset_id, frame)


def _live(key: str) -> EmbedGrant:
    """Asked anew by each page of a frame, so a grant that is switched off ends at once."""
    grant = embeds.by_key(g.site.session, key)
    if grant is None:
        raise Problem("not-found", "This embedding does not exist, or was switched off.")
    return grant


def _album_of(grant: EmbedGrant, slug: str | None) -> Album:
    session = g.site.session
    if grant.album_id is not None:
        album = catalog.album_by_id(session, g.site.tenant_id, grant.album_id)
        album = album if slug in (None, album.slug if album else None) else None
    else:
        album = catalog.album_by_slug(session, slug) if slug else None
    return _checked(grant, album)


def _viewer(grant: EmbedGrant, album: Album) -> Viewer:
    return grant.viewer(album, marks=g.site.tenant.marks)


def _checked(grant: EmbedGrant, album: Album | None) -> Album:
    if album is None or not grant.covers(album) or not may(_viewer(grant, album), Action.VIEW, album):
        raise Problem("not-found")
    return album


def _opened(key: str, token: str) -> tuple[Album, Frame]:
    """What the token opens. The answer's frames are bound to the grant's sites, an expired token's as well."""
    grant = _live(key)
    found = embeds.read(secret(), token)
    if found is None or found.grant_id != grant.id:
        raise Problem("not-found")
    _refuse_tabs()
    headers.frame_by(*grant.allowed_origins)
    if found.expires <= g.site.now().timestamp():
        raise Problem("gone", "This has been open for a while. Reload the page.")
    album = _checked(grant, catalog.album_by_id(g.site.session, g.site.tenant_id, found.album_id))
    fresh = embeds.mint(secret(), grant, album, now=g.site.now())
    look_as(_viewer(grant, album))
    return album, Frame(url_for("embed.granted", key=key, token=fresh), inside=not canonical.is_open(album))


def _refuse_tabs() -> None:
    """A frame's address opened by itself would be a way around the list of sites. Older browsers do not say."""
    if request.headers.get("Sec-Fetch-Dest", "iframe") not in FRAMES:
        raise Problem("origin", "This address works only inside the page that it was made for.")


def _embedding_origin() -> str:
    """Of the page that has the frame: a frame's navigation sends no Origin, but a Referer, cut to the origin at least
    where our snippets ask for it (`referrerpolicy`)."""
    try:
        parts = urlsplit(request.headers.get("Origin") or request.headers.get("Referer") or "")
        return f"{parts.scheme}://{parts.netloc.lower()}"
    except ValueError:
        return ""


def _count(grant: EmbedGrant, album: Album) -> None:
    if request.method == "HEAD":
        return
    event, album_id = embeds.view_id(grant), album.id
    with writing():
        g.site.use(event, Meter.EMBED_VIEWS, 1, album_id=album_id)
