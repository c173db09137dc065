"""What was deleted, the way back, and the end of it."""

from flask import g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext
from sqlalchemy import func, select, update

from infra.errors import Problem
from tenants.catalog import Album, Asset
from tenants.people import Role
from webapp.auth import require
from webapp.dashboard import queries
from webapp.dashboard.answers import done
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note

DAYS = 30
"""How long the keeper leaves things in the trash (`processor/reconcile.py`)."""


@bp.get("/trash")
@require(Role.EDITOR)
def trash() -> ResponseReturnValue:
    albums, groups = queries.trash(g.site.session)
    counts = queries.trash_counts(g.site.session)
    return render_template("dashboard/trash.html", albums=albums, groups=groups, counts=counts, days=DAYS)


@bp.post("/trash/empty")
@require(Role.EDITOR)
def empty_trash() -> ResponseReturnValue:
    """For good: `sure` must come along. The keeper removes the files and their storage within minutes."""
    if request.form.get("sure") != "yes":
        raise Problem("invalid", "Say that you are sure: nothing brings these back.", field="sure")
    now, session = g.site.now(), g.site.session
    emptied = 0
    for table in (Asset, Album):
        waiting = (table.tenant_id == g.site.tenant_id, table.deleted_at.is_not(None), table.emptied_at.is_(None))
        emptied += session.scalar(select(func.count()).select_from(table).where(*waiting)) or 0
        session.execute(
            update(table).where(*waiting).values(emptied_at=now).execution_options(synchronize_session=False)
        )
    note("trash.emptied", count=emptied)
    message = ngettext("%(num)s item is gone for good.", "%(num)s items are gone for good.", emptied)
    return done(message, back=url_for("dashboard.trash"), count=emptied)
