"""How often the tenant's pages are seen."""

from datetime import date, timedelta

from flask import g, render_template, request
from flask.typing import ResponseReturnValue

from infra.sql import reading
from tenants import catalog, visits
from tenants.names import is_id
from tenants.people import Role
from webapp.auth import require
from webapp.dashboard import places, queries
from webapp.dashboard.mount import bp

SPANS = (7, 30, 90, 365)
CHART_HEIGHT = 100


@bp.get("/visits")
@require(Role.EDITOR)
def visits_page() -> ResponseReturnValue:
    """`days` is one of `SPANS`, `album` an id."""
    days = request.args.get("days", 30, type=int)
    days = days if days in SPANS else 30
    with reading():
        asked = request.args.get("album", "")
        album = catalog.album_by_id(g.site.session, g.site.tenant_id, asked) if is_id(asked) else None
        today = g.site.now().date()
        found = visits.report(
            g.site.session, today - timedelta(days=days - 1), today, album=album.id if album is not None else ""
        )
        queries.load_pictures(g.site.session, [asset for asset, _, _ in found.top])
        return render_template(
            "dashboard/visits.html",
            found=found,
            days=days,
            spans=SPANS,
            album=album,
            albums=places.others(),
            columns=_columns(found.days),
            most=max((views for _, views, _ in found.days), default=0),
        )


def _columns(days: list[tuple[date, int, int]]) -> list[tuple[float, float, float, float]]:
    """Of the chart, in a box of 100 by `CHART_HEIGHT`: where a day's column begins, how wide it is, and how high views
    and visitors are."""
    most = max((max(views, visitors) for _, views, visitors in days), default=0) or 1
    step = 100 / len(days)
    scale = CHART_HEIGHT / most
    return [
        (round(number * step, 3), round(step * 0.8, 3), round(views * scale, 2), round(visitors * scale, 2))
        for number, (_, views, visitors) in enumerate(days)
    ]
