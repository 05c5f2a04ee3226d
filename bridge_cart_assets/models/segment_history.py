"""Segments applied: now, on every day so far, and what each segment amounts to.

Belongs here: putting the models (`models.segments`) and the history of states
(`transforms.history`) together. Does not belong here: fitting, or reading and writing.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

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


def with_new_model(
    models: pl.DataFrame, features: pl.DataFrame, as_of: date, because: str = "first"
) -> pl.DataFrame:
    """The rows of gold/segment_model with one more version, trained on the customers of now.

    Args:
        models: rows of gold/segment_model.
        features: rows of gold/customer_features, at least one.
        as_of: latest batch day in silver.
        because: first, asked, age or drift: why there is one more.
    """
    model = fit(features, as_of, from_rows(models), because)
    return pl.concat([models, model.rows().select(models.columns).cast(models.schema)])


def customer_segments(features: pl.LazyFrame, models: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """The segment of each customer at `as_of`, by the model in effect.

    Args:
        features: rows of gold/customer_features.
        models: rows of gold/segment_model.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/customer_segments.
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
    """
    intervals = effective_intervals(from_rows(models.collect()), as_of)
    states = history.purchase_states(purchases, as_of)
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


def segment_metrics(
    states: pl.LazyFrame, purchases: pl.LazyFrame, models: pl.LazyFrame, as_of: date
) -> pl.DataFrame:
    """Size, value, churn and contribution of each segment, a version whenever one changes.

    Args:
        states: rows of gold/customer_history.
        purchases: rows of silver/purchases.
        models: rows of gold/segment_model.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/segment_metrics.
    """
    rows = states.collect()
    if not rows.height:
        return SEGMENT_METRICS.empty()
    active_segments = [
        {"segment_id": i, "segment_name": name, "start": first or date.min, "end": end}
        for model, first, end in effective_intervals(from_rows(models.collect()), as_of)
        for i, name in zip(model.ids, model.names, strict=True)
    ]
    schema = {"segment_id": pl.Int64, "segment_name": pl.String, "start": pl.Date, "end": pl.Date}
    return history.segment_versions(
        rows, purchases, pl.DataFrame(active_segments, schema=schema), as_of
    )


def effective_intervals(
    models: Sequence[SegmentModel], as_of: date
) -> list[tuple[SegmentModel, date | None, date]]:
    """Each model with the days [first, end) on which it decides; the first has no beginning.

    Of models that take effect on the same day the latest decides.
    """
    if not models:
        return []
    after = as_of + timedelta(days=1)
    ends = [min(m.effective_from, after) for m in models[1:]] + [after]
    intervals: list[tuple[SegmentModel, date | None, date]] = []
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
