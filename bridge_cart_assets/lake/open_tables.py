"""Tables that were opened for reading, for as long as nothing is committed to them.

To open a table reads its log, a millisecond or more, and one run asks for its 33 tables three
hundred times. Two looks at the log's folder tell whether a table is still what it was.

Belongs here: when a table need not be opened again. Does not belong here: what is read from it, or
writing, for which a snapshot opens a handle of its own (`snapshot`).
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from deltalake import DeltaTable

from bridge_cart_assets.lake.fsync import entry_of
from bridge_cart_assets.tables.table import Table

# A process has one lake; tests have one each.
_LAKES = 4

_Stamp = tuple[int, int, int]


@lru_cache(maxsize=_LAKES)
def open_tables(root: str) -> "OpenTables":
    """The tables that this process has opened below a root."""
    return OpenTables()


@dataclass(frozen=True)
class OpenTable:
    """An opened table; its handle is for reading only.

    Attributes:
        table: the declaration that it was opened by.
        handle: one version of it.
        absent_columns: the declared columns that it lacks.
    """

    table: Table
    handle: DeltaTable
    absent_columns: tuple[str, ...]


class OpenTables:
    """The tables of a local lake that were opened last."""

    def __init__(self) -> None:
        self._opened: dict[Path, tuple[OpenTable, int, _Stamp]] = {}

    def current(self, folder: Path, table: Table) -> OpenTable | None:
        """The table in a folder as it is now, if it is open already by the same declaration."""
        kept = self._opened.get(folder)
        if kept is None:
            return None
        opened, version, stamp = kept
        is_same = opened.table is table and _stamp(entry_of(folder, version)) == stamp
        if not is_same or entry_of(folder, version + 1).exists():
            self._opened.pop(folder, None)
            return None
        return opened

    def keep(self, folder: Path, opened: OpenTable) -> None:
        """Keep a table that was opened."""
        version = opened.handle.version()
        stamp = _stamp(entry_of(folder, version))
        if stamp is not None:
            self._opened[folder] = (opened, version, stamp)


def _stamp(entry: Path) -> _Stamp | None:
    """What tells that a commit is still the same one; None where its entry is gone."""
    try:
        info = os.stat(entry)
    except FileNotFoundError:
        return None
    return (info.st_ino, info.st_mtime_ns, info.st_size)
