"""Sales by day and dimension: sums that are those of silver, whichever way they are added up."""

from datetime import date
from decimal import Decimal
from itertools import product
from typing import Any

from hypothesis import given, settings

from bridge_cart_assets.tables.gold import SALES_DAILY
from bridge_cart_assets.transforms.sales import sales_daily
from bridge_cart_tests.transforms.shops import START, Line, customers, line, purchases, shops

PROFILES = (
    {"customer_id": "C1", "country": "France", "is_current": False, "valid_to": None},
    {"customer_id": "C1", "country": "Germany"},
    {"customer_id": "C2", "country": "India"},
    {"customer_id": "C3", "country": None},
)
COUNTRIES = {"C1": "Germany", "C2": "India"}
Row = dict[str, Any]


def computed(lines: list[Line], as_of: date) -> list[Row]:
    rows = sales_daily(purchases(lines), customers(*PROFILES), as_of)
    return list(SALES_DAILY.conform(rows).iter_rows(named=True))


def grain(row: Line) -> tuple[object, ...]:
    country = COUNTRIES.get(row["customer_id"], "unknown")
    dimensions = ("product_category", "payment_method", "coupon_used")
    return (row["purchase_day"], country, *(row[name] for name in dimensions))


def total(lines: list[Line], column: str) -> Decimal:
    return sum((one[column] for one in lines), Decimal(0))


@settings(max_examples=60, deadline=None)
@given(shops())
def test_each_row_is_what_the_lines_of_its_dimensions_add_up_to(
    shop: tuple[list[Line], date],
) -> None:
    lines, as_of = shop
    seen = [n for n in lines if n["purchase_day"] <= as_of and n["kind"] in ("sale", "refund")]
    expected = []
    for key in sorted({grain(one) for one in seen}):
        mine = [one for one in seen if grain(one) == key]
        sold = [one for one in mine if one["kind"] == "sale"]
        back = [one for one in mine if one["kind"] == "refund"]
        expected.append(
            (
                *key,
                len(sold),
                sum(one["quantity"] for one in sold),
                total(sold, "purchase_amount"),
                total(sold, "discount_amount"),
                total(sold, "net_amount"),
                -total(back, "net_amount"),
            )
        )
    assert [tuple(row.values()) for row in computed(lines, as_of)] == expected


def test_a_day_in_a_small_shop() -> None:
    lines = [
        line(0, "C1", "A", "10.00", "1.00", category="books", payment="upi", coupon=True),
        line(0, "C1", "B", "0.05", category="books", payment="upi", coupon=True),
        line(0, "C1", "A", "7.00", line_number=2, category="toys", payment="upi"),
        line(0, "C2", "C", "99.99", kind="cancelled", category="toys"),
        line(1, "C2", "D", "-4.00", kind="refund", category="toys", payment="paypal"),
        line(1, "C9", "E", "3.00"),
        line(2, "C9", "F", "3.00"),
    ]
    rows = [tuple(map(str, row.values())) for row in computed(lines, date(2024, 1, 2))]
    assert [" ".join(row) for row in rows] == [
        "2024-01-01 Germany books upi True 2 2.000 10.05 1.00 9.05 0.00",
        "2024-01-01 Germany toys upi False 1 1.000 7.00 0.00 7.00 0.00",
        "2024-01-02 India toys paypal False 0 0.000 0.00 0.00 0.00 4.00",
        "2024-01-02 unknown unknown unknown False 1 1.000 3.00 0.00 3.00 0.00",
    ]


def test_the_order_of_the_lines_changes_nothing() -> None:
    lines = [
        line(day, customer, category=category, coupon=coupon)
        for day, customer, category, coupon in product(
            range(3), ("C1", "C2", "C3"), ("books", "toys"), (True, False)
        )
    ]
    rows = computed(lines, date(2024, 1, 3))
    assert rows == computed(lines[::-1], date(2024, 1, 3))
    assert sum(row["lines"] for row in rows) == len(lines) == len(rows)


def test_without_lines_there_are_no_rows() -> None:
    assert computed([], START) == []
