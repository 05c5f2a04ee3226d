"""The value that each customer will have, and the risk that they leave.

Belongs here: choosing the model that is good enough, keeping it as rows, and applying it:
gold/value_model and gold/customer_value. Does not belong here: the models themselves
(`models.buy_till_you_die`) or how they are judged (`models.holdout`).

The value model is fitted when it is due: when there is none, a week after the last fit, when the
number of customers has changed by a tenth, and on request. In between its parameters score the
customers as they are. Its version is the as_of of the fit.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from bridge_cart_assets.models.buy_till_you_die import (
    Histories,
    NaiveRate,
    fit_bg_nbd,
    fit_nbd,
)
from bridge_cart_assets.models.calibration import fit_calibration
from bridge_cart_assets.models.forecast import forecast, orders_per_day, orders_within
from bridge_cart_assets.models.likelihood import Fitted, Floats
from bridge_cart_assets.models.order_values import fit_order_values
from bridge_cart_assets.models.past_days import per_day as per_day_of
from bridge_cart_assets.models.past_days import recent_orders, to_learn_from
from bridge_cart_assets.models.past_windows import MOST, YEAR, ForecastChoice, past_windows
from bridge_cart_assets.models.spend_intervals import fit_intervals
from bridge_cart_assets.models.value_judgement import (
    DATA,
    NAIVE,
    VALUE,
    CalibrationVerdict,
    last_judged,
    verdict_on_calibration,
    version_of,
    worse_than_naive,
)
from bridge_cart_assets.models.value_requirements import needs_of
from bridge_cart_assets.models.value_rows import (
    ORDERS_PER_DAY,
    ValueModel,
    fitted_rows,
    given_rows,
)
from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.tables.gold import CUSTOMER_VALUE, VALUE_MODEL
from bridge_cart_assets.thresholds import THRESHOLDS
from bridge_cart_assets.transforms.windows import WINDOW

# The year is discounted in quarters: within one the rate changes a value by about a hundredth.
_QUARTERS = (0, 90, 182, 273, YEAR)
_LOW, _HIGH = 1 / 3, 2 / 3
_PREDICTIONS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "p_alive": pl.Float64,
    "expected_orders_90d": pl.Float64,
    "expected_orders_365d": pl.Float64,
    "expected_order_value": MONEY,
    "predicted_clv_365d": MONEY,
    "churn_probability_90d": pl.Float64,
    "predicted_spend_90d": MONEY,
    "predicted_spend_90d_low": MONEY,
    "predicted_spend_90d_high": MONEY,
}


def _up_to(models: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """The rows of gold/value_model that may be applied at `as_of`."""
    return models.filter(pl.col("model_version") <= version_of(as_of)).collect()


def value_model(
    earlier: pl.LazyFrame,
    features: pl.LazyFrame,
    metrics: pl.LazyFrame,
    purchases: pl.LazyFrame,
    as_of: date,
    *,
    asked: bool = False,
) -> pl.DataFrame:
    """The value models up to now, with one more when it is due.

    The new one is the first of BG/NBD, NBD and the naive rate that nothing speaks against. Its
    forecasts are corrected by the shop's past where that was better when it was judged.

    Args:
        earlier: rows of gold/value_model as they are.
        features: rows of gold/customer_features.
        metrics: rows of gold/model_metrics; a model is due when it was judged after the last fit.
        purchases: rows of silver/purchases; read when there is something to correct.
        as_of: latest batch day in silver.
        asked: whether a new version was asked for.

    Returns:
        The columns of gold/value_model; without rows of as_of when no model is due, or when there
        is too little to fit to.

    One customer is too few:

    >>> from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, MODEL_METRICS
    >>> customer = {"customer_id": "C1", "frequency": 3, "tenure_days": 400}
    >>> features = pl.LazyFrame([customer], schema=CUSTOMER_FEATURES.dtypes)
    >>> from bridge_cart_assets.tables.silver import PURCHASES
    >>> tables = (VALUE_MODEL, MODEL_METRICS, PURCHASES)
    >>> earlier, metrics, purchases = (table.empty().lazy() for table in tables)
    >>> value_model(earlier, features, metrics, purchases, as_of=date(2024, 1, 31)).rows()
    []
    """
    customers, models = _histories(features), _up_to(earlier, as_of)
    is_due = asked or _is_judged_since(metrics.collect(), models, as_of)
    if not is_due or not all(need.is_met for need in needs_of(customers)):
        return models
    kept = models.filter(pl.col("model_version") < version_of(as_of))
    judged = metrics.collect()
    part, fitted, status = _orders_model(customers, judged, as_of)
    per_day = orders_per_day(customers)
    days = per_day_of(purchases, as_of)
    verdict = verdict_on_calibration(judged, as_of)
    corrected = _calibration(part, fitted.model, per_day, verdict, days, as_of)
    values = fit_order_values(customers)
    if values.remark is not None:
        status = f"{'fallback:' if status == 'fitted' else f'{status};'} {values.remark}"
    choice = ForecastChoice(part, verdict.chance, verdict.number)
    windows = {horizon: past_windows(days, as_of, choice, horizon) for horizon in MOST}
    count = customers.height
    used = values.fitted if values.why is None else None
    rows = fitted_rows(part, fitted, count) + fitted_rows(VALUE, used, count)
    further = {**corrected, **values.rows, **fit_intervals(windows, of_customers=WINDOW).rows()}
    for name, given in {ORDERS_PER_DAY: {"mean": per_day}, **further}.items():
        rows += given_rows(name, given, count)
    new = pl.DataFrame(rows, schema_overrides={"standard_error": pl.Float64}).with_columns(
        model_version=pl.lit(version_of(as_of), pl.Int64),
        trained_as_of=pl.lit(as_of),
        status=pl.lit(status),
        calibration=pl.lit(verdict.why),
    )
    return pl.concat([kept, VALUE_MODEL.conform(new)])


def _calibration(
    part: str,
    model: Any,
    per_day: float,
    verdict: CalibrationVerdict,
    days: pl.DataFrame,
    as_of: date,
) -> dict[str, dict[str, float]]:
    """The parameters of the correction by part."""
    if part == NAIVE or not (verdict.chance or verdict.number):
        return {}
    found = fit_calibration(to_learn_from(days, as_of).learnt(days), model, per_day)
    used = replace(
        found,
        chance=found.chance if verdict.chance else None,
        number=found.number if verdict.number else None,
    )
    return used.rows()


def _is_judged_since(metrics: pl.DataFrame, models: pl.DataFrame, as_of: date) -> bool:
    """Whether there was a judgement after the last fit, or on its day with other customers."""
    judged = last_judged(metrics, as_of)
    # Gamma-Gamma is fitted to those only who have paid something.
    orders = models.filter(pl.col("part") != VALUE, model_version=judged)
    counted = metrics.filter(model=DATA, metric="customers", model_version=judged)
    fitted_last = models.select(pl.max("model_version").fill_null(0)).item()
    if judged != fitted_last or not orders.height:
        return bool(judged > fitted_last)
    return bool(counted["value"][0] != orders["trained_on"][0])


def customer_value(
    features: pl.LazyFrame,
    models: pl.LazyFrame,
    purchases: pl.LazyFrame,
    as_of: date,
    discount_rate: float,
) -> pl.DataFrame:
    """The value of each customer so far, and the expected one.

    Args:
        features: rows of gold/customer_features.
        models: rows of gold/value_model.
        purchases: rows of silver/purchases; those of the last 90 days are read where the model's
            forecasts are corrected.
        as_of: latest batch day in silver.
        discount_rate: how much less money is worth in a year, as a share.

    Returns:
        The columns of gold/customer_value, by the latest model up to as_of. Without one the
        predictive ones are null and model_status says why.

    By the naive rate, 2 repeat purchases in 60 days are 3 in 90. Three orders brought 60:

    >>> from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES
    >>> customer = {"customer_id": "C1", "frequency": 2, "tenure_days": 60}
    >>> rows = [{**customer, "recency_days": 10, "net_revenue": 60, "orders": 3}]
    >>> features = pl.LazyFrame(rows, schema=CUSTOMER_FEATURES.dtypes)
    >>> parts = {"part": ["own_rate", "gamma_gamma"], "parameter": "none", "value": 0.0}
    >>> reasons = {"status": "fallback: a reason", "calibration": "none: a reason"}
    >>> models = pl.LazyFrame({**parts, **reasons, "model_version": 20240131})
    >>> from bridge_cart_assets.tables.silver import PURCHASES
    >>> purchases, day = PURCHASES.empty().lazy(), date(2024, 1, 31)
    >>> values = customer_value(features, models, purchases, day, discount_rate=0.1)
    >>> values.select("expected_orders_90d", "expected_order_value", "churn_band").rows()
    [(3.0, Decimal('20.00'), 'low')]
    """
    customers = _histories(features)
    rows = customers.select("customer_id", "historic_clv", "is_churned")
    versions = _up_to(models, as_of)
    model = ValueModel.of_rows(versions.filter(pl.col("model_version") == pl.max("model_version")))
    if model is None:
        unknown = [pl.lit(None, dtype=kind).alias(name) for name, kind in _PREDICTIONS.items()]
        valued, version, status = rows.with_columns(unknown), None, _not_fitted(customers)
        why = "none: there is no model"
    else:
        if model.calibration is not None:
            recent = recent_orders(purchases, as_of).collect()
            customers = customers.join(recent, on="customer_id", how="left", maintain_order="left")
            customers = customers.with_columns(pl.col("orders_90d").fill_null(0))
        predicted = _predicted(model, customers, discount_rate)
        valued = pl.concat([rows, predicted], how="horizontal")
        version, status, why = model.version, model.status, model.why
    churn = pl.col("churn_probability_90d")
    return CUSTOMER_VALUE.conform(
        valued.with_columns(
            as_of=pl.lit(as_of),
            clv=(pl.col("historic_clv") + pl.col("predicted_clv_365d")).cast(MONEY),
            churn_band=pl.when(churn < _LOW)
            .then(pl.lit("low"))
            .when(churn <= _HIGH)
            .then(pl.lit("medium"))
            .when(churn > _HIGH)
            .then(pl.lit("high")),
            model_version=pl.lit(version, dtype=pl.Int64),
            model_status=pl.lit(status),
            calibration=pl.lit(why),
        )
    )


def _histories(features: pl.LazyFrame) -> pl.DataFrame:
    """The history of each customer, with order_value: net revenue per order, not below 0."""
    net = pl.col("net_revenue").cast(pl.Float64)
    return features.select(
        "customer_id",
        "frequency",
        "t_x",
        *("tenure_days", "recency_days", "orders", "lines"),
        historic_clv="net_revenue",
        is_churned=pl.col("recency_days") >= WINDOW,
        order_value=(net / pl.col("orders")).clip(lower_bound=0),
    ).collect()


def _orders_model(
    customers: pl.DataFrame, metrics: pl.DataFrame, as_of: date
) -> tuple[str, Fitted[Any], str]:
    groups = Histories.of(customers)
    bg_nbd = fit_bg_nbd(groups)
    why = worse_than_naive(metrics, "bg_nbd", as_of)
    if bg_nbd.model.drop_out < THRESHOLDS.drop_out_visible:
        why = (
            f"no drop-out is visible (mean chance {bg_nbd.model.drop_out:.4f} after an order, "
            f"{THRESHOLDS.drop_out_visible} is needed)"
        )
    if why is None:
        return "bg_nbd", bg_nbd, "fitted"
    worse = worse_than_naive(metrics, "nbd", as_of)
    if worse is None:
        says = "NBD, by which customers order at their own rates and never leave"
        return "nbd", fit_nbd(groups), f"fallback: {why}: {says}"
    nothing: Fitted[NaiveRate] = Fitted(NaiveRate(), None, None, customers.height)
    return NAIVE, nothing, f"fallback: {why}; {worse}: everybody's rate so far"


def _predicted(model: ValueModel, customers: pl.DataFrame, discount_rate: float) -> pl.DataFrame:
    seen = Histories.each(customers)
    orders = customers["orders"].to_numpy().astype(np.float64)
    value = model.values.expected(orders, customers["order_value"].to_numpy())
    own = forecast(model.orders, customers, model.orders_per_day)
    used = own if model.calibration is None else model.calibration.applied(customers, own)
    expected = [
        orders_within(model.orders, seen, own, used, model.orders_per_day, days)
        for days in _QUARTERS[1:]
    ]
    spend = value * expected[0]
    low, high = (
        (None, None) if model.intervals is None else model.intervals.ends(1 - used.no_order, spend)
    )
    frame = pl.DataFrame(
        {
            "p_alive": model.orders.p_alive(seen),
            "expected_orders_90d": expected[0],
            "expected_orders_365d": expected[-1],
            "expected_order_value": value,
            "predicted_clv_365d": value * _discounted(expected, discount_rate),
            "churn_probability_90d": used.no_order,
            "predicted_spend_90d": spend,
        }
    ).with_columns(
        predicted_spend_90d_low=pl.lit(None, pl.Float64) if low is None else pl.Series(low),
        predicted_spend_90d_high=pl.lit(None, pl.Float64) if high is None else pl.Series(high),
    )
    money = [name for name, kind in _PREDICTIONS.items() if kind == MONEY]
    return frame.with_columns(pl.col(money).round(2).cast(MONEY))


def _discounted(expected: list[Floats], rate: float) -> Floats:
    """The year's orders, each quarter's counting as much as money does in its middle."""
    total = np.zeros_like(expected[0])
    before = np.zeros_like(expected[0])
    for first, end, until in zip(_QUARTERS, _QUARTERS[1:], expected, strict=False):
        total += (until - before) * (1 + rate) ** (-(first + end) / 2 / YEAR)
        before = until
    return total


def _not_fitted(customers: pl.DataFrame) -> str:
    missing = [need for need in needs_of(customers) if not need.is_met]
    needed = (f"{n.value:,} {n.says}, at least {n.least:,} are needed" for n in missing)
    return f"not_fitted: {'; '.join(needed) or 'the model has not been made yet'}"
