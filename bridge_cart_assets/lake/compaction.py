"""Small files into larger ones: which belong together, and writing the larger ones.

delta-rs has an OPTIMIZE, but up to 1.6.6 it leaves out the application transactions of its commit,
and its removals are overlooked when others look for conflicts: two of them at once, or one and a
replacement planned before it, leave the rows twice. So here the larger files are staged
(`staging`), and `Snapshot.compact` puts them in the place of the small ones by a commit like every
other.

Belongs here: choosing files and reading them. Does not belong here: the commit.
"""

import time
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

import polars as pl
from deltalake.transaction import RemoveAction

from bridge_cart_assets.tables.table import Table

# Compressed. What is rewritten together is in memory at once, ten times as large.
TARGET_BYTES = 64 * 2**20


def small_files(files: pl.DataFrame, table: Table, target: int) -> list[pl.DataFrame]:
    """Live files that would be better together: of one partition, two or more, small.

    A file of half the target size is left alone, or it would be rewritten for each small one that
    comes after it.

    Args:
        files: path, size_bytes and `partition.*` of the live files.
        table: the table they are of.
        target: bytes that one file should have at most.

    Returns:
        The rows of `files`, once for each larger file to be made.
    """
    partition = [f"partition.{name}" for name in table.partition_by]
    small = files.filter(pl.col("size_bytes") * 2 < target).sort(*partition, "modification_time")
    groups = small.partition_by(partition, maintain_order=True) if partition else [small]
    groups = [group for group in groups for group in _up_to(target, group)]
    return [group for group in groups if group.height > 1]


def merge_batches(groups: Iterable[pl.DataFrame], target: int) -> Iterator[pl.DataFrame]:
    """Piles that are rewritten at once: of many days with little each, not one write for each."""
    gathered: list[pl.DataFrame] = []
    for group in groups:
        gathered.append(group)
        if sum(int(some["size_bytes"].sum()) for some in gathered) >= target:
            yield pl.concat(gathered)
            gathered = []
    if gathered:
        yield pl.concat(gathered)


def rows_of(
    files: pl.DataFrame, table: Table, uri: str, options: dict[str, str] | None
) -> pl.DataFrame:
    """The rows of some of the table's files."""
    partition = [f"partition.{name}" for name in table.partition_by]
    parts = files.partition_by(partition, maintain_order=True) if partition else [files]
    return pl.concat(
        [
            pl.scan_parquet(
                [f"{uri}/{unquote(path)}" for path in part["path"]],
                storage_options=options,
                hive_partitioning=False,
                glob=False,
                schema={n: t for n, t in table.dtypes.items() if n not in table.partition_by},
                missing_columns="insert",
            )
            .with_columns(
                pl.lit(part[f"partition.{name}"][0]).cast(table.dtypes[name]).alias(name)
                for name in table.partition_by
            )
            .select(table.dtypes.keys())
            for part in parts
        ]
    ).collect()


def removals(files: pl.DataFrame, table: Table, *, data_change: bool = False) -> list[RemoveAction]:
    """The removal of files whose rows lie elsewhere from now on.

    Args:
        files: the rows of the files that go.
        table: the table they are of.
        data_change: whether their rows are not what is elsewhere now.
    """
    now = int(time.time() * 1_000)
    return [
        RemoveAction(
            path=file["path"],
            data_change=data_change,
            deletion_timestamp=now,
            size=file["size_bytes"],
            partition_values={
                name: None if (value := file[f"partition.{name}"]) is None else str(value)
                for name in table.partition_by
            },
        )
        for file in files.iter_rows(named=True)
    ]


def _up_to(target: int, files: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The files in their order, in groups that are no larger than the target."""
    begin, total = 0, 0
    for position, size in enumerate(files["size_bytes"]):
        if total + size > target:
            yield files[begin:position]
            begin, total = position, 0
        total += size
    yield files[begin:]
