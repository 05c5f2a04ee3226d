"""A column's mean, sum or extreme as a number: Polars types them as whatever a column may hold."""

from decimal import Decimal


def as_number(value: object) -> float:
    """The value, which has to be a number."""
    assert isinstance(value, int | float | Decimal), f"{value!r} is no number"
    return float(value)
