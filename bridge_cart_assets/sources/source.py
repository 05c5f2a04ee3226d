"""What a source is: what its records look like and how they become the contract's columns.

Belongs here: the class that each source file fills in. Does not belong here: cleaning of values,
which is the same for every source (see `transforms.cleaning`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from bridge_cart_assets.tables.raw import raw_table
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.dates import Order
from bridge_cart_assets.transforms.folding import WholeOrder

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
    "status": "completed, refunded, cancelled or pending",
    "updated_at": "When the record was last changed at its source",
    "email": "E-mail address of the customer",
    "currency": "Currency of the amounts, ISO 4217",
}
PROVENANCE = ("_source", "_object", "_pos", "_fingerprint", "_batch_day", "_item")


@dataclass(frozen=True)
class Conformed:
    """A source's records in the contract's columns, still as strings, with their provenance.

    Attributes:
        purchases: the columns of `PURCHASE_COLUMNS` and `PROVENANCE`, a row per order line. A
            record may hold several lines; `_item` numbers them from 1. `_is_empty`, if it is
            there, marks an order that came without a line.
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
        aliases: other names of columns that circulate, with the column that each means.
        whole_order_in: "record" when one record holds all lines of an order, "file" when the rows
            of one file do; then the latest one replaces the order. None when a record is a line
            and corrects that line only.
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
    aliases: Mapping[str, str] = field(default_factory=dict)
    whole_order_in: WholeOrder | None = None
    dates: Order | None = None
    currency: str | None = None

    @cached_property
    def raw(self) -> Table:
        """The source's raw table."""
        return raw_table(self.name, self.columns)


def with_contract_columns(frame: pl.LazyFrame, columns: Iterable[str]) -> pl.LazyFrame:
    """A frame in the contract's columns: those that it lacks are null, `_item` is 1.

    Args:
        frame: some of the columns, and the provenance of a raw record. `_guessed` names contract
            columns that the source read by a guess.
        columns: `PURCHASE_COLUMNS` or `CUSTOMER_COLUMNS`.
    """
    known = set(frame.collect_schema().names())
    item = pl.col("_item") if "_item" in known else pl.lit(1, dtype=pl.Int64).alias("_item")
    guessed = ["_guessed"] if "_guessed" in known else []
    return frame.select(
        *(pl.col(n) if n in known else pl.lit(None, pl.String).alias(n) for n in columns),
        *(n for n in PROVENANCE if n != "_item"),
        item,
        *guessed,
    )
