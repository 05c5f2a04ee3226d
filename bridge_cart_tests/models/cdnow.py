"""The CDNOW records, which the papers on BG/NBD and Gamma-Gamma estimate their models on.

Fader and Hardie's data: customers of a music shop whose first purchase was in the first quarter of
1997, followed to June 1998. The shared folder has what BG/NBD is fitted to; the purchases and the
mean order values are in the package lifetimes, of which nothing but these files is used.
"""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import polars as pl

from bridge_cart_assets.tables.columns import MONEY

_PACKAGE = "lifetimes==0.11.3"
_SHA256 = "261e3dc89977c2b60767ca6728aaa29d429de0c814635070a749c36555895da8"
_SECONDS = 60


class CdnowPackageMissingError(Exception):
    """The package index did not answer, or the package is another one."""


def fetched(folder: Path) -> Path:
    """The package's file, downloaded into a folder.

    Raises:
        CdnowPackageMissingError: says why.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    try:
        subprocess.run(
            [*command, str(folder), _PACKAGE], check=True, capture_output=True, timeout=_SECONDS
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise CdnowPackageMissingError(f"{_PACKAGE} cannot be downloaded") from error
    [wheel] = folder.glob("*.whl")
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != _SHA256:
        raise CdnowPackageMissingError(f"{_PACKAGE} has another content than it had")
    return wheel


def spending(wheel: Path) -> pl.DataFrame:
    """Mean order values of those who came again, over their repeat orders: x and zbar."""
    with zipfile.ZipFile(wheel) as package:
        text = package.read("lifetimes/datasets/cdnow_customers_summary_with_transactions.csv")
    return pl.read_csv(text).filter(pl.col("x") > 0)


def orders(wheel: Path) -> pl.DataFrame:
    """The purchases of a tenth of the customers: customer_id, day, amount (dollars)."""
    with zipfile.ZipFile(wheel) as package:
        lines = package.read("lifetimes/datasets/CDNOW_sample.txt").decode().splitlines()
    rows = [line.split() for line in lines]
    return pl.DataFrame(
        {
            "customer_id": [row[1] for row in rows],
            "day": [row[2] for row in rows],
            "amount": [row[4] for row in rows],
        }
    ).with_columns(pl.col("day").str.to_date("%Y%m%d"))


def order_lines(wheel: Path) -> pl.LazyFrame:
    """The same as lines of silver/purchases, with the columns that forecasts look at."""
    return (
        orders(wheel)
        .with_row_index("order_id")
        .lazy()
        .select(
            *("customer_id", "order_id"),
            source=pl.lit("purchases"),
            purchase_day="day",
            net_amount=pl.col("amount").cast(MONEY),
            kind=pl.lit("sale"),
        )
    )
