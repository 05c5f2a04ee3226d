"""Which files below a table's folder no version needs any longer, and removing them.

Belongs here: the files of one table. Does not belong here: when that is done (`maintenance`).
"""

import math
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

from deltalake import DeltaTable

from bridge_cart_assets.lake import staging
from bridge_cart_assets.lake.fsync import added, entry_of

# How long Delta remembers that a file was removed. What was removed earlier looks like what was
# never committed.
TOMBSTONE_RETENTION = timedelta(days=7)
# A file younger than that may belong to a commit that is still being written.
_LONGEST_WRITE = timedelta(days=1)


def files_to_remove(
    handle: DeltaTable,
    folder: Path | None,
    keep: timedelta,
    spared: list[int] | None,
) -> list[str]:
    """The files that `remove_files` would remove, as paths below the table.

    Args:
        handle: the table, open at its latest version.
        folder: where it lies; None in an object store.
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
    paths = set(_vacuum(handle, keep, spared, dry_run=True))
    if folder is not None:
        version = handle.version()
        entries = [entry_of(folder, v) for v in (version - 1, version)]
        paths -= {path for entry in entries if entry.exists() for path in added(entry)}
    return sorted(paths)


def remove_files(
    handle: DeltaTable,
    folder: Path | None,
    keep: timedelta,
    spared: list[int] | None,
) -> list[str]:
    """Remove what `files_to_remove` names.

    In a folder of this machine the files are removed one by one: delta-rs' own removal makes two
    commits more, by which the catalogue would be behind.
    """
    paths = files_to_remove(handle, folder, keep, spared)
    if folder is None:
        list(_vacuum(handle, keep, spared, dry_run=False))
        return paths
    for path in paths:
        file = folder / path
        file.unlink(missing_ok=True)
        _remove_empty(file.parent, folder)
    return paths


def _vacuum(
    handle: DeltaTable, keep: timedelta, spared: list[int] | None, *, dry_run: bool
) -> Iterator[str]:
    """What the log has as removed, and then (`full`) what it does not know at all."""
    for age, full in ((keep, False), (max(keep, _LONGEST_WRITE), True)):
        paths = handle.vacuum(
            retention_hours=math.ceil(age / timedelta(hours=1)),
            dry_run=dry_run,
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
