"""The DuckDB catalogue file, opened read-only and shared by all who read at the same time.

Belongs here: opening, asking, and saying why that is not possible. Does not belong here: what is
asked (see the `queries` of each page).
"""

import atexit
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

import duckdb

from bridge_cart_assets.lake.fence import attach_fenced
from bridge_cart_assets.tables.gold import TABLES
from bridge_cart_assets.tables.table import Table

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
D = TypeVar("D", bound="DataclassInstance")

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 2,
    # with Python's own part the server stays below 300 MB
    "memory_limit": "96MB",
    "preserve_insertion_order": False,
}
# Seconds after the last answer when the file is let go.
IDLE_SECONDS = 10.0
# What is read from silver: orders, and which ids are one person. Neither has a name or an address.
_VIEWS = ("purchases", "identities")


class NoCatalogueError(RuntimeError):
    """There is no catalogue file: nothing has been run yet."""


class UnreadableCatalogueError(RuntimeError):
    """The catalogue file is there but cannot be read; the message says why."""


@dataclass(frozen=True)
class Identity:
    """What tells one catalogue from the one that replaces it at the same path."""

    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Catalogue:
    """An open catalogue."""

    connection: duckdb.DuckDBPyConnection
    identity: Identity

    def ask(
        self, make: Callable[..., T], sql: str, parameters: Mapping[str, object] | None = None
    ) -> list[T]:
        """Run a query and make one object of each row, columns in order."""
        rows = self.connection.execute(sql, dict(parameters or {})).fetchall()
        return [make(*row) for row in rows]

    def read(
        self, make: type[D], source: str, parameters: Mapping[str, object] | None = None
    ) -> list[D]:
        """Read rows of one table: of its columns those that the dataclass has as fields.

        Args:
            make: what each row becomes.
            source: the query from the name of the table on.
            parameters: what is bound.
        """
        columns = ", ".join(f'"{column.name}"' for column in fields(make))
        return self.ask(make, f"SELECT {columns} FROM {source}", parameters)  # noqa: S608

    def value(self, sql: str, parameters: Mapping[str, object] | None = None) -> Any:
        """The first figure of the first row; None when there is no row."""
        return next(iter(self.ask(lambda *row: row[0], sql, parameters)), None)

    def gold_tables(self) -> tuple[Table, ...]:
        """The declared gold tables that this catalogue has."""
        there = self.ask(str, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'gold'")
        return tuple(table for table in TABLES if table.name in there)


@dataclass
class _Shared:
    """One attached file, and how many answers are being made from it."""

    identity: Identity
    connection: duckdb.DuckDBPyConnection
    readers: int = 0


@dataclass(eq=False)
class CatalogueFile:
    """The catalogue at a path, whichever file that is at the moment.

    Attaching costs more than most questions, so answers share one attached file, each with a
    cursor of its own, until another file has taken its place. Ten seconds after the last answer
    the file is let go: DuckDB locks what it has open, and people want to open it too.
    """

    path: Path
    _lock: Lock = field(default_factory=Lock, repr=False)
    _current: _Shared | None = field(default=None, repr=False)
    _closing: Timer | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Be remembered until the process ends."""
        _FILES.add(self)

    def identity(self) -> Identity:
        """Which file is there now.

        Raises:
            NoCatalogueError: none is.
        """
        try:
            stat = self.path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NoCatalogueError(f"{self.path} does not exist") from error
        except OSError as error:
            raise UnreadableCatalogueError(str(error)) from error
        return Identity(stat.st_ino, stat.st_size, stat.st_mtime_ns)

    @contextmanager
    def opened(self) -> Iterator[Catalogue]:
        """The catalogue that is there now, for one answer.

        Raises:
            NoCatalogueError: the file does not exist.
            UnreadableCatalogueError: DuckDB cannot open it, or it is not what this version expects.
        """
        shared = self._borrow()
        try:
            with shared.connection.cursor() as cursor:
                cursor.execute("USE catalogue")
                yield Catalogue(cursor, shared.identity)
        except duckdb.Error as error:
            raise UnreadableCatalogueError(str(error).splitlines()[0]) from error
        finally:
            self._give_back(shared)

    def close(self) -> None:
        """Let the file go unless it is being read."""
        with self._lock:
            if self._closing:
                self._closing.cancel()
            if self._current and not self._current.readers:
                self._current.connection.close()
                self._current = None

    def _borrow(self) -> _Shared:
        with self._lock:
            # looked at before it is attached: a file that comes in between is a change to the next
            identity = self.identity()
            if self._current is None or self._current.identity != identity:
                fresh = _Shared(identity, _attached(self.path))
                if self._current and not self._current.readers:
                    self._current.connection.close()
                self._current = fresh
            self._current.readers += 1
            if self._closing:
                self._closing.cancel()
                self._closing = None
            return self._current

    def _give_back(self, shared: _Shared) -> None:
        with self._lock:
            shared.readers -= 1
            if shared.readers:
                return
            if shared is not self._current:
                shared.connection.close()
                return
            self._closing = Timer(IDLE_SECONDS, self.close)
            self._closing.daemon = True
            self._closing.start()


# DuckDB complains on stderr about connections that are open when Python ends
_FILES: WeakSet[CatalogueFile] = WeakSet()


@atexit.register
def _close_all() -> None:
    for file in list(_FILES):
        file.close()


def _attached(path: Path) -> duckdb.DuckDBPyConnection:
    """The file, behind the fence."""
    if not path.is_file():
        raise UnreadableCatalogueError(f"{path} is not a file")
    try:
        return attach_fenced(path, "catalogue", _VIEWS, _CONFIG)
    except duckdb.Error as error:
        raise UnreadableCatalogueError(str(error).splitlines()[0]) from error
