"""How good the forecasts of value and churn are, and how long a million customers take.

    python -m bridge_cart_tests.benchmarks.value holdout    every shop's last 90 days, as Markdown
    python -m bridge_cart_tests.benchmarks.value million    fit and score 1,000,000 customers

The shops are the CDNOW sample (its purchases come with a package, see `models.cdnow`), the
synthetic shop with four seeds, and Online Retail when BRIDGE_CART_REAL_DATA names its folder.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.models.buy_till_you_die import (
    BgNbd,
    Histories,
    NaiveRate,
    Orders,
    fit_bg_nbd,
    fit_nbd,
)
from bridge_cart_assets.models.customer_value import customer_value, value_model
from bridge_cart_assets.models.forecast_errors import scores
from bridge_cart_assets.models.holdout import seen_until
from bridge_cart_assets.models.likelihood import Floats
from bridge_cart_assets.tables.gold import MODEL_METRICS, VALUE_MODEL
from bridge_cart_assets.transforms.windows import WINDOW
from bridge_cart_tests.generator.statistics.shops import SEEDS, clean, online_retail
from bridge_cart_tests.models.cdnow import fetched, orders

MILLION = 1_000_000
DAYS, CUSTOMERS = 540, 20_000
HEADER = "| shop | customers | did not order | model | total | MAE | AUC | Brier | calibration |"


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


def shops() -> Iterator[tuple[str, pl.DataFrame, date]]:
    """Each shop's name, sale lines (customer_id, purchase_day, net_amount) and last day."""
    with tempfile.TemporaryDirectory() as folder:
        sample = orders(fetched(Path(folder)))
    sold = sample.rename({"day": "purchase_day", "amount": "net_amount"})
    yield "CDNOW, to 1998-06-30", sold, date(1998, 6, 30)
    yield "CDNOW, to 1997-12-31", sold, date(1997, 12, 31)
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            shop = Shop(customers=CUSTOMERS, days=DAYS, dirt=0, seed=seed)
            generate(shop, Path(folder))
            made = clean(Path(folder), shop, DAYS)
        yield f"synthetic, seed {seed}", _lines(made.sales), made.last
    if root := os.environ.get("BRIDGE_CART_REAL_DATA"):
        real = online_retail(Path(root) / "online_retail")
        yield "Online Retail, to 2011-12-09", _lines(real.sales), real.last
        yield "Online Retail, to 2011-10-31", _lines(real.sales), date(2011, 10, 31)


def _lines(sales: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("purchase_date").dt.date()
    return sales.select("customer_id", purchase_day=day, net_amount="revenue")


def holdout() -> None:
    """Fit without the last 90 days, and compare with them."""
    print(HEADER)
    print("|---|--:|--:|---|--:|--:|--:|--:|--:|")
    for name, sold, last in shops():
        lines = sold.lazy().with_columns(
            pl.col("net_amount").cast(pl.Decimal(18, 2)), kind=pl.lit("sale")
        )
        then = seen_until(lines, last - timedelta(days=WINDOW), last)
        groups, each = Histories.of(then), Histories.each(then)
        actual = then["orders"].to_numpy().astype(np.float64)
        bg_nbd = fit_bg_nbd(groups).model
        models: dict[str, Orders] = {
            f"BG/NBD (drop-out {bg_nbd.drop_out:.3f})": bg_nbd,
            "NBD": fit_nbd(groups).model,
            "naive rate": NaiveRate(),
            "p_alive": AliveOrNot(bg_nbd),
            "90-day flag": Flag(),
        }
        for model, one in models.items():
            found = scores(one, each, actual)
            cells = (
                f"{found['total_error']:+.1%}",
                f"{found['mae']:.3f}",
                f"{found['auc']:.3f}",
                f"{found['brier']:.4f}",
                f"{found['calibration_error']:.3f}",
            )
            gone = f"{(actual == 0).mean():.1%}"
            print(f"| {name} | {then.height:,} | {gone} | {model} | {' | '.join(cells)} |")


def million() -> None:
    """Fit and score customers who do what BG/NBD says, seen for up to two years."""
    rng = np.random.default_rng(1)
    rate, leaves = rng.gamma(0.42, 1 / 20.0, MILLION), rng.beta(0.6, 2.6, MILLION)
    tenure = rng.integers(0, 730, MILLION).astype(np.float64)
    count, last, now = np.zeros(MILLION), np.zeros(MILLION), np.zeros(MILLION)
    here = np.ones(MILLION, dtype=bool)
    while here.any():
        now += rng.exponential(size=MILLION) / rate
        here &= now < tenure
        count[here] += 1
        last[here] = now[here]
        here &= rng.random(MILLION) >= leaves
    frame = pl.DataFrame(
        {
            "customer_id": [f"C{i:07}" for i in range(MILLION)],
            "frequency": count.astype(np.int64),
            "t_x": np.floor(last).astype(np.int64),
            "tenure_days": tenure.astype(np.int64),
            "recency_days": (tenure - np.floor(last)).astype(np.int64),
            "net_revenue": np.round((count + 1) * rng.gamma(6.0, 5.0, MILLION), 2),
        }
    ).with_columns(pl.col("net_revenue").cast(pl.Decimal(18, 2)))
    as_of, began = date(2025, 12, 31), time.perf_counter()
    metrics = MODEL_METRICS.empty().lazy()
    model = value_model(VALUE_MODEL.empty().lazy(), frame.lazy(), metrics, as_of)
    fitted = time.perf_counter()
    value = customer_value(frame.lazy(), model.lazy(), as_of, 0.1)
    scored = time.perf_counter()
    print(model.select("part", "parameter", "value", "standard_error"))
    print(value.head(3))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{value.height:,} customers: fitted in {fitted - began:.1f} s, scored in ", end="")
    print(f"{scored - fitted:.1f} s; peak of the process {peak:.2f} GB, making them included")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["holdout", "million"])
    asked = parser.parse_args(sys.argv[1:])
    {"holdout": holdout, "million": million}[asked.what]()


if __name__ == "__main__":
    main()
