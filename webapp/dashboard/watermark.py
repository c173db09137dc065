"""The watermark: what it looks like, who sees it, how far its pictures are; and a preview on one of the photos."""

import contextlib
import hashlib
import io
from dataclasses import dataclass

from flask import Response, g, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from PIL import Image
from sqlalchemy import select

from infra.errors import BlobExists, BlobMissing, Problem
from infra.sql import reading
from tenants import audit, purges, watermarks
from tenants.catalog import SHOWN, Asset, Kind, Rendition
from tenants.mark_layout import Position
from tenants.names import brand_key, rendition_key
from tenants.people import Role
from tenants.registry import Tenant
from tenants.watermarks import Source, Watermark
from webapp.auth import require
from webapp.brand import mark, pictures
from webapp.dashboard.answers import done
from webapp.dashboard.brand_sample import SHEETS
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.dashboard.watermark_form import LookForm, WatermarkForm, lacking, shown

PREVIEW_WIDTH = 1280


@dataclass(frozen=True)
class Drawn:
    """What was stored for the form: the mark, and the picture that it was made from if one was sent or kept."""

    sha256: str
    picture_sha256: str | None


@bp.route("/watermark", methods=["GET", "POST"])
@require(Role.ADMIN)
def watermark() -> ResponseReturnValue:
    with reading():
        present = watermarks.of(g.site)
        form = WatermarkForm(data=shown(g.site.tenant, present))
        # What the button of the preview sends is shown and not kept: it works without scripts.
        saves = form.validate_on_submit() and "preview" not in request.form
        kept = present.picture_sha256 if present else None
    if saves and (drawn := _stored(form, kept)) is not None:
        _save(form, drawn)
        return done(_("The watermark is saved."), back=url_for("dashboard.watermark"))
    with reading():
        page = render_template(
            "dashboard/watermark.html",
            form=form,
            kept=_small(kept),
            progress=watermarks.progress(g.site),
            preview=url_for("dashboard.watermark_preview", **form.look()),
        )
    return page, 422 if form.errors else 200


@bp.get("/watermark/preview.jpg")
@require(Role.ADMIN)
def watermark_preview() -> Response:
    """The look that the query describes, on the newest photo. A picture that is not saved yet is not in it."""
    with reading():
        form = LookForm(request.args, data=shown(g.site.tenant, watermarks.of(g.site)))
        if not form.validate():
            raise Problem("invalid", str(next(iter(form.errors.values()))[0]))
        present = watermarks.of(g.site)
        made = _mark(form, present.picture_sha256 if present else None)
        photo = _newest_photo()
    position = Position(form.position.data)
    body = mark.on_photo(photo, made, position, form.size.data, form.opacity.data) if made else _encoded(photo)
    response = Response(body, content_type="image/jpeg")
    response.headers["Cache-Control"] = "private, no-store"
    return response


@bp.get("/watermark/progress")
@require(Role.ADMIN)
def watermark_progress() -> Response:
    with reading():
        now = watermarks.progress(g.site)
    return jsonify({"done": now.done, "of": now.of})


def _stored(form: WatermarkForm, kept: str | None) -> Drawn | None:
    """Keep what the form makes; None, with the form's error set, if it makes nothing."""
    g.site.session.rollback()  # Pictures are decoded and stored now: not while holding SQLite's write lock.
    sent = form.picture.data
    try:
        if sent:
            kept = _keep(mark.picture(sent.stream.read(pictures.MAX_BYTES + 1)))
    except Problem as problem:
        form.picture.errors = [problem.detail]
        return None
    with reading():
        drawn = _mark(form, kept)
        g.site.session.rollback()
    if drawn is None:
        form.source.errors = [_why_not(Source(form.source.data))]
        return None
    return Drawn(_keep(drawn), kept)


def _mark(form: LookForm, picture_sha256: str | None) -> bytes | None:
    """The PNG that the form describes; None where there is no logo or picture to make it from, or no letters."""
    source = Source(form.source.data)
    if source is Source.TEXT:
        brand = g.site.tenant.brand
        text = form.text.data or f"© {g.site.tenant.name}"
        return None if mark.unknown(text) else mark.words(text, brand.heading_font or brand.font)
    sha256 = g.site.tenant.brand.logo_sha256 if source is Source.LOGO else picture_sha256
    if sha256 is None:
        return None
    try:
        with g.site.blobs.open(brand_key(g.site.tenant_id, sha256)) as stored:
            return mark.picture(stored.read())
    except BlobMissing:
        return None


def _why_not(source: Source) -> str:
    """Why there is no PNG."""
    if source is Source.TEXT:
        return lacking(mark.unknown(g.site.tenant.name))
    if source is Source.PICTURE:
        return str(_("There is no picture yet: choose one below."))
    return str(_("There is no logo yet: add one to your brand first."))


def _small(sha256: str | None) -> str | None:
    try:
        with g.site.blobs.open(brand_key(g.site.tenant_id, sha256 or "0" * 64)) as stored:
            return mark.small(stored.read())
    except BlobMissing:
        return None


def _keep(png: bytes) -> str:
    sha256 = hashlib.sha256(png).hexdigest()
    with contextlib.suppress(BlobExists):  # The same was kept before.
        g.site.blobs.put(brand_key(g.site.tenant_id, sha256), png, content_type="image/png")
    return sha256


def _save(form: WatermarkForm, drawn: Drawn) -> None:
    """Within the current transaction. Photos without the mark are asked for again, the first of them at once."""
    tenant: Tenant = g.site.session.get_one(Tenant, g.site.tenant_id)
    present = watermarks.of(g.site)
    if present is None:
        present = Watermark(tenant_id=g.site.tenant_id)
        g.site.session.add(present)
    was = audit.snapshot(present)
    present.source, present.text = Source(form.source.data), form.text.data
    present.picture_sha256, present.drawn_sha256 = drawn.picture_sha256, drawn.sha256
    present.position = Position(form.position.data)
    present.size, present.opacity, present.full = form.size.data, form.opacity.data, form.full.data
    if form.marks.data and not tenant.marks:
        purges.close_all(g.site)
    shown_before, tenant.marks = tenant.marks, form.marks.data
    changed = audit.difference(was, present)
    if tenant.marks is not shown_before:
        changed["marks"] = [shown_before, tenant.marks]
    note("watermark.changed", changed=changed)
    g.site.session.flush()
    watermarks.ask(g.site)


def _newest_photo() -> Image.Image:
    """One of the tenant's, or a coloured sheet until there is one."""
    wanted = (
        select(Asset.id, Asset.generation, Rendition.name)
        .join(
            Rendition,
            (Rendition.tenant_id == Asset.tenant_id)
            & (Rendition.asset_id == Asset.id)
            & (Rendition.generation == Asset.generation),
        )
        .where(Asset.kind == Kind.PHOTO, Asset.state.in_(SHOWN), Asset.deleted_at.is_(None), Asset.held.is_(False))
        .where(Rendition.name.like("w%.jpg"), Rendition.width <= PREVIEW_WIDTH)
        .order_by(Asset.id.desc(), Rendition.width.desc())
        .limit(1)
    )
    row = g.site.session.execute(wanted).first()
    try:
        if row is not None:
            with g.site.blobs.open(rendition_key(g.site.tenant_id, *row)) as stored:
                return Image.open(io.BytesIO(stored.read())).convert("RGB")
    except BlobMissing:
        pass  # Lost, and made again by whoever shows it.
    return _sheet()


def _sheet() -> Image.Image:
    _ratio, one, other = SHEETS[0]
    size = (960, 640)
    return Image.composite(Image.new("RGB", size, other), Image.new("RGB", size, one), _shade(size))


def _shade(size: tuple[int, int]) -> Image.Image:
    return Image.linear_gradient("L").resize(size)


def _encoded(photo: Image.Image) -> bytes:
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=85)
    return out.getvalue()
