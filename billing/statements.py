"""`tenants.statements.Statements` out of the ledger."""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import select

from billing import backend, bills, budgets, estimates, explain, invoices, plans
from billing.ledger import CHAIN, LedgerHead
from billing.plans import PLANS, Dimension
from billing.terms import plan_at
from infra.errors import Problem
from tenants.catalog import Album, Asset
from tenants.registry import OnBudget
from tenants.scope import Site
from tenants.statements import Allowance, Issued, Line, Overview, Part, Parts, Paying, Plan, Room, Visits

KNOWN = {dimension.value: dimension for dimension in Dimension}


class FromLedger:
    """Reads what the site's session sees; issues nothing."""

    def overview(self, site: Site) -> Overview:
        now = site.now()
        start, end = bills.month(now.year, now.month)
        head = site.session.get(LedgerHead, (site.tenant_id, CHAIN))
        closed = head.closed_until if head else start
        made = bills.bill(site.session, site.tenant_id, start, end)
        wish = budgets.of(site.session, site.tenant_id)
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
            budget=wish.amount if wish else None,
            reach=wish.reach if wish else OnBudget.TELL,
            invoices=tuple(_issued(each, lines=False) for each in newest),
        )

    def invoice(self, site: Site, number: str) -> Issued | None:
        found = invoices.by_number(site.session, site.tenant_id, number)
        return None if found is None else _issued(found, lines=True)

    def parts(self, site: Site, code: str, start: datetime, end: datetime, most: int) -> Parts:
        dimension = KNOWN.get(code)
        if dimension is None:
            raise Problem("not-found")
        found = explain.shares(site.session, site.tenant_id, dimension, start, end)
        scale = dimension.measure.scale
        rest = Fraction(sum(share.quantity for share in found[most:]), scale)
        is_level = dimension.measure.reading is plans.Reading.LEVEL
        return Parts(dimension.measure.unit, tuple(_named(site, found[:most], scale)), rest, is_level)

    def pdf(self, site: Site, number: str, locale: str) -> bytes | None:
        from billing import pdf  # fpdf and its fonts are half a second of a process's start.

        issued = self.invoice(site, number)
        return None if issued is None else pdf.document(issued, site.tenant.name, locale)

    def price_of(self, site: Site, photos: int, size: int, seconds: int) -> tuple[int, str]:
        found = estimates.of_upload(site, photos, size, seconds)
        return found.amount, found.currency

    def room(self, site: Site) -> Room | None:
        wish = budgets.of(site.session, site.tenant_id)
        if wish is None:
            return None
        now = site.now()
        made = bills.bill(site.session, site.tenant_id, *bills.month(now.year, now.month))
        return Room(wish.amount - made.total, wish.amount, wish.reach, made.currency)

    def visits(self, site: Site, album_id: str, number: int) -> Visits:
        size = number * estimates.visit_bytes(site, album_id)
        found = estimates.of_delivery(site, size)
        return Visits(number, size, found.amount, found.currency)

    def plans(self) -> list[Plan]:
        return [_offered(plan) for plan in PLANS.values()]

    def paying(self, site: Site) -> Paying:
        if not backend.uses_stripe():
            return Paying(site.entitlements.standing, plan_at(site.session, site.tenant_id, site.now()).code)
        from billing import desk  # Stripe's library is loaded where it is used alone.

        return desk.standing(site)

    def set_budget(self, site: Site, amount: int | None, reach: OnBudget) -> None:
        budgets.put(site, None if amount is None else budgets.Wish(amount, reach))


def _offered(plan: plans.Plan) -> Plan:
    allowances = []
    for dimension in Dimension:
        found = plan.allowance(dimension)
        beyond = found.tiers[0].price if found.tiers else None
        if found.included or beyond is not None:
            unit = dimension.measure.unit
            allowances.append(Allowance(dimension.value, unit, Fraction(found.included), beyond))
    limits = {
        "storage": plan.max_storage_bytes,
        "upload": plan.max_upload_bytes,
        "photos": plan.max_photos_month,
    }
    held = {name: most for name, most in limits.items() if most is not None}
    return Plan(plan.code, plan.name, plan.price, plan.currency, tuple(allowances), held)


def _line(kept: dict[str, Any]) -> Line:
    dimension = KNOWN.get(kept["dimension"])
    measure = dimension.measure if dimension else None
    plan = PLANS.get(kept["plan"])
    billed = dimension is None or plan is None or plan.allowance(dimension).billed
    return Line(
        code=kept["dimension"],
        plan=kept["plan"],
        start=datetime.fromisoformat(kept["start"]),
        end=datetime.fromisoformat(kept["end"]),
        unit=measure.unit if measure else "",
        quantity=Fraction(kept["quantity"], measure.scale if measure else 1),
        included=Fraction(kept["included"]),
        over=Fraction(kept["over"] if billed else 0),
        amount=kept["amount"],
        billed=billed,
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
        parts.append(
            Part(album_id if title else None, title, share.asset_id, filename, share.hour, quantity, share.until)
        )
    return parts
