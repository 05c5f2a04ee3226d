"""Cleaning and folding by an engine: raw records per file, order lines per order.

The functions are those that a run calls without an engine. Raw records are cleaned file by file,
because a file decides as a whole what its dates and amounts mean. Where silver has no line of a
source yet, its lines stay with the engine: they are folded order by order there, and written as
files that one commit adds. Where it has some, what is cleaned comes here, and the fold goes on as
without an engine, because it reads and replaces rows of silver.

Belongs here: what is asked of an engine for silver. Does not belong here: the order of the commits
(`fold`), or how an engine works (`engine`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import polars as pl

from bridge_cart_assets.engine.engine import Engine, Frames, Keyed, Output
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline.cleaned_records import clean_records
from bridge_cart_assets.settings import SilverSettings
from bridge_cart_assets.sources import Source
from bridge_cart_assets.tables.raw import is_of_file
from bridge_cart_assets.tables.silver import CUSTOMER_REPEATS, PURCHASE_REPEATS, PURCHASES
from bridge_cart_assets.transforms.folding import ORDER_KEY, WholeOrder, fold_purchases
from bridge_cart_assets.transforms.identities import ADDRESS_OF_LINE, identity_of_line

_LINES = tuple(name for name in PURCHASE_REPEATS.dtypes if name != "fate")
_PROFILES = tuple(name for name in CUSTOMER_REPEATS.dtypes if name != "fate")
_COUNTED = ("_batch_day", "_fingerprint", "_pos")
_RECEIVED = "received_customer_id"
# The records of one file come together; a message is a file of its own.
_FILE = ("_fingerprint", pl.when(~is_of_file(pl.col("_fingerprint"))).then("_pos"))


class NotFirstError(Exception):
    """Silver has lines of a source by now: another run was faster."""


@dataclass(frozen=True)
class CleanedRows:
    """Cleaned records, where the engine has them.

    Attributes:
        lines, profiles: accepted order lines and profiles.
        refused: what is refused.
        counted: what accounting counts of each line, where records hold several.
    """

    lines: Output
    profiles: Output
    refused: Output
    counted: Output


def clean_by(
    engine: Engine,
    arrived: Snapshot,
    days: Sequence[date],
    source: Source,
    settings: SilverSettings,
    hash_key: bytes | None,
) -> CleanedRows:
    """Clean the raw records of some days, file by file.

    Args:
        engine: where.
        arrived: the raw table.
        days: batch days.
        source: whose records they are.
        settings: what silver is made with.
        hash_key: the key of the addresses' hashes, if there is one.
    """
    clean = partial(_cleaned, source=source, settings=settings, hash_key=hash_key)
    return CleanedRows(*engine.per_key(clean, Keyed(arrived.row_files(days), _FILE)))


def _cleaned(
    raw: pl.LazyFrame, *, source: Source, settings: SilverSettings, hash_key: bytes | None
) -> Frames:
    # As they stand in the file: an order's first line says what the others do not.
    in_order = raw.sort("_object", "_fingerprint", "_pos").collect().lazy()
    cleaned = clean_records(in_order, source, settings, hash_key)
    counted = cleaned.counted_lines(source)
    lines, profiles = PURCHASE_REPEATS.empty(), CUSTOMER_REPEATS.empty()
    return (
        (cleaned.purchases.accepted if cleaned.purchases else lines).select(_LINES),
        (cleaned.customers.accepted if cleaned.customers else profiles).select(_PROFILES),
        cleaned.refused,
        source.raw.empty().select(_COUNTED) if counted is None else counted.select(_COUNTED),
    )


@dataclass(frozen=True)
class FirstLines:
    """All order lines of a source of which silver has none yet, folded where the engine has them.

    Attributes:
        engine: where.
        source: whose lines they are.
        current: the lines that stand, customer_id as received.
        superseded: the others.
        records: customer_id, email_key and batch_day of all of them, each combination once.
        addressed: of the lines that stand and have an address, what decides which is the latest.
    """

    engine: Engine
    source: Source
    current: Output
    superseded: Output
    records: pl.DataFrame
    addressed: pl.DataFrame

    def write(
        self,
        lake: Lake,
        current_at: Snapshot,
        superseded_at: Snapshot,
        persons: pl.DataFrame,
        commit: Commit,
    ) -> None:
        """Let the engine write the lines, and add them in two commits.

        Args:
            lake: the tables.
            current_at: silver/purchases.
            superseded_at: silver/purchase_repeats.
            persons: identity and person_id of those that are not a person of their own.
            commit: what is written down with the rows.

        Raises:
            NotFirstError: silver has lines of the source.
            CommitConflictError: another run came between.
        """
        if not is_first(self.source, current_at, superseded_at):
            raise NotFirstError
        put: tuple[tuple[Output, Snapshot, Callable[[pl.DataFrame], pl.DataFrame]], ...] = (
            (self.superseded, superseded_at, _as_it_is),
            (self.current, current_at, partial(_with_persons, persons=persons)),
        )
        for rows, at, finish in put:
            files = self.engine.stage(rows, finish, at.table, lake.root, lake.options)
            at.append_files(files, commit)


def fold_first(engine: Engine, cleaned: CleanedRows, source: Source) -> FirstLines:
    """Fold all lines of a source of which silver has none yet, order by order.

    Args:
        engine: where.
        cleaned: the records.
        source: whose records they are.
    """
    fold = partial(_folded, whole_order_in=source.whole_order_in)
    current, superseded, records, addressed = engine.per_key(fold, Keyed(cleaned.lines, ORDER_KEY))
    return FirstLines(
        *(engine, source, current, superseded),
        records.collect().unique(),
        addressed.collect(),
    )


def _folded(lines: pl.LazyFrame, *, whole_order_in: WholeOrder | None) -> Frames:
    records = lines.collect()
    folded = fold_purchases(records, whole_order_in)
    has_address = pl.col("email_key").is_not_null() & pl.col("customer_id").is_not_null()
    return (
        folded.current.select(_LINES),
        folded.superseded.select(PURCHASE_REPEATS.dtypes.keys()),
        records.select("customer_id", "email_key", "batch_day").unique(),
        folded.current.filter(has_address).select(ADDRESS_OF_LINE),
    )


def _as_it_is(rows: pl.DataFrame) -> pl.DataFrame:
    return rows


def _with_persons(lines: pl.DataFrame, *, persons: pl.DataFrame) -> pl.DataFrame:
    """Rows of silver/purchases of lines with customer_id as received."""
    return (
        lines.rename({"customer_id": _RECEIVED})
        .with_columns(identity=identity_of_line(_RECEIVED))
        .join(persons, on="identity", how="left")
        .with_columns(customer_id=pl.coalesce("person_id", "identity"))
        .select(PURCHASES.dtypes.keys())
    )


def is_first(source: Source, current_at: Snapshot, superseded_at: Snapshot) -> bool:
    """Whether silver has no line of a source.

    Args:
        source: the source.
        current_at: silver/purchases.
        superseded_at: silver/purchase_repeats.
    """
    return not any(
        at.rows and at.scan().filter(pl.col("source") == source.name).head(1).collect().height
        for at in (current_at, superseded_at)
    )


def records_on(counts: Mapping[date, int], days: Sequence[date]) -> int:
    """How many raw records some days have.

    >>> records_on({date(2024, 1, 1): 5, date(2024, 1, 2): 7}, [date(2024, 1, 2)])
    7
    """
    return sum(counts.get(day, 0) for day in days)
