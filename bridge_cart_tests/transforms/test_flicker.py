"""Who left a segment and was back within a month, counted from the history."""

from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.tables.gold import CUSTOMER_HISTORY
from bridge_cart_assets.transforms.flicker import flickering

AS_OF = date(2024, 6, 30)
Moves = list[tuple[int, int]]  # segment, days before AS_OF from which on


def states(*people: Moves) -> pl.LazyFrame:
    """Rows of gold/customer_history; a state that repeats the segment has another lifecycle."""
    rows = []
    for n, moves in enumerate(people, 1):
        ordered = sorted(moves, key=lambda move: -move[1])
        ends = [AS_OF - timedelta(days=ago) for _, ago in ordered[1:]] + [None]
        before = None
        for (segment, ago), end in zip(ordered, ends, strict=True):
            reason = "lifecycle_changed" if segment == before else "segment_changed"
            rows.append(
                {
                    "customer_id": f"C{n}",
                    "segment_id": segment,
                    "valid_from": AS_OF - timedelta(days=ago),
                    "valid_to": end,
                    "is_current": end is None,
                    "change_reason": "first_seen" if before is None else reason,
                }
            )
            before = segment
    return pl.LazyFrame(rows, schema=CUSTOMER_HISTORY.dtypes)


@pytest.mark.parametrize(
    ("moves", "counts"),
    [
        ([(1, 100), (2, 40), (1, 10)], True),  # back after 30 days
        ([(1, 100), (2, 41), (1, 10)], False),  # after 31
        ([(1, 100), (2, 50), (3, 40), (1, 30)], False),  # by way of another segment
        ([(1, 100), (2, 40)], False),
        ([(1, 300), (2, 115), (1, 89)], True),  # back within the 90 days, gone before them
        ([(1, 300), (2, 115), (1, 90)], False),  # a day earlier
        ([(1, 100), (2, 40), (2, 30), (1, 20)], True),  # another lifecycle meanwhile is no move
        ([(1, 400), (2, 20), (1, 10), (2, 5)], True),  # counted once
    ],
)
def test_who_is_back_soon_is_counted(moves: Moves, counts: bool) -> None:
    found = flickering(states([(1, 200)], moves), AS_OF)
    assert found["customer_id"].to_list() == (["C2"] if counts else [])


def by_hand(moves: Moves) -> bool:
    runs: Moves = []
    for segment, ago in sorted(moves, key=lambda move: -move[1]):
        if not runs or runs[-1][0] != segment:
            runs.append((segment, ago))
    return any(
        one == back and gone - again <= 30 and again < 90
        for ((one, _), (_, gone)), (back, again) in zip(pairwise(runs), runs[2:], strict=False)
    )


_MOVES = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 200)),
    min_size=1,
    max_size=8,
    unique_by=lambda m: m[1],
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_MOVES, min_size=1, max_size=3))
def test_in_any_history_they_are_those_who_are_found_one_by_one(people: list[Moves]) -> None:
    expected = {f"C{n}" for n, moves in enumerate(people, 1) if by_hand(moves)}
    assert set(flickering(states(*people), AS_OF)["customer_id"]) == expected
