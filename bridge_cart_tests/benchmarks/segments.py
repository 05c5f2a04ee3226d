"""Whether the segments find the kinds of customers that there are, and whether they last.

    python -m bridge_cart_tests.benchmarks.segments personas   the synthetic shop, three seeds
    python -m bridge_cart_tests.benchmarks.segments refits     six monthly refits on Online Retail
    python -m bridge_cart_tests.benchmarks.segments again      twice more on the same people

`refits` and `again` need BRIDGE_CART_REAL_DATA. Agreement is the adjusted Rand index (Hubert and
Arabie 1985): 1 when two ways of grouping are the same, 0 on average when one of them is by chance.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.models.segment_history import customer_history, with_new_model
from bridge_cart_assets.models.segments import assign, from_rows
from bridge_cart_assets.tables.gold import SEGMENT_MODEL
from bridge_cart_assets.tables.silver import CUSTOMERS
from bridge_cart_assets.transforms.features import customer_features
from bridge_cart_assets.transforms.flicker import flickering
from bridge_cart_tests.generator.numbers import as_number
from bridge_cart_tests.generator.statistics.shops import online_retail
from bridge_cart_tests.models.cdnow import fetched, order_lines

SEEDS, BUYERS, DAYS = (7, 1, 2), 5_000, 365
MONTHS_ENDS = tuple(date(2011, month + 1, 1) - timedelta(days=1) for month in range(5, 12))
RAW = ("recency_days", "frequency", "revenue")
# What a supervised model may look at: all that is known of a customer but the person.
NUMBERS = (
    *("orders", "lines", "recency_days", "tenure_days", "frequency", "t_x", "revenue", "refunds"),
    *("net_revenue", "aov", "median_gap_days", "coupon_rate", "discount_rate", "refund_rate"),
    "active_months",
)
NAMES = ("top_category", "top_payment_method")


@dataclass(frozen=True)
class Recovery:
    """How well groups of customers agree with the personas.

    Attributes:
        segments: how many there are.
        ours: agreement of the segments.
        ceiling: of a random forest that has learned from the personas of other customers.
        raw: of K-Means on recency, frequency and revenue as they are.
    """

    segments: int
    ours: float
    ceiling: float
    raw: float


@dataclass(frozen=True)
class Refit:
    """A segment model and how many customers it leaves where they were.

    Attributes:
        as_of: day of the training.
        names: of the segments.
        stability: mean adjusted Rand index over resamples.
        shares: of the customers, per segment.
        kept: share of the customers of the refit before who keep their segment id.
    """

    as_of: date
    names: tuple[str, ...]
    stability: float
    shares: tuple[float, ...]
    kept: float | None


def recovery(seed: int, trees: int = 200) -> Recovery:
    """Segments of a clean synthetic shop beside the best that its data allow."""
    from sklearn.cluster import KMeans
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import adjusted_rand_score
    from sklearn.model_selection import cross_val_predict
    from threadpoolctl import threadpool_limits

    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(customers=BUYERS, days=DAYS, dirt=0, seed=seed)
        generate(shop, Path(folder))
        customers = _features(Path(folder), shop.day(DAYS - 1))
    personas = customers["persona"]
    models = with_new_model(SEGMENT_MODEL.empty(), customers.drop("persona"), shop.day(DAYS - 1))
    known = np.hstack(
        [
            customers.select(pl.col(NUMBERS).cast(pl.Float64)).fill_null(-1).to_numpy(),
            customers.select(NAMES).to_dummies().to_numpy(),
        ]
    )
    with threadpool_limits(1):
        forest = RandomForestClassifier(trees, min_samples_leaf=5, random_state=0)
        predicted = cross_val_predict(forest, known, personas.to_numpy(), cv=5)
        plain = customers.select(pl.col(RAW).cast(pl.Float64)).to_numpy()
        raw = KMeans(5, n_init=10, random_state=0).fit_predict(plain)
    found = assign(from_rows(models)[0], customers)["segment_id"]
    return Recovery(
        segments=models.height,
        ours=adjusted_rand_score(personas, found),
        ceiling=adjusted_rand_score(personas, predicted),
        raw=adjusted_rand_score(personas, raw),
    )


def refits(purchases: pl.LazyFrame) -> Iterator[Refit]:
    """Train at the end of each of six months, and compare with the month before."""
    models = SEGMENT_MODEL.empty()
    before: pl.DataFrame | None = None
    for as_of in MONTHS_ENDS:
        customers = customer_features(purchases, CUSTOMERS.empty().lazy(), as_of)
        models = with_new_model(models, customers, as_of, "age" if models.height else "first")
        model = from_rows(models)[-1]
        now = customers.select("customer_id").with_columns(assign(model, customers)["segment_id"])
        kept = None
        if before is not None:
            both = before.join(now, on="customer_id", suffix="_now")
            kept = as_number((both["segment_id"] == both["segment_id_now"]).mean())
        shares = tuple(as_number((now["segment_id"] == i).mean()) for i in model.ids)
        yield Refit(as_of, model.names, model.stability or 0.0, shares, kept)
        before = now


def again() -> Iterator[tuple[str, int, tuple[float, ...], int]]:
    """Train twice more on the same customers: whom that moves, and who flickers in the history.

    Yields:
        Shop, customers, share of them moved by each of the two trainings, flickering customers.
    """
    real = Path(os.environ["BRIDGE_CART_REAL_DATA"])
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(customers=2_000, days=180, dirt=0)
        generate(shop, Path(folder))
        yield ("synthetic shop", *_again(_true_lines(Path(folder)), shop.day(179)))
        yield ("CDNOW", *_again(_cdnow_lines(Path(folder)), date(1998, 6, 30)))
    yield ("Online Retail", *_again(real_purchases(real), date(2011, 12, 9)))


def _again(purchases: pl.LazyFrame, as_of: date) -> tuple[int, tuple[float, ...], int]:
    customers = customer_features(purchases, CUSTOMERS.empty().lazy(), as_of)
    models = SEGMENT_MODEL.empty()
    for because in ("first", "asked", "asked"):
        models = with_new_model(models, customers, as_of, because)
    moved = models.drop_nulls("moved_share").unique("model_version")["moved_share"]
    states = customer_history(purchases, models.lazy(), as_of)
    return customers.height, tuple(moved), flickering(states.lazy(), as_of).height


def _features(data: Path, as_of: date) -> pl.DataFrame:
    """The features of a generated shop's buyers, from its truth, each with the persona."""
    customers = customer_features(_true_lines(data), CUSTOMERS.empty().lazy(), as_of)
    personas = pl.read_parquet(data / "truth" / "personas").select("customer_id", "persona")
    return customers.join(personas, on="customer_id").sort("customer_id")


def _cdnow_lines(folder: Path) -> pl.LazyFrame:
    """CDNOW's orders as lines, with nothing in the columns that it lacks; those for 0 are free."""
    return order_lines(fetched(folder)).with_columns(
        pl.col("order_id").cast(pl.String),
        purchase_month=pl.col("purchase_day").dt.strftime("%Y-%m"),
        purchase_date=pl.col("purchase_day").cast(pl.Datetime("us", "UTC")),
        purchase_amount="net_amount",
        discount_amount=pl.lit("0.00").cast(pl.Decimal(18, 2)),
        coupon_used=pl.lit(value=False),
        payment_method=pl.lit("unknown"),
        product_category=pl.lit("unknown"),
        kind=pl.when(pl.col("net_amount") > 0).then(pl.lit("sale")).otherwise(pl.lit("free")),
    )


def _true_lines(data: Path) -> pl.LazyFrame:
    """A generated shop's order lines, from its truth, as far as features look at them."""
    records = pl.read_parquet(data / "truth" / "purchases").sort("updated_at", maintain_order=True)
    stands = records.unique(["order_id", "line_number"], keep="last", maintain_order=True)
    day = pl.col("purchase_date").dt.date()
    return stands.lazy().with_columns(
        source=pl.lit("purchases"),
        purchase_day=day,
        purchase_month=day.dt.strftime("%Y-%m"),
        net_amount=pl.col("purchase_amount") - pl.col("discount_amount"),
    )


def real_purchases(root: Path) -> pl.LazyFrame:
    """Online Retail's sales as far as features look at them."""
    day = pl.col("purchase_date").dt.date()
    cents = pl.col("revenue").round(2).cast(pl.Decimal(18, 2))
    return (
        online_retail(root / "online_retail")
        .sales.lazy()
        .with_columns(
            source=pl.lit("online_retail"),
            purchase_day=day,
            purchase_month=day.dt.strftime("%Y-%m"),
            net_amount=cents,
            purchase_amount=cents,
            discount_amount=pl.lit("0.00").cast(pl.Decimal(18, 2)),
            coupon_used=pl.lit(False),
            payment_method=pl.lit("unknown"),
            product_category=pl.lit("unknown"),
            kind=pl.lit("sale"),
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["personas", "refits", "again"])
    what = parser.parse_args(sys.argv[1:]).what
    if what == "again":
        for name, customers, moved, flicker in again():
            shares = ", ".join(f"{share:.2%}" for share in moved)
            print(f"{name}, {customers:,} customers: moved {shares}; {flicker} flicker", flush=True)
        return
    if what == "personas":
        for seed in SEEDS:
            r = recovery(seed)
            print(
                f"seed {seed}: {r.segments} segments, ARI {r.ours:.3f}; ceiling {r.ceiling:.3f} "
                f"({r.ours / r.ceiling:.0%} of it); raw RFM {r.raw:.3f} "
                f"({r.ours / r.raw:.1f} times)"
            )
        return
    for refit in refits(real_purchases(Path(os.environ["BRIDGE_CART_REAL_DATA"]))):
        shares = ", ".join(f"{n} {s:.0%}" for n, s in zip(refit.names, refit.shares, strict=True))
        kept = "" if refit.kept is None else f"; {refit.kept:.1%} kept their segment"
        print(f"{refit.as_of}: stability {refit.stability:.3f}; {shares}{kept}")


if __name__ == "__main__":
    main()
