"""How many lines a second the product takes in: landed CSV files into raw, and nothing after it.

    python -m bridge_cart_tests.benchmarks.side_by_side.raw_intake DATA

Prints the records and the seconds that the product's own step took, without the process's start.
"""

import sys
import time
from pathlib import Path

import polars as pl

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.intake import take_in_source
from bridge_cart_assets.sources.purchases import PURCHASES

FILES = 10


def land_copies(lines: pl.DataFrame, landing: Path, wanted: int) -> None:
    """About so many order lines in ten files, made of some, with order ids of their own.

    A file whose content has been taken in adds nothing, so no two files are equal.
    """
    (landing / "purchases").mkdir(parents=True)
    copies = max(1, round(wanted / FILES / lines.height))
    for number in range(FILES):
        parts = [
            lines.with_columns(pl.col("order_id") + f"-{number}-{copy}") for copy in range(copies)
        ]
        pl.concat(parts).write_csv(landing / "purchases" / f"2024-12-31.{number}.csv")


def main(data: Path) -> None:
    """Take in what has landed."""
    began = time.perf_counter()
    intake = take_in_source(Lake(str(data / "lake")), PURCHASES, data / "landing", "benchmark")
    seconds = time.perf_counter() - began
    print(intake.files.records if intake.files else 0, seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
