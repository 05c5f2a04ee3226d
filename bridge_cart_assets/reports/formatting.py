"""How figures are written: pure functions from a value to what is shown of it.

Belongs here: rounding, separators, units, and the reason when there is no value. Does not belong
here: HTML, or which figure is good and which is bad.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

THIN = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"

Number = int | float | Decimal


@dataclass(frozen=True)
class Cell:
    """A figure as people read it.

    Attributes:
        text: the short form.
        title: the full value, or why there is none.
        value: the value for machines; None when there is none.
        is_money: whether it is an amount, which the page writes with the currency's sign.
    """

    text: str
    title: str
    value: str | None
    is_money: bool = False


def nothing(why: str) -> Cell:
    """The en dash that stands for a missing figure."""
    return Cell(NOTHING, why, None)


def words(value: str | None, why: str = "not known") -> Cell:
    """A name or another text, as it is."""
    return nothing(why) if value is None else Cell(value, value, value)


def day(value: date | None, why: str = "not known") -> Cell:
    """A calendar day in ISO form."""
    return nothing(why) if value is None else Cell(f"{value}", f"{value}", f"{value}")


def exact(value: Number | None) -> Decimal | None:
    """The value as a decimal; None when there is no finite one."""
    if value is None or not math.isfinite(value):
        return None
    return Decimal(str(value))


def rounded(value: Decimal, decimals: int) -> Decimal:
    """Half up, as people round."""
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def grouped(value: Number, decimals: int = 0) -> str:
    """A number with thin separators, rounded half up: 1 234 567.90.

    >>> grouped(-1234.5, 2).replace(THIN, "_")
    '−1_234.50'
    """
    number = rounded(Decimal(str(value)), decimals)
    digits = f"{abs(number):,.{decimals}f}".replace(",", THIN)
    return MINUS + digits if number < 0 else digits


def compact(value: Number) -> str:
    """Three significant digits and a unit, at most two decimals.

    >>> [compact(n) for n in (0.04, 81.37, 1143, 49_999, 999_950, 35_600_000)]
    ['0.04', '81.4', '1.14k', '50k', '1M', '35.6M']
    """
    number = Decimal(str(value))
    if not number:
        return "0"
    number = rounded(number, 2 - number.adjusted())
    power = max(0, min(number.adjusted() // 3, 3))
    scaled = number.scaleb(-3 * power)
    decimals = max(0, min(2, 2 - scaled.adjusted()))
    digits = grouped(scaled, decimals)
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return digits + ("", "k", "M", "bn")[power]


def _figure(
    value: Number | None,
    why: str,
    text: Callable[[Decimal], str],
    title: Callable[[Decimal], str] | None = None,
) -> Cell:
    number = exact(value)
    if number is None:
        return nothing(why)
    return Cell(text(number), (title or text)(number), str(value))


def count(value: Number | None, why: str = "not known") -> Cell:
    """A whole number in full."""
    return _figure(value, why, grouped)


def compact_count(value: Number | None, why: str = "not known") -> Cell:
    """A whole number, in full below 10 000 and compact from there."""
    return _figure(value, why, lambda n: grouped(n) if abs(n) < 10_000 else compact(n), grouped)


def money(value: Number | None, why: str = "not known") -> Cell:
    """An amount in full, to the cent."""
    return _amount(_figure(value, why, lambda n: grouped(n, 2)))


def compact_money(value: Number | None, why: str = "not known") -> Cell:
    """An amount in three digits, the cents in the title."""
    return _amount(_figure(value, why, compact, lambda n: grouped(n, 2)))


def _amount(figure: Cell) -> Cell:
    return figure if figure.value is None else replace(figure, is_money=True)


def percent(value: Number | None, why: str = "not known") -> Cell:
    """A share with one decimal: 0.4391 is 43.9%."""
    return _figure(
        value, why, lambda n: f"{grouped(n * 100, 1)}%", lambda n: f"{grouped(n * 100, 4)}%"
    )


def decimals(value: Number | None, places: int, why: str = "not known") -> Cell:
    """A plain number with so many decimals; the full value on hover."""
    return _figure(value, why, lambda n: grouped(n, places), lambda n: str(n).replace("-", MINUS))


def three_decimals(value: Number | None, why: str = "not known") -> Cell:
    """A plain number with three decimals."""
    return decimals(value, 3, why)


def moment(value: datetime) -> str:
    """A UTC moment to the minute."""
    return f"{value:%Y-%m-%d %H:%M} UTC"


def customers(number: int) -> str:
    """So many customers.

    >>> [customers(number) for number in (0, 1)]
    ['0 customers', '1 customer']
    """
    return f"{grouped(number)} {'customer' if number == 1 else 'customers'}"


def listed(parts: Sequence[str]) -> str:
    """Some names or facts as part of a sentence.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
