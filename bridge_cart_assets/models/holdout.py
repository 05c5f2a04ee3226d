"""How good the models of value would have been: fitted without the last 90 days, judged on them.

Belongs here: splitting the history at a day, and the gates of what was fitted before it. Does not
belong here: fitting (`models.buy_till_you_die`), the measures (`models.forecast_errors`), or what
follows from them (`models.value_judgement`).

The measure is the naive rate: each customer goes on ordering as until now
(`buy_till_you_die.NaiveRate`). A model that does worse adds nothing to a division.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from bridge_cart_assets.models.buy_till_you_die import (
    Histories,
    NaiveRate,
    Orders,
    fit_bg_nbd,
    fit_nbd,
)
from bridge_cart_assets.models.calibration import fit_calibration
from bridge_cart_assets.models.forecast import forecast, orders_per_day
from bridge_cart_assets.models.forecast_errors import scores
from bridge_cart_assets.models.likelihood import Floats
from bridge_cart_assets.models.order_values import fit_order_values
from bridge_cart_assets.models.past_days import per_day, seen_until, to_judge_on
from bridge_cart_assets.models.past_windows import past_windows
from bridge_cart_assets.models.value_judgement import (
    AGREEMENT,
    CALIBRATED,
    DATA,
    DECISIVE,
    NAIVE,
    VALUE,
    Row,
    metric_row,
    two_sided_gate,
    version_of,
)
from bridge_cart_assets.models.value_requirements import Needed, needs_of
from bridge_cart_assets.models.window_metrics import choice_by, window_metrics
from bridge_cart_assets.tables.gold import MODEL_METRICS
from bridge_cart_assets.thresholds import THRESHOLDS
from bridge_cart_assets.transforms.windows import WINDOW

# Errors of more customers than these are the same in the digits that are shown.
_JUDGED = 200_000
# What a corrected forecast has to be better in than the model itself.
_MEANS_OF_CALIBRATION = ("auc", "brier", "poisson_deviance")


def value_metrics(purchases: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """The evidence for and against the models of value.

    Args:
        purchases: rows of silver/purchases.
        as_of: latest batch day in silver.

    Returns:
        Rows of gold/model_metrics: the data that a fit can use (`value_data`); where these suffice
        90 days before as_of, the errors of bg_nbd, nbd and own_rate on these days, and of
        gamma_gamma. No row without a sale.

    >>> day = date(2024, 1, 1)
    >>> line = {"customer_id": ["C1"], "purchase_day": day, "kind": "sale", "net_amount": 10}
    >>> line |= {"source": "purchases", "order_id": "O1"}
    >>> metrics = value_metrics(pl.LazyFrame(line), as_of=date(2024, 6, 28))
    >>> metrics.select("metric", "value", "passed").rows()
    [('customers', 1.0, False), ('history_days', 180.0, True), ('repeat_customers', 0.0, False)]
    """
    days = per_day(purchases, as_of)
    now = seen_until(days, as_of)
    if not now.height:
        return MODEL_METRICS.empty()
    data = data_metrics(needs_of(now), as_of)
    cut = as_of - timedelta(days=WINDOW)
    customers = days["customer_id"].unique().sort()
    sample = customers.gather_every(max(1, -(-customers.len() // _JUDGED))).to_frame()
    days = days.join(sample, on="customer_id", how="semi")
    then = seen_until(days, cut)
    if not all(n.is_met for n in needs_of(then)):
        return data
    judged = _metrics(list(_judged(days, then, cut)), as_of, cut)
    choice = choice_by(pl.concat([data, judged]), as_of)
    windows = past_windows(days, as_of, choice)
    past = [_metrics(list(rows), as_of, day) for day, rows in window_metrics(windows)]
    return pl.concat([data, judged, *past])


def data_metrics(needed: Sequence[Needed], as_of: date) -> pl.DataFrame:
    """What there is to fit to, as rows of gold/model_metrics.

    >>> customers = pl.DataFrame({"frequency": [0, 2, 1], "tenure_days": [0, 179, 30]})
    >>> needed = needs_of(customers)
    >>> data_metrics(needed, date(2024, 7, 1)).select("metric", "value", "passed").rows()
    [('customers', 3.0, False), ('history_days', 180.0, True), ('repeat_customers', 2.0, False)]
    """
    rows = [metric_row(DATA, n.metric, n.value, f">= {n.least}", passed=n.is_met) for n in needed]
    return _metrics(rows, as_of, as_of)


def _metrics(rows: Sequence[Row], as_of: date, trained_as_of: date) -> pl.DataFrame:
    found = pl.DataFrame(rows, schema_overrides={"gate": pl.String, "passed": pl.Boolean})
    return MODEL_METRICS.conform(
        found.with_columns(
            model_version=pl.lit(version_of(as_of), pl.Int64), trained_as_of=pl.lit(trained_as_of)
        )
    )


def _judged(days: pl.DataFrame, then: pl.DataFrame, cut: date) -> Iterator[Row]:
    groups, per_order_day = Histories.of(then), orders_per_day(then)
    actual = then["later_orders"].to_numpy().astype(np.float64)
    bg_nbd, nbd = fit_bg_nbd(groups).model, fit_nbd(groups).model
    least = THRESHOLDS.drop_out_visible
    is_visible = bg_nbd.drop_out >= least
    yield metric_row("bg_nbd", "drop_out", bg_nbd.drop_out, f">= {least}", passed=is_visible)
    naive = scores(forecast(NaiveRate(), then, per_order_day), actual)
    for metric, value in naive.items():
        yield metric_row(NAIVE, metric, value)
    models: dict[str, Orders] = {"bg_nbd": bg_nbd, "nbd": nbd}
    is_better = {}
    for name, model in models.items():
        found = scores(forecast(model, then, per_order_day), actual)
        is_better[name] = found[DECISIVE] <= naive[DECISIVE]
        for metric, value in found.items():
            gate, passed = _gate(metric, value, naive)
            yield metric_row(name, metric, value, gate, passed=passed)
    # As `customer_value` chooses between them.
    best = bg_nbd if is_visible and is_better["bg_nbd"] else nbd
    yield from _judged_calibration(days, then, best, cut)
    yield from _judged_value(then, forecast(best, then, per_order_day).orders)


def _judged_calibration(
    days: pl.DataFrame, then: pl.DataFrame, model: Orders, cut: date
) -> Iterator[Row]:
    """Errors of the corrected forecast, each against that of the model's own."""
    past, least = to_judge_on(days, cut), THRESHOLDS.calibration_days
    count = len(past.days)
    yield metric_row(CALIBRATED, "past_days", count, f">= {least}", passed=past.are_enough)
    if not past.are_enough:
        return
    per_order_day = orders_per_day(then)
    found = fit_calibration(past.learnt(days), model, per_order_day)
    judged = past.judged(then)
    own = forecast(model, judged, per_order_day)
    actual = judged["later_orders"].to_numpy().astype(np.float64)
    bounds = scores(own, actual)
    for metric, value in scores(found.applied(judged, own), actual).items():
        if metric in _MEANS_OF_CALIBRATION:
            gate, passed = _gate(metric, value, bounds)
            yield metric_row(CALIBRATED, metric, value, gate, passed=passed)
        else:
            yield metric_row(CALIBRATED, metric, value)


def _judged_value(then: pl.DataFrame, expected: Floats) -> Iterator[Row]:
    """Errors of expected order values, against the payments of the 90 days."""
    found = fit_order_values(then)
    if found.agreement is None:
        return
    has_a_mean = found.why is None
    gate = two_sided_gate(*AGREEMENT)
    yield metric_row(VALUE, "agreement", found.agreement, gate, passed=has_a_mean)
    yield metric_row(VALUE, "out_of_scale", found.above)
    if not has_a_mean:
        return
    count, own = then["orders"].to_numpy().astype(np.float64), then["order_value"].to_numpy()
    value = found.used.expected(count, own)
    orders, revenue = then["later_orders"].to_numpy(), then["later_revenue"].to_numpy()
    came = orders > 0
    if came.any():
        paid = np.maximum(revenue[came] / orders[came], 0.0)
        error, bound = (float(np.abs(guess[came] - paid).mean()) for guess in (value, own))
        yield metric_row(VALUE, "mae", error, f"<= {bound:.6g}", passed=error <= bound)
    total = float(revenue.sum())
    if total > 0:
        yield metric_row(VALUE, "revenue_total_error", float(expected @ value) / total - 1)


def _gate(metric: str, value: float, other: dict[str, float]) -> tuple[str | None, bool | None]:
    """The bound of a metric, if it has one: another forecast's value, or that of calibration."""
    if metric == "calibration_error":
        bound = THRESHOLDS.calibration_error
        return f"<= {bound}", value <= bound
    bound = other[metric]
    if metric == "auc":
        return f">= {bound:.6g}", value >= bound
    if metric in ("mae", "rmse", "decile_error"):
        return None, None
    if metric == "total_error":
        return f"within {abs(bound):.6g}", abs(value) <= abs(bound)
    return f"<= {bound:.6g}", value <= bound
