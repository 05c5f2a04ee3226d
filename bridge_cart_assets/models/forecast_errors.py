"""The errors of forecasts of orders, against the orders that came.

Belongs here: measures of one model. Does not belong here: what a model is judged on
(`models.holdout`), or how good it has to be (`thresholds`).
"""

import numpy as np

from bridge_cart_assets.models.forecast import Forecast
from bridge_cart_assets.models.likelihood import Floats

_BINS = 10
_RAREST = 1e-6


def scores(forecast: Forecast, actual: Floats) -> dict[str, float]:
    """The errors of the forecasts for the 90 days after.

    Args:
        forecast: the forecast of each customer.
        actual: orders of each in these days.

    Returns:
        total_error: expected orders / orders - 1 (0 where no customer ordered and none was
            expected);
        mae: mean absolute error of the orders of a customer; least for who forecasts the median,
            which is no order where most have none;
        rmse: root of the mean squared error of them, least for who forecasts the mean;
        poisson_deviance: mean deviance of them from Poisson counts, likewise, and less ruled by
            the customers with the most orders;
        auc: chance that, of a customer with and a customer without an order, the latter has the
        higher churn_probability_90d (Hanley and McNeil 1982); absent when all do the same;
        decile_error: mean gap between expected and actual orders of ten groups of equal size by
            what was expected, as a share of the mean of all (absent when none came);
        brier: mean squared error of churn_probability_90d (Brier 1950);
        calibration_error: mean gap between it and the share that did not order, in ten bins of
        equal size by probability.

    One of two customers ordered again after 90 days, and does so once more. The naive rate gives
    this one the churn probability exp(-1) = 0.368, so the Brier score is 0.368 squared / 2:

    >>> forecast = Forecast(no_order=np.array([1, np.exp(-1)]), orders=np.array([0.0, 1.0]))
    >>> errors = scores(forecast, np.array([0.0, 1.0]))
    >>> errors["total_error"], errors["mae"], errors["rmse"], errors["auc"]
    (0.0, 0.0, 0.0, 1.0)
    >>> round(errors["brier"], 4)
    0.0677
    """
    expected, churn = forecast.orders, forecast.no_order
    gone = (actual == 0).astype(np.float64)
    total = float(actual.sum())
    found = {
        "total_error": float(expected.sum()) / total - 1 if total else float(expected.sum()),
        "mae": float(np.abs(expected - actual).mean()),
        "rmse": float(np.sqrt(((expected - actual) ** 2).mean())),
        "poisson_deviance": poisson_deviance(expected, actual),
        "brier": float(((churn - gone) ** 2).mean()),
        "calibration_error": calibration_error(churn, gone),
    }
    if total:
        found["decile_error"] = calibration_error(expected, actual) / (total / actual.size)
    area = auc(churn, gone)
    return found if area is None else {**found, "auc": area}


def poisson_deviance(expected: Floats, actual: Floats) -> float:
    """2 (y ln(y / m) - (y - m)), the mean over customers; 0 where each had what was expected.

    A forecast is at least one order in a million windows: an order after a forecast of none would
    make the mean infinite.

    >>> poisson_deviance(np.array([2.0]), np.array([2.0]))
    0.0
    >>> round(poisson_deviance(np.array([1.0]), np.array([0.0])), 6)
    2.0
    """
    least = np.maximum(expected, _RAREST)
    logs = np.log(np.maximum(actual, 1.0) / least)
    return float((2 * (actual * logs - (actual - least))).mean())


def auc(score: Floats, is_positive: Floats) -> float | None:
    """Area under the ROC curve, by ranks; equal scores count a half. None with one class only.

    >>> auc(np.array([0.9, 0.4, 0.2]), np.array([1.0, 0.0, 0.0]))
    1.0
    """
    from scipy.stats import rankdata

    positives = float(is_positive.sum())
    negatives = is_positive.size - positives
    if not positives or not negatives:
        return None
    ranks = float(rankdata(score)[is_positive > 0].sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def calibration_error(probability: Floats, happened: Floats) -> float:
    """Mean gap between probability and share, over bins of equal size, weighted by size.

    Expected and actual numbers are compared likewise.

    >>> calibration_error(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    0.0
    """
    # Equal probabilities must not be torn apart by the order of the rows.
    places = np.searchsorted(np.sort(probability), probability, side="left")
    bins = places * _BINS // probability.size
    count = np.bincount(bins, minlength=_BINS)
    gap = np.bincount(bins, probability - happened, minlength=_BINS)
    return float(np.abs(gap).sum() / count.sum())
