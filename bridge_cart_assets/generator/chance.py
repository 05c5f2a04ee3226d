"""Seeded chance: every random number of the synthetic shop comes from one of these streams.

Belongs here: the streams and the ways of drawing that NumPy does not have. Does not belong here:
what is drawn. No part of the generator may look at the clock or at an unseeded source.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Stream(IntEnum):
    """Independent sources of chance, so that more draws in one part leave the others alone."""

    PEOPLE = 1
    MOVES = 2
    HABITS = 3
    ORDERS = 4
    CARTS = 5
    RETURNS = 6
    DIRT_CUSTOMERS = 7
    DIRT_PURCHASES = 8


def stream(seed: int, *path: int) -> np.random.Generator:
    """The generator of a stream: `stream(7, Stream.DIRT_PURCHASES, 30)`."""
    return np.random.default_rng([seed, *path])


def pick(rng: np.random.Generator, weights: ArrayLike, size: int) -> Ints:
    """Draw `size` indices into `weights`, each as often as its weight says."""
    bounds = np.cumsum(np.asarray(weights, dtype=np.float64))
    drawn: Ints = np.searchsorted(bounds[:-1], rng.random(size) * bounds[-1], side="right")
    return drawn


def pick_each(rng: np.random.Generator, weights: ArrayLike) -> Ints:
    """Draw one index per row of `weights`, each as often as the row says; rows need no sum of 1."""
    bounds = np.cumsum(np.asarray(weights, dtype=np.float64), axis=1)
    level = rng.random(len(bounds)) * bounds[:, -1]
    drawn: Ints = (level[:, None] >= bounds[:, :-1]).sum(axis=1)
    return drawn
