"""Money and quantities of bills as people read them: filters of the dashboard's templates."""

from decimal import Decimal
from fractions import Fraction

from flask_babel import format_currency, format_decimal
from flask_babel import gettext as _

from tenants.statements import UNITS, Allowance
from webapp.dashboard.mount import bp

MONTH_HOURS = 730
"""Storage is counted by the hour and told by the month."""
VISITS = 1000
"""That the price of publishing is told for."""


@bp.app_template_filter("quantity")
def quantity(value: Fraction, unit: str = "") -> str:
    """As people read it: two decimals at most, with what it is counted in."""
    exact = float(value)
    text = format_decimal(round(exact, 2 if exact < 100 else 0))
    return f"{text} {_(UNITS.get(unit, unit))}" if unit else text


@bp.app_template_filter("money")
def money(amount: int, currency: str) -> str:
    return str(format_currency(Decimal(amount) / 100, currency.upper()))


@bp.app_template_filter("of_whole")
def of_whole(part: Fraction, whole: Fraction) -> int:
    """Per cent, at most 100; 0 of nothing."""
    return min(int(100 * part / whole), 100) if whole else 0


@bp.app_template_filter("included")
def included(allowance: Allowance) -> str:
    """Storage is sold by the hour and told by the month."""
    if allowance.unit == "GB-hour":
        return quantity(allowance.included / MONTH_HOURS, "GB")
    return quantity(allowance.included, allowance.unit)


@bp.app_template_filter("beyond")
def beyond(allowance: Allowance, currency: str) -> str:
    """The price of what is not included, for as many as make a price of cents."""
    price, unit = allowance.beyond or Decimal(0), allowance.unit
    if unit == "GB-hour":
        return str(_("%(price)s for a GB more", price=_money(price * MONTH_HOURS, currency)))
    if unit == "GB":
        return str(_("%(price)s for a GB more", price=_money(price, currency)))
    if unit == "minute":
        return str(_("%(price)s for 100 minutes more", price=_money(price * 100, currency)))
    return str(_("%(price)s for 1,000 more", price=_money(price * 1000, currency)))


def _money(cents: Decimal, currency: str) -> str:
    return str(format_currency(cents / 100, currency.upper()))
