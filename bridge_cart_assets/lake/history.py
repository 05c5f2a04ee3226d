"""Forgetting what a table has been: its earlier versions, and all that they alone refer to.

A row that was deleted lives on: in the files of earlier versions, in change data, in the smallest
and largest values that log entries have of each file, and in files that a killed writer has left.
What must not live on is taken away here, and the version stays what it is, so that whatever has
followed the table up to it goes on from there.

The order makes a crash harmless: first a checkpoint says all that the entries have said, then the
last entry loses what it says of files that are gone, then earlier entries go, then files. It may
not run beside another writer of the table: files that are about to be committed look like those
that a killed writer has left.

Belongs here: one table. Does not belong here: which tables, and keeping others out (`pipeline`).
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from deltalake import DeltaTable

from bridge_cart_assets.lake.fsync import LOG, entry_of, fsync_path

_OF_FILES_THAT_ARE_GONE = ("cdc", "remove")


def forget_history(handle: DeltaTable, folder: Path) -> int:
    """Forget all but the current version of a table in a folder of this machine.

    Args:
        handle: the table, open at its latest version.
        folder: where it lies.

    Returns:
        How many files were removed, log entries included.
    """
    version = handle.version()
    log = folder / LOG
    handle.create_checkpoint()
    for file in log.iterdir():
        if file.is_file():
            fsync_path(file)
    fsync_path(log)
    shorten_entry(entry_of(folder, version))
    live = {unquote(str(path)) for path in handle.get_add_actions(flatten=True)["path"].to_pylist()}
    superfluous = [*_earlier(log, version), *_not_live(folder, live)]
    for file in superfluous:
        file.unlink(missing_ok=True)
    for below in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        if below != log and not any(below.iterdir()):
            below.rmdir()
    shutil.rmtree(log / "_torn", ignore_errors=True)
    fsync_path(log)
    return len(superfluous)


def shorten_entry(entry: Path) -> None:
    """Take out of a log entry what it says of files that are gone; the checkpoint has the rest.

    It is another file then in any case, so whoever has the table open opens it again
    (`open_tables`): what was opened goes on reading entries that are about to go.
    """
    lines = entry.read_text(encoding="utf-8").splitlines()
    left = [ln for ln in lines if not json.loads(ln).keys() & set(_OF_FILES_THAT_ARE_GONE)]
    beside = entry.with_name(f".{entry.name}.short")
    beside.write_text("\n".join(left), encoding="utf-8")
    fsync_path(beside)
    os.replace(beside, entry)
    fsync_path(entry.parent)


def _earlier(log: Path, version: int) -> Iterator[Path]:
    """What is in a table's log beside the current version."""
    stem = f"{version:020}"
    for file in log.iterdir():
        is_current = file.name.startswith(stem) or file.name == "_last_checkpoint"
        if file.is_file() and not is_current:
            yield file


def _not_live(folder: Path, live: set[str]) -> Iterator[Path]:
    """The files below a table's folder that its current version does not have."""
    for file in folder.rglob("*"):
        path = file.relative_to(folder)
        is_of_the_log = path.parts[0] == LOG
        if file.is_file() and not is_of_the_log and path.as_posix() not in live:
            yield file
