"""CloudWatch's contract on a SQL table."""

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy import Engine, select
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

    def _points(self, name: str, start: datetime, end: datetime) -> list[tuple[float, dict[str, str]]]:
        statement = select(table.c.value, table.c.dimensions).where(
            table.c.name == name, table.c.at >= start, table.c.at < end
        )
        with reading(), self._engine.connect() as connection:
            return [(row.value, row.dimensions) for row in connection.execute(statement)]
