"""Invoices as they were issued, and whether they follow from the ledger.

An invoice notes the newest ledger row that it knew. Up to there it can be rebuilt at any time and must be equal. What
comes after it for its period is not lost: the next invoice that is issued has a line with the difference.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.bills import AsOf, Line, bill
from billing.ledger import CHAIN, LedgerHead
from infra.errors import Problem
from tenants.db import Base, TenantOwned
from tenants.names import ID_LENGTH, new_id
from tenants.scope import Site


class Invoice(TenantOwned, Base):
    """`lines` are `Bill.document()`; `total` is minor units. What is issued is never changed."""

    __tablename__ = "invoices"
    __table_args__ = (Index("uq_invoices_tenant_id_number", "tenant_id", "number", unique=True),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    number: Mapped[str] = mapped_column(String(72))
    start: Mapped[datetime]
    end: Mapped[datetime]
    currency: Mapped[str] = mapped_column(String(3))
    total: Mapped[int] = mapped_column(BigInteger)
    row: Mapped[int] = mapped_column(BigInteger)
    """The number of the tenant's newest ledger row when it was issued."""
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    issued_at: Mapped[datetime]

    @property
    def as_of(self) -> AsOf:
        return AsOf(self.row, self.issued_at)


def issue(site: Site, start: datetime, end: datetime) -> Invoice:
    """The invoice for a period whose windows are all closed, within the current transaction; the same one each time.

    Raises `Problem` while windows are open.
    """
    number = f"{site.tenant.slug}-{start:%Y-%m}"
    found = by_number(site.session, site.tenant_id, number)
    if found is not None:
        return found
    head = site.session.get(LedgerHead, (site.tenant_id, CHAIN), populate_existing=True, with_for_update=True)
    if head is None or head.closed_until < end:
        raise Problem("conflict", "Some hours of that period are not closed yet: `billing status` says why.")
    known = AsOf(head.number, site.now())
    made = bill(site.session, site.tenant_id, start, end, known)
    lines = [*made.document(), *_carried(site.session, site.tenant_id, start, known)]
    invoice = Invoice(
        tenant_id=site.tenant_id,
        id=new_id(),
        number=number,
        start=start,
        end=end,
        currency=made.currency,
        total=_total(lines),
        row=known.row,
        lines=lines,
        issued_at=known.decided,
    )
    site.session.add(invoice)
    site.session.flush()
    return invoice


def by_number(session: Session, tenant_id: str, number: str) -> Invoice | None:
    return session.scalar(select(Invoice).where(Invoice.tenant_id == tenant_id, Invoice.number == number))


def outstanding(session: Session, invoice: Invoice, known: AsOf | None = None, before: datetime | None = None) -> int:
    """Minor units that came late for the invoice's period and are on no invoice yet.

    `known` and `before` ask how it was when the invoice of the period from `before` was made.
    """
    own = _total(line for line in invoice.lines if line["dimension"] != "correction")
    carried = _total(
        line
        for other in _others(session, invoice.tenant_id, known, before)
        for line in other.lines
        if line["dimension"] == "correction" and line["plan"] == invoice.number
    )
    return bill(session, invoice.tenant_id, invoice.start, invoice.end, known).total - own - carried


def _carried(session: Session, tenant_id: str, start: datetime, known: AsOf) -> list[dict[str, Any]]:
    """Lines with what is outstanding of the invoices of earlier periods."""
    lines = []
    for earlier in _others(session, tenant_id, known, start):
        amount = outstanding(session, earlier, known, start)
        if amount:
            span = (earlier.start.isoformat(), earlier.end.isoformat())
            lines.append(asdict(Line("correction", earlier.number, *span, 1, "0", "0", amount)))
    return lines


def _others(session: Session, tenant_id: str, known: AsOf | None, before: datetime | None) -> list[Invoice]:
    wanted = select(Invoice).where(Invoice.tenant_id == tenant_id).order_by(Invoice.start)
    if known is not None:
        wanted = wanted.where(Invoice.issued_at <= known.decided)
    if before is not None:
        wanted = wanted.where(Invoice.start < before)
    return list(session.scalars(wanted))


def differences(session: Session, invoice: Invoice) -> Iterator[str]:
    """Rebuild the invoice from the ledger as it stood then; a sentence for each line that is not what it was, none if
    all are equal."""
    tenant_id, known = invoice.tenant_id, invoice.as_of
    made = bill(session, tenant_id, invoice.start, invoice.end, known).document()
    kept, now = _by_key(invoice.lines), _by_key([*made, *_carried(session, tenant_id, invoice.start, known)])
    for key in sorted({*kept, *now}):
        before, after = kept.get(key), now.get(key)
        if before != after:
            yield f"{key[0]} from {key[1]}: the invoice has {_short(before)}, the ledger gives {_short(after)}"
    if invoice.total != _total(invoice.lines):
        yield f"the total: the invoice has {invoice.total}, its lines make {_total(invoice.lines)}"


def _total(lines: Iterable[dict[str, Any]]) -> int:
    return sum(int(line["amount"]) for line in lines)


def _by_key(lines: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(line["dimension"], line["start"]): line for line in lines}


def _short(line: dict[str, Any] | None) -> str:
    return "no such line" if line is None else f"{line['quantity']} for {line['amount']}"
