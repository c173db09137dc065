"""The only file that names an adapter. Each port is chosen by its own setting."""

from sqlalchemy import Engine

from infra.local.clock import SystemClock
from infra.local.edge import AppEdge
from infra.local.files import FileBlobs
from infra.local.keyvalue import SqlKeyValue
from infra.local.metrics import SqlMetrics
from infra.local.queue import SqlQueue
from infra.ports import Clock, Ports
from infra.settings import Settings


def build(settings: Settings, engine: Engine, *, clock: Clock | None = None) -> Ports:
    """One adapter a port. `engine` serves the adapters that keep their state in SQL."""
    clock = clock or SystemClock()
    files = FileBlobs(settings.data_dir / "blobs")
    return Ports(
        blobs=files,
        intake=files,
        queue=SqlQueue(engine, clock, max_receives=settings.max_receives),
        media=SqlKeyValue(engine),
        metrics=SqlMetrics(engine, clock),
        edge=AppEdge(settings.secret_key.get_secret_value(), clock),
        clock=clock,
    )
