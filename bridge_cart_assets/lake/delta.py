"""The lake: where all Delta tables lie, and the door to each of them."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from bridge_cart_assets.lake.delta_schema import renew_table, stored_columns
from bridge_cart_assets.lake.open_tables import open_tables
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.lake.table_files import TableFiles, table_files
from bridge_cart_assets.object_store import is_uri
from bridge_cart_assets.tables.table import Table

# Questions to a store that wait for their answers side by side.
_AT_ONCE = 8


@dataclass(frozen=True)
class Lake:
    """The folder or bucket below which all tables lie.

    Attributes:
        root: a folder or an object-store URI.
        options: options of the object store, in the spelling of its usual variables.
    """

    root: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether the tables lie in a folder of this machine."""
        return not is_uri(self.root)

    @property
    def storage_options(self) -> dict[str, str] | None:
        """The options as the libraries take them; none in a folder."""
        return None if self.is_local else dict(self.options)

    def uri(self, table: Table) -> str:
        """Where a table lies."""
        return f"{self.root}/{table.path}"

    def snapshot(self, table: Table) -> Snapshot:
        """The table as it is now.

        Raises:
            SchemaMismatchError: the stored table has other columns than were declared.
        """
        options = self.storage_options
        opened = open_tables(self.root, tuple((options or {}).items()))
        return Snapshot(table, self.root, options, opened)

    def snapshots(self, tables: Iterable[Table]) -> list[Snapshot]:
        """Several tables as they are now; those of a store are asked for at the same time."""
        if self.is_local:
            return [self.snapshot(table) for table in tables]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(self.snapshot, tables))

    def files(self, table: Table) -> TableFiles:
        """The files of a table, by name."""
        return table_files(self.root, table.path, self.storage_options)

    def renew(self, table: Table) -> bool:
        """Empty a table that an earlier version wrote with other columns; whether it was one."""
        return renew_table(table, self.uri(table), self.storage_options)

    def stored_columns(self, table: Table) -> frozenset[str]:
        """The columns of a stored table, whatever is declared; none when there is no such table."""
        return stored_columns(table, self.uri(table), self.storage_options)
