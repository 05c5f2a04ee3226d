"""Tables that were opened for reading, for as long as nothing is committed to them.

To open a table reads its log, a millisecond or more, in a store twenty requests, and one run asks
for its 33 tables three hundred times. Two looks at the log's folder, or one listing of the end of
the log in a store, tell whether a table is still what it was.

Belongs here: when a table need not be opened again. Does not belong here: what is read from it, or
writing, for which a snapshot opens a handle of its own (`snapshot`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from deltalake import DeltaTable

from bridge_cart_assets.lake.table_files import Stamp, TableFiles
from bridge_cart_assets.tables.table import Table

# A process has one lake; tests have one each.
_LAKES = 4


@lru_cache(maxsize=_LAKES)
def open_tables(root: str, options: tuple[tuple[str, str], ...] = ()) -> "OpenTables":
    """The tables that this process has opened below a root; of one store, by its options."""
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
    """The tables of a lake that were opened last."""

    def __init__(self) -> None:
        self._opened: dict[str, tuple[OpenTable, int, Stamp]] = {}
        self._transactions: dict[str, tuple[tuple[str, int], Mapping[str, int]]] = {}

    def current(self, files: TableFiles, table: Table) -> OpenTable | None:
        """A table as it is now, if it is open already by the same declaration."""
        kept = self._opened.get(table.path)
        if kept is None:
            return None
        opened, version, stamp = kept
        if opened.table is not table or files.stamp(version) != stamp:
            self._opened.pop(table.path, None)
            self._transactions.pop(table.path, None)
            return None
        return opened

    def transactions(self, table: Table, table_id: str, version: int) -> Mapping[str, int] | None:
        """All transactions of a version, if they have been read."""
        of_what, known = self._transactions.get(table.path, (None, {}))
        return known if of_what == (table_id, version) else None

    def remember(self, table: Table, table_id: str, version: int, known: Mapping[str, int]) -> None:
        """Keep the transactions of a version, instead of those of an earlier one."""
        self._transactions[table.path] = ((table_id, version), known)

    def keep(self, files: TableFiles, opened: OpenTable) -> None:
        """Keep a table that was opened."""
        version = opened.handle.version()
        stamp = files.stamp(version)
        if stamp is not None:
            self._opened[opened.table.path] = (opened, version, stamp)
