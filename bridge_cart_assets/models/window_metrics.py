"""How good the forecasts of past windows would have been, as rows of gold/model_metrics.

Belongs here: the errors of the windows before the latest one, and how many customers spent what
their interval says. Does not belong here: the latest window's gates (`models.holdout`), or the
intervals (`models.spend_intervals`).

The window after a day is named with it: `bg_nbd@1997-06-30`. These rows ask nothing. What is asked
of a model is asked on the latest window; here a reader sees whether that one was luck.
"""

from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np
import polars as pl

from bridge_cart_assets.models.buy_till_you_die import Histories, fit_bg_nbd
from bridge_cart_assets.models.forecast import Forecast, forecast, orders_per_day
from bridge_cart_assets.models.forecast_errors import scores
from bridge_cart_assets.models.likelihood import Floats
from bridge_cart_assets.models.past_windows import ForecastChoice, PastWindow
from bridge_cart_assets.models.spend_intervals import fit_bands, half_width, lies_within
from bridge_cart_assets.models.value_judgement import (
    CALIBRATED,
    NAIVE,
    Row,
    metric_row,
    two_sided_gate,
    verdict_on_calibration,
    worse_than_naive,
)
from bridge_cart_assets.thresholds import THRESHOLDS

SPEND = "spend"
_DECILES = 10


def choice_by(metrics: pl.DataFrame, as_of: date) -> ForecastChoice:
    """How orders are forecast after these metrics.

    Args:
        metrics: rows of gold/model_metrics.
        as_of: latest batch day in silver.

    >>> columns = {"model": ["value_data", "bg_nbd"], "metric": ["customers", "drop_out"]}
    >>> more = {"model_version": 20240131, "passed": [True, False], "value": [900.0, 0.0]}
    >>> choice_by(pl.DataFrame({**columns, **more, "gate": None}), date(2024, 1, 31)).part
    'nbd'
    """
    is_visible = metrics.filter(model="bg_nbd", metric="drop_out")["passed"].all()
    part = "bg_nbd" if is_visible and not worse_than_naive(metrics, "bg_nbd", as_of) else "nbd"
    if part == "nbd" and worse_than_naive(metrics, "nbd", as_of):
        part = NAIVE
    verdict = verdict_on_calibration(metrics, as_of)
    return ForecastChoice(part, verdict.chance, verdict.number)


def window_metrics(windows: Sequence[PastWindow]) -> Iterator[tuple[date, list[Row]]]:
    """Rows on the spend of the latest window, and on everything of each before it.

    Args:
        windows: `past_windows` of 90 days each, the latest first.

    Yields:
        The last day that was known, and the rows.

    >>> list(window_metrics([]))
    []
    """
    if windows:
        yield windows[0].cut, list(_spend(windows))
    for window in windows[1:]:
        yield window.cut, list(_errors(window))


def _errors(window: PastWindow) -> Iterator[Row]:
    actual = window.customers["later_orders"].to_numpy().astype(np.float64)
    bg_nbd = fit_bg_nbd(Histories.of(window.customers)).model
    as_it_is = forecast(bg_nbd, window.customers, orders_per_day(window.customers))
    forecasts: dict[str, Forecast | None] = {"bg_nbd": as_it_is, CALIBRATED: window.corrected}
    for model, found in forecasts.items():
        if found is not None:
            for metric, value in scores(found, actual).items():
                yield metric_row(_named(model, window), metric, value)
    yield metric_row(_named(SPEND, window), "total_error", _total_error(window))


def _spend(windows: Sequence[PastWindow]) -> Iterator[Row]:
    """How far the spend of the latest window lies within what the windows before it say."""
    latest, earlier = windows[0], windows[1:]
    yield metric_row(SPEND, "past_windows", len(windows))
    yield metric_row(SPEND, "total_error", _total_error(latest))
    errors = [window.log_error for window in windows]
    told = [abs(errors[n]) <= half_width(errors[n + 1 :]) for n in range(len(errors) - 1)]
    if told:
        yield metric_row(SPEND, "total_coverage", float(np.mean(told)))
    # Without an earlier window half of the customers say what the interval of the others is. How
    # far the shop as a whole was off cannot be seen then.
    odd = np.arange(latest.customers.height) % 2 == 1
    learnt = [(one, slice(None)) for one in earlier] or [(latest, ~odd)]
    of_whom = slice(None) if earlier else odd
    chance, spend, came = (
        np.concatenate([of(window)[among] for window, among in learnt])
        for of in (_chance, _expected, _came)
    )
    bands = fit_bands(chance, spend, came, half_width(errors[1:]) if earlier else 0.0)
    chance, spend, came = (of(latest)[of_whom] for of in (_chance, _expected, _came))
    covered = bands.covered(chance, spend, came)
    least, most = THRESHOLDS.spend_coverage, THRESHOLDS.spend_coverage_most
    value = float(covered.mean())
    is_within = least <= value <= most
    yield metric_row(SPEND, "coverage", value, two_sided_gate(least, most), passed=is_within)
    low, high = bands.ends(chance, spend)
    inside, has_range = lies_within(low, high, came), high > 0
    yield metric_row(SPEND, "coverage_as_it_stands", float(inside.mean()))
    yield metric_row(SPEND, "share_with_range", float(has_range.mean()))
    if has_range.any():
        yield metric_row(SPEND, "coverage_with_range", float(inside[has_range].mean()))
    order = np.searchsorted(np.sort(spend), spend, side="left") * _DECILES // spend.size
    for decile in range(_DECILES):
        if (order == decile).any():
            name = f"coverage_decile_{decile + 1:02}"
            yield metric_row(SPEND, name, float(covered[order == decile].mean()))


def _chance(window: PastWindow) -> Floats:
    return 1 - window.used.no_order


def _expected(window: PastWindow) -> Floats:
    return window.spend


def _came(window: PastWindow) -> Floats:
    return window.came


def _named(model: str, window: PastWindow) -> str:
    return f"{model}@{window.cut.isoformat()}"


def _total_error(window: PastWindow) -> float:
    """Expected / spent - 1, as `forecast_errors.scores` has it of orders."""
    return float(np.expm1(-window.log_error))
