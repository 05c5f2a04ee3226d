"""Shopify's export of customers as the admin gives it: CSV, one row per customer.

Ids begin with an apostrophe, so that a spreadsheet leaves them alone. Column names by Shopify's
documentation, https://help.shopify.com/en/manual/customers/import-export-customers
"""

import polars as pl

from bridge_cart_assets.sources.source import (
    CUSTOMER_COLUMNS,
    Conformed,
    Source,
    with_contract_columns,
)
from bridge_cart_assets.tables.silver import CUSTOMERS
from bridge_cart_assets.transforms.parsing import present

COLUMNS = {
    "customer_id": "Shopify's number of the customer",
    "first_name": "First name",
    "last_name": "Last name",
    "email": "E-mail address",
    "phone": "Phone number",
    "default_address_city": "City of the default address",
    "default_address_country_code": "Country of the default address, two letters",
    "default_address_phone": "Phone number of the default address",
}


def conform(raw: pl.LazyFrame) -> Conformed:
    """Customers become profiles; the export does not say when one was changed."""
    names = [present(pl.col(name)) for name in ("first_name", "last_name")]
    phones = [present(pl.col(name)) for name in ("phone", "default_address_phone")]
    profiles = raw.with_columns(
        name=pl.concat_str(names, separator=" ", ignore_nulls=True),
        mobile=pl.coalesce(phones),
        city="default_address_city",
        country="default_address_country_code",
    )
    return Conformed(customers=with_contract_columns(profiles, CUSTOMER_COLUMNS))


SHOPIFY_CUSTOMERS = Source(
    name="shopify_customers",
    description="Customers as Shopify's admin exports them (CSV).",
    columns=COLUMNS,
    required=("customer_id", "email"),
    feeds=CUSTOMERS,
    conform=conform,
    aliases={
        "id": "customer_id",
        "city": "default_address_city",
        "country_code": "default_address_country_code",
    },
)
