"""Letters about budgets: to owners and admins, once for each month, mark and budget.

Two passes of short transactions. `notice` compares each budget with its month whenever hours were closed since the last
time, and writes a row for each letter that is due, in the transaction that notes how far it has looked. `post` claims a
row, sends its letter and notes that it was sent: who dies between the last two sends that one letter once more, and
none is lost (`docs/adr/0190`).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import BigInteger, ColumnElement, Index, String, delete, or_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy_utils import ChoiceType

from billing import bills, budgets, letters
from billing.budgets import Budget, Wish
from billing.ledger import CHAIN, LedgerHead
from infra import faults
from infra.errors import Unavailable
from infra.sql import reading
from tenants.db import Base, TenantOwned, across_tenants, belongs_to, db
from tenants.names import ID_LENGTH
from tenants.people import Member, Role
from tenants.quota import month_of
from tenants.registry import OnBudget
from tenants.scope import Site, open_site, ports
from tenants.statements import BUDGET_MARKS, reached

log = structlog.get_logger(__name__)

FORECAST = "forecast"
TELLING = timedelta(days=3)
"""Of a month, before its forecast is told: what a day or two say of thirty is chance."""
AFTERWARDS = timedelta(days=2)
"""How long after its end a month is looked at: its last hours are closed in the next."""
CLAIM = timedelta(minutes=10)
TRIED_FOR = timedelta(days=3)
"""What was not taken by then is old news."""
KEPT = timedelta(days=100)
MOST_LETTERS, MOST_FAILURES = 200, 3
"""In one turn. A server that is away takes its seconds for each letter, and hours wait to be closed meanwhile."""
UNSENT = text("sent_at IS NULL")


class BudgetLetter(TenantOwned, Base):
    """One to one member. `total` and `forecast` are minor units, as they were when it was noticed."""

    __tablename__ = "budget_letters"
    __table_args__ = (
        belongs_to("members", "member_id"),
        Index("ix_budget_letters_unsent", "noticed_at", sqlite_where=UNSENT, postgresql_where=UNSENT),
    )

    month: Mapped[str] = mapped_column(String(7), primary_key=True)
    mark: Mapped[str] = mapped_column(String(8), primary_key=True)
    """One of `BUDGET_MARKS`, or `FORECAST`."""
    amount: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    """Of the budget: a changed one is told of anew."""
    member_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    total: Mapped[int] = mapped_column(BigInteger)
    forecast: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    reach: Mapped[OnBudget] = mapped_column(ChoiceType(OnBudget, impl=String(8)))
    noticed_at: Mapped[datetime]
    claimed_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Month:
    """What a month has come to. `forecast` is 0 while nothing can be said of its end, or it is over."""

    name: str
    total: int
    forecast: int
    currency: str


def run(now: datetime) -> Counter[str]:
    """Safe to run at any time, twice, and by several processes at once."""
    return notice(now) + post(now)


# --- What is due ------------------------------------------------------------------------------------------------------


def notice(now: datetime) -> Counter[str]:
    done: Counter[str] = Counter()
    for tenant_id in _changed(db.session()):
        with open_site(tenant_id) as site:
            done["budgets looked at"] += _look(site, now)
    return +done


def _changed(session: Session) -> list[str]:
    """Tenants whose budget was changed, or of whom hours were closed, since it was looked at."""
    wanted = (
        select(Budget.tenant_id)
        .join(LedgerHead, (LedgerHead.tenant_id == Budget.tenant_id) & (LedgerHead.chain == CHAIN))
        .where(Budget.seen_until.is_distinct_from(LedgerHead.closed_until))
        .order_by(Budget.tenant_id)
    )
    with reading(), across_tenants(session, "budgets to be looked at"):
        found = list(session.scalars(wanted))
        session.rollback()
    return found


def _look(site: Site, now: datetime) -> bool:
    budget = budgets.held(site)
    head = site.session.get(LedgerHead, (site.tenant_id, CHAIN))
    if budget is None or head is None:  # It was taken away meanwhile.
        return False
    for month in _months(site, now, head.closed_until, budget.set_at):
        _write(site, budget, month, now)
    budgets.weigh(site, Wish(budget.amount, budget.reach))
    budget.seen_until = head.closed_until
    faults.point("budget-noticed")
    site.session.commit()
    return True


def _months(site: Site, now: datetime, closed_until: datetime, set_at: datetime) -> Iterable[Month]:
    """The one that runs, and for a while the one before, if the budget was there in it."""
    for at in sorted({bills.month(at.year, at.month) for at in (now - AFTERWARDS, now)}):
        start, end = at
        if set_at >= end:
            continue
        made = bills.bill(site.session, site.tenant_id, start, end)
        told = end > now and closed_until - start >= TELLING
        forecast = bills.forecast(site.session, site.tenant_id, start, end, closed_until) if told else 0
        yield Month(month_of(start), made.total, forecast, made.currency)


def _write(site: Site, budget: Budget, month: Month, now: datetime) -> None:
    """A month that has come to several marks at once is told of the highest."""
    own = (BudgetLetter.tenant_id == site.tenant_id, BudgetLetter.month == month.name)
    told = set(site.session.scalars(select(BudgetLetter.mark).where(*own, BudgetLetter.amount == budget.amount)))
    highest = max((mark for mark in BUDGET_MARKS if str(mark) in told), default=0)
    due = [mark for mark in BUDGET_MARKS if mark > highest and reached(month.total, budget.amount, mark)]
    if due:
        _address(site, budget, month, str(due[-1]), now)
    full = reached(month.total, budget.amount)
    if month.forecast > budget.amount and not full and FORECAST not in told:
        # A letter that goes out now says so as well.
        _address(site, budget, month, FORECAST, now, sent=bool(due))


def _address(site: Site, budget: Budget, month: Month, mark: str, now: datetime, *, sent: bool = False) -> None:
    to = select(Member.id).where(Member.tenant_id == site.tenant_id, Member.role.in_((Role.OWNER, Role.ADMIN)))
    for member_id in site.session.scalars(to):
        site.session.add(
            BudgetLetter(
                tenant_id=site.tenant_id,
                month=month.name,
                mark=mark,
                amount=budget.amount,
                member_id=member_id,
                total=month.total,
                forecast=month.forecast,
                currency=month.currency,
                reach=budget.reach,
                noticed_at=now,
                sent_at=now if sent else None,
            )
        )


# --- Sending ----------------------------------------------------------------------------------------------------------

Key = tuple[str, str, str, int, str]
_KEY = (
    BudgetLetter.tenant_id,
    BudgetLetter.month,
    BudgetLetter.mark,
    BudgetLetter.amount,
    BudgetLetter.member_id,
)


def post(now: datetime) -> Counter[str]:
    """Send what waits. What the mail server does not take is tried again when the claim has run out."""
    session = db.session()
    done: Counter[str] = Counter()
    for key in _waiting(session, now):
        if done["letters not taken"] >= MOST_FAILURES:
            break
        if _claim(session, key, now):
            faults.point("budget-claimed")
            done["letters sent" if _send(key) else "letters not taken"] += 1
    _forget(session, now)
    return +done


def _waiting(session: Session, now: datetime) -> list[Key]:
    wanted = (
        select(*_KEY)
        .where(BudgetLetter.sent_at.is_(None), _free(now), BudgetLetter.noticed_at > now - TRIED_FOR)
        .order_by(BudgetLetter.noticed_at, *_KEY)
        .limit(MOST_LETTERS)
    )
    with reading(), across_tenants(session, "letters about budgets"):
        found: list[Key] = [tuple(row) for row in session.execute(wanted)]  # type: ignore[misc]
        session.rollback()
    return found


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(BudgetLetter.claimed_until.is_(None), BudgetLetter.claimed_until <= now)


def _claim(session: Session, key: Key, now: datetime) -> bool:
    return _set(session, key, BudgetLetter.sent_at.is_(None), _free(now), claimed_until=now + CLAIM)


def _send(key: Key) -> bool:
    """Whether the letter was taken. No transaction meanwhile: a mail server may take seconds."""
    with open_site(key[0]) as site:
        row = site.session.get(BudgetLetter, key)
        member = site.session.get(Member, (key[0], key[4]))
        if row is None or member is None:  # Who left meanwhile is told nothing.
            return False
        letter = letters.about_budget(site, _about(row), str(member.email))
        site.session.rollback()
        try:
            ports().mail.send(letter)
        except Unavailable as error:
            log.warning("a letter about a budget was not taken", error=str(error))
            return False
    faults.point("budget-sent")
    return _set(db.session(), key, sent_at=ports().clock.now())


def _about(row: BudgetLetter) -> letters.About:
    percent = None if row.mark == FORECAST else int(row.mark)
    return letters.About(row.month, percent, row.total, row.forecast, row.amount, row.currency, row.reach)


def _set(session: Session, key: Key, *where: ColumnElement[bool], **values: datetime) -> bool:
    own = [column == value for column, value in zip(_KEY, key, strict=True)]
    with across_tenants(session, "a letter about a budget"):
        changed = session.execute(
            update(BudgetLetter).where(*own, *where).values(**values).execution_options(synchronize_session=False)
        )
        session.commit()
    return bool(changed.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult


def _forget(session: Session, now: datetime) -> None:
    """What nobody is told again: months that are over are not looked at any more."""
    with across_tenants(session, "old letters about budgets"):
        old = delete(BudgetLetter).where(BudgetLetter.noticed_at < now - KEPT)
        session.execute(old.execution_options(synchronize_session=False))
        session.commit()
