"""What the figures say in words."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest

from bridge_cart_assets.reports.overview.queries import KpiDay, RevenueWeek, SegmentGrowth
from bridge_cart_assets.reports.overview.sentences import churn_headline, what_changed
from bridge_cart_assets.reports.segments.queries import Week

LAST = date(2024, 5, 28)
FIRST = LAST - timedelta(days=365)


def days(*churn: float | None) -> list[KpiDay]:
    """Days up to LAST with these churn rates."""
    return [
        KpiDay(LAST - timedelta(days=len(churn) - 1 - i), 10, Decimal(1), 1.0, rate, 0.5)
        for i, rate in enumerate(churn)
    ]


def week(back: int, revenue: str, new_customers: int = 5) -> RevenueWeek:
    return RevenueWeek(
        LAST - timedelta(weeks=back), Decimal(1), Decimal(revenue) - 1, new_customers
    )


def growth(*sizes: tuple[int, int | None]) -> list[SegmentGrowth]:
    return [SegmentGrowth(i, f"S{i}", now, then) for i, (now, then) in enumerate(sizes, 1)]


EIGHT = days(0.4, *[0.5] * 6, 0.4312)


def test_revenue_churn_and_the_segment_that_moved_most_are_named() -> None:
    assert what_changed(
        EIGHT, [week(1, "1000"), week(0, "1234.5")], growth((100, 90), (1450, 1500)), FIRST
    ) == [
        "The last seven days brought 1.23k in revenue, 23.5% more than the seven before (1k).",
        "Churn rose by 3.1 points to 43.1%.",
        "S2 lost most: 50 customers, now 1\u202f450.",
    ]


def test_new_customers_fill_in_where_something_else_did_not_change() -> None:
    assert what_changed(
        EIGHT, [week(1, "1000", 12), week(0, "1000", 1)], growth((101, 100), (7, 7)), FIRST
    ) == [
        "Churn rose by 3.1 points to 43.1%.",
        "S1 gained most: 1 customer, now 101.",
        "1 customer bought for the first time, 11 fewer than the week before.",
    ]


def test_a_fall_is_called_a_fall() -> None:
    sentences = what_changed(
        days(0.5, *[0.5] * 6, 0.4), [week(1, "1000", 3), week(0, "900", 4)], [], FIRST
    )
    assert sentences == [
        "The last seven days brought 900 in revenue, 10.0% less than the seven before (1k).",
        "Churn fell by 10.0 points to 40.0%.",
        "4 customers bought for the first time, 1 more than the week before.",
    ]


def test_without_the_day_a_week_before_there_is_no_sentence() -> None:
    full = [week(1, "1000"), week(0, "2000")]
    assert what_changed([], full, growth((1, 2), (2, 1)), FIRST) == []
    assert what_changed(days(*[0.1] * 7), full, growth((1, 2), (2, 1)), FIRST) == []


def test_revenue_is_not_compared_with_a_week_that_is_not_full_or_empty() -> None:
    assert what_changed(days(*[0.4] * 8), [week(0, "1000")], [], FIRST) == []
    empty = RevenueWeek(LAST - timedelta(weeks=1), Decimal(0), Decimal(0), 5)
    assert what_changed(days(*[0.4] * 8), [empty, week(0, "1000")], [], FIRST) == []


@pytest.mark.parametrize("before", [None, 0.43115])
def test_churn_is_left_out_when_unknown_or_unchanged(before: float | None) -> None:
    assert what_changed(days(before, *[0.5] * 6, 0.4312), [], [], FIRST) == []


@pytest.mark.parametrize(("age", "is_said"), [(185, False), (186, True)])
def test_churn_is_compared_where_both_windows_are_full(age: int, is_said: bool) -> None:
    """Of customers active from 180 to 90 days before, a week ago too."""
    first = LAST - timedelta(days=age)
    said = what_changed(days(0.2, *[0.5] * 6, 0.4), [], [], first)
    assert said == (["Churn rose by 20.0 points to 40.0%."] if is_said else [])


def test_a_new_segment_did_not_gain() -> None:
    assert what_changed(days(*[0.4] * 8), [], growth((100, None), (50, 50)), FIRST) == []


def segment_week(day: date, name: str, churn_rate: float | None) -> Week:
    return Week(day, ord(name), name, 100, churn_rate, None, None, None)


def points(**lines: Sequence[float | None]) -> list[Week]:
    """Weekly lines that end on LAST."""
    return [
        segment_week(LAST - timedelta(weeks=len(line) - 1 - i), name, rate)
        for name, line in lines.items()
        for i, rate in enumerate(line)
    ]


DOWN, UP, LEVEL = [0.5, 0.5, 0.5, 0.5, 0.4], [0.3, 0.2, 0.2, 0.2, 0.4], [0.4, 0, 0, 0, 0.4002]


@pytest.mark.parametrize(
    ("lines", "headline"),
    [
        ({"A": DOWN, "B": DOWN}, "Churn fell in every segment"),
        ({"A": UP, "B": UP, "C": UP}, "Churn rose in every segment"),
        ({"A": DOWN, "B": DOWN, "C": UP}, "Churn fell in every segment but C"),
        ({"A": UP, "B": LEVEL, "C": UP}, "Churn rose in every segment but B"),
        ({"A": UP, "B": DOWN}, "Churn rose in A and fell in B"),
        ({"A": UP, "B": UP, "C": UP, "D": DOWN, "E": DOWN}, "Churn rose in 3 of 5 segments"),
        ({"A": UP, "B": DOWN, "C": LEVEL}, "Churn by segment"),
        ({"A": LEVEL, "B": LEVEL}, "Churn by segment"),
        ({"A": DOWN}, "Churn by segment"),
        ({"A": DOWN[1:], "B": DOWN[1:]}, "Churn by segment"),
        ({"A": DOWN, "B": DOWN, "C": [0.1]}, "Churn by segment"),
        ({"A": DOWN, "B": DOWN, "C": [None, None, None, None, None]}, "Churn by segment"),
    ],
)
def test_the_headline_says_what_all_lines_did(
    lines: dict[str, list[float | None]], headline: str
) -> None:
    assert churn_headline(points(**lines), LAST) == headline


def test_a_line_that_ended_does_not_count() -> None:
    ended = [
        segment_week(LAST - timedelta(weeks=back), "Z", 0.1 * back) for back in range(8, 2, -1)
    ]
    assert churn_headline([*ended, *points(A=UP, B=UP)], LAST) == "Churn rose in every segment"
