"""The event log answers as Dagster's own does; it only writes less, and forgets old runs."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log import EventLogStorage
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value
from sqlalchemy.engine import Connection

from bridge_cart_assets.automation import event_batches
from bridge_cart_assets.automation.event_log import PooledSqliteEventLogStorage
from bridge_cart_assets.automation.event_rows import event_rows

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01")
RowOf = Callable[[dg.EventLogEntry], Any]
FIRST, LAST = "2024-01-02", "2024-01-30"
RAW, GOLD = dg.AssetKey(["raw", "lines"]), dg.AssetKey(["gold", "kpis"])


@dg.asset(
    key=RAW,
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[dg.AssetCheckSpec("whole", asset=RAW)],
)
def lines() -> Iterator[dg.MaterializeResult[None]]:
    yield dg.MaterializeResult(
        metadata={"rows": 3},
        check_results=[dg.AssetCheckResult(check_name="whole", passed=True)],
    )


@dg.asset(key=GOLD, deps=[RAW])
def kpis() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 4})


def planned(made: dg.DagsterInstance, key: dg.AssetKey) -> int:
    """Of how many partitions an asset was planned; one for all where there are none."""
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    records = made.event_log_storage.get_event_records(dg.EventRecordsFilter(kind, key))
    return len({record.partition_key for record in records}) if key == RAW else bool(records)


def partition_status(made: dg.DagsterInstance) -> dict[str, object]:
    """What the page of an asset says of its partitions."""
    status = get_and_update_asset_status_cache_value(made, RAW, DAYS)
    assert status is not None
    subsets = {
        "materialized": status.deserialize_materialized_partition_subsets(DAYS),
        "failed": status.deserialize_failed_partition_subsets(DAYS),
    }
    return {name: sorted(subset.get_partition_keys()) for name, subset in subsets.items()}


@contextmanager
def instance(root: Path, storage: type) -> Iterator[dg.DagsterInstance]:
    root.mkdir()
    named = {"module": storage.__module__, "class": storage.__name__}
    local = {"module": "dagster.core.storage.event_log", "class": "SqliteEventLogStorage"}
    settings = named if storage is PooledSqliteEventLogStorage else local
    with dg.instance_for_test(
        temp_dir=str(root),
        overrides={"event_log_storage": {**settings, "config": {"base_dir": str(root / "log")}}},
    ) as made:
        assert type(made.event_log_storage) is storage
        yield made


def log_answers(made: dg.DagsterInstance) -> dict[str, object]:
    """What Dagster's pages ask the log, but for times and numbers of runs."""
    tags = {
        "dagster/asset_partition_range_start": FIRST,
        "dagster/asset_partition_range_end": LAST,
    }
    definitions = dg.Definitions([lines, kpis], jobs=[dg.define_asset_job("all", "*")])
    job = definitions.resolve_job_def("all")
    runs = [job.execute_in_process(instance=made, tags=tags) for _ in range(2)]
    storage = made.event_log_storage
    latest = made.get_latest_materialization_events([RAW, GOLD])
    checks = storage.get_asset_check_execution_history(dg.AssetCheckKey(RAW, "whole"), limit=1000)
    partitions = {key: storage.get_materialized_partitions(key) for key in (RAW, GOLD)}
    ids = [record.storage_id for record in made.fetch_materializations(RAW, limit=500).records]
    assert all(event is not None and event.run_id == runs[1].run_id for event in latest.values())
    return {
        "kinds": [
            [
                (e.event_type_value, str(e.asset_key), e.partition)
                for e in run.all_events
                if e.asset_key
            ]
            for run in runs
        ],
        "stored": {
            (str(entry.dagster_event_type), entry.step_key or "")
            for run in runs
            for entry in made.all_logs(run.run_id)
        },
        "planned": {key: planned(made, key) for key in (RAW, GOLD)},
        "latest": {
            str(key): (event and event.asset_materialization.partition)  # type: ignore[union-attr]
            for key, event in latest.items()
        },
        "checks": [str(c.status) for c in checks if c.partition is None],
        "partitions": partitions,
        "status": partition_status(made),
        "ids": (len(ids), ids == sorted(set(ids), reverse=True)),
        "known": sorted(map(str, made.all_asset_keys())),
    }


def check_summaries(made: dg.DagsterInstance) -> dict[str, object]:
    """The latest record and verdict of two checks: one is planned again, one is not there."""
    job = dg.Definitions([lines, kpis], jobs=[dg.define_asset_job("all", "*")])
    judged, unknown = dg.AssetCheckKey(RAW, "whole"), dg.AssetCheckKey(RAW, "never there")
    latest = made.get_run_records(limit=1)[0].dagster_run.run_id
    going_on = made.create_run_for_job(job.resolve_job_def("all"))
    summaries = made.event_log_storage.get_asset_check_summary_records([judged, unknown])
    names = {latest: "second", going_on.run_id: "going on"}
    return {
        check.name: [
            (str(record.status), names[record.run_id]) if record else None
            for record in (
                summary.last_check_execution_record,
                summary.last_completed_check_execution_record,
            )
        ]
        for check, summary in summaries.items()
    }


def test_events_in_batches_give_the_answers_of_dagsters_own_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

    monkeypatch.setitem(os.environ, "DAGSTER_EVENT_BATCH_SIZE", "0")
    with instance(tmp_path / "own", SqliteEventLogStorage) as made:
        own = {**log_answers(made), "summaries": check_summaries(made)}
    monkeypatch.delitem(os.environ, "DAGSTER_EVENT_BATCH_SIZE")
    stored: list[int] = []
    store = PooledSqliteEventLogStorage.store_event_batch

    def count(self: PooledSqliteEventLogStorage, events: Sequence[dg.EventLogEntry]) -> None:
        stored.append(len(events))
        store(self, events)

    monkeypatch.setattr(PooledSqliteEventLogStorage, "store_event_batch", count)
    with instance(tmp_path / "pooled", PooledSqliteEventLogStorage) as made:
        pooled = {**log_answers(made), "summaries": check_summaries(made)}
    assert pooled == own
    planned, judged = (run for _, run in pooled["summaries"]["whole"])  # type: ignore[index]
    assert (planned, judged) == ("going on", "second")
    assert len(pooled["partitions"][RAW]) == 29  # type: ignore[index]
    assert len(stored) >= 4, "no event came together with another"


def test_what_dagster_repeats_for_each_day_is_written_once(tmp_path: Path) -> None:
    """Two runs of 29 days: the days of what has partitions are in the index, and nothing else."""
    with instance(tmp_path / "pooled", PooledSqliteEventLogStorage) as made:
        log_answers(made)
        storage = made.event_log_storage
        plans = dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, GOLD)
        assert [r.partition_key for r in storage.get_event_records(plans)] == [None, None]
        checks = storage.get_asset_check_execution_history(
            dg.AssetCheckKey(RAW, "whole"), limit=1000
        )
        assert len(checks) == 2
        assert len(made.fetch_materializations(RAW, limit=1000).records) == 2 * 29
        for run_id in made.get_run_ids():
            kinds = [e.dagster_event_type for e in made.all_logs(run_id)]
            assert kinds.count(dg.DagsterEventType.ASSET_MATERIALIZATION) == 2


def test_events_of_a_step_come_together_and_are_there_for_every_reader(
    tmp_path: Path,
) -> None:
    """While a step is under way its checks wait; a look, or the end of the step, brings them."""
    key = dg.AssetKey("table")
    names = [f"check_{n}" for n in range(20)]
    seen: list[list[str]] = []
    others: list[EventLogStorage] = []

    def evaluated(storage: EventLogStorage, run_id: str) -> list[str]:
        entries = storage.get_logs_for_run(
            run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        )
        return [e.get_dagster_event().asset_check_evaluation_data.check_name for e in entries]

    @dg.multi_asset(
        specs=[dg.AssetSpec(key)], check_specs=[dg.AssetCheckSpec(n, asset=key) for n in names]
    )
    def table(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        yield dg.MaterializeResult(asset_key=key)
        for name in names:
            yield dg.AssetCheckResult(passed=name != names[3], check_name=name, asset_key=key)
        seen.append(evaluated(others[0], context.run.run_id))
        seen.append(evaluated(context.instance.event_log_storage, context.run.run_id))
        seen.append(evaluated(others[0], context.run.run_id))

    with instance(tmp_path / "pooled", PooledSqliteEventLogStorage) as made:
        others.append(PooledSqliteEventLogStorage(base_dir=str(tmp_path / "pooled" / "log")))
        job = dg.Definitions([table], jobs=[dg.define_asset_job("all", "*")])
        result = job.resolve_job_def("all").execute_in_process(instance=made)
        checks = [dg.AssetCheckKey(key, name) for name in names]
        history = made.event_log_storage.get_asset_check_execution_history
        verdicts = [str(history(check, limit=5)[0].status.value) for check in checks]
    others[0].dispose()
    assert len(seen[0]) < len(names), "nothing waited"
    assert seen[1] == seen[2] == names
    assert verdicts == ["FAILED" if n == names[3] else "SUCCEEDED" for n in names]
    assert [e.step_key for e in result.all_node_events if e.is_step_success] == ["table"]


def test_what_waits_is_not_lost_when_the_index_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster is silent about a line of a log that cannot be stored; what waited comes later."""
    key = dg.AssetKey("table")
    fails = [True]
    store = PooledSqliteEventLogStorage.index_transaction

    @contextmanager
    def index(self: PooledSqliteEventLogStorage) -> Iterator[Connection]:
        if fails and fails.pop():
            raise sqlite3.OperationalError("database is locked")
        with store(self) as connection:
            yield connection

    @dg.multi_asset(specs=[dg.AssetSpec(key)], check_specs=[dg.AssetCheckSpec("whole", asset=key)])
    def table(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        yield dg.AssetCheckResult(passed=True, check_name="whole", asset_key=key)
        monkeypatch.setattr(PooledSqliteEventLogStorage, "index_transaction", index)
        context.log.info("a line")
        yield dg.MaterializeResult(asset_key=key)

    with instance(tmp_path / "pooled", PooledSqliteEventLogStorage) as made:
        job = dg.Definitions([table], jobs=[dg.define_asset_job("all", "*")])
        result = job.resolve_job_def("all").execute_in_process(instance=made)
        [record] = made.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(key, "whole"), limit=5
        )
        kinds = [entry.dagster_event_type for entry in made.all_logs(result.run_id)]
        latest = made.get_latest_materialization_event(key)
    assert not fails, "the index was never written meanwhile"
    assert record.status.value == "SUCCEEDED"
    assert kinds.count(dg.DagsterEventType.ASSET_CHECK_EVALUATION) == 1
    assert latest is not None


def test_the_events_of_many_days_are_put_into_words_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their rows say what Dagster's own words for each of them say, letter by letter."""
    in_words: list[dict[str, object]] = []
    own = PooledSqliteEventLogStorage._event_to_row

    def counted(self: PooledSqliteEventLogStorage, event: dg.EventLogEntry) -> dict[str, object]:
        in_words.append(own(self, event))
        return in_words[-1]

    def checked(
        events: Sequence[dg.EventLogEntry], row_of: RowOf, timestamp_of: RowOf
    ) -> list[dict[str, object]]:
        rows = event_rows(events, row_of, timestamp_of)
        for event, row in zip(events, rows, strict=True):
            assert row == own(made.event_log_storage, event)  # type: ignore[arg-type]
        return rows

    monkeypatch.setattr(PooledSqliteEventLogStorage, "_event_to_row", counted)
    monkeypatch.setattr(event_batches, "event_rows", checked)
    with instance(tmp_path / "pooled", PooledSqliteEventLogStorage) as made:
        log_answers(made)
    of_days = [row for row in in_words if row["partition"]]
    assert len(of_days) == 4, "two runs, each with a plan and a materialization of 29 days"
