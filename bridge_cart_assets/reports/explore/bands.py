"""Ages, incomes and discounts in bands: where each begins, and how it is called.

Belongs here: bounds and their names. Does not belong here: who is in a band (see `queries`).
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from bridge_cart_assets.reports.formatting import compact

# Each band ends below its bound; the last one has no end.
AGE_BOUNDS = (18, 25, 35, 45, 55, 65)
AGE_NAMES = (
    "under 18",
    *(f"{a}–{b - 1}" for a, b in pairwise(AGE_BOUNDS)),
)
AGES = (*AGE_NAMES, f"{AGE_BOUNDS[-1]} and over")
# Each band ends with its bound; the first one is nothing at all.
DISCOUNT_BOUNDS = (0.0, 0.05, 0.10, 0.20)
DISCOUNTS = ("no discount", "up to 5%", "5% to 10%", "10% to 20%", "over 20%")
INCOME_BANDS = 6
_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


def income_step(high: float | None) -> Decimal | None:
    """The width of an income band: a round number, with which five bands reach up to `high`.

    Args:
        high: an income that few people exceed; None when no income is known.

    >>> [str(income_step(high)) for high in (86_020, 125_000, 4.2, 0)]
    ['20000', '25000', '1', 'None']
    """
    if high is None or high <= 0:
        return None
    wanted = Decimal(str(high)) / (INCOME_BANDS - 1)
    power = Decimal(1).scaleb(wanted.adjusted())
    step = next(s for s in _STEPS if s * power >= wanted)
    return (step * power).normalize() + 0


def incomes(step: Decimal) -> Sequence[str]:
    """The names of the income bands.

    >>> incomes(Decimal(20000))[0], incomes(Decimal(20000))[1], incomes(Decimal(20000))[-1]
    ('under 20k', '20k to 40k', '100k and more')
    """
    ends = [compact(step * number) for number in range(INCOME_BANDS)]
    between = (f"{low} to {high}" for low, high in pairwise(ends[1:]))
    return (f"under {ends[1]}", *between, f"{ends[-1]} and more")
