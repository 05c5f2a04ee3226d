"""Questions to the DuckDB catalogue, read-only.

Belongs here: what is a question and what would write. Does not belong here: how an answer looks.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from bridge_cart_assets.lake.fence import UNMASKED, attach_fenced, sql_name

# What a question may take of the memory, unless a setting says otherwise.
MEMORY = "2GB"
_FETCHED_ROWS = 10_000
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


@dataclass(frozen=True)
class AnswerRows:
    """Column names, and the rows some thousand at a time."""

    columns: list[str]
    batches: Iterator[Sequence[tuple[Any, ...]]]


def query(catalogue: Path, statement: str) -> Answer:
    """Answer one SELECT over the schemas gold, silver, ops and meta.

    Raises:
        QueryRefusedError: there is no catalogue, the SQL is wrong, it would write, or it would
            read anything else.
    """
    with asking(catalogue) as ask:
        return ask(statement)


@contextmanager
def asking(catalogue: Path, memory: str = MEMORY) -> Iterator[Callable[[str], Answer]]:
    """A way to ask several questions of the same state of the catalogue, as `query` answers one.

    Args:
        catalogue: the DuckDB file.
        memory: what DuckDB may take of it, as it spells that: 2GB.

    Raises:
        QueryRefusedError: there is no catalogue, it cannot be opened, or a question is refused.
    """
    with _opened(catalogue, memory) as connection:
        yield partial(_answer, connection)


@contextmanager
def reading(
    catalogue: Path, statement: str, memory: str = MEMORY, *, is_unmasked: bool = False
) -> Iterator[AnswerRows]:
    """The answer to one SELECT, of which only some rows are in memory at a time.

    Args:
        catalogue: the DuckDB file.
        statement: the question.
        memory: what DuckDB may take of it.
        is_unmasked: whether silver's personal columns have their values.

    Raises:
        QueryRefusedError: as `query` does, also while rows are read.
    """
    with _opened(catalogue, memory, is_unmasked=is_unmasked) as connection:
        yield _rows(connection, statement)


@contextmanager
def _opened(
    catalogue: Path, memory: str, *, is_unmasked: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The catalogue behind the fence.

    Raises:
        QueryRefusedError: there is no catalogue, it cannot be opened, or a question is refused.
    """
    if not catalogue.exists():
        raise QueryRefusedError(f"there is no catalogue {catalogue}: run bridge-cart run first")
    name = catalogue.stem
    try:
        with attach_fenced(catalogue, name, config={"memory_limit": memory}) as connection:
            connection.execute(f"USE {sql_name(name)}")
            if is_unmasked:
                connection.execute(f"SET VARIABLE {UNMASKED} = true")
            # Else moments come in the time zone of the machine, where DuckDB knows zones at all.
            with suppress(duckdb.CatalogException):
                connection.execute("SET TimeZone = 'UTC'")
            # It goes to stdout, among the rows.
            connection.execute("SET enable_progress_bar = false")
            connection.execute("SET lock_configuration = true")
            yield connection
    except duckdb.OutOfMemoryException as error:
        raise QueryRefusedError(
            f"the question takes more than {memory} of memory: ask for less, or set "
            "BRIDGE_CART_SQL_MEMORY"
        ) from error
    except duckdb.Error as error:
        first = " ".join(str(error).split("\n\n")[0].split())
        raise QueryRefusedError(first) from error


def _answer(connection: duckdb.DuckDBPyConnection, statement: str) -> Answer:
    rows = _rows(connection, statement)
    return Answer(rows.columns, [row for batch in rows.batches for row in batch])


def _rows(connection: duckdb.DuckDBPyConnection, statement: str) -> AnswerRows:
    _only_questions(connection, statement)
    cursor = connection.execute(statement)
    columns = [column[0] for column in cursor.description or []]
    # All at once would keep other threads, the one that hears Ctrl-C too, from doing anything.
    return AnswerRows(columns, iter(lambda: cursor.fetchmany(_FETCHED_ROWS), []))


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
