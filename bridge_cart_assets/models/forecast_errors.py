"""The errors of forecasts of orders, against the orders that came.

Belongs here: measures of one model. Does not belong here: what a model is judged on
(`models.holdout`), or how good it has to be (`thresholds`).
"""

import numpy as np

from bridge_cart_assets.models.buy_till_you_die import Histories, Orders
from bridge_cart_assets.models.likelihood import Floats
from bridge_cart_assets.transforms.windows import WINDOW

_BINS = 10


def scores(model: Orders, seen: Histories, actual: Floats) -> dict[str, float]:
    """The errors of a model's forecasts for the 90 days after.

    Args:
        model: fitted to the histories.
        seen: every customer by itself.
        actual: order days of each in the 90 days after.

    Returns:
        total_error: expected orders / orders - 1 (0 where no customer ordered and none was
            expected);
        mae: mean absolute error of the orders of a customer;
        auc: chance that, of a customer with and a customer without an order, the latter has the
        higher churn_probability_90d (Hanley and McNeil 1982); absent when all do the same;
        brier: mean squared error of churn_probability_90d (Brier 1950);
        calibration_error: mean gap between it and the share that did not order, in ten bins of
        equal size by probability.

    One of two customers ordered again after 90 days, and does so once more. The naive rate gives
    this one the churn probability exp(-1) = 0.368, so the Brier score is 0.368 squared / 2:

    >>> import polars as pl
    >>> from bridge_cart_assets.models.buy_till_you_die import NaiveRate
    >>> columns = {"frequency": [0, 1], "t_x": [0, 90], "tenure_days": [90, 90]}
    >>> errors = scores(NaiveRate(), Histories.each(pl.DataFrame(columns)), np.array([0.0, 1.0]))
    >>> errors["total_error"], errors["mae"], errors["auc"]
    (0.0, 0.0, 1.0)
    >>> round(errors["brier"], 4)
    0.0677
    """
    expected, churn = model.expected_orders(seen, WINDOW), model.prob_no_order(seen, WINDOW)
    gone = (actual == 0).astype(np.float64)
    total = float(actual.sum())
    found = {
        "total_error": float(expected.sum()) / total - 1 if total else float(expected.sum()),
        "mae": float(np.abs(expected - actual).mean()),
        "brier": float(((churn - gone) ** 2).mean()),
        "calibration_error": calibration_error(churn, gone),
    }
    area = auc(churn, gone)
    return found if area is None else {**found, "auc": area}


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

    >>> calibration_error(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    0.0
    """
    # Equal probabilities must not be torn apart by the order of the rows.
    places = np.searchsorted(np.sort(probability), probability, side="left")
    bins = places * _BINS // probability.size
    count = np.bincount(bins, minlength=_BINS)
    gap = np.bincount(bins, probability - happened, minlength=_BINS)
    return float(np.abs(gap).sum() / count.sum())
