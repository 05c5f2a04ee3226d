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

What a step tells of its outputs and checks is stored together too, in one transaction per file:
when the step ends, when anything is read from the log, when something else is stored, or with the
next event after a second. A run of one day tells 306 events, which took a second of CPU time one
by one. A process that is killed may take the last of them with it, as it may be killed between a
commit and the event that tells of it; what is left to do is never read from them.
"""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy
from dagster import AssetCheckEvaluation, AssetCheckKey, AssetKey, EventLogEntry
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
)
from dagster._core.events import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
    DagsterEventType,
)
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)
from dagster._core.storage.event_log.base import AssetCheckSummaryRecord
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

from bridge_cart_assets.automation.event_rows import event_rows, plans_of_days
from bridge_cart_assets.automation.run_storage import BUSY_SECONDS

# The index and the runs that were looked at last: every open file is a file handle.
_OPEN_FILES = 8
_TOGETHER = 1000
# A statement of SQLite takes a limited number of values.
_RUNS_AT_ONCE = 500
_ENDED = (AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED)
# What the index over all runs has: assets, checks, and how runs went.
_INDEXED = ASSET_EVENTS | ASSET_CHECK_EVENTS | EVENT_TYPE_TO_PIPELINE_RUN_STATUS.keys()
# One planned row of a check in a run.
_CHECK_KEY = ("asset_key", "check_name", "run_id")
# What a step tells while it is under way. Its other events are stored at once.
_OF_STEP = frozenset(
    {
        DagsterEventType.ASSET_CHECK_EVALUATION,
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.HANDLED_OUTPUT,
        DagsterEventType.STEP_OUTPUT,
    }
)
_LONGEST_WAIT_SECONDS = 1.0


class _WaitingEvents:
    """Events of steps under way in this process that are not stored yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: set[tuple[str, str | None]] = set()
        self._events: list[EventLogEntry] = []
        self._since = 0.0

    @property
    def is_late(self) -> bool:
        """Whether the first of them has waited long enough."""
        return bool(self._events) and time.monotonic() - self._since > _LONGEST_WAIT_SECONDS

    def takes(self, event: EventLogEntry) -> bool:
        """Keep an event of a step under way; False for all others, which are to be stored now."""
        step = (event.run_id, event.step_key)
        with self._lock:
            if event.dagster_event_type == DagsterEventType.STEP_START:
                self._steps.add(step)
            elif step in self._steps and event.dagster_event_type in _OF_STEP:
                self._since = self._since if self._events else time.monotonic()
                self._events.append(event)
                return True
            elif event.dagster_event is not None:
                self._steps.discard(step)
        return False

    def leave(self) -> list[EventLogEntry]:
        """All of them, to be stored now."""
        with self._lock:
            events, self._events = self._events, []
        return events

    def come_back(self, events: Sequence[EventLogEntry]) -> None:
        """Events that could not be stored wait again, before those that came meanwhile."""
        with self._lock:
            self._events = [*events, *self._events]


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

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        """Let Dagster plan an asset for all days of a run in one event, which is taken apart."""
        return True

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event; what a step under way tells may be stored a little later."""
        if not self._waiting.takes(event):
            self._store_waiting(*plans_of_days(event))
        elif self._waiting.is_late:
            self._store_waiting()

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run in a transaction per file."""
        kept = [one for event in events for one in plans_of_days(event)]
        self._store_waiting()
        # In the file of the run the last of each kind for each asset.
        last = {
            (e.dagster_event_type, _asset_key(e)): at
            for at, e in enumerate(kept)
            if e.dagster_event_type in ASSET_EVENTS
        }
        others = (at for at, e in enumerate(kept) if e.dagster_event_type not in ASSET_EVENTS)
        self._store(kept, of_run={*last.values(), *others})

    def get_asset_check_summary_records(
        self, asset_check_keys: Sequence[AssetCheckKey]
    ) -> Mapping[AssetCheckKey, AssetCheckSummaryRecord]:
        """The latest record of each check and the latest verdict, in one query for all."""
        table = AssetCheckExecutionsTable
        latest = sqlalchemy.select(sqlalchemy.func.max(table.c.id))
        latest = latest.group_by(table.c.asset_key, table.c.check_name)
        ended = latest.where(table.c.execution_status.in_([status.value for status in _ENDED]))
        asked = {(key.asset_key.to_string(), key.name): key for key in asset_check_keys}
        query = sqlalchemy.select(table).where(table.c.id.in_(latest) | table.c.id.in_(ended))
        found: dict[AssetCheckKey, list[AssetCheckExecutionRecord]] = {
            k: [] for k in asked.values()
        }
        with self.index_connection() as connection:
            for row in connection.execute(query.order_by(table.c.id)).mappings():
                if key := asked.get((row["asset_key"], row["check_name"])):
                    found[key].append(AssetCheckExecutionRecord.from_db_row(row, key))
        summaries = {}
        for key, records in found.items():
            last = records[-1] if records else None
            completed = next((r for r in records[::-1] if r.status in _ENDED), None)
            summaries[key] = AssetCheckSummaryRecord(
                asset_check_key=key,
                last_check_execution_record=last,
                last_run_id=last.run_id if last else None,
                last_completed_check_execution_record=completed,
            )
        return summaries

    @cached_property
    def _waiting(self) -> "_WaitingEvents":
        return _WaitingEvents()

    def _store_waiting(self, *others: EventLogEntry) -> None:
        """Store the events that wait, and others after them."""
        waiting = self._waiting.leave()
        self._store([*waiting, *others], waiting=waiting)

    def _store(
        self,
        events: Sequence[EventLogEntry],
        of_run: Collection[int] | None = None,
        waiting: Sequence[EventLogEntry] = (),
    ) -> None:
        """Store events in their order.

        Args:
            events: the events.
            of_run: which of them are written into the file of their run; all without.
            waiting: those that wait again when the index cannot be written. Dagster says nothing
                of it when the event after them is only a line of a log.
        """
        rows = event_rows(events, self._event_to_row, self._event_insert_timestamp)
        indexed = [at for at, event in enumerate(events) if event.dagster_event_type in _INDEXED]
        if indexed:
            try:
                self._store_in_index([events[at] for at in indexed], [rows[at] for at in indexed])
            except Exception:
                self._waiting.come_back(waiting)
                raise
        insert = SqlEventLogStorageTable.insert()
        own: dict[str, list[Mapping[str, Any]]] = {}
        for at, row in enumerate(rows):
            if of_run is None or at in of_run:
                own.setdefault(row["run_id"], []).append(row)
        for run_id, of_one in own.items():
            with self._connect(run_id) as connection:
                connection.execute(insert, of_one)

    def _store_in_index(
        self, events: Sequence[EventLogEntry], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Store events in the index over all runs, with tags, each asset's latest, and checks."""
        insert = SqlEventLogStorageTable.insert()
        with self.index_transaction() as connection:
            returning = insert.returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)
            ids = connection.execute(returning, list(rows)).scalars().all()
            of_assets = [at for at, e in enumerate(events) if e.dagster_event_type in ASSET_EVENTS]
            self._store_asset_event_tags(
                connection, [events[at] for at in of_assets], [ids[at] for at in of_assets]
            )
            latest = {
                (rows[at]["asset_key"], rows[at]["dagster_event_type"]): at for at in of_assets
            }
            for at in latest.values():
                self._store_asset_event(connection, events[at], ids[at])
            checks = [_check_record(e, r, n) for e, r, n in zip(events, rows, ids, strict=True)]
            planned = [check for check in checks if check and not _has_ended(check)]
            if planned:
                connection.execute(AssetCheckExecutionsTable.insert(), planned)
            ended = [check for check in checks if check and _has_ended(check)]
            if ended:
                self._store_verdicts(connection, ended)

    def _store_verdicts(
        self, connection: Connection, verdicts: Sequence[Mapping[str, Any]]
    ) -> None:
        """Bring the planned rows of checks up to date, or add rows where nothing was planned."""
        table = AssetCheckExecutionsTable
        update = table.update().where(
            *(table.c[name] == sqlalchemy.bindparam(f"of_{name}") for name in _CHECK_KEY),
            table.c.partition.is_(None),
        )
        for verdict in verdicts:
            key = {f"of_{name}": verdict[name] for name in _CHECK_KEY}
            values = {name: value for name, value in verdict.items() if name not in _CHECK_KEY}
            if not connection.execute(update, {**key, **values}).rowcount:
                connection.execute(table.insert(), dict(verdict))

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

    def has_table(self, table_name: str) -> bool:
        """Whether a table is there; one that was there is not looked for again."""
        return self._is_there(table_name, super().has_table)

    def has_secondary_index(self, name: str) -> bool:
        """Whether a summary has been made; one that was there is not looked for again."""
        look = super().has_secondary_index
        return self._is_there(f"summary {name}", lambda _: look(name))

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        look = super()._has_asset_key_col_on_connection
        return self._is_there(
            f"{AssetKeyTable.name}.{column_name}", lambda _: look(conn, column_name)
        )

    def _is_there(self, name: str, look: Callable[[str], bool]) -> bool:
        """Dagster asks this for every event, and its own class reads the file each time."""
        known: set[str] = self.__dict__.setdefault("_known", set())
        if name not in known and look(name):
            known.add(name)
        return name in known

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


def _asset_key(event: EventLogEntry) -> AssetKey | None:
    return None if event.dagster_event is None else event.dagster_event.asset_key


def _check_record(
    event: EventLogEntry, row: Mapping[str, Any], event_id: int
) -> dict[str, Any] | None:
    """The row of a check that an event plans or judges; None for other events.

    Dagster plans a check for each day of a run. Ours have no partitions, so one row is all.
    """
    check = event.dagster_event.event_specific_data if event.dagster_event else None
    if not isinstance(check, AssetCheckEvaluationPlanned | AssetCheckEvaluation):
        return None
    record = {
        "asset_key": check.asset_key.to_string(),
        "check_name": check.check_name,
        "run_id": event.run_id,
        "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
        "evaluation_event": row["event"],
        "evaluation_event_timestamp": row["timestamp"],
        "evaluation_event_storage_id": event_id,
    }
    if isinstance(check, AssetCheckEvaluationPlanned):
        return record
    of = check.target_materialization_data
    return {
        **record,
        "execution_status": _ENDED[0 if check.passed else 1].value,
        "materialization_event_storage_id": of.storage_id if of else None,
        "partition": check.partition,
    }


def _has_ended(check: Mapping[str, Any]) -> bool:
    return str(check["execution_status"]) != AssetCheckExecutionRecordStatus.PLANNED.value
