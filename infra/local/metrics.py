"""CloudWatch's contract on a SQL table."""

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

    def put(self, name: str, value: float, *, unit: str = "Count", **dimensions: str) -> None:
        check_dimensions(dimensions)
        try:
            with self._engine.begin() as connection:
                connection.execute(
                    table.insert().values(
                        name=name, at=self._clock.now(), value=value, unit=unit, dimensions=dimensions
                    )
                )
        except SQLAlchemyError as error:
            log.warning("metric lost", metric=name, error=str(error))

    def total(self, name: str, start: datetime, end: datetime, **dimensions: str) -> float:
        check_dimensions(dimensions)
        statement = select(table.c.value, table.c.dimensions).where(
            table.c.name == name, table.c.at >= start, table.c.at < end
        )
        with reading(), self._engine.connect() as connection:
            return float(
                sum(row.value for row in connection.execute(statement) if dimensions.items() <= row.dimensions.items())
            )
