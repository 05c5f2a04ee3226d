"""What a source is: what its records look like and how they become the contract's columns.

Belongs here: the class that each source file fills in. Does not belong here: cleaning of values,
which is the same for every source (see `transforms.cleaning`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from bridge_cart_assets.tables.raw import raw_table
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.dates import Order

CUSTOMER_COLUMNS: Mapping[str, str] = {
    "customer_id": "Customer's id",
    "name": "Full name",
    "email": "E-mail address",
    "mobile": "Mobile number in any format",
    "gender": "Gender in any spelling",
    "age": "Age in years",
    "income": "Yearly income",
    "city": "City",
    "country": "Country",
    "signup_date": "Day of sign-up",
    "updated_at": "When the record was last changed at its source",
}
PURCHASE_COLUMNS: Mapping[str, str] = {
    "order_id": "Order's id",
    "line_number": "Line within the order",
    "customer_id": "Customer's id",
    "purchase_date": "When the order was placed",
    "purchase_amount": "Amount of the line before discount",
    "discount_amount": "Discount on the line",
    "coupon_used": "Whether a coupon was used",
    "payment_method": "How it was paid",
    "product_category": "Category of the product",
    "quantity": "Pieces",
    "status": "completed, refunded or cancelled",
    "updated_at": "When the record was last changed at its source",
}
PROVENANCE = ("_source", "_object", "_pos", "_fingerprint", "_batch_day")


@dataclass(frozen=True)
class Conformed:
    """A source's records in the contract's columns, still as strings, with their provenance.

    Attributes:
        purchases: the columns of `PURCHASE_COLUMNS` and `PROVENANCE`, a row per order line.
        customers: the columns of `CUSTOMER_COLUMNS` and `PROVENANCE`, a row per profile record.
    """

    purchases: pl.LazyFrame | None = None
    customers: pl.LazyFrame | None = None


@dataclass(frozen=True)
class Source:
    """One kind of records that arrive.

    Attributes:
        name: folder below the landing zone and name of the raw table.
        description: what the records are and who publishes them.
        columns: the source's columns with their meaning.
        required: columns without which a file cannot be taken.
        feeds: the silver table in which each accepted record stands as a row.
        conform: maps raw records (status ok) to the contract's columns.
        encoding: how lines that are not UTF-8 are read, by Python's name for it; without one, or
            when they are not that either, they are kept as BAD_ENCODING.
        topic: the Kafka topic that its records come by too, if there is one.
        dates: the order of day and month where a file leaves it open, if it was set.
        currency: the shop's currency, if it was set.
    """

    name: str
    description: str
    columns: Mapping[str, str]
    required: tuple[str, ...]
    feeds: Table
    conform: Callable[[pl.LazyFrame], Conformed]
    encoding: str | None = None
    topic: str | None = None
    dates: Order | None = None
    currency: str | None = None

    @cached_property
    def raw(self) -> Table:
        """The source's raw table."""
        return raw_table(self.name, self.columns)
