"""How well persons are found: those of silver against the synthetic shop's truth.

    python -m bridge_cart_tests.benchmarks.persons DATA

DATA is the folder of a shop that `bridge-cart generate --guests … --second-accounts …` has landed
and `bridge-cart run` has taken in.

Two orders of one person are a pair. Precision is the share of the pairs in silver that are pairs in
truth, recall the share of the pairs in truth that are pairs in silver.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.tables.silver import PURCHASES

_ORDER = ["order_id"]


@dataclass(frozen=True)
class Agreement:
    """How far the persons found are the persons of truth.

    Attributes:
        orders: how many orders were compared.
        precision, recall: of pairs of orders.
    """

    orders: int
    precision: float
    recall: float


def agreement(found: pl.DataFrame, truth: pl.DataFrame) -> Agreement:
    """Compare persons order by order.

    Args:
        found: order_id and customer_id; an order without one is in no pair.
        truth: order_id and person_id.
    """
    both = found.join(truth, on="order_id")
    known = both.filter(pl.col("customer_id").is_not_null())
    right = _pairs(known, "customer_id", "person_id")
    made, there = _pairs(known, "customer_id"), _pairs(both, "person_id")
    return Agreement(both.height, right / made, right / there)


def _pairs(orders: pl.DataFrame, *same: str) -> int:
    sizes = orders.group_by(same).len()["len"].cast(pl.Int64)
    return int((sizes * (sizes - 1) // 2).sum())


def truth_of(data: Path) -> pl.DataFrame:
    """Whose each order is: order_id, person_id."""
    accounts = pl.read_parquet(data / "truth" / "accounts")
    lines = pl.read_parquet(data / "truth" / "purchases")
    return (
        lines.select("order_id", customer_id="buyer")
        .unique(_ORDER)
        .join(accounts, on="customer_id")
        .select("order_id", "person_id")
    )


def main() -> None:
    """Print precision and recall of persons, and of customer ids as received."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    lines = Lake(str(data / "lake")).snapshot(PURCHASES).read()
    truth = truth_of(data)
    for name, column in (("as received", "received_customer_id"), ("persons", "customer_id")):
        # A line whose customer was lost on the way says less than the others of its order.
        orders = lines.group_by("order_id").agg(customer_id=pl.col(column).drop_nulls().first())
        found = agreement(orders, truth)
        figures = f"precision {found.precision:.4f}, recall {found.recall:.4f}"
        print(f"{name}: {found.orders:,} orders, {figures}")


if __name__ == "__main__":
    main()
