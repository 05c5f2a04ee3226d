"""UCI "Online Retail": order lines of a UK gift wholesaler, as published.

Chen, Sain and Guo (2012), UCI Machine Learning Repository, CC BY 4.0. An invoice that begins
with C takes goods back (negative quantities); many lines have no customer.
"""

import polars as pl

from bridge_cart_assets.sources.source import (
    CUSTOMER_COLUMNS,
    PROVENANCE,
    PURCHASE_COLUMNS,
    Conformed,
    Source,
)
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_assets.transforms.parsing import parse_number

COLUMNS = {
    "InvoiceNo": "Invoice; begins with C when goods are taken back",
    "StockCode": "Article",
    "Description": "Name of the article",
    "Quantity": "Pieces; negative when goods are taken back",
    "InvoiceDate": "When the invoice was written",
    "UnitPrice": "Price of a piece in pounds sterling",
    "CustomerID": "Customer; often spelt with a trailing .0",
    "Country": "Country of the customer",
}


def conform(raw: pl.LazyFrame) -> Conformed:
    """Invoice lines become order lines, and their customers become profiles.

    The lines of an invoice are numbered over its distinct lines in file order, so that an exact
    repetition is a second record of the same line. A profile has the country only; its version
    is the invoice's date, so the latest invoice decides.
    """
    lines = raw.with_columns(
        _key=pl.struct(*COLUMNS).hash(),
        order_id=pl.col("InvoiceNo").str.strip_chars(),
        customer_id=pl.col("CustomerID").str.strip_chars().str.replace(r"\.0$", ""),
    ).sort("_fingerprint", "_pos")
    invoice = ["_fingerprint", "order_id"]
    first_seen = pl.col("_pos").min().over([*invoice, "_key"])
    amount = parse_number(pl.col("Quantity")) * parse_number(pl.col("UnitPrice"))
    taken_back = pl.col("order_id").str.to_uppercase().str.starts_with("C")
    purchases = lines.with_columns(
        line_number=first_seen.rank("dense").over(invoice).cast(pl.String),
        purchase_date=pl.col("InvoiceDate"),
        purchase_amount=pl.coalesce(
            amount.cast(pl.String), pl.concat_str("Quantity", pl.lit(" x "), "UnitPrice")
        ),
        quantity=pl.col("Quantity"),
        status=pl.when(taken_back).then(pl.lit("refunded")).otherwise(pl.lit("completed")),
    )
    profiles = (
        lines.filter(pl.col("customer_id") != "")
        .unique(["_fingerprint", "customer_id", "Country", "InvoiceDate"], keep="first")
        .with_columns(country=pl.col("Country"), updated_at=pl.col("InvoiceDate"))
    )
    return Conformed(
        purchases=_with_columns(purchases, PURCHASE_COLUMNS),
        customers=_with_columns(profiles, CUSTOMER_COLUMNS),
    )


def _with_columns(frame: pl.LazyFrame, columns: object) -> pl.LazyFrame:
    known = set(frame.collect_schema().names())
    return frame.select(
        *(
            pl.col(n) if n in known else pl.lit(None, dtype=pl.String).alias(n)
            for n in columns  # type: ignore[attr-defined]
        ),
        *PROVENANCE,
    )


ONLINE_RETAIL = Source(
    name="online_retail",
    description="UCI Online Retail invoice lines as published (Chen, Sain and Guo 2012).",
    columns=COLUMNS,
    required=("InvoiceNo", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"),
    feeds=PURCHASES,
    conform=conform,
    # The published file has pound signs as Windows writes them.
    encoding="cp1252",
)
