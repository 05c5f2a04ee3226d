"""What a table has been: its commits with their moments, and what a version of it consists of.

Read from the log's entries and checkpoints. Delta drops entries that are older than 30 days,
maintenance removes files that no version of the last days has, and an erasure leaves nothing but
the version of then. So only versions from `TableLog.earliest` on can be restored.

Belongs here: reading the log of one table. Does not belong here: the latest commits' notes
(`commit_notes`), or putting an earlier version in the place of the present one
(`pipeline.restoring`).
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import polars as pl
from deltalake.transaction import RemoveAction

from bridge_cart_assets.lake.fsync import LOG
from bridge_cart_assets.lake.table_files import TableFiles, checkpoint_of, read_entry
from bridge_cart_assets.lake.transactions import recorded

_PREFIX = "bridge_cart."
# Of the actions in a checkpoint the field that each of its kind has.
_NAMED_BY = {"metaData": "schemaString", "txn": "appId", "add": "path", "remove": "path"}
_OF_FILES = ("path", "partitionValues", "size", "modificationTime", "stats")

# What the log says of a file: path, partitionValues, size, modificationTime, stats.
FileEntry = Mapping[str, Any]


@dataclass(frozen=True)
class PastCommit:
    """One commit of a table.

    Attributes:
        version: the version that it made.
        committed_at: when, never earlier than the commit before it.
        run_id: Dagster run, or the verb, that committed; None where a table was merely created.
        notes: what else it has written down.
        rows: rows of the files that it added, without those that it only moved to other files.
        partitions: the values of the partition column in which they lie.
        transactions: the names of its transactions.
        is_rearranging: whether it changed no row.
        removed: paths of the files that it removed.
        named: paths of the files that it added, those of the change feed too.
    """

    version: int
    committed_at: datetime
    run_id: str | None
    notes: Mapping[str, str]
    rows: int
    partitions: frozenset[str]
    transactions: tuple[str, ...]
    is_rearranging: bool
    removed: tuple[str, ...]
    named: tuple[str, ...]


@dataclass(frozen=True)
class PastVersion:
    """What one version of a table consists of.

    Attributes:
        version: its number; None for a table that was not there yet.
        files: its files by path.
        transactions: those that hold.
        columns: name and type of its columns.
    """

    version: int | None = None
    files: Mapping[str, FileEntry] = field(default_factory=dict)
    transactions: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(map(rows_in, self.files.values()))


class TableLog:
    """The log of a table that is there."""

    def __init__(self, files: TableFiles, uri: str, options: Mapping[str, str] | None) -> None:
        self._files = files
        self._uri = uri
        self._options = dict(options) if options else None

    @cached_property
    def commits(self) -> list[PastCommit]:
        """The commits that can be read, in their order, without a gap."""
        commits: list[PastCommit] = []
        at = datetime.fromtimestamp(0, tz=UTC)
        for version in self._versions:
            commit = _commit(version, self._actions(version), at)
            at = commit.committed_at
            commits.append(commit)
        return commits

    @cached_property
    def latest(self) -> int:
        """The number of the latest version."""
        return self._versions[-1]

    @cached_property
    def earliest(self) -> PastCommit:
        """The earliest commit whose version can be restored."""
        removed = {path for commit in self.commits for path in commit.removed}
        there = self._files.sizes(removed)
        first = 0
        for commit in self.commits:
            if any(path not in there for path in commit.removed):
                first = commit.version
        base = self._base
        return next(c for c in self.commits if c.version >= max(first, base))

    def version_at(self, moment: datetime) -> int | None:
        """The latest version that was there at a moment; None before the first one."""
        return max((c.version for c in self.commits if c.committed_at <= moment), default=None)

    def missing_files(self, version: PastVersion) -> list[str]:
        """The files of a version that are gone or have another size."""
        there = self._files.sizes(version.files)
        return [p for p, entry in version.files.items() if there.get(p) != int(entry["size"])]

    def at(self, version: int) -> PastVersion:
        """What a version consists of."""
        files: dict[str, FileEntry] = {}
        transactions: dict[str, int] = {}
        columns: dict[str, str] = {}
        checkpoint = max((c for c in self._checkpoints if c <= version), default=None)
        begin = 0
        steps: Iterator[Mapping[str, Any]] = iter(())
        if checkpoint is not None:
            steps, begin = self._in_checkpoint(checkpoint), checkpoint + 1
        for number in (None, *range(begin, version + 1)):
            for action in steps if number is None else self._actions(number):
                if "add" in action:
                    entry = {name: action["add"].get(name) for name in _OF_FILES}
                    files[unquote(entry["path"])] = entry
                elif "remove" in action:
                    files.pop(unquote(action["remove"]["path"]), None)
                elif "txn" in action:
                    transactions[action["txn"]["appId"]] = action["txn"]["version"]
                elif "metaData" in action:
                    fields = json.loads(action["metaData"]["schemaString"])["fields"]
                    columns = {f["name"]: json.dumps(f["type"]) for f in fields}
        return PastVersion(version, files, recorded(transactions), columns)

    def unknown_files(self) -> Mapping[str, int]:
        """Files below the table that the log does not know, with their bytes."""
        known = {path for commit in self.commits for path in (*commit.removed, *commit.named)}
        if self._checkpoints and self._versions[0] > 0:
            for action in self._in_checkpoint(max(self._checkpoints)):
                known |= {
                    unquote(action[kind]["path"]) for kind in ("add", "remove") if kind in action
                }
        below = (path for path in self._files.paths() if not path.startswith(f"{LOG}/"))
        return self._files.sizes(path for path in below if unquote(path) not in known)

    @cached_property
    def _versions(self) -> list[int]:
        """The entries at the end of the log, without a gap."""
        found = self._files.versions()
        begin = len(found) - 1
        while begin > 0 and found[begin - 1] == found[begin] - 1:
            begin -= 1
        return found[max(begin, 0) :]

    @cached_property
    def _checkpoints(self) -> list[int]:
        names = self._files.checkpoints()
        # Those in several parts have more dots in their names.
        return [int(name[:20]) for name in names if name.count(".") == 2]

    @property
    def _base(self) -> int:
        """The first version that can be read from what the log has left."""
        first = self._versions[0]
        if first == 0:
            return 0
        # A checkpoint stands for the entries before it, that of its own version included.
        return min((c for c in self._checkpoints if c >= first - 1), default=self.latest)

    def _actions(self, version: int) -> Iterator[Mapping[str, Any]]:
        for line in read_entry(self._files, version).splitlines():
            if line.strip():
                yield json.loads(line)

    def _in_checkpoint(self, version: int) -> Iterator[Mapping[str, Any]]:
        path = f"{self._uri}/{checkpoint_of(version)}"
        kept = pl.scan_parquet(path, glob=False, storage_options=self._options)
        for kind in ("metaData", "txn", "remove", "add"):
            rows = kept.select(pl.col(kind)).filter(pl.col(kind).is_not_null()).collect()
            for row in rows.to_series():
                if kind == "add" and row["path"]:
                    yield {"add": {**row, "partitionValues": dict(_pairs(row["partitionValues"]))}}
                elif row[_NAMED_BY[kind]]:
                    yield {kind: row}


def rows_in(entry: FileEntry) -> int:
    """The rows of a file, by what the log says of it."""
    return int(json.loads(entry["stats"] or "{}").get("numRecords") or 0)


def removal(entry: FileEntry) -> RemoveAction:
    """The removal of a file, whose rows go with it."""
    return RemoveAction(
        path=entry["path"],
        data_change=True,
        deletion_timestamp=int(time.time() * 1_000),
        size=entry["size"],
        partition_values=entry["partitionValues"],
    )


def _commit(version: int, actions: Iterable[Mapping[str, Any]], not_before: datetime) -> PastCommit:
    """What one entry says; its moment is not earlier than `not_before`."""
    info: Mapping[str, Any] = {}
    rows = 0
    partitions: set[str] = set()
    names: list[str] = []
    removed: list[str] = []
    named: list[str] = []
    moves = changes = False
    for action in actions:
        info = action.get("commitInfo", info)
        if (add := action.get("add")) is not None:
            moves, changes = True, changes or add.get("dataChange", True)
            named.append(unquote(add["path"]))
            if add.get("dataChange", True):
                rows += rows_in(add)
                partitions |= {value for value in add["partitionValues"].values() if value}
        elif (remove := action.get("remove")) is not None:
            moves, changes = True, changes or remove.get("dataChange", True)
            removed.append(unquote(remove["path"]))
        elif (cdc := action.get("cdc")) is not None:
            named.append(unquote(cdc["path"]))
        elif "txn" in action:
            names.append(action["txn"]["appId"])
    at = datetime.fromtimestamp(info.get("timestamp", 0) / 1000, tz=UTC)
    notes = {k.removeprefix(_PREFIX): v for k, v in info.items() if k.startswith(_PREFIX)}
    return PastCommit(
        version=version,
        committed_at=max(at, not_before),
        run_id=notes.pop("run_id", None),
        notes=notes,
        rows=rows,
        partitions=frozenset(partitions),
        transactions=tuple(names),
        is_rearranging=moves and not changes,
        removed=tuple(removed),
        named=tuple(named),
    )


def _pairs(values: Any) -> Iterator[tuple[str, str | None]]:
    """A map, which is a dictionary or pairs, depending on who wrote it."""
    if values is None:
        return
    if isinstance(values, Mapping):
        yield from values.items()
        return
    for pair in values:
        yield (pair["key"], pair["value"]) if isinstance(pair, Mapping) else tuple(pair)
