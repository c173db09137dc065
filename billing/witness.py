"""What the metrics say of a window, beside what the events say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from billing.ledger import WINDOW
from infra.errors import Unavailable
from infra.ports import Metrics
from tenants.usage import PER_UNIT, Meter

log = structlog.get_logger(__name__)

_CLOSE = 1e-9
"""Metrics are floating point: relative to the sum, this much is no difference."""

Told = Mapping[Meter, float]


class Witness:
    """The metrics `usage.<meter>` of one window, or of all until `end`, read for many tenants at once."""

    def __init__(
        self, metrics: Metrics, window: datetime, tenant_ids: Sequence[str], end: datetime | None = None
    ) -> None:
        end = end or window + WINDOW
        self.window = window
        self._told: dict[Meter, dict[str, float]] | None = {}
        try:
            for meter in Meter:
                name = f"usage.{meter.value}"
                self._told[meter] = metrics.totals(name, window, end, "tenant", tenant_ids)
        except (Unavailable, SQLAlchemyError, OSError) as error:
            log.error("metrics cannot be read", window=window.isoformat(), error=str(error))
            self._told = None

    def of(self, tenant_id: str) -> Told | None:
        """By meter; None if the metrics could not be read."""
        if self._told is None:
            return None
        return {meter: totals[tenant_id] for meter, totals in self._told.items() if tenant_id in totals}


@dataclass(frozen=True)
class Verdict:
    """`why` says what is wrong, and is empty where nothing is; `wait` whether time may mend it."""

    wait: bool = False
    why: str = ""


def judge(told: Told | None, sums: Mapping[Meter, int]) -> Verdict:
    """Compare the metrics of one tenant's window with the sums of its events.

    Metrics that are there but short lost a process's last word, which does not come back: no reason to wait. None at
    all, or more than the events have, is one.
    """
    if told is None:
        return Verdict(wait=True, why="metrics cannot be read")
    wait, reasons = False, []
    for meter in {*told, *sums}:
        per_unit = PER_UNIT[meter]
        exact, seen = sums.get(meter, 0) / per_unit, told.get(meter, 0.0)
        if abs(seen - exact) <= max(_CLOSE * max(abs(exact), abs(seen)), 0.5 / per_unit):
            continue
        short = meter in told and abs(seen) < abs(exact)
        wait = wait or not short
        reasons.append(f"{meter.value}: metrics say {seen:.15g}, events {exact:.15g}")
    return Verdict(wait, "; ".join(sorted(reasons)))
