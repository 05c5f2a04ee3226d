"""The cards on product groups: what customers bought first, and what is bought together.

Belongs here: both as tables, one with a chart. Does not belong here: the formulas (see
`transforms.first_category`, `transforms.category_pairs`), or cards on sales (see `sales`). Both are
of all orders up to the latest day: filters do not apply.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.charts import Chart, Series, hbars
from bridge_cart_assets.reports.explore.queries import UNKNOWN
from bridge_cart_assets.reports.explore.sales import CATEGORIES, spoken
from bridge_cart_assets.reports.explore.sentences import LEAST_CUSTOMERS
from bridge_cart_assets.reports.formatting import Cell, compact_money, count, decimals, percent
from bridge_cart_assets.reports.tables import Column, Sheet, column
from bridge_cart_assets.tables.gold import CATEGORY_PAIRS, FIRST_CATEGORY

NO_FILTERS = "all orders so far; filters do not apply"
_MOST_ROWS = 40
_MOST_DRAWN = 12
# So many times as often as by chance is worth a heading.
_CLEAR_LIFT = 1.2


@dataclass(frozen=True)
class FirstGroup:
    """Customers whose first order was of one category."""

    first_category: str
    customers: int
    repeat_rate: float
    customers_90d: int
    repeat_rate_90d: float | None
    orders_per_customer: float
    revenue_per_customer: float
    net_revenue_per_customer: float


@dataclass(frozen=True)
class Pair:
    """Two categories that are bought together."""

    category_a: str
    category_b: str
    orders: int
    support: float
    confidence_ab: float
    confidence_ba: float
    lift: float


def first_groups(catalogue: Catalogue) -> list[FirstGroup]:
    """The first categories, those of most customers first."""
    source = f"gold.first_category ORDER BY customers DESC, first_category LIMIT {_MOST_ROWS}"
    return catalogue.read(FirstGroup, source)


def pairs(catalogue: Catalogue) -> list[Pair]:
    """The pairs, those of most orders first."""
    source = f"gold.category_pairs ORDER BY orders DESC, category_a, category_b LIMIT {_MOST_ROWS}"
    return catalogue.read(Pair, source)


def first_chart(groups: Sequence[FirstGroup], is_known: bool) -> Chart:
    """Who came again within 90 days by what they bought first, and all figures as a table.

    Args:
        groups: those of most customers first.
        is_known: whether any category is known.
    """
    shown = groups if is_known else ()
    title = first_heading(shown)
    drawn = [one for one in shown if one.repeat_rate_90d is not None][:_MOST_DRAWN]
    names = [spoken(one.first_category) for one in drawn]
    series = Series("Came again within 90 days", [one.repeat_rate_90d for one in drawn])
    too_little = "Bars need two categories whose first customers have had 90 days to come again."
    return Chart(
        title=title,
        subtitle=f"Customers who ordered again within 90 days, of those who had the time, by the "
        f"category of the first order; {NO_FILTERS}",
        figures=hbars(names, [series], "percent") if len(drawn) > 1 else None,
        too_little=too_little if is_known else CATEGORIES.missing,
        sheet=Sheet("first_categories", title, FIRST_COLUMNS, shown, empty=CATEGORIES.missing),
    )


def pair_sheet(found: Sequence[Pair], is_known: bool) -> Sheet:
    """What is bought together.

    Args:
        found: those of most orders first.
        is_known: whether any category is known.
    """
    empty = "No two categories are in one order often enough." if is_known else CATEGORIES.missing
    shown = found if is_known else ()
    return Sheet("category_pairs", pair_heading(shown), PAIR_COLUMNS, shown, empty=empty)


def first_heading(groups: Sequence[FirstGroup]) -> str:
    """Where customers come again most often, and where least, if that differs."""
    rates = sorted(
        (one.repeat_rate_90d, spoken(one.first_category))
        for one in groups
        if one.repeat_rate_90d is not None
        and one.customers_90d >= LEAST_CUSTOMERS
        and one.first_category != UNKNOWN
    )
    if len(rates) < 2 or rates[-1][0] - rates[0][0] < 0.01:
        return "What customers bought first"
    (least, lowest), (most, highest) = rates[0], rates[-1]
    return (
        f"{percent(most).text} of those who began with {highest} came again within 90 days, "
        f"{percent(least).text} with {lowest}"
    )


def pair_heading(found: Sequence[Pair]) -> str:
    """The pair that is bought together most beyond chance, if one stands out."""
    best = max(found, key=lambda one: one.lift, default=None)
    if best is None or best.lift < _CLEAR_LIFT:
        return "What is bought together"
    return (
        f"{spoken(best.category_a)} and {spoken(best.category_b)} are bought together "
        f"{best.lift:.1f} times as often as by chance"
    )


def _first(one: FirstGroup) -> Cell:
    return _named(one.first_category)


def _a(pair: Pair) -> Cell:
    return _named(pair.category_a)


def _b(pair: Pair) -> Cell:
    return _named(pair.category_b)


def _named(category: str) -> Cell:
    return Cell(spoken(category), category, category)


_NO_TIME = "no first order is 90 days old"
_two_decimals = partial(decimals, places=2)
FIRST_COLUMNS: tuple[Column[FirstGroup], ...] = (
    Column("first_category", "First bought", _first, "text"),
    column("customers", "Customers", count, FIRST_CATEGORY),
    column("repeat_rate", "Repeat", percent, FIRST_CATEGORY),
    column("repeat_rate_90d", "In 90 days", percent, FIRST_CATEGORY, _NO_TIME),
    column("customers_90d", "Had 90 days", count, FIRST_CATEGORY),
    column("orders_per_customer", "Orders each", _two_decimals, FIRST_CATEGORY),
    column("revenue_per_customer", "Revenue each", compact_money, FIRST_CATEGORY),
    column("net_revenue_per_customer", "Net each", compact_money, FIRST_CATEGORY),
)
PAIR_COLUMNS: tuple[Column[Pair], ...] = (
    Column("category_a", "Category", _a, "text"),
    Column("category_b", "With", _b, "text"),
    column("orders", "Orders", count, CATEGORY_PAIRS),
    column("support", "Support", percent, CATEGORY_PAIRS),
    column("confidence_ab", "Then with", percent, CATEGORY_PAIRS),
    column("confidence_ba", "And back", percent, CATEGORY_PAIRS),
    column("lift", "Lift", _two_decimals, CATEGORY_PAIRS),
)
