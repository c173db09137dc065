"""What the operator tells all members, on top of every page of the dashboard until they put it away."""

from collections.abc import Sequence

from flask import g, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.errors import Problem
from infra.sql import reading
from tenants import announcements as told
from tenants.announcements import Announcement
from tenants.people import Role
from webapp.auth import require
from webapp.dashboard.answers import done
from webapp.dashboard.mount import bp

REMEMBERED = 10
"""Of those that were put away, in the session; the oldest falls out, long after it has ended."""


@bp.app_template_global()
def announced() -> Sequence[Announcement]:
    put_away = session.get("put_away", [])
    with reading():
        return [each for each in told.current(g.site.session, g.site.now()) if each.id not in put_away]


@bp.post("/announcements/<announcement_id>/seen")
@require(Role.VIEWER)
def seen_announcement(announcement_id: str) -> ResponseReturnValue:
    """Put away in this browser."""
    if g.site.session.get(Announcement, announcement_id) is None:
        raise Problem("not-found")
    session["put_away"] = [*session.get("put_away", []), announcement_id[:26]][-REMEMBERED:]
    return done(_("It is put away."), back=url_for("dashboard.albums"))
