"""What there is to fit to, and how good a forecast was, against counting by hand."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.models.buy_till_you_die import (
    BgNbd,
    Histories,
    NaiveRate,
    Nbd,
    Orders,
    fit_bg_nbd,
)
from bridge_cart_assets.models.forecast import forecast, orders_per_day
from bridge_cart_assets.models.forecast_errors import auc, calibration_error, scores
from bridge_cart_assets.models.holdout import value_metrics
from bridge_cart_assets.models.metrics import model_metrics, segment_model_metrics
from bridge_cart_assets.models.past_days import per_day, recent_orders, seen_until
from bridge_cart_assets.models.value_judgement import worse_than_naive
from bridge_cart_assets.tables.gold import (
    CUSTOMER_HISTORY,
    MODEL_DRIFT,
    MODEL_METRICS,
    SEGMENT_MODEL,
)
from bridge_cart_assets.transforms.features import customer_features
from bridge_cart_tests.benchmarks.value import AliveOrNot, Flag
from bridge_cart_tests.models.buyers import AS_OF, shop_of_buyers
from bridge_cart_tests.models.cdnow import order_lines
from bridge_cart_tests.transforms.shops import START, Line, customers, line, purchases, shops


def values(rows: pl.DataFrame, model: str) -> dict[str, float]:
    return dict(rows.filter(pl.col("model") == model).select("metric", "value").iter_rows())


def on(day: int) -> date:
    return START + timedelta(days=day)


def test_the_past_ends_with_its_day_and_the_future_with_as_of() -> None:
    lines = [
        line(0, amount="10.00"),
        line(0, order="second", amount="5.00"),
        line(10, amount="9.00"),
        line(10, amount="-4.00", kind="refund", line_number=2),
        line(20, amount="7.00"),
        line(21, amount="-1.00", kind="refund", line_number=2),
        line(30, amount="99.00"),
        line(12, "C2", amount="3.00"),
    ]
    [row] = seen_until(per_day(purchases(lines), on(29)), on(10)).rows(named=True)
    assert row == {
        "customer_id": "C1",
        "frequency": 1,
        "t_x": 10,
        "tenure_days": 10,
        "recency_days": 0,
        "orders": 3,
        "lines": 3,
        "orders_90d": 3,
        "order_value": pytest.approx(20 / 3),
        "later_orders": 1,
        "later_revenue": pytest.approx(6.0),
    }


def test_an_order_value_is_not_below_zero_when_more_was_given_back_than_paid() -> None:
    lines = [line(0, amount="5.00"), line(1, amount="-8.00", kind="refund")]
    assert seen_until(per_day(purchases(lines), on(9)), on(5))["order_value"].to_list() == [0.0]


@settings(max_examples=40, deadline=None)
@given(shops(size=10), st.integers(0, 200))
def test_what_was_seen_is_what_counting_each_customer_gives(
    shop: tuple[list[Line], date], days: int
) -> None:
    lines, as_of = shop
    day = as_of - timedelta(days=days)
    expected = []
    for customer in sorted({n["customer_id"] for n in lines}):
        own = [n for n in lines if n["customer_id"] == customer and n["purchase_day"] <= as_of]
        sold = [n for n in own if n["kind"] == "sale"]
        orders = {(n["purchase_day"], n["source"], n["order_id"]) for n in sold}
        bought = sorted({placed[0] for placed in orders if placed[0] <= day})
        if not bought:
            continue
        past = [placed for placed in orders if placed[0] <= day]
        recent = [placed for placed in past if placed[0] > day - timedelta(days=90)]
        later = [placed for placed in orders if day < placed[0] <= day + timedelta(days=90)]
        given = [n for n in own if n["kind"] in ("sale", "refund")]
        spent = sum(float(n["net_amount"]) for n in given if n["purchase_day"] <= day)
        earned = sum(
            float(n["net_amount"])
            for n in given
            if day < n["purchase_day"] <= day + timedelta(days=90)
        )
        expected.append(
            {
                "customer_id": customer,
                "frequency": len(bought) - 1,
                "t_x": (bought[-1] - bought[0]).days,
                "tenure_days": (day - bought[0]).days,
                "recency_days": (day - bought[-1]).days,
                "orders": len(past),
                "lines": len([n for n in sold if n["purchase_day"] <= day]),
                "orders_90d": len(recent),
                "order_value": pytest.approx(max(spent / len(past), 0.0), abs=1e-6),
                "later_orders": len(later),
                "later_revenue": pytest.approx(earned, abs=1e-6),
            }
        )
    found = per_day(purchases(lines), as_of)
    assert seen_until(found, day).rows(named=True) == expected
    at_last = dict(recent_orders(purchases(lines), as_of).collect().iter_rows())
    seen = seen_until(found, as_of)
    assert {n: m for n, m in seen.select("customer_id", "orders_90d").iter_rows() if m} == at_last


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order() -> None:
    gone, score = np.array([1.0, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.4, 0.1, 0.8])
    # Of six pairs: 0.9 is above all three; 0.4 is level with one, above one and below one.
    assert auc(score, gone) == pytest.approx((3 + 0.5 + 1) / 6)
    assert auc(score, np.ones(5)) is None


def test_calibration_compares_the_mean_of_a_bin_with_its_share() -> None:
    chance = np.repeat([0.2, 0.8], 50)
    happened = np.concatenate([np.arange(50) < 10, np.arange(50) < 25]).astype(float)
    # The lower half is right, the upper half says .8 where .5 is true.
    assert calibration_error(chance, happened) == pytest.approx(0.15)


def test_equal_probabilities_are_one_bin_however_the_customers_are_sorted() -> None:
    chance, happened = np.full(40, 0.5), (np.arange(40) < 20).astype(float)
    assert calibration_error(chance, happened) == calibration_error(chance, happened[::-1]) == 0


def test_scores_of_three_customers() -> None:
    columns = {"frequency": [9, 1, 0], "t_x": [90, 10, 0], "tenure_days": 90}
    found = scores(forecast(NaiveRate(), pl.DataFrame(columns)), np.array([9.0, 0, 1]))
    assert found["total_error"] == pytest.approx(0.0)
    assert found["mae"] == pytest.approx(2 / 3)
    assert found["rmse"] == pytest.approx((2 / 3) ** 0.5)
    # One was expected and none came: 2; one came where one in a million was expected.
    assert found["poisson_deviance"] == pytest.approx((2 + 2 * (np.log(1e6) - 1 + 1e-6)) / 3)
    silent = np.exp([-9.0, -1, 0])
    assert found["brier"] == pytest.approx(((silent - [0, 1, 0]) ** 2).mean())
    assert found["auc"] == pytest.approx(0.5)


@pytest.mark.parametrize("model", [Nbd(1.0, 90.0), BgNbd(1.0, 90.0, 0.5, 2.0)])
def test_without_any_order_the_error_of_the_total_is_what_was_expected(model: Nbd) -> None:
    forecasts = forecast(model, pl.DataFrame({"frequency": [0, 0], "t_x": 0, "tenure_days": 30}))
    found = scores(forecasts, np.zeros(2))
    assert found["total_error"] == pytest.approx(forecasts.orders.sum())
    assert "auc" not in found


def test_a_shop_without_enough_customers_learns_what_is_missing() -> None:
    rows = value_metrics(purchases([line(0), line(200)]), on(200))
    assert MODEL_METRICS.conform(rows).select("metric", "value", "gate", "passed").rows() == [
        ("customers", 1.0, ">= 500", False),
        ("history_days", 201.0, ">= 180", True),
        ("repeat_customers", 1.0, ">= 50", False),
    ]
    assert value_metrics(purchases([]), on(0)).is_empty()


@pytest.fixture(scope="module")
def judged() -> pl.DataFrame:
    """The metrics of a shop in which people drop out."""
    return value_metrics(purchases(shop_of_buyers(seed=1)), AS_OF)


def test_bg_nbd_is_better_than_the_naive_rate_where_customers_drop_out(
    judged: pl.DataFrame,
) -> None:
    ours, naive = values(judged, "bg_nbd"), values(judged, "own_rate")
    assert ours["brier"] < 0.9 * naive["brier"]
    assert ours["mae"] < naive["mae"]
    assert ours["auc"] > naive["auc"]
    assert ours["calibration_error"] < 0.05
    assert abs(ours["total_error"]) < 0.3 * naive["total_error"]
    assert ours["drop_out"] > 0.01
    passed = judged.filter(pl.col("model") == "bg_nbd").drop_nulls("gate")
    assert passed["passed"].to_list() == [True] * 6
    assert worse_than_naive(judged, "bg_nbd", AS_OF) is None


def test_what_a_model_is_asked_for_and_that_the_naive_rate_is_asked_for_nothing(
    judged: pl.DataFrame,
) -> None:
    gated = judged.filter(pl.col("gate").is_not_null())
    of_orders = {"value_data", "bg_nbd", "nbd", "calibrated"}
    assert set(gated["model"]) == {*of_orders, "gamma_gamma", "spend"}
    assert gated["passed"].null_count() == 0
    assert judged.filter(model="own_rate")["passed"].null_count() == 8
    # Least for who forecasts no order at all: it is said, and asks nothing.
    asked = judged.filter(pl.col("model") != "gamma_gamma", metric="mae")
    assert asked["gate"].null_count() == asked.height >= 4
    # The models were fitted to what was known 90 days before as_of.
    days = dict(judged.select("model", "trained_as_of").iter_rows())
    assert days["bg_nbd"] == AS_OF - timedelta(days=90)
    assert days["value_data"] == AS_OF
    assert set(judged["model_version"]) == {20250304}


def test_a_model_that_is_worse_than_the_naive_rate_is_named_with_both_scores(
    judged: pl.DataFrame,
) -> None:
    spoilt = judged.with_columns(
        value=pl.when(model="bg_nbd", metric="brier").then(0.5).otherwise("value")
    )
    why = worse_than_naive(spoilt, "bg_nbd", AS_OF)
    assert why is not None
    assert "0.5000" in why
    assert f"{values(judged, 'own_rate')['brier']:.4f}" in why
    assert worse_than_naive(spoilt, "bg_nbd", AS_OF + timedelta(days=1)) == why
    assert worse_than_naive(spoilt, "bg_nbd", AS_OF - timedelta(days=1)) is None
    assert worse_than_naive(spoilt, "nbd", AS_OF) is None


def test_without_ninety_days_to_spare_nothing_is_judged() -> None:
    """180 days of history are needed at the beginning of the 90 days too."""
    lines = [n for n in shop_of_buyers(seed=1) if n["purchase_day"] < on(269)]
    rows = value_metrics(purchases(lines), on(268))
    assert set(rows["model"]) == {"value_data"}
    assert rows["passed"].to_list() == [True] * 3


def metrics_after(
    earlier: pl.DataFrame, lines: list[Line], as_of: date, *, asked: bool = False
) -> pl.DataFrame:
    nothing = (SEGMENT_MODEL.empty().lazy(), MODEL_DRIFT.empty().lazy())
    features = customer_features(purchases(lines), customers(), as_of).lazy()
    states = CUSTOMER_HISTORY.empty().lazy()
    read = (earlier.lazy(), purchases(lines), *nothing, features, states)
    return model_metrics(*read, as_of, asked=asked)


def test_earlier_versions_are_kept_and_those_of_today_are_replaced() -> None:
    first = metrics_after(MODEL_METRICS.empty(), [line(0)], on(0))
    assert metrics_after(first, [line(0)], on(0)).equals(first)
    later = metrics_after(first, [line(0)], on(1))
    assert later["model_version"].unique().sort().to_list() == [20240101, 20240102]


def test_models_are_judged_after_a_week_or_on_request() -> None:
    lines = shop_of_buyers(seed=1)
    first = metrics_after(MODEL_METRICS.empty(), lines, AS_OF)
    assert {"value_data", "bg_nbd", "nbd", "own_rate"} <= set(first["model"])
    for days in (0, 1, 6):
        assert metrics_after(first, lines, AS_OF + timedelta(days=days)).equals(first)
    week = metrics_after(first, lines, AS_OF + timedelta(days=7))
    assert set(week["model_version"]) == {20250304, 20250311}
    asked = metrics_after(first, lines, AS_OF + timedelta(days=1), asked=True)
    assert set(asked["model_version"]) == {20250304, 20250305}


def test_models_are_judged_when_the_customers_have_become_a_tenth_more() -> None:
    lines = shop_of_buyers(seed=1)
    first = metrics_after(MODEL_METRICS.empty(), lines, AS_OF)
    count = len({one["customer_id"] for one in lines})

    def judged_with(newcomers: int) -> bool:
        new = [line(AS_OF, f"new{n}", order=f"new{n}") for n in range(newcomers)]
        return metrics_after(first, lines + new, AS_OF).equals(first)

    assert judged_with(count // 10)
    assert not judged_with(count // 10 + 1)


def test_a_segment_model_is_judged_by_stability_and_size() -> None:
    model = {"model_version": 3, "trained_as_of": START, "stability": 0.7, "silhouette": 0.4}
    of_each = [(1, 0.9), (2, 0.4)]
    models = pl.DataFrame(
        [
            {**model, "segment_id": segment, "segment_stability": stable, "moved_share": 0.06}
            for segment, stable in of_each
        ]
    )
    drift = pl.DataFrame(
        {
            "subject": ["segment_shares"],
            "model_version": [3],
            "trained_as_of": [START],
            "shares_then": [[0.02, 0.98]],
        }
    )
    rows = MODEL_METRICS.conform(segment_model_metrics(models, drift))
    assert rows.select("model", "model_version", "metric", "value", "gate", "passed").rows() == [
        ("segments", 3, "stability", 0.7, ">= 0.8", False),
        ("segments", 3, "silhouette", 0.4, None, None),
        ("segments", 3, "moved_by_model", 0.06, "<= 0.05", False),
        ("segments", 3, "smallest_share", 0.02, ">= 0.03", False),
        ("segments", 3, "largest_share", 0.98, "<= 0.6", False),
        ("segments", 3, "stability_segment_1", 0.9, ">= 0.6", True),
        ("segments", 3, "stability_segment_2", 0.4, ">= 0.6", False),
    ]


def test_a_model_of_which_no_such_figure_is_known_has_no_row_of_it() -> None:
    """The first version moves nobody, and an earlier release counted neither."""
    row = {"model_version": 1, "segment_id": 1, "stability": 0.9, "trained_as_of": START}
    models = pl.DataFrame([row], schema=SEGMENT_MODEL.dtypes)
    rows = segment_model_metrics(models, MODEL_DRIFT.empty())
    assert set(rows["metric"]) == {"stability", "silhouette"}


@pytest.mark.parametrize("last", [date(1997, 12, 31), date(1998, 6, 30)])
def test_on_cdnow_the_churn_probability_is_better_than_what_people_use_instead(
    cdnow_package: Path, last: date
) -> None:
    sold = order_lines(cdnow_package)
    then = seen_until(per_day(sold, last), last - timedelta(days=90))
    actual = then["later_orders"].to_numpy().astype(float)
    model, per_order_day = fit_bg_nbd(Histories.of(then)).model, orders_per_day(then)
    ours = scores(forecast(model, then, per_order_day), actual)
    others: list[Orders] = [NaiveRate(), AliveOrNot(model), Flag()]
    assert then.height == 2_357
    assert ours["calibration_error"] < 0.05
    for other in others:
        theirs = scores(forecast(other, then, per_order_day), actual)
        assert ours["brier"] < 0.85 * theirs["brier"]
        assert ours["auc"] > theirs["auc"]
        assert ours["calibration_error"] < 0.5 * theirs["calibration_error"]
