"""The earlier states of the whole lake: which there were, who left them, which can be restored.

A state is what the lake was at a moment: of each table the latest version that was there. Any
moment is one, as after a kill at that moment, which the next run heals. The ends of runs are those
that people mean. They are read from the commits, which say when they were made and by which run, so
nothing has to be kept for it. The version of a state is the id of the run that left it.

Belongs here: finding states. Does not belong here: going back to one (`restoring`), or words for
people (`terminal.states`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

import polars as pl

from bridge_cart_assets.lake.commit_notes import RESTORED_TO
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.past_versions import PastCommit, TableLog
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.ops import ERASED
from bridge_cart_assets.tables.table import Table

_RUN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# What verbs other than runs have done, in words. What they write to raw are no new records.
VERBS = {
    "erase": "persons erased",
    "retract": "a landed file taken back",
    "migrate": "brought up to date with a later version",
    "rebuild": "silver and gold emptied for a rebuild",
    "doctor": "mended by doctor",
}
_SHORT = 8
_AT_ONCE = 8


class UnknownStateError(RuntimeError):
    """No state, or more than one, has the version that was named."""


class RestoreRefusedError(RuntimeError):
    """The lake cannot go back to a moment, and nothing was changed; the message says why."""


@dataclass(frozen=True)
class LakeState:
    """What the lake was when a run, or a verb, had made its last commit.

    Attributes:
        at: the moment of that commit.
        author: the id of the run; of other verbs their name.
        records: records that came into raw, by source.
        files: how many landed files they are of.
        days: the first and the last of their batch days; None when there are none.
        tables: how many tables were changed.
        is_upkeep: whether files were put together, and no row was changed.
        restored_to: of a restore the moment that it went back to.
    """

    at: datetime
    author: str
    records: Mapping[str, int]
    files: int
    days: tuple[str, str] | None
    tables: int
    is_upkeep: bool
    restored_to: datetime | None

    @property
    def version(self) -> str | None:
        """By what people name it: the beginning of the run's id; None without a run."""
        return self.author[:_SHORT] if _RUN_ID.fullmatch(self.author) else None


@dataclass(frozen=True)
class Earliest:
    """The first moment that the lake can go back to.

    Attributes:
        at: the moment.
        why: what has gone before it.
    """

    at: datetime
    why: str


def table_logs(
    lake: Lake, tables: Iterable[Table] = STORED_TABLES, *, with_commits: bool = True
) -> dict[str, TableLog]:
    """The logs of the tables that are there, by path.

    Args:
        lake: the tables.
        tables: which of them.
        with_commits: whether all commits are read, which takes a long log some time; without, only
            what is asked for.
    """

    def read(table: Table) -> tuple[str, TableLog | None]:
        files = lake.files(table)
        if not files.versions():
            return table.path, None
        log = TableLog(files, lake.uri(table), lake.storage_options)
        if with_commits:
            # Read here, where those of a store wait side by side.
            assert log.commits  # noqa: S101
        return table.path, log

    with ThreadPoolExecutor(1 if lake.is_local else _AT_ONCE) as pool:
        return {path: log for path, log in pool.map(read, tables) if log is not None}


def lake_states(logs: Mapping[str, TableLog]) -> list[LakeState]:
    """The states that runs and other verbs have left, the earliest first."""
    commits = [(path, commit) for path, log in logs.items() for commit in log.commits]
    by_hand = [(path, commit) for path, commit in commits if commit.run_id is not None]
    by_hand.sort(key=lambda pair: pair[1].committed_at)
    blocks = groupby(by_hand, key=lambda pair: pair[1].run_id)
    return [_state(str(author), list(block)) for author, block in blocks]


def named_state(states: Sequence[LakeState], version: str) -> LakeState:
    """The state that a run left, by the beginning of the run's id.

    Raises:
        UnknownStateError: there is none, or the beginnings of several are equal.
    """
    matching = [s for s in states if s.version is not None and s.author.startswith(version)]
    authors = {state.author for state in matching}
    if not matching or not version:
        raise UnknownStateError(
            f"no run that the lake remembers is called {version!r}\n"
            "bridge-cart restore --list shows the states and their versions"
        )
    if len(authors) > 1:
        raise UnknownStateError(
            f"{len(authors)} runs begin with {version!r}\nname more of its id: "
            f"{', '.join(sorted(authors)[:2])}"
        )
    return matching[-1]


def earliest_state(lake: Lake, logs: Mapping[str, TableLog]) -> Earliest | None:
    """The first moment that all tables can go back to; None for an empty lake.

    A restore never brings an erased person back, so no moment before the last erasure is one.
    """
    if not logs:
        return None
    first = min(log.commits[0].committed_at for log in logs.values())
    found = [Earliest(first, "the lake begins there")]
    for path, log in logs.items():
        if log.earliest.version > 0:
            at = log.earliest.committed_at
            found.append(Earliest(at, f"earlier files of {path} have been removed"))
    erased_at: datetime | None = (
        lake.snapshot(ERASED).scan().select(pl.max("erased_at")).collect().item()
    )
    if erased_at is not None:
        at = erased_at.replace(tzinfo=UTC)
        found.append(Earliest(at, "persons were erased, and a restore does not bring them back"))
    return max(found, key=lambda one: one.at)


def _state(author: str, block: Sequence[tuple[str, PastCommit]]) -> LakeState:
    raw = {source.raw.path: source.name for source in SOURCES}
    records: dict[str, int] = {}
    days: set[str] = set()
    files = 0
    for path, commit in block:
        if path in raw and author not in VERBS and RESTORED_TO not in commit.notes:
            files += sum(name.startswith("file:") for name in commit.transactions)
            if commit.rows:
                records[raw[path]] = records.get(raw[path], 0) + commit.rows
                days |= commit.partitions
    restored = next((c.notes[RESTORED_TO] for _, c in block if RESTORED_TO in c.notes), None)
    return LakeState(
        at=block[-1][1].committed_at,
        author=author,
        records=records,
        files=files,
        days=(min(days), max(days)) if days else None,
        tables=len({path for path, _ in block}),
        is_upkeep=all(commit.is_rearranging for _, commit in block),
        restored_to=datetime.fromisoformat(restored) if restored else None,
    )
