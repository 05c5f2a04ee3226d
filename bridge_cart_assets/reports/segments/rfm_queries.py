"""What the segments page asks the catalogue about RFM groups, and the shapes of the answers.

Belongs here: SQL with bound parameters. Does not belong here: wording, rounding or layout (see
`rfm`), or the segments (see `queries`).
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.filters import Filters
from bridge_cart_assets.reports.formatting import Number

_IN_FILTER = """
    gold.customer_rfm r JOIN gold.customer_features f USING (customer_id)
    WHERE ($segment IS NULL OR r.customer_id IN (
               SELECT customer_id FROM gold.customer_segments WHERE segment_id = $segment))
      AND ($country IS NULL OR f.country = $country)
      AND ($category IS NULL OR f.top_category = $category)
"""


@dataclass(frozen=True)
class GroupFigures:
    """The customers of an RFM group who are in the filter."""

    rfm_group: str
    customers: int
    revenue: Decimal
    net_revenue: Decimal
    median_recency_days: Number


def groups(catalogue: Catalogue, filters: Filters) -> list[GroupFigures]:
    """The groups that have a customer in the filter."""
    sql = f"""
        SELECT r.rfm_group, count(*), CAST(sum(f.revenue) AS DECIMAL(18, 2)),
               CAST(sum(r.net_revenue) AS DECIMAL(18, 2)), median(r.recency_days)
        FROM {_IN_FILTER} GROUP BY r.rfm_group
    """  # noqa: S608 - texts of ours
    return catalogue.ask(GroupFigures, sql, filters.of_customers)


@dataclass(frozen=True, slots=True)
class Scored:
    """A customer of a group."""

    customer_id: str
    r_score: int
    f_score: int
    m_score: int
    recency_days: int
    orders: int
    net_revenue: Decimal


def customers_of(
    catalogue: Catalogue, rfm_group: str, filters: Filters, most: int | None
) -> list[Scored]:
    """The customers of a group in the filter, most money first; `most` None means all."""
    sql = f"""
        SELECT r.customer_id, r.r_score, r.f_score, r.m_score, r.recency_days, r.orders,
               r.net_revenue
        FROM {_IN_FILTER} AND r.rfm_group = $rfm_group
        ORDER BY r.net_revenue DESC, r.customer_id LIMIT $most
    """  # noqa: S608 - texts of ours
    parameters = {**filters.of_customers, "rfm_group": rfm_group, "most": most}
    return catalogue.ask(Scored, sql, parameters)


@dataclass(frozen=True)
class GroupMove:
    """Customers who went from one group to another in a month, or stayed."""

    from_group: str
    to_group: str
    customers: int


def group_moves(catalogue: Catalogue, period_end: date) -> list[GroupMove]:
    """Who moved where in a month, the most frequent pair first."""
    source = (
        "gold.rfm_migration WHERE period_end = $period_end "
        "ORDER BY customers DESC, from_group, to_group"
    )
    return catalogue.read(GroupMove, source, {"period_end": period_end})
