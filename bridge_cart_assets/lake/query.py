"""Questions to the DuckDB catalogue, read-only.

Belongs here: what is a question and what would write. Does not belong here: how an answer looks.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

# A join on a range is called a MERGE too, and writes nothing.
_WRITING = re.compile(
    r'"name": "(?!PIECEWISE_MERGE_JOIN")'
    r'[A-Z_]*(COPY|INSERT|UPDATE|DELETE|MERGE|CREATE|EXPORT)[A-Z_]*"'
)


class QueryRefusedError(Exception):
    """The statement cannot be answered; the message says why and what to do."""


@dataclass(frozen=True)
class Answer:
    """Column names and rows."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


def query(catalogue: Path, statement: str) -> Answer:
    """Answer one SELECT over the schemas gold, silver, ops and meta.

    Raises:
        QueryRefusedError: there is no catalogue, the SQL is wrong, or it would write.
    """
    with asking(catalogue) as ask:
        return ask(statement)


@contextmanager
def asking(catalogue: Path) -> Iterator[Callable[[str], Answer]]:
    """A way to ask several questions of the same state of the catalogue, as `query` answers one.

    Raises:
        QueryRefusedError: there is no catalogue, it cannot be opened, or a question is refused.
    """
    if not catalogue.exists():
        raise QueryRefusedError(f"there is no catalogue {catalogue}: run bridge-cart run first")
    try:
        with duckdb.connect(str(catalogue), read_only=True) as connection:
            # Else moments come in the time zone of the machine, where DuckDB knows zones at all.
            with suppress(duckdb.CatalogException):
                connection.execute("SET TimeZone = 'UTC'")
            yield partial(_answer, connection)
    except duckdb.Error as error:
        first = " ".join(str(error).split("\n\n")[0].split())
        raise QueryRefusedError(first) from error


def _answer(connection: duckdb.DuckDBPyConnection, statement: str) -> Answer:
    _only_questions(connection, statement)
    cursor = connection.execute(statement)
    columns = [column[0] for column in cursor.description or []]
    return Answer(columns, cursor.fetchall())


def _only_questions(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    parts = connection.extract_statements(statement)
    if len(parts) != 1:
        raise QueryRefusedError(f"{len(parts)} statements: ask one question at a time")
    kind = parts[0].type
    if kind == duckdb.StatementType.SELECT and _writes(connection, statement):
        raise QueryRefusedError("a SELECT that writes is refused: the lakehouse is read-only here")
    # EXPLAIN ANALYZE runs what it explains, a COPY to a file too.
    explains = kind == duckdb.StatementType.EXPLAIN and not re.search(r"(?i)\banalyze\b", statement)
    if kind != duckdb.StatementType.SELECT and not explains:
        raise QueryRefusedError(
            f"{kind.name} is refused: the lakehouse is read-only here, ask with SELECT"
        )


def _writes(connection: duckdb.DuckDBPyConnection, statement: str) -> bool:
    """Whether the plan of a question has a step that writes: DuckDB takes a COPY in a WITH."""
    rows = connection.execute(f"EXPLAIN (FORMAT json) {statement}").fetchall()
    return any(_WRITING.search(plan) for _, plan in rows)
