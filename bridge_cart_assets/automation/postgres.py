"""Dagster's storages on Postgres, with connections that stay open and events that come together.

Belongs here: connections and transactions. Does not belong here: which events come together
(`event_batches`), or where the server is (deploy/dagster.yaml).

Dagster's own classes open a connection for each statement or two, which for the server is a new
process and a login, and commit each event by itself, the plan of a check once for each day. A run
of 90 days of a small shop took five times the CPU time of the same run on SQLite.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy
from dagster._core.storage.base_storage import DagsterStorage
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from dagster_postgres.utils import (
    create_pg_connection,
    create_pg_engine,
    get_token_provider_from_config,
    pg_url_from_config,
    set_pg_statement_timeout,
)
from sqlalchemy.engine import Connection, Engine

from bridge_cart_assets.automation.event_batches import EventBatches, ask_for_batches
from bridge_cart_assets.automation.migration_scripts import read_once

if TYPE_CHECKING:
    from dagster_postgres.auth import PgTokenProvider

read_once()

# Connections of a storage that stay open; more are opened while they are needed.
_KEPT = 1
_AT_MOST_MORE = 20
# Seconds that a server may take to answer a new connection.
_CONNECT_SECONDS = 10
# Of writers of events one goes after the other: the number that they all lock.
_WRITERS = 0x62726964


class _Pooled:
    """A storage whose connections stay open, and are looked at before they are used again."""

    postgres_url: str
    _token_provider: "PgTokenProvider | None"
    _engine: Engine

    def __init__(
        self, postgres_url: str, autocreate: bool, token_provider: "PgTokenProvider | None"
    ) -> None:
        super().__init__(postgres_url, autocreate, token_provider=token_provider)  # type: ignore[call-arg]
        self._engine.dispose()
        self._engine = self._pool()

    def optimize_for_webserver(
        self, statement_timeout: int, pool_recycle: int, max_overflow: int
    ) -> None:
        """Bound the time of a statement; Dagster's own would use broken connections again."""
        self._engine.dispose()
        self._engine = self._pool(pool_recycle=pool_recycle, max_overflow=max_overflow)
        sqlalchemy.event.listen(
            self._engine, "connect", lambda raw, _: set_pg_statement_timeout(raw, statement_timeout)
        )

    def dispose(self) -> None:
        """Close all connections."""
        try:
            super().dispose()  # type: ignore[misc]
        finally:
            self._engine.dispose()

    def _pool(self, **settings: Any) -> Engine:
        return create_pg_engine(
            self.postgres_url,
            self._token_provider,
            isolation_level="AUTOCOMMIT",
            pool_pre_ping=True,
            connect_args={"connect_timeout": _CONNECT_SECONDS},
            **{"pool_size": _KEPT, "max_overflow": _AT_MOST_MORE, **settings},
        )


class PooledPostgresRunStorage(_Pooled, PostgresRunStorage):
    """`PostgresRunStorage` with a pool of connections."""


class PooledPostgresScheduleStorage(_Pooled, PostgresScheduleStorage):
    """`PostgresScheduleStorage` with a pool of connections."""


class PooledPostgresEventLogStorage(_Pooled, EventBatches, PostgresEventLogStorage):
    """`PostgresEventLogStorage` with a pool of connections, and events stored together."""

    @contextmanager
    def index_transaction(self) -> Iterator[Connection]:
        """A connection that has begun a transaction; transactions come one after the other.

        Two that bring the latest of the same assets in different order would each wait for the
        other's rows. And ids are given when rows come, not when they are committed: a sensor that
        has seen the events of one transaction would never see those of a longer one that began
        before it.
        """
        was_writing = getattr(self._this_thread, "is_writing", False)
        self._this_thread.is_writing = True
        try:
            with super().index_transaction() as connection:
                connection.execute(
                    sqlalchemy.select(sqlalchemy.func.pg_advisory_xact_lock(_WRITERS))
                )
                yield connection
        finally:
            self._this_thread.is_writing = was_writing

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        # A reader sees all events: those that wait are stored first. Not within a transaction of
        # this thread: that of the waiting events would wait for its end.
        if not getattr(self._this_thread, "is_writing", False):
            self._store_waiting()
        with create_pg_connection(self._engine) as connection:
            yield connection

    @cached_property
    def _this_thread(self) -> threading.local:
        return threading.local()

    def dispose(self) -> None:
        """Store what waits, and close all connections."""
        try:
            self._store_waiting()
        finally:
            super().dispose()


class PooledPostgresStorage(DagsterPostgresStorage):
    """`DagsterPostgresStorage` of these storages."""

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
        token_provider: "PgTokenProvider | None" = None,
    ) -> None:
        # Not that of the class itself, which connects to make its own three.
        DagsterStorage.__init__(self)  # type: ignore[no-untyped-call, arg-type]
        logging.getLogger().addFilter(_is_no_retry)
        self.postgres_url = postgres_url
        self.should_autocreate_tables = should_autocreate_tables
        self._inst_data = inst_data
        given = (postgres_url, should_autocreate_tables, token_provider)
        self._run_storage = PooledPostgresRunStorage(*given)
        self._event_log_storage = PooledPostgresEventLogStorage(*given)
        self._schedule_storage = PooledPostgresScheduleStorage(*given)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "PooledPostgresStorage":
        """Make this class; the inherited method makes the base class."""
        ask_for_batches()
        return cls(
            pg_url_from_config(config_value),
            config_value.get("should_autocreate_tables", True),
            inst_data,
            get_token_provider_from_config(config_value),
        )


def _is_no_retry(record: logging.LogRecord) -> bool:
    """Dagster tells of each of five attempts in three lines; the last error is enough."""
    return not str(record.msg).startswith("Retrying failed database connection")
