"""One commit to a Delta table: what it records, how it is made, and what happens when two meet.

How two writers stay apart: every commit carries the application transaction `bridge-cart/writer`
with the version it was planned on. Delta stores transactions and does not enforce them
(delta-io/delta-rs#2580), but it refuses a commit whose transaction was also written since the
handle was opened. So a plan made on an old version is never written: the caller takes a new
snapshot (`retry_on_conflict`) and plans again.

Belongs here: commits through an open handle. Does not belong here: which rows are written
(`changes`), or opening a table (`snapshot`).
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, TypeVar

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.parquet import writing
from bridge_cart_assets.tables.table import Table

# The transaction of every commit, by which Delta refuses a plan made on an old version.
WRITER = "bridge-cart/writer"
AS_OF = "bridge-cart/as_of"
# In a commit's metadata: how many transactions its log entry ends with, so that one that was cut
# off between two lines can be recognised.
TRANSACTIONS = "bridge_cart.transactions"
# Also there: which attempt wrote the entry. A store may write one and lose the answer; the request
# is then repeated, and refused because the entry is there.
ATTEMPT = "bridge_cart.attempt"
_ATTEMPTS = 8
# Seconds before the second attempt at most; before each later one twice as many.
RETRY_SECONDS = 0.02

T = TypeVar("T")


class CommitConflictError(RuntimeError):
    """Another run committed to the table after the snapshot was taken; nothing was written."""


@dataclass(frozen=True)
class Commit:
    """What is written down with the rows, in the same commit.

    Attributes:
        run_id: Dagster run that commits.
        as_of: latest batch day that the rows have seen.
        transactions: what has been taken in, by name and version, for instance the version of
            an upstream table or a file's fingerprint.
        notes: what people may want to know of the commit, by name (`lake.commit_notes` reads it).
        attempt: what tells one attempt to write it from every other.
    """

    run_id: str
    as_of: date | None = None
    transactions: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    attempt: str = ""


def write_rows(
    handle: DeltaTable,
    table: Table,
    rows: pl.DataFrame,
    commit: Commit,
    mode: Literal["append", "overwrite"],
    adds_columns: bool = False,
) -> None:
    """Append rows, or put them in the place of all others; the table may get columns by it."""
    with conflicts_of(table):
        write_deltalake(
            handle,
            rows,
            mode=mode,
            schema_mode="merge" if adds_columns else None,
            writer_properties=writing(table, rows),
            commit_properties=_properties(handle, commit),
        )


def merge_rows(handle: DeltaTable, table: Table, change: Change, commit: Commit) -> None:
    """Insert, update and delete by key."""
    upserts = table.conform(pl.concat([change.inserts, change.updates]))
    deletes = change.deletes.select(table.key).with_columns(_gone=True)
    source = pl.concat([upserts.with_columns(_gone=False), deletes], how="diagonal")
    predicate = " AND ".join(f"t.{name} = s.{name}" for name in table.key)
    if change.partitions is not None:
        values = ", ".join(f"'{value}'" for value in sorted(set(change.partitions)))
        predicate += f" AND t.{table.partition_by[0]} IN ({values})"
    assignments = {name: f"s.{name}" for name in table.dtypes}
    merger = handle.merge(
        source,
        predicate=predicate,
        source_alias="s",
        target_alias="t",
        writer_properties=writing(table, upserts),
        commit_properties=_properties(handle, commit),
    )
    with conflicts_of(table):
        (
            merger.when_matched_delete("s._gone")
            .when_matched_update(assignments)
            .when_not_matched_insert(assignments, predicate="NOT s._gone")
            .execute()
        )


def add_and_remove_files(
    handle: DeltaTable, table: Table, actions: Sequence[AddAction | RemoveAction], commit: Commit
) -> None:
    """Add files that lie below the table already, and remove others from it."""
    version = handle.version()
    with conflicts_of(table):
        handle.create_write_transaction(
            list(actions),
            "append",
            handle.schema(),
            list(table.partition_by),
            commit_properties=_properties(handle, commit),
        )
    # Unlike other writes this one leaves the handle where it was.
    handle.load_as_version(version + 1)


def retry_on_conflict(plan: Callable[[], T]) -> T:
    """Run a plan that looks and writes; look and plan again when another run was faster.

    Between the attempts it waits a little, each time longer and never equally long, or several runs
    would keep being in each other's way.

    Raises:
        CommitConflictError: others were faster eight times in a row.
    """
    for attempt in range(_ATTEMPTS - 1):
        try:
            return plan()
        except CommitConflictError:
            time.sleep(random.uniform(0, RETRY_SECONDS * 2**attempt))  # noqa: S311 (no secret)
    return plan()


@contextmanager
def conflicts_of(table: Table) -> Iterator[None]:
    """Delta's refusal of a commit as ours."""
    try:
        yield
    except CommitFailedError as error:
        raise CommitConflictError(f"{table.path} was changed by another run") from error


def commit_transactions(planned_on: int, commit: Commit) -> dict[str, int]:
    """The application transactions of a commit that was planned on a version."""
    as_of = {} if commit.as_of is None else {AS_OF: commit.as_of.toordinal()}
    return {WRITER: planned_on, **commit.transactions, **as_of}


def _properties(handle: DeltaTable, commit: Commit) -> CommitProperties:
    transactions = commit_transactions(handle.version(), commit)
    metadata = {f"bridge_cart.{name}": text for name, text in commit.notes.items()}
    metadata["bridge_cart.run_id"] = commit.run_id
    if commit.as_of is not None:
        metadata["bridge_cart.as_of"] = commit.as_of.isoformat()
    metadata[TRANSACTIONS] = str(len(transactions))
    metadata[ATTEMPT] = commit.attempt
    return CommitProperties(
        custom_metadata=metadata,
        app_transactions=[Transaction(name, v) for name, v in transactions.items()],
    )
