"""What the segments page asks the catalogue: one query per figure, and the shape of its answer.

Belongs here: SQL with bound parameters. Does not belong here: wording, rounding or layout.
Where a segment may be asked for, None means all of them.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.filters import Filters
from bridge_cart_assets.reports.formatting import Number
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES


@dataclass(frozen=True)
class SegmentProfile:
    """A living segment: what it is, and its current figures over all its customers."""

    segment_id: int
    segment_name: str
    description: str | None
    action: str | None
    customers: int
    segment_contribution: float | None
    avg_clv: Decimal | None
    aov: Decimal | None
    churn_rate: float | None


def profiles(catalogue: Catalogue, segment: int | None) -> list[SegmentProfile]:
    """The living segments, the one that brings most revenue first.

    A segment that the latest model has given up keeps the words of the last model that had it,
    as long as it has customers.
    """
    sql = """
        WITH words AS (
            SELECT segment_id, arg_max(description, model_version) AS description,
                   arg_max(action, model_version) AS action
            FROM gold.segment_model GROUP BY segment_id
        )
        SELECT m.segment_id, m.segment_name, words.description, words.action, m.customers,
               m.segment_contribution, m.avg_clv, m.aov, m.churn_rate
        FROM gold.segment_metrics m LEFT JOIN words USING (segment_id)
        WHERE m.is_current AND ($segment IS NULL OR m.segment_id = $segment)
        ORDER BY m.segment_contribution DESC NULLS LAST, m.segment_id
    """
    return catalogue.ask(SegmentProfile, sql, {"segment": segment})


@dataclass(frozen=True)
class Typical:
    """The customers of a segment who are in the filter: average value, and medians of habits."""

    segment_id: int
    customers: int
    historic_clv: float | None
    predicted_clv_365d: float | None
    model_status: str
    median_recency_days: Number | None = None
    median_frequency: Number | None = None
    median_revenue: Number | None = None
    median_coupon_rate: Number | None = None


_IN_FILTER = """
    ($country IS NULL OR country = $country) AND ($category IS NULL OR top_category = $category)
"""


def typical(catalogue: Catalogue, filters: Filters) -> list[Typical]:
    """The customers of each segment who are in the filter; no row for a segment without any.

    One question per figure: a median holds all its values in memory, and of a million customers
    four at once are more than the server has.
    """
    habits = ("recency_days", "frequency", "revenue", "coupon_rate")
    medians = [_medians(catalogue, filters, habit) for habit in habits]
    return [
        Typical(*average, *(median.get(average[0]) for median in medians))
        for average in _averages(catalogue, filters)
    ]


def _averages(catalogue: Catalogue, filters: Filters) -> list[tuple[Any, ...]]:
    everybody = filters.country is None and filters.category is None
    among = f"IN (SELECT customer_id FROM gold.customer_features WHERE {_IN_FILTER})"  # noqa: S608
    sql = f"""
        SELECT s.segment_id, count(*), CAST(avg(v.historic_clv) AS DOUBLE),
               CAST(avg(v.predicted_clv_365d) AS DOUBLE), max(v.model_status)
        FROM gold.customer_segments s JOIN gold.customer_value v USING (customer_id)
        WHERE ($segment IS NULL OR s.segment_id = $segment)
          {"" if everybody else f"AND v.customer_id {among}"}
        GROUP BY s.segment_id
    """  # noqa: S608 - all parts are ours
    parameters = {"segment": filters.segment} if everybody else filters.of_customers
    return catalogue.ask(lambda *row: row, sql, parameters)


def _medians(catalogue: Catalogue, filters: Filters, column: str) -> dict[int, Number | None]:
    """The median of a column of gold.customer_features by segment."""
    assert column in CUSTOMER_FEATURES.columns  # noqa: S101 - a name of ours, never of an address
    sql = f"""
        SELECT s.segment_id, median(f.{column})
        FROM gold.customer_segments s
        JOIN (
            SELECT customer_id, {column} FROM gold.customer_features WHERE {_IN_FILTER}
        ) f USING (customer_id)
        WHERE $segment IS NULL OR s.segment_id = $segment
        GROUP BY s.segment_id
    """  # noqa: S608
    return dict(catalogue.ask(lambda *row: row, sql, filters.of_customers))


@dataclass(frozen=True)
class Week:
    """A segment's figures on one day, under the segment's latest name."""

    day: date
    segment_id: int
    segment_name: str
    customers: int
    churn_rate: float | None
    segment_contribution: float | None
    avg_clv: Decimal | None
    aov: Decimal | None


def weeks(
    catalogue: Catalogue, segment: int | None, last: date, points: int, step: int
) -> list[Week]:
    """Figures of every segment on `last` and each `step`-th day before it, oldest first.

    Args:
        catalogue: the catalogue.
        segment: only this one.
        last: the latest day.
        points: how many days before it.
        step: days from one to the next.
    """
    sql = """
        WITH days AS (
            SELECT CAST($last AS DATE) - CAST($step * point AS INTEGER) AS day
            FROM range(CAST($points AS BIGINT) + 1) AS points(point)
        ), names AS (
            SELECT segment_id, arg_max(segment_name, valid_from) AS segment_name
            FROM gold.segment_metrics GROUP BY segment_id
        )
        SELECT days.day, m.segment_id, names.segment_name, m.customers, m.churn_rate,
               m.segment_contribution, m.avg_clv, m.aov
        FROM days
        JOIN gold.segment_metrics m
          ON m.valid_from <= days.day AND (m.valid_to IS NULL OR days.day < m.valid_to)
        JOIN names USING (segment_id)
        WHERE $segment IS NULL OR m.segment_id = $segment
        ORDER BY days.day, m.segment_id
    """
    parameters = {"segment": segment, "last": last, "points": points, "step": step}
    return catalogue.ask(Week, sql, parameters)


def months(catalogue: Catalogue) -> list[date]:
    """The last days of the months that have ended, the latest first."""
    sql = "SELECT DISTINCT period_end FROM gold.segment_migration ORDER BY period_end DESC"
    return catalogue.ask(lambda day: day, sql)


@dataclass(frozen=True)
class Flow:
    """Customers who went from one segment to another in a month, or stayed.

    Attributes:
        from_segment_id: 0 for customers without a sale before.
        lost: of them, lapsed since; won_back: of them, lapsed before and not any more.
    """

    from_segment_id: int
    from_name: str | None
    to_segment_id: int
    to_name: str | None
    customers: int
    lost: int
    won_back: int


def flows(catalogue: Catalogue, segment: int | None, period_end: date) -> list[Flow]:
    """Who moved where in a month, segments by their latest names; with a segment, from or to it."""
    sql = """
        WITH names AS (
            SELECT segment_id, arg_max(segment_name, valid_from) AS name
            FROM gold.segment_metrics GROUP BY segment_id
        )
        SELECT m.from_segment_id, f.name, m.to_segment_id, t.name, m.customers, m.lost, m.won_back
        FROM gold.segment_migration m
        LEFT JOIN names f ON f.segment_id = m.from_segment_id
        LEFT JOIN names t ON t.segment_id = m.to_segment_id
        WHERE m.period_end = $period_end
          AND ($segment IS NULL OR $segment IN (m.from_segment_id, m.to_segment_id))
        ORDER BY m.from_segment_id = 0, m.from_segment_id, m.to_segment_id
    """
    return catalogue.ask(Flow, sql, {"segment": segment, "period_end": period_end})


@dataclass(frozen=True)
class ModelVersion:
    """One version of the segment model; the gate and its verdict are those of the stability."""

    model_version: int
    trained_as_of: date
    trained_because: str
    trained_on: int
    segments: int
    stability: float | None
    gate: str | None
    passed: bool | None
    silhouette: float | None


def model_versions(catalogue: Catalogue, most: int) -> list[ModelVersion]:
    """The latest versions of the segment model, the latest first."""
    sql = """
        SELECT m.model_version, m.trained_as_of, m.trained_because, m.trained_on, m.segments,
               m.stability, g.gate, g.passed, m.silhouette
        FROM (
            SELECT model_version, min(trained_as_of) AS trained_as_of,
                   min(trained_because) AS trained_because, min(trained_on) AS trained_on,
                   count(*) AS segments, min(stability) AS stability,
                   min(silhouette) AS silhouette
            FROM gold.segment_model GROUP BY model_version
        ) m
        LEFT JOIN gold.model_metrics g
          ON g.model = 'segments' AND g.metric = 'stability' AND g.model_version = m.model_version
        ORDER BY m.model_version DESC LIMIT $most
    """
    return catalogue.ask(ModelVersion, sql, {"most": most})


@dataclass(frozen=True)
class Flicker:
    """Customers who left a segment and were back within 30 days, in the last 90 days."""

    customers: int
    share: float


def flicker(catalogue: Catalogue) -> Flicker | None:
    """How many customers have flickered; None where it was not counted."""
    sql = """
        SELECT CAST(c.value AS BIGINT), s.value
        FROM gold.model_metrics c JOIN gold.model_metrics s USING (model, model_version)
        WHERE model = 'segments' AND c.metric = 'flickering_customers'
          AND s.metric = 'flickering_share'
        ORDER BY model_version DESC LIMIT 1
    """
    return next(iter(catalogue.ask(Flicker, sql)), None)


@dataclass(frozen=True)
class SegmentDrift:
    """How far one distribution has moved since the model in effect was trained."""

    subject: str
    trained_as_of: date
    psi: float | None
    bound: float
    has_drifted: bool
    as_of: date


def drift(catalogue: Catalogue) -> list[SegmentDrift]:
    """Every distribution that is watched, the one that has moved furthest first."""
    return catalogue.read(SegmentDrift, "gold.model_drift ORDER BY psi DESC NULLS LAST, subject")


def a_customer(catalogue: Catalogue) -> str | None:
    """Some customer who is in a segment: the first by id."""
    sql = "SELECT min(customer_id) FROM gold.customer_segments"
    customer_id: str | None = catalogue.value(sql)
    return customer_id
