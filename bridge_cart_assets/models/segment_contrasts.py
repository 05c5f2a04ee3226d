"""How clearly the customers of each segment differ from all customers, figure by figure.

Belongs here: the figures that a name may speak of, and whether a segment is clearly above or below
the others in one. Does not belong here: the names (`archetypes`), or which segment gets which
(`segment_names`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from bridge_cart_assets.thresholds import THRESHOLDS, Thresholds

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_PAID = pl.col("revenue").cast(pl.Float64).clip(lower_bound=0.0)
_PURCHASE_DAYS = pl.col("frequency").cast(pl.Float64) + 1
# Each from columns of gold/customer_features, in units that a reader can look up there.
MEASURES: Mapping[str, pl.Expr] = {
    "recency": pl.col("recency_days").cast(pl.Float64).clip(lower_bound=0.0),
    "purchases": _PURCHASE_DAYS,
    "spending": _PAID,
    "basket": _PAID / _PURCHASE_DAYS,
    "coupons": pl.col("coupon_rate").cast(pl.Float64),
}
_PLACES = {name: place for place, name in enumerate(MEASURES)}
# What a mean has to differ by at least, in its unit: a day, a purchase in four customers, one order
# in ten. Money has no such unit: shops and currencies differ.
_LEAST = np.array([1.0, 0.25, 0.0, 0.0, 0.1])
# The figures that say where a segment lies; a basket follows from two of them.
_AXES = ("recency", "purchases", "spending")


class Claim(NamedTuple):
    """What a name says of a segment: that one figure is high, or low, against all customers."""

    measure: str
    is_high: bool


@dataclass(frozen=True)
class Contrasts:
    """Each segment against all customers: segments x measures, in the order of `MEASURES`.

    Attributes:
        distances: mean of log1p minus that of all, in standard deviations over the customers.
        means: arithmetic means of the segments' customers.
        overall: of all customers.
        bounds: from where on a difference is clear.
    """

    distances: Floats
    means: Floats
    overall: Floats
    bounds: Thresholds = THRESHOLDS

    def holds(self, place: int, claim: Claim, *, kept: bool = False) -> bool:
        """Whether a claim is clearly so, in the mean as in the typical customer.

        One of both alone is not enough: one buyer of a million lifts a mean, and prices that
        differ by a cent have a standard deviation too.

        Args:
            place: number of the segment.
            claim: what is said of it.
            kept: whether its name says so already; then a smaller difference is enough.
        """
        share = self.bounds.name_kept if kept else 1.0
        ratio = 1 + (self.bounds.name_ratio - 1) * share
        column, sign = _PLACES[claim.measure], 1 if claim.is_high else -1
        mean, overall = float(self.means[place, column]), float(self.overall[column])
        larger, smaller = (mean, overall) if claim.is_high else (overall, mean)
        # A segment without customers has no mean, and NaN compares as false.
        return bool(
            sign * self.distances[place, column] >= self.bounds.name_distance * share
            and larger >= ratio * smaller
            and larger - smaller > 0
            and larger - smaller >= _LEAST[column] * share
        )

    def is_between(self, place: int, *, kept: bool = False) -> bool:
        """Whether other segments lie on both sides of it wherever the segments differ clearly."""
        differs = False
        for measure in _AXES:
            high, low = Claim(measure, is_high=True), Claim(measure, is_high=False)
            everyone = range(len(self.means))
            if not any(self.holds(n, claim, kept=kept) for n in everyone for claim in (high, low)):
                continue
            differs = True
            column = self.distances[:, _PLACES[measure]]
            if not np.nanmin(column) < column[place] < np.nanmax(column):
                return False
        return differs


def contrasts(
    customers: pl.DataFrame, segments: Ints, count: int, bounds: Thresholds = THRESHOLDS
) -> Contrasts:
    """How the customers of each segment differ from all.

    Args:
        customers: rows of gold/customer_features, at least one.
        segments: number of each customer's segment, from 0.
        count: how many segments there are.
        bounds: from where on a difference is clear.

    Three of four customers have bought today, each once and for the same:

    >>> customers = pl.DataFrame({"recency_days": [0, 0, 0, 80]})
    >>> customers = customers.with_columns(frequency=0, revenue=9, coupon_rate=0.0)
    >>> found = contrasts(customers, np.array([0, 0, 0, 1]), count=2)
    >>> [found.holds(1, Claim(name, is_high=True)) for name in MEASURES]
    [True, False, False, False, False]
    >>> found.holds(0, Claim("recency", is_high=False))
    True
    """
    values = customers.select(**MEASURES).to_numpy()
    logs = np.log1p(values)
    deviations = logs.std(axis=0)
    scales = np.where(deviations > 1e-9, deviations, np.inf)
    means = np.full((count, len(MEASURES)), np.nan)
    typical = means.copy()
    for place in range(count):
        mine = segments == place
        if mine.any():
            means[place], typical[place] = values[mine].mean(axis=0), logs[mine].mean(axis=0)
    return Contrasts((typical - logs.mean(axis=0)) / scales, means, values.mean(axis=0), bounds)
