"""Who is in each segment: what it is, its figures, and its typical customer.

Belongs here: the two tables of the living segments. Does not belong here: SQL (see `queries`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
from bridge_cart_assets.reports.tables import (
    Column,
    Heading,
    Row,
    Sheet,
    count_column,
    sheet_of,
    text_column,
)
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, CUSTOMER_VALUE, SEGMENT_METRICS

NO_SEGMENTS = "No segments yet: they begin with the first segment model."
NO_CUSTOMER_IN_FILTER = "No customer is in this filter: take one of its parts away."
NO_CUSTOMER = "No customer has a segment on the latest day."


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
            share=percent(profile.segment_contribution, "the shop has no revenue yet"),
            description=profile.description or "The model says nothing about this segment.",
            action=profile.action or "",
        )
        for profile in profiles
    )


def segments_now(profiles: Sequence[SegmentProfile]) -> Sheet:
    """The current figures of whole segments."""
    column = Column[SegmentProfile]
    meaning = SEGMENT_METRICS.meaning
    return sheet_of(
        "segments",
        "Segments now",
        (
            text_column("segment_name", "Segment"),
            count_column("customers", "Customers", meaning("customers")),
            column(
                "segment_contribution",
                "Revenue share",
                lambda profile: percent(
                    profile.segment_contribution, "the shop has no revenue yet"
                ),
                meaning=meaning("segment_contribution"),
                bar=True,
            ),
            column(
                "avg_clv",
                "Avg CLV so far",
                lambda profile: compact_money(profile.avg_clv, "the segment has no customers"),
                meaning=meaning("avg_clv"),
            ),
            column(
                "aov",
                "AOV",
                lambda profile: compact_money(profile.aov, "the segment has no orders"),
                meaning=meaning("aov"),
            ),
            column(
                "churn_rate",
                "Churn",
                lambda profile: percent(profile.churn_rate, "the segment has no customers"),
                meaning=meaning("churn_rate"),
            ),
        ),
        profiles,
        colour=lambda profile: segment_colour(profile.segment_id),
        empty=NO_SEGMENTS,
    )


def typical_customers(
    profiles: Sequence[SegmentProfile], typical: Sequence[Typical], filters: Filters
) -> Sheet:
    """Who the customers in the filter are, segment by segment."""
    by_id = {of.average.segment_id: of for of in typical}
    meaning = CUSTOMER_FEATURES.meaning
    return Sheet(
        name="typical",
        title="Typical customers",
        columns=(
            Heading("segment_name", "Segment", "text"),
            Heading("customers", "Customers", meaning="Customers of the segment in the filter"),
            Heading(
                "historic_clv", "Avg CLV so far", meaning=CUSTOMER_VALUE.meaning("historic_clv")
            ),
            Heading(
                "predicted_clv_365d",
                "Avg CLV, next 365 days",
                meaning=CUSTOMER_VALUE.meaning("predicted_clv_365d"),
            ),
            Heading("median_recency_days", "Days since last sale", meaning=meaning("recency_days")),
            Heading("median_frequency", "Repeat purchases", meaning=meaning("frequency")),
            Heading("median_revenue", "Revenue", meaning=meaning("revenue")),
            Heading("median_coupon_rate", "Orders with coupon", meaning=meaning("coupon_rate")),
        ),
        rows=tuple(_typical_row(profile, by_id.get(profile.segment_id)) for profile in profiles)
        if typical
        else (),
        empty=_why_nobody(filters) if profiles else NO_SEGMENTS,
    )


def _why_nobody(filters: Filters) -> str:
    return NO_CUSTOMER if filters.country is filters.category is None else NO_CUSTOMER_IN_FILTER


def _typical_row(profile: SegmentProfile, typical: Typical | None) -> Row:
    colour = segment_colour(profile.segment_id)
    if typical is None:
        why = "no customer of the segment is in the filter"
        missing = tuple(count(None, why) for _ in range(6))
        return Row((words(profile.segment_name), count(0), *missing), colour)
    return Row(
        (
            words(profile.segment_name),
            count(typical.average.customers),
            compact_money(typical.average.historic_clv),
            compact_money(typical.average.predicted_clv, typical.average.model_status),
            decimals(typical.recency_days, _places(typical.recency_days)),
            decimals(typical.frequency, _places(typical.frequency)),
            compact_money(typical.revenue),
            percent(typical.coupon_rate),
        ),
        colour,
    )


def _places(median: Number | None) -> int:
    """The median of an even number of whole numbers may end in a half."""
    return 0 if median is None or median == int(median) else 1


def typical_note(filters: Filters, typical: Sequence[Typical]) -> str:
    """What the second table is about, and where its predictions come from if not the model."""
    parts = [name for name in (filters.country, filters.category) if name is not None]
    about = f"Customers in the filter ({', '.join(parts)})" if parts else "All customers"
    statuses = sorted({of.average.model_status for of in typical} - {"fitted"})
    predictions = f" Predictions: {'; '.join(statuses)}." if statuses else ""
    return (
        f"{about}: CLV on average, everything after it the median, the customer in the middle."
        f"{predictions}"
    )
