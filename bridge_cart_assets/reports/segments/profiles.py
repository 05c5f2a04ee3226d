"""Who is in each segment: what it is, its figures, and its typical customer.

Belongs here: the two tables of the living segments. Does not belong here: SQL (see `queries`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from bridge_cart_assets.reports.charts import segment_colour
from bridge_cart_assets.reports.filters import Filters
from bridge_cart_assets.reports.formatting import (
    Cell,
    Number,
    compact_money,
    count,
    decimals,
    percent,
    words,
)
from bridge_cart_assets.reports.segments.queries import SegmentProfile, Typical
from bridge_cart_assets.reports.tables import Column, Sheet, column
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, CUSTOMER_VALUE, SEGMENT_METRICS

NO_SEGMENTS = "No segments yet: they begin with the first segment model."
NO_CUSTOMER_IN_FILTER = "No customer is in this filter: take one of its parts away."
NO_REVENUE = "the shop has no revenue yet"
NO_CUSTOMER = "No customer has a segment on the latest day."
_NO_CUSTOMER_OF_SEGMENT = "no customer of the segment is in the filter"


@dataclass(frozen=True)
class Card:
    """A segment in words."""

    name: str
    colour: str
    customers: Cell
    share: Cell
    description: str
    action: str


def cards(profiles: Sequence[SegmentProfile]) -> tuple[Card, ...]:
    """One card per living segment."""
    return tuple(
        Card(
            name=profile.segment_name,
            colour=segment_colour(profile.segment_id),
            customers=count(profile.customers),
            share=percent(profile.segment_contribution, NO_REVENUE),
            description=profile.description or "The model says nothing about this segment.",
            action=profile.action or "",
        )
        for profile in profiles
    )


def segments_now(profiles: Sequence[SegmentProfile]) -> Sheet:
    """The current figures of whole segments."""
    no_customers = "the segment has no customers"
    of = SEGMENT_METRICS
    return Sheet(
        "segments",
        "Segments now",
        (
            column("segment_name", "Segment", words),
            column("customers", "Customers", count, of),
            column("segment_contribution", "Revenue share", percent, of, NO_REVENUE, bar=True),
            column("avg_clv", "Avg CLV so far", compact_money, of, no_customers),
            column("aov", "AOV", compact_money, of, "the segment has no orders"),
            column("churn_rate", "Churn", percent, of, no_customers),
        ),
        profiles,
        colour=lambda profile: segment_colour(profile.segment_id),
        empty=NO_SEGMENTS,
    )


def typical_customers(
    profiles: Sequence[SegmentProfile], typical: Sequence[Typical], filters: Filters
) -> Sheet:
    """Who the customers in the filter are, segment by segment."""
    names = {profile.segment_id: profile.segment_name for profile in profiles}
    by_id = {i: Typical(i, 0, None, None, _NO_CUSTOMER_OF_SEGMENT) for i in names}
    by_id |= {of.segment_id: of for of in typical if of.segment_id in names}
    meaning = CUSTOMER_FEATURES.meaning
    shown = partial(column, missing=_NO_CUSTOMER_OF_SEGMENT)
    return Sheet(
        "typical",
        "Typical customers",
        (
            column("segment_name", "Segment", words, of=lambda of: names[of.segment_id]),
            column("customers", "Customers", count, "Customers of the segment in the filter"),
            shown("historic_clv", "Avg CLV so far", compact_money, CUSTOMER_VALUE),
            Column[Typical](
                "predicted_clv_365d",
                "Avg CLV, next 365 days",
                lambda of: compact_money(of.predicted_clv_365d, of.model_status),
                meaning=CUSTOMER_VALUE.meaning("predicted_clv_365d"),
            ),
            shown("median_recency_days", "Days since last sale", _median, meaning("recency_days")),
            shown("median_frequency", "Repeat purchases", _median, meaning("frequency")),
            shown("median_revenue", "Revenue", compact_money, meaning("revenue")),
            shown("median_coupon_rate", "Orders with coupon", percent, meaning("coupon_rate")),
        ),
        list(by_id.values()) if typical else (),
        colour=lambda of: segment_colour(of.segment_id),
        empty=_why_nobody(filters) if profiles else NO_SEGMENTS,
    )


def _why_nobody(filters: Filters) -> str:
    return NO_CUSTOMER if filters.country is filters.category is None else NO_CUSTOMER_IN_FILTER


def _median(value: Number | None, why: str) -> Cell:
    """The median of an even number of whole numbers may end in a half."""
    return decimals(value, 0 if value is None or value == int(value) else 1, why)


def typical_note(filters: Filters, typical: Sequence[Typical]) -> str:
    """What the second table is about, and where its predictions come from if not the model."""
    parts = [name for name in (filters.country, filters.category) if name is not None]
    about = f"Customers in the filter ({', '.join(parts)})" if parts else "All customers"
    statuses = sorted({of.model_status for of in typical} - {"fitted"})
    predictions = f" Predictions: {'; '.join(statuses)}." if statuses else ""
    return (
        f"{about}: CLV on average, everything after it the median, the customer in the middle."
        f"{predictions}"
    )
