"""The one place that writes ledger rows: rows, their meter events and the heads, in one transaction of the caller's."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from billing.ledger import CHAIN, LedgerHead, LedgerRow, MeterRow, identifier, levels_of, seal
from tenants.usage import Meter

_HEAD = (
    LedgerHead.tenant_id,
    LedgerHead.number,
    LedgerHead.sha256,
    LedgerHead.closed_until,
    LedgerHead.waits_for,
    LedgerHead.level,
    LedgerHead.rendition_level,
)


@dataclass
class Head:
    """A tenant's `LedgerHead`, locked."""

    tenant_id: str
    number: int
    sha256: str
    closed_until: datetime
    waits_for: str
    levels: dict[Meter, int]
    """Bytes at `closed_until`, of each meter that changes a level."""


class Entry(NamedTuple):
    """A row to be: the window's quantity as of now, and what its newest revision has (0, 0: there is none)."""

    window: datetime
    meter: str
    quantity: int
    revision_before: int = 0
    quantity_before: int = 0


@dataclass
class Batch:
    """Rows of many tenants, collected and then written by three statements."""

    now: datetime
    rows: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)

    def add(self, head: Head, entries: Iterable[Entry]) -> None:
        """Append to the tenant's chain; what does not differ from its newest revision adds nothing."""
        for entry in entries:
            if entry.quantity != entry.quantity_before:
                self._append(head, entry)
        self.heads.append(head)

    def _append(self, head: Head, entry: Entry) -> None:
        row: dict[str, Any] = {
            "tenant_id": head.tenant_id,
            "number": head.number + 1,
            "window": entry.window,
            "meter": entry.meter,
            "revision": entry.revision_before + 1,
            "quantity": entry.quantity,
            "delta": entry.quantity - entry.quantity_before,
            "closed_at": self.now,
        }
        sha256 = seal(head.sha256, **row)
        self.rows.append({**row, "previous": head.sha256, "sha256": sha256})
        head.number, head.sha256 = head.number + 1, sha256
        name = identifier(head.tenant_id, entry.meter, entry.window, row["revision"])
        self.events.append(
            {
                "tenant_id": head.tenant_id,
                "identifier": name,
                "meter": entry.meter,
                "window": entry.window,
                "revision": row["revision"],
                "value": row["delta"],
                "state": "waiting",
                "why": "",
            }
        )

    def write(self, session: Session) -> None:
        """Within the current transaction; the caller commits."""
        if self.rows:
            session.execute(insert(LedgerRow.__table__), self.rows)  # type: ignore[arg-type]  # a Table, not a FromClause
            session.execute(insert(MeterRow.__table__), self.events)  # type: ignore[arg-type]
        if self.heads:
            session.connection().execute(_MOVE, [_values(head) for head in self.heads])


_MOVE = (
    update(LedgerHead.__table__)  # type: ignore[arg-type]
    .where(LedgerHead.tenant_id == bindparam("of_tenant"), LedgerHead.chain == CHAIN)
    .values(
        number=bindparam("new_number"),
        sha256=bindparam("new_sha256"),
        closed_until=bindparam("new_closed_until"),
        level=bindparam("new_level"),
        rendition_level=bindparam("new_rendition_level"),
        waits_for=bindparam("new_waits_for"),
    )
)


def _values(head: Head) -> dict[str, Any]:
    return {
        "of_tenant": head.tenant_id,
        "new_number": head.number,
        "new_sha256": head.sha256,
        "new_closed_until": head.closed_until,
        "new_level": head.levels[Meter.STORED],
        "new_rendition_level": head.levels[Meter.RENDERED],
        "new_waits_for": head.waits_for,
    }


def lock(session: Session, tenant_ids: Iterable[str], *wanted: Any, wait: bool = False) -> list[Head]:
    """Lock the heads of these tenants that are as `wanted`, leaving out those that somebody else works on unless it is
    to `wait`."""
    statement = (
        select(*_HEAD)
        .where(LedgerHead.tenant_id.in_(list(tenant_ids)), LedgerHead.chain == CHAIN, *wanted)
        .order_by(LedgerHead.tenant_id)
        .with_for_update(skip_locked=not wait)
    )
    return [_head(row) for row in session.execute(statement)]


def _head(row: Any) -> Head:
    return Head(row.tenant_id, row.number, row.sha256, row.closed_until, row.waits_for, levels_of(row))
