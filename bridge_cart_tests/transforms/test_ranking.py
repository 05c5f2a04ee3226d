"""Sums over ranks follow what is taken out and put in, as if they were counted afresh."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_cart_assets.transforms.ranking import Ranking

# Few different values, so that many are equal; and some for which 64 bits are not enough.
values = st.integers(0, 9) | st.integers(0, 10**15)
changes = st.lists(st.tuples(st.integers(0, 10**6), values), max_size=6)


def counted(those: list[int]) -> tuple[int, int, int, list[int]]:
    """Size, sum, sum of the differences of all pairs, and the sums of the largest."""
    pairs = sum(abs(a - b) for a, b in combinations(those, 2))
    ordered = sorted(those, reverse=True)
    return len(those), sum(those), pairs, [sum(ordered[:n]) for n in range(len(those) + 2)]


def said(ranking: Ranking) -> tuple[int, int, int, list[int]]:
    largest = [ranking.sum_of_largest(n) for n in range(ranking.size + 2)]
    return ranking.size, ranking.total, ranking.differences, largest


@given(st.lists(values, max_size=60), st.lists(st.tuples(changes, changes), max_size=6))
def test_a_ranking_that_follows_is_the_ranking_of_what_is_left(
    at_first: list[int], steps: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]]
) -> None:
    ranking, left = Ranking(np.array(at_first, dtype=np.int64)), list(at_first)
    assert said(ranking) == counted(left)
    for goes, comes in steps:
        gone = [left.pop(place % len(left)) for place, _ in goes if left]
        come = [value for _, value in comes]
        left += come
        ranking.replace(np.array(gone, dtype=np.int64), np.array(come, dtype=np.int64))
        assert said(ranking) == counted(left)


@pytest.mark.parametrize("largest", [2**31, 2**50, 10**17])
def test_no_sum_is_rounded_or_runs_over(largest: int) -> None:
    those = [largest - n for n in range(5)] + [1] * 400
    ranking = Ranking(np.array(those[:200], dtype=np.int64))
    for start in range(200, len(those), 7):
        ranking.replace(np.array([], dtype=np.int64), np.array(those[start : start + 7]))
    assert said(ranking) == counted(those)
