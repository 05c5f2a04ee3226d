"""Dagster's list of runs in SQLite, with writers that wait for each other.

Belongs here: only that. Dagster gives the event log 30 seconds and leaves the list of runs with
the 5 of Python's driver, which is less than a busy neighbour can take.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dagster._core.storage.runs import SqliteRunStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection
from sqlalchemy.pool import NullPool

from bridge_cart_assets.automation.migration_scripts import read_once

# Longer than the command's own patience (`waiting`): there it is said who writes, and for how long.
BUSY_SECONDS = 90

read_once()


class PatientSqliteRunStorage(SqliteRunStorage):
    """`SqliteRunStorage`, which waits for a lock as long as the event log does."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "PatientSqliteRunStorage":
        """Make this class; the inherited method makes the base class."""
        return cls.from_local(inst_data=inst_data, **config_value)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection within a transaction."""
        engine = create_engine(
            self._conn_string,
            poolclass=NullPool,
            connect_args={"timeout": BUSY_SECONDS},
        )
        with engine.connect() as connection, connection.begin():
            yield connection
