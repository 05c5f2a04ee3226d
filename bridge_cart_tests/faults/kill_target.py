"""A process that takes in what has landed and kills itself on the way.

    python -m bridge_cart_tests.faults.kill_target DATA POINT TIME

runs the chain over the folder, and over the topics of the brokers that DATA/brokers names, and
sends itself SIGKILL when it reaches the point for the TIMEth time. The points are put around the
functions from outside: the product has none. At the point
`crowd` it is one of several: each file is a commit of its own, and every conflict is written down
in DATA/conflicts.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bridge_cart_assets.ingestion import files, ingest_files, ingest_messages
from bridge_cart_assets.lake import catalogue, commits, fsync, snapshot
from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.lake.staging import StagedFiles
from bridge_cart_assets.pipeline import chain, intake, silver
from bridge_cart_assets.pipeline.gold import GOLD_TABLES
from bridge_cart_assets.settings import Settings, SilverSettings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.silver import TABLES

Function = Callable[..., Any]


class Killer:
    """Counts down to the time when it kills its process."""

    def __init__(self, time: int) -> None:
        self.left = time

    def reached(self) -> None:
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)


def before(function: Function, killer: Killer) -> Function:
    def call(*args: Any, **kwargs: Any) -> Any:
        killer.reached()
        return function(*args, **kwargs)

    return call


def after(function: Function, killer: Killer) -> Function:
    def call(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        killer.reached()
        return result

    return call


def without_its_entry(write: Function, killer: Killer) -> Function:
    """As if the process had died when the data was written and the log entry was not."""

    def call(handle: Any, *args: Any, **kwargs: Any) -> Any:
        result = write(handle, *args, **kwargs)
        if killer.left == 1:
            table = Path(handle.table_uri.removeprefix("file://"))
            fsync.entry_of(table, handle.version()).unlink()
        killer.reached()
        return result

    return call


def of_merges(around: Callable[[Function, Killer], Function]) -> Callable[..., Function]:
    """At `Snapshot.apply`, if it changes or removes rows: then it is a merge, else an append."""

    def put(apply: Function, killer: Killer) -> Function:
        disturbed = around(apply, killer)

        def call(snapshot: Snapshot, change: Change, *args: Any, **kwargs: Any) -> Any:
            is_merge = change.updates.height or change.deletes.height
            return (disturbed if is_merge else apply)(snapshot, change, *args, **kwargs)

        return call

    return put


# Point -> where it is, what is put around it.
POINTS: dict[str, tuple[Any, str, Callable[[Function, Killer], Function]]] = {
    "listed": (intake, "list_landing", after),
    "read": (ingest_files, "read_file", after),
    "parsed": (ingest_files, "read_all", after),
    "before commit": (commits, "write_deltalake", before),
    "parquet written": (commits, "write_deltalake", without_its_entry),
    "after commit": (commits, "write_deltalake", after),
    "before fsync": (snapshot, "fsync_commit", before),
    "after fsync": (snapshot, "fsync_commit", after),
    "remembered": (ingest_files, "upsert_files", after),
    "silver merged": (Snapshot, "apply", of_merges(after)),
    "silver folded": (silver, "fold_days", after),
    "gold written": (Snapshot, "replace", after),
    "catalogue about to be replaced": (catalogue.os, "replace", before),
    "catalogue replaced": (catalogue.os, "replace", after),
}


# The same places on the way of a message.
WITH_KAFKA = {
    **POINTS,
    "listed": (ingest_messages, "partitions_of", after),
    "read": (ingest_messages, "read_objects", before),
    "parsed": (ingest_messages, "read_objects", after),
    "remembered": (ingest_messages, "upsert_offsets", after),
}


# On the way of a large file. With these a file of more than 200 bytes is one.
WITH_LARGE_FILES: dict[str, tuple[Any, str, Callable[[Function, Killer], Function]]] = {
    "a part staged": (StagedFiles, "add", after),
    "all parts staged": (Snapshot, "append_staged", before),
    "staged files committed": (Snapshot, "append_staged", after),
    "staged files not forced": (snapshot, "fsync_commit", before),
    "a large file remembered": (ingest_files, "upsert_files", after),
}


def brokers_of(data: Path) -> dict[str, str]:
    file = data / "brokers"
    return {"bootstrap.servers": file.read_text()} if file.exists() else {}


def settings_of(data: Path) -> SilverSettings:
    """The command's own, with a key that is the same in every folder: lakes are compared."""
    settings = Settings(data=data).silver
    if settings.identity_key is not None:
        settings.identity_key.write_text("0f" * 32)
    return settings


def run(data: Path) -> None:
    """The chain, from landing or the topics to the catalogue."""
    lake = Lake(str(data / "lake"))
    settings = settings_of(data)
    chain.refresh_silver(lake, data / "landing", brokers=brokers_of(data), settings=settings)
    chain.refresh_gold(lake)
    raw = [source.raw for source in SOURCES]
    path = data / "bridge_cart.duckdb"
    catalogue.build_catalogue(path, lake, GOLD_TABLES, TABLES, raw, "victim", datetime.now(UTC))


def in_a_crowd(data: Path) -> None:
    """Make many small commits, and write down each that another process was faster with."""
    ingest_files.COMMIT_BYTES = 1
    raised = commits.CommitConflictError.__init__

    def count(self: commits.CommitConflictError, *args: object) -> None:
        raised(self, *args)
        with (data / "conflicts").open("a") as conflicts:
            conflicts.write("x")

    commits.CommitConflictError.__init__ = count  # type: ignore[method-assign, assignment]


def play(data: Path, point: str, time: int) -> None:
    """Take in what has arrived, and die at the point when it is reached for the time-th time."""
    if point == "crowd":
        in_a_crowd(data)
    elif point != "never":
        points = WITH_KAFKA if brokers_of(data) else POINTS
        if point in WITH_LARGE_FILES:
            points, files.PART_BYTES = WITH_LARGE_FILES, 200
        owner, name, around = points[point]
        setattr(owner, name, around(getattr(owner, name), Killer(time)))
    if point == "crowd":
        lake = Lake(str(data / "lake"))
        chain.refresh_silver(lake, data / "landing", settings=settings_of(data))
    else:
        run(data)


if __name__ == "__main__":
    play(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
