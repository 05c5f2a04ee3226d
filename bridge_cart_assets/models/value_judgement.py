"""What the metrics say of the models of value: when they are judged, and what speaks against one.

Belongs here: reading the rows of gold/model_metrics on value. Does not belong here: making them
(`models.holdout`), or which model is used in the end (`models.customer_value`).
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from bridge_cart_assets.models.buy_till_you_die import GammaGamma
from bridge_cart_assets.models.likelihood import Floats
from bridge_cart_assets.thresholds import THRESHOLDS, Thresholds
from bridge_cart_assets.transforms.windows import WINDOW

DATA, NAIVE, VALUE = "value_data", "own_rate", "gamma_gamma"
CALIBRATED = "calibrated"
Row = dict[str, Any]
# The score that decides whether a model is worse than the naive rate: it is least for those who
# say what they believe, which neither the error of the total (one good guess) nor the mean
# absolute error (most customers order nothing, so it likes zeros) is.
DECISIVE = "brier"
# The score that decides whether the expected number of orders is corrected.
NUMBER_DECISIVE = "poisson_deviance"
# What customers pay, as a share of what Gamma-Gamma expects of them, lies between these.
AGREEMENT = (THRESHOLDS.value_agreement, THRESHOLDS.value_agreement_most)


def version_of(as_of: date) -> int:
    """The version of a model that is a function of silver at `as_of`: the day as YYYYMMDD.

    >>> version_of(date(2024, 1, 31))
    20240131
    """
    return as_of.year * 10_000 + as_of.month * 100 + as_of.day


def last_judged(metrics: pl.DataFrame, as_of: date) -> int:
    """The latest version up to `as_of` for which it was counted what there is to fit to; or 0.

    Args:
        metrics: rows of gold/model_metrics.
        as_of: latest batch day in silver.

    >>> metrics = pl.DataFrame({"model": ["value_data"] * 2, "model_version": [20240101, 20240108]})
    >>> [last_judged(metrics, date(2024, 1, day)) for day in (7, 31)]
    [20240101, 20240108]
    """
    is_earlier = pl.col("model_version") <= version_of(as_of)
    latest = metrics.filter(is_earlier, model=DATA).select(pl.max("model_version").fill_null(0))
    return int(latest.item())


def judging_due(
    metrics: pl.DataFrame,
    customers: int,
    as_of: date,
    *,
    asked: bool = False,
    thresholds: Thresholds = THRESHOLDS,
) -> str | None:
    """Why the value models have to be judged and one be fitted now, if they have to.

    Args:
        metrics: rows of gold/model_metrics.
        customers: customers with a sale at `as_of`.
        as_of: latest batch day in silver.
        asked: whether a new version was asked for.
        thresholds: how old a model may become, and by how much the customers may grow.

    Returns:
        first (so far there was too little to fit to), asked, age, growth, or None.

    >>> counted = {"model": "value_data", "metric": "customers", "value": 1000.0, "passed": True}
    >>> judged = {"model_version": 20240701, "trained_as_of": date(2024, 7, 1)}
    >>> metrics = pl.DataFrame([{**counted, **judged}])
    >>> [judging_due(metrics, 1050, date(2024, 7, day)) for day in (2, 8)]
    [None, 'age']
    >>> judging_due(metrics, 1101, date(2024, 7, 2))
    'growth'
    """
    data = metrics.filter(model=DATA, model_version=last_judged(metrics, as_of))
    if not data.height or not data["passed"].all():
        return "first"
    if asked:
        return "asked"
    counted, judged_as_of = data.filter(metric="customers").select("value", "trained_as_of").row(0)
    if as_of - judged_as_of >= thresholds.value_age:
        return "age"
    return "growth" if abs(customers - counted) > thresholds.value_growth * counted else None


def worse_than_naive(metrics: pl.DataFrame, model: str, as_of: date) -> str | None:
    """A sentence that says by how much a model was worse than the naive rate, if it was.

    Args:
        metrics: rows of gold/model_metrics.
        model: bg_nbd or nbd.
        as_of: latest batch day in silver.

    Returns:
        None also where there was no holdout to judge it on.

    >>> scores_of = {"value_data": None, "bg_nbd": 0.2, "nbd": 0.19, "own_rate": 0.19}
    >>> models = {"model": list(scores_of), "value": list(scores_of.values())}
    >>> metrics = pl.DataFrame({**models, "metric": "brier", "model_version": 20240131})
    >>> worse_than_naive(metrics, "bg_nbd", date(2024, 1, 31))
    'bg_nbd was worse than the naive rate on the last 90 days (Brier score 0.2000, naive 0.1900)'
    >>> worse_than_naive(metrics, "nbd", date(2024, 1, 31)) is None
    True
    """
    scored = metrics.filter(metric=DECISIVE, model_version=last_judged(metrics, as_of))
    values = dict(scored.select("model", "value").iter_rows())
    if model not in values or NAIVE not in values or values[model] <= values[NAIVE]:
        return None
    return (
        f"{model} was worse than the naive rate on the last {WINDOW} days "
        f"(Brier score {values[model]:.4f}, naive {values[NAIVE]:.4f})"
    )


@dataclass(frozen=True)
class CalibrationVerdict:
    """What is corrected of the forecasts of the model of orders.

    Attributes:
        chance: whether the chance of an order is.
        number: whether the expected number of orders is.
        why: the reason, as in gold/customer_value.
    """

    chance: bool
    number: bool
    why: str


def verdict_on_calibration(metrics: pl.DataFrame, as_of: date) -> CalibrationVerdict:
    """Whether corrected forecasts were better than the model's own when they were last judged.

    Args:
        metrics: rows of gold/model_metrics.
        as_of: latest batch day in silver.

    >>> rows = [("past_days", 9, ">= 6", True), ("brier", 0.1041, "<= 0.1055", True)]
    >>> rows += [("auc", 0.8, ">= 0.79", True), ("poisson_deviance", 0.8, "<= 0.7", False)]
    >>> columns = ["metric", "value", "gate", "passed"]
    >>> metrics = pl.DataFrame(rows, schema=columns, orient="row").with_columns(
    ...     model=pl.lit("calibrated"), model_version=20240131
    ... )
    >>> data = pl.DataFrame({"model": "value_data", "model_version": [20240131]})
    >>> both = pl.concat([metrics, data], how="diagonal_relaxed")
    >>> verdict_on_calibration(both, date(2024, 1, 31))  # doctest: +NORMALIZE_WHITESPACE
    CalibrationVerdict(chance=True, number=False, why='chance of an order corrected: Brier
    score 0.1041 (<= 0.1055) on the last 90 days; number of orders not: Poisson deviance 0.8
    (<= 0.7)')
    """
    latest = metrics.filter(model=CALIBRATED, model_version=last_judged(metrics, as_of))
    found = {row["metric"]: row for row in latest.iter_rows(named=True)}
    if not found:
        return CalibrationVerdict(
            False, False, f"none: the last {WINDOW} days could not be forecast"
        )
    if DECISIVE not in found:
        days, needed = int(found["past_days"]["value"]), THRESHOLDS.calibration_days
        return CalibrationVerdict(
            False, False, f"none: {days} past days to learn from, {needed} are needed"
        )
    chance, number = found[DECISIVE], found[NUMBER_DECISIVE]

    def said(what: str, row: dict[str, Any], score: str) -> str:
        verb = "corrected" if row["passed"] else "not"
        return f"{what} {verb}: {score} {row['value']:.4g} ({row['gate']})"

    why = (
        f"{said('chance of an order', chance, 'Brier score')} on the last {WINDOW} days; "
        f"{said('number of orders', number, 'Poisson deviance')}"
    )
    return CalibrationVerdict(bool(chance["passed"]), bool(number["passed"]), why)


def gamma_gamma_rejection(model: GammaGamma, own: Floats) -> str | None:
    """A sentence that says why Gamma-Gamma does not fit these order values, if it does not.

    Args:
        model: fitted to them.
        own: mean value of the orders of each customer.

    Levels with the mean 2 x 10 / (3 - 1) = 10 agree with order values of 5, not with those of 4,
    nor with those of 21:

    >>> import numpy as np
    >>> model = GammaGamma(p=2.0, q=3.0, v=10.0)
    >>> gamma_gamma_rejection(model, np.array([5.0])) is None
    True
    >>> print(gamma_gamma_rejection(model, np.array([4.0])))  # doctest: +NORMALIZE_WHITESPACE
    order values are too uneven for Gamma-Gamma (what customers pay is 0.40 of what it expects of
    them, 0.5 to 2 is needed): an order is worth the customer's own mean
    >>> gamma_gamma_rejection(model, np.array([21.0])) is None
    False
    """
    agreement, (least, most) = model.agreement(own), AGREEMENT
    if least <= agreement <= most:
        return None
    return (
        f"order values are too uneven for Gamma-Gamma (what customers pay is {agreement:.2f} of "
        f"what it expects of them, {two_sided_gate(least, most)} is needed): an order is worth the "
        "customer's own mean"
    )


def two_sided_gate(least: float, most: float) -> str:
    """A gate with two sides, in words.

    >>> two_sided_gate(0.5, 2.0)
    '0.5 to 2'
    """
    return f"{least:g} to {most:g}"


def metric_row(
    model: str, metric: str, value: float, gate: str | None = None, *, passed: bool | None = None
) -> Row:
    """One row of gold/model_metrics, without its version.

    >>> metric_row("bg_nbd", "auc", 0.8)["value"]
    0.8
    """
    return {"model": model, "metric": metric, "value": float(value), "gate": gate, "passed": passed}
