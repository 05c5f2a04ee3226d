"""The cards on who buys: ages, incomes, genders, countries, discounts, coupons.

Belongs here: each as a table, most with a chart of it. Does not belong here: SQL (see `queries`),
wording of headings (see `sentences`), or cards on sales (see `sales`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge_cart_assets.reports.charts import Chart, Series, Unit, hbars
from bridge_cart_assets.reports.explore.queries import Group, Trait
from bridge_cart_assets.reports.explore.sales import spoken
from bridge_cart_assets.reports.explore.sentences import Named
from bridge_cart_assets.reports.formatting import (
    Cell,
    compact_money,
    count,
    grouped,
    percent,
)
from bridge_cart_assets.reports.tables import Column, Sheet, column
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, CUSTOMER_VALUE

NO_CUSTOMER = "No customers are in this filter."
APPLY = "segment, country and top category apply"


@dataclass(frozen=True)
class TraitCard:
    """A trait of the customers, as its card speaks of it.

    Attributes:
        name: of the sheet.
        trait: which groups it shows.
        column, label: name and title of the column of the names.
        subtitle: what is drawn.
        missing: the sentence when no customer of the shop has the trait.
        without: how a customer is called whose trait is not known: "without an age".
        heading: from groups to a sentence.
        bands: names of the bands by their number; none when the groups have names.
        unit: customers (count) or average orders (money) are drawn.
    """

    name: str
    trait: Trait
    column: str
    label: str
    subtitle: str
    missing: str
    without: str
    heading: Callable[[Sequence[Named]], str]
    bands: Sequence[str] = ()
    unit: Unit = "count"


def customer_chart(card: TraitCard, groups: Sequence[Group], is_known: bool) -> Chart:
    """One bar per group, and all its figures as a table.

    Args:
        card: what is shown.
        groups: of every trait, as the catalogue tells them.
        is_known: whether anybody in the shop has the trait.
    """
    everybody = sum(group.customers for group in groups if group.trait == "all")
    named = _named(card, groups) if is_known else []
    left_out = everybody - sum(one.group.customers for one in named)
    title = card.heading(named)
    values = [one.group.aov if card.unit == "money" else one.group.customers for one in named]
    label = "Average order" if card.unit == "money" else "Customers"
    drawn = hbars([_name(one).text for one in named], [Series(label, values)], card.unit)
    return Chart(
        title=title,
        subtitle=f"{card.subtitle}{_left_out(card, left_out) if named else ''}; {APPLY}",
        figures=drawn if len(named) > 1 else None,
        too_little=_too_little(card, named, everybody, is_known),
        sheet=_sheet(card, title, named),
    )


def customer_sheet(card: TraitCard, groups: Sequence[Group], is_known: bool) -> Sheet:
    """The groups as a table alone."""
    everybody = sum(group.customers for group in groups if group.trait == "all")
    named = _named(card, groups) if is_known else []
    empty = _too_little(card, named, everybody, is_known)
    return _sheet(card, card.heading(named), named, empty)


def _named(card: TraitCard, groups: Sequence[Group]) -> list[Named]:
    mine = [group for group in groups if group.trait == card.trait]
    if card.bands:
        return [Named(card.bands[g.band], g) for g in mine if g.band is not None]
    return [Named("All others" if g.name is None else spoken(g.name), g) for g in mine]


def _sheet(card: TraitCard, title: str, named: Sequence[Named], empty: str = NO_CUSTOMER) -> Sheet:
    names = Column(card.column, card.label, _name, "text")
    return Sheet(card.name, title, (names, *CUSTOMER_COLUMNS), named, empty=empty)


def _name(named: Named) -> Cell:
    value = named.group.name or named.name
    return Cell(named.name[:1].upper() + named.name[1:], value, value)


CUSTOMER_COLUMNS = (
    column("customers", "Customers", count, "Customers with a sale", of="group.customers"),
    column("revenue", "Revenue", compact_money, CUSTOMER_FEATURES, of="group.revenue"),
    column("aov", "AOV", compact_money, "Average order value: revenue / orders", of="group.aov"),
    column(
        "repeat_share",
        "Repeat",
        percent,
        "Share of the customers with two orders or more",
        of="group.repeat_share",
    ),
    column(
        "avg_clv",
        "Avg CLV",
        compact_money,
        CUSTOMER_VALUE.meaning("historic_clv"),
        of="group.avg_clv",
    ),
    column("churn_rate", "Churn", percent, CUSTOMER_VALUE.meaning("is_churned"), of="group.churn"),
)


def _left_out(card: TraitCard, customers: int) -> str:
    if not customers:
        return ""
    return f"; {grouped(customers)} {card.without} {'is' if customers == 1 else 'are'} left out"


def _too_little(card: TraitCard, named: Sequence[Named], everybody: int, is_known: bool) -> str:
    if not is_known:
        return card.missing
    if not everybody:
        return NO_CUSTOMER
    if not named:
        return f"Everybody in this filter is {card.without}."
    return f"All of them: {named[0].name}. There is nothing to compare with."
