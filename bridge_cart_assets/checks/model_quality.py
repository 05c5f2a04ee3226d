"""Whether the models can be trusted, as pure functions of frames.

Belongs here: gates missed, drift, and values that could not be predicted. Does not belong here: the
metrics themselves (`models.holdout`) or the bounds (`thresholds`).
"""

from collections.abc import Sequence

import polars as pl

from bridge_cart_assets.checks.check import CheckResult, MetadataValue, day_span, nothing_off
from bridge_cart_assets.models.value_judgement import CALIBRATED, DECISIVE, NUMBER_DECISIVE

# What BG/NBD has to pass to be used.
CHOOSING = ("drop_out", DECISIVE)


def predicted(values: pl.DataFrame) -> CheckResult:
    """The value of customers is predicted by a fitted model, and not by something in its place."""
    others = (
        values.filter(pl.col("model_status") != "fitted")
        .group_by("model_status")
        .agg(customers=pl.len())
        .sort("customers", "model_status", descending=[True, False])
    )
    off = int(others["customers"].sum())
    message = f"{values.height:,} customers, all by a fitted model"
    if not values.height:
        message = "no customer yet"
    elif off:
        status = "; ".join(others["model_status"])
        message = f"{off:,} of {values.height:,} customers without a fitted model: {status}"
    return nothing_off(off, message, customers=values.height)


def gates_passed(metrics: pl.DataFrame) -> CheckResult:
    """No metric of the latest version of a model misses what is asked of it.

    Args:
        metrics: rows of gold/model_metrics, `latest_metrics` of them.
    """
    asked = metrics.drop_nulls("passed")
    missed = asked.filter(~pl.col("passed"))
    message = f"{asked.height} gates, all passed" if asked.height else "no gate to pass yet"
    if missed.height:
        message = f"{missed.height} of {asked.height} gates missed: {_named(missed)}"
    return nothing_off(missed.height, message, gates=asked.height, **_trained(metrics))


def few_moved(metrics: pl.DataFrame, metric: str, bound: float) -> CheckResult:
    """The latest segment model left most customers where they were.

    Args:
        metrics: rows of gold/model_metrics, `latest_metrics` of them.
        metric: the share of the customers whom the model alone has moved.
        bound: the share that may be moved.
    """
    moved = metrics.filter(pl.col("metric") == metric)
    if not moved.height:
        return CheckResult(True, "no segment model was trained a second time yet")
    share = float(moved["value"][0])
    message = (
        f"{share:.1%} of the customers are in another segment by the latest training alone, "
        f"at most {bound:.0%} are allowed"
    )
    return CheckResult(share <= bound, message, {"value": share, "bound": bound, **_trained(moved)})


def beats_naive(metrics: pl.DataFrame, models: Sequence[str], of: Sequence[str]) -> CheckResult:
    """Models are better than the guess that everybody goes on as before.

    Args:
        metrics: rows of gold/model_metrics, `latest_metrics` of them.
        models: the models that are judged.
        of: the metrics whose gate is the naive guess.
    """
    judged = metrics.filter(pl.col("model").is_in(models) & pl.col("metric").is_in(of))
    asked = judged.drop_nulls("passed")
    worse = asked.filter(~pl.col("passed"))
    message = f"as good as the naive guess or better: {_named(asked)}"
    if not asked.height:
        message = "no value model was judged against the naive guess yet"
    elif worse.height:
        message = f"worse than the naive guess: {_named(worse)}"
    return nothing_off(worse.height, message, compared=asked.height, **_trained(judged))


def latest_metrics(metrics: pl.DataFrame, one_version: Sequence[str]) -> pl.DataFrame:
    """The metrics of the versions in effect.

    Args:
        metrics: rows of gold/model_metrics.
        one_version: models that have a version of their own each. The others are parts of one
            model: a part that was not judged at the latest version has no rows, and what was
            said of it before is over.
    """
    own = pl.when(pl.col("model").is_in(one_version)).then("model")
    return metrics.filter(pl.col("model_version") == pl.col("model_version").max().over(own))


def in_use(metrics: pl.DataFrame) -> pl.DataFrame:
    """The metrics without those of forecasts that are only candidates.

    These are the other model of orders, and corrections that were not better than the model.

    Args:
        metrics: rows of gold/model_metrics, `latest_metrics` of them.
    """
    decisive = metrics.filter(model=CALIBRATED).filter(pl.col("passed"))["metric"].to_list()
    of_chance = [] if DECISIVE in decisive else [DECISIVE, "auc", "calibration_error"]
    of_number = [] if NUMBER_DECISIVE in decisive else [NUMBER_DECISIVE]
    unused = pl.col("metric").is_in([*of_chance, *of_number, "past_days"])
    chosen = metrics.filter(pl.col("model") == "bg_nbd", pl.col("metric").is_in(CHOOSING))
    candidate = "nbd" if chosen.height and chosen["passed"].all() else "bg_nbd"
    is_candidate = (pl.col("model") == candidate) | ((pl.col("model") == CALIBRATED) & unused)
    return metrics.filter(~is_candidate)


def not_drifted(drift: pl.DataFrame) -> CheckResult:
    """No distribution has moved further from the training than its bound."""
    if not drift.height:
        return CheckResult(True, "no segment model to compare with yet")
    moved = drift.filter("has_drifted").sort("psi", descending=True)
    first, last = drift.select(pl.min("trained_as_of"), pl.max("as_of")).row(0)
    worst, bound = drift.select(pl.max("psi"), pl.min("bound")).row(0)
    subjects = ", ".join(f"{r['subject']} ({r['psi']:.2f})" for r in moved.iter_rows(named=True))
    message = f"none of {drift.height} distributions has moved far since the training on {first}"
    if moved.height:
        message = f"moved since the training on {first}: {subjects}; allowed: {bound}"
    metadata: dict[str, MetadataValue] = {
        "bound": bound,
        "moved": moved.height,
        **day_span(first, last),
    }
    return CheckResult(
        not moved.height, message, metadata if worst is None else {"value": worst, **metadata}
    )


def _named(metrics: pl.DataFrame) -> str:
    """Metrics with value and gate, in one line."""
    ordered = metrics.sort("model", "metric").iter_rows(named=True)
    return ", ".join(
        f"{r['model']} {r['metric']} {'none' if r['value'] is None else format(r['value'], '.4g')}"
        + (f" ({r['gate']})" if r["gate"] else "")
        for r in ordered
    )


def _trained(metrics: pl.DataFrame) -> dict[str, MetadataValue]:
    """The days of the trainings."""
    if not metrics.height:
        return {}
    first, last = metrics.select(pl.min("trained_as_of"), latest=pl.max("trained_as_of")).row(0)
    return day_span(first, last)
