"""Forcing a commit to disk: what has been acknowledged survives a power cut.

delta-rs writes files and renames them, and calls fsync nowhere (apache/arrow-rs-object-store#661).
After kill -9 that is enough; after a power cut the file system may have kept the name of a file and
lost its content. So on local disks a commit counts only when it has been forced: first the data,
then the log entry, then the folders that name them. Whatever a power cut leaves of a commit that
was not acknowledged lies at the end of the log, where `doctor` finds it.

Belongs here: fsync and its order. Does not belong here: repairing (`doctor`).
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

LOG = "_delta_log"


def fsync_commit(table: Path, version: int, top: Path) -> None:
    """Force one commit of a table and everything that it added.

    Args:
        table: folder of the table.
        version: the commit.
        top: the folder below which the table's folder may be new; forced too.
    """
    data = [table / path for path in added(entry_of(table, version))]
    log = table / LOG
    checkpoint = [log / f"{version:020}.checkpoint.parquet", log / "_last_checkpoint"]
    for file in (*data, entry_of(table, version), *(file for file in checkpoint if file.exists())):
        fsync_path(file)
    for folder in sorted({*_folders(data, table), log, *_upwards(table, top)}, reverse=True):
        fsync_path(folder)


def fsync_path(path: Path) -> None:
    """Force a file, or the names in a folder."""
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def entry_of(table: Path, version: int) -> Path:
    """The log entry of a commit."""
    return table / LOG / f"{version:020}.json"


def added(entry: Path) -> list[str]:
    """The files that a log entry adds, as paths below the table."""
    return added_in(entry.read_text(encoding="utf-8"))


def added_in(text: str) -> list[str]:
    """The files that the text of a log entry adds, as paths below the table."""
    return [unquote(action["path"]) for action in _actions_in(text, "add", "cdc")]


def actions(entry: Path, *kinds: str) -> Iterator[dict[str, Any]]:
    """The actions of some kinds in a log entry.

    Raises:
        ValueError: the entry is torn.
    """
    return _actions_in(entry.read_text(encoding="utf-8"), *kinds)


def _actions_in(text: str, *kinds: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        for kind, action in json.loads(line).items():
            if kind in kinds:
                yield action


def _folders(files: list[Path], table: Path) -> set[Path]:
    return {folder for file in files for folder in _upwards(file.parent, table)}


def _upwards(folder: Path, top: Path) -> Iterator[Path]:
    """The folder and those above it, up to `top`."""
    while folder != top and top in folder.parents:
        yield folder
        folder = folder.parent
    yield top
