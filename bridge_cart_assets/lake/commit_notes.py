"""What the latest commits of a table have written down beside their rows.

Belongs here: reading a commit's metadata. Does not belong here: writing them (`commits`), or the
transactions, which hold for a version and not for a commit (`transactions`).

Opening a table costs ten times as much as reading the end of its log, so the entries themselves
are read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.table_files import read_entry
from bridge_cart_assets.tables.table import Table

# A note: the moment that a commit has brought the table back to.
RESTORED_TO = "restored_to"
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
    """The latest commit of a table that has a note of this name; None when there is none.

    What was committed before the table was brought back to an earlier version is undone.
    """
    files = lake.files(table)
    for version in reversed(files.versions()[-_LATEST:]):
        lines = read_entry(files, version).splitlines()
        infos = (json.loads(ln)["commitInfo"] for ln in lines if ln.startswith(_BEGIN))
        commit: dict[str, Any] = next(infos, {})
        written = {
            key.removeprefix(_PREFIX): value
            for key, value in commit.items()
            if key.startswith(_PREFIX)
        }
        if RESTORED_TO in written:
            return None
        if name in written:
            at = datetime.fromtimestamp(commit["timestamp"] / 1000, tz=UTC)
            return CommitNotes(written["run_id"], at, written)
    return None
