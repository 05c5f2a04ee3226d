"""Seeded chance: every random number of the synthetic shop comes from one of these streams.

Each day has streams of its own. What happens on a day is decided by the days before it and by that
day's chance, so a longer run of a shop begins with the shorter one's days, and however many days
are worked on together, the bytes are the same.

Belongs here: the streams and the ways of drawing that NumPy does not have. Does not belong here:
what is drawn. No part of the generator may look at the clock or at an unseeded source.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Stream(IntEnum):
    """Independent sources of chance, so that more draws in one part leave the others alone."""

    NEWCOMERS = 1
    PEOPLE = 2
    HABITS = 3
    FIRST_ORDERS = 4
    FLASH_SALES = 5
    ORDERS = 6
    CARTS = 7
    LINES = 8
    RETURNS = 9
    GIVEN_BACK = 10
    CHANGES = 11
    SIGNUPS = 12
    CUSTOMER_RECORDS = 13
    PURCHASE_RECORDS = 14
    FILES = 15
    FILE_FORMS = 16
    SECOND_ACCOUNTS = 17
    GUESTS = 18


def stream(seed: int, which: Stream, day: int) -> np.random.Generator:
    """A day's generator: `stream(7, Stream.ORDERS, 30)`."""
    return np.random.default_rng([seed, which, day])


def for_each_day(
    seed: int,
    which: Stream,
    first: int,
    counts: Ints,
    draw: Callable[[np.random.Generator, int], NDArray[Any]],
) -> NDArray[Any]:
    """Draw for the members of consecutive days, each day's from its own stream.

    Args:
        seed: seed of the shop.
        which: the source of chance.
        first: the first day.
        counts: members of that day, of the next one, and so on.
        draw: draws for so many members; one row each.
    """
    drawn = [
        draw(stream(seed, which, first + offset), count)
        for offset, count in enumerate(counts.tolist())
        if count
    ]
    return np.concatenate(drawn) if drawn else draw(stream(seed, which, first), 0)


def counts_per_day(day: Ints, first: int, end: int) -> Ints:
    """How many members each of the days `first` to before `end` has."""
    return np.bincount(day - first, minlength=end - first)


def choose(weights: ArrayLike, level: Floats) -> Ints:
    """For each level (0 <= level < 1) an index into `weights`, as often as its weight says."""
    bounds = np.cumsum(np.asarray(weights, dtype=np.float64))
    chosen: Ints = np.searchsorted(bounds[:-1], level * bounds[-1], side="right")
    return chosen


def choose_each(weights: ArrayLike, level: Floats) -> Ints:
    """Like `choose` with a row of weights for every level; a row needs no sum of 1."""
    bounds = np.cumsum(np.asarray(weights, dtype=np.float64), axis=1)
    chosen: Ints = (level[:, None] * bounds[:, -1:] >= bounds[:, :-1]).sum(axis=1)
    return chosen


def below(size: int | Ints, level: Floats) -> Ints:
    """For each level (0 <= level < 1) a whole number from 0 to before `size`."""
    return (level * size).astype(np.int64)
