"""Amounts of money as the reader's locale writes them."""

from fractions import Fraction

from babel.numbers import format_currency


def money(amount: int, currency: str, locale: str) -> str:
    """Minor units of currencies with two decimals, as all plans have."""
    return str(format_currency(Fraction(amount, 100).__float__(), currency.upper(), locale=locale))
