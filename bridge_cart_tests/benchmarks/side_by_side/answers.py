"""What the programs answer, in one form, and who is right.

Belongs here: reading answers out of a lake, a DuckDB file or Parquet files; comparing them. Does
not belong here: running the programs (`programs`).

An answer is three tables: KPIs by day, customers, and the totals of the segments. They hold
what can be compared exactly: counts, days, words and money in whole cents. Segments are compared by
their totals, because each program may cut its customers as it likes.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

MONEY = {"revenue", "discounts", "refunds", "net_revenue", "historic_clv"}
KPIS = {
    "day": pl.Date,
    "orders": pl.Int64,
    "lines": pl.Int64,
    "active_customers": pl.Int64,
    "new_customers": pl.Int64,
    "revenue": pl.Int64,
    "discounts": pl.Int64,
    "refunds": pl.Int64,
    "net_revenue": pl.Int64,
}
CUSTOMERS = {
    "customer_id": pl.String,
    "first_purchase_day": pl.Date,
    "last_purchase_day": pl.Date,
    "orders": pl.Int64,
    "lines": pl.Int64,
    "recency_days": pl.Int64,
    "tenure_days": pl.Int64,
    "frequency": pl.Int64,
    "active_months": pl.Int64,
    "revenue": pl.Int64,
    "refunds": pl.Int64,
    "historic_clv": pl.Int64,
    "is_churned": pl.Boolean,
    "top_category": pl.String,
    "country": pl.String,
    "gender": pl.String,
}


@dataclass(frozen=True)
class Answers:
    """What one program has made of the files."""

    kpis: pl.DataFrame
    customers: pl.DataFrame
    segments: pl.DataFrame


Reader = Callable[[Path], Answers]


def normalised(kpis: pl.DataFrame, customers: pl.DataFrame, segments: pl.DataFrame) -> Answers:
    """One form for the tables of all programs.

    Args:
        kpis: the columns of `KPIS`; money as decimals, or as whole cents.
        customers: the columns of `CUSTOMERS`, likewise.
        segments: customer_id and segment.
    """
    people = _in_form(customers, CUSTOMERS)
    # A customer without a segment is missing from the totals.
    known = segments.drop_nulls("segment").join(people, on="customer_id")
    totals = known.select(customers=pl.n_unique("customer_id"), revenue=pl.sum("revenue"))
    return Answers(kpis=_in_form(kpis, KPIS), customers=people, segments=totals)


def from_lake(lake: Path) -> Answers:
    """The product's answers, from its gold tables."""
    gold = lake / "gold"
    features = pl.read_delta(str(gold / "customer_features"))
    value = pl.read_delta(str(gold / "customer_value"))
    segments = pl.read_delta(str(gold / "customer_segments"))
    customers = features.join(
        value.select("customer_id", "historic_clv", "is_churned"), on="customer_id", how="left"
    )
    return normalised(
        kpis=pl.read_delta(str(gold / "kpis_daily")),
        customers=customers,
        segments=segments.select("customer_id", segment="segment_id"),
    )


def from_parquet(store: Path) -> Answers:
    """The answers of a script."""
    return normalised(
        **{name: pl.read_parquet(store / f"{name}.parquet") for name in Answers.__annotations__}
    )


def from_duckdb(store: Path) -> Answers:
    """The answers of the dbt project."""
    with tempfile.TemporaryDirectory() as folder:
        with duckdb.connect(str(store / "shop.duckdb"), read_only=True) as database:
            for name in Answers.__annotations__:
                database.execute(f"COPY {name} TO '{folder}/{name}.parquet'")
        return from_parquet(Path(folder))


def _in_form(table: pl.DataFrame, columns: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    key = next(iter(columns))
    form = [
        (_in_cents(table.schema, name) if name in MONEY else pl.col(name)).cast(of).alias(name)
        for name, of in columns.items()
    ]
    return table.select(form).sort(key)


def _in_cents(schema: pl.Schema, name: str) -> pl.Expr:
    """Money in whole cents: decimals times a hundred, integers as they are."""
    value = pl.col(name)
    if schema[name].is_decimal():
        value = value * 100
    return value.cast(pl.Int64)


def difference(one: Answers, other: Answers) -> str | None:
    """The first place where two answers differ, in words; None where they are equal."""
    for name in Answers.__annotations__:
        found = _table_difference(getattr(one, name), getattr(other, name))
        if found:
            return f"{name}: {found}"
    return None


def _table_difference(one: pl.DataFrame, other: pl.DataFrame) -> str | None:
    if one.equals(other):
        return None
    if one.height != other.height:
        return f"{one.height:,} rows, not {other.height:,}"
    key, *_ = one.columns
    for name in one.columns:
        wrong = one[name].ne_missing(other[name])
        if wrong.any():
            row = wrong.arg_true()[0]
            values = f"{_shown(name, one[name][row])}, not {_shown(name, other[name][row])}"
            return f"{one[key][row]}: {name} is {values} ({wrong.sum():,} rows)"
    return None


def _shown(name: str, value: object) -> str:
    return f"{value / 100:.2f}" if name in MONEY and isinstance(value, int) else str(value)


def verdicts(answers: Mapping[str, Answers]) -> dict[str, str | None]:
    """What is wrong with each program's answers; None for those that most programs give.

    Where no answer is given by more programs than any other, nobody knows who is right, and all are
    wrong.
    """
    camps: list[list[str]] = []
    for name, given in answers.items():
        for camp in camps:
            if difference(given, answers[camp[0]]) is None:
                camp.append(name)
                break
        else:
            camps.append([name])
    camps.sort(key=len, reverse=True)
    if len(camps) == 1:
        return dict.fromkeys(answers)
    is_open = len(camps[0]) == len(camps[1])
    return {
        name: _against(name, camps, answers) if is_open or name not in camps[0] else None
        for name in answers
    }


def _against(name: str, camps: Sequence[list[str]], answers: Mapping[str, Answers]) -> str:
    rival = next(camp[0] for camp in camps if name not in camp)
    return f"not what {rival} says: {difference(answers[name], answers[rival])}"
