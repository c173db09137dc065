"""Embedding an album in other sites: the lines to copy, and who may show what is not public."""

from datetime import timedelta
from urllib.parse import urlencode

from flask import g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.errors import Problem
from tenants import embeds, purges
from tenants.catalog import Album
from tenants.embeds import EmbedGrant
from tenants.people import Role
from webapp import canonical
from webapp.auth import require
from webapp.dashboard import lookup
from webapp.dashboard.answers import done, say
from webapp.dashboard.forms import EmbedForm
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.language import told

COUNTED = timedelta(days=30)


@bp.route("/albums/<album_id>/embed", methods=["GET", "POST"])
@require(Role.EDITOR)
def album_embeds(album_id: str) -> ResponseReturnValue:
    album = lookup.album_of(album_id)
    form = EmbedForm()
    if form.validate_on_submit() and _create(album, form):
        say(_("The embedding is made. Copy its lines into your page."))
        return redirect(url_for("dashboard.album_embeds", album_id=album_id), 303)
    grants = embeds.of_album(g.site.session, album)
    now = g.site.now()
    return render_template(
        "dashboard/embeds.html",
        album=album,
        form=form,
        grants=grants,
        views=embeds.views(g.site.session, grants, now - COUNTED, now) if grants else {},
        snippets=_snippets,
        open=canonical.is_open(album),
    ), 422 if form.errors else 200


def _create(album: Album, form: EmbedForm) -> bool:
    try:
        origins = embeds.origins_of(form.origins.data)
    except Problem as problem:
        form.origins.errors = [told(problem)]
        return False
    named = None if form.scope.data == "site" else album
    embeds.create(g.site.session, g.site.tenant_id, origins, now=g.site.now(), album=named, label=form.label.data)
    note("embed.made", album=album, origins=origins, scope=form.scope.data)
    g.site.session.commit()
    return True


def _snippets(album: Album, grant: EmbedGrant | None) -> list[tuple[str, str, str]]:
    """Name, explanation and text of what can be copied: for the grant, or for everyone where the album is open."""
    page, frame = canonical.album_url(album), canonical.frame_url(album)
    if grant is not None:
        frame = canonical.url(f"/embed/~{grant.key}" + (f"/{album.slug}" if grant.album_id is None else ""))
    shown: dict[str, object] = {"address": frame, "page": page, "title": album.title, "width": 800, "height": 600}
    script = _("Script"), _("As high as the album, loaded when it comes into view."), "embed/element.html"
    plain = _("Frame"), _("Where scripts are not allowed."), "embed/iframe.html"
    lines = [(name, hint, render_template(template, **shown).strip()) for name, hint, template in (script, plain)]
    if grant is None:
        return [*lines, (_("Link"), _("For editors that know oEmbed: paste it on a line of its own."), page)]
    asked = f"{canonical.origin()}/oembed?" + urlencode({"url": frame})
    return [*lines, ("oEmbed", _("For content management systems that take an oEmbed address."), asked)]


@bp.post("/albums/<album_id>/embed/<grant_id>/off")
@require(Role.EDITOR)
def switch_off_embed(album_id: str, grant_id: str) -> ResponseReturnValue:
    """The kill switch: open frames get no further page, and within seconds no further picture."""
    album = lookup.album_of(album_id)
    grant = embeds.by_id(g.site.session, g.site.tenant_id, grant_id)
    if grant is None or grant.album_id not in (None, album.id) or grant.revoked_at is not None:
        raise Problem("not-found")
    grant.revoked_at = g.site.now()
    purges.close(g.site, embeds.by_grant(grant.id))
    note("embed.ended", album=album, about=grant.label or album.title)
    return done(_("The embedding is switched off."), back=url_for("dashboard.album_embeds", album_id=album_id))
