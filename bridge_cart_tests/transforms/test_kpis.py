"""The KPIs of every day against the contract's formulas, written out day by day and pair by pair.

The oracle shares nothing with the transform: loops, sets, Decimal and Fraction over the lines,
counted afresh for every calendar day.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

from bridge_cart_assets.tables.gold import KPIS_DAILY
from bridge_cart_assets.transforms.concentration import concentration_daily
from bridge_cart_assets.transforms.features import of_customers
from bridge_cart_assets.transforms.kpi_moves import kpi_moves
from bridge_cart_assets.transforms.kpis import kpis_from
from bridge_cart_tests.faults.extent import EXAMPLES
from bridge_cart_tests.transforms.shops import START, Line, line, purchases, shops

Row = dict[str, Any]


def kpis_daily(lines: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """The KPIs of whole lines, as they are made from nothing."""
    summed, ranked = kpi_moves(lines, as_of), concentration_daily(of_customers(lines), as_of)
    return kpis_from(summed.lazy(), ranked.lazy(), as_of)


def computed(lines: Iterable[Line], as_of: date) -> dict[date, Row]:
    """The transform's rows by day."""
    frame = KPIS_DAILY.conform(kpis_daily(purchases(lines), as_of))
    assert frame["day"].is_sorted()
    return {row["day"]: row for row in frame.iter_rows(named=True)}


def on(day: int) -> date:
    return START + timedelta(days=day)


def expected(lines: list[Line], as_of: date) -> dict[date, Row]:
    """The contract's formulas for every day from the first sale to as_of."""
    everybody = [one for one in lines if one["purchase_day"] <= as_of]
    seen = [one for one in everybody if one["customer_id"] is not None]
    nobody = [one for one in everybody if one["customer_id"] is None]
    sold = [one for one in seen if one["kind"] == "sale"]
    given_back = [one for one in seen if one["kind"] == "refund"]
    firsts = first_order_of_each_customer(sold)
    day = min(one["purchase_day"] for one in everybody if one["kind"] == "sale")
    rows: dict[date, Row] = {}
    # The figures follow from the lines in the windows: on most days they are those of the day
    # before, which need not be counted again.
    counted: dict[object, Row] = {}
    while day <= as_of:
        windows = [
            between(sold, day, 0, 1),
            between(sold, day, 0, 90),
            between(sold, day, 90, 180),
            [one for one in sold if one["purchase_day"] <= day],
            between(given_back, day, 0, 1),
            between(given_back, day, 0, 90),
        ]
        same = tuple(tuple(one["line_number"] for one in window) for window in windows)
        if same not in counted:
            counted[same] = kpis_of(day, *windows, first_orders=firsts)
        anonymous = anonymous_kpis(between(nobody, day, 0, 1))
        without_sale = [
            one
            for one in between(given_back, day, 0, 1)
            if one["customer_id"] not in {sale["customer_id"] for sale in sold}
        ]
        anonymous["refunds_without_sale"] = -total(without_sale, "net_amount")
        everything = counted[same]["revenue"] + anonymous["anonymous_revenue"]
        rows[day] = counted[same] | anonymous | {"day": day, "revenue_all": everything}
        day += timedelta(days=1)
    return rows


def anonymous_kpis(today: list[Line]) -> Row:
    sold = [one for one in today if one["kind"] == "sale"]
    back = [one for one in today if one["kind"] == "refund"]
    return {
        "anonymous_orders": len(orders(sold)),
        "anonymous_revenue": total(sold, "net_amount"),
        "anonymous_refunds": -total(back, "net_amount"),
    }


def between(lines: list[Line], day: date, nearer: int, farther: int) -> list[Line]:
    """The lines of the days (day - farther, day - nearer]."""
    first, last = day - timedelta(days=farther), day - timedelta(days=nearer)
    return [one for one in lines if first < one["purchase_day"] <= last]


def first_order_of_each_customer(sold: list[Line]) -> set[tuple[str, str, str]]:
    placed: dict[tuple[str, str, str], Any] = {}
    for one in sold:
        key = (one["customer_id"], one["source"], one["order_id"])
        placed[key] = min(placed.get(key, one["purchase_date"]), one["purchase_date"])
    firsts: dict[str, tuple[Any, str, str]] = {}
    for (customer, source, order), at in placed.items():
        best = firsts.get(customer, (at, source, order))
        firsts[customer] = min(best, (at, source, order))
    return {(customer, source, order) for customer, (_, source, order) in firsts.items()}


def kpis_of(
    day: date,
    today: list[Line],
    w: list[Line],
    v: list[Line],
    so_far: list[Line],
    back_today: list[Line],
    back_90d: list[Line],
    *,
    first_orders: set[tuple[str, str, str]],
) -> Row:
    new = [
        one for one in today if (one["customer_id"], one["source"], one["order_id"]) in first_orders
    ]
    returning = [one for one in today if one not in new]
    earlier = {one["customer_id"] for one in so_far if one["purchase_day"] < day}
    orders_of = defaultdict(set)
    revenue_of: dict[str, Decimal] = defaultdict(Decimal)
    for one in so_far:
        orders_of[one["customer_id"]].add((one["source"], one["order_id"]))
        revenue_of[one["customer_id"]] += one["net_amount"]
    repeat = sum(1 for orders in orders_of.values() if len(orders) >= 2)

    base = who(v)
    churned = {customer for customer in base if customer not in who(w)}
    retained = {customer for customer in base if customer in who(w)}
    stayed = total([one for one in w if one["customer_id"] in base], "net_amount")
    with_coupon = orders([one for one in w if one["coupon_used"]])
    best = sorted(revenue_of.values(), reverse=True)[: ceil(len(revenue_of) / 10)]
    aov_90d = rate(total(w, "net_amount"), len(orders(w)))
    frequency_90d = rate(len(orders(w)), len(who(w)))
    revenue = total(today, "net_amount")
    refunds, refunds_90d = -total(back_today, "net_amount"), -total(back_90d, "net_amount")
    return {
        "day": day,
        "orders": len(orders(today)),
        "lines": len(today),
        "active_customers": len(who(today)),
        "new_customers": len(who(today) - earlier),
        "revenue": revenue,
        "discounts": total(today, "discount_amount"),
        "refunds": refunds,
        "net_revenue": revenue - refunds,
        "aov": rate(revenue, len(orders(today))),
        "revenue_new": total(new, "net_amount"),
        "revenue_returning": total(returning, "net_amount"),
        "customers_total": len(who(so_far)),
        "repeat_customers": repeat,
        "repeat_purchase_rate": rate(repeat, len(who(so_far))),
        "churn_base_90d": len(base),
        "churned_90d": len(churned),
        "churn_rate_90d": rate(len(churned), len(base)),
        "retained_90d": len(retained),
        "retention_rate_90d": rate(len(retained), len(base)),
        "base_revenue_90d": total(v, "net_amount"),
        "retained_revenue_90d": stayed,
        "nrr_90d": rate(stayed, total(v, "net_amount")),
        "revenue_90d": total(w, "net_amount"),
        "orders_90d": len(orders(w)),
        "active_90d": len(who(w)),
        "aov_90d": aov_90d,
        "purchase_frequency_90d": frequency_90d,
        "arpc_90d": None if aov_90d is None else aov_90d * (frequency_90d or 0),
        "coupon_orders_90d": len(with_coupon),
        "coupon_rate_90d": rate(len(with_coupon), len(orders(w))),
        "discounts_90d": total(w, "discount_amount"),
        "purchase_amount_90d": total(w, "purchase_amount"),
        "discount_rate_90d": rate(total(w, "discount_amount"), total(w, "purchase_amount")),
        "refunds_90d": refunds_90d,
        "refund_rate_90d": rate(refunds_90d, total(w, "net_amount")),
        "revenue_total": total(so_far, "net_amount"),
        "top_decile_revenue": sum(best, Decimal()),
        "top_decile_share": rate(sum(best, Decimal()), total(so_far, "net_amount")),
        "gini": gini(list(revenue_of.values())),
    }


def total(lines: Iterable[Line], column: str) -> Decimal:
    return sum((one[column] for one in lines), Decimal("0.00"))


def who(lines: Iterable[Line]) -> set[str]:
    return {one["customer_id"] for one in lines}


def orders(lines: Iterable[Line]) -> set[tuple[str, str]]:
    return {(one["source"], one["order_id"]) for one in lines}


def rate(numerator: Decimal | int, denominator: Decimal | int) -> Fraction | None:
    return Fraction(numerator) / Fraction(denominator) if denominator else None


def gini(values: list[Decimal]) -> Fraction | None:
    """Half the relative mean absolute difference, over all pairs (the definition)."""
    pairs = sum(abs(Fraction(a) - Fraction(b)) for a in values for b in values)
    mean_total = 2 * len(values) * Fraction(sum(values))
    return pairs / mean_total if mean_total else None


def assert_same(found: dict[date, Row], wanted: dict[date, Row]) -> None:
    assert found.keys() == wanted.keys()
    for day, row in wanted.items():
        assert row.keys() == set(KPIS_DAILY.dtypes)
        for name, value in row.items():
            if isinstance(value, Fraction):
                assert found[day][name] == pytest.approx(float(value), rel=1e-12, abs=1e-12), (
                    day,
                    name,
                )
            else:
                assert found[day][name] == value, (day, name)


@settings(max_examples=EXAMPLES or 15, deadline=None)
@given(shops(with_anonymous=True))
def test_every_kpi_of_every_day_is_what_the_formulas_say(shop: tuple[list[Line], date]) -> None:
    lines, as_of = shop
    assert_same(computed(lines, as_of), expected(lines, as_of))


def test_a_pause_of_a_hundred_days_counts_as_churned_until_the_customer_is_back() -> None:
    days = computed([line(0), line(100)], on(200))
    figures = [(days[on(d)]["churn_base_90d"], days[on(d)]["churned_90d"]) for d in (89, 90, 99)]
    assert figures == [(0, 0), (1, 1), (1, 1)]
    back = days[on(100)]
    assert (back["churn_base_90d"], back["churned_90d"], back["retained_90d"]) == (1, 0, 1)
    assert days[on(179)]["churn_base_90d"] == 1
    assert days[on(180)]["churn_base_90d"] == 0
    assert days[on(190)]["churned_90d"] == 1


def test_a_customer_away_for_more_than_half_a_year_is_in_no_churn_base_in_between() -> None:
    days = computed([line(0), line(200)], on(200))
    assert days[on(179)]["churn_base_90d"] == 1
    assert days[on(180)]["churn_base_90d"] == 0
    assert days[on(200)]["churn_base_90d"] == 0
    assert days[on(200)]["churn_rate_90d"] is None


def test_net_revenue_retention_counts_only_those_who_were_there_before() -> None:
    lines = [line(0, "C1", amount="100.00"), line(95, "C1", amount="150.00"), line(95, "C2")]
    row = computed(lines, on(95))[on(95)]
    assert row["base_revenue_90d"] == Decimal("100.00")
    assert row["retained_revenue_90d"] == Decimal("150.00")
    assert row["nrr_90d"] == 1.5


def test_a_first_order_over_two_days_is_new_revenue_on_both() -> None:
    lines = [line(0, order="O1"), line(1, order="O1", line_number=2), line(1, order="O2")]
    days = computed(lines, on(1))
    assert (days[on(1)]["revenue_new"], days[on(1)]["revenue_returning"]) == (10, 10)
    assert (days[on(1)]["new_customers"], days[on(1)]["repeat_customers"]) == (0, 1)


def test_of_orders_placed_at_one_moment_the_first_by_source_and_id_is_the_first() -> None:
    lines = [
        line(0, order="A", source="purchases", amount="1.00"),
        line(0, order="C", source="online_retail", amount="2.00"),
        line(0, order="B", source="online_retail", amount="4.00"),
    ]
    row = computed(lines, on(0))[on(0)]
    assert (row["revenue_new"], row["revenue_returning"]) == (4, 3)


def test_a_day_without_sales_has_null_rates_and_zero_sums() -> None:
    row = computed([line(0), line(1, amount="-4.00", kind="refund")], on(100))[on(1)]
    assert (row["revenue"], row["refunds"], row["net_revenue"]) == (0, 4, -4)
    assert (row["orders"], row["aov"]) == (0, None)
    empty = computed([line(0)], on(100))[on(100)]
    assert empty["orders_90d"] == 0
    for rate_of_nothing in ("aov_90d", "purchase_frequency_90d", "arpc_90d", "coupon_rate_90d"):
        assert empty[rate_of_nothing] is None


@pytest.mark.parametrize("kind", ["cancelled", "pending", "free"])
def test_what_is_undone_not_paid_or_free_counts_nowhere(kind: str) -> None:
    others = [line(0, customer, f"O-{customer}", kind=kind) for customer in ("C2", None)]
    assert computed([line(0), *others], on(0)) == computed([line(0)], on(0))


def test_lines_without_a_customer_have_columns_of_their_own() -> None:
    nobodys = [
        line(0, None, "Y1", amount="20.00"),
        line(0, None, "Y1", amount="5.00", line_number=2),
        line(0, None, "Y2", amount="-3.00", kind="refund"),
    ]
    row = computed([line(0, amount="30.00"), *nobodys], on(0))[on(0)]
    assert (row["orders"], row["revenue"], row["refunds"]) == (1, 30, 0)
    assert (row["anonymous_orders"], row["anonymous_revenue"]) == (1, 25)
    assert (row["anonymous_refunds"], row["revenue_all"]) == (3, 55)
    assert row.keys() == computed([line(0)], on(0))[on(0)].keys()


def test_an_anonymous_sale_may_be_the_first() -> None:
    days = computed([line(0, None), line(2)], on(2))
    assert list(days) == [on(0), on(1), on(2)]
    first = days[on(0)]
    assert (first["revenue_all"], first["revenue"], first["customers_total"]) == (10, 0, 0)
    assert (first["revenue_total"], first["top_decile_share"], first["gini"]) == (0, None, None)


def test_refunds_before_the_first_sale_count_in_its_window() -> None:
    row = computed([line(0, amount="-4.00", kind="refund"), line(5)], on(5))
    assert row.keys() == {on(5)}
    assert row[on(5)]["refunds"] == 0
    assert row[on(5)]["refunds_90d"] == 4


def test_lines_dated_after_as_of_are_not_seen_yet() -> None:
    assert computed([line(0), line(3)], on(2)) == computed([line(0)], on(2))


def test_without_a_sale_up_to_as_of_there_is_no_day() -> None:
    assert computed([], on(0)) == {}
    assert computed([line(1)], on(0)) == {}
    assert computed([line(0, amount="-1.00", kind="refund")], on(0)) == {}


@pytest.mark.parametrize(
    ("revenues", "gini_of", "share"),
    [
        # Four equal customers, all with one customer, and 1..10 (textbook: 1/2 * 0.6 = 0.3).
        ([5, 5, 5, 5], 0.0, 0.25),
        ([7], 0.0, 1.0),
        (list(range(1, 11)), 0.3, 10 / 55),
        # Eleven customers: the best tenth are two of them.
        ([*([1] * 9), 10, 20], 262 / 429, 30 / 39),
    ],
)
def test_concentration_on_known_distributions(
    revenues: list[int], gini_of: float, share: float
) -> None:
    lines = [line(0, f"C{i}", amount=Decimal(cents)) for i, cents in enumerate(revenues)]
    row = computed(lines, on(0))[on(0)]
    assert row["gini"] == pytest.approx(gini_of, abs=1e-12)
    assert row["top_decile_share"] == pytest.approx(share)


def test_the_order_of_the_lines_does_not_matter() -> None:
    lines = [line(d, f"C{d % 3}", coupon=d % 2 == 0, hour=d % 24) for d in range(0, 300, 17)]
    assert computed(lines, on(300)) == computed(lines[::-1], on(300))


def test_amounts_are_money() -> None:
    frame = kpis_daily(purchases([line(0, amount="0.10"), line(0, "C2", amount="0.20")]), on(0))
    money = [name for name, dtype in frame.schema.items() if dtype == pl.Decimal(18, 2)]
    assert {"revenue", "revenue_90d", "revenue_total", "refunds"} <= set(money)
    assert frame["revenue"].item() == Decimal("0.30")
