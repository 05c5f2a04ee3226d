"""What is bought together: pairs of categories in one order.

Belongs here: gold/category_pairs and the sums that it is made from. Does not belong here: what
customers bought first (`first_category`), or pairs of single products: silver knows categories.
"""

from datetime import date

import polars as pl

from bridge_cart_assets.tables.gold import CATEGORY_BASKETS, CATEGORY_PAIRS
from bridge_cart_assets.thresholds import THRESHOLDS, Thresholds
from bridge_cart_assets.transforms.changes import Changes, added_up
from bridge_cart_assets.transforms.features import ORDER, in_cents, sales, up_to
from bridge_cart_assets.transforms.sales import UNKNOWN

# An order with more categories counts for those that most was paid for: n of them make n² / 2
# pairs, and a wholesaler's order of everything says little of what goes together.
MOST_IN_AN_ORDER = 20
_BASKET = ("customer_id", *ORDER)


def category_pairs(
    baskets: pl.LazyFrame, as_of: date, bounds: Thresholds = THRESHOLDS
) -> pl.DataFrame:
    """One row per pair of categories that are bought together often enough to say something.

    Args:
        baskets: rows of gold/category_baskets.
        as_of: latest batch day in silver; the sums are up to it already.
        bounds: how many categories are looked at, those in most orders first, and how many orders
            a pair has to be in.

    Returns:
        The columns of gold/category_pairs. All orders are those with a known category.

    Of ten orders six have toys, five have books, and five have both:

    >>> rows = [("Toys", "Toys", 6, 1), ("Books", "Books", 5, 5), ("Games", "Games", 4, 4)]
    >>> rows += [("Books", "Toys", 5, 0)]
    >>> baskets = pl.LazyFrame(rows, schema=CATEGORY_BASKETS.dtypes, orient="row")
    >>> pairs = category_pairs(baskets, date(2024, 1, 31))
    >>> pairs.select("category_a", "category_b", "support", "confidence_ab").rows()
    [('Books', 'Toys', 0.5, 1.0)]
    >>> pairs["lift"].round(3).to_list()
    [1.667]
    """
    sums = baskets.collect()
    single = sums.filter(
        pl.col("category_a") == pl.col("category_b"), pl.col("category_a") != UNKNOWN
    )
    orders_all = int(single["firsts"].sum())
    often = single.sort("orders", "category_a", descending=[True, False]).head(
        bounds.pair_categories
    )
    least = max(float(bounds.pair_orders), bounds.pair_support * orders_all)
    orders, of_a, of_b = (pl.col(name) for name in ("orders", "orders_a", "orders_b"))
    rows = (
        sums.filter(pl.col("category_a") != pl.col("category_b"), orders >= least)
        .join(often.select("category_a", orders_a="orders"), on="category_a")
        .join(often.select(category_b="category_a", orders_b="orders"), on="category_b")
        .with_columns(orders_all=pl.lit(orders_all, pl.Int64))
        .select(
            *("category_a", "category_b", "orders", "orders_a", "orders_b", "orders_all"),
            support=orders / pl.col("orders_all"),
            confidence_ab=orders / of_a,
            confidence_ba=orders / of_b,
            lift=orders * pl.col("orders_all") / (of_a * of_b),
        )
        .sort(CATEGORY_PAIRS.key)
    )
    return CATEGORY_PAIRS.conform(rows)


def category_baskets(purchases: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """How many orders have each category, and each pair of categories.

    An order is one of one customer, as in gold/customer_features. Categories that are not known
    make no pair; an order that has no other is counted once, under that name.

    Args:
        purchases: rows of silver/purchases, all of some orders.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/category_baskets.

    >>> from bridge_cart_assets.tables.silver import PURCHASES
    >>> line = {"source": "purchases", "customer_id": "C1", "order_id": "O1", "kind": "sale"}
    >>> line |= {"purchase_day": date(2024, 1, 1), "net_amount": 5}
    >>> lines = [
    ...     {**line, "line_number": n, "product_category": name}
    ...     for n, name in enumerate(("Toys", "Books", "Toys", "unknown"))
    ... ]
    >>> purchases = pl.LazyFrame(lines, schema=PURCHASES.dtypes)
    >>> category_baskets(purchases, date(2024, 1, 31)).rows()
    [('Books', 'Books', 1, 1), ('Books', 'Toys', 1, 0), ('Toys', 'Toys', 1, 0)]
    """
    in_orders = (
        sales(up_to(purchases, as_of))
        .group_by(*_BASKET, "product_category")
        .agg(paid=in_cents("net_amount").sum())
        .collect()
    )
    several = in_orders.filter(pl.len().over(_BASKET) > 1)
    single = in_orders.join(several, on=list(_BASKET), how="anti")
    counted = (
        # One that is not known stands only where it is alone.
        several.filter(pl.col("product_category") != UNKNOWN)
        .sort(*_BASKET, "paid", "product_category", descending=[False] * 3 + [True, False])
        .filter(pl.int_range(pl.len()).over(_BASKET) < MOST_IN_AN_ORDER)
        .with_columns(
            _first=pl.col("product_category") == pl.col("product_category").min().over(_BASKET)
        )
    )
    name = pl.col("product_category")
    one = pl.lit(1, pl.Int64)
    alone = pl.concat(
        [
            single.select(category_a=name, category_b=name, orders=one, firsts=one),
            counted.select(
                category_a=name, category_b=name, orders=one, firsts=pl.col("_first").cast(pl.Int64)
            ),
        ]
    )
    pairs = (
        counted.join(counted, on=list(_BASKET), suffix="_b")
        .filter(name < pl.col("product_category_b"))
        .select(category_a=name, category_b="product_category_b", orders=one, firsts=one - one)
    )
    return added_up(CATEGORY_BASKETS, alone, pairs)


def updated_category_baskets(earlier: pl.LazyFrame, changes: Changes) -> pl.DataFrame:
    """The rows of gold/category_baskets once the changed orders are as they are now.

    Args:
        earlier: rows of gold/category_baskets.
        changes: what has changed since.
    """
    lines = changes.of_orders
    now = category_baskets(lines.now.lazy(), changes.as_of)
    before = category_baskets(lines.before.lazy(), changes.seen_as_of)
    gone = before.with_columns(-pl.exclude(CATEGORY_BASKETS.key))
    return added_up(CATEGORY_BASKETS, earlier.collect(), now, gone)
