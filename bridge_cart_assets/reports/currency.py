"""The currency of a page's amounts, as Unicode CLDR writes it in English.

Belongs here: which sign stands before an amount, and how many decimals the currency has. Does not
belong here: which currency it is (`endpoints` asks the settings, then the catalogue).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from decimal import Decimal

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.formatting import MINUS, THIN, Cell, grouped

# Of the page that is rendered now.
_CODE = ContextVar("currency", default="")


@contextmanager
def amounts_in(code: str) -> Iterator[None]:
    """Amounts that are written meanwhile are in this currency; '' when it is not known."""
    token = _CODE.set(code)
    try:
        yield
    finally:
        _CODE.reset(token)


def only_currency(catalogue: Catalogue) -> str:
    """The one that order lines name; '' without exactly one in the log's statistics."""
    is_there = """
        SELECT count(*) FROM duckdb_tables()
        WHERE schema_name = 'meta' AND table_name = 'shop'
    """
    if not catalogue.value(is_there):
        return ""
    return str(catalogue.value("SELECT currency FROM meta.shop") or "")


def currency_name() -> str:
    """The currency for a sentence: its sign, its code, or that it is the shop's."""
    return _sign(_CODE.get()) or "the shop’s currency"


def in_currency(figure: Cell) -> Cell:
    """An amount with the sign of the page's currency; any other figure as it is.

    The full amount has as many decimals as the currency: yen have none.

    >>> from bridge_cart_assets.reports.formatting import count, money
    >>> with amounts_in("EUR"):
    ...     [in_currency(figure).text for figure in (money(-5), count(7))]
    ['−€5.00', '7']
    >>> with amounts_in("JPY"):
    ...     in_currency(money(Decimal("850.00"))).text
    '¥850'
    >>> in_currency(money(5)).text
    '5.00'
    """
    code = _CODE.get()
    if not figure.is_money or figure.value is None or not code:
        return figure
    from babel.numbers import get_currency_precision

    full = _signed(grouped(Decimal(figure.value), get_currency_precision(code)), code)
    short = full if figure.text == figure.title else _signed(figure.text, code)
    return replace(figure, text=short, title=full)


def _signed(amount: str, code: str) -> str:
    """The sign before the digits, a code with a blank between them."""
    sign = _sign(code)
    unit = f"{sign}{THIN}" if sign[-1].isalpha() else sign
    return f"{MINUS}{unit}{amount[1:]}" if amount.startswith(MINUS) else f"{unit}{amount}"


def _sign(code: str) -> str:
    """The currency's sign where it has one of its own in English, else its code."""
    from babel.numbers import get_currency_symbol

    return get_currency_symbol(code, "en") if code else ""
