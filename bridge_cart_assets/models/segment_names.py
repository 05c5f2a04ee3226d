"""Kinds of customers as a marketer knows them: the name of a segment, and the advice for it.

Belongs here: the kinds, as data, which segment gets which, and its figures in words. Does not
belong here: finding the segments (`stability`) or which one keeps its name (`segments`).
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# Where a kind lies, in standard deviations from the average customer. Centres of segments are
# means, so they lie closer in than most of their customers.
_LITTLE, _MIDDLE, _MUCH = -0.8, 0.0, 0.8
_COUPONS = 1.4
# Added to the squared distance per place in the list: decides between kinds that are equally near.
_PREFERENCE = 1e-6


@dataclass(frozen=True)
class Archetype:
    """A kind of customer.

    Attributes:
        name: name of a segment of the kind.
        place: recency, frequency, revenue, coupon habit, in scaled space.
        description: its customers, against the shop's average customer.
        action: the advice for the shop.
    """

    name: str
    place: tuple[float, float, float, float]
    description: str
    action: str


# Of two that are equally near the earlier one is taken, so those that claim less stand first:
# where no customer has come back yet, none is called a champion.
ARCHETYPES = (
    Archetype(
        name="Middle ground",
        place=(_MIDDLE, _MIDDLE, _MIDDLE, _MIDDLE),
        description="Neither lately nor long ago, neither often nor seldom: the shop's average.",
        action="Find the next reason to buy: remind them of what they bought, suggest what fits.",
    ),
    Archetype(
        name="Recent buyers",
        place=(_LITTLE, _LITTLE, _LITTLE, _MIDDLE),
        description="Bought lately, but seldom and little so far.",
        action="Win the next purchase within weeks, while they still remember the last one.",
    ),
    Archetype(
        name="Dormant",
        place=(_MUCH, _LITTLE, _LITTLE, _MIDDLE),
        description="Bought seldom and little, and longer ago than most.",
        action="One cheap try to win them back; otherwise spend nothing on them.",
    ),
    Archetype(
        name="Promising",
        place=(_LITTLE, _LITTLE, _MUCH, _MIDDLE),
        description="Few purchases so far, but large ones, and lately.",
        action="Serve them personally: the next purchases decide whether they become champions.",
    ),
    Archetype(
        name="Lapsed big spenders",
        place=(_MUCH, _LITTLE, _MUCH, _MIDDLE),
        description="A few large purchases, and nothing for longer than most.",
        action="Win them back one by one, with what is new in what they bought.",
    ),
    Archetype(
        name="Small baskets",
        place=(_LITTLE, _MUCH, _LITTLE, _MIDDLE),
        description="Buy often and lately, but little at a time.",
        action="Make baskets larger: bundles, free delivery from a certain amount.",
    ),
    Archetype(
        name="Fading regulars",
        place=(_MUCH, _MUCH, _LITTLE, _MIDDLE),
        description="Used to buy often, little at a time, and have stayed away longer than most.",
        action="Remind them of what they used to buy, and ask what they missed.",
    ),
    Archetype(
        name="Slipping away",
        place=(_MUCH, _MUCH, _MUCH, _MIDDLE),
        description="Used to buy often and for much, and have stayed away longer than most.",
        action="Act now: find out why they stay away, and give them a good reason to return.",
    ),
    Archetype(
        name="Champions",
        place=(_LITTLE, _MUCH, _MUCH, _MIDDLE),
        description="Buy lately, often and for much: the shop lives on them.",
        action="Keep them: first to hear of what is new, the best service, no discounts needed.",
    ),
    Archetype(
        name="Coupon users",
        place=(_MIDDLE, _MIDDLE, _MIDDLE, _COUPONS),
        description="Use coupons much more than others; about average otherwise.",
        action="Use coupons to bring purchases forward; try without, to see who buys all the same.",
    ),
    Archetype(
        name="Lapsed coupon users",
        place=(_MUCH, _LITTLE, _LITTLE, _COUPONS),
        description="Came seldom, with coupons, and not for longer than most.",
        action="Write to them when there is an offer, and only then.",
    ),
    Archetype(
        name="Coupon regulars",
        place=(_LITTLE, _MUCH, _MUCH, _COUPONS),
        description="Buy lately and often, with coupons much more than others.",
        action="Replace coupons by rewards for loyalty, and watch what they earn after discounts.",
    ),
)


def name_segments(centroids: Floats, taken: Collection[str] = ()) -> list[Archetype]:
    """The archetype of each centroid: no two the same, and none of those taken.

    The choice is the one with the smallest sum of squared distances (assignment problem, Kuhn
    1955), so it does not depend on the order of the centroids.

    Args:
        centroids: segments x features, scaled.
        taken: names that other segments bear.

    >>> lately_often_and_much = np.array([[-0.8, 0.8, 0.8, 0.0]])
    >>> [archetype.name for archetype in name_segments(lately_often_and_much)]
    ['Champions']
    >>> [archetype.name for archetype in name_segments(lately_often_and_much, taken=["Champions"])]
    ['Middle ground']
    """
    from scipy.optimize import linear_sum_assignment

    free = [one for one in ARCHETYPES if one.name not in taken]
    places = np.array([one.place for one in free])
    costs = ((centroids[:, None, :] - places[None, :, :]) ** 2).sum(axis=2)
    chosen = linear_sum_assignment(costs + _PREFERENCE * np.arange(len(free)))[1]
    return [free[i] for i in chosen]


def archetype_of(name: str, centroid: Floats) -> Archetype:
    """The archetype with a name, or the nearest one when no archetype has the name any more.

    >>> centroid = np.array([-0.8, 0.8, 0.8, 0.0])
    >>> archetype_of("Dormant", centroid).name, archetype_of("VIPs", centroid).name
    ('Dormant', 'Champions')
    """
    known = [one for one in ARCHETYPES if one.name == name]
    return known[0] if known else name_segments(centroid[None, :])[0]


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
