"""What a power cut can leave at the end of a table's log, and mending it.

A commit is acknowledged after it has been forced to disk (`fsync`), and the next one is written
after that. So only the last commit of a table can be torn, it was not acknowledged, and taking
it back loses nothing: what it should have said is still due, and the next run does it again.

A torn entry need not be unreadable: one that ends after a whole line opens as a commit that lacks
the rest. So each commit says how many transactions it has, and these stand last in its entry.

Belongs here: finding and taking back torn commits of local tables, and finding lost files. Does not
belong here: what has to be done again (`pipeline.recovery`).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from bridge_cart_assets.lake.commits import TRANSACTIONS
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.fsync import LOG, entry_of, fsync_path
from bridge_cart_assets.lake.snapshot import DamagedTableError
from bridge_cart_assets.tables.table import Table

TORN = "_torn"
_MAGIC = b"PAR1"


@dataclass(frozen=True)
class Damage:
    """Something that is wrong with a table.

    Attributes:
        table: its path.
        problem: what is wrong.
        mended: whether it is no longer.
        remedy: what somebody should do; empty when nothing.
    """

    table: str
    problem: str
    mended: bool
    remedy: str = ""


def refuse_torn(lake: Lake, tables: Iterable[Table]) -> None:
    """Refuse a lake in which a last commit is torn; looks at one log entry of each table.

    Raises:
        DamagedTableError: there is one.
    """
    for table, folder in _local(lake, tables):
        last = _last_version(folder)
        problem = None if last is None else _wrong_with(folder, last)
        if problem:
            raise DamagedTableError(
                f"{table.path}: commit {last} is torn ({problem}), as a power cut can leave it\n"
                "bridge-cart doctor takes it back; nothing that was reported done is lost"
            )


def heal(lake: Lake, tables: Iterable[Table]) -> list[Damage]:
    """Take back torn commits, remove torn checkpoints, and look for files that are gone."""
    return [
        finding
        for table, folder in _local(lake, tables)
        for finding in (
            *_take_back(table, folder),
            *_drop_checkpoints(table, folder),
            *_lost(table, folder),
        )
    ]


def _local(lake: Lake, tables: Iterable[Table]) -> Iterator[tuple[Table, Path]]:
    """The tables in folders of this machine that have a log; stores keep what they acknowledge."""
    for table in tables if lake.is_local else ():
        folder = Path(lake.uri(table))
        if (folder / LOG).is_dir():
            yield table, folder


def _take_back(table: Table, folder: Path) -> Iterator[Damage]:
    last = _last_version(folder)
    while last is not None and (problem := _wrong_with(folder, last)):
        aside = folder / LOG / TORN
        aside.mkdir(exist_ok=True)
        entry_of(folder, last).rename(aside / entry_of(folder, last).name)
        _checkpoint_of(folder, last).unlink(missing_ok=True)
        fsync_path(aside)
        fsync_path(folder / LOG)
        yield Damage(table.path, f"commit {last} was torn ({problem}): taken back", mended=True)
        last = _last_version(folder)


def _drop_checkpoints(table: Table, folder: Path) -> Iterator[Damage]:
    """A checkpoint repeats what the entries say; without it they are read."""
    log = folder / LOG
    for checkpoint in sorted(log.glob("*.checkpoint.parquet")):
        if not _is_parquet(checkpoint):
            checkpoint.unlink()
            yield Damage(table.path, f"{checkpoint.name} was torn: removed", mended=True)
    pointer = log / "_last_checkpoint"
    if pointer.exists():
        try:
            version = json.loads(pointer.read_text())["version"]
            is_there = _checkpoint_of(folder, version).exists()
        except (ValueError, KeyError, TypeError):
            is_there = False
        if not is_there:
            pointer.unlink()
            fsync_path(log)
            yield Damage(table.path, "_last_checkpoint led nowhere: removed", mended=True)


def _lost(table: Table, folder: Path) -> Iterator[Damage]:
    """Files of the current version that are gone or cut short: no power cut explains that."""
    remedy = (
        "restore it from a backup, or move the table away and land its files again"
        if table.layer == "raw"
        else "move the table away, then bridge-cart rebuild"
    )
    if _last_version(folder) is None:
        return
    try:
        live = DeltaTable(folder).get_add_actions(flatten=True)
    except DeltaError as error:
        problem = f"cannot be opened: {str(error).splitlines()[0]}"
        yield Damage(table.path, problem, mended=False, remedy=remedy)
        return
    for path, size in zip(live["path"].to_pylist(), live["size_bytes"].to_pylist(), strict=True):
        wrong = _wrong_with_file(folder / unquote(path), size)
        if wrong:
            yield Damage(table.path, wrong, mended=False, remedy=remedy)


def _last_version(folder: Path) -> int | None:
    entries = (folder / LOG).glob("[0-9]*.json")
    return max((int(entry.stem) for entry in entries if entry.stem.isdigit()), default=None)


def _wrong_with(folder: Path, version: int) -> str | None:
    """What is wrong with a commit: its entry, or a file that it adds; None when nothing is."""
    try:
        text = entry_of(folder, version).read_text(encoding="utf-8")
        actions = [json.loads(line) for line in text.splitlines()]
    except ValueError:
        return "its entry is cut off"
    kinds = [kind for action in actions for kind in action]
    commit_info: dict[str, str] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
    recorded = commit_info.get(TRANSACTIONS)
    is_whole = {"protocol", "metaData"} <= set(kinds) if version == 0 else bool(kinds)
    if not is_whole or (recorded is not None and kinds.count("txn") != int(recorded)):
        return "its entry lacks its end"
    added = [a[kind] for a in actions for kind in ("add", "cdc") if kind in a]
    wrong = (_wrong_with_file(folder / unquote(add["path"]), add["size"]) for add in added)
    return next(filter(None, wrong), None)


def _wrong_with_file(file: Path, size: int) -> str | None:
    if not file.exists():
        return f"{file.name} is gone"
    return None if file.stat().st_size == size and _is_parquet(file) else f"{file.name} is cut off"


def _is_parquet(file: Path) -> bool:
    with file.open("rb") as opened:
        begin = opened.read(4)
        opened.seek(max(file.stat().st_size - 4, 0))
        return begin == opened.read(4) == _MAGIC


def _checkpoint_of(folder: Path, version: int) -> Path:
    return folder / LOG / f"{version:020}.checkpoint.parquet"
