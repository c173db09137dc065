"""What a failed statement means to the one who asked: `infra.sql.problem_of`."""

import sqlite3
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from infra.sql import problem_of


def failing(path: Path, *statements: str) -> SQLAlchemyError:
    """What SQLite makes of the last statement."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 0})
    with pytest.raises(SQLAlchemyError) as caught, engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
    return caught.value


def code(error: SQLAlchemyError) -> str | None:
    problem = problem_of(error)
    return problem.code if problem else None


def test_a_full_sqlite_file_is_507(tmp_path: Path) -> None:
    filling = "INSERT INTO t VALUES (zeroblob(100000))"
    error = failing(tmp_path / "db", "PRAGMA max_page_count = 2", "CREATE TABLE t (b)", filling)
    assert code(error) == "disk-full"


def test_a_locked_sqlite_file_is_503(tmp_path: Path) -> None:
    holder = sqlite3.connect(tmp_path / "db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    problem = problem_of(failing(tmp_path / "db", "CREATE TABLE t (b)"))
    holder.close()
    assert problem is not None
    assert (problem.status, problem.headers) == (503, {"Retry-After": "5"})


def test_mistakes_of_ours_are_not_excused(tmp_path: Path) -> None:
    assert code(failing(tmp_path / "db", "SELECT nothing")) is None
    assert code(failing(tmp_path / "db", "CREATE TABLE t (b UNIQUE)", *["INSERT INTO t VALUES (1)"] * 2)) is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.OperationalError("server closed the connection unexpectedly"), "unavailable"),
        (psycopg.errors.AdminShutdown(), "unavailable"),
        (psycopg.errors.CannotConnectNow(), "unavailable"),
        (psycopg.errors.TooManyConnections(), "unavailable"),
        (psycopg.errors.DeadlockDetected(), "unavailable"),
        (psycopg.errors.SerializationFailure(), "unavailable"),
        (psycopg.errors.QueryCanceled(), "unavailable"),
        (psycopg.errors.LockNotAvailable(), "unavailable"),
        (psycopg.errors.DiskFull(), "disk-full"),
        (psycopg.errors.UniqueViolation(), "conflict"),
        (psycopg.errors.NotNullViolation(), None),
        (psycopg.errors.ForeignKeyViolation(), None),
        (psycopg.errors.UndefinedTable(), None),
        (psycopg.errors.InsufficientPrivilege(), None),
        (psycopg.errors.ReadOnlySqlTransaction(), None),
        (psycopg.InterfaceError("a mistake in the call"), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_postgresqls_states(error: psycopg.Error, expected: str | None) -> None:
    assert code(OperationalError("SELECT 1", {}, error)) == expected


def test_a_lost_connection_and_an_exhausted_pool_pass() -> None:
    closed = psycopg.InterfaceError("the connection is closed")
    assert code(DBAPIError("SELECT 1", {}, closed, connection_invalidated=True)) == "unavailable"
    assert code(PoolTimeout("QueuePool limit reached")) == "unavailable"
