"""The job in pandas, in the way of scripts that grew out of a notebook.

    python pandas_shop.py LANDING STORE

Every run loads all of the cleaned records, adds the new files, writes all of them back and computes
all answers again. Money is whole cents.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

FORMATS = ("%Y-%m-%dT%H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d-%b-%Y %H:%M:%S")


def main(landing: Path, store: Path) -> None:
    """Take in what is new and write the answers."""
    lines = loaded(landing, store, "purchases", cleaned_lines, ["order_id", "line_number"])
    profiles = loaded(landing, store, "customers", cleaned_profiles, ["customer_id"])
    names = " ".join(path.name for path in (landing / "purchases").iterdir())
    as_of = pd.Timestamp(max(re.findall(r"\d{4}-\d{2}-\d{2}", names)))
    lines = lines[lines["day"] <= as_of]
    sales = lines[lines["kind"] == "sale"]
    refunds = lines[lines["kind"] == "refund"].assign(net=lambda frame: -frame["net"])
    customers = customers_of(sales, refunds, profiles, as_of)
    kpis_of(sales, refunds, as_of).to_parquet(store / "kpis.parquet")
    customers.to_parquet(store / "customers.parquet")
    segments_of(customers).to_parquet(store / "segments.parquet")


def loaded(
    landing: Path,
    store: Path,
    source: str,
    cleaned: Callable[[pd.DataFrame], pd.DataFrame],
    keys: list[str],
) -> pd.DataFrame:
    """Old and new records, the newest of each key."""
    store.mkdir(parents=True, exist_ok=True)
    ledger, kept = store / f"{source}.txt", store / f"cleaned_{source}.parquet"
    seen = set(ledger.read_text().splitlines()) if ledger.exists() else set()
    new = sorted(path for path in (landing / source).iterdir() if path.name not in seen)
    parts = [pd.read_parquet(kept)] if kept.exists() else []
    if new:
        parts.append(cleaned(pd.concat([read(path) for path in new], ignore_index=True)))
    records = pd.concat(parts).sort_values("updated_at", kind="stable")
    records = records.drop_duplicates(keys, keep="last")
    records.to_parquet(kept, index=False)
    ledger.write_text("\n".join([*seen, *(path.name for path in new)]))
    return records


def read(path: Path) -> pd.DataFrame:
    """All columns as text."""
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str)


def cleaned_lines(raw: pd.DataFrame) -> pd.DataFrame:
    """Typed order lines with what they count as."""
    amount, discount = cents(raw["purchase_amount"]), cents(raw["discount_amount"].fillna("0"))
    undone = raw["status"].isin(["cancelled", "refunded"])
    kind = np.select([amount < 0, undone, amount > 0], ["refund", "cancelled", "sale"], "free")
    return pd.DataFrame(
        {
            "order_id": raw["order_id"],
            "line_number": raw["line_number"].astype(int),
            "customer_id": raw["customer_id"],
            "day": moments(raw["purchase_date"]).dt.normalize(),
            "discount": discount,
            "net": amount - discount,
            "category": raw["product_category"].fillna("unknown"),
            "kind": kind,
            "updated_at": moments(raw["updated_at"]),
        }
    )


def cleaned_profiles(raw: pd.DataFrame) -> pd.DataFrame:
    """What the answers need of a profile."""
    profiles = raw[["customer_id", "country"]]
    gender = raw["gender"].fillna("unknown")
    return profiles.assign(gender=gender, updated_at=moments(raw["updated_at"]))


def cents(column: pd.Series) -> pd.Series:
    """Whole cents of an amount."""
    return (column.astype(float) * 100).round().astype("int64")


def moments(column: pd.Series) -> pd.Series:
    """Times in any of the spellings."""
    times = pd.to_datetime(column, format=FORMATS[0], errors="coerce")
    for spelling in FORMATS[1:]:
        missing = times.isna()
        times[missing] = pd.to_datetime(column[missing], format=spelling, errors="coerce")
    return times


def kpis_of(sales: pd.DataFrame, refunds: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """One row per calendar day from the first sale on."""
    by_day = sales.groupby("day")
    first = sales.groupby("customer_id")["day"].min()
    parts = {
        "orders": by_day["order_id"].nunique(),
        "lines": by_day.size(),
        "active_customers": by_day["customer_id"].nunique(),
        "new_customers": first.value_counts(),
        "revenue": by_day["net"].sum(),
        "discounts": by_day["discount"].sum(),
        "refunds": refunds.groupby("day")["net"].sum(),
    }
    days = pd.DataFrame(parts, index=pd.date_range(sales["day"].min(), as_of, name="day"))
    days = days.fillna(0).astype("int64")
    return days.assign(net_revenue=days["revenue"] - days["refunds"]).reset_index()


def customers_of(
    sales: pd.DataFrame, refunds: pd.DataFrame, profiles: pd.DataFrame, as_of: pd.Timestamp
) -> pd.DataFrame:
    """One row per customer with a sale."""
    spent = sales.groupby(["customer_id", "category"], as_index=False)["net"].sum()
    ranked = spent.sort_values(["net", "category"], ascending=[False, True])
    by_customer = sales.groupby("customer_id")
    month = sales["day"].dt.to_period("M")
    customers = pd.DataFrame(
        {
            "first_purchase_day": by_customer["day"].min(),
            "last_purchase_day": by_customer["day"].max(),
            "orders": by_customer["order_id"].nunique(),
            "lines": by_customer.size(),
            "frequency": by_customer["day"].nunique() - 1,
            "revenue": by_customer["net"].sum(),
            "active_months": month.groupby(sales["customer_id"]).nunique(),
            "top_category": ranked.groupby("customer_id")["category"].first(),
        }
    )
    people = profiles.set_index("customer_id")
    back = refunds.groupby("customer_id")["net"].sum().reindex(customers.index).fillna(0)
    return (
        customers.assign(
            refunds=back.astype("int64"),
            historic_clv=customers["revenue"] - back.astype("int64"),
            recency_days=(as_of - customers["last_purchase_day"]).dt.days,
            tenure_days=(as_of - customers["first_purchase_day"]).dt.days,
            country=people["country"].reindex(customers.index),
            gender=people["gender"].reindex(customers.index).fillna("unknown"),
        )
        .assign(is_churned=lambda frame: frame["recency_days"] >= 90)
        .sort_index()
        .reset_index()
    )


def segments_of(customers: pd.DataFrame) -> pd.DataFrame:
    """Five clusters by K-Means on recency, frequency and revenue."""
    from sklearn.cluster import KMeans
    from sklearn.preprocessing import StandardScaler

    features = customers[["recency_days", "frequency"]].assign(revenue=customers["revenue"] / 100)
    points = StandardScaler().fit_transform(np.log1p(features.to_numpy(dtype=float)))
    labels = KMeans(min(5, len(points)), n_init=3, random_state=7).fit_predict(points)
    return customers[["customer_id"]].assign(segment=labels)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
