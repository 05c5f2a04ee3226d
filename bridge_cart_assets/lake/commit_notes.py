"""What the latest commits of a table have written down beside their rows.

Belongs here: reading a commit's metadata. Does not belong here: writing them (`commits`), or the
transactions, which hold for a version and not for a commit (`transactions`).

Opening a table costs ten times as much as reading the end of its log, so in a folder of this
machine the entries themselves are read.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.fsync import LOG
from bridge_cart_assets.tables.table import Table

_PREFIX = "bridge_cart."
_BEGIN = '{"commitInfo"'
# Between two commits of a run there is at most one of the nightly maintenance.
_LATEST = 5


@dataclass(frozen=True)
class CommitNotes:
    """What a commit has written down.

    Attributes:
        run_id: Dagster run that committed.
        committed_at: when that was.
        notes: as the commit was given them.
    """

    run_id: str
    committed_at: datetime
    notes: Mapping[str, str]


def latest_notes(lake: Lake, table: Table, name: str) -> CommitNotes | None:
    """The latest commit of a table that has a note of this name; None when there is none."""
    entries = _local_commits(lake, table) if lake.is_local else _commits(lake, table)
    for commit in islice(entries, _LATEST):
        written = {
            key.removeprefix(_PREFIX): value
            for key, value in commit.items()
            if key.startswith(_PREFIX)
        }
        if name in written:
            at = datetime.fromtimestamp(commit["timestamp"] / 1000, tz=UTC)
            return CommitNotes(written["run_id"], at, written)
    return None


def _local_commits(lake: Lake, table: Table) -> Iterator[dict[str, Any]]:
    """The commits of a table in a folder, latest first."""
    for entry in sorted(Path(lake.uri(table), LOG).glob("[0-9]*.json"), reverse=True):
        with entry.open(encoding="utf-8") as lines:
            yield from (json.loads(ln)["commitInfo"] for ln in lines if ln.startswith(_BEGIN))


def _commits(lake: Lake, table: Table) -> Iterator[dict[str, Any]]:
    """The same in an object store."""
    try:
        opened = DeltaTable(lake.uri(table), storage_options=dict(lake.options))
    except TableNotFoundError:
        return
    yield from opened.history(_LATEST)
