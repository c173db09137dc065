"""The words of letters about budgets: in the tenant's language and name, since who gets them knows nobody else."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from babel.dates import format_date
from babel.support import Translations

from billing.amounts import money
from infra.errors import N_
from infra.ports import Letter
from tenants import domains
from tenants.registry import OnBudget
from tenants.scope import Site, settings

CATALOGUES = Path(__file__).parents[1] / "webapp" / "translations"
PAGE = "/dashboard/usage"

USED = N_("%(percent)s %% of the budget for %(month)s are used")
ENDS_HIGHER = N_("The budget for %(month)s will probably not last")
SO_FAR = N_("%(site)s has come to %(total)s in %(month)s, counted hour by hour. The budget is %(amount)s.")
EXPECTED = N_("If use goes on at this pace, the month ends at %(forecast)s.")
FOLLOWS = {
    OnBudget.TELL: N_("Nothing is stopped: the budget is there to tell you."),
    OnBudget.LEAN: N_(
        "When it is reached, new photos and videos are made in fewer sizes. "
        "They are made whole when the budget is raised or the month is over."
    ),
    OnBudget.STOP: N_("When it is reached, nothing new is taken in until the budget is raised or the month is over."),
}
IN_FORCE = {
    OnBudget.TELL: FOLLOWS[OnBudget.TELL],
    OnBudget.LEAN: N_(
        "From now on new photos and videos are made in fewer sizes. "
        "They are made whole when the budget is raised or the month is over."
    ),
    OnBudget.STOP: N_("From now on nothing new is taken in, until the budget is raised or the month is over."),
}
WHERE = N_("What it is made of, and the budget itself:")


@dataclass(frozen=True)
class About:
    """`percent` is None for a forecast. Amounts are minor units of `currency`; no `forecast` is 0."""

    month: str
    percent: int | None
    total: int
    forecast: int
    amount: int
    currency: str
    reach: OnBudget


def about_budget(site: Site, about: About, to: str) -> Letter:
    """Reads the tenant's brand and host, within the current transaction."""
    words = _Words(site.tenant.brand.locale)
    reached = about.percent is not None and about.percent >= 100
    values: dict[str, object] = {
        "site": site.tenant.name,
        "percent": about.percent,
        "month": words.month(about.month),
        **{name: words.money(getattr(about, name), about.currency) for name in ("total", "amount", "forecast")},
    }
    lines = [SO_FAR]
    if about.forecast > about.amount and not reached:
        lines.append(EXPECTED)
    lines.append((IN_FORCE if reached else FOLLOWS)[about.reach])
    lines.append(WHERE)
    origin = settings().site_url(domains.canonical_host(site.session, site.tenant, settings().base_domain))
    text = "\n\n".join([*(words.say(line, values) for line in lines), origin + PAGE]) + "\n"
    subject = words.say(ENDS_HIGHER if about.percent is None else USED, values)
    return Letter(to=to, subject=f"{site.tenant.name}: {subject}", text=text, sender=site.tenant.name)


class _Words:
    """Of one language: that of the site if the letter is there in it, else English."""

    def __init__(self, tag: str | None) -> None:
        wanted = (tag or "en").replace("-", "_")
        self._catalogue = Translations.load(str(CATALOGUES), [wanted, wanted.partition("_")[0]])
        known = self._catalogue.gettext(SO_FAR) != SO_FAR or wanted.startswith("en")
        self._locale = wanted if known else "en"

    def say(self, sentence: str, values: dict[str, object]) -> str:
        return self._catalogue.gettext(sentence) % values

    def money(self, amount: int, currency: str) -> str:
        return money(amount, currency, self._locale)

    def month(self, name: str) -> str:
        """`2026-02` as `February 2026`."""
        year, number = map(int, name.split("-"))
        return str(format_date(date(year, number, 1), "LLLL y", locale=self._locale))
