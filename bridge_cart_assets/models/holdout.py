"""How good the models of value would have been: fitted without the last 90 days, judged on them.

Belongs here: whether there is enough to fit at all, and the figures by which one model of orders is
better than another. Does not belong here: fitting (`models.buy_till_you_die`), or which model is
used in the end (`models.customer_value`).

The measure is the naive rate: each customer goes on ordering as until now
(`buy_till_you_die.NaiveRate`). A model that does worse adds nothing to a division.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from bridge_cart_assets.models.buy_till_you_die import (
    GammaGamma,
    Histories,
    NaiveRate,
    Orders,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_nbd,
)
from bridge_cart_assets.models.likelihood import Floats
from bridge_cart_assets.tables.gold import MODEL_METRICS
from bridge_cart_assets.thresholds import THRESHOLDS, Thresholds
from bridge_cart_assets.transforms.features import refunds, sales, up_to
from bridge_cart_assets.transforms.windows import WINDOW

DATA, NAIVE, VALUE = "value_data", "own_rate", "gamma_gamma"
# The score that decides whether a model is worse than the naive rate: it is least for those who
# say what they believe, which neither the error of the total (one good guess) nor the mean
# absolute error (most customers order nothing, so it likes zeros) is.
DECISIVE = "brier"
_BINS = 10
Row = dict[str, Any]


@dataclass(frozen=True)
class Needed:
    """One requirement of a value model, with its present and its least value.

    >>> Needed("customers", value=500, least=500, says="customers with a sale").is_met
    True
    """

    metric: str
    value: int
    least: int
    says: str

    @property
    def is_met(self) -> bool:
        """Whether the value is enough."""
        return self.value >= self.least


def needs(customers: int, days: int, repeaters: int) -> tuple[Needed, ...]:
    """The requirements of a fit, each with its present value.

    Args:
        customers: with a sale.
        days: from the first sale to the day of the fit, both counted.
        repeaters: customers with a second purchase day.

    >>> [need.says for need in needs(customers=500, days=179, repeaters=80) if not need.is_met]
    ['days of history']
    """
    bounds = THRESHOLDS
    return (
        Needed("customers", customers, bounds.value_customers, "customers with a sale"),
        Needed("history_days", days, bounds.value_days, "days of history"),
        Needed("repeat_customers", repeaters, bounds.value_repeaters, "customers who came again"),
    )


def needs_of(customers: pl.DataFrame) -> tuple[Needed, ...]:
    """The requirements of a fit to these customers, each with its present value.

    Args:
        customers: frequency and tenure_days; one row per customer with a sale.

    >>> customers = pl.DataFrame({"frequency": [0, 2, 1], "tenure_days": [0, 179, 30]})
    >>> [(need.metric, need.value) for need in needs_of(customers)]
    [('customers', 3), ('history_days', 180), ('repeat_customers', 2)]
    """
    days, repeaters = customers.select(
        (pl.max("tenure_days") + 1).fill_null(0), (pl.col("frequency") > 0).sum()
    ).row(0)
    return needs(customers.height, days, repeaters)


def seen_until(purchases: pl.LazyFrame, day: date, as_of: date) -> pl.DataFrame:
    """The history of each customer at the end of a day, and the orders after it.

    Args:
        purchases: rows of silver/purchases.
        day: the last day of the history.
        as_of: the last day of the orders after it.

    Returns:
        One row per customer with a sale up to `day`, by customer: frequency, t_x, tenure_days,
        order_value (net revenue per purchase day, not below 0); orders and revenue (of the days
        after it; net of refunds).

    >>> days = [date(2024, 1, 1), date(2024, 1, 11), date(2024, 2, 1), date(2024, 2, 5)]
    >>> kinds = ["sale", "sale", "sale", "refund"]
    >>> lines = {"purchase_day": days, "kind": kinds, "net_amount": [30, 10, 20, -5]}
    >>> purchases = pl.LazyFrame({"customer_id": "C1", **lines})
    >>> histories = seen_until(purchases, date(2024, 1, 31), as_of=date(2024, 2, 29))
    >>> histories.select("frequency", "t_x", "tenure_days", "order_value").rows()
    [(1, 10, 30, 20.0)]
    >>> histories.select("orders", "revenue").rows()
    [(1, 15.0)]
    """
    lines = up_to(purchases, as_of)
    per_day = [
        part.group_by("customer_id", "purchase_day").agg(pl.sum("net_amount"), is_sale=is_sale)
        for part, is_sale in ((sales(lines), pl.lit(True)), (refunds(lines), pl.lit(False)))
    ]
    is_past, bought_on = pl.col("purchase_day") <= day, pl.col("purchase_day").filter("is_sale")
    first = pl.col("first")
    return (
        pl.concat(per_day)
        .group_by("customer_id", is_past=is_past)
        .agg(
            first=bought_on.min(),
            last=bought_on.max(),
            days=pl.col("is_sale").sum().cast(pl.Int64),
            # Summed exactly: of floats the last digits would depend on the order of the rows.
            money=pl.sum("net_amount").cast(pl.Float64),
        )
        .group_by("customer_id")
        .agg(
            pl.col("first", "last").filter("is_past").first(),
            bought=pl.col("days").filter("is_past").sum(),
            spent=pl.col("money").filter("is_past").sum(),
            orders=pl.col("days").filter(~pl.col("is_past")).sum(),
            revenue=pl.col("money").filter(~pl.col("is_past")).sum(),
        )
        .filter(pl.col("bought") > 0)
        .sort("customer_id")
        .select(
            frequency=pl.col("bought") - 1,
            t_x=(pl.col("last") - first).dt.total_days(),
            tenure_days=(pl.lit(day) - first).dt.total_days(),
            order_value=(pl.col("spent") / pl.col("bought")).clip(lower_bound=0),
            orders="orders",
            revenue="revenue",
        )
        .collect()
    )


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
    >>> metrics = value_metrics(pl.LazyFrame(line), as_of=date(2024, 6, 28))
    >>> metrics.select("metric", "value", "passed").rows()
    [('customers', 1.0, False), ('history_days', 180.0, True), ('repeat_customers', 0.0, False)]
    """
    now = seen_until(purchases, as_of, as_of)
    if not now.height:
        return MODEL_METRICS.empty()
    data = data_metrics(needs_of(now), as_of)
    cut = as_of - timedelta(days=WINDOW)
    then = seen_until(purchases, cut, as_of)
    if not all(n.is_met for n in needs_of(then)):
        return data
    return pl.concat([data, _metrics(list(_judged(then)), as_of, cut)])


def data_metrics(needed: Sequence[Needed], as_of: date) -> pl.DataFrame:
    """What there is to fit to, as rows of gold/model_metrics.

    >>> needed = needs(customers=700, days=200, repeaters=20)
    >>> data_metrics(needed, date(2024, 7, 1)).select("metric", "value", "passed").rows()
    [('customers', 700.0, True), ('history_days', 200.0, True), ('repeat_customers', 20.0, False)]
    """
    rows = [_row(DATA, n.metric, n.value, f">= {n.least}", passed=n.is_met) for n in needed]
    return _metrics(rows, as_of, as_of)


def _metrics(rows: Sequence[Row], as_of: date, trained_as_of: date) -> pl.DataFrame:
    found = pl.DataFrame(rows, schema_overrides={"gate": pl.String, "passed": pl.Boolean})
    return MODEL_METRICS.conform(
        found.with_columns(
            model_version=pl.lit(version_of(as_of), pl.Int64), trained_as_of=pl.lit(trained_as_of)
        )
    )


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

    >>> needed = needs(customers=1000, days=200, repeaters=300)
    >>> metrics = data_metrics(needed, date(2024, 7, 1))
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


def version_of(as_of: date) -> int:
    """The version of a model that is a function of silver at `as_of`: the day as YYYYMMDD.

    >>> version_of(date(2024, 1, 31))
    20240131
    """
    return as_of.year * 10_000 + as_of.month * 100 + as_of.day


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


def gamma_gamma_rejection(model: GammaGamma, own: Floats) -> str | None:
    """A sentence that says why Gamma-Gamma does not fit these order values, if it does not.

    Args:
        model: fitted to them.
        own: mean value of the orders of each customer.

    Levels with the mean 2 x 10 / (3 - 1) = 10 agree with order values of 5, not with those of 4:

    >>> model = GammaGamma(p=2.0, q=3.0, v=10.0)
    >>> gamma_gamma_rejection(model, np.array([5.0])) is None
    True
    >>> print(gamma_gamma_rejection(model, np.array([4.0])))  # doctest: +NORMALIZE_WHITESPACE
    order values are too uneven for Gamma-Gamma (what customers pay is 0.40 of what it expects of
    them, 0.5 is needed): an order is worth the customer's own mean
    """
    agreement, least = model.agreement(own), THRESHOLDS.value_agreement
    if agreement >= least:
        return None
    return (
        f"order values are too uneven for Gamma-Gamma (what customers pay is {agreement:.2f} of "
        f"what it expects of them, {least} is needed): an order is worth the customer's own mean"
    )


def _judged(then: pl.DataFrame) -> Iterator[Row]:
    groups, each = Histories.of(then), Histories.each(then)
    actual = then["orders"].to_numpy().astype(np.float64)
    bg_nbd, nbd = fit_bg_nbd(groups).model, fit_nbd(groups).model
    least = THRESHOLDS.drop_out_visible
    is_visible = bg_nbd.drop_out >= least
    yield _row("bg_nbd", "drop_out", bg_nbd.drop_out, f">= {least}", passed=is_visible)
    naive = scores(NaiveRate(), each, actual)
    for metric, value in naive.items():
        yield _row(NAIVE, metric, value)
    models: dict[str, Orders] = {"bg_nbd": bg_nbd, "nbd": nbd}
    for name, model in models.items():
        for metric, value in scores(model, each, actual).items():
            gate, passed = _gate(metric, value, naive)
            yield _row(name, metric, value, gate, passed=passed)
    best = bg_nbd if is_visible else nbd
    yield from _judged_value(then, best.expected_orders(each, WINDOW))


def _judged_value(then: pl.DataFrame, expected: Floats) -> Iterator[Row]:
    """Errors of expected order values, against the payments of the 90 days."""
    count = then["frequency"].to_numpy() + 1.0
    own = then["order_value"].to_numpy()
    if not (own > 0).any():
        return
    model = fit_gamma_gamma(count[own > 0], own[own > 0]).model
    has_a_mean = gamma_gamma_rejection(model, own[own > 0]) is None
    bound, agreement = THRESHOLDS.value_agreement, model.agreement(own[own > 0])
    yield _row(VALUE, "agreement", agreement, f">= {bound}", passed=has_a_mean)
    if not has_a_mean:
        return
    value = model.expected_value(count, own)
    orders, revenue = then["orders"].to_numpy(), then["revenue"].to_numpy()
    came = orders > 0
    if came.any():
        paid = np.maximum(revenue[came] / orders[came], 0.0)
        error, bound = (float(np.abs(guess[came] - paid).mean()) for guess in (value, own))
        yield _row(VALUE, "mae", error, f"<= {bound:.6g}", passed=error <= bound)
    total = float(revenue.sum())
    if total > 0:
        yield _row(VALUE, "revenue_total_error", float(expected @ value) / total - 1)


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


def _gate(metric: str, value: float, naive: dict[str, float]) -> tuple[str, bool]:
    """The bound of a metric: the naive rate's value, or that of calibration; and if it holds."""
    if metric == "calibration_error":
        bound = THRESHOLDS.calibration_error
        return f"<= {bound}", value <= bound
    bound = naive[metric]
    if metric == "auc":
        return f">= {bound:.6g}", value >= bound
    if metric == "total_error":
        return f"within {abs(bound):.6g}", abs(value) <= abs(bound)
    return f"<= {bound:.6g}", value <= bound


def _row(
    model: str, metric: str, value: float, gate: str | None = None, *, passed: bool | None = None
) -> Row:
    return {"model": model, "metric": metric, "value": float(value), "gate": gate, "passed": passed}
