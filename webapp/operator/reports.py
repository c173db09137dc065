"""Reports of visitors: looking at what was reported, taking it down everywhere, or leaving it."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import func, select

from infra.errors import Problem
from infra.sql import reading
from tenants import abuse, blocklist, purges, registry
from tenants.abuse import AbuseReport, ReportState
from tenants.blocklist import BlockedHash
from tenants.catalog import Album, Asset, Rendition
from tenants.db import across_tenants, db
from tenants.names import is_id, rendition_key
from tenants.scope import Site, open_site
from webapp.operator.mount import bp, done, note, now, reason, signed_in
from webapp.site.reporting import REASONS
from webapp.site.sending import send_blob

SHOWN = 100


@bp.get("/reports")
def reports() -> ResponseReturnValue:
    """The open ones, or with `all` those that were judged too."""
    everything = "all" in request.args
    session = db.session()
    with reading():
        with across_tenants(session, "reports of every tenant"):
            found = abuse.listed(session, open_only=not everything, limit=SHOWN)
        blocked = session.scalar(select(func.count()).select_from(BlockedHash)) or 0
        return render_template(
            "operator/reports.html", found=found, everything=everything, reasons=REASONS, blocked=blocked
        )


@bp.get("/reports/<tenant_id>/<report_id>")
def report(tenant_id: str, report_id: str) -> ResponseReturnValue:
    with reading(), _site(tenant_id) as site:
        found = _report(site, report_id)
        album: Album | None = site.session.get(Album, (tenant_id, found.album))
        asset: Asset | None = site.session.get(Asset, (tenant_id, found.asset)) if found.asset else None
        still = _still(site, asset) if asset else None
        # Looking across tenants detaches what was loaded before: it is all there.
        holders = len(blocklist.holders(site.session, asset.sha256)) if asset else 0
        return render_template(
            "operator/report.html",
            found=found,
            tenant=site.tenant,
            album=album,
            asset=asset,
            still=still,
            holders=holders,
            reasons=REASONS,
        )


@bp.get("/reports/<tenant_id>/<report_id>/picture")
def reported_picture(tenant_id: str, report_id: str) -> Response:
    """A small rendition of what was reported, whoever may see its album: the operator has to judge it."""
    with reading(), _site(tenant_id) as site:
        found = _report(site, report_id)
        asset: Asset | None = site.session.get(Asset, (tenant_id, found.asset)) if found.asset else None
        still = _still(site, asset) if asset else None
        if asset is None or still is None:
            raise Problem("not-found")
        key = rendition_key(tenant_id, asset.id, still.generation, still.name)
        return send_blob(site.blobs, key, content_type=still.content_type, cache="private, no-store")


@bp.post("/reports/<tenant_id>/<report_id>/take-down")
def take_down(tenant_id: str, report_id: str) -> ResponseReturnValue:
    """The file is blocked by its SHA-256 first, so that no upload slips in, then hidden at every tenant that has it."""
    why = reason()
    with _site(tenant_id) as site:
        found = _report(site, report_id)
        asset: Asset | None = site.session.get(Asset, (tenant_id, found.asset)) if found.asset else None
        if asset is None:
            raise Problem("conflict", "The photo that was reported is gone. Dismiss the report.")
        sha256 = asset.sha256
        blocklist.block(
            site.session, sha256, who=signed_in(), reason=found.reason.value, report_id=report_id, now=now()
        )
        abuse.close(found, ReportState.TAKEN_DOWN, signed_in(), now())
        note("report.take-down", tenant=tenant_id, subject=report_id, sha256=sha256, why=why)
        site.session.commit()
        owners = blocklist.holders(site.session, sha256)
    hidden = sum(blocklist.take_down(owner, sha256) for owner in owners)
    purges.send_all()
    message = ngettext("%(num)d copy is taken down.", "%(num)d copies are taken down.", hidden)
    return done(message, url_for("operator.reports"))


@bp.post("/reports/<tenant_id>/<report_id>/dismiss")
def dismiss(tenant_id: str, report_id: str) -> ResponseReturnValue:
    why = reason()
    with _site(tenant_id) as site:
        abuse.close(_report(site, report_id), ReportState.DISMISSED, signed_in(), now())
        note("report.dismiss", tenant=tenant_id, subject=report_id, why=why)
        return done(_("The report is dismissed."), url_for("operator.reports"))


@bp.get("/blocked")
def blocked() -> ResponseReturnValue:
    with reading():
        found = db.session.scalars(select(BlockedHash).order_by(BlockedHash.created_at.desc()).limit(SHOWN)).all()
        return render_template("operator/blocked.html", found=found, reasons=REASONS)


@bp.post("/blocked/<sha256>/lift")
def lift_block(sha256: str) -> ResponseReturnValue:
    """The file is accepted again; what was taken down stays down until it is uploaded anew."""
    why = reason()
    found = db.session.get(BlockedHash, sha256)
    if found is None:
        raise Problem("not-found")
    db.session.delete(found)
    note("block.lift", subject=sha256, why=why)
    return done(_("The file is accepted again."), url_for("operator.blocked"))


@contextmanager
def _site(tenant_id: str) -> Iterator[Site]:
    if not is_id(tenant_id) or registry.by_id(db.session(), tenant_id) is None:
        raise Problem("not-found")
    with open_site(tenant_id) as site:
        yield site


def _report(site: Site, report_id: str) -> AbuseReport:
    found: AbuseReport | None = site.session.get(AbuseReport, (site.tenant_id, report_id)) if is_id(report_id) else None
    if found is None:
        raise Problem("not-found")
    return found


def _still(site: Site, asset: Asset) -> Rendition | None:
    """About as wide as the page shows it."""
    return site.session.scalar(
        select(Rendition)
        .where(
            Rendition.asset_id == asset.id,
            Rendition.generation == asset.generation,
            Rendition.content_type == "image/jpeg",
            Rendition.width >= 320,
        )
        .order_by(Rendition.width, Rendition.name)
        .limit(1)
    )
