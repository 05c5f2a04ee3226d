"""Native order lines: one row per line of an order."""

import polars as pl

from bridge_cart_assets.sources.source import PROVENANCE, PURCHASE_COLUMNS, Conformed, Source
from bridge_cart_assets.tables.silver import PURCHASES as SILVER_PURCHASES


def conform(raw: pl.LazyFrame) -> Conformed:
    """The records already have the contract's columns."""
    return Conformed(purchases=raw.select(*PURCHASE_COLUMNS, *PROVENANCE))


PURCHASES = Source(
    name="purchases",
    description="Order lines; a newer record of the same line corrects it.",
    columns=PURCHASE_COLUMNS,
    required=("order_id", "customer_id", "purchase_date", "purchase_amount"),
    feeds=SILVER_PURCHASES,
    conform=conform,
    topic="bridge-cart.purchases",
)
