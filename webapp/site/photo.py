"""One photo or video: its page, its capture data, its original."""

from flask import Response, g, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.errors import N_
from tenants import tags
from tenants.catalog import Album, Asset
from tenants.names import original_key
from tenants.sharing import Action, may
from webapp.site import dates, listing
from webapp.site.blueprint import album_or_404, asset_or_404, site
from webapp.site.sending import send_blob

CAPTURE_FIELDS = (
    ("camera", N_("Camera")),
    ("lens", N_("Lens")),
    ("focal_length", N_("Focal length")),
    ("aperture", N_("Aperture")),
    ("exposure", N_("Exposure")),
    ("iso", N_("Sensitivity")),
)
"""The media attributes that pages show. What is not named here, `private.` ones above all, never reaches one."""


@site.get("/a/<slug>/<asset_id>")
def photo(slug: str, asset_id: str) -> ResponseReturnValue:
    """A page of its own for each photo: what the lightbox shows, for links and without scripts."""
    album = album_or_404(slug)
    asset = asset_or_404(album, asset_id)
    previous, following = listing.neighbours(g.site.session, album, asset)
    return render_template(
        "site/photo.html",
        album=album,
        tile=listing.tile_of(g.site.session, asset),
        facts=capture_facts(asset),
        tags=tags.of(g.site.session, [asset.id]).get(asset.id, []),
        previous=previous,
        following=following,
        may_download=may(g.viewer, Action.DOWNLOAD_ORIGINAL, (album, asset)),
    )


@site.get("/a/<slug>/<asset_id>/details")
def details(slug: str, asset_id: str) -> ResponseReturnValue:
    """The capture data as a fragment, for the lightbox's panel."""
    album = album_or_404(slug)
    asset = asset_or_404(album, asset_id)
    return render_template(
        "site/details.html",
        album=album,
        tile=listing.tile_of(g.site.session, asset),
        facts=capture_facts(asset),
        tags=tags.of(g.site.session, [asset.id]).get(asset.id, []),
        may_download=may(g.viewer, Action.DOWNLOAD_ORIGINAL, (album, asset)),
    )


@site.get("/a/<slug>/<asset_id>/original")
def original(slug: str, asset_id: str) -> Response:
    """The file as it was uploaded, under the name that it had."""
    album: Album = album_or_404(slug)
    asset = asset_or_404(album, asset_id, Action.DOWNLOAD_ORIGINAL)
    return send_blob(
        g.site.blobs,
        original_key(g.site.tenant_id, asset.id, asset.sha256),
        content_type=asset.content_type,
        cache="private, no-cache",
        download_as=asset.filename,
    )


def capture_facts(asset: Asset) -> list[tuple[str, str]]:
    """Labelled and ready to be shown."""
    stored = g.site.media.get(asset.id)
    facts = [(_(label), stored[name]) for name, label in CAPTURE_FIELDS if stored.get(name)]
    if asset.has_capture_time:
        facts.insert(0, (_("Taken"), dates.moment(asset.taken_at, asset.taken_offset)))
    if asset.width and asset.height:
        facts.append((_("Size"), f"{asset.width} × {asset.height}"))
    return facts
