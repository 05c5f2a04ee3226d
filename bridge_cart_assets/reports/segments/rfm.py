"""The ten RFM groups: their figures, the customers of one of them, and who moved.

Belongs here: the tables and their sentences. Does not belong here: SQL (see `rfm_queries`), or what
a group means (`transforms.rfm_groups`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.customer.page import address_of
from bridge_cart_assets.reports.filters import Option, PageQuery, Parameter
from bridge_cart_assets.reports.formatting import (
    Cell,
    Number,
    count,
    customers,
    decimals,
    grouped,
    money,
    percent,
    words,
)
from bridge_cart_assets.reports.segments import rfm_queries as queries
from bridge_cart_assets.reports.segments.migration import iso_month
from bridge_cart_assets.reports.tables import Column, Sheet, column, left_out
from bridge_cart_assets.tables.gold import CUSTOMER_RFM, RFM_MIGRATION
from bridge_cart_assets.transforms.rfm_groups import GROUPS, NO_SALE, RfmGroup

MOST_LISTED = 50
LISTED = "rfm_customers"
GROUP = Parameter(
    name="rfm",
    label="RFM group",
    options=tuple(Option(group.name, group.label) for group in GROUPS.values()),
    in_form=False,
)
NO_GROUPS = "No RFM groups yet: they begin with the first segment model."
_NO_CUSTOMER = "no customer of the group is in the filter"


@dataclass(frozen=True)
class RfmPart:
    """What the segments page shows of RFM groups.

    Attributes:
        groups: the ten groups; about_groups: a sentence on them.
        chosen: the group whose customers are listed, about_listed a sentence on it.
        moves, about_moves: who moved from group to group in the month.
    """

    groups: Sheet
    about_groups: str
    chosen: RfmGroup
    listed: Sheet
    about_listed: str
    moves: Sheet
    about_moves: str


def rfm_part(catalogue: Catalogue, asked: PageQuery, month: date | None, path: str) -> RfmPart:
    """The part of the page.

    Args:
        catalogue: the catalogue.
        asked: filters, and the group whose customers are listed.
        month: whose moves are shown; None before the first month has ended.
        path: where the page is.
    """
    figures = {one.rfm_group: one for one in queries.groups(catalogue, asked.filters)}
    chosen = GROUPS[asked.own[GROUP.name]]
    most = None if asked.in_full else MOST_LISTED
    listed = queries.customers_of(catalogue, chosen.name, asked.filters, most)
    there_are = figures[chosen.name].customers if chosen.name in figures else 0
    moves = queries.group_moves(catalogue, month) if month else []
    return RfmPart(
        groups=_groups_sheet(figures, asked, path),
        about_groups="By recency, orders and net revenue, each compared with the other customers "
        "of the shop; the groups follow from scores of 1 to 5. Choose a group to see who is in it.",
        chosen=chosen,
        listed=_listed_sheet(chosen, listed),
        about_listed=" ".join(
            filter(
                None,
                (chosen.meaning, chosen.action, left_out("first", len(listed), there_are)),
            )
        ),
        moves=_moves_sheet(moves),
        about_moves=moves_sentence(moves, month),
    )


def _groups_sheet(figures: dict[str, queries.GroupFigures], asked: PageQuery, path: str) -> Sheet:
    """All ten groups, those without a customer too."""
    total = sum(one.customers for one in figures.values())
    revenue = sum(one.revenue for one in figures.values())

    def of(group: RfmGroup, name: str) -> Number | None:
        if group.name not in figures:
            return 0 if name == "customers" else None
        figure: Number = getattr(figures[group.name], name)
        return figure

    def shares(name: str, whole: Number) -> Column[RfmGroup]:
        def share(group: RfmGroup) -> float | None:
            return float(of(group, name) or 0) / float(whole) if whole else None

        title = "Share" if name == "customers" else "Revenue share"
        return column(f"share_of_{name}", title, percent, of=share, bar=name == "customers")

    return Sheet(
        "rfm",
        "RFM groups now",
        (
            Column[RfmGroup](
                "rfm_group",
                "Group",
                lambda group: _label(group.name),
                "text",
                CUSTOMER_RFM.meaning("rfm_group"),
            ),
            column("customers", "Customers", count, of=lambda group: of(group, "customers")),
            shares("customers", total),
            column("revenue", "Revenue", money, "", _NO_CUSTOMER, of=lambda g: of(g, "revenue")),
            shares("revenue", revenue),
            column(
                "net_revenue",
                "Net revenue",
                money,
                "Revenue minus refunds",
                _NO_CUSTOMER,
                of=lambda group: of(group, "net_revenue"),
            ),
            column(
                "median_recency_days",
                "Days since last sale",
                _median,
                "Of the customer in the middle",
                _NO_CUSTOMER,
                of=lambda group: of(group, "median_recency_days"),
            ),
            column("meaning", "Who they are", words),
        ),
        list(GROUPS.values()) if figures else (),
        href=lambda group: f"{path}{asked.query(**{GROUP.name: group.name})}#{LISTED}-title",
        empty=NO_GROUPS,
    )


def _listed_sheet(chosen: RfmGroup, listed: Sequence[queries.Scored]) -> Sheet:
    of = CUSTOMER_RFM
    return Sheet(
        LISTED,
        f"Customers in the group {chosen.label}",
        (
            column("customer_id", "Customer", words),
            column("r_score", "R", count, of),
            column("f_score", "F", count, of),
            column("m_score", "M", count, of),
            column("recency_days", "Days since last sale", count, of),
            column("orders", "Orders", count, of),
            column("net_revenue", "Net revenue", money, of),
        ),
        listed,
        href=lambda customer: address_of(customer.customer_id),
        empty="No customer of this group is in the filter.",
    )


def _moves_sheet(moves: Sequence[queries.GroupMove]) -> Sheet:
    """Those who changed their group, and newcomers; who stayed is in the sentence."""
    from_there: dict[str, int] = {}
    for move in moves:
        from_there[move.from_group] = from_there.get(move.from_group, 0) + move.customers
    return Sheet(
        "rfm_migration",
        "Moves between RFM groups",
        (
            Column[queries.GroupMove](
                "from_group", "From", lambda move: _label(move.from_group), "text"
            ),
            Column[queries.GroupMove]("to_group", "To", lambda move: _label(move.to_group), "text"),
            column("customers", "Customers", count, RFM_MIGRATION),
            column(
                "share_of_from",
                "Of those from there",
                percent,
                "customers / all from there, with those who stayed",
                of=lambda move: move.customers / from_there[move.from_group],
            ),
        ),
        [move for move in moves if move.from_group != move.to_group],
        empty="No month has ended since the first sale: moves come with the next one."
        if not moves
        else "No customer changed the group in this month.",
    )


def moves_sentence(moves: Sequence[queries.GroupMove], month: date | None) -> str:
    """How many changed their group in the month, and how many came.

    >>> moves = [
    ...     queries.GroupMove("NEW", "ACTIVE", 3),
    ...     queries.GroupMove("NEW", "NEW", 5),
    ...     queries.GroupMove("NO_SALE", "NEW", 1),
    ... ]
    >>> moves_sentence(moves, date(2024, 7, 31))
    '2024-07: 3 of 8 customers changed their group; 1 customer bought for the first time.'
    """
    if month is None or not moves:
        return ""
    before = sum(move.customers for move in moves if move.from_group != NO_SALE)
    moved = sum(m.customers for m in moves if m.from_group not in {NO_SALE, m.to_group})
    new = sum(move.customers for move in moves if move.from_group == NO_SALE)
    return (
        f"{iso_month(month)}: {grouped(moved)} of {customers(before)} changed their group; "
        f"{customers(new)} bought for the first time."
    )


def label_of(name: str) -> str:
    """A group as people write it.

    >>> label_of("AT_RISK"), label_of("NO_SALE"), label_of("?")
    ('At risk', 'New customers', '?')
    """
    if name == NO_SALE:
        return "New customers"
    return GROUPS[name].label if name in GROUPS else name


def _label(name: str) -> Cell:
    return Cell(label_of(name), name, name)


def _median(value: Number | None, why: str) -> Cell:
    """The median of an even number of whole numbers may end in a half."""
    return decimals(value, 0 if value is None or value == int(value) else 1, why)
