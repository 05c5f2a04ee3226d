"""BG/NBD, NBD and Gamma-Gamma against published figures, brute force and simulated customers."""

from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.models import buy_till_you_die
from bridge_cart_assets.models.buy_till_you_die import (
    BgNbd,
    GammaGamma,
    Histories,
    NaiveRate,
    Nbd,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_nbd,
)
from bridge_cart_assets.models.likelihood import Fitted, Floats, parameters
from bridge_cart_assets.thresholds import THRESHOLDS
from bridge_cart_tests.models.cdnow import spending

Model = BgNbd | Nbd | NaiveRate


def seen(*customers: tuple[float, float, float]) -> Histories:
    x, t_x, tenure = np.array(customers, dtype=np.float64).reshape(-1, 3).T
    return Histories(x, t_x, tenure, np.ones_like(x))


def frame(customers: list[tuple[int, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        customers, schema=dict.fromkeys(buy_till_you_die.HISTORY, pl.Int64), orient="row"
    )


def simulated(model: BgNbd | Nbd, size: int, seed: int, days: int = 400) -> pl.DataFrame:
    """Customers who order as the model says, seen for up to so many days, in whole days."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(model.r, 1 / model.alpha, size)
    leaves = rng.beta(model.a, model.b, size) if isinstance(model, BgNbd) else np.zeros(size)
    tenure = rng.uniform(0.4 * days, days, size)
    orders, last, now = np.zeros(size), np.zeros(size), np.zeros(size)
    is_here = np.ones(size, dtype=bool)
    while is_here.any():
        now = now + rng.exponential(size=size) / rate
        is_here &= now < tenure
        orders[is_here] += 1
        last[is_here] = now[is_here]
        is_here &= rng.random(size) >= leaves
    rows = np.floor(np.column_stack([orders, last, tenure])).astype(np.int64)
    return pl.DataFrame(
        rows, schema=dict.fromkeys(buy_till_you_die.HISTORY, pl.Int64), orient="row"
    )


def test_the_fit_to_cdnow_is_the_published_one(cdnow: Path) -> None:
    """Fader, Hardie and Lee (2005), table 2 and page 282; time in weeks."""
    rows = pl.read_csv(cdnow / "cdnow_customers_summary.csv").select(
        "frequency", pl.col("recency").alias("t_x"), pl.col("T").alias("tenure_days")
    )
    fitted = fit_bg_nbd(Histories.of(rows))
    assert parameters(fitted.model) == pytest.approx(
        {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, abs=6e-4
    )
    assert fitted.log_likelihood == pytest.approx(-9582.4, abs=0.05)
    assert fitted.customers == 2_357
    first = Histories.each(rows.head(1))
    assert fitted.model.expected_orders(first, 39.0)[0] == pytest.approx(1.226, abs=5e-4)


def test_gamma_gamma_fits_cdnow_as_published(cdnow_package: Path) -> None:
    """Fader and Hardie (2013), section 4: p, q and gamma, on the 946 who came again."""
    rows = spending(cdnow_package)
    fitted = fit_gamma_gamma(rows["x"].to_numpy().astype(float), rows["zbar"].to_numpy())
    assert rows.height == 946
    assert parameters(fitted.model) == pytest.approx({"p": 6.25, "q": 3.74, "v": 15.44}, rel=2e-3)


# What a customer may have done, and models whose moments brute force can follow.
HABITS = [
    BgNbd(r=0.42, alpha=20.0, a=0.6, b=2.6),
    BgNbd(r=1.3, alpha=60.0, a=1.0, b=3.0),
    BgNbd(r=0.9, alpha=35.0, a=2.5, b=4.0),
]
DONE = [
    (0, 0, 0),
    (0, 0, 400),
    (1, 2, 40),
    (1, 39, 40),
    (6, 200, 210),
    (6, 80, 300),
    (40, 350, 365),
]


def posterior(model: BgNbd, done: tuple[int, int, int]) -> tuple[Floats, Floats, Floats, Floats]:
    """Rates, drop-out chances, and the weight of each pair when alive and when gone, on a grid."""
    from scipy.stats import beta, gamma

    x, t_x, tenure = done
    # Midpoints of equal slices of the prior: each pair has the same weight before the evidence.
    levels = (np.arange(1_500) + 0.5) / 1_500
    rate = gamma.ppf(levels, model.r, scale=1 / model.alpha)[:, None]
    leaves = beta.ppf(levels, model.a, model.b)[None, :]
    with np.errstate(divide="ignore"):
        bought = x * np.log(rate)
        alive = np.exp(bought - rate * tenure) * (1 - leaves) ** x
        gone = np.exp(bought - rate * t_x) * leaves * (1 - leaves) ** (x - 1) if x else 0 * alive
    return rate, leaves, alive, gone


@pytest.mark.parametrize("model", HABITS)
@pytest.mark.parametrize("done", DONE[:-1])
def test_what_follows_from_bg_nbd_is_what_summing_over_all_customers_gives(
    model: BgNbd, done: tuple[int, int, int]
) -> None:
    rate, leaves, alive, gone = posterior(model, done)
    customer, total = seen(done), alive.sum() + gone.sum()
    assert model.p_alive(customer)[0] == pytest.approx(alive.sum() / total, rel=0.02)
    for days in (90.0, 365.0):
        orders = (alive * -np.expm1(-rate * leaves * days) / leaves).sum() / total
        assert model.expected_orders(customer, days)[0] == pytest.approx(orders, rel=0.03)
        comes = (alive * -np.expm1(-rate * days)).sum() / total
        assert 1 - model.prob_no_order(customer, days)[0] == pytest.approx(comes, rel=0.03)


def test_a_customer_of_one_order_is_alive_and_less_and_less_likely_to_come() -> None:
    once = seen((0, 0, 0), (0, 0, 90), (0, 0, 360))
    model = HABITS[0]
    assert model.p_alive(once).tolist() == [1.0, 1.0, 1.0]
    churn = model.prob_no_order(once, 90.0).tolist()
    assert churn == sorted(churn)
    assert churn[-1] > 0.9 > churn[0]


def test_a_regular_who_stays_away_is_probably_gone_and_a_rare_customer_is_not() -> None:
    regular, rare = HABITS[0].p_alive(seen((30, 200, 300), (2, 200, 300)))
    assert regular < 0.01
    assert rare > 0.5


@pytest.mark.parametrize("x", [0, 1, 50])
def test_nothing_breaks_where_a_is_one(x: int) -> None:
    customer = seen((x, 100 * (x > 0), 200))
    at, below, above = (
        BgNbd(0.5, 30.0, a, 2.0).expected_orders(customer, 365.0)[0] for a in (1.0, 0.999, 1.001)
    )
    assert at == pytest.approx((below + above) / 2, rel=1e-5)


def test_the_forecast_is_smooth_where_its_formula_has_a_gap() -> None:
    newcomer = Histories(np.zeros(1), np.zeros(1), np.zeros(1), np.ones(1))
    at, beside = (
        BgNbd(r=1.0, alpha=1.0, a=0.5, b=b).expected_orders(newcomer, 90.0)[0]
        for b in (0.5, 0.5001)
    )
    assert at == pytest.approx(beside, rel=1e-3)


@settings(max_examples=150, deadline=None)
@given(
    st.builds(
        BgNbd,
        r=st.floats(1e-4, 50),
        alpha=st.floats(1e-3, 1e4),
        a=st.floats(1e-4, 1e5),
        b=st.floats(1e-4, 1e5),
    ),
    st.integers(0, 3_000),
    st.integers(0, 4_000),
    st.integers(0, 4_000),
)
def test_forecasts_are_numbers_within_reason_whatever_the_parameters(
    model: BgNbd, x: int, t_x: int, wait: int
) -> None:
    x = min(x, t_x)
    customer = seen((x, t_x if x else 0, t_x + wait))
    for one in (model, Nbd(model.r, model.alpha), NaiveRate()):
        quarter, year = (one.expected_orders(customer, days)[0] for days in (90.0, 365.0))
        assert 0 <= quarter <= year * (1 + 1e-6) + 1e-9
        assert 0 <= one.p_alive(customer)[0] <= 1
        assert (
            0 <= one.prob_no_order(customer, 365.0)[0] <= one.prob_no_order(customer, 90.0)[0] <= 1
        )
    assert (
        model.expected_orders(customer, 365.0)[0]
        <= Nbd(model.r, model.alpha).expected_orders(customer, 365.0)[0] * (1 + 1e-6) + 1e-9
    )


histories = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 500), st.integers(0, 500)).map(
        lambda c: (min(c[0], c[1]), c[1] if c[0] else 0, c[1] + c[2])
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(histories)
def test_a_fit_to_anything_ends_within_bounds(customers: list[tuple[int, int, int]]) -> None:
    groups = Histories.of(frame(customers))
    fits: list[Fitted[BgNbd] | Fitted[Nbd]] = [fit_bg_nbd(groups), fit_nbd(groups)]
    likelihoods = []
    for fitted in fits:
        values = np.array(astuple(fitted.model))
        assert np.all((values > 0.9e-4) & (values < 1.1e5))
        assert fitted.log_likelihood is not None
        assert np.isfinite(fitted.log_likelihood)
        likelihoods.append(fitted.log_likelihood)
        assert all(error is None or error > 0 for error in fitted.errors.values())
        assert np.all(np.isfinite(fitted.model.expected_orders(groups, 90.0)))
    # NBD is BG/NBD without drop-out, so it cannot fit better.
    with_drop_out, without = likelihoods
    assert without <= with_drop_out + 0.05


def test_equal_customers_count_as_often_as_they_are() -> None:
    rows = simulated(HABITS[0], 300, seed=1)
    once, thrice = Histories.of(rows), Histories.of(pl.concat([rows, rows, rows]))
    assert once.weight.sum() * 3 == thrice.weight.sum() == 900
    assert once.x.size == thrice.x.size < 300
    one, three = fit_bg_nbd(once), fit_bg_nbd(thrice)
    assert parameters(one.model) == pytest.approx(parameters(three.model), rel=1e-3)
    for name, error in one.errors.items():
        assert error == pytest.approx((three.errors[name] or 0) * 3**0.5, rel=1e-2)


def test_the_order_of_the_customers_does_not_matter() -> None:
    rows = simulated(HABITS[0], 500, seed=2)
    assert fit_bg_nbd(Histories.of(rows)).model == fit_bg_nbd(Histories.of(rows.reverse())).model


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_simulated_shop_gives_its_parameters_back(seed: int) -> None:
    truth = HABITS[0]
    fitted = fit_bg_nbd(Histories.of(simulated(truth, 20_000, seed)))
    for name, most in {"r": 0.1, "alpha": 0.1, "a": 0.2, "b": 0.2}.items():
        value, error = getattr(fitted.model, name), fitted.errors[name]
        assert value == pytest.approx(getattr(truth, name), rel=most)
        assert error is not None
        assert abs(value - getattr(truth, name)) < 4 * error


def test_where_no_customer_leaves_no_drop_out_is_visible() -> None:
    customers = Histories.of(simulated(Nbd(r=1.2, alpha=40.0), 5_000, seed=5))
    with_drop_out, without = fit_bg_nbd(customers), fit_nbd(customers)
    assert with_drop_out.model.drop_out < THRESHOLDS.drop_out_visible
    assert without.model.r == pytest.approx(1.2, rel=0.1)
    assert without.model.alpha == pytest.approx(40.0, rel=0.1)
    assert with_drop_out.log_likelihood == pytest.approx(without.log_likelihood, abs=2)


def paid(model: GammaGamma, size: int, seed: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    orders = 1.0 + rng.poisson(3, size).astype(np.float64)
    level = 1 / rng.gamma(model.q, 1 / model.v, size)
    return orders, rng.gamma(model.p * orders, level) / orders


def test_gamma_gamma_gives_simulated_parameters_back() -> None:
    truth = GammaGamma(p=6.0, q=4.0, v=15.0)
    fitted = fit_gamma_gamma(*paid(truth, 20_000, seed=1))
    assert parameters(fitted.model) == pytest.approx(parameters(truth), rel=0.1)


def test_a_currency_of_smaller_coins_changes_nothing_but_the_unit() -> None:
    orders, mean = paid(GammaGamma(p=6.0, q=4.0, v=15.0), 500, seed=2)
    euros, cents = fit_gamma_gamma(orders, mean), fit_gamma_gamma(orders, 100 * mean)
    assert cents.model.expected_value(orders, 100 * mean) == pytest.approx(
        100 * euros.model.expected_value(orders, mean)
    )
    assert cents.errors["v"] == pytest.approx(100 * (euros.errors["v"] or 0))
    change = 500 * np.log(100)
    assert cents.log_likelihood == pytest.approx((euros.log_likelihood or 0) - change)


def test_an_expected_value_lies_between_the_own_and_everybodys() -> None:
    model = GammaGamma(p=6.0, q=4.0, v=15.0)
    everybody = model.p * model.v / (model.q - 1)
    once, often = model.expected_value(np.array([1.0, 50.0]), np.array([90.0, 90.0]))
    assert everybody < once < often < 90
    assert 0 < model.expected_value(np.array([1.0]), np.array([0.0]))[0] < everybody


def test_equal_amounts_everywhere_are_expected_again() -> None:
    fitted = fit_gamma_gamma(np.array([1.0, 2.0, 5.0]), np.array([10.0, 10.0, 10.0]))
    assert fitted.model.expected_value(np.array([3.0]), np.array([10.0]))[0] == pytest.approx(
        10, rel=0.01
    )


Likely = Callable[[Floats], tuple[float, Floats]]


@pytest.mark.parametrize("kind", ["bg_nbd", "nbd", "gamma_gamma"])
def test_the_gradient_is_the_slope_of_the_likelihood(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught: list[Likely] = []

    def catch(_: object, likelihood: Likely, starts: list[dict[str, float]], __: float) -> object:
        caught.append(likelihood)
        return Fitted(GammaGamma(1.0, 2.0, 3.0), None, 0.0, 1)

    monkeypatch.setattr(buy_till_you_die, "maximise", catch)
    groups = Histories.of(simulated(HABITS[0], 200, seed=3))
    if kind == "gamma_gamma":
        fit_gamma_gamma(*paid(GammaGamma(6.0, 4.0, 15.0), 200, seed=3))
    else:
        (fit_bg_nbd if kind == "bg_nbd" else fit_nbd)(groups)
    [likelihood] = caught
    size = {"bg_nbd": 4, "nbd": 2, "gamma_gamma": 3}[kind]
    at = np.log(np.array([0.7, 25.0, 0.8, 2.0])[:size])
    slope = [(likelihood(at + h)[0] - likelihood(at - h)[0]) / 2e-5 for h in np.eye(size) * 1e-5]
    assert likelihood(at)[1] == pytest.approx(slope, rel=1e-5, abs=1e-3)
