"""SQS's contract on a SQL table."""

import heapq
import secrets
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Integer, Row, Select, String, bindparam, case, delete, func, select, update
from sqlalchemy.sql.dml import ReturningUpdate
from ulid import ULID

from infra.errors import ReceiptExpired
from infra.local.tables import queue_messages as table
from infra.ports import MAX_DELAY, Clock, Depth, Message, Whereabouts
from infra.sql import reading

_POLL_SECONDS = 0.2


class SqlQueue:
    """Implements `infra.ports.JobQueue` and `infra.ports.SearchableQueue`.

    A receive is a compare-and-set on the receipt column inside one short transaction, so two receivers never share a
    message: SQLite serialises writers, PostgreSQL skips rows that another receiver has locked.

    Groups take turns: the next message is of the group with the fewest in flight, the oldest of it first. `ahead` is
    not needed for that.
    """

    def __init__(self, engine: Engine, clock: Clock, *, max_receives: int) -> None:
        self._engine = engine
        self._clock = clock
        self._max_receives = max_receives

    def send(self, body: Mapping[str, Any], *, group: str, ahead: int = 0, delay: timedelta = timedelta()) -> str:
        if not timedelta() <= delay <= MAX_DELAY:
            raise ValueError("a delay is at most 15 minutes, as on SQS")
        now = self._clock.now()
        message_id = str(ULID()).lower()
        with self._engine.begin() as connection:
            connection.execute(
                table.insert().values(
                    id=message_id,
                    body=dict(body),
                    group_name=group,
                    sent_at=now,
                    visible_at=now + delay,
                    receives=0,
                )
            )
        return message_id

    def receive(self, limit: int, *, visibility: timedelta, wait: timedelta = timedelta()) -> list[Message]:
        if not 1 <= limit <= 10:
            raise ValueError("limit must be 1 to 10, as on SQS")
        deadline = self._clock.now() + wait
        while True:
            while shares := self._shares(limit):
                if messages := self._take(shares, visibility):
                    return messages
            if self._clock.now() >= deadline:
                return []
            self._clock.sleep(_POLL_SECONDS)

    def _shares(self, limit: int) -> Counter[str]:
        """How many of the next `limit` messages each group may send: always one of the group with fewest in flight."""
        now = self._clock.now()
        shares: Counter[str] = Counter()
        # Idle polling must not take SQLite's write lock five times a second.
        with reading(), self._engine.connect() as connection:
            rows = connection.execute(_GROUPS, {"now": now}).all()
        groups = [(row.in_flight, row.oldest, row.name, row.due) for row in rows if row.due]
        heapq.heapify(groups)
        while groups and shares.total() < limit:
            in_flight, oldest, name, due = heapq.heappop(groups)
            shares[name] += 1
            if due > shares[name]:
                heapq.heappush(groups, (in_flight + 1, oldest, name, due))
        return shares

    def _take(self, shares: Mapping[str, int], visibility: timedelta) -> list[Message]:
        """Receive the oldest messages of each group, those aside that become dead letters by it."""
        now = self._clock.now()
        about = {"now": now, "hidden": now + visibility, "most": self._max_receives, "nonce": secrets.token_hex(8)}
        with self._engine.begin() as connection:
            rows = [
                row
                for group, share in shares.items()
                for row in connection.execute(_TAKE, {"group": group, "share": share, **about})
            ]
        return [
            _message(row, receipt=row.receipt, receives=row.receives)
            for row in sorted(rows, key=lambda row: row.id)
            if row.receipt
        ]

    def extend(self, receipt: str, visibility: timedelta) -> None:
        with self._engine.begin() as connection:
            about = {"message": _id_of(receipt), "given": receipt, "until": self._clock.now() + visibility}
            if connection.execute(_EXTEND, about).rowcount != 1:
                raise ReceiptExpired(receipt)

    def delete(self, *receipts: str) -> None:
        if receipts:
            with self._engine.begin() as connection:
                connection.execute(_DELETE, [{"message": _id_of(receipt), "given": receipt} for receipt in receipts])

    def depth(self) -> Depth:
        now = self._clock.now()
        dead = table.c.dead_at.is_not(None)
        statement = select(
            func.count().filter(~dead, table.c.visible_at <= now),
            func.count().filter(~dead, table.c.visible_at > now),
            func.count().filter(dead),
            func.min(table.c.sent_at).filter(~dead, table.c.visible_at <= now),
        ).select_from(table)
        with reading(), self._engine.connect() as connection:
            waiting, in_flight, gone, oldest = connection.execute(statement).one()
        return Depth(waiting=waiting, in_flight=in_flight, dead=gone, oldest=oldest)

    def dead(self, limit: int = 100) -> list[Message]:
        statement = select(table).where(table.c.dead_at.is_not(None)).order_by(table.c.dead_at, table.c.id).limit(limit)
        with reading(), self._engine.connect() as connection:
            return [_message(row, receipt="", receives=row.receives) for row in connection.execute(statement)]

    def redrive(self, message_id: str) -> bool:
        statement = (
            update(table)
            .where(table.c.id == message_id, table.c.dead_at.is_not(None))
            .values(dead_at=None, receives=0, receipt=None, visible_at=self._clock.now())
        )
        with self._engine.begin() as connection:
            return bool(connection.execute(statement).rowcount)

    def forget(self, group: str) -> int:
        """`infra.ports.ForgettingQueue`."""
        with self._engine.begin() as connection:
            return int(connection.execute(delete(table).where(table.c.group_name == group)).rowcount)

    def discard(self, message_id: str) -> bool:
        statement = delete(table).where(table.c.id == message_id, table.c.dead_at.is_not(None))
        with self._engine.begin() as connection:
            return bool(connection.execute(statement).rowcount)

    def find(self, group: str, name: str, value: str) -> list[Whereabouts]:
        """`infra.ports.SearchableQueue`: reads all of the group's messages."""
        its = select(table).where(table.c.group_name == group, table.c.body[name].as_string() == value)
        with reading(), self._engine.connect() as connection:
            return [_whereabouts(row, self._clock.now()) for row in connection.execute(its.order_by(table.c.id))]


def _whereabouts(row: Row[Any], now: datetime) -> Whereabouts:
    state, until = "waiting", None
    if row.dead_at is not None:
        state, until = "dead", row.dead_at
    elif row.visible_at > now:
        state, until = ("in flight" if row.receipt else "delayed"), row.visible_at
    return Whereabouts(row.id, state, row.sent_at, row.receives, until)


def _id_of(receipt: str) -> str:
    return receipt.partition(".")[0]


# Statements are built once: building one costs more than SQLite takes to run it.

_LIVING = table.c.dead_at.is_(None)
_NOW = bindparam("now", type_=table.c.visible_at.type)


def _groups() -> Select[Any]:
    """Each group with how many of its messages are in flight, when the oldest is visible, and how many are due.

    It leaps from group to group through an index (neither database does that by itself) and counts no further than a
    receive can take, so a long queue of one group costs no more than a short one.
    """
    first = select(func.min(table.c.group_name).label("name")).where(_LIVING)
    groups = first.cte("groups", recursive=True)
    following = select(func.min(table.c.group_name)).where(_LIVING, table.c.group_name > groups.c.name)
    groups = groups.union_all(select(following.scalar_subquery()).where(groups.c.name.is_not(None)))
    its = (_LIVING, table.c.group_name == groups.c.name)
    hidden = (table.c.visible_at > _NOW, table.c.receipt.is_not(None))
    in_flight = select(func.count()).select_from(table).where(*its, *hidden).scalar_subquery()
    oldest = select(func.min(table.c.visible_at)).where(*its).scalar_subquery()
    some = select(table.c.id).where(*its, table.c.visible_at <= _NOW).correlate(groups).limit(10).subquery()
    due = select(func.count()).select_from(some).scalar_subquery()
    return select(groups.c.name, in_flight.label("in_flight"), oldest.label("oldest"), due.label("due")).where(
        groups.c.name.is_not(None)
    )


def _take() -> ReturningUpdate[Any]:
    """The oldest messages of a group: received once more, or, if that were too often, made dead letters."""
    oldest = (
        select(table.c.id)
        .where(_LIVING, table.c.group_name == bindparam("group"), table.c.visible_at <= _NOW)
        .order_by(table.c.visible_at, table.c.id)
        .limit(bindparam("share", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte("oldest")  # Not a subquery, which PostgreSQL might evaluate more than once.
    )
    too_often = table.c.receives >= bindparam("most", type_=Integer)
    return (
        update(table)
        .where(table.c.id.in_(select(oldest.c.id)))
        .values(
            dead_at=case((too_often, _NOW), else_=None),
            receipt=case((too_often, None), else_=table.c.id + "." + bindparam("nonce", type_=String)),
            receives=case((too_often, table.c.receives), else_=table.c.receives + 1),
            visible_at=case((too_often, table.c.visible_at), else_=bindparam("hidden", type_=table.c.visible_at.type)),
        )
        .returning(*table.c)
    )


_GROUPS = _groups()
_TAKE = _take()
_GIVEN = (table.c.id == bindparam("message"), table.c.receipt == bindparam("given"))
_EXTEND = update(table).where(*_GIVEN, _LIVING).values(visible_at=bindparam("until"))
_DELETE = delete(table).where(*_GIVEN)


def _message(row: Row[Any], *, receipt: str, receives: int) -> Message:
    return Message(
        id=row.id, receipt=receipt, body=row.body, group=row.group_name, receives=receives, sent_at=row.sent_at
    )
