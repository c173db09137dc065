"""How often the tenant's public pages are seen, by day: counts, and nothing about anybody.

Visitors are told apart without cookies. A mark is a keyed hash of address and browser under a salt that is made for one
tenant and one day; the marks serve to count each visitor once and are thrown away with their salt when the day is over,
after which nobody can tell whose they were, nor that two days had the same visitor. What stays are numbers.

Days are days in UTC.
"""

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Date, Index, Integer, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.sql import insert_into
from tenants.catalog import Album, Asset
from tenants.db import Base, TenantOwned
from tenants.names import ID_LENGTH

VIEWS, PHOTOS, DOWNLOADS, VISITORS, REFERRERS = "views", "photos", "downloads", "visitors", "referrers"
"""What is counted: pages of an album (of the home page where `about` is empty), pages of a photo, files and archives
taken home, visitors (of an album, or of the whole site), and pages elsewhere that led here."""
KEPT_DAYS = 800
"""Two years and some, so that a year can be compared with the one before."""
MAX_HOST = 100


class VisitCount(TenantOwned, Base):
    __tablename__ = "visit_counts"
    __table_args__ = (Index("ix_visit_counts_day", "tenant_id", "day"),)

    what: Mapped[str] = mapped_column(String(10), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    about: Mapped[str] = mapped_column(String(MAX_HOST), primary_key=True)
    """The id of an album or a photo, a host; empty for the whole site."""
    count: Mapped[int] = mapped_column(Integer)


class VisitSalt(TenantOwned, Base):
    """Gone when its day is over."""

    __tablename__ = "visit_salts"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    salt: Mapped[str] = mapped_column(String(64))


class VisitMark(TenantOwned, Base):
    """Somebody was here that day. Gone when the day is over."""

    __tablename__ = "visit_marks"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    about: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    mark: Mapped[str] = mapped_column(String(32), primary_key=True)


@dataclass(frozen=True)
class Visit:
    """One request for a public page, as it waits in memory to be counted. `slug` is the album's, empty at home.

    `address` and `agent` are for the mark alone, and are stored nowhere.
    """

    what: str
    slug: str
    asset: str
    address: str
    agent: str
    referrer: str


@dataclass(frozen=True)
class Report:
    """Of a span of days. `days` has every day of it, each with views and visitors."""

    days: list[tuple[date, int, int]]
    views: int
    photos: int
    downloads: int
    visitors: int
    """Summed up over the days: whoever came on two days is counted twice, since nobody knows."""
    albums: list[tuple[Album, int, int]]
    """With views and visitors, most viewed first."""
    top: list[tuple[Asset, int, int]]
    """Photos with views and downloads, most viewed first."""
    referrers: list[tuple[str, int]]


def write(session: Session, tenant_id: str, visits: Sequence[Visit], *, now: datetime) -> None:
    """Count them for today, within the caller's transaction: a few statements for thousands of visits."""
    day = now.date()
    salt = _salt(session, tenant_id, day)
    slugs = {visit.slug for visit in visits if visit.slug}
    found = select(Album.slug, Album.id).where(Album.tenant_id == tenant_id, Album.slug.in_(slugs))
    albums: dict[str, str] = {row[0]: row[1] for row in session.execute(found)}
    counts: Counter[tuple[str, str]] = Counter()
    marks: set[tuple[str, str]] = set()
    for visit in visits:
        album = albums.get(visit.slug, "")
        if visit.slug and not album:
            continue  # Renamed or removed in the seconds between.
        counts[(visit.what, visit.asset or album)] += 1
        if visit.referrer:
            counts[(REFERRERS, visit.referrer[:MAX_HOST])] += 1
        mark = mark_of(salt, visit.address, visit.agent)
        marks |= {("", mark), (album, mark)}
    for about, number in _first_time(session, tenant_id, day, sorted(marks)).items():
        counts[(VISITORS, about)] += number
    _add(session, tenant_id, day, counts)


def mark_of(salt: str, address: str, agent: str) -> str:
    """32 hex digits (BLAKE2b, keyed): the same for the same browser at the same address under the same salt."""
    text = f"{address}\0{agent}".encode()
    return hashlib.blake2b(text, key=bytes.fromhex(salt), digest_size=16).hexdigest()


def forget(session: Session, tenant_id: str, today: date) -> None:
    """Throw away the salts and marks of days that are over, and counts beyond `KEPT_DAYS`."""
    for table, before in (
        (VisitSalt, today),
        (VisitMark, today),
        (VisitCount, today - timedelta(days=KEPT_DAYS)),
    ):
        session.execute(
            delete(table)
            .where(table.tenant_id == tenant_id, table.day < before)
            .execution_options(synchronize_session=False)
        )


def report(session: Session, first: date, last: date, *, album: str = "", most: int = 10) -> Report:
    """Of these days, both included; with `album`, of that album alone."""
    span = (VisitCount.day >= first, VisitCount.day <= last)
    views = select(VisitCount.day, func.sum(VisitCount.count)).where(VisitCount.what == VIEWS, *span)
    if album:
        views = views.where(VisitCount.about == album)
    by_day: dict[date, int] = {row[0]: int(row[1]) for row in session.execute(views.group_by(VisitCount.day))}
    whom = select(VisitCount.day, VisitCount.count).where(VisitCount.what == VISITORS, VisitCount.about == album, *span)
    visitors: dict[date, int] = {row[0]: row[1] for row in session.execute(whom)}
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    tops = _of_photos(session, span, album)
    listed = sorted(tops, key=lambda each: (-tops[each][0], -tops[each][1], each))[:most]
    assets = {asset.id: asset for asset in session.scalars(select(Asset).where(Asset.id.in_(listed)))}
    return Report(
        days=[(day, by_day.get(day, 0), visitors.get(day, 0)) for day in days],
        views=sum(by_day.values()),
        photos=sum(seen for seen, _ in tops.values()),
        downloads=sum(taken for _, taken in tops.values()) + _of_album(session, span, album),
        visitors=sum(visitors.values()),
        albums=[] if album else _albums(session, span, most),
        top=[(assets[each], *tops[each]) for each in listed if each in assets],
        referrers=[] if album else _referrers(session, span, most),
    )


def _of_photos(session: Session, span: Iterable[Any], album: str) -> dict[str, tuple[int, int]]:
    """Views and downloads of each photo that is still there."""
    rows = session.execute(
        select(VisitCount.about, VisitCount.what, func.sum(VisitCount.count))
        .join(Asset, (Asset.tenant_id == VisitCount.tenant_id) & (Asset.id == VisitCount.about))
        .where(VisitCount.what.in_((PHOTOS, DOWNLOADS)), Asset.deleted_at.is_(None), *span)
        .where(*([Asset.album_id == album] if album else []))
        .group_by(VisitCount.about, VisitCount.what)
    )
    found: dict[str, tuple[int, int]] = {}
    for about, what, count in rows:
        seen, taken = found.get(about, (0, 0))
        found[about] = (seen + int(count), taken) if what == PHOTOS else (seen, taken + int(count))
    return found


def _of_album(session: Session, span: Iterable[Any], album: str) -> int:
    """Archives: downloads that are an album's."""
    wanted = select(func.sum(VisitCount.count)).join(
        Album, (Album.tenant_id == VisitCount.tenant_id) & (Album.id == VisitCount.about)
    )
    narrowed = [Album.id == album] if album else []
    return int(session.scalar(wanted.where(VisitCount.what == DOWNLOADS, *span, *narrowed)) or 0)


def _albums(session: Session, span: Iterable[Any], most: int) -> list[tuple[Album, int, int]]:
    seen = func.sum(VisitCount.count).filter(VisitCount.what == VIEWS)
    whom = func.sum(VisitCount.count).filter(VisitCount.what == VISITORS)
    rows = session.execute(
        select(Album, func.coalesce(seen, 0), func.coalesce(whom, 0))
        .join(VisitCount, (VisitCount.tenant_id == Album.tenant_id) & (VisitCount.about == Album.id))
        .where(VisitCount.what.in_((VIEWS, VISITORS)), Album.deleted_at.is_(None), *span)
        .group_by(*Album.__table__.columns)
        .order_by(func.coalesce(seen, 0).desc(), Album.id)
        .limit(most)
    )
    return [(row[0], int(row[1]), int(row[2])) for row in rows]


def _referrers(session: Session, span: Iterable[Any], most: int) -> list[tuple[str, int]]:
    total = func.sum(VisitCount.count)
    wanted = select(VisitCount.about, total).where(VisitCount.what == REFERRERS, *span)
    rows = session.execute(wanted.group_by(VisitCount.about).order_by(total.desc(), VisitCount.about).limit(most))
    return [(row[0], int(row[1])) for row in rows]


def _salt(session: Session, tenant_id: str, day: date) -> str:
    """The day's salt; whoever comes first makes it."""
    fresh = {"tenant_id": tenant_id, "day": day, "salt": secrets.token_hex(32)}
    session.execute(insert_into(session, VisitSalt).values(fresh).on_conflict_do_nothing())
    wanted = select(VisitSalt.salt).where(VisitSalt.tenant_id == tenant_id, VisitSalt.day == day)
    return str(session.scalar(wanted))


def _first_time(session: Session, tenant_id: str, day: date, marks: Sequence[tuple[str, str]]) -> Counter[str]:
    """How many of the marks are new today, by what they are about."""
    new: Counter[str] = Counter()
    for start in range(0, len(marks), 500):
        rows = [
            {"tenant_id": tenant_id, "day": day, "about": about, "mark": mark}
            for about, mark in marks[start : start + 500]
        ]
        statement = insert_into(session, VisitMark).values(rows).on_conflict_do_nothing().returning(VisitMark.about)
        new.update(session.scalars(statement).all())
    return new


def _add(session: Session, tenant_id: str, day: date, counts: Counter[tuple[str, str]]) -> None:
    """In one order, so that two processes that count at once wait for each other and never in a circle."""
    for (what, about), count in sorted(counts.items()):
        statement = insert_into(session, VisitCount).values(
            tenant_id=tenant_id, what=what, day=day, about=about, count=count
        )
        total = VisitCount.count + statement.excluded.count
        session.execute(
            statement.on_conflict_do_update(index_elements=["tenant_id", "what", "day", "about"], set_={"count": total})
        )
