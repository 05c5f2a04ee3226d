"""Which files below a table's folder no version needs any longer, and removing them.

Belongs here: the files of one table. Does not belong here: when that is done (`maintenance`).
"""

import math
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

from deltalake import DeltaTable

from bridge_cart_assets.lake import staging
from bridge_cart_assets.lake.fsync import added_in
from bridge_cart_assets.lake.table_files import FolderFiles, TableFiles, read_entry

# How long Delta remembers that a file was removed. What was removed earlier looks like what was
# never committed.
TOMBSTONE_RETENTION = timedelta(days=7)
# A file younger than that may belong to a commit that is still being written.
LONGEST_WRITE = timedelta(days=1)


def files_to_remove(
    handle: DeltaTable,
    files: TableFiles,
    keep: timedelta,
    spared: list[int] | None,
) -> list[str]:
    """The files that `remove_files` would remove, as paths below the table.

    Args:
        handle: the table, open at its latest version.
        files: the files below it.
        keep: for how long the versions before can still be read.
        spared: versions whose files stay whatever their age.

    Raises:
        ValueError: `keep` is longer than Delta remembers what it removed.
    """
    if keep > TOMBSTONE_RETENTION:
        raise ValueError(
            f"keep is {keep}: what was removed {TOMBSTONE_RETENTION.days} days ago is "
            f"forgotten, and then goes; name {TOMBSTONE_RETENTION.days} days at most"
        )
    paths = set(_vacuum(handle, keep, spared))
    version = handle.version()
    for latest in (version - 1, version):
        with suppress(FileNotFoundError):
            paths -= set(added_in(read_entry(files, latest)))
    return sorted(paths)


def remove_files(
    handle: DeltaTable,
    files: TableFiles,
    keep: timedelta,
    spared: list[int] | None,
) -> list[str]:
    """Remove what `files_to_remove` names.

    delta-rs' own removal makes two commits more, by which the catalogue would be behind.
    """
    paths = files_to_remove(handle, files, keep, spared)
    files.remove(paths)
    if isinstance(files, FolderFiles):
        for path in paths:
            _remove_empty((files.folder / path).parent, files.folder)
    return paths


def _vacuum(handle: DeltaTable, keep: timedelta, spared: list[int] | None) -> Iterator[str]:
    """What the log has as removed, and then (`full`) what it does not know at all."""
    for age, full in ((keep, False), (max(keep, LONGEST_WRITE), True)):
        paths = handle.vacuum(
            retention_hours=math.ceil(age / timedelta(hours=1)),
            dry_run=True,
            enforce_retention_duration=False,
            full=full,
            keep_versions=spared,
        )
        yield from map(unquote, paths)


def _remove_empty(folder: Path, table: Path) -> None:
    """Remove the folder of staged files when all are gone; other writes use folders that stay."""
    while folder != table and folder.relative_to(table).parts[0].startswith(staging.FOLDERS):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
