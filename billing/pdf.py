"""An invoice as a PDF: the operator's letterhead, the lines, the total. Numbers are written as the reader's
locale does.

It is made from the invoice as it was issued, so the same number always gives the same amounts.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

from babel.dates import format_date
from babel.numbers import format_decimal
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from billing.amounts import money
from tenants.scope import settings
from tenants.statements import NAMES, UNITS, Issued, Line

FONTS = Path(__file__).parents[1] / "webapp/static/dist"
INK, QUIET, RULE = (24, 24, 27), (100, 100, 108), (220, 220, 224)
WIDTHS = (72.0, 34.0, 34.0, 34.0)
"""Of the table's columns, in millimetres."""


def number(quantity: Fraction, locale: str) -> str:
    return str(format_decimal(round(float(quantity), 2), locale=locale))


def document(invoice: Issued, tenant: str, locale: str) -> bytes:
    page = _Page(locale)
    page.head(invoice, tenant)
    page.lines(invoice)
    page.foot(invoice)
    return bytes(page.output())


class _Page(FPDF):
    def __init__(self, locale: str) -> None:
        super().__init__(format="A4")
        self._locale = locale
        for style, weight in (("", 400), ("B", 650)):
            for family, subset in (("text", "latin"), ("more", "latin-ext")):
                self.add_font(family, style, _font(subset), variations={"wght": float(weight)})
        self.set_fallback_fonts(["more"])
        self.set_margins(18, 18)
        self.set_auto_page_break(True, margin=22)
        self.set_text_color(*INK)
        self.add_page()

    def head(self, invoice: Issued, tenant: str) -> None:
        self.set_title(f"Invoice {invoice.number}")
        self._text(settings().invoice_from or settings().base_domain, size=9, quiet=True)
        self.ln(10)
        self._text(f"Invoice {invoice.number}", size=20, bold=True)
        self.ln(2)
        last = (invoice.end - timedelta(seconds=1)).date()
        self._text(f"{self._day(invoice.start.date())} – {self._day(last)}", size=10)
        self._text(f"For {tenant}. Issued on {self._day(invoice.issued_at.date())}.", size=10, quiet=True)
        self.ln(8)

    def lines(self, invoice: Issued) -> None:
        self._row(("What", "Used", "Included", "Amount"), bold=True, quiet=True)
        for line in invoice.lines:
            self._row(
                (
                    _name(line),
                    self._quantity(line, line.quantity),
                    self._quantity(line, line.included) if line.billed else "not billed",
                    money(line.amount, invoice.currency, self._locale),
                )
            )

    def foot(self, invoice: Issued) -> None:
        self.ln(3)
        self._row(("Total", "", "", money(invoice.total, invoice.currency, self._locale)), bold=True)
        self.ln(8)
        self._text("Before tax and discounts, which the payment's receipt shows. Hours are in UTC.", size=8, quiet=True)

    def _quantity(self, line: Line, quantity: Fraction) -> str:
        if not line.unit:
            return ""
        return f"{number(quantity, self._locale)} {UNITS.get(line.unit, line.unit)}"

    def _day(self, day: date) -> str:
        return str(format_date(day, format="long", locale=self._locale))

    def _text(self, text: str, *, size: int, bold: bool = False, quiet: bool = False) -> None:
        self.set_font("text", "B" if bold else "", size)
        self.set_text_color(*(QUIET if quiet else INK))
        self.multi_cell(0, size * 0.5, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_text_color(*INK)

    def _row(self, cells: Sequence[str], *, bold: bool = False, quiet: bool = False) -> None:
        self.set_font("text", "B" if bold else "", 9)
        self.set_text_color(*(QUIET if quiet else INK))
        self.set_draw_color(*RULE)
        for place, (width, text) in enumerate(zip(WIDTHS, cells, strict=True)):
            self.cell(width, 8, text, border="B", align="L" if place == 0 else "R")
        self.ln(8)
        self.set_text_color(*INK)


def _name(line: Line) -> str:
    if line.code == "plan":
        return f"Plan {line.plan.title()}"
    if line.code == "correction":
        return f"Came late for {line.plan}"
    return NAMES.get(line.code, line.code)


def _font(subset: str) -> Path:
    """Inter as npm brings it for the pages (OFL 1.1)."""
    return min(FONTS.glob(f"inter-{subset}-wght-normal-*.woff2"))
