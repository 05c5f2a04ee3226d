"""What a power cut can leave at the end of a table's log, and mending it.

A commit is acknowledged after it has been forced to disk (`fsync`), and the next one is written
after that. So only the last commit of a table can be torn, it was not acknowledged, and taking
it back loses nothing: what it should have said is still due, and the next run does it again.

A torn entry need not be unreadable: one that ends after a whole line opens as a commit that lacks
the rest. So each commit says how many transactions it has, and these stand last in its entry.

A store writes an entry whole or not at all, and a commit there is not torn by a power cut. But the
copy of a lake that was cut off has entries whose files are missing; these are found and taken back
in the same way.

Belongs here: finding and taking back torn commits, and finding lost files. Does not
belong here: what has to be done again (`pipeline.recovery`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from bridge_cart_assets.lake.commits import TRANSACTIONS
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.fsync import LOG
from bridge_cart_assets.lake.snapshot import DamagedTableError
from bridge_cart_assets.lake.table_files import TableFiles, checkpoint_of, read_entry
from bridge_cart_assets.tables.table import Table

_POINTER = f"{LOG}/_last_checkpoint"


@dataclass(frozen=True)
class Damage:
    """Something that is wrong with a table.

    Attributes:
        table: its path.
        problem: what is wrong.
        mended: whether it is no longer.
        remedy: what somebody should do; empty when nothing.
        is_due: whether the next run mends it.
    """

    table: str
    problem: str
    mended: bool
    remedy: str = ""
    is_due: bool = False


def refuse_torn(lake: Lake, tables: Iterable[Table]) -> None:
    """Refuse a lake in which a last commit is torn; looks at one log entry of each table.

    In a store there is nothing to look for: see above, and docs/reliability.md.

    Raises:
        DamagedTableError: there is one.
    """
    for table, files in _stored(lake, tables) if lake.is_local else ():
        last = _last_version(files)
        problem = None if last is None else _wrong_with(files, last)
        if problem:
            raise DamagedTableError(
                f"{table.path}: commit {last} is torn ({problem}), as a power cut can leave it\n"
                "bridge-cart doctor takes it back; nothing that was reported done is lost"
            )


def heal(lake: Lake, tables: Iterable[Table]) -> list[Damage]:
    """Take back torn commits, remove torn checkpoints, and look for files that are gone."""
    return [
        finding
        for table, files in _stored(lake, tables)
        for finding in (
            *_take_back(table, files),
            *_drop_checkpoints(table, files),
            *_lost(lake, table, files),
        )
    ]


def _stored(lake: Lake, tables: Iterable[Table]) -> Iterator[tuple[Table, TableFiles]]:
    """The tables that have a log, with their files."""
    for table in tables:
        files = lake.files(table)
        if files.has_log():
            yield table, files


def _take_back(table: Table, files: TableFiles) -> Iterator[Damage]:
    last = _last_version(files)
    while last is not None and (problem := _wrong_with(files, last)):
        files.set_aside(last)
        yield Damage(table.path, f"commit {last} was torn ({problem}): taken back", mended=True)
        last = _last_version(files)


def _drop_checkpoints(table: Table, files: TableFiles) -> Iterator[Damage]:
    """A checkpoint repeats what the entries say; without it they are read."""
    checkpoints = files.checkpoints()
    for checkpoint in checkpoints:
        if not files.is_parquet(f"{LOG}/{checkpoint}"):
            files.remove([f"{LOG}/{checkpoint}"])
            yield Damage(table.path, f"{checkpoint} was torn: removed", mended=True)
    try:
        pointer = files.read(_POINTER)
    except FileNotFoundError:
        return
    try:
        named = checkpoint_of(json.loads(pointer)["version"])
        is_there = bool(files.sizes([named]))
    except (ValueError, KeyError, TypeError):
        is_there = False
    if not is_there:
        files.remove([_POINTER])
        yield Damage(table.path, "_last_checkpoint led nowhere: removed", mended=True)


def _lost(lake: Lake, table: Table, files: TableFiles) -> Iterator[Damage]:
    """Files of the current version that are gone or cut short: no power cut explains that."""
    remedy = (
        "go back to a state without it (bridge-cart restore --list), put it back from a backup, or "
        "move the table away and land its files again"
        if table.layer == "raw"
        else "move the table away: it is written again"
        if table.layer == "ops"
        else "bridge-cart rebuild makes silver and gold again from raw"
    )
    if _last_version(files) is None:
        return
    try:
        opened = DeltaTable(lake.uri(table), storage_options=lake.storage_options)
    except DeltaError as error:
        problem = f"cannot be opened: {str(error).splitlines()[0]}"
        yield Damage(table.path, problem, mended=False, remedy=remedy)
        return
    live = opened.get_add_actions(flatten=True)
    paths = [unquote(path) for path in live["path"].to_pylist()]
    expected = dict(zip(paths, live["size_bytes"].to_pylist(), strict=True))
    for problem in _wrong_with_files(files, expected):
        yield Damage(table.path, problem, mended=False, remedy=remedy)


def _last_version(files: TableFiles) -> int | None:
    return max(files.versions(), default=None)


def _wrong_with(files: TableFiles, version: int) -> str | None:
    """What is wrong with a commit: its entry, or a file that it adds; None when nothing is."""
    try:
        actions = [json.loads(line) for line in read_entry(files, version).splitlines()]
    except ValueError:
        return "its entry is cut off"
    kinds = [kind for action in actions for kind in action]
    commit_info: dict[str, str] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
    recorded = commit_info.get(TRANSACTIONS)
    is_whole = {"protocol", "metaData"} <= set(kinds) if version == 0 else bool(kinds)
    if not is_whole or (recorded is not None and kinds.count("txn") != int(recorded)):
        return "its entry lacks its end"
    added = [a[kind] for a in actions for kind in ("add", "cdc") if kind in a]
    expected = {unquote(add["path"]): int(add["size"]) for add in added}
    return next(_wrong_with_files(files, expected), None)


def _wrong_with_files(files: TableFiles, expected: Mapping[str, int]) -> Iterator[str]:
    """What is wrong with files, given the sizes that they should have."""
    sizes = files.sizes(expected)
    for path, size in expected.items():
        name = path.rpartition("/")[2]
        if path not in sizes:
            yield f"{name} is gone"
        elif sizes[path] != size or not files.is_parquet(path):
            yield f"{name} is cut off"
