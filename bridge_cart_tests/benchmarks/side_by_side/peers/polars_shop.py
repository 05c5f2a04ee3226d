"""The job as one bare Polars script: no table format, no checks, no orchestration.

    python polars_shop.py LANDING STORE

Each run cleans the files that it has not seen and keeps them as one more Parquet file. What stands
is the newest record of each key over all of these files, and all answers are computed from it.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

CENTS = pl.Decimal(18, 2)
FORMATS = ("%Y-%m-%dT%H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d-%b-%Y %H:%M:%S")
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def main(landing: Path, store: Path) -> None:
    """Take in what is new and write the answers."""
    lines = newest(landing, store, "purchases", clean_lines, ["order_id", "line_number"])
    profiles = newest(landing, store, "customers", clean_profiles, ["customer_id"])
    as_of = max(batch_day(path) for path in (landing / "purchases").iterdir())
    day = pl.lit(as_of).str.to_date()
    seen = lines.filter(pl.col("day") <= day)
    sales = seen.filter("is_sale")
    refunds = seen.filter("is_refund").with_columns(-pl.col("net"))
    customers = customers_of(sales, refunds, profiles, day)
    segments = segments_of(customers)
    kpis_of(sales, refunds, day).write_parquet(store / "kpis.parquet")
    customers.write_parquet(store / "customers.parquet")
    segments.write_parquet(store / "segments.parquet")


def newest(
    landing: Path,
    store: Path,
    source: str,
    clean: Callable[[pl.LazyFrame], pl.LazyFrame],
    keys: list[str],
) -> pl.DataFrame:
    """The newest record of each key, new files included."""
    folder = store / source
    folder.mkdir(parents=True, exist_ok=True)
    ledger = folder / "files.txt"
    seen = set(ledger.read_text().splitlines()) if ledger.exists() else set()
    new = sorted(p for p in (landing / source).iterdir() if p.name not in seen)
    if new:
        number = len(list(folder.glob("*.parquet")))
        clean(scan(new)).sink_parquet(folder / f"{number:06}.parquet")
        ledger.write_text("\n".join([*seen, *(path.name for path in new)]))
    parts = pl.scan_parquet(sorted(folder.glob("*.parquet")))
    return parts.sort("updated_at", maintain_order=True).unique(keys, keep="last").collect()


def scan(files: list[Path]) -> pl.LazyFrame:
    """All columns as text."""
    if files[0].suffix == ".parquet":
        return pl.scan_parquet(files)
    return pl.scan_csv(files, infer_schema=False)


def clean_lines(raw: pl.LazyFrame) -> pl.LazyFrame:
    """Typed order lines with what they count as."""
    amount = pl.col("purchase_amount").cast(CENTS)
    discount = pl.col("discount_amount").cast(CENTS).fill_null(0)
    undone = pl.col("status").is_in(["cancelled", "refunded"]) & (amount > 0)
    return raw.select(
        "order_id",
        pl.col("line_number").cast(pl.Int32),
        "customer_id",
        day=moment("purchase_date").dt.date(),
        discount=discount,
        net=amount - discount,
        category=pl.col("product_category").fill_null("unknown"),
        is_sale=(amount > 0) & ~undone,
        is_refund=amount < 0,
        updated_at=moment("updated_at"),
    )


def clean_profiles(raw: pl.LazyFrame) -> pl.LazyFrame:
    """What the answers need of a profile."""
    gender = pl.col("gender").fill_null("unknown")
    return raw.select("customer_id", "country", gender, updated_at=moment("updated_at"))


def moment(column: str) -> pl.Expr:
    """A time in any of the spellings."""
    return pl.coalesce(pl.col(column).str.to_datetime(f, strict=False) for f in FORMATS)


def batch_day(path: Path) -> str:
    """The latest day in a file's name."""
    return max(match.group() for match in ISO_DAY.finditer(path.name))


def kpis_of(sales: pl.DataFrame, refunds: pl.DataFrame, as_of: pl.Expr) -> pl.DataFrame:
    """One row per calendar day from the first sale on."""
    first = sales.group_by("customer_id").agg(day=pl.min("day"))
    parts = (
        sales.group_by("day").agg(
            orders=pl.n_unique("order_id"),
            lines=pl.len(),
            active_customers=pl.n_unique("customer_id"),
            revenue=pl.sum("net"),
            discounts=pl.sum("discount"),
        ),
        first.group_by("day").agg(new_customers=pl.len()),
        refunds.group_by("day").agg(refunds=pl.sum("net")),
    )
    days = sales.select(pl.date_range(pl.min("day"), as_of).alias("day"))
    for part in parts:
        days = days.join(part, on="day", how="left")
    return days.fill_null(0).with_columns(net_revenue=pl.col("revenue") - pl.col("refunds"))


def customers_of(
    sales: pl.DataFrame, refunds: pl.DataFrame, profiles: pl.DataFrame, as_of: pl.Expr
) -> pl.DataFrame:
    """One row per customer with a sale."""
    spent = sales.group_by("customer_id", "category").agg(pl.sum("net"))
    ranked = spent.sort(["net", "category"], descending=[True, False])
    top = ranked.group_by("customer_id").agg(top_category=pl.first("category"))
    bought = sales.group_by("customer_id").agg(
        first_purchase_day=pl.min("day"),
        last_purchase_day=pl.max("day"),
        orders=pl.n_unique("order_id"),
        lines=pl.len(),
        frequency=pl.n_unique("day") - 1,
        revenue=pl.sum("net"),
        active_months=pl.col("day").dt.truncate("1mo").n_unique(),
    )
    back = refunds.group_by("customer_id").agg(refunds=pl.sum("net"))
    people = profiles.select("customer_id", "country", "gender")
    joined = bought.join(top, on="customer_id").join(back, on="customer_id", how="left")
    return (
        joined.join(people, on="customer_id", how="left")
        .with_columns(
            pl.col("refunds").fill_null(0),
            pl.col("gender").fill_null("unknown"),
            recency_days=(as_of - pl.col("last_purchase_day")).dt.total_days(),
            tenure_days=(as_of - pl.col("first_purchase_day")).dt.total_days(),
        )
        .with_columns(
            historic_clv=pl.col("revenue") - pl.col("refunds"),
            is_churned=pl.col("recency_days") >= 90,
        )
        .sort("customer_id")
    )


def segments_of(customers: pl.DataFrame) -> pl.DataFrame:
    """Five clusters by K-Means on recency, frequency and revenue."""
    from sklearn.cluster import KMeans
    from sklearn.preprocessing import StandardScaler

    features = customers.select("recency_days", "frequency", "revenue").cast(pl.Float64)
    points = StandardScaler().fit_transform(np.log1p(features.to_numpy()))
    labels = KMeans(min(5, len(points)), n_init=3, random_state=7).fit_predict(points)
    return customers.select("customer_id", segment=pl.Series(labels))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
