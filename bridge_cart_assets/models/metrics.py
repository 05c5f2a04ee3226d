"""How good the models are, as rows of gold/model_metrics.

Belongs here: putting together the metrics of all models, the segments' among them. Does not
belong here: how the models of value are judged (`models.holdout`).
"""

from datetime import date

import polars as pl

from bridge_cart_assets.models.holdout import data_metrics, value_metrics
from bridge_cart_assets.models.value_judgement import judging_due, version_of
from bridge_cart_assets.models.value_requirements import needs_of
from bridge_cart_assets.tables.gold import MODEL_METRICS
from bridge_cart_assets.thresholds import THRESHOLDS
from bridge_cart_assets.transforms.flicker import flickering

SEGMENTS = "segments"
MOVED, MOST_MOVED = "moved_by_model", THRESHOLDS.segment_moved
_VERSION = ["model_version", "trained_as_of"]


def model_metrics(
    earlier: pl.LazyFrame,
    purchases: pl.LazyFrame,
    segment_models: pl.LazyFrame,
    drift: pl.LazyFrame,
    features: pl.LazyFrame,
    states: pl.LazyFrame,
    as_of: date,
    *,
    asked: bool = False,
) -> pl.DataFrame:
    """How good the models are: those of value, judged when one is due, and every segment model.

    Args:
        earlier: rows of gold/model_metrics as they are.
        purchases: rows of silver/purchases.
        segment_models: rows of gold/segment_model.
        drift: rows of gold/model_drift.
        features: rows of gold/customer_features.
        states: rows of gold/customer_history.
        as_of: latest batch day in silver.
        asked: whether a new value model was asked for.

    Returns:
        The columns of gold/model_metrics.

    One customer is too few for a fit, so what is missing is counted again in each run:

    >>> from bridge_cart_assets.tables import gold
    >>> from bridge_cart_assets.tables.silver import PURCHASES
    >>> earlier, purchases, models, drift, states = (
    ...     table.empty().lazy()
    ...     for table in (MODEL_METRICS, PURCHASES, gold.SEGMENT_MODEL, gold.MODEL_DRIFT)
    ...     + (gold.CUSTOMER_HISTORY,)
    ... )
    >>> customer = {"customer_id": "C1", "frequency": 3, "tenure_days": 400}
    >>> features = pl.LazyFrame([customer], schema=gold.CUSTOMER_FEATURES.dtypes)
    >>> day = date(2024, 1, 31)
    >>> found = model_metrics(earlier, purchases, models, drift, features, states, day)
    >>> found.select("metric", "value", "passed").rows()
    [('customers', 1.0, False), ('history_days', 401.0, True), ('repeat_customers', 1.0, False)]
    """
    of_value = (pl.col("model") != SEGMENTS) & (pl.col("model_version") <= version_of(as_of))
    kept = earlier.filter(of_value).collect()
    customers = features.select("frequency", "tenure_days").collect()
    if customers.height and judging_due(kept, customers.height, as_of, asked=asked):
        needed = needs_of(customers)
        is_enough = all(need.is_met for need in needed)
        judged = value_metrics(purchases, as_of) if is_enough else data_metrics(needed, as_of)
        kept = pl.concat([kept.filter(pl.col("model_version") < version_of(as_of)), judged])
    models = segment_models.collect()
    of_segments = segment_model_metrics(models, drift.collect())
    of_flicker = flicker_metrics(models, states, customers.height, as_of)
    return pl.concat([kept, of_segments, of_flicker]).sort("model", "model_version", "metric")


def segment_model_metrics(models: pl.DataFrame, drift: pl.DataFrame) -> pl.DataFrame:
    """How stable and how clear each segment model is, and how large its segments were.

    Args:
        models: rows of gold/segment_model.
        drift: rows of gold/model_drift, which has the shares of the model in effect.

    Returns:
        Rows of gold/model_metrics.

    >>> version = {"model_version": [1], "trained_as_of": date(2024, 1, 31)}
    >>> of_each = {"segment_id": 1, "segment_stability": 0.5, "moved_share": 0.01}
    >>> models = pl.DataFrame({**version, "stability": 0.8, "silhouette": 0.3, **of_each})
    >>> shares = {"subject": "segment_shares", "shares_then": [[0.02, 0.38, 0.6]]}
    >>> metrics = segment_model_metrics(models, pl.DataFrame({**version, **shares}))
    >>> metrics.select("metric", "passed").rows()[:3]
    [('stability', True), ('silhouette', None), ('moved_by_model', True)]
    >>> metrics.select("metric", "passed").rows()[3:]
    [('smallest_share', False), ('largest_share', True), ('stability_segment_1', False)]
    """
    bounds = THRESHOLDS
    shares = (
        drift.filter(pl.col("subject") == "segment_shares")
        .select("model_version", "trained_as_of", value="shares_then")
        .explode("value")
    )
    parts = (
        (models, "stability", pl.first("stability"), ">=", bounds.segment_stability),
        (models, "silhouette", pl.first("silhouette"), None, 0.0),
        # A first version moves no customer.
        (models.drop_nulls("moved_share"), MOVED, pl.first("moved_share"), "<=", MOST_MOVED),
        (shares, "smallest_share", pl.min("value"), ">=", bounds.segment_smallest),
        (shares, "largest_share", pl.max("value"), "<=", bounds.segment_largest),
    )
    of_models = [
        _gated(
            rows.group_by(_VERSION, maintain_order=True).agg(value=of), sign, bound
        ).with_columns(metric=pl.lit(metric))
        for rows, metric, of, sign, bound in parts
    ]
    each = models.drop_nulls("segment_stability").select(
        *_VERSION,
        metric=pl.format("stability_segment_{}", "segment_id"),
        value="segment_stability",
    )
    of_each = _gated(each, ">=", bounds.segment_jaccard)
    return pl.concat(rows.select(list(MODEL_METRICS.dtypes)) for rows in (*of_models, of_each))


def flicker_metrics(
    models: pl.DataFrame, states: pl.LazyFrame, customers: int, as_of: date
) -> pl.DataFrame:
    """How many customers came back to a segment soon after they had left it.

    Args:
        models: rows of gold/segment_model.
        states: rows of gold/customer_history.
        customers: how many there are.
        as_of: latest batch day in silver.

    Returns:
        Rows of gold/model_metrics, of the version in effect; none without a model or a customer.
    """
    latest = models.filter(pl.col("model_version") == pl.col("model_version").max()).head(1)
    if not latest.height or not customers:
        return MODEL_METRICS.empty()
    count = flickering(states, as_of).height
    values = {"flickering_customers": float(count), "flickering_share": count / customers}
    rows = [
        latest.select(_VERSION).with_columns(metric=pl.lit(n), value=v) for n, v in values.items()
    ]
    return _gated(pl.concat(rows), None, 0.0).select(list(MODEL_METRICS.dtypes))


def _gated(rows: pl.DataFrame, sign: str | None, bound: float) -> pl.DataFrame:
    """The metrics with what is asked of them, and whether it is so."""
    value, unknown = pl.col("value"), pl.lit(None, dtype=pl.Boolean)
    passed = {None: unknown, ">=": value >= bound, "<=": value <= bound}[sign]
    gate = pl.lit(f"{sign} {bound}" if sign else None, dtype=pl.String)
    return rows.with_columns(model=pl.lit(SEGMENTS), gate=gate, passed=passed)
