"""Use and cost: the month so far with its forecast, invoices, and where each line of either comes from."""

from datetime import datetime, timedelta
from decimal import Decimal

from flask import Response, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_wtf import FlaskForm
from wtforms import DecimalField, IntegerField
from wtforms.validators import NumberRange, Optional

from infra.errors import Problem
from tenants.people import Role
from tenants.statements import NAMES, Line, Overview, Part, of_app
from webapp.auth import require
from webapp.dashboard.amounts import money
from webapp.dashboard.answers import done
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note

MOST_PARTS = 100
WARNINGS = (50, 80, 100)
"""Per cent of the budget at which the page says so."""
GB, MOST = 1_000_000_000, 1_000_000


class BudgetForm(FlaskForm):  # type: ignore[misc]  # the library has no types
    budget = DecimalField(
        lazy("Budget for a month"), [Optional(), NumberRange(0, MOST, lazy("An amount from 0 to a million."))], places=2
    )


class PriceForm(FlaskForm):  # type: ignore[misc]
    """Read by GET: it changes nothing, and its answer may be linked to."""

    class Meta:
        csrf = False

    photos = IntegerField(lazy("Photos"), [Optional(), NumberRange(0, MOST)], default=0)
    gigabytes = DecimalField(lazy("Gigabytes in all"), [Optional(), NumberRange(0, MOST)], default=0)
    minutes = IntegerField(lazy("Minutes of video"), [Optional(), NumberRange(0, MOST)], default=0)


@bp.route("/usage", methods=["GET", "POST"])
@require(Role.ADMIN)
def bill() -> ResponseReturnValue:
    found = of_app().overview(g.site)
    form = BudgetForm(data={"budget": None if found.budget is None else Decimal(found.budget) / 100})
    if form.validate_on_submit():
        amount = form.budget.data
        of_app().set_budget(g.site, None if amount is None else round(amount * 100))
        note("budget.changed", changed={"budget": [found.budget, None if amount is None else round(amount * 100)]})
        return done(_("The budget is saved.") if amount is not None else _("No budget is set."), back=url_for(".bill"))
    asked = PriceForm(request.args)
    wanted = bool(request.args) and asked.validate()
    page = render_template(
        "dashboard/bill.html",
        found=found,
        form=form,
        asked=asked,
        price=_asked_price(asked) if wanted else None,
        warning=_warning(found),
        shown=_shown(found),
    )
    return page, 422 if form.errors or asked.errors else 200


@bp.get("/usage/price")
@require(Role.EDITOR)
def price() -> ResponseReturnValue:
    """What files that are about to be uploaded would add to the month: `photos`, `bytes` of all files, `seconds` of
    video. JSON; `amount` is minor units, `text` what people read."""
    asked = {name: request.args.get(name, 0, type=int) for name in ("photos", "bytes", "seconds")}
    if min(asked.values()) < 0 or max(asked.values()) > MOST * GB:
        raise Problem("invalid", "photos, bytes and seconds are whole numbers from 0.")
    amount, currency = of_app().price_of(g.site, asked["photos"], asked["bytes"], asked["seconds"])
    return {"amount": amount, "currency": currency, "text": money(amount, currency)}


@bp.get("/usage/parts/<code>")
@require(Role.ADMIN)
def bill_parts(code: str) -> ResponseReturnValue:
    """A line by album, asset and hour. `start` and `end` are the line's, as ISO 8601."""
    start, end = _moment("start"), _moment("end")
    if code not in NAMES or not start < end <= start + timedelta(days=400):
        raise Problem("not-found")
    found = of_app().parts(g.site, code, start, end, MOST_PARTS)
    return render_template("dashboard/bill_parts.html", name=NAMES[code], found=found, start=start, end=end)


@bp.get("/usage/invoices/<number>")
@require(Role.ADMIN)
def invoice(number: str) -> ResponseReturnValue:
    found = of_app().invoice(g.site, number)
    if found is None:
        raise Problem("not-found")
    return render_template("dashboard/invoice.html", found=found)


@bp.get("/usage/invoices/<number>.pdf")
@require(Role.ADMIN)
def invoice_pdf(number: str) -> ResponseReturnValue:
    made = of_app().pdf(g.site, number, str(get_locale() or "en"))
    if made is None:
        raise Problem("not-found")
    name = f"invoice-{number}.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return Response(made, content_type="application/pdf", headers=headers)


@bp.app_template_filter("line_name")
def line_name(line: Line) -> str:
    if line.code == "plan":
        return str(_("Plan %(name)s", name=line.plan.title()))
    if line.code == "correction":
        return str(_("Came late for %(invoice)s", invoice=line.plan))
    return dimension_name(line.code)


def part_name(part: Part) -> str:
    return part.asset or part.album or str(_("What is gone by now, or of the whole site"))


def dimension_name(code: str) -> str:
    return str(_(NAMES.get(code, code)))


bp.add_app_template_global(part_name)
bp.add_app_template_global(dimension_name)


def _shown(found: Overview) -> list[Line]:
    return sorted(found.lines, key=lambda line: (line.code != "plan", -line.amount))


def _warning(found: Overview) -> int | None:
    """The highest of `WARNINGS` that the month has come to."""
    if not found.budget:
        return None
    reached = [step for step in WARNINGS if found.total * 100 >= found.budget * step]
    return reached[-1] if reached else None


def _asked_price(asked: PriceForm) -> tuple[int, str]:
    size = int((asked.gigabytes.data or 0) * GB)
    return of_app().price_of(g.site, asked.photos.data or 0, size, 60 * (asked.minutes.data or 0))


def _moment(name: str) -> datetime:
    try:
        found = datetime.fromisoformat(request.args.get(name, ""))
    except ValueError:
        raise Problem("not-found") from None
    if found.tzinfo is None:
        raise Problem("not-found")
    return found
