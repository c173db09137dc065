"""SELECTs of one tenant's rows that are put together once and run past the ORM.

A page for everybody reads hundreds of rows as values. To build such a statement, to find its text in a cache and to
unpack its rows costs SQLAlchemy more than the database does, so here the text is made once for each kind of database.
The guards of `tenants/db.py` hold: a session must serve a tenant, whose id goes to `TENANT` in the statement, and
PostgreSQL is told whom a statement serves.

Within a session a statement is of its transaction (`Prepared.rows`). Apart from any (`Asking`), several go to the
database in one message, and what they read need not be of one moment: whoever asks so knows that it does not matter.
"""

import re
import sqlite3
from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple, Protocol

import psycopg
from cachetools import LRUCache
from flask import Flask
from psycopg.sql import quote
from sqlalchemy import BindParameter, Dialect, Engine, PoolProxiedConnection, Select, bindparam, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from infra import sql
from infra.message import answers, driver
from tenants.db import ScopeMissing, bound_tenant, db

TENANT: BindParameter[str] = bindparam("tenant", "")
"""Stands for the session's tenant; every table that the statement reads is to be held to it."""

Value = str | int | datetime


def moment(given: str | datetime) -> datetime:
    """A time from a row, or its text: SQLite stores it in UTC without saying so."""
    found = datetime.fromisoformat(given) if isinstance(given, str) else given
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


Rows = Sequence[Sequence[Any]]


class _Made(NamedTuple):
    """A statement in the words of one kind of database. `constants` are all of its parameters but those of a run;
    `order` is that of all where they have no names."""

    text: str
    constants: dict[str, Any]
    order: Sequence[str] | None

    def parameters(self, tenant_id: str, values: Mapping[str, Value]) -> dict[str, Any] | tuple[Any, ...]:
        given = {**self.constants, **values, TENANT.key: tenant_id}
        return given if self.order is None else tuple(_stored(given[name]) for name in self.order)


class Prepared:
    """`select` has `TENANT` in its criteria, and other values of a run as `bindparam(name, <a sample>)`.

    No column type converts what goes in or comes out: truth values may be numbers, enumerations are strings, and times
    go through `moment`. Rows that the session has not flushed are not found.

    `is_large`: apart from a session, rows that were handed over before need not be again (`Asking`).
    """

    def __init__(self, select: Select[*tuple[Any, ...]], *, is_large: bool = False) -> None:
        self._select = select
        self.is_large = is_large
        self._made: dict[str, _Made] = {}

    def rows(self, session: Session, **values: Value) -> Rows:
        """Raises `ScopeMissing` if the session serves no tenant."""
        tenant_id = bound_tenant(session)
        if tenant_id is None:
            raise ScopeMissing("no tenant in scope for a prepared statement")
        connection = session.connection()
        made = self.made(connection.dialect)
        return connection.exec_driver_sql(made.text, made.parameters(tenant_id, values)).fetchall()

    def made(self, dialect: Dialect) -> _Made:
        return self._made.get(dialect.name) or self._make(dialect)

    def _make(self, dialect: Dialect) -> _Made:
        compiled = self._select.compile(dialect=dialect)
        samples: dict[str, Any] = dict(compiled.params)
        if TENANT.key not in samples:
            raise ValueError("the statement does not ask whose rows it reads")
        made = compiled.construct_expanded_state(samples)
        of_a_run = {name for name, each in compiled.binds.items() if not each.unique}
        constants = {
            name: each.value if isinstance(each, Enum) else each
            for name, each in made.parameters.items()
            if name not in of_a_run
        }
        self._made[dialect.name] = whole = _Made(made.statement, constants, made.positiontup)
        return whole


def _stored(value: Value) -> str | int:
    """As SQLAlchemy stores it in SQLite."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value


# --- Apart from any session -------------------------------------------------------------------------------------------

Question = tuple[Prepared, Mapping[str, Value]]
"""A statement and the values of one run."""


def key_of(question: Question) -> Hashable:
    """The same for the same question."""
    statement, values = question
    return statement, *values.items()


class Ask(Protocol):
    """As `Asking.ask`."""

    def __call__(self, tenant_id: str, *questions: Question) -> list[Rows]: ...


_ANNOUNCE = f"SELECT set_config('vitrine.tenant', %({TENANT.key})s, true), set_config('vitrine.across', '', true)"
"""As `tenants.db` tells PostgreSQL whom a transaction serves: it ends with the transaction, here with the message."""


_UNLESS_KNOWN = """WITH page AS MATERIALIZED ({0}),
whole AS (SELECT encode(sha256(convert_to(string_agg(page::text, chr(10)), 'UTF8')), 'hex') AS digest FROM page)
SELECT page.*, whole.digest FROM whole LEFT JOIN page ON whole.digest IS DISTINCT FROM %({1})s"""
"""A large statement's rows with their digest, or the digest alone where it is the one that is known. There is nothing
to join by but a comparison with a constant, so the rows stay in their order."""
_KNOWN = "known_digest"
MOST_KEPT = 64


class _Answer(NamedTuple):
    """Of a large statement. Nothing has no digest."""

    digest: str | None
    rows: Rows


_NO_ANSWER = _Answer(None, ())


class Asking:
    """Statements past SQLAlchemy's sessions. `engine` is one whose connections begin no transactions by themselves.

    PostgreSQL is told the digest of what a large statement read when it was asked last, and sends rows only where
    theirs is another (as HTTP does by If-None-Match): to receive 200 rows takes the process longer than all else of a
    message. The last answers are kept for that, `MOST_KEPT` of them.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._answers: LRUCache[Hashable, _Answer] = LRUCache(MOST_KEPT)
        self._lock = Lock()

    def ask(self, tenant_id: str, *questions: Question) -> list[Rows]:
        """The rows of each statement for that tenant. Raises `sqlalchemy.exc.DBAPIError` as a session would."""
        if not tenant_id:
            raise ScopeMissing("no tenant in scope for a prepared statement")
        run = self._in_turn if self.engine.dialect.name == "sqlite" else self._at_once
        try:
            return sql.asked(self.engine, lambda connection: run(connection, tenant_id, questions))
        except (psycopg.Error, sqlite3.Error) as error:
            base = sqlite3.Error if isinstance(error, sqlite3.Error) else psycopg.Error
            raise DBAPIError.instance(None, None, error, base, hide_parameters=True) from error

    def _in_turn(self, connection: PoolProxiedConnection, tenant_id: str, questions: Sequence[Question]) -> list[Rows]:
        cursor, found = connection.cursor(), []
        for statement, values in questions:
            made = statement.made(self.engine.dialect)
            cursor.execute(made.text, made.parameters(tenant_id, values))
            found.append(cursor.fetchall())
        cursor.close()
        return found

    def _at_once(self, connection: PoolProxiedConnection, tenant_id: str, questions: Sequence[Question]) -> list[Rows]:
        """In PostgreSQL's simple query protocol, where several statements in one message are one transaction. The
        driver writes values into it."""
        own = driver(connection)
        write = psycopg.ClientCursor(own).mogrify
        whose: dict[str, Value | None] = {TENANT.key: tenant_id}
        known = [self._last(tenant_id, question) for question in questions]
        message = [write(_ANNOUNCE, whose)]
        for (statement, values), last in zip(questions, known, strict=True):
            message.append(write(_written(statement, self.engine.dialect), {**values, **whose, _KNOWN: last.digest}))
        text = ";\n".join(message).encode()
        _announced, *answered = answers(own, lambda connection: connection.send_query(text))
        return [
            self._told(tenant_id, question, last, rows) if question[0].is_large else rows
            for question, last, rows in zip(questions, known, answered, strict=True)
        ]

    def _last(self, tenant_id: str, question: Question) -> _Answer:
        if not question[0].is_large:
            return _NO_ANSWER
        with self._lock:
            return self._answers.get((tenant_id, key_of(question)), _NO_ANSWER)

    def _told(self, tenant_id: str, question: Question, last: _Answer, rows: Rows) -> Rows:
        """What a large statement read, of the rows of `_UNLESS_KNOWN`."""
        digest = rows[0][-1]
        if digest == last.digest:
            return last.rows
        answer = _Answer(digest, [row[:-1] for row in rows]) if digest else _NO_ANSWER
        with self._lock:
            self._answers[tenant_id, key_of(question)] = answer
        return answer.rows


@lru_cache(maxsize=64)
def _written(statement: Prepared, dialect: Dialect) -> str:
    """The statement with its constants written out, as PostgreSQL gets it."""
    made = statement.made(dialect)

    def constant(found: re.Match[str]) -> str:
        name = found[1]
        return quote(made.constants[name]).replace("%", "%%") if name in made.constants else found[0]

    text = re.sub(r"%\((\w+)\)s", constant, made.text)
    return _UNLESS_KNOWN.format(text, _KNOWN) if statement.is_large else text


def init_app(app: Flask) -> None:
    """`app.extensions["vitrine.asking"]`, for pages."""
    with app.app_context():
        app.extensions["vitrine.asking"] = Asking(_apart(db.engine))


def _apart(engine: Engine) -> Engine:
    """An engine for one message at a time: without a transaction around it that two more messages would begin and end,
    and without asking first whether the connection lives (`sql.asked` asks again where it did not)."""
    if engine.dialect.name != "postgresql":
        return engine
    url = engine.url.render_as_string(hide_password=False)
    options = {**sql.engine_options(url, pool_size=8), "pool_pre_ping": False, "isolation_level": "AUTOCOMMIT"}
    options["pool_reset_on_return"] = None  # There is no transaction to roll back.
    options["connect_args"] = {**options["connect_args"], "client_encoding": "utf8"}
    apart = sql.connect(url, **options)
    event.listen(engine, "engine_disposed", lambda _engine: apart.dispose())
    return apart
