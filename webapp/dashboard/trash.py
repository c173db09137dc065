"""What was deleted, and the way back."""

from flask import g, render_template
from flask.typing import ResponseReturnValue

from tenants.people import Role
from webapp.auth import require
from webapp.dashboard import queries
from webapp.dashboard.mount import bp


@bp.get("/trash")
@require(Role.EDITOR)
def trash() -> ResponseReturnValue:
    albums, groups = queries.trash(g.site.session)
    return render_template("dashboard/trash.html", albums=albums, groups=groups)
