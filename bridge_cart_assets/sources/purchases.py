"""Native order lines: one row per line of an order."""

import polars as pl

from bridge_cart_assets.sources.source import (
    PURCHASE_COLUMNS,
    Conformed,
    Source,
    with_contract_columns,
)
from bridge_cart_assets.tables.silver import PURCHASES as SILVER_PURCHASES


def conform(raw: pl.LazyFrame) -> Conformed:
    """The records already have the contract's columns.

    Unknown columns tell two lines of an order apart as well as known ones do.
    """
    return Conformed(purchases=with_contract_columns(raw, (*PURCHASE_COLUMNS, "_rescued")))


PURCHASES = Source(
    name="purchases",
    description="Order lines; a newer record of the same line corrects it.",
    columns=PURCHASE_COLUMNS,
    required=("order_id", "purchase_date", "purchase_amount"),
    feeds=SILVER_PURCHASES,
    conform=conform,
    topic="bridge-cart.purchases",
)
