"""Invoices as they were issued, and whether they still follow from the ledger."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.bills import bill
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
    number: Mapped[str] = mapped_column(String(40))
    start: Mapped[datetime]
    end: Mapped[datetime]
    currency: Mapped[str] = mapped_column(String(3))
    total: Mapped[int] = mapped_column(BigInteger)
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    issued_at: Mapped[datetime]


def issue(site: Site, start: datetime, end: datetime) -> Invoice:
    """The invoice for a period whose windows are all closed, within the current transaction; the same one each time.

    Raises `Problem` while windows are open.
    """
    number = f"{site.tenant.slug[:30]}-{start:%Y-%m}"
    found = by_number(site.session, site.tenant_id, number)
    if found is not None:
        return found
    head = site.session.get(LedgerHead, (site.tenant_id, CHAIN))
    if head is None or head.closed_until < end:
        raise Problem("conflict", "Some hours of that period are not closed yet: `billing status` says why.")
    made = bill(site.session, site.tenant_id, start, end)
    invoice = Invoice(
        tenant_id=site.tenant_id,
        id=new_id(),
        number=number,
        start=start,
        end=end,
        currency=made.currency,
        total=made.total,
        lines=made.document(),
        issued_at=site.now(),
    )
    site.session.add(invoice)
    site.session.flush()
    return invoice


def by_number(session: Session, tenant_id: str, number: str) -> Invoice | None:
    return session.scalar(select(Invoice).where(Invoice.tenant_id == tenant_id, Invoice.number == number))


def differences(session: Session, invoice: Invoice) -> Iterator[str]:
    """Rebuild the invoice from the ledger; a sentence for each line that is not what it was, none if all are equal."""
    made = bill(session, invoice.tenant_id, invoice.start, invoice.end)
    kept, now = _by_key(invoice.lines), _by_key(made.document())
    for key in sorted({*kept, *now}):
        before, after = kept.get(key), now.get(key)
        if before != after:
            yield f"{key[0]} from {key[1]}: the invoice has {_short(before)}, the ledger gives {_short(after)}"
    if invoice.total != sum(line["amount"] for line in invoice.lines):
        yield f"the total: the invoice has {invoice.total}, its lines make {sum(x['amount'] for x in invoice.lines)}"


def _by_key(lines: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(line["dimension"], line["start"]): line for line in lines}


def _short(line: dict[str, Any] | None) -> str:
    return "no such line" if line is None else f"{line['quantity']} for {line['amount']}"
