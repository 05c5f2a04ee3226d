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

SEGMENTS = "segments"


def model_metrics(
    earlier: pl.LazyFrame,
    purchases: pl.LazyFrame,
    segment_models: pl.LazyFrame,
    drift: pl.LazyFrame,
    features: pl.LazyFrame,
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
        as_of: latest batch day in silver.
        asked: whether a new value model was asked for.

    Returns:
        The columns of gold/model_metrics.

    One customer is too few for a fit, so what is missing is counted again in each run:

    >>> from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, MODEL_DRIFT, SEGMENT_MODEL
    >>> from bridge_cart_assets.tables.silver import PURCHASES
    >>> earlier, purchases, models, drift = (
    ...     table.empty().lazy() for table in (MODEL_METRICS, PURCHASES, SEGMENT_MODEL, MODEL_DRIFT)
    ... )
    >>> customer = {"customer_id": "C1", "frequency": 3, "tenure_days": 400}
    >>> features = pl.LazyFrame([customer], schema=CUSTOMER_FEATURES.dtypes)
    >>> found = model_metrics(earlier, purchases, models, drift, features, date(2024, 1, 31))
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
    of_segments = segment_model_metrics(segment_models.collect(), drift.collect())
    return pl.concat([kept, of_segments]).sort("model", "model_version", "metric")


def segment_model_metrics(models: pl.DataFrame, drift: pl.DataFrame) -> pl.DataFrame:
    """How stable and how clear each segment model is, and how large its segments were.

    Args:
        models: rows of gold/segment_model.
        drift: rows of gold/model_drift, which has the shares of the model in effect.

    Returns:
        Rows of gold/model_metrics.

    >>> version = {"model_version": [1], "trained_as_of": date(2024, 1, 31)}
    >>> models = pl.DataFrame({**version, "stability": 0.8, "silhouette": 0.3})
    >>> shares = {"subject": "segment_shares", "shares_then": [[0.02, 0.38, 0.6]]}
    >>> metrics = segment_model_metrics(models, pl.DataFrame({**version, **shares}))
    >>> metrics.select("metric", "passed").rows()
    [('stability', True), ('silhouette', None), ('smallest_share', False), ('largest_share', True)]
    """
    bounds = THRESHOLDS
    shares = (
        drift.filter(pl.col("subject") == "segment_shares")
        .select("model_version", "trained_as_of", value="shares_then")
        .explode("value")
    )
    version = ["model_version", "trained_as_of"]
    parts = (
        (models, "stability", pl.first("stability"), ">=", bounds.segment_stability),
        (models, "silhouette", pl.first("silhouette"), None, 0.0),
        (shares, "smallest_share", pl.min("value"), ">=", bounds.segment_smallest),
        (shares, "largest_share", pl.max("value"), "<=", bounds.segment_largest),
    )
    value = pl.col("value")
    return pl.concat(
        rows.group_by(version, maintain_order=True)
        .agg(value=of)
        .with_columns(
            model=pl.lit(SEGMENTS),
            metric=pl.lit(metric),
            gate=pl.lit(f"{sign} {bound}" if sign else None, dtype=pl.String),
            passed=pl.lit(None, dtype=pl.Boolean)
            if sign is None
            else value >= bound
            if sign == ">="
            else value <= bound,
        )
        .select(list(MODEL_METRICS.dtypes))
        for rows, metric, of, sign, bound in parts
    )
