"""Letters about budgets: which are due and to whom, once each, whatever is closed when and whoever dies in between."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from conftest import PASSWORD, ManualClock, World
from flask import Flask
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from metered import born, close, delivered, use
from sqlalchemy import select
from stripe_stage import on_clock

from billing import alerts, budgets, letters, terms
from billing.alerts import BudgetLetter
from billing.budgets import Wish
from billing.plans import GB
from infra.errors import Problem, Unavailable
from infra.ports import Letter
from tenants import people
from tenants.db import across_tenants, db
from tenants.people import Role
from tenants.registry import OnBudget, Tenant
from tenants.scope import open_site

pytestmark = pytest.mark.every_database
MARCH = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass
class FakeMail:
    """A fake of a mail server that keeps what it takes; while `away` it takes nothing, and `nobody` never."""

    delivers: bool = True
    away: bool = False
    nobody: tuple[str, ...] = ()
    taken: list[Letter] = field(default_factory=list)

    def send(self, letter: Letter) -> None:
        if self.away or letter.to in self.nobody:
            raise Unavailable("it was not taken")
        self.taken.append(letter)

    def subjects(self, to: str = "alice@example.com") -> list[str]:
        return [letter.subject.partition(": ")[2] for letter in self.taken if letter.to == to]


@dataclass
class Month:
    """March 2024 of alpha on Studio: $19 for the plan, 200 GB of delivery in it, 12 cents for each beyond."""

    world: World
    clock: ManualClock
    mail: FakeMail

    def deliver(self, gigabytes: int, *, at: datetime) -> None:
        """Delivered at that time, closed and looked at half an hour after its hour."""
        use(self.world.alpha, delivered(at, gigabytes * GB, f"{at}:{gigabytes}"))
        self.turn(at + timedelta(hours=1, minutes=30))

    def turn(self, now: datetime) -> Counter[str]:
        self.clock.time = now
        close(now)
        return alerts.run(now)

    def budget(self, amount: int | None, reach: OnBudget = OnBudget.TELL, tenant_id: str = "") -> None:
        with open_site(tenant_id or self.world.alpha) as site:
            budgets.put(site, None if amount is None else Wish(amount, reach))
            site.session.commit()

    def asked(self) -> OnBudget | None:
        with open_site(self.world.alpha) as site:
            return site.entitlements.over_budget


@pytest.fixture
def mail() -> FakeMail:
    """A fake."""
    return FakeMail()


@pytest.fixture
def month(core: Flask, world: World, clock: ManualClock, mail: FakeMail) -> Iterator[Month]:
    on_clock(core, clock)
    core.extensions["vitrine.ports"] = replace(core.extensions["vitrine.ports"], mail=mail)
    born(MARCH)
    with open_site(world.alpha) as site:
        terms.assign(site, "studio", since=MARCH)
        for name, role in (("ada", Role.ADMIN), ("ed", Role.EDITOR)):
            people.add(site.session, world.alpha, f"{name}@example.com", role, PASSWORD, now=site.now())
        site.session.commit()
    made = Month(world, clock, mail)
    made.turn(MARCH + timedelta(hours=2))
    yield made
    db.session.remove()


def used(percent: int) -> str:
    return f"{percent} % of the budget for March 2024 are used"


FORECAST = "The budget for March 2024 will probably not last"


def test_each_mark_is_told_once_to_owners_and_admins(month: Month, mail: FakeMail) -> None:
    """Of $100: $19 at first, then $55, $81.40 and $105.40."""
    month.budget(10_000)
    for number, gigabytes in enumerate((500, 220, 200)):
        month.deliver(gigabytes, at=MARCH + timedelta(hours=10 + number))
        assert mail.subjects() == [used(50), used(80), used(100)][: number + 1]
    assert Counter(letter.to for letter in mail.taken) == {"alice@example.com": 3, "ada@example.com": 3}
    for hours in range(3):
        assert not month.turn(MARCH + timedelta(hours=14 + hours, minutes=30))["letters sent"]
    assert len(mail.taken) == 6


def test_a_month_that_comes_to_several_marks_at_once_is_told_of_the_highest(month: Month, mail: FakeMail) -> None:
    month.budget(10_000)
    month.deliver(1_000, at=MARCH + timedelta(hours=10))
    assert mail.subjects() == [used(100)]


def test_what_the_letter_says_names_the_tenant_and_nobody_else(month: Month, mail: FakeMail) -> None:
    month.budget(10_000, OnBudget.LEAN)
    month.deliver(500, at=MARCH + timedelta(hours=10))
    letter = mail.taken[0]
    assert letter.sender == "Alpha" and letter.subject == f"Alpha: {used(50)}"
    assert letter.text == (
        "Alpha has come to $55.00 in March 2024, counted hour by hour. The budget is $100.00.\n\n"
        "When it is reached, new photos and videos are made in fewer sizes. "
        "They are made whole when the budget is raised or the month is over.\n\n"
        "What it is made of, and the budget itself:\n\n"
        "http://alpha.localhost:8000/dashboard/usage\n"
    )
    assert "itrine" not in letter.text + letter.subject + letter.sender


def test_the_language_is_the_tenants(
    month: Month, mail: FakeMail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = Catalog(locale="de")
    for sentence in (letters.USED, letters.SO_FAR):
        catalogue.add(sentence, f"auf Deutsch: {sentence}")
    folder = tmp_path / "de/LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, catalogue)
    monkeypatch.setattr(letters, "CATALOGUES", tmp_path)
    for locale, told in (("de-AT", "auf Deutsch: Alpha has come to"), ("ar", "Alpha has come to $55.00")):
        with open_site(month.world.alpha) as site:
            site.session.get_one(Tenant, month.world.alpha).brand.locale = locale
            site.session.commit()
        month.budget(10_000 + len(mail.taken))
        month.deliver(500 if locale == "de-AT" else 0, at=MARCH + timedelta(hours=10 + len(mail.taken)))
        assert mail.taken[-1].text.startswith(told)
    german = mail.taken[0]
    assert "55,00" in german.text and "März 2024" in german.text


def test_a_forecast_is_told_from_the_fourth_day_on(month: Month, mail: FakeMail) -> None:
    """$37 of $100 after a tenth of the month: at that pace 3,500 GB, for which there are $353."""
    month.budget(10_000)
    month.deliver(350, at=MARCH + timedelta(hours=10))
    month.turn(MARCH + 2 * DAY)
    assert mail.taken == []
    month.turn(MARCH + 3 * DAY + timedelta(hours=2))
    assert mail.subjects() == [FORECAST]
    assert "If use goes on at this pace, the month ends at $" in mail.taken[0].text
    month.turn(MARCH + 4 * DAY)
    assert len(mail.taken) == 2
    month.deliver(200, at=MARCH + 4 * DAY + timedelta(hours=4))
    assert mail.subjects() == [FORECAST, used(50)]


def test_a_changed_budget_is_measured_anew_and_a_removed_one_not_at_all(month: Month, mail: FakeMail) -> None:
    month.budget(10_000)
    month.deliver(1_000, at=MARCH + timedelta(hours=10))
    month.budget(20_000)
    month.turn(MARCH + timedelta(hours=12))
    assert mail.subjects() == [used(100), used(50)]
    month.budget(10_000)
    month.turn(MARCH + timedelta(hours=13))
    assert mail.subjects() == [used(100), used(50)], "of that budget it was told"
    month.budget(None)
    assert not month.turn(MARCH + timedelta(hours=14))["budgets looked at"]


def test_the_last_hours_of_a_month_are_told_in_the_next(month: Month, mail: FakeMail) -> None:
    month.budget(10_000)
    april = datetime(2024, 4, 1, tzinfo=UTC)
    use(month.world.alpha, delivered(april - timedelta(minutes=5), 1_000 * GB))
    month.turn(april + timedelta(hours=5))
    assert mail.subjects() == [used(100)]
    month.budget(5_000)
    month.turn(april + timedelta(hours=7))
    assert mail.subjects() == [used(100)], "that one was set in April, which has come to nothing yet"


def test_a_letter_that_is_not_taken_is_tried_again_and_holds_up_no_other(month: Month, mail: FakeMail) -> None:
    mail.nobody = ("ada@example.com",)
    month.budget(10_000)
    month.deliver(500, at=MARCH + timedelta(hours=10))
    now = month.clock.time
    assert [letter.to for letter in mail.taken] == ["alice@example.com"]
    assert alerts.post(now + timedelta(minutes=9)) == {}
    mail.nobody = ()
    assert alerts.post(now + timedelta(minutes=11)) == {"letters sent": 1}
    assert [letter.to for letter in mail.taken] == ["alice@example.com", "ada@example.com"]


def test_nobody_is_told_old_news(month: Month, mail: FakeMail) -> None:
    mail.away = True
    month.budget(10_000)
    month.deliver(500, at=MARCH + timedelta(hours=10))
    mail.away = False
    assert alerts.post(month.clock.time + alerts.TRIED_FOR) == {}
    assert alerts.post(month.clock.time + alerts.KEPT + DAY) == {}
    with across_tenants(db.session(), "test"):
        assert db.session.scalars(select(BudgetLetter)).all() == []


def test_one_tenants_budget_tells_nobody_of_another(month: Month, mail: FakeMail, world: World) -> None:
    month.budget(10_000)
    month.budget(10_000, tenant_id=world.beta)
    month.deliver(500, at=MARCH + timedelta(hours=10))
    assert {letter.to for letter in mail.taken} == {"alice@example.com", "ada@example.com"}


def test_who_left_meanwhile_is_told_nothing(month: Month, mail: FakeMail) -> None:
    mail.away = True
    month.budget(10_000)
    month.deliver(500, at=MARCH + timedelta(hours=10))
    mail.away = False
    with open_site(month.world.alpha) as site:
        ada = people.by_email(site.session, "ada@example.com")
        assert ada is not None
        people.remove(site.session, ada)
        site.session.commit()
    assert alerts.post(month.clock.time + timedelta(minutes=11)) == {"letters sent": 1}
    assert [letter.to for letter in mail.taken] == ["alice@example.com"]


def test_what_a_reached_budget_asks_for_lasts_until_it_is_raised_or_the_month_is_over(month: Month) -> None:
    month.budget(10_000, OnBudget.STOP)
    assert month.asked() is None
    month.deliver(1_000, at=MARCH + timedelta(hours=10))
    assert month.asked() is OnBudget.STOP
    month.budget(20_000, OnBudget.STOP)
    assert month.asked() is None
    month.budget(10_000, OnBudget.LEAN)
    assert month.asked() is OnBudget.LEAN, "at once, not at the next turn"
    month.budget(10_000, OnBudget.TELL)
    assert month.asked() is None
    month.budget(10_000, OnBudget.LEAN)
    month.clock.time = datetime(2024, 4, 1, tzinfo=UTC)
    assert month.asked() is None, "nobody had to write that down"


def test_a_budget_that_the_plan_alone_reaches_can_only_tell(month: Month) -> None:
    with pytest.raises(Problem, match="plan alone"):
        month.budget(1_900, OnBudget.STOP)
    month.budget(1_900)
    month.budget(1_901, OnBudget.STOP)
    assert month.asked() is None


class Died(BaseException):
    """Stands for `kill -9`: nothing that runs afterwards is run."""


POINTS = ("budget-noticed", "budget-claimed", "budget-sent")


def test_whoever_dies_where_each_is_told_at_least_once_and_once_more_a_death_at_most(
    month: Month, mail: FakeMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    month.deliver(500, at=MARCH + timedelta(hours=10))
    amounts = iter(range(10_000, 11_000))

    @hypothesis_settings(max_examples=25)
    @given(st.lists(st.sampled_from((*POINTS, "away", "well")), max_size=6))
    def tell(turns: list[str]) -> None:
        month.budget(next(amounts))  # Another one each time: what was told of the last does not matter to it.
        mail.taken.clear()
        deaths = sum(_died(turn) for turn in turns)
        assert not _died("well")
        counts = Counter(letter.to for letter in mail.taken)
        assert set(counts) == {"alice@example.com", "ada@example.com"}
        assert sum(counts.values()) <= 2 + deaths
        assert set(mail.subjects()) == {used(50)}

    def _died(turn: str) -> bool:
        """Whether a turn, eleven minutes after the last, has died after a letter was taken."""

        def point(name: str) -> None:
            if name == turn:
                raise Died

        mail.away = turn == "away"
        monkeypatch.setattr("infra.faults.point", point)
        month.clock.time += timedelta(minutes=11)
        try:
            alerts.run(month.clock.time)
        except Died:
            db.session.rollback()
            return turn == "budget-sent"
        return False

    tell()
