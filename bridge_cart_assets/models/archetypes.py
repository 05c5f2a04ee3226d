"""Kinds of customers as a marketer knows them: names of segments, what they claim, the advice.

Belongs here: the kinds, as data. Does not belong here: which segment gets which (`segment_names`),
or when a claim holds (`segment_contrasts`).
"""

from dataclasses import dataclass

from bridge_cart_assets.models.segment_contrasts import Claim

LATELY, LONG_AGO = Claim("recency", is_high=False), Claim("recency", is_high=True)
SELDOM, OFTEN = Claim("purchases", is_high=False), Claim("purchases", is_high=True)
LITTLE, MUCH = Claim("spending", is_high=False), Claim("spending", is_high=True)
SMALL_BASKET, LARGE_BASKET = Claim("basket", is_high=False), Claim("basket", is_high=True)
COUPONS = Claim("coupons", is_high=True)
# Where a kind lies, in standard deviations from the average customer. Centres of segments are
# means, so they lie closer in than most of their customers.
_LOW, _MIDDLE, _HIGH = -0.8, 0.0, 0.8
_COUPONS = 1.4
# Purchases and spending are skewed: a segment that is above average in them, and not in recency, is
# one of the middle unless it lies far out.
_FAR = 1.6


@dataclass(frozen=True)
class Archetype:
    """A kind of customer.

    Attributes:
        name: name of a segment of the kind.
        place: recency, frequency, revenue, coupon habit, in scaled space.
        claims: what name and description say; each has to hold of a segment of this name.
        description: its customers, against the shop's average customer.
        action: the advice for the shop.
        is_between: whether it says that other segments lie on both sides.
    """

    name: str
    place: tuple[float, float, float, float]
    claims: tuple[Claim, ...]
    description: str
    action: str
    is_between: bool = False


# Of two that are equally near the earlier one is taken.
ARCHETYPES = (
    Archetype(
        name="Middle ground",
        place=(_MIDDLE, _MIDDLE, _MIDDLE, _MIDDLE),
        claims=(),
        description="Between the other segments wherever these differ clearly.",
        action="Find the next reason to buy: remind them of what they bought, suggest what fits.",
        is_between=True,
    ),
    Archetype(
        name="Recent buyers",
        place=(_LOW, _LOW, _LOW, _MIDDLE),
        claims=(LATELY, SELDOM, LITTLE),
        description="Bought lately, but seldom and little so far.",
        action="Win the next purchase within weeks, while they still remember the last one.",
    ),
    Archetype(
        name="Dormant",
        place=(_HIGH, _LOW, _LOW, _MIDDLE),
        claims=(LONG_AGO, SELDOM, LITTLE),
        description="Bought seldom and little, and longer ago than most.",
        action="One cheap try to win them back; otherwise spend nothing on them.",
    ),
    Archetype(
        name="Promising",
        place=(_LOW, _LOW, _HIGH, _MIDDLE),
        claims=(LATELY, SELDOM, LARGE_BASKET),
        description="Few purchases so far, but large ones, and lately.",
        action="Serve them personally: the next purchases decide whether they become champions.",
    ),
    Archetype(
        name="Lapsed big spenders",
        place=(_HIGH, _LOW, _HIGH, _MIDDLE),
        claims=(LONG_AGO, SELDOM, MUCH, LARGE_BASKET),
        description="A few large purchases, and nothing for longer than most.",
        action="Win them back one by one, with what is new in what they bought.",
    ),
    Archetype(
        name="Small baskets",
        place=(_LOW, _HIGH, _LOW, _MIDDLE),
        claims=(LATELY, OFTEN, SMALL_BASKET),
        description="Buy often and lately, but little at a time.",
        action="Make baskets larger: bundles, free delivery from a certain amount.",
    ),
    Archetype(
        name="Fading regulars",
        place=(_HIGH, _HIGH, _LOW, _MIDDLE),
        claims=(LONG_AGO, OFTEN, SMALL_BASKET),
        description="Used to buy often, little at a time, and have stayed away longer than most.",
        action="Remind them of what they used to buy, and ask what they missed.",
    ),
    Archetype(
        name="Slipping away",
        place=(_HIGH, _HIGH, _HIGH, _MIDDLE),
        claims=(LONG_AGO, OFTEN, MUCH),
        description="Used to buy often and for much, and have stayed away longer than most.",
        action="Act now: find out why they stay away, and give them a good reason to return.",
    ),
    Archetype(
        name="Champions",
        place=(_LOW, _HIGH, _HIGH, _MIDDLE),
        claims=(LATELY, OFTEN, MUCH),
        description="Buy lately, often and for much.",
        action="Keep them: first to hear of what is new, the best service, no discounts needed.",
    ),
    Archetype(
        name="Coupon users",
        place=(_MIDDLE, _MIDDLE, _MIDDLE, _COUPONS),
        claims=(COUPONS,),
        description="Use coupons much more than others.",
        action="Use coupons to bring purchases forward; try without, to see who buys all the same.",
    ),
    Archetype(
        name="Lapsed coupon users",
        place=(_HIGH, _LOW, _LOW, _COUPONS),
        claims=(LONG_AGO, SELDOM, COUPONS),
        description="Came seldom, with coupons, and not for longer than most.",
        action="Write to them when there is an offer, and only then.",
    ),
    Archetype(
        name="Coupon regulars",
        place=(_LOW, _HIGH, _HIGH, _COUPONS),
        claims=(LATELY, OFTEN, COUPONS),
        description="Buy lately and often, with coupons much more than others.",
        action="Replace coupons by rewards for loyalty, and watch what they earn after discounts.",
    ),
    # Where only one or two figures differ, a name says only so much.
    Archetype(
        name="Steady spenders",
        place=(_MIDDLE, _FAR, _FAR, _MIDDLE),
        claims=(OFTEN, MUCH),
        description="Buy often and for much.",
        action="Ask what keeps them, and let them be the first to hear of what is new.",
    ),
    Archetype(
        name="Active regulars",
        place=(_LOW, _FAR, _MIDDLE, _MIDDLE),
        claims=(LATELY, OFTEN),
        description="Buy lately and often.",
        action="Suggest what goes with what they buy: the next thing to win is a larger basket.",
    ),
    Archetype(
        name="Regulars gone quiet",
        place=(_HIGH, _FAR, _MIDDLE, _MIDDLE),
        claims=(LONG_AGO, OFTEN),
        description="Used to buy often, and have stayed away longer than most.",
        action="Ask what they missed, while they still remember the shop.",
    ),
    Archetype(
        name="Recent occasional buyers",
        place=(_LOW, _LOW, _MIDDLE, _MIDDLE),
        claims=(LATELY, SELDOM),
        description="Bought lately, but seldom so far.",
        action="Win the next purchase within weeks, while they still remember the last one.",
    ),
    Archetype(
        name="Lapsed occasional buyers",
        place=(_HIGH, _LOW, _MIDDLE, _MIDDLE),
        claims=(LONG_AGO, SELDOM),
        description="Bought seldom, and longer ago than most.",
        action="One try to win them back, with what is new since they were here.",
    ),
    Archetype(
        name="Lately active",
        place=(_LOW, _MIDDLE, _MIDDLE, _MIDDLE),
        claims=(LATELY,),
        description="Bought more lately than most.",
        action="Stay in touch: thank them, and suggest what fits the last purchase.",
    ),
    Archetype(
        name="Long quiet",
        place=(_HIGH, _MIDDLE, _MIDDLE, _MIDDLE),
        claims=(LONG_AGO,),
        description="Have not bought for longer than most.",
        action="Remind them of the shop; those who do not answer cost nothing more.",
    ),
    Archetype(
        name="Frequent buyers",
        place=(_MIDDLE, _FAR, _MIDDLE, _MIDDLE),
        claims=(OFTEN,),
        description="Buy more often than most.",
        action="Reward the habit, and suggest what goes with what they buy.",
    ),
    Archetype(
        name="Occasional buyers",
        place=(_MIDDLE, _LOW, _MIDDLE, _MIDDLE),
        claims=(SELDOM,),
        description="Buy less often than most.",
        action="Give a reason for one more purchase, soon after the last one.",
    ),
    Archetype(
        name="Big spenders",
        place=(_MIDDLE, _MIDDLE, _FAR, _MIDDLE),
        claims=(MUCH,),
        description="Have spent more than most.",
        action="Serve them personally, and find out what they buy elsewhere.",
    ),
    Archetype(
        name="Small spenders",
        place=(_MIDDLE, _MIDDLE, _LOW, _MIDDLE),
        claims=(LITTLE,),
        description="Have spent less than most.",
        action="Make baskets larger: bundles, free delivery from a certain amount.",
    ),
)
