"""Guessing at a link's password or PIN costs the guesser time, and nobody else.

Failures are counted for each link and each network that tries (an IPv4 /24, an IPv6 /64), so a fresh cookie or a
neighbouring address begins nothing anew, while the right word from anywhere else opens at once. The first few failures
are free, since people mistype; from then on each doubles the wait. An attempt is booked before the word is checked: a
hundred at the same moment are one.
"""

import enum
import hashlib
import hmac
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, cast

from sqlalchemy import CursorResult, Integer, String, delete, insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy_utils import ChoiceType

from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH
from tenants.sharing import ShareLink

FREE_FAILURES = 3
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=1)
FORGOTTEN_AFTER = timedelta(days=1)


class Guessed(enum.Enum):
    PASSWORD = "password"  # noqa: S105  # The name of the thing.
    PIN = "pin"


class Guess(TenantOwned, Base):
    """Failed attempts from one place. `place` is a keyed hash: the table holds no addresses."""

    __tablename__ = "guesses"
    __table_args__ = (belongs_to("share_links", "link_id"),)

    link_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    what: Mapped[Guessed] = mapped_column(ChoiceType(Guessed, impl=String(8)), primary_key=True)
    place: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    until: Mapped[datetime]
    """Before this, no attempt from there is looked at."""
    at: Mapped[datetime]


def place(secret: str, address: str | None) -> str:
    """Where a visitor is, as the table names it: the /24 or the /64 around the address, hashed with the secret."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        network = "nowhere"
    else:
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        network = str(ip_network((parsed, 24 if parsed.version == 4 else 64), strict=False))
    return hmac.new(secret.encode(), b"guess\0" + network.encode(), hashlib.sha256).hexdigest()


def wait_after(failures: int) -> timedelta:
    """How long after that many failures in a row nothing more is looked at."""
    if failures <= FREE_FAILURES:
        return timedelta()
    # Capped before it is doubled: a number of failures is anybody's to raise.
    return min(FIRST_WAIT * (1 << min(failures - FREE_FAILURES - 1, 20)), LONGEST_WAIT)


def book(session: Session, link: ShareLink, what: Guessed, place: str, *, now: datetime) -> timedelta:
    """Count an attempt as failed, before it is checked, within the current transaction: zero if it may be checked.

    Else how long to wait; nothing is counted then, so asking again costs no more.
    """
    key = (link.tenant_id, link.id, what, place)
    seen: Guess | None = session.get(Guess, key)
    if seen is None:
        return _first(session, key, now)
    wait: timedelta = seen.until - now
    if wait > timedelta():
        return wait
    failures = 1 if seen.at + FORGOTTEN_AFTER < now else seen.failures + 1
    booked = session.execute(
        update(Guess)
        .where(*_is(key), Guess.failures == seen.failures, Guess.at == seen.at)
        .values(failures=failures, until=now + wait_after(failures), at=now)
        .execution_options(synchronize_session=False)
    )
    session.expire(seen)
    return timedelta() if cast("CursorResult[Any]", booked).rowcount else timedelta(seconds=1)


def _first(session: Session, key: tuple[str, str, Guessed, str], now: datetime) -> timedelta:
    tenant_id, link_id, what, place = key
    row = {"tenant_id": tenant_id, "link_id": link_id, "what": what, "place": place, "failures": 1, "until": now}
    try:
        with session.begin_nested():
            session.execute(insert(Guess).values(**row, at=now))
    except IntegrityError:
        return timedelta(seconds=1)  # Another attempt from there was booked at this very moment.
    return timedelta()


def forget(session: Session, link: ShareLink, what: Guessed, place: str) -> None:
    """The word was right: the place's failures are no more."""
    session.execute(
        delete(Guess).where(*_is((link.tenant_id, link.id, what, place))).execution_options(synchronize_session=False)
    )


def _is(key: tuple[str, str, Guessed, str]) -> tuple[Any, ...]:
    columns = (Guess.tenant_id, Guess.link_id, Guess.what, Guess.place)
    return tuple(column == value for column, value in zip(columns, key, strict=True))
