"""The audit log as a page and as a file."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from flask import Response, g, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.sql import reading
from tenants import audit
from tenants.audit import ACTIONS, GROUPS, AuditEvent, Wanted
from tenants.names import is_id
from tenants.people import Role
from webapp.auth import require
from webapp.dashboard.exports import harmless
from webapp.dashboard.mount import bp
from webapp.site.sending import disposition

EVENTS_A_PAGE = 50
ROWS_AT_ONCE = 500
COLUMNS = ("time", "who", "action", "about", "count", "album", "address", "browser", "request", "details")


@bp.get("/log")
@require(Role.ADMIN)
def audit_log() -> ResponseReturnValue:
    """Filters: `member`, `action`, `album` (an id), `words`, `first` and `last` (days in UTC); `before` goes on."""
    wanted = _wanted()
    before = request.args.get("before", "")
    events, following = audit.page(g.site.session, wanted, size=EVENTS_A_PAGE, before=before if is_id(before) else "")
    return render_template(
        "dashboard/log.html",
        events=events,
        following=url_for(".audit_log", **_query(wanted), before=following) if following else None,
        export=url_for(".audit_export", **_query(wanted)),
        wanted=wanted,
        filtered=wanted != Wanted(),
        people=audit.people(g.site.session),
        groups={group: [a for a in ACTIONS if a.partition(".")[0] == group] for group in GROUPS},
        group_names=GROUPS,
        actions=ACTIONS,
    )


@bp.get("/log.csv")
@require(Role.ADMIN)
def audit_export() -> Response:
    """What the filters leave, all of it, the latest first, as CSV (RFC 4180). It is sent while it is read."""
    response = Response(stream_with_context(_rows(_wanted())), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = disposition(f"{g.site.tenant.slug}-log-{g.site.now():%Y-%m-%d}.csv")
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _rows(wanted: Wanted) -> Iterator[str]:
    """With a byte order mark, without which Excel takes UTF-8 for something else."""
    yield "\ufeff" + _line(COLUMNS)
    before: str | None = ""
    while before is not None:
        with reading():
            events, before = audit.page(g.site.session, wanted, size=ROWS_AT_ONCE, before=before)
            lines = [_line(_cells(event)) for event in events]
            g.site.session.rollback()
        yield "".join(lines)


def _cells(event: AuditEvent) -> tuple[str, ...]:
    details = json.dumps(event.details, ensure_ascii=False) if event.details else ""
    told = (event.about, str(event.count), event.album, event.address, event.agent, event.request, details)
    return (event.at.isoformat(timespec="seconds"), event.who, event.action, *told)


def _line(cells: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([harmless(cell) for cell in cells])
    return text.getvalue()


def _wanted() -> Wanted:
    """What the query asks for; what makes no sense in it is passed over."""
    member, album = request.args.get("member", ""), request.args.get("album", "")
    action = request.args.get("action", "")
    return Wanted(
        member=member if is_id(member) else "",
        action=action if action in ACTIONS or action in GROUPS else "",
        album=album if is_id(album) else "",
        words=request.args.get("words", "").strip()[:100],
        first=_day("first"),
        last=_day("last"),
    )


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None


def _query(wanted: Wanted) -> dict[str, Any]:
    return {name: str(value) for name, value in vars(wanted).items() if value}


@bp.app_template_filter("values_told")
def values_told(value: object) -> str:
    """A value before or after a change, as people read it."""
    if value in (None, "", []):
        return str(_("nothing"))
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
