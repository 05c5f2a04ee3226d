"""What each customer will be worth: fitted, fallen back, or refused, and always said so."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings

from bridge_cart_assets.models.buy_till_you_die import BgNbd
from bridge_cart_assets.models.customer_value import customer_value, value_model
from bridge_cart_assets.models.holdout import value_metrics
from bridge_cart_assets.tables.gold import CUSTOMER_VALUE, VALUE_MODEL
from bridge_cart_assets.transforms.features import customer_features
from bridge_cart_tests.generator.numbers import as_number
from bridge_cart_tests.models.buyers import AS_OF, shop_of_buyers
from bridge_cart_tests.transforms.shops import (
    START,
    Line,
    customers,
    line,
    purchases,
    shops,
)

PREDICTED = (
    *("p_alive", "expected_orders_90d", "expected_orders_365d", "expected_order_value"),
    *("predicted_clv_365d", "clv", "churn_probability_90d", "churn_band"),
)
RATE = 0.1
MODELS = {"bg_nbd", "nbd", "own_rate", "gamma_gamma"}


def fitted(
    lines: list[Line], as_of: date, spoilt: Mapping[str, float] | None = None, rate: float = RATE
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The value model and the customers' value; `spoilt` sets the Brier score of some models."""
    features = customer_features(purchases(lines), customers(), as_of).lazy()
    metrics = value_metrics(purchases(lines), as_of)
    for name, score in (spoilt or {}).items():
        metrics = metrics.with_columns(
            value=pl.when(model=name, metric="brier").then(score).otherwise("value")
        )
    model = value_model(
        VALUE_MODEL.empty().lazy(), features, metrics.lazy(), purchases(lines), as_of
    )
    value = customer_value(features, model.lazy(), purchases(lines), as_of, rate)
    return model, CUSTOMER_VALUE.conform(value)


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return shop_of_buyers(seed=1)


@pytest.fixture(scope="module")
def valued(lines: list[Line]) -> tuple[pl.DataFrame, pl.DataFrame]:
    return fitted(lines, AS_OF)


@pytest.mark.parametrize(("days", "is_churned"), [(0, False), (89, False), (90, True)])
def test_a_customer_has_churned_after_ninety_days_without_a_sale(
    days: int, is_churned: bool
) -> None:
    lines = [line(0, amount="10.00"), line(0, amount="-4.00", kind="refund", line_number=2)]
    _, value = fitted(lines, START + timedelta(days=days))
    row = value.row(0, named=True)
    assert (row["customer_id"], row["historic_clv"]) == ("C1", 6)
    assert row["is_churned"] is is_churned
    assert row["model_status"] == (
        "not_fitted: 1 customers with a sale, at least 500 are needed; "
        f"{days + 1} days of history, at least 180 are needed; "
        "0 customers who came again, at least 50 are needed"
    )
    assert all(row[name] is None for name in (*PREDICTED, "model_version"))


def test_every_customer_of_a_fitted_shop_has_every_prediction(
    valued: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    model, value = valued
    assert set(value["model_status"]) == set(model["status"]) == {"fitted"}
    assert set(value["model_version"]) == set(model["model_version"]) == {20250304}
    assert sum(value.null_count().row(0)) == 0
    assert (value["clv"] == value["historic_clv"] + value["predicted_clv_365d"]).all()
    assert value["p_alive"].is_between(0, 1).all()
    assert (value["expected_orders_90d"] < value["expected_orders_365d"]).all()


def test_the_model_is_kept_as_parameters_with_standard_errors(
    valued: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    whole, _ = valued
    model = whole.filter(pl.col("part").is_in(["bg_nbd", "gamma_gamma"]))
    assert whole.filter(part="orders_per_day")["value"].to_list() == [pytest.approx(1, abs=0.1)]
    assert model.select("part", "parameter").rows() == [
        *(("bg_nbd", name) for name in ("r", "alpha", "a", "b")),
        *(("gamma_gamma", name) for name in ("p", "q", "v")),
    ]
    assert (model["standard_error"] > 0).all()
    assert model["trained_on"].to_list() == [900] * 7
    # The gamma's shape behind the drawn amounts is six.
    assert model.filter(parameter="p")["value"][0] == pytest.approx(6.0, rel=0.15)


def test_a_model_of_an_earlier_version_still_scores(
    lines: list[Line], valued: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    model, _ = valued
    parts = ("bg_nbd", "gamma_gamma")
    earlier = model.filter(pl.col("part").is_in(parts)).with_columns(
        calibration=pl.lit(None, pl.String)
    )
    features = customer_features(purchases(lines), customers(), AS_OF).lazy()
    value = customer_value(features, earlier.lazy(), purchases(lines), AS_OF, RATE)
    ends = ["predicted_spend_90d_low", "predicted_spend_90d_high"]
    assert sum(CUSTOMER_VALUE.conform(value).drop(ends).null_count().row(0)) == 0
    assert value.select(ends).null_count().row(0) == (value.height, value.height)
    assert set(value["calibration"]) == {"none: the model is of an earlier version"}


def test_bands_are_thirds_of_the_churn_probability(
    valued: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    _, value = valued
    churn = pl.col("churn_probability_90d")
    edges = value.group_by("churn_band").agg(low=churn.min(), high=churn.max()).sort("low")
    assert edges["churn_band"].to_list() == ["low", "medium", "high"]
    low, medium, high = edges.select("low", "high").rows()
    assert low[1] < 1 / 3 <= medium[0]
    assert medium[1] <= 2 / 3 < high[0]


def test_what_comes_later_is_worth_less(lines: list[Line]) -> None:
    _, at_par = fitted(lines, AS_OF, rate=0.0)
    _, discounted = fitted(lines, AS_OF, rate=1.0)
    par, less = (v["predicted_clv_365d"].cast(pl.Float64) for v in (at_par, discounted))
    value = at_par["expected_order_value"].cast(pl.Float64) * at_par["expected_orders_365d"]
    # To the rounding of the expected value to cents.
    assert ((par - value).abs() <= 0.01 + 0.006 * at_par["expected_orders_365d"]).all()
    # All of a year at its end would count one half, at its beginning all.
    assert 0.6 < as_number(less.sum()) / as_number(par.sum()) < 0.8


def test_predictions_follow_the_history_and_nothing_else(
    valued: tuple[pl.DataFrame, pl.DataFrame], lines: list[Line]
) -> None:
    _, value = valued
    twin = [{**n, "customer_id": "twin"} for n in lines if n["customer_id"] == "C00007"]
    _, with_twin = fitted(lines + [{**n, "order_id": f"t{i}"} for i, n in enumerate(twin)], AS_OF)
    one, other = (with_twin.filter(customer_id=c).drop("customer_id") for c in ("C00007", "twin"))
    assert one.equals(other)
    assert with_twin.height == value.height + 1


def test_where_no_customer_leaves_nbd_takes_over_and_says_why() -> None:
    loyal = shop_of_buyers(seed=3, customers=600, truth=BgNbd(1.5, 60.0, 1.0, 1.0), leave=False)
    model, value = fitted(loyal, AS_OF)
    [status] = set(value["model_status"])
    assert status.startswith("fallback: no drop-out is visible (mean chance 0.0")
    assert status.endswith("NBD, by which customers order at their own rates and never leave")
    assert set(model["part"]) & MODELS == {"nbd", "gamma_gamma"}
    assert set(value["p_alive"]) == {1.0}
    assert sum(value.null_count().row(0)) == 0


def test_a_model_worse_than_the_naive_rate_gives_way(lines: list[Line]) -> None:
    model, value = fitted(lines, AS_OF, {"bg_nbd": 0.9})
    [status] = set(value["model_status"])
    assert status.startswith("fallback: bg_nbd was worse than the naive rate on the last 90 days")
    assert set(model["part"]) & MODELS == {"nbd", "gamma_gamma"}


def test_when_both_are_worse_everybody_goes_on_as_before(lines: list[Line]) -> None:
    model, value = fitted(lines, AS_OF, {"bg_nbd": 0.9, "nbd": 0.9})
    [status] = set(value["model_status"])
    assert status.endswith("everybody's rate so far")
    assert status.count("worse than the naive rate") == 2
    assert model.filter(part="own_rate").rows()[0][2:4] == ("none", 0.0)
    once = value.join(
        customer_features(purchases(lines), customers(), AS_OF).filter(frequency=0),
        on="customer_id",
        how="semi",
    )
    assert set(once["expected_orders_365d"]) == {0.0}
    assert sum(value.null_count().row(0)) == 0


def test_a_customer_who_gave_everything_back_is_expected_to_spend_less(lines: list[Line]) -> None:
    own = next(n for n in lines if n["customer_id"] == "C00003")
    back = {**own, "order_id": "R", "kind": "refund", "net_amount": -10 * own["net_amount"]}
    _, before = fitted(lines, AS_OF)
    _, after = fitted([*lines, back], AS_OF)
    paid, returned = (
        v.filter(customer_id="C00003").row(0, named=True)["expected_order_value"]
        for v in (before, after)
    )
    assert 0 < returned < paid


def test_a_model_scores_until_the_next_one_is_due(lines: list[Line]) -> None:
    sold = purchases(lines)
    features = customer_features(sold, customers(), AS_OF).lazy()
    metrics = value_metrics(sold, AS_OF)
    first = value_model(VALUE_MODEL.empty().lazy(), features, metrics.lazy(), sold, AS_OF)
    tomorrow = AS_OF + timedelta(days=1)
    for day in (AS_OF, tomorrow):
        assert value_model(first.lazy(), features, metrics.lazy(), sold, day).equals(first)
    value = customer_value(features, first.lazy(), sold, tomorrow, RATE)
    assert set(value["model_status"]) == {"fitted"}
    assert set(value["model_version"]) == {20250304}
    # What is judged is fitted, and what is asked for.
    judged = pl.concat([metrics, value_metrics(purchases(lines), tomorrow)]).lazy()
    for both in (
        value_model(first.lazy(), features, judged, sold, tomorrow),
        value_model(first.lazy(), features, metrics.lazy(), sold, tomorrow, asked=True),
    ):
        assert both["model_version"].unique().sort().to_list() == [20250304, 20250305]
    # On the day of the last fit other customers have come, and were judged.
    fewer = metrics.with_columns(
        value=pl.when(model="value_data", metric="customers").then(1.0).otherwise("value")
    )
    again = value_model(first.lazy(), features, fewer.lazy(), sold, AS_OF)
    assert again.equals(first), "equal features give an equal fit"
    spoilt = first.with_columns(value=pl.lit(0.5))
    assert value_model(spoilt.lazy(), features, metrics.lazy(), sold, AS_OF).equals(spoilt)
    assert value_model(spoilt.lazy(), features, fewer.lazy(), sold, AS_OF).equals(first)
    # A model of tomorrow says nothing about today.
    [status] = set(customer_value(features, both.lazy(), sold, AS_OF, RATE)["model_version"])
    assert status == 20250304


@settings(max_examples=25, deadline=None)
@given(shops(size=10))
def test_any_small_shop_is_refused_and_never_breaks(shop: tuple[list[Line], date]) -> None:
    lines, as_of = shop
    model, value = fitted(lines, as_of)
    assert model.is_empty()
    assert all(status.startswith("not_fitted: ") for status in value["model_status"])


def test_the_original_demo_where_everybody_bought_once_is_refused(original_demo: Path) -> None:
    rows = pl.read_csv(original_demo / "gold_customers_segments.csv", infer_schema_length=None)
    lines = [
        line(
            date.fromisoformat(day[:10]),
            customer,
            order=str(number),
            amount=f"{amount:.2f}",
            discount=f"{min(discount, amount):.2f}",
        )
        for number, customer, day, amount, discount in rows.select(
            "id", "customer_id", "purchase_date", "purchase_amount", "discount_amount"
        ).iter_rows()
    ]
    as_of = max(n["purchase_day"] for n in lines)
    _, value = fitted(lines, as_of)
    [status] = set(value["model_status"])
    assert status.startswith("not_fitted: ")
    assert "0 customers who came again, at least 50 are needed" in status
    assert value.height == rows["customer_id"].n_unique()


def test_batch_times_play_no_part(lines: list[Line]) -> None:
    later = datetime.combine(AS_OF, time(), UTC)
    moved = [{**n, "batch_day": AS_OF, "version_at": later} for n in lines]
    assert fitted(lines, AS_OF)[1].equals(fitted(moved, AS_OF)[1])


def test_order_values_on_other_scales_are_not_expected_of_everybody(lines: list[Line]) -> None:
    """Some had nearly all refunded, some are wholesalers: Gamma-Gamma's levels have no mean."""

    def scale(customer: str) -> Decimal:
        return {0: Decimal("0.001"), 1: Decimal(1000)}.get(int(customer[1:]) % 4, Decimal(1))

    uneven = [
        {
            **n,
            "net_amount": max(Decimal("0.01"), round(n["net_amount"] * scale(n["customer_id"]), 2)),
        }
        for n in lines
    ]
    model, value = fitted(uneven, AS_OF)

    [status] = set(value["model_status"])
    assert status.startswith("fallback: order values are too uneven for Gamma-Gamma")
    assert set(model["part"]) & MODELS == {"bg_nbd", "gamma_gamma"}
    assert model.filter(part="gamma_gamma")["parameter"].to_list() == ["none"]
    assert (value["predicted_clv_365d"] >= 0).all()
    own = pl.col("historic_clv") / pl.col("orders")
    features = customer_features(purchases(uneven), customers(), AS_OF)
    paid = value.join(features.select("customer_id", "orders"), on="customer_id")
    assert paid.select(((pl.col("expected_order_value") - own).abs() <= 0.01).all()).item()
    metrics = value_metrics(purchases(uneven), AS_OF).filter(model="gamma_gamma")
    assert metrics.select("metric", "passed").rows() == [
        ("agreement", False),
        ("out_of_scale", None),
    ]


def test_an_even_shop_pays_what_gamma_gamma_expects(lines: list[Line]) -> None:
    found = value_metrics(purchases(lines), AS_OF).filter(model="gamma_gamma", metric="agreement")
    assert found.select("value", "passed").row(0) == (pytest.approx(1, abs=0.15), True)
