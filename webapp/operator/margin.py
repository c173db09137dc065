"""What each tenant brings in and costs."""

from datetime import datetime, timedelta

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import format_currency

from infra.errors import Problem
from tenants import margins
from tenants.db import db
from tenants.margins import Margins
from webapp.operator.mount import bp, now


@bp.get("/margin")
def margin() -> ResponseReturnValue:
    """Of the month that `month` names (`2026-02`), this one by default."""
    found = _found()
    before, after = found.start - timedelta(days=1), found.end
    return render_template("operator/margin.html", found=found, before=before, after=after if after <= now() else None)


@bp.get("/margin.csv")
def margin_csv() -> ResponseReturnValue:
    found = _found()
    name = f"margin-{found.start:%Y-%m}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(margins.as_csv(found), content_type="text/csv; charset=utf-8", headers=headers)


def _found() -> Margins:
    asked = now()
    if text := request.args.get("month"):
        try:
            asked = datetime.strptime(text, "%Y-%m").replace(tzinfo=asked.tzinfo)
        except ValueError:
            raise Problem("not-found") from None
    if not asked.year >= 2000 or asked > now():
        raise Problem("not-found")
    return margins.of_app().margins(db.session(), asked.year, asked.month, now())


@bp.app_template_filter("money")
def money(cents: int, currency: str) -> str:
    """Minor units as the reader's region writes money."""
    return str(format_currency(cents / 100, currency.upper()))
