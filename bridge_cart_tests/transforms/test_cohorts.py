"""Who came back, month by month, against a count with sets."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from bridge_cart_assets.tables.gold import COHORT_RETENTION
from bridge_cart_assets.transforms.cohorts import cohort_retention
from bridge_cart_tests.transforms.shops import Line, line, purchases, shops

Row = dict[str, Any]


def computed(lines: list[Line], as_of: date) -> list[Row]:
    rows = COHORT_RETENTION.conform(cohort_retention(purchases(lines), as_of))
    return list(rows.sort("cohort_month", "month_index").iter_rows(named=True))


def expected(lines: list[Line], as_of: date) -> list[Row]:
    sold = [n for n in lines if n["kind"] == "sale" and n["purchase_day"] <= as_of]
    cohorts = defaultdict(set)
    for customer in {n["customer_id"] for n in sold}:
        first = min(n["purchase_day"] for n in sold if n["customer_id"] == customer)
        cohorts[first.year, first.month].add(customer)
    rows = []
    for (year, month), members in sorted(cohorts.items()):
        index, at = 0, (year, month)
        while at <= (as_of.year, as_of.month):
            theirs = [
                n
                for n in sold
                if n["customer_id"] in members
                and (n["purchase_day"].year, n["purchase_day"].month) == at
            ]
            following = (at[0] + at[1] // 12, at[1] % 12 + 1)
            active = {n["customer_id"] for n in theirs}
            rows.append(
                {
                    "cohort_month": f"{year:04}-{month:02}",
                    "month_index": index,
                    "cohort_size": len(members),
                    "active_customers": len(active),
                    "retention": pytest.approx(len(active) / len(members)),
                    "revenue": sum((n["net_amount"] for n in theirs), Decimal(0)),
                    # The last day of a month is the day before the first of the next.
                    "is_complete": date(*following, 1).toordinal() - 1 <= as_of.toordinal(),
                }
            )
            index, at = index + 1, following
    return rows


@settings(max_examples=40, deadline=None)
@given(shops())
def test_cohorts_are_what_a_count_with_sets_gives(shop: tuple[list[Line], date]) -> None:
    lines, as_of = shop
    assert computed(lines, as_of) == expected(lines, as_of)


def test_a_cohort_has_a_row_for_every_month_up_to_as_of_sales_or_not() -> None:
    lines = [
        line(date(2024, 11, 30), "C1"),
        line(date(2024, 11, 1), "C2"),
        line(date(2025, 1, 31), "C1", amount="7.00"),
        line(date(2025, 1, 2), "C3"),
    ]
    found = [
        (r["cohort_month"], r["month_index"], r["active_customers"], r["revenue"], r["is_complete"])
        for r in computed(lines, date(2025, 2, 27))
    ]
    assert found == [
        ("2024-11", 0, 2, 20, True),
        ("2024-11", 1, 0, 0, True),
        ("2024-11", 2, 1, 7, True),
        ("2024-11", 3, 0, 0, False),
        ("2025-01", 0, 1, 10, True),
        ("2025-01", 1, 0, 0, False),
    ]


def test_a_month_is_complete_on_its_last_day() -> None:
    february = [line(date(2024, 2, 1))]
    assert [r["is_complete"] for r in computed(february, date(2024, 2, 28))] == [False]
    assert [r["is_complete"] for r in computed(february, date(2024, 2, 29))] == [True]


def test_a_first_purchase_that_was_cancelled_begins_no_cohort() -> None:
    lines = [line(date(2024, 1, 5), kind="cancelled"), line(date(2024, 2, 5))]
    assert [r["cohort_month"] for r in computed(lines, date(2024, 2, 5))] == ["2024-02"]


def test_without_sales_there_are_no_cohorts() -> None:
    assert computed([], date(2024, 1, 1)) == []
