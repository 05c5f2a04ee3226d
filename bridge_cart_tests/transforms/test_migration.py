"""Who moved between segments in a month, against looking up everybody at every month's end.

The oracle knows no intervals: for each month end and customer it searches the history for the row
that holds the day, and the day a month before.
"""

from calendar import monthrange
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import zip_longest
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.tables.gold import CUSTOMER_HISTORY, SEGMENT_MIGRATION
from bridge_cart_assets.transforms.migration import segment_migration

Row = dict[str, Any]
Move = tuple[date, int, int, int, int, int]


def state(
    since: str | date, segment: int, lifecycle: str = "active", customer: str = "C1"
) -> tuple[str, date, int, str]:
    first = since if isinstance(since, date) else date.fromisoformat(since)
    return customer, first, segment, lifecycle


def history(states: Iterable[tuple[str, date, int, str]]) -> pl.DataFrame:
    """Rows of gold/customer_history from the first day of each state."""
    ordered = sorted(states)
    rows = [
        {
            "customer_id": customer,
            "segment_id": segment,
            "segment_name": f"S{segment}",
            "lifecycle": lifecycle,
            "valid_from": first,
            "valid_to": later[1] if later and later[0] == customer else None,
            "is_current": not (later and later[0] == customer),
            "change_reason": "segment_changed",
        }
        for (customer, first, segment, lifecycle), later in zip_longest(ordered, ordered[1:])
    ]
    return CUSTOMER_HISTORY.conform(pl.DataFrame(rows, schema=CUSTOMER_HISTORY.dtypes))


def moves(states: Iterable[tuple[str, date, int, str]], as_of: str) -> list[Move]:
    rows = segment_migration(history(states).lazy(), date.fromisoformat(as_of))
    return SEGMENT_MIGRATION.conform(rows).rows()


def test_a_customer_comes_from_nowhere_in_the_first_month_and_moves_in_the_next() -> None:
    states = [state("2024-01-10", 1, "new"), state("2024-02-03", 2)]
    assert moves(states, "2024-02-29") == [
        (date(2024, 1, 31), 0, 1, 1, 0, 0),
        (date(2024, 2, 29), 1, 2, 1, 0, 0),
    ]


def test_who_stays_is_counted_in_every_month_over_the_turn_of_the_year() -> None:
    assert moves([state("2023-11-30", 3)], "2024-02-28") == [
        (date(2023, 11, 30), 0, 3, 1, 0, 0),
        (date(2023, 12, 31), 3, 3, 1, 0, 0),
        (date(2024, 1, 31), 3, 3, 1, 0, 0),
    ]


def test_a_month_has_rows_from_its_last_day_on() -> None:
    assert moves([state("2024-01-01", 1)], "2024-01-30") == []
    assert moves([state("2024-01-01", 1)], "2024-01-31") == [(date(2024, 1, 31), 0, 1, 1, 0, 0)]


def test_what_happened_between_two_month_ends_and_was_undone_is_no_move() -> None:
    there_and_back = [
        state("2024-01-05", 1),
        state("2024-02-02", 2, "lapsed"),
        state("2024-02-20", 1),
    ]
    assert moves(there_and_back, "2024-02-29")[-1] == (date(2024, 2, 29), 1, 1, 1, 0, 0)


def test_a_state_of_the_last_day_counts_and_one_that_begins_on_the_first_does_not() -> None:
    on_the_last = [state("2024-01-05", 1), state("2024-01-31", 2)]
    on_the_first = [state("2024-01-05", 1), state("2024-02-01", 2)]
    assert moves(on_the_last, "2024-01-31") == [(date(2024, 1, 31), 0, 2, 1, 0, 0)]
    assert moves(on_the_first, "2024-01-31") == [(date(2024, 1, 31), 0, 1, 1, 0, 0)]


def test_lost_are_those_who_lapsed_in_the_month_and_won_back_those_who_returned() -> None:
    states = [
        state("2024-01-05", 1),
        state("2024-04-04", 1, "lapsed"),
        state("2024-06-15", 1),
    ]
    counts = {
        end.month: (customers, lost, back)
        for end, _, _, customers, lost, back in moves(states, "2024-07-31")
    }
    assert counts == {
        1: (1, 0, 0),
        2: (1, 0, 0),
        3: (1, 0, 0),
        4: (1, 1, 0),
        5: (1, 0, 0),
        6: (1, 0, 1),
        7: (1, 0, 0),
    }


def test_customers_of_the_same_pair_are_one_row() -> None:
    states = [
        state("2024-01-05", 1),
        state("2024-02-05", 2, "lapsed"),
        state("2024-01-09", 1, customer="C2"),
        state("2024-02-06", 2, customer="C2"),
        state("2024-02-07", 2, customer="C3"),
    ]
    assert moves(states, "2024-02-29")[1:] == [
        (date(2024, 2, 29), 0, 2, 1, 0, 0),
        (date(2024, 2, 29), 1, 2, 2, 1, 0),
    ]


def test_without_customers_there_are_no_moves() -> None:
    assert moves([], "2024-02-29") == []


def month_ends(first: date, as_of: date) -> list[date]:
    days = [first + timedelta(days=n) for n in range((as_of - first).days + 1)]
    return [day for day in days if day.day == monthrange(day.year, day.month)[1]]


def held(rows: list[Row], customer: str, day: date) -> Row | None:
    """The row of the history that holds a day."""
    return next(
        (
            row
            for row in rows
            if row["customer_id"] == customer
            and row["valid_from"] <= day
            and (row["valid_to"] is None or day < row["valid_to"])
        ),
        None,
    )


def expected(states: pl.DataFrame, as_of: date) -> list[Move]:
    rows = states.to_dicts()
    customers, lost, back = Counter[Any](), Counter[Any](), Counter[Any]()
    for end in month_ends(min(row["valid_from"] for row in rows), as_of):
        for customer in {row["customer_id"] for row in rows}:
            now = held(rows, customer, end)
            then = held(rows, customer, end.replace(day=1) - timedelta(days=1))
            if now is None:
                continue
            pair = (end, then["segment_id"] if then else 0, now["segment_id"])
            is_lapsed = now["lifecycle"] == "lapsed"
            was_lapsed = then is not None and then["lifecycle"] == "lapsed"
            customers[pair] += 1
            lost[pair] += is_lapsed and not was_lapsed
            back[pair] += was_lapsed and not is_lapsed
    return [(*pair, customers[pair], lost[pair], back[pair]) for pair in sorted(customers)]


@st.composite
def histories(draw: st.DrawFn) -> tuple[pl.DataFrame, date]:
    """A few customers' states, and a day that is not before the last of them begins."""
    first = date(2023, draw(st.integers(1, 12)), draw(st.integers(1, 28)))
    steps = st.sampled_from([1, 2, 9, 27, 28, 29, 30, 31, 60, 61, 95, 200])
    states = []
    for number in range(draw(st.integers(1, 4))):
        day = first + timedelta(days=draw(st.integers(0, 70)))
        for _ in range(draw(st.integers(1, 6))):
            lifecycle = draw(st.sampled_from(["new", "active", "lapsed"]))
            states.append(state(day, draw(st.integers(1, 3)), lifecycle, f"C{number}"))
            day += timedelta(days=draw(steps))
    latest = max(since for _, since, _, _ in states)
    return history(states), latest + timedelta(days=draw(st.sampled_from([0, 1, 30, 31, 120])))


@settings(max_examples=60, deadline=None)
@given(histories())
def test_every_month_is_what_looking_up_everybody_at_its_end_gives(
    drawn: tuple[pl.DataFrame, date],
) -> None:
    states, as_of = drawn
    rows = SEGMENT_MIGRATION.conform(segment_migration(states.lazy(), as_of))
    assert rows.rows() == expected(states, as_of)


@settings(max_examples=30, deadline=None)
@given(histories())
def test_who_leaves_or_stays_adds_up_to_who_was_there_a_month_before(
    drawn: tuple[pl.DataFrame, date],
) -> None:
    states, as_of = drawn
    rows = segment_migration(states.lazy(), as_of)
    arrived = rows.group_by("period_end", segment="to_segment_id").agg(pl.sum("customers"))
    left = rows.filter(pl.col("from_segment_id") > 0).group_by(
        pl.col("period_end").dt.month_start().dt.offset_by("-1d"), segment="from_segment_id"
    )
    followed = left.agg(pl.sum("customers"))
    earlier = arrived.filter(pl.col("period_end") < pl.max("period_end"))
    assert sorted(followed.rows()) == sorted(earlier.rows())
