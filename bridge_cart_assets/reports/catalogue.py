"""The DuckDB catalogue file, opened read-only for the length of one answer.

Belongs here: opening, asking, and saying why that is not possible. Does not belong here: what is
asked (see `queries`).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb

from bridge_cart_assets.tables.gold import TABLES
from bridge_cart_assets.tables.table import Table

T = TypeVar("T")

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 2,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


class NoCatalogueError(RuntimeError):
    """There is no catalogue file: nothing has been run yet."""


class UnreadableCatalogueError(RuntimeError):
    """The catalogue file is there but cannot be read; the message says why."""


@dataclass(frozen=True)
class Catalogue:
    """An open catalogue."""

    connection: duckdb.DuckDBPyConnection

    def ask(
        self, make: Callable[..., T], sql: str, parameters: Mapping[str, object] | None = None
    ) -> list[T]:
        """Run a query and make one object of each row, columns in order."""
        rows = self.connection.execute(sql, dict(parameters or {})).fetchall()
        return [make(*row) for row in rows]

    def gold_tables(self) -> tuple[Table, ...]:
        """The declared gold tables that this catalogue has."""
        there = self.ask(str, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'gold'")
        return tuple(table for table in TABLES if table.name in there)


@contextmanager
def open_catalogue(path: Path) -> Iterator[Catalogue]:
    """Open the catalogue that is there now.

    The file is attached to a database in memory of its own: DuckDB shares one instance among all
    connections to a path, which would go on showing a file that has been replaced since.

    Raises:
        NoCatalogueError: the file does not exist.
        UnreadableCatalogueError: DuckDB cannot open it, or it is not what this version expects.
    """
    if not path.is_file():
        raise NoCatalogueError(f"{path} does not exist")
    try:
        with duckdb.connect(":memory:", config=_CONFIG) as connection:
            quoted = str(path).replace("'", "''")
            connection.execute(f"ATTACH '{quoted}' AS catalogue (READ_ONLY)")
            connection.execute("USE catalogue")
            connection.execute("SET enable_external_access = false")
            yield Catalogue(connection)
    except duckdb.Error as error:
        raise UnreadableCatalogueError(str(error).splitlines()[0]) from error
