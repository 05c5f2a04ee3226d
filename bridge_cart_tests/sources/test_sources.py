"""What every source has to have, and that native records pass unchanged."""

from datetime import date

import polars as pl
import pytest

from bridge_cart_assets.settings import SettingsError
from bridge_cart_assets.sources import SOURCES, Source, sources_read_as
from bridge_cart_assets.sources.source import CUSTOMER_COLUMNS, PROVENANCE, PURCHASE_COLUMNS
from bridge_cart_assets.tables.silver import TABLES as SILVER

NATIVE = {"customers": CUSTOMER_COLUMNS, "purchases": PURCHASE_COLUMNS}
# The contract's columns and the ones without which a file cannot be taken.
REQUIRED = {
    "customers": ("customer_id",),
    "purchases": ("order_id", "purchase_date", "purchase_amount"),
    "online_retail": ("InvoiceNo", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"),
    "shopify_orders": (
        *("name", "financial_status", "created_at"),
        *("lineitem_quantity", "lineitem_price"),
    ),
    "shopify_customers": ("customer_id", "email"),
    "shopify_api_orders": ("name", "created_at", "financial_status", "line_items"),
    "woocommerce_orders": ("id", "status", "date_created", "line_items"),
}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_source_says_what_its_columns_mean_and_which_it_needs(source: Source) -> None:
    assert source.description.endswith(".")
    assert all(source.columns.values())
    assert source.required == REQUIRED[source.name]
    assert set(source.required) <= source.columns.keys()
    assert source.feeds in SILVER
    assert source.raw.path == f"raw/{source.name}"


def test_names_of_sources_are_unique() -> None:
    assert {source.name for source in SOURCES} == REQUIRED.keys()


@pytest.mark.parametrize("name", NATIVE)
def test_native_records_pass_unchanged_with_their_provenance(name: str) -> None:
    source = next(one for one in SOURCES if one.name == name)
    row = {column: f"  {column} " for column in source.columns} | {
        "_source": name,
        "_object": "day.csv",
        "_pos": 1,
        "_fingerprint": "f",
        "_batch_day": date(2024, 1, 1),
        "_rescued": None,
        "_item": 1,
    }
    conformed = source.conform(pl.DataFrame([row]).lazy().drop("_item"))
    frames = {"customers": conformed.customers, "purchases": conformed.purchases}
    [other] = set(frames) - {name}
    assert frames[other] is None
    frame = frames[name]
    assert frame is not None
    expected = {column: row[column] for column in (*NATIVE[name], *PROVENANCE)}
    assert frame.select(*expected).collect().row(0, named=True) == expected


def test_the_environment_says_how_the_values_of_a_source_are_read() -> None:
    sources = sources_read_as({}, {"purchases": "month_first"}, "SEK")
    assert {source.name: source.dates for source in sources if source.dates} == {
        "purchases": "month_first"
    }
    assert {source.currency for source in sources} == {"SEK"}
    assert {source.currency for source in sources_read_as({})} == {None}
    assert {source.name: source.encoding for source in sources} == {
        source.name: source.encoding for source in SOURCES
    }


def test_an_order_of_dates_for_a_source_that_there_is_not_is_refused_like_an_encoding() -> None:
    with pytest.raises(SettingsError, match=r"BRIDGE_CART_DATES='orders' .* the sources are cust"):
        sources_read_as({}, {"orders": "day_first"})
    with pytest.raises(SettingsError, match=r"BRIDGE_CART_ENCODINGS='orders' .*sources are cust"):
        sources_read_as({"orders": "cp1252"})
