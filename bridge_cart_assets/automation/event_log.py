"""Dagster's event log in SQLite, with connections that stay open and events that come together.

Belongs here: how events are stored, and how those of old runs go again. Does not belong here: which
runs are old (`retention`).

Dagster opens and closes a SQLite connection for every event, and the
last one to close a file makes it checkpoint (dagster-io/dagster#19618): 500 partition events of one
run took 9.2 s, and 1.8 s with connections kept. A run over a range of days has a planned event and
one of the materialization for every asset and day; Dagster hands them over together when asked to,
and its own class then stores them one by one all the same. In the write-ahead log the synchronous
mode NORMAL cannot corrupt the file; a power cut may cost the last events of Dagster's history,
never data of the lake.

A run over 180 days took 48 MB, most of it by repetition. Three things are written once instead:
- The plan of a check. Dagster has a row per check and day, and none of our checks has partitions: a
  check reports once for all days, so those rows stayed planned for ever.
- The plan of an asset without partitions, for which Dagster plans each day of the run.
- In the file of the run: events of an asset for its days. Partition status is read from the index,
  which has all of them; the run's own page shows the last day for each asset.
"""

import os
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from dagster import AssetKey, EventLogEntry
from dagster._core.events import ASSET_EVENTS, AssetMaterializationPlannedData
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
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
# The first part of the keys of assets that have partitions: batch days.
_PARTITIONED = ("raw", "silver")
# A statement of SQLite takes a limited number of values.
_RUNS_AT_ONCE = 500
_ENDED = (AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED)


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
        of_assets: list[EventLogEntry] = []
        planned: set[AssetKey | None] = set()
        for event in events:
            if event.dagster_event is None or event.dagster_event_type not in ASSET_EVENTS:
                self.store_event(event)
                continue
            whole = _plan_of_whole_asset(event)
            if whole is None:
                of_assets.append(event)
            elif event.dagster_event.asset_key not in planned:
                planned.add(event.dagster_event.asset_key)
                of_assets.append(whole)
        if not of_assets:
            return
        rows = [self._event_to_row(event) for event in of_assets]
        insert = SqlEventLogStorageTable.insert()
        # The last of each kind for each asset.
        of_run = {(row["dagster_event_type"], row["asset_key"]): row for row in rows}
        with self.run_connection(of_assets[0].run_id) as connection:
            connection.execute(insert, list(of_run.values()))
        # The index over all runs has them all, with tags, and each asset's latest one.
        with self.index_transaction() as connection:
            returning = insert.returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)
            ids = connection.execute(returning, rows).scalars().all()
            self._store_asset_event_tags(connection, of_assets, ids)
            latest = {row["asset_key"]: at for at, row in enumerate(rows)}
            for at in latest.values():
                self._store_asset_event(connection, of_assets[at], ids[at])

    def forget_runs(self, run_ids: Collection[str]) -> frozenset[str]:
        """Remove the events of runs, but for those that the state of an asset or check rests on.

        Of each asset and partition the latest event of a kind stays, so that a day that was
        materialized remains so; of each check the latest record and the latest verdict.

        Returns:
            The runs of which nothing is left.
        """
        events, checks = SqlEventLogStorageTable, AssetCheckExecutionsTable
        key, check = events.c.asset_key, (checks.c.asset_key, checks.c.check_name)
        last_id = sqlalchemy.func.max
        kinds = events.c.dagster_event_type.in_([kind.value for kind in ASSET_EVENTS])
        state = sqlalchemy.select(last_id(events.c.id)).where(kinds, key.is_not(None))
        state = state.group_by(key, events.c.partition, events.c.dagster_event_type)
        ended = checks.c.execution_status.in_([status.value for status in _ENDED])
        latest = sqlalchemy.select(last_id(checks.c.id)).group_by(*check)
        verdicts = latest.where(ended)
        left: set[str] = set()
        asked = list(run_ids)
        for start in range(0, len(asked), _RUNS_AT_ONCE):
            runs = asked[start : start + _RUNS_AT_ONCE]
            with self.index_transaction() as connection:
                old = events.c.run_id.in_(runs)
                connection.execute(events.delete().where(old, events.c.id.not_in(state)))
                is_old_check = checks.c.run_id.in_(runs)
                connection.execute(
                    checks.delete().where(
                        is_old_check, checks.c.id.not_in(latest), checks.c.id.not_in(verdicts)
                    )
                )
                for table, of_runs in ((events, old), (checks, is_old_check)):
                    still = sqlalchemy.select(table.c.run_id).where(of_runs).distinct()
                    left.update(connection.execute(still).scalars())
        with self.index_transaction() as connection:
            there = sqlalchemy.select(events.c.id)
            tags = AssetEventTagsTable
            connection.execute(tags.delete().where(tags.c.event_id.not_in(there)))
        for run_id in run_ids:
            self._remove_file(run_id)
        return frozenset(run_ids) - left

    def _remove_file(self, run_id: str) -> None:
        """Remove the file of a run, which holds what the index does not need: its own log."""
        with self._db_lock:
            engine = self.__dict__.get("_engines", {}).pop(run_id, None)
            if engine is not None:
                engine.dispose()
            self._initialized_dbs.discard(run_id)
            file = Path(self.path_for_shard(run_id))
            for part in (file, *(file.with_name(f"{file.name}-{end}") for end in ("wal", "shm"))):
                part.unlink(missing_ok=True)

    def _store_asset_check_evaluation_planned(
        self, event: EventLogEntry, event_id: int | None
    ) -> None:
        # The inherited method writes a row for each day, of which none is ever brought up to date.
        assert event.dagster_event is not None  # noqa: S101 - the caller has looked
        planned = event.dagster_event.asset_check_planned_data
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
            connection.execute(AssetCheckExecutionsTable.insert(), row)

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


def _plan_of_whole_asset(event: EventLogEntry) -> EventLogEntry | None:
    """The plan of an asset that has no partitions, without the day that Dagster gives it."""
    dagster_event = event.dagster_event
    if dagster_event is None or not dagster_event.is_asset_materialization_planned:
        return None
    key = dagster_event.asset_key
    if key is None or key.path[0] in _PARTITIONED:
        return None
    planned = dagster_event.asset_materialization_planned_data
    without_day = dagster_event._replace(
        event_specific_data=AssetMaterializationPlannedData(
            planned.asset_key, partition=None, partitions_subset=None
        )
    )
    return event._replace(dagster_event=without_day)
