"""Whether the catalogue is what the tables are: there, readable, and of this lake.

A catalogue holds nothing that is not in the tables, so a new one mends whatever is wrong with it,
and a run builds that.

Belongs here: looking. Does not belong here: building it (`catalogue`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.tables.table import Table

_LITERAL = re.compile(r"'((?:[^']|'')*)'")


@dataclass(frozen=True)
class CatalogueProblem:
    """What is wrong with a catalogue.

    Attributes:
        words: for people.
        is_of_another_lake: whether it names files that are not this lake's. Its versions may be
            this lake's all the same, so a run would leave it as it is.
    """

    words: str
    is_of_another_lake: bool = False


def catalogue_problem(
    path: Path, lake: Lake, copied: Sequence[Table], viewed: Sequence[Table], copies: Path
) -> CatalogueProblem | None:
    """What is wrong with a catalogue; None when nothing is.

    Args:
        path: the DuckDB file.
        lake: the tables that it is of.
        copied: tables that it has rows of.
        viewed: tables whose files its views name.
        copies: where copies of files of an object store lie.
    """
    if not path.exists():
        return CatalogueProblem("there is none")
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            versions = dict(
                connection.execute(
                    "SELECT layer || '/' || name, version FROM meta.tables"
                ).fetchall()
            )
            views = dict(
                connection.execute(
                    "SELECT schema_name || '/' || view_name, sql FROM duckdb_views()"
                    " WHERE NOT internal"
                ).fetchall()
            )
            for table in copied:
                connection.execute(f'SELECT count(*) FROM "{table.layer}"."{table.name}"')  # noqa: S608
    except duckdb.Error as error:
        return CatalogueProblem(f"it cannot be read: {str(error).splitlines()[0]}")
    for table in (*copied, *viewed):
        version = lake.snapshot(table).version
        if versions.get(table.path) != version:
            known = versions.get(table.path)
            return CatalogueProblem(f"it has {table.path} of version {known}, not {version}")
    for table in viewed:
        if strange := _strange_file(views.get(table.path), lake, table, copies):
            words = f"its view silver.{table.name} reads {strange}, which is not of this lake"
            return CatalogueProblem(words, is_of_another_lake=True)
    return None


def reads_files_of(lake: Lake, views: Iterable[str], copies: Path) -> bool:
    """Whether the files that a catalogue's views name lie where this lake's do.

    They do not when the data folder was moved or copied.

    Args:
        lake: whose files they should be.
        views: the SQL of the views.
        copies: where copies of files of an object store lie.
    """
    root = f"{Path(lake.root).absolute() if lake.is_local else copies.absolute()}/"
    named = (text.replace("''", "'") for sql in views for text in _LITERAL.findall(sql))
    return all(name.startswith(root) for name in named if name.endswith(".parquet"))


def _strange_file(sql: str | None, lake: Lake, table: Table, copies: Path) -> str | None:
    """A file that a view names and that is not one of the table's, or is not there."""
    snapshot = lake.snapshot(table)
    if sql is None:
        return "nothing" if snapshot.rows else None
    named = {text.replace("''", "'") for text in _LITERAL.findall(sql)}
    files = {name for name in named if name.endswith(".parquet")}
    if lake.is_local:
        return next(iter(sorted(files - set(snapshot.file_uris))), None)
    root = str(copies.absolute())
    return next((f for f in sorted(files) if not f.startswith(root) or not Path(f).exists()), None)
