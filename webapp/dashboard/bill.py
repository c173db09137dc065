"""Use and cost: the month so far with its forecast, invoices, and where each line of either comes from."""

from datetime import datetime, timedelta
from decimal import Decimal

from flask import Response, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_wtf import FlaskForm
from wtforms import DecimalField, IntegerField, RadioField
from wtforms.validators import NumberRange, Optional

from infra.errors import N_, Problem
from tenants.people import Role
from tenants.registry import OnBudget
from tenants.statements import BUDGET_MARKS, NAMES, Line, Overview, Part, of_app, reached
from webapp import language
from webapp.auth import require
from webapp.dashboard.amounts import money
from webapp.dashboard.answers import done
from webapp.dashboard.forms import said
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.site.dates import moment

MOST_PARTS = 100
REACHES = {
    OnBudget.TELL.value: N_("Only tell us"),
    OnBudget.LEAN.value: N_("Make smaller pictures"),
    OnBudget.STOP.value: N_("Stop new uploads"),
}
HINTS = {
    OnBudget.LEAN.value: N_(
        "New photos get no size beyond 1,280 pixels, new videos none beyond 540 lines. They are made whole when the "
        "budget is raised or the month is over."
    ),
    OnBudget.STOP.value: N_("Members and guests add nothing until the budget is raised or the month is over."),
}
THEN = {
    OnBudget.TELL: "",
    OnBudget.LEAN: N_("From then on new pictures are made smaller."),
    OnBudget.STOP: N_("From then on nothing more is taken in."),
}
GB, MOST = 1_000_000_000, 1_000_000


class BudgetForm(FlaskForm):  # type: ignore[misc]  # the library has no types
    budget = DecimalField(
        lazy("Budget for a month"), [Optional(), NumberRange(0, MOST, lazy("An amount from 0 to a million."))], places=2
    )

    reach = RadioField(lazy("When it is reached"), choices=said(REACHES), default=OnBudget.TELL.value)

    def wish(self) -> tuple[int | None, OnBudget]:
        amount = self.budget.data
        return None if amount is None else round(amount * 100), OnBudget(self.reach.data)


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
    amount = None if found.budget is None else Decimal(found.budget) / 100
    form = BudgetForm(data={"budget": amount, "reach": found.reach.value})
    if form.validate_on_submit() and _saved(form, found):
        told = _("No budget is set.") if form.budget.data is None else _("The budget is saved.")
        return done(told, back=url_for(".bill"))
    asked = PriceForm(request.args)
    asked_price = _asked_price(asked) if request.args and asked.validate() else None
    page = render_template(
        "dashboard/bill.html",
        found=found,
        form=form,
        asked=asked,
        price=asked_price,
        price_note=_reaches(asked_price[0]) if asked_price else "",
        warning=_warning(found),
        hints={name: language.translated(hint) for name, hint in HINTS.items()},
        shown=_shown(found),
    )
    return page, 422 if form.errors or asked.errors else 200


def _saved(form: BudgetForm, before: Overview) -> bool:
    """Whether it was; what is wrong with it is in the form otherwise."""
    amount, reach = form.wish()
    try:
        of_app().set_budget(g.site, amount, reach)
    except Problem as refusal:
        if refusal.code != "invalid":
            raise
        form.budget.errors = [language.told(refusal)]
        return False
    changed: dict[str, list[object]] = {"budget": [before.budget, amount]}
    if reach is not before.reach:
        changed["reach"] = [before.reach.value, reach.value]
    note("budget.changed", changed=changed)
    return True


@bp.get("/usage/price")
@require(Role.EDITOR)
def price() -> ResponseReturnValue:
    """What files that are about to be uploaded would add to the month: `photos`, `bytes` of all files, `seconds` of
    video. JSON; `amount` is minor units, `text` what people read, `note` what it means for the budget, if anything."""
    asked = {name: request.args.get(name, 0, type=int) for name in ("photos", "bytes", "seconds")}
    if min(asked.values()) < 0 or max(asked.values()) > MOST * GB:
        raise Problem("invalid", "photos, bytes and seconds are whole numbers from 0.")
    amount, currency = of_app().price_of(g.site, asked["photos"], asked["bytes"], asked["seconds"])
    return {"amount": amount, "currency": currency, "text": money(amount, currency), "note": _reaches(amount)}


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


def part_hours(part: Part, is_level: bool) -> str:
    """The hour in which it was used or, of what stays, from when until when it was there."""
    came, went = (moment(each, 0) if each else "" for each in (part.hour, part.until))
    if not is_level:
        return came
    if came and went:
        return str(_("%(came)s to %(went)s", came=came, went=went))
    if came:
        return str(_("from %(came)s on", came=came))
    return str(_("until %(went)s", went=went) if went else _("the whole time"))


def dimension_name(code: str) -> str:
    return str(_(NAMES.get(code, code)))


bp.add_app_template_global(part_name)
bp.add_app_template_global(part_hours)
bp.add_app_template_global(dimension_name)


def _shown(found: Overview) -> list[Line]:
    return sorted(found.lines, key=lambda line: (line.code != "plan", -line.amount))


def _warning(found: Overview) -> int | None:
    """The highest of `BUDGET_MARKS` that the month has come to."""
    if not found.budget:
        return None
    return max((mark for mark in BUDGET_MARKS if reached(found.total, found.budget, mark)), default=None)


def _reaches(more: int) -> str:
    """What is said of a price that takes the month from below its budget to it; empty for any other."""
    room = of_app().room(g.site)
    if room is None or room.left <= 0 or more < room.left:
        return ""
    amount = money(room.amount, room.currency)
    return (
        f"{_('That reaches the budget of %(amount)s.', amount=amount)} {language.translated(THEN[room.reach])}".strip()
    )


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
