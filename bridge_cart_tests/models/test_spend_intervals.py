"""Between what a spend will lie: how wide that is, how many it holds, and when there is none."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bridge_cart_assets.models import past_windows as past_windows_module
from bridge_cart_assets.models.customer_value import customer_value, value_model
from bridge_cart_assets.models.holdout import value_metrics
from bridge_cart_assets.models.past_days import per_day, seen_until
from bridge_cart_assets.models.past_windows import ForecastChoice, past_windows
from bridge_cart_assets.models.spend_forecast import spend_forecast
from bridge_cart_assets.models.spend_intervals import fit_bands, half_width
from bridge_cart_assets.models.value_rows import ValueModel
from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.tables.gold import CUSTOMER_VALUE, VALUE_MODEL
from bridge_cart_assets.transforms.features import customer_features
from bridge_cart_tests.models.buyers import AS_OF, shop_of_buyers
from bridge_cart_tests.models.cdnow import order_lines
from bridge_cart_tests.transforms.shops import customers, purchases

CHOICE = ForecastChoice("bg_nbd", chance=True, number=True)
ENDS = ["predicted_spend_90d_low", "predicted_spend_90d_high"]


def spenders(
    seed: int, level: float = 1.0, count: int = 20_000
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chance of an order, expected spend, and what came when chances were `level` times as high."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(0.5, 0.7, count)
    value = rng.lognormal(3.0, 0.5, count)
    bought = rng.random(count) < np.minimum(chance * level, 1.0)
    came = np.where(bought, value * rng.lognormal(-0.125, 0.5, count), 0.0)
    return chance, chance * value, came


def test_the_half_width_is_a_t_quantile_of_the_errors_and_of_one_more() -> None:
    # One degree of freedom for each of two errors and the one taken as seen: t(3) at 0.9 is 1.638.
    assert half_width([0.1, -0.3]) == pytest.approx(
        1.6377 * ((0.04 + 0.01 + 0.09) / 3) ** 0.5, 1e-4
    )
    assert half_width([0.1]) > half_width([0.1, 0.1]) > half_width([0.1] * 6)


def test_four_of_five_of_comparable_customers_lie_within() -> None:
    bands = fit_bands(*spenders(1), half_width=0.0)
    chance, spend, came = spenders(2)
    covered = bands.covered(chance, spend, came)
    low, high = bands.ends(chance, spend)
    assert covered.mean() == pytest.approx(0.80, abs=0.01)
    tenth = np.argsort(np.argsort(spend)) * 10 // spend.size
    assert [covered[tenth == n].mean() for n in range(10)] == pytest.approx([0.80] * 10, abs=0.03)
    # Customers of whom four of five spend nothing: 0 to 0 holds all of these.
    nothing = high == 0
    assert (chance[nothing] < 0.3).all()
    assert ((came == 0)[nothing]).mean() > 0.85
    # Those who are nearly sure to buy have a low end.
    assert (low[chance > 0.97] > 0).all()
    assert (low[chance < 0.8] == 0).all()


def test_coverage_says_when_more_come_than_expected_and_when_fewer_do() -> None:
    bands = fit_bands(*spenders(1), half_width=0.0)
    more, fewer = (bands.covered(*spenders(2, level)).mean() for level in (2.0, 0.5))
    assert more < 0.75
    assert fewer > 0.82


def test_an_interval_holds_for_every_level_of_the_shop_within_its_own() -> None:
    narrow, wide = (fit_bands(*spenders(1), half_width=width) for width in (0.0, 0.3))
    chance, spend, came = spenders(2)
    better = came * np.exp(0.3)
    assert wide.covered(chance, spend, better).mean() > narrow.covered(chance, spend, better).mean()
    assert wide.covered(chance, spend, better).mean() >= 0.795
    for end, other in zip(narrow.ends(chance, spend), wide.ends(chance, spend), strict=True):
        moved = np.round(np.log(other[end > 0] / end[end > 0]), 9)
        assert set(np.abs(moved)) == {0.3}


def test_the_order_of_the_customers_plays_no_part() -> None:
    chance, spend, came = spenders(1, count=500)
    other = np.random.default_rng(3).permutation(500)
    bands = [
        fit_bands(*columns, half_width=0.1)
        for columns in ((chance, spend, came), (chance[other], spend[other], came[other]))
    ]
    assert bands[0].rows() == bands[1].rows()


@pytest.fixture(scope="module")
def sold() -> pl.DataFrame:
    return purchases(shop_of_buyers(seed=1)).collect()


def test_of_a_large_shop_a_sample_is_forecast_and_all_are_counted(
    sold: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = per_day(sold.lazy(), AS_OF)
    whole = past_windows(days, AS_OF, CHOICE)
    monkeypatch.setattr(past_windows_module, "MOST_CUSTOMERS", 600)
    sampled = past_windows(days, AS_OF, CHOICE)
    for few, all_of_them in zip(sampled, whole, strict=False):
        assert few.customers.height < 0.6 * all_of_them.customers.height
        assert few.actual == pytest.approx(all_of_them.actual)
        assert few.expected == pytest.approx(all_of_them.expected, rel=0.3)


def test_a_past_window_knows_nothing_of_what_came(sold: pl.DataFrame) -> None:
    windows = past_windows(per_day(sold.lazy(), AS_OF), AS_OF, CHOICE)
    assert [(AS_OF - window.cut).days for window in windows] == [90, 180]
    earlier = sold.filter(pl.col("purchase_day") <= windows[0].cut)
    blind = past_windows(per_day(earlier.lazy(), AS_OF), AS_OF, CHOICE)
    assert blind[0].spend.tolist() == windows[0].spend.tolist()
    assert blind[0].came.sum() == 0 < windows[0].came.sum()
    spent = sold.filter(pl.col("purchase_day") > windows[0].cut).join(
        earlier, on="customer_id", how="semi"
    )
    assert windows[0].actual == pytest.approx(float(spent["net_amount"].sum()))


@pytest.fixture(scope="module")
def valued(sold: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Metrics, model and customers of a shop in which people drop out."""
    features = customer_features(sold.lazy(), customers(), AS_OF).lazy()
    metrics = value_metrics(sold.lazy(), AS_OF)
    model = value_model(VALUE_MODEL.empty().lazy(), features, metrics.lazy(), sold.lazy(), AS_OF)
    value = customer_value(features, model.lazy(), sold.lazy(), AS_OF, 0.1)
    return metrics, model, CUSTOMER_VALUE.conform(value)


def test_every_customer_has_both_ends_and_the_shop_its_own(
    valued: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
) -> None:
    _, model, value = valued
    assert value.select(ENDS).null_count().row(0) == (0, 0)
    assert value.select((pl.col(ENDS[0]) <= pl.col(ENDS[1])).all()).item()
    expected = pl.col("expected_orders_90d") * pl.col("expected_order_value").cast(pl.Float64)
    gap = (pl.col("predicted_spend_90d").cast(pl.Float64) - expected).abs()
    assert value.select((gap <= 0.01 + 0.005 * pl.col("expected_orders_90d")).all()).item()
    shop = spend_forecast(value.lazy(), model.lazy(), AS_OF)
    now, year, *past = shop.sort("forecast_from", "horizon_days", descending=[True, False]).rows(
        named=True
    )
    assert (now["forecast_from"], now["until"]) == (AS_OF, AS_OF + timedelta(days=90))
    assert now["expected"] == value["predicted_spend_90d"].sum()
    assert now["low"] < now["expected"] < now["high"]
    assert (now["spent"], now["is_within"], now["past_windows"]) == (None, None, 2)
    assert year["expected"] > value["predicted_clv_365d"].sum(), "a year's spend, not discounted"
    assert (year["low"], year["interval"]) == (
        None,
        "none: no forecast of 365 days can be judged before 545 days of history",
    )
    assert [(AS_OF - row["forecast_from"]).days for row in past] == [90, 180]
    assert [row["past_windows"] for row in past] == [1, 0]
    assert past[0]["is_within"] == (past[0]["low"] <= past[0]["spent"] <= past[0]["high"])
    assert past[1]["low"] is None
    assert shop.equals(
        spend_forecast(value.sample(fraction=1, shuffle=True).lazy(), model.lazy(), AS_OF)
    )


def test_every_window_is_judged_and_coverage_has_a_gate(
    valued: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
) -> None:
    metrics, _, _ = valued
    cut = AS_OF - timedelta(days=180)
    scores = {"auc", "brier", "calibration_error", "decile_error", "poisson_deviance", "mae"}
    for model in (f"bg_nbd@{cut}", f"calibrated@{cut}"):
        rows = metrics.filter(model=model)
        assert scores | {"rmse", "total_error"} == set(rows["metric"])
        assert rows["gate"].null_count() == rows.height
        assert set(rows["trained_as_of"]) == {cut}
    spend = {row["metric"]: row for row in metrics.filter(model="spend").iter_rows(named=True)}
    assert spend["coverage"]["gate"] == "0.75 to 0.85"
    assert spend["coverage"]["passed"] is (0.75 <= spend["coverage"]["value"] <= 0.85)
    assert spend["coverage"]["passed"]
    assert spend["past_windows"]["value"] == 2
    assert spend["coverage_as_it_stands"]["value"] > spend["coverage"]["value"]
    assert sum(name.startswith("coverage_decile_") for name in spend) == 10


def test_a_shop_without_a_past_window_has_forecasts_and_no_interval(sold: pl.DataFrame) -> None:
    as_of = AS_OF - timedelta(days=170)
    known = sold.filter(pl.col("purchase_day") <= as_of)
    features = customer_features(known.lazy(), customers(), as_of).lazy()
    metrics = value_metrics(known.lazy(), as_of)
    model = value_model(VALUE_MODEL.empty().lazy(), features, metrics.lazy(), known.lazy(), as_of)
    value = CUSTOMER_VALUE.conform(customer_value(features, model.lazy(), known.lazy(), as_of, 0.1))
    assert set(value["model_status"]) == {"fitted"}
    assert value["predicted_spend_90d"].null_count() == 0
    assert value.select(ENDS).null_count().row(0) == (value.height, value.height)
    shop = spend_forecast(value.lazy(), model.lazy(), as_of)
    assert shop["low"].null_count() == shop.height == 2
    assert shop["interval"].to_list()[0] == (
        "none: no forecast of 90 days can be judged before 270 days of history"
    )


def test_a_model_of_an_earlier_version_has_no_interval_and_says_so(
    valued: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
) -> None:
    _, model, value = valued
    earlier = model.filter(~pl.col("part").str.contains("spend_|past_"))
    shop = spend_forecast(value.lazy(), earlier.lazy(), AS_OF)
    assert set(shop["interval"]) == {"none: the model is of an earlier version"}
    assert spend_forecast(value.lazy(), VALUE_MODEL.empty().lazy(), AS_OF).is_empty()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cut", "holds"),
    [(date(1997, 9, 30), True), (date(1997, 12, 31), True), (date(1998, 3, 31), False)],
)
def test_on_cdnow_four_of_five_customers_lie_within(
    cdnow_package: Path, cut: date, holds: bool
) -> None:
    """After Christmas 1997 the shop slowed down more than it had ever been off: one in five may."""
    lines = order_lines(cdnow_package).collect()
    known = lines.filter(pl.col("purchase_day") <= cut).lazy()
    then = seen_until(per_day(lines.lazy(), cut + timedelta(days=90)), cut)
    spent = known.group_by("customer_id").agg(net_revenue=pl.sum("net_amount").cast(MONEY))
    features = then.lazy().join(spent, on="customer_id")
    metrics = value_metrics(known, cut)
    model = value_model(VALUE_MODEL.empty().lazy(), features, metrics.lazy(), known, cut)
    value = customer_value(features, model.lazy(), known, cut, 0.1)
    both = then.join(value, on="customer_id")
    bands = ValueModel.of_rows(model)
    assert bands is not None
    assert bands.intervals is not None
    chance = 1 - both["churn_probability_90d"].to_numpy()
    spend = both["predicted_spend_90d"].cast(pl.Float64).to_numpy()
    covered = bands.intervals.covered(chance, spend, both["later_revenue"].to_numpy())
    assert 0.75 <= covered.mean() <= 0.85
    [now] = (
        spend_forecast(value.lazy(), model.lazy(), cut)
        .filter(forecast_from=cut, horizon_days=90)
        .rows(named=True)
    )
    came = Decimal(str(round(both["later_revenue"].sum(), 2)))
    assert (now["low"] <= came <= now["high"]) is holds
