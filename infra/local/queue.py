"""SQS's contract on a SQL table."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, Row, func, select, update
from ulid import ULID

from infra.errors import ReceiptExpired
from infra.local.tables import queue_messages as table
from infra.ports import MAX_DELAY, Clock, Depth, Message
from infra.sql import reading

_POLL_SECONDS = 0.2


class SqlQueue:
    """Implements `infra.ports.JobQueue`.

    A receive is a compare-and-set on the receipt column inside one short transaction, so two receivers never share a
    message: SQLite serialises writers, PostgreSQL skips rows that another receiver has locked.
    """

    def __init__(self, engine: Engine, clock: Clock, *, max_receives: int) -> None:
        self._engine = engine
        self._clock = clock
        self._max_receives = max_receives

    def send(self, body: Mapping[str, Any], *, group: str, delay: timedelta = timedelta()) -> str:
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
            if self._anything_due():
                messages = self._receive_now(limit, visibility)
                if messages:
                    return messages
            if self._clock.now() >= deadline:
                return []
            self._clock.sleep(_POLL_SECONDS)

    def _anything_due(self) -> bool:
        # Idle polling must not take SQLite's write lock five times a second.
        with reading(), self._engine.connect() as connection:
            due = select(table.c.id).where(table.c.dead_at.is_(None), table.c.visible_at <= self._clock.now()).limit(1)
            return connection.execute(due).first() is not None

    def _receive_now(self, limit: int, visibility: timedelta) -> list[Message]:
        now = self._clock.now()
        received: list[Message] = []
        with self._engine.begin() as connection:
            while len(received) < limit:
                due = (
                    select(table)
                    .where(table.c.dead_at.is_(None), table.c.visible_at <= now)
                    .order_by(table.c.visible_at, table.c.id)
                    .limit(limit - len(received))
                    .with_for_update(skip_locked=True)
                )
                rows = connection.execute(due).all()
                if not rows:
                    break
                for row in rows:
                    change: dict[str, Any]
                    if row.receives >= self._max_receives:
                        change = {"dead_at": now, "receipt": None}
                    else:
                        change = {
                            "receipt": f"{row.id}.{secrets.token_hex(8)}",
                            "receives": row.receives + 1,
                            "visible_at": now + visibility,
                        }
                        received.append(_message(row, receipt=change["receipt"], receives=change["receives"]))
                    connection.execute(table.update().where(table.c.id == row.id).values(**change))
        return received

    def extend(self, receipt: str, visibility: timedelta) -> None:
        statement = (
            update(table)
            .where(table.c.id == receipt.partition(".")[0], table.c.receipt == receipt, table.c.dead_at.is_(None))
            .values(visible_at=self._clock.now() + visibility)
        )
        with self._engine.begin() as connection:
            if connection.execute(statement).rowcount != 1:
                raise ReceiptExpired(receipt)

    def delete(self, receipt: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                table.delete().where(table.c.id == receipt.partition(".")[0], table.c.receipt == receipt)
            )

    def depth(self) -> Depth:
        now = self._clock.now()
        dead = table.c.dead_at.is_not(None)
        statement = select(
            func.count().filter(~dead, table.c.visible_at <= now),
            func.count().filter(~dead, table.c.visible_at > now),
            func.count().filter(dead),
        ).select_from(table)
        with reading(), self._engine.connect() as connection:
            waiting, in_flight, gone = connection.execute(statement).one()
        return Depth(waiting=waiting, in_flight=in_flight, dead=gone)

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


def _message(row: Row[Any], *, receipt: str, receives: int) -> Message:
    return Message(
        id=row.id, receipt=receipt, body=row.body, group=row.group_name, receives=receives, sent_at=row.sent_at
    )
