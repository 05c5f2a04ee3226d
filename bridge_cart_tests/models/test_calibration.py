"""A shop's own past corrects forecasts where it can, and nothing where it cannot."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bridge_cart_assets.models.buy_till_you_die import Nbd
from bridge_cart_assets.models.calibration import PARTS, Calibration, fit_calibration
from bridge_cart_assets.models.customer_value import customer_value, value_model
from bridge_cart_assets.models.forecast import Forecast, forecast
from bridge_cart_assets.models.forecast_errors import scores
from bridge_cart_assets.models.holdout import value_metrics
from bridge_cart_assets.models.past_days import per_day, seen_until, to_judge_on, to_learn_from
from bridge_cart_assets.models.value_judgement import verdict_on_calibration
from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.tables.gold import CUSTOMER_VALUE, MODEL_METRICS, VALUE_MODEL
from bridge_cart_assets.transforms.features import customer_features
from bridge_cart_tests.models.buyers import AS_OF, shop_of_buyers
from bridge_cart_tests.models.cdnow import order_lines
from bridge_cart_tests.transforms.shops import START, customers, line, purchases

MODEL = Nbd(r=1.0, alpha=60.0)


def shop(count: int, chance_factor: float, seed: int = 1) -> pl.DataFrame:
    """Customers of NBD who then order as often as it says, times a factor."""
    rng = np.random.default_rng(seed)
    tenure = rng.integers(90, 400, count)
    rate = rng.gamma(MODEL.r, 1 / MODEL.alpha, count)
    frequency = rng.poisson(rate * tenure)
    recency = np.where(frequency > 0, rng.integers(0, 90, count), tenure)
    return pl.DataFrame(
        {
            "customer_id": [f"C{n:06}" for n in range(count)],
            "frequency": frequency,
            "t_x": tenure - recency,
            "tenure_days": tenure,
            "recency_days": recency,
            "orders": frequency + 1,
            "lines": frequency + 1,
            "orders_90d": np.minimum(frequency, 2),
            "order_value": rng.gamma(6.0, 5.0, count),
            "later_orders": rng.poisson(rate * 90 * chance_factor),
        }
    )


def test_what_is_forecast_rightly_is_hardly_corrected_and_what_is_not_is() -> None:
    right, wrong = (shop(4_000, factor) for factor in (1.0, 0.5))
    own = forecast(MODEL, right)
    for past, expected in ((right, 1.0), (wrong, 0.5)):
        corrected = fit_calibration([past], MODEL, 1.0).applied(past, own)
        assert corrected.orders.sum() / own.orders.sum() == pytest.approx(expected, abs=0.06)
        came = (past["later_orders"] > 0).mean()
        assert (1 - corrected.no_order).mean() == pytest.approx(came, abs=0.02)


def test_little_past_corrects_little() -> None:
    own = forecast(MODEL, shop(4_000, 0.5))
    moved = [
        np.abs(fit_calibration([past], MODEL, 1.0).applied(past, forecast(MODEL, past)).orders)
        for past in (shop(20, 0.5), shop(4_000, 0.5))
    ]
    few, many = (part.mean() / own.orders.mean() for part in moved)
    assert abs(few - 1) < 0.5 * abs(many - 1)


def test_a_customer_counts_once_however_many_past_days_there_are() -> None:
    past = shop(500, 0.5)
    once, thrice = (fit_calibration([past] * times, MODEL, 1.0) for times in (1, 3))
    assert once.chance is not None
    assert thrice.chance is not None
    assert thrice.chance == pytest.approx(once.chance, abs=1e-9)


def test_without_coefficients_a_forecast_stays_what_it_was() -> None:
    past = shop(50, 1.0)
    found = fit_calibration([past], MODEL, 1.0)
    own = forecast(MODEL, past)
    nothing = Calibration(found.mean, found.scale, np.zeros(13), np.zeros(13))
    for same in (nothing, Calibration(found.mean, found.scale, None, None)):
        corrected = same.applied(past, own)
        assert corrected.no_order == pytest.approx(own.no_order)
        assert corrected.orders == pytest.approx(np.maximum(own.orders, 1 - own.no_order))


def test_the_expected_number_is_at_least_the_chance_of_one_order() -> None:
    past = shop(300, 0.2)
    found = fit_calibration([past], MODEL, 1.0)
    corrected = Calibration(found.mean, found.scale, None, found.number).applied(
        past, forecast(MODEL, past)
    )
    assert (corrected.orders >= 1 - corrected.no_order).all()


def test_extreme_customers_get_finite_forecasts() -> None:
    past = shop(300, 1.0)
    found = fit_calibration([past], MODEL, 1.0)
    wild = past.head(2).with_columns(
        frequency=pl.Series([10_000, 0]),
        orders=pl.Series([10_001, 1]),
        lines=pl.Series([1_000_000, 1]),
        order_value=pl.Series([1e12, 0.0]),
        tenure_days=pl.Series([10_001, 0]),
        recency_days=pl.Series([0, 0]),
    )
    corrected = found.applied(wild, forecast(MODEL, wild))
    assert np.isfinite(corrected.orders).all()
    assert ((corrected.no_order >= 0) & (corrected.no_order <= 1)).all()


def test_a_correction_is_read_back_from_its_rows() -> None:
    past = shop(300, 0.5)
    found = fit_calibration([past], MODEL, 1.0)
    again = Calibration.of_rows(found.rows())
    assert again is not None
    own = forecast(MODEL, past)
    assert again.applied(past, own).no_order.tolist() == found.applied(past, own).no_order.tolist()
    assert Calibration.of_rows({"bg_nbd": {"r": 1.0}}) is None


def test_past_days_are_a_fortnight_apart_and_end_before_what_is_forecast() -> None:
    lines = [line(0), line(400)]
    days = per_day(purchases(lines), START + timedelta(days=400))
    learnt = to_learn_from(days, START + timedelta(days=400))
    assert [(day - START).days for day in learnt.days] == [310 - 14 * back for back in range(14)]
    assert learnt.judges is None
    judged = to_judge_on(days, START + timedelta(days=310))
    assert max(judged.days) == START + timedelta(days=220)
    assert judged.judges is None


def test_where_the_past_is_short_other_customers_are_judged_than_learnt_from() -> None:
    lines = [line(day, f"C{day:03}", order=f"O{day}") for day in range(274)]
    days = per_day(purchases(lines), START + timedelta(days=273))
    judged = to_judge_on(days, START + timedelta(days=183))
    assert judged.judges is not None
    assert judged.are_enough
    assert max(judged.days) < START + timedelta(days=183)
    assert not set(judged.learners) & set(judged.judges)
    assert set(judged.learners) | set(judged.judges) == {f"C{day:03}" for day in range(184)}


@pytest.fixture(scope="module")
def slowing() -> pl.LazyFrame:
    """A shop whose customers come half as often from some day on."""
    lines = shop_of_buyers(seed=1)
    return purchases(
        [n for n in lines if n["purchase_day"] < START + timedelta(days=150) or digest_of(n) % 2]
    )


def digest_of(row: dict[str, object]) -> int:
    return sum(map(ord, str(row["order_id"]))) + len(str(row["customer_id"]))


def test_a_correction_is_judged_used_and_written_down(slowing: pl.LazyFrame) -> None:
    sold = slowing
    features = customer_features(sold, customers(), AS_OF).lazy()
    metrics = value_metrics(sold, AS_OF)
    verdict = verdict_on_calibration(metrics, AS_OF)
    judged = dict(
        metrics.filter(pl.col("model") == "calibrated").select("metric", "passed").iter_rows()
    )
    assert (verdict.chance, verdict.number) == (judged["brier"], judged["poisson_deviance"])
    everything = metrics.with_columns(
        passed=pl.when(pl.col("model") == "calibrated").then(True).otherwise("passed")
    )
    nothing = metrics.with_columns(
        passed=pl.when(pl.col("model") == "calibrated").then(False).otherwise("passed")
    )
    models = [
        value_model(VALUE_MODEL.empty().lazy(), features, one.lazy(), sold, AS_OF)
        for one in (everything, nothing)
    ]
    parts = [set(one["part"]) for one in models]
    assert parts[0] - parts[1] == set(PARTS)
    with_it, without = (
        CUSTOMER_VALUE.conform(customer_value(features, one.lazy(), sold, AS_OF, 0.1))
        for one in models
    )
    assert sum(with_it.null_count().row(0)) == 0
    assert with_it["calibration"][0].startswith("chance of an order corrected: Brier score 0.")
    assert without["calibration"][0].startswith("chance of an order not: Brier score 0.")
    assert not with_it["churn_probability_90d"].equals(without["churn_probability_90d"])
    # What follows after 90 days moves with them.
    moved = with_it["expected_orders_90d"] / without["expected_orders_90d"]
    year = with_it["expected_orders_365d"] / without["expected_orders_365d"]
    assert ((moved / year - 1).abs() < 1e-9).all()


def test_a_young_shop_says_why_nothing_is_corrected() -> None:
    lines = [n for n in shop_of_buyers(seed=1) if n["purchase_day"] < START + timedelta(days=250)]
    as_of = START + timedelta(days=249)
    assert verdict_on_calibration(value_metrics(purchases(lines), as_of), as_of).why == (
        "none: the last 90 days could not be forecast"
    )
    few = MODEL_METRICS.conform(
        pl.DataFrame(
            {
                "model": ["value_data", "calibrated"],
                "model_version": 20240906,
                "metric": ["customers", "past_days"],
                "value": [900.0, 5.0],
                "gate": [">= 500", ">= 6"],
                "passed": [True, False],
                "trained_as_of": as_of,
            }
        )
    )
    assert verdict_on_calibration(few, as_of).why == "none: 5 past days to learn from, 6 are needed"


CUTS = [date(1997, 9, 30), date(1997, 12, 31), date(1998, 3, 31)]


@pytest.fixture(scope="module")
def cdnow(cdnow_package: Path) -> pl.LazyFrame:
    return order_lines(cdnow_package)


def forecasts(sold: pl.LazyFrame, cut: date) -> Iterator[tuple[Forecast, np.ndarray]]:
    """What gold says at the end of a day, without and with the correction, and what came."""
    known = sold.filter(pl.col("purchase_day") <= cut)
    spent = known.group_by("customer_id").agg(net_revenue=pl.sum("net_amount").cast(MONEY))
    then = seen_until(per_day(sold, cut + timedelta(days=90)), cut)
    features = then.lazy().join(spent, on="customer_id")
    metrics = value_metrics(known, cut).lazy()
    model = value_model(VALUE_MODEL.empty().lazy(), features, metrics, known, cut)
    actual = then["later_orders"].to_numpy().astype(float)
    for used in (model.filter(~pl.col("part").is_in(PARTS)), model):
        value = customer_value(features, used.lazy(), known, cut, 0.1)
        corrected = then.join(value, on="customer_id", how="left", maintain_order="left")
        churn, expected = corrected["churn_probability_90d"], corrected["expected_orders_90d"]
        yield Forecast(churn.to_numpy(), expected.to_numpy()), actual


@pytest.mark.parametrize("cut", CUTS)
def test_on_cdnow_the_corrected_forecast_is_better_than_bg_nbd(
    cdnow: pl.LazyFrame, cut: date
) -> None:
    own, ours = (scores(corrected, actual) for corrected, actual in forecasts(cdnow, cut))
    assert ours["auc"] > own["auc"]
    assert ours["brier"] < own["brier"]
    assert ours["calibration_error"] < own["calibration_error"]
