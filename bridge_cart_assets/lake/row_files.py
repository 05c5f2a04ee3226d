"""Files of one version of a table, as something that another process can read.

Belongs here: which files they are, and how their rows are read. Does not belong here: versions and
commits (`snapshot`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from bridge_cart_assets.tables.table import Table


@dataclass(frozen=True)
class RowFiles:
    """Parquet files of a table.

    Attributes:
        table: the declaration.
        uris: where they lie.
        rows: how many rows each has, by the log.
        options: options of the object store.
    """

    table: Table
    uris: tuple[str, ...]
    rows: tuple[int, ...]
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def scan(self) -> pl.LazyFrame:
        """Their rows, with the declared columns in the declared order."""
        if not self.uris:
            return self.table.empty().lazy()
        partitions = {name: self.table.dtypes[name] for name in self.table.partition_by}
        return pl.scan_parquet(
            list(self.uris),
            hive_partitioning=bool(partitions),
            hive_schema=partitions or None,
            schema={n: t for n, t in self.table.dtypes.items() if n not in partitions},
            missing_columns="insert",
            storage_options=dict(self.options) or None,
        ).select(self.table.dtypes.keys())

    def groups(self, most_rows: int) -> "list[RowFiles]":
        """The same files in groups of about so many rows, as one process reads them."""
        groups: list[RowFiles] = []
        uris: list[str] = []
        rows: list[int] = []
        for uri, count in zip(self.uris, self.rows, strict=True):
            if uris and sum(rows) + count > most_rows:
                groups.append(RowFiles(self.table, tuple(uris), tuple(rows), self.options))
                uris, rows = [], []
            uris.append(uri)
            rows.append(count)
        if uris:
            groups.append(RowFiles(self.table, tuple(uris), tuple(rows), self.options))
        return groups
