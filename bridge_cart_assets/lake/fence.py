"""The catalogue behind a fence: its tables, the files that its views name, and nothing else.

Belongs here: what a connection that answers other people's questions may do. Does not belong here:
what is asked (`query`, the report page).

DuckDB reads every file that the process may read, `/proc/self/environ` too, fetches extensions that
a question names, and takes most of the memory. None of that is needed to answer a question.
"""

import re
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import duckdb

from bridge_cart_assets.leftovers import remove_with_process

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    # Else a name in a question may be a variable of this program.
    "python_enable_replacements": False,
}
# A variable of a connection: whether the views of silver show their personal columns.
UNMASKED = "bridge_cart_unmasked"
_LITERAL = re.compile(r"'((?:[^']|'')*)'")


def attach_fenced(
    path: Path,
    name: str,
    views: Collection[str] | None = None,
    config: Mapping[str, str | bool | int | float | list[str]] | None = None,
) -> duckdb.DuckDBPyConnection:
    """The catalogue, attached to a database in memory of its own.

    DuckDB shares one instance among all connections to a path, which would go on showing a file
    that has been replaced since.

    Args:
        path: the file.
        name: under which it is attached.
        views: views of silver whose files are read; all of them without.
        config: settings of DuckDB more.

    Raises:
        duckdb.Error: it cannot be opened.
    """
    connection = duckdb.connect(
        ":memory:", config={**_CONFIG, "temp_directory": _spill_folder(), **(config or {})}
    )
    try:
        connection.execute(f"ATTACH {literal(str(path))} AS {sql_name(name)} (READ_ONLY)")
        allowed = ", ".join(map(literal, _silver_files(connection, name, views)))
        connection.execute(f"SET allowed_paths = [{allowed}]")
        connection.execute("SET enable_external_access = false")
    except duckdb.Error:
        connection.close()
        raise
    return connection


@cache
def _spill_folder() -> str:
    """Where a question goes that sorts more than the memory holds; no other user can look into it.

    Left to itself DuckDB spills into the folder that people happen to be in.
    """
    folder = mkdtemp(prefix="bridge-cart-spill-")
    remove_with_process(Path(folder))
    return folder


def _silver_files(
    connection: duckdb.DuckDBPyConnection, name: str, views: Collection[str] | None
) -> list[str]:
    """The files of silver that the catalogue's views name: all that is opened besides it.

    None where the catalogue has no such view, as over a lake in an object store. A name with a
    pattern in it could stand for other files, so it is left out.
    """
    found = connection.execute(
        "SELECT view_name, sql FROM duckdb_views() WHERE database_name = $1 "
        "AND schema_name = 'silver' AND NOT internal",
        [name],
    ).fetchall()
    return [
        path
        for view, sql in found
        if views is None or view in views
        for path in (text.replace("''", "'") for text in _LITERAL.findall(sql))
        if re.search(rf"^[^*?\[]*/silver/{re.escape(view)}/[^*?\[]+\.parquet$", path)
    ]


def literal(text: str) -> str:
    """A text as it stands in SQL, for where it cannot be bound."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def sql_name(name: str) -> str:
    """A name as it stands in SQL."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
