"""SimpleDB's contract on a SQL table."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from sqlalchemy import Engine, delete, select

from infra.errors import ConditionFailed
from infra.local.tables import kv_attributes as table
from infra.sql import reading

MAX_ATTRIBUTES = 256
MAX_BYTES = 1024


class SqlKeyValue:
    """Implements `infra.ports.KeyValue`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, item: str, attributes: Mapping[str, str], *, expect: tuple[str, str | None] | None = None) -> None:
        for name, value in attributes.items():
            if len(name.encode()) > MAX_BYTES or len(value.encode()) > MAX_BYTES:
                raise ValueError(f"{name}: names and values hold at most {MAX_BYTES} bytes")
        with self._engine.begin() as connection:
            rows = connection.execute(select(table.c.name, table.c.value).where(table.c.item == item).with_for_update())
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

    def get(self, item: str) -> dict[str, str]:
        with reading(), self._engine.connect() as connection:
            rows = connection.execute(select(table.c.name, table.c.value).where(table.c.item == item))
            return {row.name: row.value for row in rows}

    def delete(self, item: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(table).where(table.c.item == item))

    def items(self, prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
        statement = (
            select(table).where(table.c.item.startswith(prefix, autoescape=True)).order_by(table.c.item, table.c.name)
        )
        with reading(), self._engine.connect() as connection:
            found = connection.execute(statement).all()
        for item, rows in groupby(found, key=lambda row: row.item):
            yield item, {row.name: row.value for row in rows}
