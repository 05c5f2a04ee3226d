"""What customers bought first and what is bought together: by hand, and against SQL of its own."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal

from bridge_cart_assets.tables.gold import CATEGORY_BASKETS, CATEGORY_PAIRS, FIRST_CATEGORY
from bridge_cart_assets.thresholds import THRESHOLDS
from bridge_cart_assets.transforms.category_pairs import (
    MOST_IN_AN_ORDER,
    category_baskets,
    category_pairs,
)
from bridge_cart_assets.transforms.features import of_customers
from bridge_cart_assets.transforms.first_category import first_category, first_category_days
from bridge_cart_tests.transforms import categories_in_sql as sql
from bridge_cart_tests.transforms.shops import START, Line, line, purchases, shops

ANY = replace(THRESHOLDS, pair_orders=1, pair_support=0.0)


def on(day: int) -> date:
    return START + timedelta(days=day)


def firsts(lines: list[Line], as_of: date) -> pl.DataFrame:
    sold = of_customers(purchases(lines))
    return first_category(first_category_days(sold, as_of).lazy(), as_of)


def pairs(lines: list[Line], as_of: date = date(2025, 6, 1)) -> pl.DataFrame:
    return category_pairs(
        category_baskets(of_customers(purchases(lines)), as_of).lazy(), as_of, ANY
    )


def order(n: int, *categories: str, customer: str = "C1", source: str = "purchases") -> list[Line]:
    return [
        line(n, customer, f"O{n}", Decimal(10 + i), line_number=i, category=name, source=source)
        for i, name in enumerate(categories)
    ]


def test_an_order_is_of_the_category_that_most_was_paid_for() -> None:
    lines = [
        line(0, order="O1", amount="9.00", category="Toys"),
        line(0, order="O1", amount="5.00", category="Books", line_number=2),
        line(0, order="O1", amount="5.00", category="Books", line_number=3),
        line(9, order="O2", amount="99.00", category="Games"),
    ]
    assert firsts(lines, on(9))["first_category"].to_list() == ["Books"]
    equal = [line(0, order="O1", category=name, line_number=n) for n, name in enumerate("ba")]
    assert firsts(equal, on(9))["first_category"].to_list() == ["a"]


def test_a_category_that_is_not_known_is_one_like_the_others() -> None:
    lines = [
        line(0, "C1", category="unknown", amount="50.00", order="O1"),
        line(0, "C1", category="Toys", amount="5.00", order="O1", line_number=2),
        line(0, "C2", category="Toys"),
    ]
    found = firsts(lines, on(1)).select("first_category", "customers").rows()
    assert found == [("Toys", 1), ("unknown", 1)]


@pytest.mark.parametrize(
    ("second", "as_of", "counts"),
    [
        (90, 90, (1, 1, 1.0)),  # on the last day of the 90
        (91, 91, (1, 0, 0.0)),
        (89, 89, (0, 0, None)),  # who came again early has not had the time either
        (None, 89, (0, 0, None)),
        (None, 90, (1, 0, 0.0)),
    ],
)
def test_the_rate_is_of_customers_who_have_had_90_days(
    second: int | None, as_of: int, counts: tuple[int, int, float | None]
) -> None:
    lines = [line(0), *([] if second is None else [line(second)])]
    found = firsts(lines, on(as_of))
    assert found.select("customers_90d", "repeat_customers_90d", "repeat_rate_90d").row(0) == counts


def test_refunds_lower_what_a_customer_is_worth_and_not_where_they_began() -> None:
    lines = [
        line(0, amount="30.00", category="Toys"),
        line(1, amount="-10.00", kind="refund", category="Books", order="R"),
        line(1, "C2", amount="-10.00", kind="refund", category="Books"),
    ]
    found = firsts(lines, on(5))
    worth = found.select("first_category", "revenue", "net_revenue", "net_revenue_per_customer")
    assert worth.rows() == [("Toys", Decimal("30.00"), Decimal("20.00"), 20.0)]


def test_pairs_are_of_one_order_of_one_customer_and_one_source() -> None:
    lines = [
        *order(1, "Toys", "Books", "Toys"),
        *order(2, "Toys"),
        *order(2, "Books", source="online_retail"),
        *order(3, "Toys"),
        *order(3, "Books", customer="C2"),
        *order(4, "unknown", "Toys"),
        *order(5, "unknown"),
    ]
    found = pairs(lines).select(pl.exclude("lift", "confidence_ab", "confidence_ba", "support"))
    # O2 is two orders, O3 one of each customer; O5 says nothing of any category.
    assert found.rows() == [("Books", "Toys", 1, 3, 4, 6)]


def test_a_pair_needs_orders_and_a_share_of_all() -> None:
    lines = [one for n in range(5) for one in order(n, "Toys", "Books")]
    baskets = category_baskets(purchases(lines), on(500)).lazy()
    for least, rows in ((5, 1), (6, 0)):
        assert category_pairs(baskets, on(500), replace(ANY, pair_orders=least)).height == rows
    more = category_baskets(
        purchases([*lines, *(one for n in range(5, 5001) for one in order(n, "Toys"))]), on(9999)
    )
    assert category_pairs(more.lazy(), on(9999), THRESHOLDS).height == 0
    assert category_pairs(more.lazy(), on(9999), replace(ANY, pair_orders=5)).height == 1


def test_of_four_thousand_categories_those_in_most_orders_make_pairs() -> None:
    lines = [one for n in range(2_000) for one in order(n, f"a{2 * n}", f"b{2 * n + 1}")]
    lines += [one for n in range(3_000, 3_009) for one in order(n, "a0", "b1")]
    baskets = category_baskets(purchases(lines), on(9_999)).lazy()
    found = category_pairs(baskets, on(9_999), replace(ANY, pair_categories=2))
    assert found.select("category_a", "category_b", "orders").rows() == [("a0", "b1", 10)]
    assert category_pairs(baskets, on(9_999), ANY).height <= 100 * 99 / 2


def test_an_order_of_everything_counts_for_what_most_was_paid_for() -> None:
    names = [f"c{n:02}" for n in range(MOST_IN_AN_ORDER + 5)]  # the later, the dearer
    baskets = category_baskets(purchases(order(1, *names)), on(9))
    counted = baskets.filter(pl.col("category_a") == pl.col("category_b"))
    assert counted["category_a"].to_list() == names[5:]
    assert counted["firsts"].to_list() == [1] + [0] * (MOST_IN_AN_ORDER - 1)
    assert baskets.height == MOST_IN_AN_ORDER * (MOST_IN_AN_ORDER + 1) / 2


def test_without_sales_both_tables_are_empty() -> None:
    assert firsts([line(0, kind="refund", amount="-1.00")], on(1)).height == 0
    assert pairs([line(0, kind="cancelled")]).equals(CATEGORY_PAIRS.empty())


@pytest.mark.parametrize("seed", [1, 2])
def test_both_are_what_sql_makes_of_a_shop(seed: int) -> None:
    """Orders of several customers and sources, lines without a customer or a known category."""
    random = Random(seed)  # noqa: S311
    lines = [
        line(
            random.choice([0, 1, 30, 89, 90, 91, 200]),
            random.choice(["C1", "C2", "C3", None]),
            random.choice([None, "O1", "O2", "O3"]),
            str(random.randint(1, 9) * (-1 if n % 5 == 4 else 1)),
            kind="refund" if n % 5 == 4 else "sale",
            line_number=n,
            source=random.choice(["purchases", "online_retail"]),
            category=random.choice(["books", "games", "toys", "unknown"]),
        )
        for n in range(60)
    ]
    assert_both_are_those_of_sql(lines, on(181))


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(shops(20, with_anonymous=True))
def test_both_are_what_sql_makes_of_any_shop(shop: tuple[list[Line], date]) -> None:
    assert_both_are_those_of_sql(*shop)


def assert_both_are_those_of_sql(lines: list[Line], as_of: date) -> None:
    silver = purchases(lines).collect()
    wanted = sql.by_sql(sql.FIRST_CATEGORY, silver, as_of)
    found = firsts(lines, as_of).select(wanted.columns)
    assert_frame_equal(found, wanted.cast(found.schema))
    together = sql.by_sql(sql.PAIRS, silver, as_of, orders=1, support=0.0)
    mine = pairs(lines, as_of)
    assert_frame_equal(mine, together.cast(mine.schema))
    assert FIRST_CATEGORY.conform(firsts(lines, as_of)).height == wanted.height
    assert CATEGORY_BASKETS.key == ("category_a", "category_b")
