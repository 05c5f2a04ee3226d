"""Native customer profiles: one row per customer and change."""

import polars as pl

from bridge_cart_assets.sources.source import (
    CUSTOMER_COLUMNS,
    Conformed,
    Source,
    with_contract_columns,
)
from bridge_cart_assets.tables.silver import CUSTOMERS as SILVER_CUSTOMERS


def conform(raw: pl.LazyFrame) -> Conformed:
    """The records already have the contract's columns."""
    return Conformed(customers=with_contract_columns(raw, CUSTOMER_COLUMNS))


CUSTOMERS = Source(
    name="customers",
    description="Customer profiles, a record whenever one is new or has changed.",
    columns=CUSTOMER_COLUMNS,
    required=("customer_id",),
    feeds=SILVER_CUSTOMERS,
    conform=conform,
    topic="bridge-cart.customers",
)
