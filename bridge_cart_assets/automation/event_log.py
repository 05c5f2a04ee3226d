"""Dagster's event log in SQLite, with connections that stay open and events that come together.

Belongs here: its files, and how events of old runs go again. Does not belong here: which events
come together (`event_batches`), or which runs are old (`retention`).

Dagster opens and closes a SQLite connection for every event, and the
last one to close a file makes it checkpoint (dagster-io/dagster#19618): 500 partition events of one
run took 9.2 s, and 1.8 s with connections kept. In the write-ahead log the synchronous mode NORMAL
cannot corrupt the file; a power cut may cost the last events of Dagster's history, never data of
the lake.

A run over 180 days took 48 MB, most of it by repetition. Beside what `event_batches` writes once,
the file of the run has one event of a kind for each asset: partition status is read from the index,
which has those of all days; the run's own page shows the last day for each asset.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from dagster import EventLogEntry
from dagster._core.events import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
)
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

from bridge_cart_assets.automation.event_batches import ENDED, EventBatches, ask_for_batches
from bridge_cart_assets.automation.run_storage import BUSY_SECONDS

# The index and the runs that were looked at last: every open file is a file handle.
_OPEN_FILES = 8
# A statement of SQLite takes a limited number of values.
_RUNS_AT_ONCE = 500
# What the index over all runs has: assets, checks, and how runs went.
_INDEXED = ASSET_EVENTS | ASSET_CHECK_EVENTS | EVENT_TYPE_TO_PIPELINE_RUN_STATUS.keys()


class PooledSqliteEventLogStorage(EventBatches, SqliteEventLogStorage):
    """`SqliteEventLogStorage`, one pool of connections per file."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "PooledSqliteEventLogStorage":
        """Make this class; the inherited method makes the base class."""
        ask_for_batches()
        return cls(inst_data=inst_data, **config_value)

    def _is_indexed(self, event: EventLogEntry) -> bool:
        return event.dagster_event_type in _INDEXED

    def _store_in_files(self, rows: Sequence[Mapping[str, Any]]) -> None:
        insert = SqlEventLogStorageTable.insert()
        own: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            own.setdefault(row["run_id"], []).append(row)
        for run_id, of_one in own.items():
            with self._connect(run_id) as connection:
                connection.execute(insert, of_one)

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
        ended = checks.c.execution_status.in_([status.value for status in ENDED])
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

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        # A reader sees all events: those that wait are stored first.
        self._store_waiting()
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
        self._store_waiting()
        for engine in self.__dict__.pop("_engines", OrderedDict()).values():
            engine.dispose()
        super().dispose()
