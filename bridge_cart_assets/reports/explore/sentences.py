"""Headings that say what the figures under them show: pure functions from figures to sentences.

Belongs here: which fact is worth a heading, and its wording; every number is computed. Where
nothing stands out the heading is the plain name of what is shown. Does not belong here: queries,
or HTML.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bridge_cart_assets.reports.explore.queries import UNKNOWN, Group, SalesPart
from bridge_cart_assets.reports.formatting import compact, percent

# Fewer customers than this say little about their kind.
LEAST_CUSTOMERS = 30
_LEVEL_SHARES = 0.02
_LEVEL_VALUES = 1.1


@dataclass(frozen=True)
class Named:
    """A group with the name that it has in a sentence."""

    name: str
    group: Group


def share_heading(
    parts: Sequence[SalesPart], plain: str, comes: str, each: str, names: Sequence[str]
) -> str:
    """How much the first part brings, if it stands out.

    Args:
        parts: the most revenue first.
        plain: the heading when nothing stands out.
        comes: how revenue belongs to a part: "comes from".
        each: what a part is, when all bring about the same: "category".
        names: how the parts are called in a sentence.
    """
    shares = [part.share for part in parts if part.share is not None]
    if not parts or len(shares) < len(parts) or parts[0].name in (None, UNKNOWN):
        return plain
    if len(parts) == 1:  # picked by a filter, or the only one: then there is nothing to tell
        return f"{_percent(shares[0])} of revenue {comes} {names[0]}" if shares[0] < 1 else plain
    if len(parts) > 2 and shares[0] - shares[-1] <= _LEVEL_SHARES and parts[-1].name is not None:
        return (
            f"Every {each} brings about as much: {_percent(shares[-1])} to {_percent(shares[0])} "
            "of revenue"
        )
    if _percent(shares[0]) == _percent(shares[1]):
        return plain
    said = f"{_percent(shares[0])} of revenue {comes} {names[0]}"
    following = [part.revenue for part in parts[1:3] if part.name is not None]
    if len(parts) > 3 and len(following) == 2 and parts[0].revenue > sum(following):
        return f"{said}, more than the next two together"
    return said


def coupon_heading(parts: Sequence[SalesPart], plain: str) -> str:
    """What coupons bring, and what a line with one is worth."""
    by_name = {part.name: part for part in parts}
    using, others = by_name.get("true"), by_name.get("false")
    if not using or not others or using.share is None:
        return plain
    if using.average_line is None or others.average_line is None:
        return plain
    return (
        f"{_percent(using.share)} of revenue comes with a coupon: {compact(using.average_line)} "
        f"a line, {compact(others.average_line)} without"
    )


def month_heading(revenue: Sequence[tuple[date, Decimal]], plain: str) -> str:
    """The best of the months that are over.

    Args:
        revenue: full months and their revenue.
        plain: the heading when none stands out.
    """
    best = sorted(revenue, key=lambda pair: -pair[1])[:2]
    if len(revenue) < 3 or best[0][1] == best[1][1]:
        return plain
    return f"{best[0][0]:%B %Y} was the best month: {compact(best[0][1])}"


def value_heading(groups: Sequence[Named], plain: str, are: str, every: str) -> str:
    """Which customers are worth most so far, and which least.

    Args:
        groups: bands with their names.
        plain: the heading when there is too little to compare.
        are: how customers belong to a band: "aged".
        every: what the bands are of, when they are worth the same: "age".
    """
    worth = sorted(
        (named.group.avg_clv, named.name)
        for named in _large(groups)
        if named.group.avg_clv is not None
    )
    if len(worth) < 2:
        return plain
    (least, lowest), (most, highest) = worth[0], worth[-1]
    if most < _LEVEL_VALUES * least:
        return f"Customers of every {every} are worth about the same"
    return (
        f"Customers {are} {highest} are worth most so far: {compact(most)} each, "
        f"{compact(least)} {are} {lowest}"
    )


def discount_heading(groups: Sequence[Named], plain: str) -> str:
    """What an order is worth without discounts and with the highest."""
    large = _large(groups)
    if len(large) < 2 or large[0].group.band != 0:
        return plain
    without, most = large[0].group.aov, large[-1].group.aov
    if without is None or most is None:
        return plain
    return (
        f"An average order is {compact(without)} without discounts, {compact(most)} with "
        f"{large[-1].name} off"
    )


def coupon_user_heading(groups: Sequence[Named], plain: str) -> str:
    """Whether customers who have used coupons churn more than others."""
    churn = {named.group.band: named.group.churn for named in _large(groups)}
    using, others = churn.get(1), churn.get(0)
    if using is None or others is None or _percent(using) == _percent(others):
        return plain
    verb = "less" if using < others else "more"
    return f"Coupon users churn {verb}: {_percent(using)} against {_percent(others)}"


def country_heading(groups: Sequence[Named], plain: str) -> str:
    """Where customers stay away most, and where least."""
    rates = sorted(
        (named.group.churn, named.name)
        for named in _large(groups)
        if named.group.churn is not None and named.group.name not in (None, UNKNOWN)
    )
    if len(rates) < 2 or rates[-1][0] - rates[0][0] < 0.01:
        return plain
    (least, lowest), (most, highest) = rates[0], rates[-1]
    return f"Churn is {_percent(most)} in {highest} and {_percent(least)} in {lowest}"


def _large(groups: Sequence[Named]) -> list[Named]:
    return [named for named in groups if named.group.customers >= LEAST_CUSTOMERS]


def _percent(share: float) -> str:
    return percent(share).text
