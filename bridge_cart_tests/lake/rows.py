"""A little table of its own for what is said about every table, and rows of it."""

from datetime import date
from decimal import Decimal

import polars as pl

from bridge_cart_assets.tables.columns import Schema, day, integer, money, number, text
from bridge_cart_assets.tables.table import Table


class Visits(Schema):
    """One row per visitor."""

    visitor = text("Who came", key=True)
    month = text("Month of the visit, YYYY-MM")
    visits = integer("How often")
    spent = money("How much, isn't it", nullable=True)
    score = number("How gladly", nullable=True)
    on = day("The last day", nullable=True)
    name = text("Full name", nullable=True, pii=True)


VISITS = Table(path="gold/visits", schema=Visits, description="Who came, and what they spent.")
BY_MONTH = Table(
    path="silver/visits",
    schema=Visits,
    description="The same by month.",
    partition_by=("month",),
)


def visits(*rows: tuple[str, str, int], **columns: object) -> pl.DataFrame:
    """Rows by visitor, month and number of visits; further columns have one value in all rows."""
    return pl.DataFrame(
        [
            {
                "visitor": visitor,
                "month": month,
                "visits": count,
                "spent": Decimal("12.50"),
                "score": 0.5,
                "on": date(2024, 1, 5),
                "name": f"Name of {visitor}",
                **columns,
            }
            for visitor, month, count in rows
        ],
        schema_overrides={"spent": pl.Decimal(18, 2)},
    )
