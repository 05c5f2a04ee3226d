"""Dagster's events, stored together: what its storages on SQLite and on Postgres have in common.

Belongs here: which events wait for others, what of them is written, and in one transaction. Does
not belong here: where they are written (`event_log`, `postgres`).

Dagster opens a connection for every event and commits each by itself. A run over a range of days
has a planned event and one of the materialization for every asset and day; Dagster hands them over
together when asked to, and its own classes then store most of them one by one all the same.

Two things are written once instead of once for each day of a run:
- The plan of a check. Dagster has a row per check and day, and none of our checks has partitions: a
  check reports once for all days, so those rows stayed planned for ever.
- The plan of an asset without partitions, for which Dagster plans each day of the run.

What a step tells of its outputs and checks is stored together too: when the step ends, when
anything is read from the log, when something else is stored, or with the next event after a second.
A run of one day tells 306 events, which took a second of CPU time one by one. A process that is
killed may take the last of them with it, as it may be killed between a commit and the event that
tells of it; what is left to do is never read from them.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import sqlalchemy
from dagster import AssetCheckEvaluation, AssetCheckKey, AssetKey, EventLogEntry
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
)
from dagster._core.events import (
    ASSET_EVENTS,
    DagsterEventType,
)
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.base import AssetCheckSummaryRecord
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
)
from sqlalchemy.engine import Connection

from bridge_cart_assets.automation.event_rows import event_rows, plans_of_days

# States of a check that has reported.
ENDED = (AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED)
_TOGETHER = 1000
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


def ask_for_batches() -> None:
    """Let Dagster hand events over together, in this process and those that it starts."""
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(_TOGETHER))


class WaitingEvents:
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


class EventBatches(SqlEventLogStorage):
    """A log whose events are stored together; the storage that it is mixed into says where."""

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
        """Store events of one run in one transaction."""
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
        ended = latest.where(table.c.execution_status.in_([status.value for status in ENDED]))
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
            completed = next((r for r in records[::-1] if r.status in ENDED), None)
            summaries[key] = AssetCheckSummaryRecord(
                asset_check_key=key,
                last_check_execution_record=last,
                last_run_id=last.run_id if last else None,
                last_completed_check_execution_record=completed,
            )
        return summaries

    @cached_property
    def _waiting(self) -> "WaitingEvents":
        return WaitingEvents()

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
            of_run: which of them are written into the file of their run, if it has one; all
                without.
            waiting: those that wait again when the index cannot be written. Dagster says nothing
                of it when the event after them is only a line of a log.
        """
        rows = event_rows(events, self._event_to_row, self._event_insert_timestamp)
        indexed = [at for at, event in enumerate(events) if self._is_indexed(event)]
        if indexed:
            try:
                self._store_in_index([events[at] for at in indexed], [rows[at] for at in indexed])
            except Exception:
                self._waiting.come_back(waiting)
                raise
        self._store_in_files(rows if of_run is None else [rows[at] for at in sorted(of_run)])

    def _is_indexed(self, event: EventLogEntry) -> bool:
        """Whether the index over all runs has an event; here it is the whole log."""
        return True

    def _store_in_files(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store rows in the files of their runs, where runs have files."""

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

    def has_table(self, table_name: str) -> bool:
        """Whether a table is there; one that was there is not looked for again."""
        look = super().has_table  # type: ignore[safe-super]
        return self._is_there(table_name, look)

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
        "execution_status": ENDED[0 if check.passed else 1].value,
        "materialization_event_storage_id": of.storage_id if of else None,
        "partition": check.partition,
    }


def _has_ended(check: Mapping[str, Any]) -> bool:
    return str(check["execution_status"]) != AssetCheckExecutionRecordStatus.PLANNED.value
