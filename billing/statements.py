"""`tenants.statements.Statements` out of the ledger."""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import select

from billing import bills, budgets, explain, invoices, pdf
from billing.ledger import CHAIN, LedgerHead, hour_of
from billing.plans import PLANS, Dimension
from billing.terms import plan_at
from infra.errors import Problem
from tenants.catalog import Album, Asset
from tenants.scope import Site
from tenants.statements import Issued, Line, Overview, Part, Parts, Plan

KNOWN = {dimension.value: dimension for dimension in Dimension}


class FromLedger:
    """Reads what the site's session sees; issues nothing."""

    def overview(self, site: Site) -> Overview:
        now = site.now()
        start, end = bills.month(now.year, now.month)
        head = site.session.get(LedgerHead, (site.tenant_id, CHAIN))
        closed = head.closed_until if head else start
        made = bills.bill(site.session, site.tenant_id, start, end)
        issued = select(invoices.Invoice).where(invoices.Invoice.tenant_id == site.tenant_id)
        newest = site.session.scalars(issued.order_by(invoices.Invoice.start.desc()).limit(36))
        return Overview(
            plan=plan_at(site.session, site.tenant_id, now).name,
            currency=made.currency,
            start=start,
            end=end,
            closed_until=min(max(closed, start), end),
            waits_for=head.waits_for if head else "",
            lines=tuple(map(_line, made.document())),
            total=made.total,
            forecast=bills.forecast(site.session, site.tenant_id, start, end, closed),
            budget=budgets.of(site.session, site.tenant_id),
            invoices=tuple(_issued(each, lines=False) for each in newest),
        )

    def invoice(self, site: Site, number: str) -> Issued | None:
        found = invoices.by_number(site.session, site.tenant_id, number)
        return None if found is None else _issued(found, lines=True)

    def parts(self, site: Site, code: str, start: datetime, end: datetime, most: int) -> Parts:
        dimension = KNOWN.get(code)
        if dimension is None:
            raise Problem("not-found")
        found = explain.shares(site.session, site.tenant_id, dimension, start, end, by_hour=True)
        scale = dimension.measure.scale
        rest = Fraction(sum(share.quantity for share in found[most:]), scale)
        return Parts(dimension.measure.unit, tuple(_named(site, found[:most], scale)), rest)

    def pdf(self, site: Site, number: str, locale: str) -> bytes | None:
        issued = self.invoice(site, number)
        return None if issued is None else pdf.document(issued, site.tenant.name, locale)

    def price_of(self, site: Site, files: int, size: int, seconds: int) -> tuple[int, str]:
        now = site.now()
        start, end = bills.month(now.year, now.month)
        plan = plan_at(site.session, site.tenant_id, now)
        left = int((end - hour_of(now)).total_seconds())
        more = {
            Dimension.PHOTOS: files,
            Dimension.UPLOADS: files,
            Dimension.STORAGE: size * left,
            Dimension.VIDEO_IN: seconds * 1000,
        }
        return bills.price_of(plan, bills.quantities(site.session, site.tenant_id, start, end), more), plan.currency

    def plans(self) -> list[Plan]:
        return [Plan(plan.name, plan.price, plan.currency) for plan in PLANS.values()]

    def set_budget(self, site: Site, amount: int | None) -> None:
        budgets.put(site, amount)


def _line(kept: dict[str, Any]) -> Line:
    dimension = KNOWN.get(kept["dimension"])
    measure = dimension.measure if dimension else None
    return Line(
        code=kept["dimension"],
        plan=kept["plan"],
        start=datetime.fromisoformat(kept["start"]),
        end=datetime.fromisoformat(kept["end"]),
        unit=measure.unit if measure else "",
        quantity=Fraction(kept["quantity"], measure.scale if measure else 1),
        included=Fraction(kept["included"]),
        over=Fraction(kept["over"]),
        amount=kept["amount"],
    )


def _issued(found: invoices.Invoice, *, lines: bool) -> Issued:
    return Issued(
        number=found.number,
        start=found.start,
        end=found.end,
        currency=found.currency,
        total=found.total,
        issued_at=found.issued_at,
        lines=tuple(map(_line, found.lines)) if lines else (),
    )


def _named(site: Site, shares: Iterable[explain.Share], scale: int) -> list[Part]:
    """With titles and file names, as far as what they name is still there."""
    shares = list(shares)
    wanted = {share.asset_id for share in shares if share.asset_id}
    rows = site.session.execute(select(Asset.id, Asset.album_id, Asset.filename).where(Asset.id.in_(wanted)))
    assets = {asset_id: (album_id, filename) for asset_id, album_id, filename in rows}
    in_albums = {share.album_id for share in shares if share.album_id} | {album for album, _ in assets.values()}
    titles = select(Album.id, Album.title).where(Album.id.in_(in_albums))
    albums = {row.id: row.title for row in site.session.execute(titles)}
    parts = []
    for share in shares:
        album_id, filename = assets.get(share.asset_id or "", (share.album_id, ""))
        album_id = share.album_id or album_id
        title = albums.get(album_id or "", "")
        quantity = Fraction(share.quantity, scale)
        parts.append(Part(album_id if title else None, title, share.asset_id, filename, share.hour, quantity))
    return parts
