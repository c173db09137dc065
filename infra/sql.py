"""SQL engines with the behaviour that the rest relies on, for SQLite (WAL) and PostgreSQL."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TypeVar

import psycopg
from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    PoolProxiedConnection,
    SQLColumnExpression,
    String,
    TypeDecorator,
    create_engine,
    event,
    literal,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from infra.errors import Problem

# SQLite has one writer. A transaction that starts by reading and then writes fails at once when another has written in
# between, whatever the busy timeout; one that starts as a writer waits its turn. So writing is the default, and code
# that only reads says so.
_reading: ContextVar[bool] = ContextVar("reading", default=False)

BUSY_MS = 30_000

T = TypeVar("T")


@contextmanager
def reading(on: bool = True) -> Iterator[None]:
    """Transactions begun inside only read: on SQLite they do not take the write lock, on PostgreSQL they are READ ONLY.

    Nest `reading(False)` to write from a reader.
    """
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


class _Strings(TypeDecorator[Sequence[str]]):
    """A list of strings in one parameter: an array, or JSON where there are none."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String() if dialect.name == "sqlite" else ARRAY(String))

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        return json.dumps(value) if dialect.name == "sqlite" else value


class _Among(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True
    _is_implicitly_boolean = True  # Or else SQLite is asked for `IN (…) = 1`, which no index serves.


@compiles(_Among)
def _among(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(each, **options) for each in element.clauses)
    if compiler.dialect.name == "sqlite":
        return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 (a column and a parameter)
    return f"{column} = ANY ({values})"


def among(column: SQLColumnExpression[str], values: Sequence[str]) -> ColumnElement[bool]:
    """`column IN (values)` for thousands of values: one parameter, where `in_` writes and parses one for each.

    PostgreSQL knows their number when it plans, however old its statistics are.
    """
    return _Among(column, literal(list(values), _Strings()))


def insert_into(session: Session, table: type[Any]) -> postgresql.Insert:
    """An INSERT that can say ON CONFLICT, in the words of the session's database. (SQLite's has the same methods.)"""
    kind: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    made: postgresql.Insert = kind.insert(table)
    return made


def is_postgres(url: str) -> bool:
    return url.startswith("postgresql")


def engine_options(
    url: str, *, pool_size: int = 5, overflow: int = 10, recycle: int = 1800, timeout: int = 5
) -> dict[str, Any]:
    """What `create_engine` gets for `url`; `recycle` and `timeout` are seconds.

    A connection is asked whether it still lives before it is handed out, and one that goes silent in the middle of a
    statement (a host that failed over) is given up after 15 s instead of TCP's quarter of an hour. Errors do not show
    the values of a statement: they end up in logs.
    """
    if not is_postgres(url):
        return {"hide_parameters": True}
    return {
        "hide_parameters": True,
        "pool_pre_ping": True,
        "pool_size": pool_size,
        "max_overflow": overflow,
        "pool_recycle": recycle,
        "pool_timeout": timeout,
        "pool_use_lifo": True,  # Connections that a burst needed fall idle and are closed by the server in time.
        "connect_args": {
            "connect_timeout": timeout,
            "application_name": "vitrine",
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
        },
    }


def connect(url: str, **options: Any) -> Engine:
    """An engine for `url`, prepared by `prepare`."""
    return prepare(create_engine(url, **{**engine_options(url), **options}))


def asked(engine: Engine, ask: Callable[[PoolProxiedConnection], T]) -> T:
    """`ask` of one of the engine's connections past SQLAlchemy, which would cost more than the database does. Asks once
    more where the server restarted: what the pool holds is gone with it then."""
    try:
        with closing(engine.raw_connection()) as connection:
            return ask(connection)
    except psycopg.OperationalError as error:
        if error.sqlstate and not error.sqlstate.startswith(("08", "57P")):
            raise
        engine.dispose()
        with closing(engine.raw_connection()) as connection:
            return ask(connection)


def prepare(engine: Engine) -> Engine:
    """Attach the connection and transaction hooks; idempotent."""
    if engine.dialect.name == "sqlite":
        if not event.contains(engine, "connect", _sqlite_connect):
            event.listen(engine, "connect", _sqlite_connect)
            event.listen(engine, "begin", _sqlite_begin)
    elif not event.contains(engine, "begin", _postgres_begin):
        event.listen(engine, "begin", _postgres_begin)
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


def _postgres_begin(connection: Connection) -> None:
    # The driver adds READ ONLY to the BEGIN that it sends with the first statement: no round trip of its own.
    driver: psycopg.Connection[Any] = connection.connection.dbapi_connection  # type: ignore[assignment]
    driver.read_only = True if _reading.get() else None


class UnsafeRole(RuntimeError):
    """The role that a fleet serves as is exempt from row-level security."""


def refuse_exempt_role(connection: psycopg.Connection[Any], _record: object) -> None:
    """A `connect` hook for engines that serve: row-level security must hold for their role.

    FORCE binds a table's owner, but nothing binds a superuser or a role with BYPASSRLS.
    """
    found = connection.execute(
        "SELECT current_user, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    connection.rollback()
    if found is None or found[1]:
        role = found[0] if found else "?"
        raise UnsafeRole(
            f"VITRINE_DATABASE_URL: the role {role} bypasses row-level security. Serve as a role that is neither "
            "superuser nor BYPASSRLS (docs/postgres.md)."
        )


# --- What went wrong, for the one who asked ---------------------------------------------------------------------------

RETRY_SECONDS = 5

# SQLSTATE classes (PostgreSQL, appendix A) after which the same request may succeed: connection exceptions, rollbacks
# for serialisation or deadlock, insufficient resources, operator intervention (a shutdown, a timeout).
_PASSING_CLASSES = ("08", "40", "53", "57")
_LOCK_NOT_AVAILABLE = "55P03"
_UNIQUE_VIOLATION = "23505"
_DISK_FULL = "53100"
_SQLITE_FULL = ("SQLITE_FULL", "SQLITE_IOERR")
_SQLITE_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_PROTOCOL")


def problem_of(error: SQLAlchemyError) -> Problem | None:
    """How a failed statement or connection is answered; None if it is a mistake of ours, which is a 500."""
    if isinstance(error, PoolTimeout):
        return _unavailable()
    if not isinstance(error, DBAPIError):
        return None
    if isinstance(error.orig, sqlite3.Error):
        name = getattr(error.orig, "sqlite_errorname", "")
        if name.startswith(_SQLITE_FULL):
            return Problem("disk-full")
        return _unavailable() if name.startswith(_SQLITE_PASSING) else None
    if not isinstance(error.orig, psycopg.Error):
        return None
    state = error.orig.sqlstate
    if state is None:  # It did not come from the server: no connection, or a lost one.
        gone = error.connection_invalidated or isinstance(error.orig, psycopg.OperationalError)
        return _unavailable() if gone else None
    if state == _DISK_FULL:
        return Problem("disk-full")
    if state == _UNIQUE_VIOLATION:  # On SQLite writers take turns, and the check before the insert sees it.
        return Problem("conflict", "Someone else did the same at this moment. Look again, then retry.")
    return _unavailable() if state.startswith(_PASSING_CLASSES) or state == _LOCK_NOT_AVAILABLE else None


def _unavailable() -> Problem:
    return Problem("unavailable", headers={"Retry-After": str(RETRY_SECONDS)})
