"""Running sums over intervals, against asking every interval on every day."""

from datetime import date, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.transforms.windows import (
    activity_intervals,
    calendar,
    merge_adjacent,
    moves,
    shift_intervals,
    standing,
)
from bridge_cart_tests.transforms.shops import START

DAYS = st.integers(0, 25)


def on(day: int) -> date:
    return START + timedelta(days=day)


def intervals(*rows: tuple[int, int, int]) -> pl.LazyFrame:
    """Intervals [start, end) with a weight."""
    frame = [(on(start), on(end), weight) for start, end, weight in rows]
    return pl.LazyFrame(
        frame, schema={"start": pl.Date, "end": pl.Date, "weight": pl.Int64}, orient="row"
    )


def active(*rows: tuple[str, int]) -> pl.LazyFrame:
    days = [(who, on(day)) for who, day in rows]
    return pl.LazyFrame(days, schema={"who": pl.String, "day": pl.Date}, orient="row")


def test_the_calendar_has_every_day_with_both_ends() -> None:
    days = calendar(date(2024, 2, 27), date(2024, 3, 1))["day"]
    assert [day.isoformat() for day in days] == [
        "2024-02-27",
        "2024-02-28",
        "2024-02-29",
        "2024-03-01",
    ]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(DAYS, st.integers(1, 9), st.integers(-5, 5)), max_size=8))
def test_the_sum_on_a_day_is_that_of_the_spells_that_hold_on_it(
    drawn: list[tuple[int, int, int]],
) -> None:
    found = [(start, start + length, weight) for start, length, weight in drawn]
    sums = standing(calendar(on(5), on(20)), moves(intervals(*found), "weight"), "weight")
    assert sums["weight"].to_list() == [
        sum(weight for start, end, weight in found if start <= day < end) for day in range(5, 21)
    ]


@settings(max_examples=50, deadline=None)
@given(st.sets(st.tuples(st.sampled_from("ab"), DAYS), max_size=8), st.integers(1, 9))
def test_presence_lasts_for_the_window_after_each_active_day_and_never_counts_twice(
    days: set[tuple[str, int]], window: int
) -> None:
    spent = activity_intervals(active(*days), ("who",), window)
    sums = standing(
        calendar(on(0), on(40)), moves(spent.select("start", "end", "one"), "one"), "one"
    )
    assert sums["one"].to_list() == [
        len({who for who, day in days if today - window < day <= today}) for today in range(41)
    ]


def test_delayed_spells_begin_and_end_so_many_days_later() -> None:
    assert shift_intervals(intervals((0, 3, 1)), 90).collect().row(0) == (on(90), on(93), 1)


def test_spells_that_touch_become_one_and_those_with_a_gap_do_not() -> None:
    frame = intervals((0, 3, 1), (3, 5, 1), (6, 8, 1), (5, 6, 2)).with_columns(
        who=pl.col("weight").cast(pl.String)
    )
    rows = merge_adjacent(frame, "who").collect().sort("who", "start").rows()
    assert rows == [("1", on(0), on(5)), ("1", on(6), on(8)), ("2", on(5), on(6))]
