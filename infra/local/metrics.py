"""CloudWatch's contract on a SQL table."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog
from sqlalchemy import ColumnElement, Engine, delete, func, select
from sqlalchemy.exc import SQLAlchemyError

from infra.local.tables import metric_points as table
from infra.ports import Clock, check_dimensions
from infra.sql import reading

log = structlog.get_logger(__name__)


class SqlMetrics:
    """Implements `infra.ports.Metrics`."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def put(
        self, name: str, value: float, at: datetime | None = None, /, *, unit: str = "Count", **dimensions: str
    ) -> None:
        check_dimensions(dimensions)
        try:
            with self._engine.begin() as connection:
                connection.execute(
                    table.insert().values(
                        name=name, at=at or self._clock.now(), value=value, unit=unit, dimensions=dimensions
                    )
                )
        except SQLAlchemyError as error:
            log.warning("metric lost", metric=name, error=str(error))

    def totals(self, name: str, start: datetime, end: datetime, by: str, among: Sequence[str]) -> dict[str, float]:
        wanted = set(among)
        found: dict[str, float] = {}
        for value, dimensions in self._points(name, start, end):
            key = dimensions.get(by)
            if key in wanted:
                found[key] = found.get(key, 0.0) + value
        return found

    def total(self, name: str, start: datetime, end: datetime, **dimensions: str) -> float:
        check_dimensions(dimensions)
        points = self._points(name, start, end)
        return float(sum(value for value, about in points if dimensions.items() <= about.items()))

    def forget(self, **dimensions: str) -> int:
        """`infra.ports.ForgettingMetrics`."""
        with self._engine.begin() as connection:
            return int(connection.execute(delete(table).where(*_about(dimensions))).rowcount)

    def remembered(self, **dimensions: str) -> int:
        """`infra.ports.ForgettingMetrics`."""
        with reading(), self._engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(table).where(*_about(dimensions))) or 0

    def _points(self, name: str, start: datetime, end: datetime) -> list[tuple[float, dict[str, str]]]:
        statement = select(table.c.value, table.c.dimensions).where(
            table.c.name == name, table.c.at >= start, table.c.at < end
        )
        with reading(), self._engine.connect() as connection:
            return [(row.value, row.dimensions) for row in connection.execute(statement)]


def _about(dimensions: Mapping[str, str]) -> list[ColumnElement[bool]]:
    if not dimensions:
        raise ValueError("without dimensions that would be everything")
    return [table.c.dimensions[name].as_string() == value for name, value in dimensions.items()]
