"""What the shop's customers will spend, beside what earlier forecasts said and what came.

Belongs here: gold/spend_forecast, from the customers' forecasts and the value model. Does not
belong here: the intervals (`models.spend_intervals`), or the forecast of a customer
(`models.customer_value`).

A table of its own, because the shop's interval is no sum of its customers': their luck cancels
out, and what is left is how far the whole shop was off in the past.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from bridge_cart_assets.models.past_windows import MOST, YEAR, log_error
from bridge_cart_assets.models.spend_intervals import half_width, past_parts, total_part
from bridge_cart_assets.models.value_judgement import version_of
from bridge_cart_assets.models.value_rows import parts_of
from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.tables.gold import SPEND_FORECAST
from bridge_cart_assets.thresholds import THRESHOLDS
from bridge_cart_assets.transforms.windows import WINDOW

Row = dict[str, Any]
_EARLIER = "none: the model is of an earlier version"


def spend_forecast(customers: pl.LazyFrame, models: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """The forecast of the shop from `as_of` on, and those of its past windows.

    Args:
        customers: rows of gold/customer_value.
        models: rows of gold/value_model.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/spend_forecast: for each number of days the current forecast, which
        adds up those of the customers, and one row per past window of the latest value model.
        Nothing without a model.

    >>> from bridge_cart_assets.tables.gold import CUSTOMER_VALUE, VALUE_MODEL
    >>> columns = {"expected_orders_365d": 4.0, "expected_order_value": 20, "as_of": None}
    >>> customer = {"customer_id": "C1", "predicted_spend_90d": 25, "model_version": 20240131}
    >>> customers = pl.LazyFrame([{**customer, **columns}], schema=CUSTOMER_VALUE.dtypes)
    >>> part = {"model_version": 20240131, "part": "nbd", "parameter": "r", "value": 0.5}
    >>> models = pl.LazyFrame([part], schema=VALUE_MODEL.dtypes)
    >>> found = spend_forecast(customers, models, date(2024, 1, 31))
    >>> found.select("horizon_days", "expected", "low").rows()
    [(90, Decimal('25.00'), None), (365, Decimal('80.00'), None)]
    """
    known = models.filter(pl.col("model_version") <= version_of(as_of)).collect()
    latest = known.filter(pl.col("model_version") == pl.max("model_version"))
    if not latest.height:
        return SPEND_FORECAST.empty()
    year = pl.col("expected_order_value").cast(pl.Float64) * pl.col("expected_orders_365d")
    # Summed exactly: of floats the last digits would depend on the order of the rows.
    totals = customers.select(
        pl.col("predicted_spend_90d").sum().alias(str(WINDOW)),
        year.round(2).cast(MONEY).sum().alias(str(YEAR)),
    ).collect()
    parts = parts_of(latest)
    rows = [
        row
        for horizon in MOST
        for row in _rows(parts, horizon, as_of, float(totals[str(horizon)].item()))
    ]
    version = pl.lit(latest["model_version"][0], pl.Int64)
    found = pl.DataFrame(rows, infer_schema_length=None).with_columns(model_version=version)
    money = pl.selectors.by_name("expected", "low", "high", "spent")
    return SPEND_FORECAST.conform(found.with_columns(money.cast(pl.Float64).round(2).cast(MONEY)))


def _rows(
    parts: Mapping[str, Mapping[str, float]], horizon: int, as_of: date, expected: float
) -> Iterator[Row]:
    """The current forecast, then the past ones, the latest first."""
    expected_of, spent_of = (parts.get(name, {}) for name in past_parts(horizon))
    cuts = sorted(expected_of, reverse=True)
    total = parts.get(total_part(horizon))
    width = None if total is None else total.get("half_width")
    why = _reason(horizon, len(cuts)) if total is not None else _EARLIER
    yield {**_row(as_of, horizon, expected, None, width, len(cuts)), "interval": why}
    errors = [log_error(expected_of[cut], spent_of[cut]) for cut in cuts]
    for place, cut in enumerate(cuts):
        before = errors[place + 1 :]
        width = half_width(before) if before else None
        day = date.fromisoformat(cut)
        yield _row(day, horizon, expected_of[cut], spent_of[cut], width, len(before))


def _row(
    day: date,
    horizon: int,
    expected: float,
    spent: float | None,
    width: float | None,
    windows: int,
) -> Row:
    """One forecast; the interval by the windows that were over by then."""
    return {
        "forecast_from": day,
        "horizon_days": horizon,
        "until": day + timedelta(days=horizon),
        "expected": expected,
        "low": None if width is None else expected * float(np.exp(-width)),
        "high": None if width is None else expected * float(np.exp(width)),
        "spent": spent,
        "is_within": None
        if width is None or spent is None
        else abs(log_error(expected, spent)) <= width,
        "past_windows": windows,
        "interval": _reason(horizon, windows),
    }


def _reason(horizon: int, windows: int) -> str:
    if windows:
        return f"80 %, by the errors of {windows} past forecasts of {horizon} days"
    needed = THRESHOLDS.value_days + horizon
    return f"none: no forecast of {horizon} days can be judged before {needed} days of history"
