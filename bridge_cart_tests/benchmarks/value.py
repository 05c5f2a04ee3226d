"""How good the forecasts of value and churn are, and how long a million customers take.

    python -m bridge_cart_tests.benchmarks.value holdout    90 days of every shop, as Markdown
    python -m bridge_cart_tests.benchmarks.value real       those of real records only
    python -m bridge_cart_tests.benchmarks.value intervals  80 % intervals on real records
    python -m bridge_cart_tests.benchmarks.value runs       likewise, through `bridge-cart run`
    python -m bridge_cart_tests.benchmarks.value million    fit and score 1,000,000 customers

The shops are the CDNOW sample (its purchases come with a package, see `models.cdnow`), the
synthetic shop with four seeds, and Online Retail when BRIDGE_CART_REAL_DATA names its folder.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.models.buy_till_you_die import (
    BgNbd,
    Histories,
    NaiveRate,
    Orders,
    fit_bg_nbd,
    fit_nbd,
)
from bridge_cart_assets.models.customer_value import customer_value, value_model
from bridge_cart_assets.models.forecast import Forecast, forecast, orders_per_day
from bridge_cart_assets.models.forecast_errors import scores
from bridge_cart_assets.models.holdout import value_metrics
from bridge_cart_assets.models.likelihood import Floats
from bridge_cart_assets.models.past_days import per_day, seen_until
from bridge_cart_assets.models.spend_forecast import spend_forecast
from bridge_cart_assets.models.spend_intervals import CustomerBands, lies_within
from bridge_cart_assets.models.value_rows import ValueModel
from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.tables.gold import CUSTOMER_VALUE, SPEND_FORECAST, VALUE_MODEL
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_assets.transforms.windows import WINDOW
from bridge_cart_tests.generator.statistics.shops import SEEDS, clean, online_retail
from bridge_cart_tests.models.cdnow import fetched, orders

MILLION = 1_000_000
# The last days of what the models know.
CDNOW_CUTS = [date(1997, 9, 30), date(1997, 12, 31), date(1998, 3, 31)]
RETAIL_CUTS = [date(2011, 7, 31), date(2011, 8, 31), date(2011, 9, 10)]
DAYS, CUSTOMERS = 540, 20_000
HEADER = (
    "| shop | customers | did not order | model | total | MAE | deviance | AUC | Brier "
    "| calibration |"
)

INTERVALS_HEADER = (
    "| shop | customers | expected | 80 % interval | spent | within | as it stands "
    "| with a range |\n|---|--:|--:|---|--:|--:|--:|--:|"
)


@dataclass(frozen=True)
class AliveOrNot:
    """p_alive taken for what it is not: the chance of an order."""

    model: BgNbd

    def p_alive(self, seen: Histories) -> Floats:
        return self.model.p_alive(seen)

    def expected_orders(self, seen: Histories, days: float) -> Floats:
        return self.model.expected_orders(seen, days)

    def prob_no_order(self, seen: Histories, days: float) -> Floats:
        return 1 - self.model.p_alive(seen)


@dataclass(frozen=True)
class Flag:
    """A customer without an order for 90 days will not order again, every other one will."""

    def p_alive(self, seen: Histories) -> Floats:
        return 1 - self.prob_no_order(seen, 0.0)

    def expected_orders(self, seen: Histories, days: float) -> Floats:
        return NaiveRate().expected_orders(seen, days)

    def prob_no_order(self, seen: Histories, days: float) -> Floats:
        return (seen.T - seen.t_x >= WINDOW).astype(np.float64)


def shops(synthetic: bool) -> Iterator[tuple[str, pl.DataFrame, date]]:
    """Each shop's name, sale lines (customer_id, purchase_day, net_amount) and last day."""
    with tempfile.TemporaryDirectory() as folder:
        sample = orders(fetched(Path(folder)))
    sold = sample.rename({"day": "purchase_day", "amount": "net_amount"}).with_row_index("order_id")
    for cut in CDNOW_CUTS:
        yield f"CDNOW, from {cut}", sold, cut + timedelta(days=WINDOW)
    if root := os.environ.get("BRIDGE_CART_REAL_DATA"):
        real = online_retail(Path(root) / "online_retail")
        for cut in RETAIL_CUTS:
            yield f"Online Retail, from {cut}", _lines(real.sales), cut + timedelta(days=WINDOW)
    for seed in SEEDS if synthetic else ():
        with tempfile.TemporaryDirectory() as folder:
            shop = Shop(customers=CUSTOMERS, days=DAYS, dirt=0, seed=seed)
            generate(shop, Path(folder))
            made = clean(Path(folder), shop, DAYS)
        yield f"synthetic, seed {seed}", _lines(made.sales), made.last


def _lines(sales: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("purchase_date").dt.date()
    return sales.select("customer_id", "order_id", purchase_day=day, net_amount="revenue")


def holdout(synthetic: bool = True) -> None:
    """Fit without the last 90 days, and compare with them."""
    print(HEADER)
    print("|---|--:|--:|---|--:|--:|--:|--:|--:|--:|")
    for name, sold, last in shops(synthetic):
        lines = sold.lazy().with_columns(
            pl.col("net_amount").cast(pl.Decimal(18, 2)),
            kind=pl.lit("sale"),
            source=pl.lit("purchases"),
        )
        cut = last - timedelta(days=WINDOW)
        days = per_day(lines, last)
        then = seen_until(days, cut)
        groups, per_order_day = Histories.of(then), orders_per_day(then)
        actual = then["later_orders"].to_numpy().astype(np.float64)
        bg_nbd = fit_bg_nbd(groups).model
        models: dict[str, Orders] = {
            f"BG/NBD (drop-out {bg_nbd.drop_out:.3f})": bg_nbd,
            "NBD": fit_nbd(groups).model,
            "naive rate": NaiveRate(),
            "p_alive": AliveOrNot(bg_nbd),
            "90-day flag": Flag(),
        }
        forecasts = {name: forecast(one, then, per_order_day) for name, one in models.items()}
        forecasts["corrected"] = corrected(lines.filter(pl.col("purchase_day") <= cut), then, cut)
        for model, one in forecasts.items():
            found = scores(one, actual)
            cells = (
                f"{found['total_error']:+.1%}",
                f"{found['mae']:.3f}",
                f"{found['poisson_deviance']:.3f}",
                f"{found['auc']:.3f}",
                f"{found['brier']:.4f}",
                f"{found['calibration_error']:.3f}",
            )
            gone = f"{(actual == 0).mean():.1%}"
            print(f"| {name} | {then.height:,} | {gone} | {model} | {' | '.join(cells)} |")


def corrected(lines: pl.LazyFrame, then: pl.DataFrame, cut: date) -> Forecast:
    """What gold/customer_value says at the end of a day, from what was known then."""
    spent = lines.group_by("customer_id").agg(net_revenue=pl.sum("net_amount").cast(MONEY))
    features = then.lazy().join(spent, on="customer_id")
    metrics = value_metrics(lines, cut).lazy()
    model = value_model(VALUE_MODEL.empty().lazy(), features, metrics, lines, cut)
    value = customer_value(features, model.lazy(), lines, cut, 0.1)
    forecasts = then.join(value, on="customer_id", how="left", maintain_order="left")
    return Forecast(
        forecasts["churn_probability_90d"].to_numpy(), forecasts["expected_orders_90d"].to_numpy()
    )


def intervals() -> None:
    """Expected spend of 90 days of real records, by what was known before, against what came."""
    print(INTERVALS_HEADER)
    for name, sold, last in shops(synthetic=False):
        lines = sold.lazy().with_columns(
            pl.col("net_amount").cast(MONEY), kind=pl.lit("sale"), source=pl.lit("purchases")
        )
        cut = last - timedelta(days=WINDOW)
        known = lines.filter(pl.col("purchase_day") <= cut)
        then = seen_until(per_day(lines, last), cut)
        spent = known.group_by("customer_id").agg(net_revenue=pl.sum("net_amount").cast(MONEY))
        features = then.lazy().join(spent, on="customer_id")
        metrics = value_metrics(known, cut).lazy()
        rows = value_model(VALUE_MODEL.empty().lazy(), features, metrics, known, cut)
        value = customer_value(features, rows.lazy(), known, cut, 0.1)
        model = ValueModel.of_rows(rows)
        if model is None or model.intervals is None:
            print(f"| {name} | {then.height:,} | no past window | | | | | |")
            continue
        forecasts = spend_forecast(value.lazy(), rows.lazy(), cut)
        [now] = forecasts.filter(forecast_from=cut, horizon_days=WINDOW).rows(named=True)
        both = then.join(value, on="customer_id")
        came = both["later_revenue"].to_numpy()
        low, high = (
            both[f"predicted_spend_90d_{end}"].cast(pl.Float64).to_numpy()
            for end in ("low", "high")
        )
        spend = both["predicted_spend_90d"].cast(pl.Float64).to_numpy()
        chance = 1 - both["churn_probability_90d"].to_numpy()
        cells = (
            f"{then.height:,}",
            f"{now['expected']:,.0f}",
            f"{now['low']:,.0f} to {now['high']:,.0f}",
            f"{came.sum():,.0f}",
            f"{model.intervals.covered(chance, spend, came).mean():.1%}",
            f"{lies_within(low, high, came).mean():.1%}",
            f"{lies_within(low, high, came)[high > 0].mean():.1%} of {(high > 0).mean():.0%}",
        )
        print(f"| {name} | {' | '.join(cells)} |")


def runs() -> None:
    """What `bridge-cart run` says on a day of real records, against the 90 days after it.

    Every shop is run twice: up to the day, and with what came after it.
    """
    print("| shop, known up to | customers | expected | 80 % interval | spent | customers within |")
    print("|---|--:|--:|---|--:|--:|")
    for name, cut, land in _real_shops():
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            land(root / "landing", cut)
            _run(root)
            shop, customers, bands = _forecast_of(root)
            land(root / "landing", cut + timedelta(days=WINDOW))
            _run(root)
            came = _spent_after(root, cut)
        both = customers.join(came, on="customer_id", how="left").with_columns(
            pl.col("spent").fill_null(0.0)
        )
        spend, spent = both["predicted_spend_90d"].to_numpy(), both["spent"].to_numpy()
        covered = bands.covered(1 - both["churn_probability_90d"].to_numpy(), spend, spent)
        expected, low, high = shop
        print(
            f"| {name}, {cut} | {both.height:,} | {expected:,.0f} | {low:,.0f} to {high:,.0f} "
            f"| {spent.sum():,.0f} | {covered.mean():.1%} |"
        )


def _real_shops() -> Iterator[tuple[str, date, Callable[[Path, date], None]]]:
    with tempfile.TemporaryDirectory() as folder:
        sample = orders(fetched(Path(folder)))
    for cut in CDNOW_CUTS:
        yield "CDNOW", cut, partial(_land_cdnow, sample)
    if root := os.environ.get("BRIDGE_CART_REAL_DATA"):
        for cut in RETAIL_CUTS[1:]:
            yield "Online Retail", cut, partial(_land_retail, Path(root) / "online_retail")


def _land_cdnow(sample: pl.DataFrame, landing: Path, last: date) -> None:
    # One file per last day: what an earlier one had is the same record again.
    folder = landing / "purchases"
    folder.mkdir(parents=True, exist_ok=True)
    lines = sample.with_row_index("order_id").filter(pl.col("day") <= last)
    lines.rename({"day": "purchase_date", "amount": "purchase_amount"}).write_csv(
        folder / f"{last}.csv"
    )


def _land_retail(source: Path, landing: Path, last: date) -> None:
    folder = landing / "online_retail"
    folder.mkdir(parents=True, exist_ok=True)
    for file in source.glob("*.csv"):
        if file.stem <= last.isoformat():
            shutil.copy(file, folder)


def _run(root: Path) -> None:
    environment = {**os.environ, "BRIDGE_CART_DATA": str(root)}
    environment["BRIDGE_CART_START_DATE"] = "1997-01-01"
    command = [sys.executable, "-m", "bridge_cart_assets", "run"]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def _forecast_of(root: Path) -> tuple[tuple[float, float, float], pl.DataFrame, CustomerBands]:
    lake = Lake(str(root / "lake"))
    rows = lake.snapshot(SPEND_FORECAST).read().filter(horizon_days=WINDOW)
    now = rows.filter(pl.col("forecast_from") == pl.max("forecast_from"))
    expected, low, high = now.select(pl.col("expected", "low", "high").cast(pl.Float64)).row(0)
    value = (
        lake.snapshot(CUSTOMER_VALUE)
        .read()
        .select(
            *("customer_id", "churn_probability_90d"),
            pl.col("predicted_spend_90d").cast(pl.Float64),
        )
    )
    model = ValueModel.of_rows(lake.snapshot(VALUE_MODEL).read())
    assert model is not None
    assert model.intervals is not None
    return (expected, low, high), value, model.intervals


def _spent_after(root: Path, cut: date) -> pl.DataFrame:
    """What each customer spent in the 90 days after a day, net of refunds."""
    lines = Lake(str(root / "lake")).snapshot(PURCHASES).read()
    counted = lines.filter(pl.col("kind").is_in(["sale", "refund"]), pl.col("purchase_day") > cut)
    return counted.group_by("customer_id").agg(spent=pl.sum("net_amount").cast(pl.Float64))


def million() -> None:
    """Fit and score customers who do what BG/NBD says, seen for up to two years."""
    rng = np.random.default_rng(1)
    rate, leaves = rng.gamma(0.42, 1 / 20.0, MILLION), rng.beta(0.6, 2.6, MILLION)
    tenure = rng.integers(0, 730, MILLION).astype(np.float64)
    now = np.zeros(MILLION)
    here = np.ones(MILLION, dtype=bool)
    who, when = [np.arange(MILLION)], [np.zeros(MILLION)]
    while here.any():
        now += rng.exponential(size=MILLION) / rate
        here &= now < tenure
        who.append(np.flatnonzero(here))
        when.append(now[here])
        here &= rng.random(MILLION) >= leaves
    customer = np.concatenate(who)
    since = np.floor(np.concatenate(when)) - tenure[customer]
    as_of = date(2025, 12, 31)
    lines = pl.DataFrame(
        {
            "customer_id": pl.Series(customer).cast(pl.String),
            "net_amount": np.round(rng.gamma(6.0, 5.0, customer.size), 2),
            "since": since.astype(np.int64),
        }
    ).select(
        "customer_id",
        order_id=pl.int_range(pl.len()),
        source=pl.lit("purchases"),
        kind=pl.lit("sale"),
        net_amount=pl.col("net_amount").cast(pl.Decimal(18, 2)),
        purchase_day=pl.lit(as_of) + pl.duration(days="since"),
    )
    spent = lines.group_by("customer_id").agg(net_revenue=pl.sum("net_amount").cast(MONEY))
    features = seen_until(per_day(lines.lazy(), as_of), as_of).join(spent, on="customer_id").lazy()
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    began = time.process_time()
    metrics = value_metrics(lines.lazy(), as_of)
    judged = time.process_time()
    model = value_model(VALUE_MODEL.empty().lazy(), features, metrics.lazy(), lines.lazy(), as_of)
    fitted = time.process_time()
    value = customer_value(features, model.lazy(), lines.lazy(), as_of, 0.1)
    scored = time.process_time()
    print(model.select("part", "parameter", "value", "standard_error"))
    print(value.head(3))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"{value.height:,} customers, {lines.height:,} orders: judged in {judged - began:.1f}, "
        f"fitted in {fitted - judged:.1f}, scored in {scored - fitted:.1f} CPU seconds; peak "
        f"{peak:.2f} GB, {made:.2f} before"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["holdout", "real", "intervals", "runs", "million"])
    asked = parser.parse_args(sys.argv[1:])
    run: dict[str, Callable[[], None]] = {
        "holdout": holdout,
        "real": partial(holdout, False),
        "intervals": intervals,
        "runs": runs,
        "million": million,
    }
    run[asked.what]()


if __name__ == "__main__":
    main()
