"""The segments of customers now and on every day so far, and the figures of each segment.

Belongs here: putting the models (`models.segments`) and the history of states
(`transforms.history`) together. Does not belong here: fitting, or reading and writing.
"""

import operator
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Protocol, TypeVar

import polars as pl

from bridge_cart_assets.models.segments import (
    SegmentModel,
    assign,
    fit,
    from_rows,
    scored,
)
from bridge_cart_assets.models.trajectory import trajectory
from bridge_cart_assets.tables.gold import CUSTOMER_HISTORY, CUSTOMER_SEGMENTS, SEGMENT_METRICS
from bridge_cart_assets.transforms import history
from bridge_cart_assets.transforms.changes import Changes, Rows, is_among


class Versioned(Protocol):
    """A version of a model that decides from a day on."""

    @property
    def effective_from(self) -> date:
        """First day that it is applied to; the first version applies to every day."""


V = TypeVar("V", bound=Versioned)


def with_new_model(
    models: pl.DataFrame, features: pl.DataFrame, as_of: date, because: str = "first"
) -> pl.DataFrame:
    """The rows of gold/segment_model with one more version, trained on the customers of now.

    Args:
        models: rows of gold/segment_model.
        features: rows of gold/customer_features, at least one.
        as_of: latest batch day in silver.
        because: first, asked, age or drift: the reason for one more.

    A version that is trained on the same customers keeps the ids of their segments:

    >>> from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, SEGMENT_MODEL
    >>> customers = [
    ...     {"customer_id": "C1", "recency_days": 3, "frequency": 9, "revenue": 900, "orders": 10},
    ...     {"customer_id": "C2", "recency_days": 90, "frequency": 0, "revenue": 40, "orders": 1},
    ... ]
    >>> features = pl.DataFrame(customers, schema=CUSTOMER_FEATURES.dtypes)
    >>> features = features.with_columns(coupon_rate=0.0)
    >>> models = with_new_model(SEGMENT_MODEL.empty(), features, date(2024, 1, 31))
    >>> models = with_new_model(models, features, date(2024, 3, 1), "age")
    >>> models.select("model_version", "segment_id", "trained_because", "moved_share").rows()
    [(1, 1, 'first', None), (1, 2, 'first', None), (2, 1, 'age', 0.0), (2, 2, 'age', 0.0)]
    """
    earlier = from_rows(models)
    model = fit(features, as_of, earlier, because)
    if earlier:
        model = replace(model, moved=moved_share(earlier[-1], model, features))
    return pl.concat([models, model.rows().select(models.columns).cast(models.schema)])


def moved_share(one: SegmentModel, other: SegmentModel, features: pl.DataFrame) -> float:
    """The share of the customers whom two models put into different segments, by the same figures.

    Args:
        one, other: the models.
        features: rows of gold/customer_features, at least one.
    """
    segments = (assign(model, features)["segment_id"] for model in (one, other))
    return float(operator.ne(*segments).sum() / features.height)


def customer_segments(features: pl.LazyFrame, models: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """The segment of each customer at `as_of`, by the model in effect.

    Args:
        features: rows of gold/customer_features.
        models: rows of gold/segment_model.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/customer_segments.

    Of two versions the latest is the model in effect:

    >>> from bridge_cart_assets.models.segments import FEATURES
    >>> from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, SEGMENT_MODEL
    >>> vectors = {"means": [0.0] * 4, "scales": [1.0] * 4, "centroid": [0.0] * 4}
    >>> model = {"segment_id": 1, "features": list(FEATURES), **vectors}
    >>> rows = [
    ...     {**model, "model_version": 1, "segment_name": "Dormant"},
    ...     {**model, "model_version": 2, "segment_name": "Recent buyers"},
    ... ]
    >>> models = pl.LazyFrame(rows, schema=SEGMENT_MODEL.dtypes)
    >>> features = pl.LazyFrame([{"customer_id": "C1"}], schema=CUSTOMER_FEATURES.dtypes)
    >>> segments = customer_segments(features.fill_null(0), models, date(2024, 1, 31))
    >>> segments.select("segment_name", "model_version", "distance").rows()
    [('Recent buyers', 2, 0.0)]
    """
    versions = from_rows(models.collect())
    if not versions:
        return CUSTOMER_SEGMENTS.empty()
    model = versions[-1]
    return (
        scored(model, features)
        .select(
            "customer_id",
            pl.lit(as_of).alias("as_of"),
            "segment_id",
            "segment_name",
            "distance",
            "margin",
            pl.lit(model.version, dtype=pl.Int64).alias("model_version"),
        )
        .collect()
    )


def customer_history(purchases: pl.LazyFrame, models: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """Segment and lifecycle of each customer at the end of every day up to `as_of`.

    Args:
        purchases: rows of silver/purchases.
        models: rows of gold/segment_model; each is applied from its effective_from on, the
            first to every day before too.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/customer_history.

    The boundary of these two segments is at log1p(recency) = 2, between 6 and 7 days:

    >>> from bridge_cart_assets.models.segments import FEATURES
    >>> from bridge_cart_assets.tables.gold import SEGMENT_MODEL
    >>> from bridge_cart_assets.tables.silver import PURCHASES
    >>> scaling = {"features": list(FEATURES), "means": [0.0] * 4, "scales": [1.0] * 4}
    >>> segments = [
    ...     {**scaling, "segment_id": 1, "centroid": [0.0, 0.0, 0.0, 0.0]},
    ...     {**scaling, "segment_id": 2, "centroid": [4.0, 0.0, 0.0, 0.0]},
    ... ]
    >>> models = pl.LazyFrame(segments, schema=SEGMENT_MODEL.dtypes)
    >>> line = {"customer_id": "C1", "kind": "sale", "purchase_day": date(2024, 1, 1)}
    >>> purchases = pl.LazyFrame([{**line, "net_amount": 10}], schema=PURCHASES.dtypes)
    >>> states = customer_history(purchases, models, as_of=date(2024, 2, 1))
    >>> states.select(pl.col("valid_from").dt.to_string(), "segment_id", "lifecycle").rows()
    [('2024-01-01', 1, 'new'), ('2024-01-08', 2, 'new'), ('2024-01-31', 2, 'active')]
    """
    versions = from_rows(models.collect())
    return _history(history.purchase_states(purchases, as_of), versions, as_of)


def _history(states: pl.DataFrame, models: Sequence[SegmentModel], as_of: date) -> pl.DataFrame:
    """The history of customers from their states between two purchase days."""
    intervals = effective_intervals(models, as_of)
    if not intervals or not states.height:
        return CUSTOMER_HISTORY.empty()
    segments = pl.concat(
        trajectory(model, history.clip_to(states, first, end)) for model, first, end in intervals
    )
    handovers = [
        segment_under_previous_model(states, old, day)
        for (old, _, _), (_, day, _) in pairwise(intervals)
    ]
    kept = pl.DataFrame(schema={"customer_id": pl.String, "day": pl.Date, "kept": pl.Int64})
    return history.merge_states(
        segments, history.lifecycles(states, as_of), pl.concat([kept, *handovers])
    )


def updated_history(
    earlier: pl.LazyFrame,
    changes: Changes,
    customers: pl.LazyFrame,
    models: pl.LazyFrame,
) -> Rows:
    """The rows of gold/customer_history that come and go when silver or as_of has changed.

    The state of a customer changes with a line, and as time passes: recency grows, so the segment
    and the lifecycle of each day since the last time are compared with the current state. Who
    has moved without a line is what gold/customer_features says since the latest purchase.

    Args:
        earlier: rows of gold/customer_history, by the same models.
        changes: what has changed since.
        customers: rows of gold/customer_features.
        models: rows of gold/segment_model.
    """
    versions, current = from_rows(models.collect()), earlier.filter("is_current")
    waited = _moved_meanwhile(current, changes, customers, versions)
    since = _history(history.last_states(waited, changes.as_of), versions, changes.as_of)
    later = since.filter(pl.col("valid_from") > changes.seen_as_of)
    ended = current.filter(is_among(later["customer_id"])).collect()
    until = later.group_by("customer_id").agg(valid_to=pl.min("valid_from"))
    closed = ended.drop("valid_to").join(until, on="customer_id").with_columns(is_current=False)
    again = customer_history(changes.of_buyers.now.lazy(), models, changes.as_of)
    return Rows(
        came=pl.concat([again, closed.select(again.columns), later]),
        gone=pl.concat([earlier.filter(is_among(changes.buyers["customer_id"])).collect(), ended]),
    )


def _moved_meanwhile(
    current: pl.LazyFrame,
    changes: Changes,
    customers: pl.LazyFrame,
    models: Sequence[SegmentModel],
) -> pl.DataFrame:
    """The customers without a changed line whose state has changed, as `last_states` takes them."""
    days = [
        (day, model)
        for model, first, end in effective_intervals(models, changes.as_of)
        for day in _days_between(changes, first, end)
    ]
    known = (
        customers.select("customer_id", *history.OF_STATE)
        .join(changes.buyers.lazy(), on="customer_id", how="anti")
        .join(
            current.select("customer_id", "segment_id", "lifecycle"), on="customer_id", how="left"
        )
    )
    waited = known.collect() if days else known.limit(0).collect()
    moved = [changes.buyers.clear(), *(_moved_by(waited, day, model) for day, model in days)]
    return waited.join(pl.concat(moved).unique(), on="customer_id", how="semi")


def _days_between(changes: Changes, first: date | None, end: date) -> list[date]:
    """The days since the last time on which a model decides."""
    count = (changes.as_of - changes.seen_as_of).days
    days = [changes.seen_as_of + timedelta(days=n) for n in range(1, count + 1)]
    return [day for day in days if (first is None or day >= first) and day < end]


def _moved_by(known: pl.DataFrame, day: date, model: SegmentModel) -> pl.DataFrame:
    """The customers whose state at the end of a day is not the known one."""
    since_first, since_last = (
        (pl.lit(day) - pl.col(column)).dt.total_days()
        for column in ("first_purchase_day", "last_purchase_day")
    )
    segments = assign(model, known.with_columns(recency_days=since_last))["segment_id"]
    lifecycle = history.lifecycle_after(since_first, since_last)
    is_same = (pl.col("segment_id") == segments) & (pl.col("lifecycle") == lifecycle)
    return known.filter(~is_same.fill_null(False)).select("customer_id")


def metrics_from(
    states: pl.LazyFrame, events: pl.LazyFrame, models: pl.LazyFrame, as_of: date
) -> pl.DataFrame:
    """The figures of each segment, a version whenever one changes.

    Args:
        states: rows of gold/customer_history.
        events: rows of gold/segment_events.
        models: rows of gold/segment_model.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/segment_metrics.
    """
    first = {"valid_from": pl.min("valid_from")}
    rows = states.group_by("segment_id", "segment_name").agg(**first).collect()
    if not rows.height:
        return SEGMENT_METRICS.empty()
    active_segments = [
        {"segment_id": i, "segment_name": name, "start": first or date.min, "end": end}
        for model, first, end in effective_intervals(from_rows(models.collect()), as_of)
        for i, name in zip(model.ids, model.names, strict=True)
    ]
    schema = {"segment_id": pl.Int64, "segment_name": pl.String, "start": pl.Date, "end": pl.Date}
    return history.segment_versions(
        rows, events.collect(), pl.DataFrame(active_segments, schema=schema), as_of
    )


def effective_intervals(models: Sequence[V], as_of: date) -> list[tuple[V, date | None, date]]:
    """Each model with the days [first, end) on which it decides; the first has no beginning.

    Of models that take effect on the same day the latest decides.

    >>> from bridge_cart_assets.models.segments import FEATURES
    >>> from bridge_cart_assets.tables.gold import SEGMENT_MODEL
    >>> model = {"segment_id": 1, "features": list(FEATURES)}
    >>> rows = [
    ...     {**model, "model_version": 1, "effective_from": date(2024, 1, 1)},
    ...     {**model, "model_version": 2, "effective_from": date(2024, 2, 1)},
    ...     {**model, "model_version": 3, "effective_from": date(2024, 2, 1)},
    ... ]
    >>> models = from_rows(pl.DataFrame(rows, schema=SEGMENT_MODEL.dtypes))
    >>> intervals = effective_intervals(models, as_of=date(2024, 2, 9))
    >>> [(model.version, str(first), str(end)) for model, first, end in intervals]
    [(1, 'None', '2024-02-01'), (3, '2024-02-01', '2024-02-10')]
    """
    if not models:
        return []
    after = as_of + timedelta(days=1)
    ends = [min(m.effective_from, after) for m in models[1:]] + [after]
    intervals: list[tuple[V, date | None, date]] = []
    for model, end in zip(models, ends, strict=True):
        first = model.effective_from if intervals else None
        if first is None or first < end:
            intervals.append((model, first, end))
    return intervals


def segment_under_previous_model(
    states: pl.DataFrame, old: SegmentModel, day: date | None
) -> pl.DataFrame:
    """The segment that the old model would give on the day on which a new one takes over."""
    that_day = history.clip_to(states, day, None if day is None else day + timedelta(days=1))
    recency = (pl.col("start") - pl.col("last")).dt.total_days()
    segments = assign(old, that_day.with_columns(recency_days=recency))
    return that_day.select("customer_id", day="start").with_columns(kept=segments["segment_id"])
