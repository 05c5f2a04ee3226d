"""The column types that the lakehouse uses, so that money is money everywhere.

Each takes the column's meaning first: a column without a meaning cannot be declared.
"""

import dataframely as dy
import polars as pl

MONEY = pl.Decimal(18, 2)
TIMESTAMP = pl.Datetime("us", "UTC")


def text(
    meaning: str, *, key: bool = False, nullable: bool = False, pii: bool = False
) -> dy.String:
    """A string; `pii` when a person could be recognised by it."""
    return dy.String(nullable=nullable, primary_key=key, description=meaning, metadata={"pii": pii})


def integer(meaning: str, *, key: bool = False, nullable: bool = False) -> dy.Int64:
    """A whole number or a count."""
    return dy.Int64(nullable=nullable, primary_key=key, description=meaning)


def number(meaning: str, *, nullable: bool = False) -> dy.Float64:
    """A rate, a mean or a distance."""
    return dy.Float64(nullable=nullable, description=meaning)


def money(meaning: str, *, nullable: bool = False) -> dy.Decimal:
    """An amount in the shop's currency, exact to the cent."""
    return dy.Decimal(18, 2, nullable=nullable, description=meaning)


def day(meaning: str, *, key: bool = False, nullable: bool = False) -> dy.Date:
    """A calendar day (UTC)."""
    return dy.Date(nullable=nullable, primary_key=key, description=meaning)


def timestamp(meaning: str, *, key: bool = False, nullable: bool = False) -> dy.Datetime:
    """A moment in UTC, to the microsecond."""
    return dy.Datetime(
        nullable=nullable, primary_key=key, time_unit="us", time_zone="UTC", description=meaning
    )


def flag(meaning: str, *, key: bool = False, nullable: bool = False) -> dy.Bool:
    """True or false."""
    return dy.Bool(nullable=nullable, primary_key=key, description=meaning)


def numbers(meaning: str) -> dy.List:
    """A vector of floats, one per feature."""
    return dy.List(dy.Float64(), description=meaning)


def texts(meaning: str) -> dy.List:
    """A list of names."""
    return dy.List(dy.String(), description=meaning)
