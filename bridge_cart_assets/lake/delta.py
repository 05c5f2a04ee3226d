"""The lake: where all Delta tables lie, and the door to each of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge_cart_assets.lake.delta_schema import renew_table
from bridge_cart_assets.lake.open_tables import open_tables
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.tables.table import Table


@dataclass(frozen=True)
class Lake:
    """The folder or bucket below which all tables lie.

    Attributes:
        root: a folder or an object-store URI.
        options: options of the object store, in the spelling of its usual variables.
    """

    root: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        """Whether the tables lie in a folder of this machine."""
        return "://" not in self.root

    def uri(self, table: Table) -> str:
        """Where a table lies."""
        return f"{self.root}/{table.path}"

    def snapshot(self, table: Table) -> Snapshot:
        """The table as it is now.

        Raises:
            SchemaMismatchError: the stored table has other columns than were declared.
        """
        return Snapshot(table, self.root, dict(self.options) or None, open_tables(self.root))

    def renew(self, table: Table) -> bool:
        """Empty a table that an earlier version wrote with other columns; whether it was one."""
        return renew_table(table, self.uri(table), dict(self.options) or None)
