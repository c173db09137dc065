"""The first steps: from a new tenant to an album that somebody else can see. Told from what is there, nothing is kept
but whether the tenant wants to see them."""

from dataclasses import dataclass

from flask import g, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

from infra.errors import N_
from tenants.catalog import SHOWN, Album, Asset, Visibility
from tenants.people import Role
from tenants.registry import Tenant
from tenants.sharing import ShareLink
from webapp.auth import require
from webapp.dashboard.answers import done
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note


@dataclass(frozen=True)
class Step:
    title: str
    why: str
    deed: str
    link: str
    done: bool


def steps() -> list[Step]:
    """None once they are all done, or the tenant has put them away, or for who may not do them."""
    role = g.viewer.role
    tenant: Tenant = g.site.tenant
    if tenant.guide_hidden or role is None or not role.at_least(Role.EDITOR):
        return []
    session = g.site.session
    album = session.scalar(select(Album.id).where(Album.deleted_at.is_(None)).order_by(Album.id).limit(1))
    photo = session.execute(
        select(Asset.album_id).where(Asset.deleted_at.is_(None), Asset.state.in_(SHOWN)).limit(1)
    ).first()
    shown = Album.visibility != Visibility.PRIVATE
    shared = session.scalar(select(ShareLink.id).where(ShareLink.revoked_at.is_(None)).limit(1)) or session.scalar(
        select(Album.id).where(Album.deleted_at.is_(None), shown).limit(1)
    )
    if album and photo and shared:
        return []
    into = photo[0] if photo else album
    found = [
        Step(
            N_("Create an album"),
            N_("For a wedding, a trip, a client: whatever belongs together. Nobody sees it before you share it."),
            N_("Create an album"),
            url_for("dashboard.new_album"),
            bool(album),
        ),
        Step(
            N_("Add photos and videos"),
            N_("Drop a folder on the album’s page. Uploads go on where they stopped, even after a lost connection."),
            N_("Add photos and videos"),
            url_for("dashboard.album", album_id=into) if into else url_for("dashboard.new_album"),
            bool(photo),
        ),
        Step(
            N_("Share it"),
            N_("Make a link, with a password if you like, and send it. Or make the album public."),
            N_("Make a link"),
            url_for("dashboard.shares", album_id=into) if into else url_for("dashboard.new_album"),
            bool(shared),
        ),
    ]
    return [*_brand(role, tenant), *found]


def _brand(role: Role, tenant: Tenant) -> list[Step]:
    """The look, for who may change it."""
    if not role.at_least(Role.ADMIN):
        return []
    own = bool(tenant.brand.logo_sha256 or tenant.brand.tagline or tenant.brand.accent != "#3a5a78")
    title, why = N_("Make it look like yours"), N_("Your logo, your colour, your words: visitors see nobody else’s.")
    return [Step(title, why, N_("Set up the brand"), url_for("dashboard.brand"), own)]


@bp.post("/guide/hide")
@require(Role.EDITOR)
def hide_guide() -> ResponseReturnValue:
    tenant: Tenant = g.site.session.get_one(Tenant, g.site.tenant_id)
    tenant.guide_hidden = True
    note("guide.hidden")
    return done(_("The first steps are put away."), back=url_for("dashboard.albums"))
