"""How far the customers have moved since the segment model was trained, and when to train again.

Belongs here: the population stability index, the distributions that it compares, and the decision
that follows. Does not belong here: training (`models.segments`), or reading and writing.

The population stability index of shares p (then) and q (now) over the same bins is
sum((q - p) ln(q / p)): the Kullback-Leibler divergence of q from p plus that of p from q (Jeffreys
1946). It is 0 when nothing has moved and grows without bound. The usual reading, below 0.1 little,
0.1 to 0.25 some, above 0.25 much, is a rule of thumb of credit scoring (Siddiqi, Credit Risk
Scorecards, 2006) and no test: with few customers chance alone gives about
(bins - 1) (1 / customers then + 1 / customers now), the mean of its chi-square distribution. That
much is allowed on top.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import polars as pl

from bridge_cart_assets.models.segments import FEATURES, Floats, SegmentModel, assign, from_rows
from bridge_cart_assets.tables.gold import MODEL_DRIFT, TRAINING_STATES
from bridge_cart_assets.thresholds import THRESHOLDS, Thresholds
from bridge_cart_assets.transforms import history
from bridge_cart_assets.transforms.changes import Changes
from bridge_cart_assets.transforms.features import exact_sum

SEGMENT_SHARES = "segment_shares"
# The logarithm of an empty bin is infinite: one customer in ten thousand stands for none. A bin
# that loses a tenth of the customers then counts 0.69, one that loses a hundredth 0.05.
FLOOR = 1e-4
# What the features are made from.
_READ = sorted({name for feature in FEATURES.values() for name in feature.meta.root_names()})
_TENTHS = np.arange(1, 10) / 10


def population_stability(then: Sequence[float], now: Sequence[float]) -> float:
    """The population stability index of two distributions over the same bins.

    Args:
        then, now: counts or shares per bin; each is divided by its sum. Shares below `FLOOR` are
            taken as `FLOOR`.

    Raises:
        ValueError: the bins are not the same number, or one side has no customer.

    >>> population_stability([50, 50], [50, 50])
    0.0
    >>> round(population_stability([50, 50], [80, 20]), 3)
    0.416
    """
    if len(then) != len(now):
        raise ValueError(f"{len(then)} bins then and {len(now)} now: compare the same bins")
    before, after = (np.maximum(_shares(side), FLOOR) for side in (then, now))
    return float(((after - before) * np.log(after / before)).sum())


def models_up_to(models: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """The segment models that were trained on what is there: those of a later day count no more.

    The latest batch day goes back when the file that brought it is taken back.

    Args:
        models: rows of gold/segment_model.
        as_of: latest batch day in silver.

    >>> days = [date(2024, 1, 31), date(2024, 6, 30)]
    >>> models = pl.LazyFrame({"model_version": [1, 2], "trained_as_of": days})
    >>> models_up_to(models, date(2024, 2, 1)).collect()["model_version"].to_list()
    [1]
    """
    return models.filter(pl.col("trained_as_of") <= as_of)


def training_states(purchases: pl.LazyFrame, models: pl.LazyFrame) -> pl.DataFrame:
    """The customers at the training of the latest segment model, by silver as it is now.

    Args:
        purchases: rows of silver/purchases.
        models: rows of gold/segment_model.

    Returns:
        The columns of gold/training_states; no row without a model.
    """
    versions = from_rows(models.collect())
    if not versions:
        return TRAINING_STATES.empty()
    customers = _customers(purchases, versions[-1].trained_as_of)
    version = pl.lit(versions[-1].version, pl.Int64)
    typed = customers.with_columns(exact_sum(pl.col("revenue")), model_version=version)
    return typed.select(list(TRAINING_STATES.dtypes))


def updated_training_states(
    earlier: pl.LazyFrame, changes: Changes, models: pl.LazyFrame
) -> pl.DataFrame:
    """The rows of gold/training_states once the changed customers are as they are now.

    Args:
        earlier: rows of gold/training_states, all of the latest model.
        changes: what has changed since.
        models: rows of gold/segment_model.
    """
    kept = earlier.join(changes.buyers.lazy(), on="customer_id", how="anti").collect()
    now = models_up_to(models, changes.as_of)
    again = training_states(changes.of_buyers.now.lazy(), now)
    return pl.concat([kept, TRAINING_STATES.conform(again)])


def drift_between(
    training: pl.LazyFrame, customers: pl.LazyFrame, models: pl.LazyFrame, as_of: date
) -> pl.DataFrame:
    """How the customers of now are distributed, against those at the training.

    Both are made from silver as it is now, so a late correction of old sales moves both and is not
    taken for drift.

    Args:
        training: rows of gold/training_states.
        customers: rows of gold/customer_features.
        models: rows of gold/segment_model; the last version is looked at.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/model_drift: a row per feature, over tenths of the customers at the
        training, and one for the shares of the segments. No row without a model or a customer.

    A customer bought on the day of the training, and not again in the month after it:

    >>> from bridge_cart_assets.tables.gold import SEGMENT_MODEL
    >>> from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES
    >>> from bridge_cart_assets.transforms.features import customer_features
    >>> day, as_of = date(2024, 1, 1), date(2024, 2, 1)
    >>> line = {"customer_id": "C1", "kind": "sale", "purchase_day": day, "net_amount": 10}
    >>> purchases = pl.LazyFrame([line], schema=PURCHASES.dtypes)
    >>> scaling = {"features": list(FEATURES), "means": [0.0] * 4, "scales": [1.0] * 4}
    >>> segment = {"segment_id": 1, "segment_name": "Recent buyers", "centroid": [0.0] * 4}
    >>> rows = [{**segment, **scaling, "model_version": 1, "trained_as_of": day}]
    >>> models = pl.LazyFrame(rows, schema=SEGMENT_MODEL.dtypes)
    >>> training = training_states(purchases, models).lazy()
    >>> now = customer_features(purchases, CUSTOMERS.empty().lazy(), as_of).lazy()
    >>> drift = drift_between(training, now, models, as_of)
    >>> drift.filter("has_drifted")["subject"].to_list()
    ['recency_days']
    """
    versions = from_rows(models.collect())
    now = customers.select(_READ).collect()
    if not versions or not now.height:
        return MODEL_DRIFT.empty()
    model = versions[-1]
    then = training.filter(pl.col("model_version") == model.version).select(_READ).collect()
    if model.trained_as_of == as_of:
        then = now
    if not then.height:
        return MODEL_DRIFT.empty()
    rows = [
        *(
            _feature(name, *(_values(name, customers) for customers in (then, now)))
            for name in FEATURES
        ),
        _segments(model, then, now),
    ]
    return pl.DataFrame(rows).select(
        "subject",
        pl.lit(as_of).alias("as_of"),
        pl.lit(model.version, pl.Int64).alias("model_version"),
        pl.lit(model.trained_as_of).alias("trained_as_of"),
        "psi",
        "bound",
        has_drifted=pl.col("psi") > pl.col("bound"),
        bins="bins",
        shares_then="shares_then",
        shares_now="shares_now",
    )


def retraining_due(
    models: pl.DataFrame, drift: pl.DataFrame, as_of: date, thresholds: Thresholds = THRESHOLDS
) -> str | None:
    """The reason to train a segment model now, if there is one.

    Args:
        models: rows of gold/segment_model.
        drift: rows of gold/model_drift. Those of another version than the last do not count, or
            two trainings would answer one drift.
        as_of: latest batch day in silver.
        thresholds: how old a model may become, and how young it is left alone.

    Returns:
        first (no model exists), age, drift, or None.

    >>> models = pl.DataFrame({"model_version": [1], "trained_as_of": date(2024, 1, 1)})
    >>> drift = pl.DataFrame({"model_version": [1], "has_drifted": True})
    >>> [retraining_due(models, drift, date(2024, 1, day)) for day in (7, 8, 31)]
    [None, 'drift', 'age']
    """
    if not models.height:
        return "first"
    version, trained_as_of = _latest(models)
    if as_of - trained_as_of >= thresholds.model_age:
        return "age"
    moved = drift.filter((pl.col("model_version") == version) & pl.col("has_drifted"))
    return "drift" if moved.height and has_rested(models, as_of, thresholds) else None


def has_rested(models: pl.DataFrame, as_of: date, thresholds: Thresholds = THRESHOLDS) -> bool:
    """Whether the latest model is old enough for drift to be a reason to train again.

    >>> models = pl.DataFrame({"model_version": [1], "trained_as_of": date(2024, 1, 1)})
    >>> [has_rested(models, date(2024, 1, day)) for day in (7, 8)]
    [False, True]
    """
    return bool(as_of - _latest(models)[1] >= thresholds.model_rest)


def _latest(models: pl.DataFrame) -> tuple[int, date]:
    """Version and training day of the latest model."""
    latest = models.filter(pl.col("model_version") == pl.max("model_version"))
    version, trained_as_of = latest.select("model_version", "trained_as_of").row(0)
    return version, trained_as_of


def _customers(purchases: pl.LazyFrame, day: date) -> pl.DataFrame:
    """What the features of each customer are made from at the end of a day."""
    held = history.clip_to(history.purchase_states(purchases, day), day, day + timedelta(days=1))
    recency = (pl.lit(day) - pl.col("last")).dt.total_days()
    return held.with_columns(recency_days=recency)


def _values(name: str, customers: pl.DataFrame) -> Floats:
    """A feature of each customer, in its own unit."""
    values: Floats = customers.select(FEATURES[name].cast(pl.Float64)).to_series().to_numpy()
    return values


def _feature(name: str, then: Floats, now: Floats) -> dict[str, object]:
    """A row of gold/model_drift without the columns that all rows share."""
    cuts = _cuts(then)
    counts = [np.bincount(np.searchsorted(cuts, v), minlength=cuts.size + 1) for v in (then, now)]
    return _row(name, _ranges(cuts), counts[0].tolist(), counts[1].tolist())


def _cuts(values: Floats) -> Floats:
    """The tenths of the values, each the end of a bin that it belongs to.

    Many equal values make fewer bins. The greatest value ends none, or the last bin would be
    empty at the training; only when all values are equal it does, to see others come.
    """
    tenths = np.unique(np.quantile(values, _TENTHS, method="inverted_cdf"))
    inner: Floats = tenths[tenths < values.max()]
    return inner if inner.size else tenths


def _ranges(cuts: Floats) -> list[str]:
    shown = [f"{cut:,.0f}" if cut == round(cut) else f"{cut:,.2f}" for cut in cuts.tolist()]
    between = [f"over {low} to {high}" for low, high in pairwise(shown)]
    return [f"up to {shown[0]}", *between, f"over {shown[-1]}"]


def _segments(model: SegmentModel, then: pl.DataFrame, now: pl.DataFrame) -> dict[str, object]:
    placed = [assign(model, customers)["segment_id"] for customers in (then, now)]
    counts = [[float((ids == i).sum()) for i in model.ids] for ids in placed]
    return _row(SEGMENT_SHARES, list(model.names), *counts)


def _row(
    subject: str, bins: list[str], then: Sequence[float], now: Sequence[float]
) -> dict[str, object]:
    return {
        "subject": subject,
        "psi": population_stability(then, now),
        "bound": THRESHOLDS.drift + (len(bins) - 1) * (1 / sum(then) + 1 / sum(now)),
        "bins": bins,
        "shares_then": _shares(then).tolist(),
        "shares_now": _shares(now).tolist(),
    }


def _shares(counts: Sequence[float]) -> Floats:
    values = np.asarray(counts, dtype=np.float64)
    if not values.sum() > 0:
        raise ValueError("a distribution without customers has no shares")
    shares: Floats = values / values.sum()
    return shares
