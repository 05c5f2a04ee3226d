"""UCI "Online Retail": order lines of a UK gift wholesaler, as published.

Chen, Sain and Guo (2012), UCI Machine Learning Repository, CC BY 4.0. An invoice that begins
with C takes goods back (negative quantities); many lines have no customer. Three layouts circulate:
UCI's workbook, a CSV of it with the month first, and Online Retail II with other column names.
"""

import polars as pl

from bridge_cart_assets.sources.source import (
    CUSTOMER_COLUMNS,
    PURCHASE_COLUMNS,
    Conformed,
    Source,
    with_contract_columns,
)
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_assets.transforms.amounts import read_numbers
from bridge_cart_assets.transforms.order_lines import rank_distinct_lines

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
    is the invoice's date, so the latest invoice decides. Lines without a customer are among the
    profiles, where they are refused: all dates of the file say whether the month comes first.
    """
    lines = raw.with_columns(
        order_id=pl.col("InvoiceNo").str.strip_chars(),
        customer_id=pl.col("CustomerID").str.strip_chars().str.replace(r"\.0$", ""),
        _pieces=read_numbers(pl.col("Quantity"), pl.col("_fingerprint")),
        _price=read_numbers(pl.col("UnitPrice"), pl.col("_fingerprint")),
    ).sort("_fingerprint", "_pos")
    content = pl.struct(*COLUMNS, "_rescued").hash()
    numbered = rank_distinct_lines(lines, ["_fingerprint", "order_id"], content)
    pieces, price = pl.col("_pieces").struct, pl.col("_price").struct
    amount = pieces.field("value") * price.field("value")
    is_guess = pieces.field("guessed") | price.field("guessed")
    taken_back = pl.col("order_id").str.to_uppercase().str.starts_with("C")
    purchases = numbered.with_columns(
        line_number=pl.col("_rank").cast(pl.String),
        purchase_date=pl.col("InvoiceDate"),
        purchase_amount=pl.coalesce(
            amount.cast(pl.String), pl.concat_str("Quantity", pl.lit(" x "), "UnitPrice")
        ),
        quantity=pl.col("Quantity"),
        _guessed=pl.when(is_guess).then(pl.lit("purchase_amount")),
        status=pl.when(taken_back).then(pl.lit("refunded")).otherwise(pl.lit("completed")),
    )
    profiles = lines.unique(
        ["_fingerprint", "customer_id", "Country", "InvoiceDate"], keep="first"
    ).with_columns(country=pl.col("Country"), updated_at=pl.col("InvoiceDate"))
    return Conformed(
        purchases=with_contract_columns(purchases, PURCHASE_COLUMNS),
        customers=with_contract_columns(profiles, CUSTOMER_COLUMNS),
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
    # Online Retail II, and the CSV of it.
    aliases={"Invoice": "InvoiceNo", "Price": "UnitPrice"},
)
