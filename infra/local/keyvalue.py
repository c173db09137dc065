"""SimpleDB's contract on a SQL table."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select

from infra.attributes import MAX_ATTRIBUTES, check
from infra.errors import ConditionFailed
from infra.local.tables import kv_attributes as table
from infra.sql import reading


class SqlKeyValue:
    """Implements `infra.ports.KeyValue`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, item: str, attributes: Mapping[str, str], *, expect: tuple[str, str | None] | None = None) -> None:
        check(item, attributes)
        with self._engine.begin() as connection:
            _take_turns(connection, item)
            rows = connection.execute(select(table.c.name, table.c.value).where(table.c.item == item))
            stored = {row.name: row.value for row in rows}
            if expect is not None and stored.get(expect[0]) != expect[1]:
                raise ConditionFailed(f"{item}: {expect[0]} is not {expect[1]!r}")
            if len({*stored, *attributes}) > MAX_ATTRIBUTES:
                raise ValueError(f"{item}: at most {MAX_ATTRIBUTES} attributes")
            connection.execute(delete(table).where(table.c.item == item, table.c.name.in_(list(attributes))))
            if attributes:
                connection.execute(
                    table.insert(), [{"item": item, "name": name, "value": text} for name, text in attributes.items()]
                )

    def put_many(self, items: Mapping[str, Mapping[str, str]]) -> None:
        for item, attributes in items.items():
            check(item, attributes)
        for item, attributes in items.items():
            self.put(item, attributes)

    def get(self, item: str) -> dict[str, str]:
        with reading(), self._engine.connect() as connection:
            rows = connection.execute(select(table.c.name, table.c.value).where(table.c.item == item))
            return {row.name: row.value for row in rows}

    def delete(self, item: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(table).where(table.c.item == item))

    def delete_prefix(self, prefix: str) -> int:
        if not prefix:
            raise ValueError("an empty prefix would remove everything")
        named = _starts_with(prefix)
        with self._engine.begin() as connection:
            count = connection.scalar(select(func.count(table.c.item.distinct())).where(named))
            connection.execute(delete(table).where(named))
        return int(count or 0)

    def items(self, prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
        statement = select(table).where(_starts_with(prefix)).order_by(table.c.item)
        with reading(), self._engine.connect() as connection:
            found = connection.execute(statement).all()
        grouped = {item: {row.name: row.value for row in rows} for item, rows in groupby(found, lambda row: row.item)}
        yield from sorted(grouped.items())  # By code points, whatever the database's collation.


def _take_turns(connection: Connection, item: str) -> None:
    """One put of an item at a time: a row lock on PostgreSQL would not cover attributes that are not there yet."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(item, 0))))


def _starts_with(prefix: str) -> ColumnElement[bool]:
    # LIKE can use an index, but takes "A" for "a" on SQLite.
    return table.c.item.startswith(prefix, autoescape=True) & (func.substr(table.c.item, 1, len(prefix)) == prefix)
