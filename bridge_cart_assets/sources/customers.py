"""Native customer profiles: one row per customer and change."""

import polars as pl

from bridge_cart_assets.sources.source import CUSTOMER_COLUMNS, PROVENANCE, Conformed, Source
from bridge_cart_assets.tables.silver import CUSTOMERS as SILVER_CUSTOMERS


def conform(raw: pl.LazyFrame) -> Conformed:
    """The records already have the contract's columns."""
    return Conformed(customers=raw.select(*CUSTOMER_COLUMNS, *PROVENANCE))


CUSTOMERS = Source(
    name="customers",
    description="Customer profiles, a record whenever one is new or has changed.",
    columns=CUSTOMER_COLUMNS,
    required=("customer_id",),
    feeds=SILVER_CUSTOMERS,
    conform=conform,
    topic="bridge-cart.customers",
)
