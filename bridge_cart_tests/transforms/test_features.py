"""What each customer has done so far, against a count line by line."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings

from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES
from bridge_cart_assets.transforms.features import customer_features
from bridge_cart_tests.transforms.shops import START, Line, customers, line, purchases, shops

Row = dict[str, Any]
PROFILES: tuple[Row, ...] = (
    {"customer_id": "C1", "country": "France", "gender": "female", "age": 30, "income": None},
    {"customer_id": "C2", "country": "Spain", "age": None, "income": Decimal("100.00")},
    {"customer_id": "C3", "country": None, "age": 41, "income": Decimal("100.01")},
    {"customer_id": "C9", "country": "Italy", "age": 99, "income": Decimal("999.00")},
)


def computed(
    lines: list[Line], as_of: date, profiles: tuple[Row, ...] = PROFILES
) -> dict[str, Row]:
    """The transform's rows by customer."""
    frame = customer_features(purchases(lines), customers(*profiles), as_of)
    rows = CUSTOMER_FEATURES.conform(frame).iter_rows(named=True)
    return {row["customer_id"]: row for row in rows}


def expected(lines: list[Line], as_of: date) -> dict[str, Row]:
    seen = [n for n in lines if n["purchase_day"] <= as_of]
    buyers = sorted({n["customer_id"] for n in seen if n["kind"] == "sale"})
    rows = {buyer: features_of(buyer, seen, as_of) for buyer in buyers}
    profiles = {p["customer_id"]: p for p in PROFILES if p["customer_id"] in rows}
    ages = [p["age"] for p in profiles.values() if p["age"] is not None]
    incomes = [p["income"] for p in profiles.values() if p["income"] is not None]
    middle = median(incomes).quantize(Decimal("0.01"), ROUND_HALF_UP) if incomes else None
    for buyer, row in rows.items():
        own = profiles.get(buyer, {})
        age, income = own.get("age"), own.get("income")
        row |= {
            "country": own.get("country"),
            "gender": own.get("gender", "unknown"),
            "age": age if age is not None else (median(ages) if ages else None),
            "age_imputed": age is None and bool(ages),
            "income": income if income is not None else middle,
            "income_imputed": income is None and bool(incomes),
        }
    return rows


def features_of(buyer: str, seen: list[Line], as_of: date) -> Row:
    own = [n for n in seen if n["customer_id"] == buyer]
    sold = [n for n in own if n["kind"] == "sale"]
    days = sorted({n["purchase_day"] for n in sold})
    gaps = [(b - a).days for a, b in pairwise(days)]
    orders = {(n["source"], n["order_id"]) for n in sold}
    coupons = {(n["source"], n["order_id"]) for n in sold if n["coupon_used"]}
    revenue = sum((n["net_amount"] for n in sold), Decimal())
    refunds = -sum((n["net_amount"] for n in own if n["kind"] == "refund"), Decimal())
    by_category: dict[str, Decimal] = defaultdict(Decimal)
    by_method = defaultdict(set)
    for n in sold:
        by_category[n["product_category"]] += n["net_amount"]
        by_method[n["payment_method"]].add((n["source"], n["order_id"]))
    discounts = sum(n["discount_amount"] for n in sold)
    return {
        "customer_id": buyer,
        "as_of": as_of,
        "first_purchase_day": days[0],
        "last_purchase_day": days[-1],
        "orders": len(orders),
        "lines": len(sold),
        "recency_days": (as_of - days[-1]).days,
        "tenure_days": (as_of - days[0]).days,
        "frequency": len(days) - 1,
        "t_x": (days[-1] - days[0]).days,
        "revenue": revenue,
        "refunds": refunds,
        "net_revenue": revenue - refunds,
        "aov": pytest.approx(float(revenue) / len(orders)),
        "median_gap_days": median(gaps) if gaps else None,
        "coupon_rate": pytest.approx(len(coupons) / len(orders)),
        "discount_rate": pytest.approx(float(discounts / sum(n["purchase_amount"] for n in sold))),
        "refund_rate": pytest.approx(float(refunds / revenue)) if revenue else None,
        "top_category": min(by_category, key=lambda c: (-by_category[c], c)),
        "top_payment_method": min(by_method, key=lambda m: (-len(by_method[m]), m)),
        "active_months": len({(day.year, day.month) for day in days}),
    }


@settings(max_examples=40, deadline=None)
@given(shops())
def test_every_feature_is_what_a_count_line_by_line_gives(shop: tuple[list[Line], date]) -> None:
    lines, as_of = shop
    found, wanted = computed(lines, as_of), expected(lines, as_of)
    assert found.keys() == wanted.keys()
    for customer, row in wanted.items():
        assert row.keys() == set(CUSTOMER_FEATURES.dtypes)
        assert found[customer] == row


def on(day: int) -> date:
    return START + timedelta(days=day)


def test_a_customer_with_one_purchase_day_has_no_gap_and_frequency_zero() -> None:
    row = computed([line(0, order="O1"), line(0, order="O2")], on(7))["C1"]
    assert (row["orders"], row["frequency"], row["median_gap_days"]) == (2, 0, None)
    assert (row["recency_days"], row["tenure_days"], row["t_x"]) == (7, 7, 0)


def test_the_median_gap_counts_distinct_days() -> None:
    lines = [line(d, order=f"O{i}") for i, d in enumerate((0, 0, 2, 12, 13))]
    assert computed(lines, on(13))["C1"]["median_gap_days"] == 2


def test_equal_favourites_are_decided_by_name() -> None:
    lines = [
        line(0, order="O1", category="toys", payment="upi"),
        line(0, order="O2", category="books", payment="paypal"),
    ]
    row = computed(lines, on(0))["C1"]
    assert (row["top_category"], row["top_payment_method"]) == ("books", "paypal")


def test_the_favourite_payment_method_has_the_most_orders_not_the_most_lines() -> None:
    lines = [
        *(line(0, order="O1", line_number=n, payment="upi") for n in (1, 2, 3)),
        line(1, order="O2", payment="paypal"),
        line(2, order="O3", payment="paypal"),
    ]
    assert computed(lines, on(2))["C1"]["top_payment_method"] == "paypal"


def test_missing_ages_and_incomes_are_filled_with_the_median_of_this_table() -> None:
    rows = computed([line(0, c) for c in ("C1", "C2", "C3", "C4")], on(0))
    ages = {c: (r["age"], r["age_imputed"]) for c, r in rows.items()}
    assert ages == {"C1": (30, False), "C2": (35.5, True), "C3": (41, False), "C4": (35.5, True)}
    # The median of 100.00 and 100.01 is 100.005, which is 100.01 in cents.
    assert (rows["C1"]["income"], rows["C1"]["income_imputed"]) == (Decimal("100.01"), True)


def test_without_any_age_nothing_is_filled_in() -> None:
    row = computed([line(0)], on(0), profiles=())["C1"]
    assert (row["age"], row["age_imputed"], row["income"], row["income_imputed"]) == (
        None,
        False,
        None,
        False,
    )
    assert (row["gender"], row["country"]) == ("unknown", None)


def test_the_profile_is_the_current_one() -> None:
    old = {"customer_id": "C1", "country": "Peru", "age": 20, "is_current": False}
    new = {"customer_id": "C1", "country": "Chile", "age": 21}
    row = computed([line(0)], on(0), profiles=(old, new))["C1"]
    assert (row["country"], row["age"]) == ("Chile", 21)


def test_a_customer_with_refunds_or_cancelled_lines_only_has_no_row() -> None:
    lines = [line(0), line(0, "C2", kind="cancelled"), line(0, "C3", amount="-1", kind="refund")]
    assert computed(lines, on(0)).keys() == {"C1"}


def test_all_given_away_is_revenue_zero_and_no_refund_rate() -> None:
    row = computed([line(0, amount="5.00", discount="5.00")], on(0))["C1"]
    assert (row["revenue"], row["aov"], row["discount_rate"]) == (0, 0, 1)
    assert row["refund_rate"] is None


def test_what_was_given_back_before_the_first_sale_counts_too() -> None:
    row = computed([line(0, amount="-4.00", kind="refund"), line(5)], on(5))["C1"]
    assert (row["refunds"], row["net_revenue"], row["refund_rate"]) == (4, 6, 0.4)


def test_without_sales_there_are_no_customers() -> None:
    assert computed([], on(0)) == {}
