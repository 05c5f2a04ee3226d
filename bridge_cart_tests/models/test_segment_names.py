"""What segments are called: unique, true for where they lie, and in words with figures."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bridge_cart_assets.models.segment_names import (
    ARCHETYPES,
    Archetype,
    archetype_of,
    figures,
    name_segments,
)
from bridge_cart_assets.thresholds import THRESHOLDS

NAMES = [one.name for one in ARCHETYPES]


def names(*centroids: tuple[float, float, float, float], taken: tuple[str, ...] = ()) -> list[str]:
    return [one.name for one in name_segments(np.array(centroids), taken)]


def test_there_are_names_for_as_many_segments_as_a_model_may_have() -> None:
    assert len(ARCHETYPES) > THRESHOLDS.segments_most
    assert len(set(NAMES)) == len(NAMES)
    assert len({one.place for one in ARCHETYPES}) == len(ARCHETYPES)


@pytest.mark.parametrize("one", ARCHETYPES, ids=NAMES)
def test_each_says_who_they_are_and_what_to_do_in_a_sentence(one: Archetype) -> None:
    assert one.description.endswith(".")
    assert one.action.endswith(".")


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ((-1.2, 1.5, 1.3, 0.0), "Champions"),
        ((0.9, 0.4, 0.6, 0.0), "Slipping away"),
        ((-0.5, -0.6, -0.7, 0.0), "Recent buyers"),
        ((0.7, -0.9, -0.8, 0.0), "Dormant"),
        ((-0.2, 0.2, 0.2, 0.0), "Middle ground"),
        ((1.0, -0.5, 1.0, 0.0), "Lapsed big spenders"),
        ((0.3, -0.2, -0.4, 1.4), "Coupon users"),
        ((-0.6, 0.7, 0.3, 1.7), "Coupon regulars"),
    ],
)
def test_a_segment_is_called_after_where_it_lies(
    place: tuple[float, float, float, float], name: str
) -> None:
    assert names(place) == [name]


def test_of_two_segments_in_one_corner_the_nearer_one_gets_its_name() -> None:
    deep, shallow = (1.5, -1.2, -1.1, 0.0), (0.4, -0.2, -0.1, 0.0)
    assert names(shallow, deep) == ["Middle ground", "Dormant"]
    assert names(deep, shallow) == ["Dormant", "Middle ground"]


def test_a_name_that_another_segment_bears_is_not_given_again() -> None:
    assert names((-1.2, 1.5, 1.3, 0.0), taken=("Champions",)) == ["Coupon regulars"]


def test_where_no_customer_has_come_back_yet_no_segment_is_called_a_champion() -> None:
    assert names((-0.9, 0.0, 0.9, 0.0), (0.9, 0.0, -0.9, 0.0)) == ["Promising", "Dormant"]


_SPOT = st.floats(-3, 3).map(lambda x: round(x, 2))
_PLACES = st.lists(st.tuples(_SPOT, _SPOT, _SPOT, _SPOT), min_size=1, max_size=8)


@settings(max_examples=200, deadline=None)
@given(_PLACES, st.lists(st.sampled_from(NAMES), max_size=7, unique=True))
def test_no_two_segments_of_a_model_have_the_same_name(
    places: list[tuple[float, float, float, float]], taken: list[str]
) -> None:
    assume(len(places) + len(taken) <= THRESHOLDS.segments_most)
    found = names(*places, taken=tuple(taken))
    assert len({*found, *taken}) == len(places) + len(taken)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(_SPOT, _SPOT, _SPOT, _SPOT), min_size=1, max_size=3))
def test_no_other_choice_of_names_lies_nearer(
    places: list[tuple[float, float, float, float]],
) -> None:
    costs = [[((np.array(p) - a.place) ** 2).sum() for a in ARCHETYPES] for p in places]
    chosen = sum(costs[i][NAMES.index(name)] for i, name in enumerate(names(*places)))
    choices = permutations(range(len(ARCHETYPES)), len(places))
    best = min(sum(costs[i][j] for i, j in enumerate(choice)) for choice in choices)
    assert chosen == pytest.approx(best, abs=1e-3)


def test_a_name_that_no_archetype_bears_any_more_is_described_by_the_nearest() -> None:
    place = np.array([-1.2, 1.5, 1.3, 0.0])
    assert archetype_of("Loyal", place).name == "Champions"
    assert archetype_of("Dormant", place).name == "Dormant"


@pytest.mark.parametrize(
    ("typical", "sentence"),
    [
        (
            (12.4, 5.0, 271.2, 0.0),
            "Typically last bought 12 days ago, 6 purchase days, 45.20 a purchase day.",
        ),
        (
            (1.0, 0.0, 19.99, 0.0),
            "Typically last bought 1 day ago, 1 purchase day, 19.99 a purchase day.",
        ),
        # 2 orders with a coupon of 4: a habit of 2 / 5.
        (
            (0.2, 3.0, 100.0, 0.4),
            "Typically last bought today, 4 purchase days, 25.00 a purchase day, "
            "a coupon in 50% of the orders.",
        ),
        # A mean of logarithms may come out a little below zero, or above a whole.
        (
            (-0.01, -0.01, -0.01, 0.9),
            "Typically last bought today, 1 purchase day, 0.00 a purchase day, "
            "a coupon in 100% of the orders.",
        ),
    ],
)
def test_the_figures_are_in_days_purchases_and_money(
    typical: tuple[float, float, float, float], sentence: str
) -> None:
    assert figures(*typical) == sentence
