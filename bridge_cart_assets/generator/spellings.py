"""Other spellings of the values that a tidy file would hold, and values that nobody can read.

Belongs here: expressions that turn the tidy text of a column into another text. Does not belong
here: which record is spoilt and how often (`dirt`).

The tidy texts are `2024-01-05T14:03:22` and `2024-01-05` for dates, `1234.50` for amounts, `true`
and `false`, and lower snake case for the rest. A spelling that depends on chance takes it from the
column `_chance`, a whole number.
"""

from collections.abc import Mapping, Sequence

import polars as pl

CHANCE = pl.col("_chance")
ZONES = (("+02:00", 120), ("-05:00", -300), ("+05:30", 330))

BOOLEANS = {"true": ("yes", "Y", "1", "TRUE"), "false": ("no", "N", "0", "FALSE")}
GENDERS = {
    "female": ("F", "f", "Female", "FEMALE"),
    "male": ("M", "m", "Male", "MALE"),
    "other": ("Other", "OTHER"),
}
PAYMENT_METHODS = {
    "credit_card": ("Credit Card", "CREDIT-CARD", "credit card"),
    "debit_card": ("Debit Card", "DEBIT-CARD", "debit card"),
    "upi": ("UPI", "Upi"),
    "net_banking": ("Net Banking", "NET-BANKING", "netbanking"),
    "paypal": ("PayPal", "PAYPAL", "Paypal"),
    "cash_on_delivery": ("cod", "COD", "Cash on Delivery", "CASH-ON-DELIVERY"),
    "bank_transfer": ("Bank Transfer", "BANK-TRANSFER", "bank transfer"),
    "gift_card": ("Gift Card", "GIFT-CARD", "gift card"),
}
NOT_AMOUNTS = ("abc", "twelve", "#REF!")
NOT_MOMENTS = ("soon", "2024-13-45 25:61:00", "31/02/2024 10:00:00")


def one_of(texts: Sequence[str]) -> pl.Expr:
    """One of the texts."""
    return (CHANCE % len(texts)).replace_strict(dict(enumerate(texts)), return_dtype=pl.String)


def respelt(column: str, table: Mapping[str, Sequence[str]]) -> pl.Expr:
    """One of the other spellings that the table has for the value."""
    texts = {value: list(others) for value, others in table.items()}
    others = pl.col(column).replace_strict(texts, return_dtype=pl.List(pl.String))
    return others.list.get(CHANCE % others.list.len())


def moment(column: str) -> pl.Expr:
    """The tidy text read as a moment."""
    return pl.col(column).str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us")


def day_first(column: str) -> pl.Expr:
    """`05/01/2024 14:03:22`."""
    return moment(column).dt.strftime("%d/%m/%Y %H:%M:%S")


def day_first_date(column: str) -> pl.Expr:
    """`05/01/2024`, from a date without time."""
    return pl.col(column).str.to_date("%Y-%m-%d").dt.strftime("%d/%m/%Y")


def with_zone(column: str) -> pl.Expr:
    """The same moment as somebody in another zone writes it: `2024-01-05T16:03:22+02:00`."""
    zone = (CHANCE % len(ZONES)).cast(pl.Int64)
    minutes = zone.replace_strict({i: shift for i, (_, shift) in enumerate(ZONES)})
    suffix = zone.replace_strict({i: text for i, (text, _) in enumerate(ZONES)})
    there = moment(column) + pl.duration(minutes=minutes)
    return there.dt.strftime("%Y-%m-%dT%H:%M:%S") + suffix


def epoch(column: str) -> pl.Expr:
    """Seconds since 1970: `1704463402`."""
    return moment(column).dt.epoch("s").cast(pl.String)


def has_long_epoch(column: str) -> pl.Expr:
    """Whether the seconds have ten digits (from 2001-09-09 on): eight would look like YYYYMMDD."""
    return epoch(column).str.len_chars() == 10


def with_thousands(column: str) -> pl.Expr:
    """`1,234.50`."""
    groups = pl.col(column).str.replace(r"(\d)(\d{3})(\d{3}\.)", "$1,$2,$3")
    return groups.str.replace(r"(\d)(\d{3}\.)", "$1,$2")


def is_thousands(column: str) -> pl.Expr:
    """Whether there is a thousand to separate."""
    return pl.col(column).str.contains(r"\d{4}\.")


def with_currency(column: str) -> pl.Expr:
    """`$12.30`, `£12.30` or `€12.30`."""
    return one_of(("$", "£", "€")) + pl.col(column)


def with_comma(column: str) -> pl.Expr:
    """`12,30`."""
    return pl.col(column).str.replace(".", ",", literal=True)


def in_parentheses(column: str) -> pl.Expr:
    """`(12.30)`, from a negative amount."""
    return pl.lit("(") + pl.col(column).str.strip_prefix("-") + pl.lit(")")


def is_negative(column: str) -> pl.Expr:
    """Whether the amount begins with a minus."""
    return pl.col(column).str.starts_with("-")
