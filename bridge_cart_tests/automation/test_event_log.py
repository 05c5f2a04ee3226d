"""The event log answers as Dagster's own does, whether or not events come in batches."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from bridge_cart_assets.automation.event_log import PooledSqliteEventLogStorage

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01")
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
        "stored": sorted(
            (str(entry.dagster_event_type), entry.step_key or "")
            for run in runs
            for entry in made.all_logs(run.run_id)
        ),
        "planned": len(
            storage.get_event_records(
                dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, GOLD)
            )
        ),
        "latest": {
            str(key): (event and event.asset_materialization.partition)  # type: ignore[union-attr]
            for key, event in latest.items()
        },
        "checks": sorted((str(record.status), record.partition or "") for record in checks),
        "partitions": partitions,
        "ids": [n - ids[0] for n in ids],
        "known": sorted(map(str, made.all_asset_keys())),
    }


def test_events_in_batches_give_the_answers_of_dagsters_own_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

    monkeypatch.setitem(os.environ, "DAGSTER_EVENT_BATCH_SIZE", "0")
    with instance(tmp_path / "own", SqliteEventLogStorage) as made:
        own = log_answers(made)
    monkeypatch.delitem(os.environ, "DAGSTER_EVENT_BATCH_SIZE")
    stored: list[int] = []
    store = PooledSqliteEventLogStorage.store_event_batch

    def count(self: PooledSqliteEventLogStorage, events: Sequence[dg.EventLogEntry]) -> None:
        stored.append(len(events))
        store(self, events)

    monkeypatch.setattr(PooledSqliteEventLogStorage, "store_event_batch", count)
    with instance(tmp_path / "pooled", PooledSqliteEventLogStorage) as made:
        pooled = log_answers(made)
    assert pooled == own
    assert len(pooled["partitions"][RAW]) == 29  # type: ignore[index]
    assert len(stored) >= 4, "no event came together with another"
