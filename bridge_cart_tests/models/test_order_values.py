"""A few odd order values neither rule the forecast nor pass unsaid."""

from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from bridge_cart_assets.models.buy_till_you_die import fit_gamma_gamma
from bridge_cart_assets.models.customer_value import customer_value, value_model
from bridge_cart_assets.models.holdout import value_metrics
from bridge_cart_assets.models.order_values import fit_order_values
from bridge_cart_assets.models.value_judgement import AGREEMENT, gamma_gamma_rejection
from bridge_cart_assets.tables.gold import VALUE_MODEL
from bridge_cart_assets.transforms.features import customer_features
from bridge_cart_tests.models.buyers import AS_OF, shop_of_buyers
from bridge_cart_tests.transforms.shops import customers, purchases


@pytest.fixture(scope="module")
def shop() -> pl.DataFrame:
    """Nine hundred who pay about thirty for an order, and one who pays a million."""
    lines = purchases(shop_of_buyers(seed=1)).collect()
    rng = np.random.default_rng(5)
    thirty = pl.Series("net_amount", rng.normal(30, 3, lines.height).round(2)).cast(
        lines["net_amount"].dtype
    )
    came = lines.group_by("customer_id").len().sort("customer_id")
    buyer = came.filter(pl.col("len") == 4)["customer_id"][0]
    million = pl.when(customer_id=buyer).then(pl.lit(Decimal(1_000_000))).otherwise("net_amount")
    return lines.with_columns(thirty).with_columns(net_amount=million.cast(thirty.dtype))


def test_one_buyer_of_a_million_is_said_and_is_not_the_forecast(shop: pl.DataFrame) -> None:
    features = customer_features(shop.lazy(), customers(), AS_OF).lazy()
    metrics = value_metrics(shop.lazy(), AS_OF)
    model = value_model(VALUE_MODEL.empty().lazy(), features, metrics.lazy(), shop.lazy(), AS_OF)
    value = customer_value(features, model.lazy(), shop.lazy(), AS_OF, 0.1)

    [status] = set(value["model_status"])
    assert status.startswith("fallback: order values of 1 of 900 customers are out of scale: above")
    assert set(model["status"]) == {status}
    limit = model.filter(part="order_value_limit", parameter="limit")["value"].item()
    within = model.filter(part="order_value_limit", parameter="share_within")["value"].item()
    assert 500 < limit < 700
    assert within == pytest.approx(1 - 1 / 900)
    rest = value.filter(pl.col("historic_clv") < 1_000_000)
    assert rest.height == 899
    assert rest["expected_order_value"].cast(pl.Float64).mean() == pytest.approx(30, abs=2)
    for forecast in ("predicted_clv_365d", "predicted_spend_90d"):
        amounts = value.select(pl.col("historic_clv"), pl.col(forecast).cast(pl.Float64))
        own = amounts.filter(pl.col("historic_clv") >= 1_000_000)[forecast].item()
        assert own < 0.05 * amounts[forecast].to_numpy().sum()
    counted = metrics.filter(model="gamma_gamma", metric="out_of_scale")
    assert counted["value"].item() == 1


def test_agreement_has_two_sides() -> None:
    """Without a limit a single buyer of a million pays 34 times what the model expects."""
    rng = np.random.default_rng(1)
    orders, own = rng.integers(1, 5, 1001).astype(float), np.append(rng.normal(30, 3, 1000), 1e6)
    model = fit_gamma_gamma(orders, own).model
    assert model.agreement(own) > AGREEMENT[1]
    assert gamma_gamma_rejection(model, own) is not None
    found = fit_order_values(pl.DataFrame({"orders": orders, "order_value": own}))
    assert found.agreement == pytest.approx(1, abs=0.1)
    assert found.why is None


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.5])
def test_a_lognormal_shop_has_nothing_out_of_scale(spread: float) -> None:
    own = np.random.default_rng(2).lognormal(3.4, spread, 100_000)
    found = fit_order_values(pl.DataFrame({"orders": np.full(own.size, 2), "order_value": own}))
    assert (found.limit, found.above, found.remark if spread <= 0.5 else None) == (None, 0, None)


def test_nobody_who_has_paid() -> None:
    found = fit_order_values(pl.DataFrame({"orders": [1], "order_value": [0.0]}))
    assert found.remark == "no customer has paid anything: an order is worth nothing"
    assert found.used.expected(np.array([1.0]), np.array([0.0])).tolist() == [0.0]
