"""Dagster's event log in SQLite, with connections that stay open and events that come together.

Belongs here: only that. Dagster opens and closes a SQLite connection for every event, and the
last one to close a file makes it checkpoint (dagster-io/dagster#19618): 500 partition events of one
run took 9.2 s, and 1.8 s with connections kept. A run over a range of days has a planned event and
one of the materialization for every asset and day; Dagster hands them over together when asked to,
and its own class then stores them one by one all the same. In the write-ahead log the synchronous
mode NORMAL cannot corrupt the file; a power cut may cost the last events of Dagster's history,
never data of the lake.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from dagster import EventLogEntry
from dagster._core.events import ASSET_EVENTS
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData, serialize_value
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

from bridge_cart_assets.automation.run_storage import BUSY_SECONDS

# The index and the runs that were looked at last: every open file is a file handle.
_OPEN_FILES = 8
_TOGETHER = 1000


class PooledSqliteEventLogStorage(SqliteEventLogStorage):
    """`SqliteEventLogStorage`, one pool of connections per file."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "PooledSqliteEventLogStorage":
        """Make this class; the inherited method makes the base class."""
        # Read by Dagster in every process that writes events; without it they come one by one.
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(_TOGETHER))
        return cls(inst_data=inst_data, **config_value)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run, those of assets in a transaction per file."""
        of_assets = []
        for event in events:
            if event.is_dagster_event and event.dagster_event_type in ASSET_EVENTS:
                of_assets.append(event)
            else:
                self.store_event(event)
        if not of_assets:
            return
        rows = [self._event_to_row(event) for event in of_assets]
        insert = SqlEventLogStorageTable.insert()
        with self.run_connection(of_assets[0].run_id) as connection:
            connection.execute(insert, rows)
        # The index over all runs has them too, with tags, and each asset's latest one.
        with self.index_transaction() as connection:
            returning = insert.returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)
            ids = connection.execute(returning, rows).scalars().all()
            self._store_asset_event_tags(connection, of_assets, ids)
            latest = {row["asset_key"]: at for at, row in enumerate(rows)}
            for at in latest.values():
                self._store_asset_event(connection, of_assets[at], ids[at])

    def _store_asset_check_evaluation_planned(
        self, event: EventLogEntry, event_id: int | None
    ) -> None:
        # A row per check and day, as Dagster has them, written down once and sent as one statement.
        assert event.dagster_event is not None  # noqa: S101 - the caller has looked
        planned = event.dagster_event.asset_check_planned_data
        days = (
            planned.partitions_subset.get_partition_keys() if planned.partitions_subset else [None]
        )
        row = {
            "asset_key": planned.asset_key.to_string(),
            "check_name": planned.check_name,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": serialize_value(event),
            "evaluation_event_timestamp": self._event_insert_timestamp(event),  # type: ignore[no-untyped-call]
            "evaluation_event_storage_id": event_id,
        }
        with self.index_connection() as connection:
            connection.execute(
                AssetCheckExecutionsTable.insert(), [{**row, "partition": day} for day in days]
            )

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> Engine:
        engines: OrderedDict[str, Engine] = self.__dict__.setdefault("_engines", OrderedDict())
        if shard not in engines:
            engine = sqlalchemy.create_engine(
                self.conn_string_for_shard(shard),
                poolclass=QueuePool,
                connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            )
            sqlalchemy.event.listen(
                engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=NORMAL")
            )
            engines[shard] = engine
        engines.move_to_end(shard)
        while len(engines) > _OPEN_FILES:
            engines.popitem(last=False)[1].dispose()
        return engines[shard]

    def dispose(self) -> None:
        """Close all connections."""
        for engine in self.__dict__.pop("_engines", OrderedDict()).values():
            engine.dispose()
        super().dispose()
