"""A per-key function over rows: what an engine does, and the engine that does it in this process.

Belongs here: what the pipeline asks of an engine. Does not belong here: how a cluster does it
(`cluster`), or which functions are called per key (`pipeline`).
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import polars as pl

from bridge_cart_assets.lake.row_files import RowFiles
from bridge_cart_assets.lake.staging import stage_apart
from bridge_cart_assets.tables.table import Table

LOCAL = "local"
# As many rows of a bucket are in the memory of one executor, a few times over.
_BUCKET_ROWS = 200_000
# Rows that a task reads at once, unless a single file has more. With fewer rows in a task there are
# more tasks, and each of them cuts a part for every bucket.
_TASK_ROWS = 500_000

Frames = tuple[pl.DataFrame, ...]


class EngineError(RuntimeError):
    """The engine cannot do the work; the message says why and what to do."""


class Output(Protocol):
    """One of the frames that a function gave per bucket, wherever its rows are."""

    def collect(self) -> pl.DataFrame:
        """All of its rows, in this process."""


@dataclass(frozen=True)
class Keyed:
    """Rows with a key by which they belong together.

    Attributes:
        rows: files of a table, what a function gave before, or rows of this process.
        key: what is equal for rows that belong together.
        columns: the columns that the function needs; all without.
        where: which rows it needs; all without.
    """

    rows: RowFiles | Output | pl.DataFrame
    key: tuple[str | pl.Expr, ...]
    columns: tuple[str, ...] | None = None
    where: pl.Expr | None = None

    def narrowed(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Some of the rows, as the function gets them."""
        kept = rows if self.where is None else rows.filter(self.where)
        return kept if self.columns is None else kept.select(self.columns)

    def split(self, rows: pl.LazyFrame, buckets: int) -> Iterator[tuple[int, pl.DataFrame]]:
        """Some of the rows, bucket by bucket."""
        kept = rows if self.where is None else rows.filter(self.where)
        names = kept.collect_schema().names() if self.columns is None else self.columns
        bucket = (pl.struct(*_named(self.key)).hash(0) % buckets).cast(pl.Int64).alias("_bucket")
        parts = kept.select(*names, bucket).collect().partition_by("_bucket", as_dict=True)
        for (number,), part in parts.items():
            yield int(number), part.drop("_bucket")


def _named(key: Sequence[str | pl.Expr]) -> list[pl.Expr]:
    columns = (pl.col(part) if isinstance(part, str) else part for part in key)
    return [column.alias(f"_{place}") for place, column in enumerate(columns)]


class Engine(Protocol):
    """Calls functions per bucket of keys."""

    def is_used_for(self, rows: int) -> bool:
        """Whether so many rows are worth it; a smaller piece of work is done by the caller."""

    def check(self) -> None:
        """Look whether it can be reached, without starting anything.

        Raises:
            EngineError: it cannot.
        """

    def per_key(self, function: Callable[..., Frames], *inputs: Keyed) -> tuple[Output, ...]:
        """Call a function per bucket of keys.

        Args:
            function: gets a lazy frame per input, with all rows of some keys, in no order.
            inputs: what it is called with. Equal keys of different inputs come together.

        Raises:
            EngineError: the work failed.
        """

    def sums(
        self, function: Callable[..., pl.DataFrame], *inputs: Keyed, by: Sequence[str]
    ) -> pl.DataFrame:
        """Call a function that gives contributions per bucket of keys, and add them up.

        Args:
            function: as of `per_key`; every column beside `by` is a sum and never null.
            inputs: what it is called with.
            by: the columns for which the contributions are added up.

        Raises:
            EngineError: the work failed.
        """

    def stage(
        self,
        output: Output,
        finish: Callable[[pl.DataFrame], pl.DataFrame],
        table: Table,
        root: str,
        options: Mapping[str, str],
    ) -> list[str]:
        """Write rows as files below a table, which a commit can add.

        Args:
            output: the rows.
            finish: what makes rows of the table of some of them.
            table: the declaration.
            root: where all tables lie.
            options: of the object store.

        Returns:
            The files, as actions of Delta's log (`Snapshot.append_files`).

        Raises:
            EngineError: the work failed.
        """


@dataclass(frozen=True)
class _Here:
    frames: tuple[pl.DataFrame, ...]

    def collect(self) -> pl.DataFrame:
        return pl.concat(self.frames)


@dataclass(frozen=True)
class InProcess:
    """An engine without other machines: bucket after bucket, in this process.

    What is equal here for one bucket and for many is equal on a cluster.

    Attributes:
        buckets: how many.

    >>> lines = pl.DataFrame({"customer_id": ["C1", "C2", "C1"], "cents": [5, 7, 9]})
    >>> def total(lines: pl.LazyFrame) -> Frames:
    ...     return (lines.group_by("customer_id").agg(pl.sum("cents")).collect(),)
    >>> (totals,) = InProcess(buckets=4).per_key(total, Keyed(lines, ("customer_id",)))
    >>> totals.collect().sort("customer_id").rows()
    [('C1', 14), ('C2', 7)]
    """

    buckets: int = 1

    def is_used_for(self, rows: int) -> bool:
        """Whatever there is."""
        return rows > 0

    def check(self) -> None:
        """It is always there."""

    def per_key(self, function: Callable[..., Frames], *inputs: Keyed) -> tuple[Output, ...]:
        """Call the function bucket by bucket."""
        filled: dict[int, dict[int, pl.DataFrame]] = {}
        empty = [given.narrowed(_all_rows(given).clear()) for given in inputs]
        for place, given in enumerate(inputs):
            for number, part in given.split(_all_rows(given), self.buckets):
                filled.setdefault(number, {})[place] = part
        called = [
            function(*(parts[i].lazy() if i in parts else empty[i] for i in range(len(inputs))))
            for _, parts in sorted(filled.items())
        ] or [function(*empty)]
        return tuple(_Here(frames) for frames in zip(*called, strict=True))

    def sums(
        self, function: Callable[..., pl.DataFrame], *inputs: Keyed, by: Sequence[str]
    ) -> pl.DataFrame:
        """Call the function bucket by bucket, and add up."""
        (parts,) = self.per_key(_Alone(function), *inputs)
        contributions = parts.collect()
        summed = contributions.group_by(list(by)).agg(pl.all().sum())
        return summed.select(contributions.columns).cast(contributions.schema)

    def stage(
        self,
        output: Output,
        finish: Callable[[pl.DataFrame], pl.DataFrame],
        table: Table,
        root: str,
        options: Mapping[str, str],
    ) -> list[str]:
        """Write the rows in this process."""
        return list(stage_apart(table, root, options, [finish(output.collect())]))


@dataclass(frozen=True)
class _Alone:
    """A function of one frame as one of several."""

    function: Callable[..., pl.DataFrame]

    def __call__(self, *rows: pl.LazyFrame) -> Frames:
        return (self.function(*rows),)


def _all_rows(given: Keyed) -> pl.LazyFrame:
    if isinstance(given.rows, pl.DataFrame):
        return given.rows.lazy()
    return given.rows.scan() if isinstance(given.rows, RowFiles) else given.rows.collect().lazy()


@lru_cache(maxsize=1)
def engine_at(address: str, least_rows: int = 0) -> Engine | None:
    """The engine at an address; None for the functions' own process, without any buckets.

    Nothing is started: a session begins with the first work, and there is one per process.

    Args:
        address: `local`, or a cluster's.
        least_rows: work on fewer rows is done in this process.
    """
    if address == LOCAL:
        return None
    from bridge_cart_assets.engine.cluster import Cluster

    return Cluster(address, least_rows)


def buckets_for(rows: int, parallelism: int) -> int:
    """How many buckets rows are split into.

    >>> buckets_for(10, parallelism=2), buckets_for(10_000_000, parallelism=2)
    (4, 50)
    """
    return max(2 * parallelism, -(-rows // _BUCKET_ROWS))


def rows_of_a_task(rows: int, parallelism: int) -> int:
    """How many rows a task reads at once: a share of a few tasks for each core, but not too many.

    >>> rows_of_a_task(541_909, parallelism=2), rows_of_a_task(10_000_000, parallelism=2)
    (135478, 500000)
    """
    return min(_TASK_ROWS, -(-rows // (2 * parallelism)))


def python_path() -> str:
    """Where processes of this machine find this package."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
