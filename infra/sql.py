"""SQL engines with the behaviour that the rest relies on, for SQLite (WAL) and PostgreSQL."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, DateTime, Dialect, Engine, TypeDecorator, create_engine, event

# SQLite has one writer. A transaction that starts by reading and then writes fails at once when another has written in
# between, whatever the busy timeout; one that starts as a writer waits its turn. So writing is the default, and code
# that only reads says so.
_reading: ContextVar[bool] = ContextVar("reading", default=False)

BUSY_MS = 30_000


@contextmanager
def reading(on: bool = True) -> Iterator[None]:
    """Transactions begun inside do not take SQLite's write lock. Nest `reading(False)` to write from a reader."""
    token = _reading.set(on)
    try:
        yield
    finally:
        _reading.reset(token)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python, whatever the database keeps. Refuses naive values."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime reached the database: use Clock.now()")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def connect(url: str, **options: Any) -> Engine:
    """An engine for `url`, prepared by `prepare`."""
    return prepare(create_engine(url, pool_pre_ping=not url.startswith("sqlite"), **options))


def prepare(engine: Engine) -> Engine:
    """Attach the connection and transaction hooks; idempotent."""
    if engine.dialect.name != "sqlite" or event.contains(engine, "connect", _sqlite_connect):
        return engine
    event.listen(engine, "connect", _sqlite_connect)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # The driver must not begin transactions itself: `_sqlite_begin` does.
    for pragma in (
        f"busy_timeout={BUSY_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",  # A committed row survives a power cut: an acknowledged upload depends on it.
        "foreign_keys=ON",
        "temp_store=MEMORY",
        "cache_size=-16000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if _reading.get() else "BEGIN IMMEDIATE")
