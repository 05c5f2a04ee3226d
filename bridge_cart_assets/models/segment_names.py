"""The name of each segment: the nearest kind of customers all of whose claims hold in the data.

Belongs here: which segment gets which kind, a neutral name where none is true, and a segment's
figures in words. Does not belong here: the kinds (`archetypes`), whether a claim holds
(`segment_contrasts`), or finding the segments (`stability`).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bridge_cart_assets.models.archetypes import ARCHETYPES, Archetype
from bridge_cart_assets.models.segment_contrasts import Contrasts

Floats = npt.NDArray[np.float64]
# Added to the squared distance per place in the list: decides between kinds that are equally near.
_PREFERENCE = 1e-6
# Taken from it per claim: of true names the one that says more. To lie between others is worth two.
_PER_CLAIM = 0.5
# How far out a segment lies beyond this is no reason to call it after a corner that it is not in.
_FARTHEST = 1.6
# No squared distance is near the first; the second is never taken while there is another way.
_NEUTRAL, _FALSE = 1e6, 1e12
_BY_NAME = {one.name: one for one in ARCHETYPES}


def neutral(segment_id: int) -> Archetype:
    """A name that claims nothing, for a segment that no kind describes truly.

    >>> neutral(3).name
    'Group 3'
    """
    return Archetype(
        name=f"Group {segment_id}",
        place=(0.0, 0.0, 0.0, 0.0),
        claims=(),
        description="No name says more of them than their figures do.",
        action="Look at their figures and at typical customers before planning anything for them.",
    )


def is_true(archetype: Archetype, place: int, found: Contrasts, *, kept: bool = False) -> bool:
    """Whether all that an archetype claims holds of a segment.

    Args:
        archetype: the kind of customers.
        place: number of the segment.
        found: how the segments differ.
        kept: whether the segment has this name already; then smaller differences are enough.
    """
    if archetype.is_between and not found.is_between(place, kept=kept):
        return False
    return all(found.holds(place, claim, kept=kept) for claim in archetype.claims)


def name_segments(
    ids: Sequence[int],
    centroids: Floats,
    found: Contrasts,
    earlier: Mapping[int, str] | None = None,
) -> list[Archetype]:
    """What each segment is called: no two have one name, and every claim of a name holds.

    A segment keeps the name that it had while that is true. The others get kinds by the assignment
    with the smallest sum of squared distances (Kuhn 1955), less a little for every claim, so the
    choice does not depend on the order of the segments. Where no kind that is left is true the
    name is neutral.

    Args:
        ids: the segments' ids, which neutral names end with.
        centroids: segments x features, scaled.
        found: how the segments differ.
        earlier: names of segments that were there before, by id.

    Two of three customers have bought lately, and no other figure differs:

    >>> import polars as pl
    >>> from bridge_cart_assets.models.segment_contrasts import contrasts
    >>> customers = pl.DataFrame({"recency_days": [2, 3, 90]})
    >>> customers = customers.with_columns(frequency=0, revenue=9, coupon_rate=0.0)
    >>> found = contrasts(customers, np.array([0, 1, 2]), count=3)
    >>> places = np.array([[-0.8, 0, 0, 0], [-0.6, 0, 0, 0], [1.4, 0, 0, 0]])
    >>> [one.name for one in name_segments([1, 2, 3], places, found)]
    ['Lately active', 'Middle ground', 'Long quiet']
    >>> [one.name for one in name_segments([1, 2, 3], places, found, {1: "Champions"})]
    ['Lately active', 'Middle ground', 'Long quiet']
    """
    from scipy.optimize import linear_sum_assignment

    names = {place: (earlier or {}).get(segment) for place, segment in enumerate(ids)}
    kept = {
        place: _BY_NAME[name]
        for place, name in names.items()
        if name in _BY_NAME and is_true(_BY_NAME[name], place, found, kept=True)
    }
    new = [place for place in names if place not in kept]
    free = [one for one in ARCHETYPES if one not in kept.values()]
    places = np.array([one.place for one in free]).reshape(-1, centroids.shape[1])
    near = np.clip(centroids[new], -_FARTHEST, _FARTHEST)
    said = np.array([2 if one.is_between else len(one.claims) for one in free])
    costs = ((near[:, None, :] - places[None, :, :]) ** 2).sum(axis=2) - _PER_CLAIM * said
    true = np.array([[is_true(one, place, found) for one in free] for place in new], dtype=bool)
    costs = np.where(true.reshape(costs.shape), costs + _PREFERENCE * np.arange(len(free)), _FALSE)
    of_nobody = np.full((len(new), len(new)), _NEUTRAL)
    chosen = linear_sum_assignment(np.hstack([costs, of_nobody]))[1]
    given = {
        place: free[column] if column < len(free) else neutral(ids[place])
        for place, column in zip(new, chosen.tolist(), strict=True)
    }
    return [(kept | given)[place] for place in names]


def figures(recency_days: float, frequency: float, revenue: float, coupon_habit: float) -> str:
    """A sentence with the figures of a typical customer.

    Args:
        recency_days: days since the latest purchase.
        frequency: purchase days - 1.
        revenue: in all.
        coupon_habit: orders with a coupon / (orders + 1).

    >>> figures(recency_days=3, frequency=3, revenue=200, coupon_habit=0)
    'Typically last bought 3 days ago, 4 purchase days, 50.00 a purchase day.'
    >>> figures(0, 3, 200, coupon_habit=2 / 5).removeprefix("Typically last bought today, ")
    '4 purchase days, 50.00 a purchase day, a coupon in 50% of the orders.'
    """
    purchase_days = 1 + max(frequency, 0.0)
    days_ago, bought = round(recency_days), round(purchase_days)
    ago = "today" if days_ago <= 0 else f"{_counted(days_ago, 'day')} ago"
    spent = max(revenue, 0.0)
    share = min(1.0, coupon_habit * (purchase_days + 1) / purchase_days)
    coupons = f", a coupon in {share:.0%} of the orders" if round(100 * share) >= 1 else ""
    return (
        f"Typically last bought {ago}, {_counted(bought, 'purchase day')}, "
        f"{spent / purchase_days:.2f} a purchase day{coupons}."
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
