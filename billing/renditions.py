"""What renditions take, measured: the sizes in the catalog against what usage was told of each asset.

Many places write and remove renditions. None of them counts: once an hour the tenants whose edition changed are
compared here, all together, and each asset that takes more or less than was told becomes a usage event with the
difference, at the time of the look. Every tenant is compared once a day, whatever its edition says (ADR 0193).

An event's id carries the asset's turn, `rendered:<asset>:<turn>`, and is written with the asset's row in one
transaction. Whoever comes second with a turn, after a crash or beside another process, finds the id taken and leaves
the row alone: nothing is told twice, and what was not told is found by the next look.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from sqlalchemy import (
    BigInteger,
    Integer,
    Select,
    String,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.ledger import CHAIN, LedgerHead, hour_of
from infra import faults
from infra.sql import insert_into, reading
from tenants import usage
from tenants.catalog import Asset, Rendition
from tenants.db import Base, TenantOwned, across_tenants, db
from tenants.editions import Edition
from tenants.names import ID_LENGTH
from tenants.scope import ports
from tenants.usage import Meter, UsageEvent

log = structlog.get_logger(__name__)

EVERY = timedelta(days=1)
"""How long a tenant goes without a comparison though its edition says that nothing changed."""
TENANTS = 200
"""Compared by one statement."""
MOST = 20_000
"""Assets that one statement brings; when there are more it is asked again."""
MOST_AT_ONCE = 100_000
"""After so many events a run ends: closing and sending have their turn, and the next run goes on."""
CHUNK = 1_000
"""Assets that are told of by one transaction."""


class RenditionUse(TenantOwned, Base):
    """What has been told of an asset. No key to it: the row is still needed when the asset is gone."""

    __tablename__ = "rendition_use"

    asset_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    album_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    """Where it lay when it was first told of. All its events name that one, so that they add up by album too."""
    size: Mapped[int] = mapped_column(BigInteger)
    """The sum of its events: bytes."""
    turn: Mapped[int] = mapped_column(Integer)
    """How many events there were."""


class Change(NamedTuple):
    """An asset of whose renditions, now of `size` bytes, `told` bytes were told so far, in `turn` events."""

    tenant_id: str
    asset_id: str
    album_id: str | None
    size: int
    told: int
    turn: int
    there: bool
    """Whether there still is such an asset."""

    @property
    def event(self) -> str:
        return f"rendered:{self.asset_id}:{self.turn + 1}"


def run(now: datetime) -> Counter[str]:
    """Compare who is due at `now`; how many events were recorded. Safe at any time and in several processes at once."""
    session = db.session()
    done: Counter[str] = Counter()
    with across_tenants(session, "measure renditions"):
        try:
            due = _due(session, now)
            for start in range(0, len(due), TENANTS):
                some, more = dict(due[start : start + TENANTS]), True
                while more and done["renditions"] < MOST_AT_ONCE:
                    told, more = _look(session, some, now)
                    done["renditions"] += told
                    more = more and told > 0  # Else another process is at the same ones.
        finally:
            session.rollback()
    return +done


def _due(session: Session, now: datetime) -> list[tuple[str, int]]:
    """Tenants to compare, each with its edition. That is read before the renditions are: what changes between the two
    has another edition, and is found by the next look at the latest."""
    looked_at = LedgerHead.rendition_looked_at
    changed = (Edition.number != LedgerHead.rendition_edition) & (looked_at < hour_of(now))
    wanted = (
        select(LedgerHead.tenant_id, Edition.number)
        .join(Edition, Edition.tenant_id == LedgerHead.tenant_id)
        .where(LedgerHead.chain == CHAIN, or_(looked_at.is_(None), looked_at < now - EVERY, changed))
        .order_by(LedgerHead.tenant_id)
    )
    with reading():
        found = [(tenant_id, number) for tenant_id, number in session.execute(wanted)]
        session.rollback()
    return found


def _look(session: Session, editions: dict[str, int], now: datetime) -> tuple[int, bool]:
    """How many events were recorded, and whether there may be more of these tenants.

    That a tenant was compared is noted last, and not where somebody else told of one of its assets at the same time:
    that may have been of an older size.
    """
    with reading():
        changes = [Change._make(row) for row in session.execute(_changes(list(editions)))]
        session.rollback()
    told, missed = 0, set[str]()
    for start in range(0, len(changes), CHUNK):
        some = changes[start : start + CHUNK]
        new = _tell(session, some, now)
        told += len(new)
        missed |= {each.tenant_id for each in some if each.size != each.told and each not in new}
    for tenant_id in sorted(missed):
        log.warning("somebody else told of renditions, the tenant is looked at again", tenant=tenant_id)
    if len(changes) == MOST:
        return told, True
    seen = [
        {"of_tenant": tenant_id, "edition": number, "now": now}
        for tenant_id, number in editions.items()
        if tenant_id not in missed
    ]
    if seen:
        session.connection().execute(_NOTE, seen)
    faults.point("rendered-noted")
    session.commit()
    return told, False


def _changes(tenant_ids: Sequence[str]) -> Select[Any]:
    """One statement, so that an asset is in it once however renditions come and go meanwhile."""
    sums = (
        select(Rendition.tenant_id, Rendition.asset_id, cast(func.sum(Rendition.size), BigInteger).label("size"))
        .where(Rendition.tenant_id.in_(tenant_ids))
        .group_by(Rendition.tenant_id, Rendition.asset_id)
        .subquery()
    )
    told = func.coalesce(RenditionUse.size, 0)
    of_sums = (RenditionUse.tenant_id == sums.c.tenant_id) & (RenditionUse.asset_id == sums.c.asset_id)
    asset_of_sums = (Asset.tenant_id == sums.c.tenant_id) & (Asset.id == sums.c.asset_id)
    present = (
        select(
            sums.c.tenant_id,
            sums.c.asset_id,
            func.coalesce(RenditionUse.album_id, Asset.album_id),
            sums.c.size,
            told,
            func.coalesce(RenditionUse.turn, 0),
            literal(1),
        )
        .join(Asset, asset_of_sums)
        .outerjoin(RenditionUse, of_sums)
        .where(sums.c.size != told)
    )
    asset_of_use = (Asset.tenant_id == RenditionUse.tenant_id) & (Asset.id == RenditionUse.asset_id)
    rendered = (Rendition.tenant_id == RenditionUse.tenant_id) & (Rendition.asset_id == RenditionUse.asset_id)
    bare = (
        select(
            RenditionUse.tenant_id,
            RenditionUse.asset_id,
            RenditionUse.album_id,
            cast(literal(0), BigInteger),
            RenditionUse.size,
            RenditionUse.turn,
            cast(Asset.id.is_not(None), Integer),
        )
        .outerjoin(Asset, asset_of_use)
        .where(
            RenditionUse.tenant_id.in_(tenant_ids),
            ~exists().where(rendered),
            or_(RenditionUse.size != 0, Asset.id.is_(None)),
        )
    )
    both = present.union_all(bare).subquery()
    return select(both).order_by(both.c.tenant_id, both.c.asset_id).limit(MOST)


def _tell(session: Session, changes: Sequence[Change], now: datetime) -> set[Change]:
    """Record the events and what they tell, in one transaction; those that nobody else had told. Every process goes
    through assets in the same order, so that none waits for another that waits for it."""
    new = _record(session, [each for each in changes if each.size != each.told], now)
    gone = [each for each in changes if not each.there and (each in new or each.size == each.told)]
    _keep(session, [each for each in changes if each.there and each in new])
    if gone:
        keys = [{"of_tenant": each.tenant_id, "of_asset": each.asset_id} for each in gone]
        session.connection().execute(_DROP, keys)
    sums: Counter[str] = Counter()
    for each in new:
        sums[each.tenant_id] += each.size - each.told
    for tenant_id, amount in sorted(sums.items()):
        if amount:
            usage.tell(session, ports().metrics, tenant_id, Meter.RENDERED, amount, at=now)
    faults.point("rendered")
    session.commit()
    return new


def differences(session: Session, tenant_id: str) -> Iterator[str]:
    """Assets of which the row says that another size was told than their events add up to, for `billing verify`."""
    about = (UsageEvent.tenant_id == tenant_id, UsageEvent.meter == Meter.RENDERED, UsageEvent.asset_id.is_not(None))
    sums = select(UsageEvent.asset_id, func.sum(UsageEvent.amount)).where(*about).group_by(UsageEvent.asset_id)
    by_events = {str(asset_id): int(size) for asset_id, size in session.execute(sums) if size}
    told = select(RenditionUse.asset_id, RenditionUse.size).where(
        RenditionUse.tenant_id == tenant_id, RenditionUse.size != 0
    )
    by_rows = {row.asset_id: row.size for row in session.execute(told)}
    for asset_id in sorted({*by_events, *by_rows}):
        row, events = by_rows.get(asset_id, 0), by_events.get(asset_id, 0)
        if row != events:
            yield f"of the renditions of asset {asset_id} {row} bytes are noted as told, its events say {events}"


def _record(session: Session, changes: Iterable[Change], now: datetime) -> set[Change]:
    by_key = {(each.tenant_id, each.event): each for each in changes}
    if not by_key:
        return set()
    rows = [
        {
            "tenant_id": each.tenant_id,
            "id": each.event,
            "meter": Meter.RENDERED,
            "quantity": each.size - each.told,
            "amount": each.size - each.told,
            "album_id": each.album_id,
            "asset_id": each.asset_id,
            "at": now,
        }
        for each in by_key.values()
    ]
    statement = insert_into(session, UsageEvent.__table__).on_conflict_do_nothing()  # type: ignore[arg-type]
    made = session.connection().execute(statement.returning(UsageEvent.tenant_id, UsageEvent.id), rows)
    return {by_key[tenant_id, event_id] for tenant_id, event_id in made}


def _keep(session: Session, changes: Iterable[Change]) -> None:
    rows = [
        {
            "tenant_id": each.tenant_id,
            "asset_id": each.asset_id,
            "album_id": each.album_id,
            "size": each.size,
            "turn": each.turn + 1,
        }
        for each in changes
    ]
    if rows:
        statement = insert_into(session, RenditionUse.__table__)  # type: ignore[arg-type]
        fresh = {"size": statement.excluded.size, "turn": statement.excluded.turn}
        statement = statement.on_conflict_do_update(index_elements=["tenant_id", "asset_id"], set_=fresh)
        session.connection().execute(statement, rows)


_DROP = delete(RenditionUse.__table__).where(  # type: ignore[arg-type]
    RenditionUse.tenant_id == bindparam("of_tenant"), RenditionUse.asset_id == bindparam("of_asset")
)
_NOTE = (
    update(LedgerHead.__table__)  # type: ignore[arg-type]
    .where(LedgerHead.tenant_id == bindparam("of_tenant"), LedgerHead.chain == CHAIN)
    .values(rendition_edition=bindparam("edition"), rendition_looked_at=bindparam("now"))
)
