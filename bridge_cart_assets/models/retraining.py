"""The segment models up to now, with one more when it is time.

Belongs here: asking whether a new version is due, and why. Does not belong here: how far customers
have moved (`models.drift`), or how a model is trained (`models.segments`).
"""

from datetime import date

import polars as pl

from bridge_cart_assets.models.drift import (
    drift_between,
    has_rested,
    models_up_to,
    retraining_due,
)
from bridge_cart_assets.models.segment_history import with_new_model
from bridge_cart_assets.tables.gold import MODEL_DRIFT


def segment_models(
    earlier: pl.LazyFrame,
    features: pl.LazyFrame,
    training: pl.LazyFrame,
    as_of: date,
    *,
    asked: bool = False,
) -> pl.DataFrame:
    """The rows of gold/segment_model, with one version more if one is due or asked for.

    Args:
        earlier: rows of gold/segment_model as they are; those of a day after as_of go.
        features: rows of gold/customer_features.
        training: rows of gold/training_states.
        as_of: latest batch day in silver; a new version applies from this day on.
        asked: whether a user wants a new version in any case.

    >>> from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, SEGMENT_MODEL, TRAINING_STATES
    >>> columns = ("recency_days", "frequency", "revenue", "coupon_rate", "orders")
    >>> customer = {**dict.fromkeys(columns, 1), "first_purchase_day": date(2024, 1, 1)}
    >>> features = pl.LazyFrame([customer], schema=CUSTOMER_FEATURES.dtypes)
    >>> models, training = SEGMENT_MODEL.empty().lazy(), TRAINING_STATES.empty().lazy()
    >>> day = date(2024, 1, 2)
    >>> for asked in (False, False, True):
    ...     models = segment_models(models, features, training, day, asked=asked).lazy()
    >>> models.collect()["trained_because"].to_list()
    ['first', 'asked']
    """
    models = models_up_to(earlier, as_of).collect()
    if not features.select(pl.len()).collect().item():
        return models
    because = retraining_due(models, MODEL_DRIFT.empty(), as_of)
    if asked and models.height:
        because = "asked"
    # All customers are looked at only where their drift decides.
    elif because is None and has_rested(models, as_of):
        drift = drift_between(training, features, models.lazy(), as_of)
        because = retraining_due(models, drift, as_of)
    if because is None:
        return models
    return with_new_model(models, features.collect(), as_of, because)
