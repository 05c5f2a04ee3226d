"""The column types that the lakehouse uses, so that money is money everywhere.

Each takes the column's meaning first: a column without a meaning cannot be declared.
"""

from dataclasses import dataclass

import polars as pl

MONEY = pl.Decimal(18, 2)
QUANTITY = pl.Decimal(18, 3)
TIMESTAMP = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        dtype: its Polars type.
        meaning: the meaning of a value, in one line.
        key: whether it is part of the primary key.
        nullable: whether it may be null.
        pii: whether a person could be recognised by it.
    """

    dtype: pl.DataType
    meaning: str
    key: bool = False
    nullable: bool = False
    pii: bool = False


class Schema:
    """The columns of a table, declared as attributes of a class.

    A schema that builds on another one has that one's columns behind its own.

    >>> class Visits(Schema):
    ...     visitor = text("Who came", key=True)
    ...     visited_on = day("When", nullable=True)
    >>> list(Visits.columns())
    ['visitor', 'visited_on']
    """

    @classmethod
    def columns(cls) -> dict[str, Column]:
        """The columns in their order."""
        names = dict.fromkeys(
            name
            for base in cls.__mro__
            for name, value in vars(base).items()
            if isinstance(value, Column)
        )
        return {name: getattr(cls, name) for name in names}


def text(meaning: str, *, key: bool = False, nullable: bool = False, pii: bool = False) -> Column:
    """A string; `pii` when a person could be recognised by it.

    >>> column = text("Full name", nullable=True, pii=True)
    >>> column.dtype, column.key, column.nullable, column.pii
    (String, False, True, True)
    """
    return Column(pl.String(), meaning, key, nullable, pii)


def integer(meaning: str, *, key: bool = False, nullable: bool = False) -> Column:
    """A whole number or a count.

    >>> integer("Lines of the order").dtype
    Int64
    """
    return Column(pl.Int64(), meaning, key, nullable)


def number(meaning: str, *, nullable: bool = False) -> Column:
    """A rate, a mean or a distance.

    >>> number("Share of orders with a coupon").dtype
    Float64
    """
    return Column(pl.Float64(), meaning, nullable=nullable)


def money(meaning: str, *, nullable: bool = False) -> Column:
    """An amount in the shop's currency, exact to the cent.

    >>> pl.Series(["0.10", "0.20"]).cast(money("Discount").dtype).sum()
    Decimal('0.30')
    """
    return Column(MONEY, meaning, nullable=nullable)


def quantity(meaning: str) -> Column:
    """A number of pieces, or a weight or length, exact to the thousandth.

    >>> pl.Series(["2.500", "1"]).cast(quantity("Pieces").dtype).sum()
    Decimal('3.500')
    """
    return Column(QUANTITY, meaning)


def day(meaning: str, *, key: bool = False, nullable: bool = False) -> Column:
    """A calendar day, of the shop's time zone.

    >>> day("Day of the order").dtype
    Date
    """
    return Column(pl.Date(), meaning, key, nullable)


def timestamp(meaning: str, *, key: bool = False, nullable: bool = False) -> Column:
    """A moment in UTC, to the microsecond.

    >>> timestamp("When the order was placed").dtype
    Datetime(time_unit='us', time_zone='UTC')
    """
    return Column(TIMESTAMP, meaning, key, nullable)


def flag(meaning: str, *, key: bool = False, nullable: bool = False) -> Column:
    """True or false.

    >>> flag("Whether a coupon was used").dtype
    Boolean
    """
    return Column(pl.Boolean(), meaning, key, nullable)


def numbers(meaning: str) -> Column:
    """A vector of floats, one per feature.

    >>> numbers("Mean of each feature").dtype
    List(Float64)
    """
    return Column(pl.List(pl.Float64()), meaning)


def texts(meaning: str) -> Column:
    """A list of names.

    >>> texts("Names of the features").dtype
    List(String)
    """
    return Column(pl.List(pl.String()), meaning)
