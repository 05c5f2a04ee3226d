"""The shops that are compared: clean ones out of the generator, and real ones.

Belongs here: reading a shop's orders, buyers and people into one form, and which synthetic shops
the page tells of. Does not belong here: what is measured in them (`figures`, `bgnbd`).
"""

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from bridge_cart_assets.generator import seasons
from bridge_cart_assets.generator.arguments import Shop

CUSTOMERS, YEAR, LONG = 20_000, 365, 540
# The reference shop is the first one, of which the other statistics tell.
SEEDS = (7, 8, 9, 10)


@dataclass(frozen=True)
class Clean:
    """What a shop sold in a stretch of days, without dirt.

    Attributes:
        placed, cancelled, refunded: numbers of orders.
        sales: the order lines that stand, as sold; order_id, customer_id, purchase_date, price (of
            a piece), revenue (of the line, after discounts), and of a synthetic shop also
            product_category and coupon_used.
        last: the last day.
        flash_sales: the days of flash sales.
        people: of a synthetic shop, everybody's customer_id, persona, country, age and income.
    """

    placed: int
    cancelled: int
    refunded: int
    sales: pl.DataFrame
    last: date
    flash_sales: frozenset[date] = frozenset()
    people: pl.DataFrame = field(default_factory=pl.DataFrame)

    @cached_property
    def orders(self) -> pl.DataFrame:
        """Orders; grain (order_id)."""
        return (
            self.sales.group_by("order_id")
            .agg(
                pl.col("^(customer_id|purchase_date|coupon_used)$").first(),
                lines=pl.len(),
                revenue=pl.col("revenue").sum(),
            )
            .with_columns(day=pl.col("purchase_date").dt.date())
            .sort("purchase_date", "order_id")
        )

    @cached_property
    def buyers(self) -> pl.DataFrame:
        """Who has bought; grain (customer_id)."""
        return (
            self.orders.group_by("customer_id")
            .agg(orders=pl.len(), revenue=pl.col("revenue").sum())
            .sort("customer_id")
        )

    @cached_property
    def days(self) -> pl.DataFrame:
        """Days with an order; grain (day)."""
        return self.orders.group_by("day").agg(orders=pl.len()).sort("day")

    @cached_property
    def gaps(self) -> pl.Series:
        """Days from one day on which a customer orders to the next one."""
        visits = self.orders.select("customer_id", "day").unique().sort("customer_id", "day")
        gap = pl.col("day").diff().over("customer_id").dt.total_days()
        return visits.select(gap.alias("gap"))["gap"].drop_nulls()


def clean(data: Path, shop: Shop, days: int) -> Clean:
    """The first days of a generated shop; as if the shop had been watched no longer."""
    last = shop.day(days - 1)

    def known(table: str) -> pl.DataFrame:
        rows = pl.read_parquet(data / "truth" / table)
        return rows.filter(pl.col("batch_day") <= last).sort("updated_at", maintain_order=True)

    records, price = known("purchases"), pl.col("purchase_amount").cast(pl.Float64)
    count = dict(records.group_by("kind").agg(pl.col("order_id").n_unique()).iter_rows())
    stands = records.unique(["order_id", "line_number"], keep="last", maintain_order=True)
    flash = seasons.Calendar(shop.start, days, shop.seed).flash_sales
    people = known("customers").unique("customer_id", keep="first", maintain_order=True)
    kinds = pl.read_parquet(data / "truth" / "personas")
    return Clean(
        placed=count["sale"],
        cancelled=count["cancelled"],
        refunded=count["refund"],
        sales=stands.filter(pl.col("kind") == "sale").select(
            *("order_id", "customer_id", "purchase_date", "product_category", "coupon_used"),
            price=price / pl.col("quantity"),
            revenue=price - pl.col("discount_amount").cast(pl.Float64),
        ),
        last=last,
        flash_sales=frozenset(shop.day(number) for number in np.flatnonzero(flash).tolist()),
        people=people.select(
            *("customer_id", "country", "age", pl.col("income").cast(pl.Float64))
        ).join(kinds.select("customer_id", "persona"), on="customer_id"),
    )


def online_retail(folder: Path) -> Clean:
    """UCI Online Retail as the project reads it: no copies, no line without a customer or price.

    Its credit notes stand for cancellations; they do not tell these from goods given back.
    """
    lines = (
        pl.read_csv(folder / "*.csv", infer_schema=False)
        .unique()
        .filter(pl.col("CustomerID").fill_null("") != "")
        .select(
            order_id="InvoiceNo",
            customer_id="CustomerID",
            purchase_date=pl.col("InvoiceDate").str.to_datetime(),
            quantity=pl.col("Quantity").cast(pl.Int64),
            price=pl.col("UnitPrice").cast(pl.Float64),
        )
        .with_columns(revenue=pl.col("quantity") * pl.col("price"))
    )
    is_credit = pl.col("order_id").str.starts_with("C")
    sales = lines.filter(~is_credit, pl.col("quantity") > 0, pl.col("price") >= 0.01)
    return Clean(
        placed=sales["order_id"].n_unique(),
        cancelled=lines.filter(is_credit)["order_id"].n_unique(),
        refunded=0,
        sales=sales,
        last=sales.select(pl.col("purchase_date").dt.date().max()).item(),
    )


def cdnow(folder: Path) -> pl.DataFrame:
    """CDNOW's new customers of early 1997 in their first 39 weeks; x, t_x, T in weeks."""
    rows = pl.read_csv(folder / "cdnow_customers_summary.csv")
    return rows.select(x=pl.col("frequency").cast(pl.Float64), t_x="recency", T="T")


class Real(NamedTuple):
    """The real shops, where they are known."""

    online_retail: Clean | None
    cdnow: pl.DataFrame | None

    @classmethod
    def named(cls, root: str | None) -> "Real":
        """Read them from the folder that BRIDGE_CART_REAL_DATA names."""
        if not root:
            return cls(None, None)
        return cls(online_retail(Path(root) / "online_retail"), cdnow(Path(root) / "cdnow"))
