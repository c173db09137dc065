"""What the edge delivered, out of its access logs (docs/adr/0182).

A log file is read once: its usage events, what it adds to its hours and the note that it was read are one transaction,
and the events' ids follow from the file's name and content, so that even a file that is read again counts once. Files
come up to a day late; the ledger takes that as any late usage, as a revision.

Logs are best effort. So each hour's bytes are compared with the edge's own count a day later, and a difference beyond
`BOUND` is an alarm: bytes that no log tells of are billed to nobody.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import BigInteger, Index, String, Text, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.ledger import WINDOW, hour_of
from infra import faults
from infra.errors import BlobMissing, Unavailable, UnreadableLog
from infra.ports import Delivery, LogFile
from infra.sql import insert_into, reading
from tenants import domains, usage
from tenants.db import Base, across_tenants, db
from tenants.delivered import asset_of, is_billed, largest, owner_of
from tenants.registry import Tenant
from tenants.scope import ports, settings
from tenants.usage import Meter

log = structlog.get_logger(__name__)

LOOK_BACK = timedelta(hours=72)
"""How old a file may be when it is first seen; a pause of billing must not be longer."""
SETTLED = timedelta(hours=26)
"""How long after its end an hour's logs are taken to be all there: AWS says within 24 hours."""
BOUND, LEAST = 0.02, 10_000_000
"""Of the edge's count, and bytes: a difference within the larger of the two is no alarm."""


class DeliveryLog(Base):
    """A log file that was read. Nobody's: it tells of all tenants. `why` says what is wrong with one that was not
    counted; `unclaimed` is bytes of hosts that are no tenant's."""

    __tablename__ = "delivery_logs"
    __table_args__ = (Index("ix_delivery_logs_read", "read_at"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the name, which may be long."""
    name: Mapped[str] = mapped_column(Text)
    read_at: Mapped[datetime]
    lines: Mapped[int] = mapped_column(BigInteger)
    billed: Mapped[int] = mapped_column(BigInteger)
    unclaimed: Mapped[int] = mapped_column(BigInteger)
    why: Mapped[str] = mapped_column(String(200))


class DeliveryHour(Base):
    """All tenants' bytes of GET and HEAD in an hour: what logs have of it, and what the edge counted (None: not asked
    yet)."""

    __tablename__ = "delivery_hours"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    logged: Mapped[int] = mapped_column(BigInteger)
    downloaded: Mapped[int | None] = mapped_column(BigInteger)


def run(now: datetime) -> Counter[str]:
    """Read what has come and compare what is settled; how much of what. Does nothing where the app counts itself."""
    done: Counter[str] = Counter()
    if settings().deliveries == "app":
        return done
    session = db.session()
    with across_tenants(session, "deliveries of the edge"):
        try:
            _note_hours(session, now)
            for file in _new(session, now):
                done[_take(session, file, now)] += 1
            done += _compare(session, now)
        except Unavailable as error:
            log.warning("deliveries wait", error=str(error))
        finally:
            session.rollback()
    for alarm in ("unreadable", "differ"):
        if done[alarm]:
            ports().metrics.put(f"metering.deliveries_{alarm}", done[alarm])
    return +done


# --- Reading ----------------------------------------------------------------------------------------------------------


@dataclass
class _Sums:
    """Of one file. `events` is bytes by tenant, hour and asset, `first` when each tenant's hour begins in it."""

    lines: int = 0
    unclaimed: int = 0
    events: dict[tuple[str, datetime], Counter[str | None]] = field(default_factory=lambda: defaultdict(Counter))
    first: dict[tuple[str, datetime], datetime] = field(default_factory=dict)
    hours: Counter[datetime] = field(default_factory=Counter)


def _new(session: Session, now: datetime) -> Iterator[LogFile]:
    """Files that were not read. The transaction of the look-up is over before each is handed out."""
    for file in ports().deliveries.arrived(now - LOOK_BACK):
        with reading():
            known = session.get(DeliveryLog, _digest(file.name))
            session.rollback()
        if known is None:
            yield file


def _take(session: Session, file: LogFile, now: datetime) -> str:
    digest, why, sums = _digest(file.name), "", _Sums()
    try:
        sums = _sums(session, ports().deliveries.read(file.name))
    except BlobMissing:
        return "gone"
    except UnreadableLog as error:
        why, sums = str(error)[:200], _Sums()
        log.error("a log of deliveries cannot be read", name=file.name, why=why)
    row = DeliveryLog(digest=digest, name=file.name, read_at=now, lines=sums.lines, unclaimed=sums.unclaimed, why=why)
    row.billed = _record(session, digest, sums)
    for hour, size in sums.hours.items():
        _add_to_hour(session, hour, size)
    session.add(row)
    faults.point("deliveries")
    session.commit()
    faults.point("deliveries-taken")
    return "unreadable" if why else "logs"


def _sums(session: Session, lines: Iterator[Delivery]) -> _Sums:
    """The whole file: nothing of one that turns out unreadable at its end is counted."""
    found, owners = _Sums(), _Owners(session)
    for line in lines:
        found.lines += 1
        if line.method in ("GET", "HEAD"):
            found.hours[hour_of(line.at)] += line.size
        if not is_billed(line.path, line.status):
            continue
        tenant_id = owners.of(line)
        if tenant_id is None:
            found.unclaimed += line.size
            continue
        key = tenant_id, hour_of(line.at)
        found.events[key][asset_of(line.path)] += line.size
        found.first[key] = min(line.at, found.first.get(key, line.at))
    return found


class _Owners:
    """Whose a line is, each host asked for once: by the object key where the path is one, else by host."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[str, str | None] = {}

    def of(self, line: Delivery) -> str | None:
        key = owner_of(line.path)
        name = f"t/{key[0]}" if key else line.host
        if name not in self._known:
            with reading():
                self._known[name] = self._keyed(key[0]) if key else self._hosted(line.host)
                self._session.rollback()
        return self._known[name]

    def _keyed(self, tenant_id: str) -> str | None:
        return self._session.scalar(select(Tenant.id).where(Tenant.id == tenant_id))

    def _hosted(self, host: str) -> str | None:
        found = domains.resolve(self._session, host, settings().base_domain)
        return found.id if found else None


def _record(session: Session, digest: str, sums: _Sums) -> int:
    """The file's usage events, within the current transaction; bytes of those that are new."""
    billed = 0
    for (tenant_id, hour), sizes in sorted(sums.events.items()):
        at = sums.first[tenant_id, hour]
        for asset_id, size in largest(sizes).items():
            name = f"edge:{digest[:32]}:{hour:%Y%m%d%H}:{asset_id or '-'}"
            if size and usage.record(session, tenant_id, name, Meter.DELIVERED, size, at=at, asset_id=asset_id):
                usage.tell(session, ports().metrics, tenant_id, Meter.DELIVERED, size, at=at)
                billed += size
    return billed


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


# --- Comparing --------------------------------------------------------------------------------------------------------


def _note_hours(session: Session, now: datetime) -> None:
    """A row for each hour that is over, so that one of which no log came is compared as well. Commits."""
    with reading():
        newest = session.scalar(select(DeliveryHour.hour).order_by(DeliveryHour.hour.desc()).limit(1))
        session.rollback()
    hour = max(newest or hour_of(now) - WINDOW, hour_of(now - LOOK_BACK))
    while hour < hour_of(now):
        _add_to_hour(session, hour, 0)
        hour += WINDOW
    session.commit()


def _add_to_hour(session: Session, hour: datetime, size: int) -> None:
    """A hour that was compared before is compared again."""
    statement = insert_into(session, DeliveryHour).values(hour=hour, logged=size, downloaded=None)
    changed = {"logged": DeliveryHour.logged + size, "downloaded": None} if size else {"logged": DeliveryHour.logged}
    session.execute(statement.on_conflict_do_update(index_elements=[DeliveryHour.hour], set_=changed))


def _compare(session: Session, now: datetime) -> Counter[str]:
    done: Counter[str] = Counter()
    due = (DeliveryHour.downloaded.is_(None), DeliveryHour.hour < now - SETTLED - WINDOW)
    with reading():
        rows = session.execute(
            select(DeliveryHour.hour, DeliveryHour.logged).where(*due).order_by(DeliveryHour.hour).limit(100)
        ).all()
        session.rollback()
    for hour, logged in rows:
        downloaded = ports().deliveries.downloaded(hour, hour + WINDOW)
        session.execute(
            update(DeliveryHour)
            .where(DeliveryHour.hour == hour, DeliveryHour.logged == logged)
            .values(downloaded=downloaded)
            .execution_options(synchronize_session=False)
        )
        session.commit()
        done["compared"] += 1
        if differs(logged, downloaded):
            log.error("logs and the edge's count differ", hour=hour.isoformat(), logged=logged, downloaded=downloaded)
            done["differ"] += 1
    return done


def differs(logged: int, downloaded: int) -> bool:
    return abs(logged - downloaded) > max(BOUND * downloaded, LEAST)
