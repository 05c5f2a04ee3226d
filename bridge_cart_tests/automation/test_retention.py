"""Old runs are forgotten, and nothing that a page says of a table changes by it."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.dagster_run import DagsterRun

from bridge_cart_assets.automation.event_log import PooledSqliteEventLogStorage
from bridge_cart_assets.automation.executor import leased_executor
from bridge_cart_assets.automation.retention import forget_old_runs
from bridge_cart_tests.automation.test_event_log import (
    DAYS,
    GOLD,
    RAW,
    instance,
    partition_status,
)
from bridge_cart_tests.conftest import Command

BROKEN = "2024-01-12"
CHECK = dg.AssetCheckKey(RAW, "whole")


@dg.asset(
    key=RAW,
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[dg.AssetCheckSpec("whole", asset=RAW)],
)
def landed(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    if BROKEN in context.partition_keys:
        raise dg.Failure("it cannot be read", allow_retries=False)
    is_whole = context.partition_keys[0] != "2024-01-08"
    yield dg.MaterializeResult(
        check_results=[dg.AssetCheckResult(check_name="whole", passed=is_whole)]
    )


@dg.asset(key=GOLD, deps=[RAW])
def sums() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 4})


@pytest.fixture
def made(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with instance(tmp_path / "home", PooledSqliteEventLogStorage) as made:
        yield made


def run(made: dg.DagsterInstance, first: str, last: str) -> str:
    job = dg.Definitions([landed, sums], jobs=[dg.define_asset_job("all", "*")])
    tags = {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }
    done = job.resolve_job_def("all").execute_in_process(
        instance=made, tags=tags, raise_on_error=False
    )
    return done.run_id


def file_of(made: dg.DagsterInstance, run_id: str) -> Path:
    storage = made.event_log_storage
    assert isinstance(storage, PooledSqliteEventLogStorage)
    return Path(storage.path_for_shard(run_id))


def state(made: dg.DagsterInstance) -> dict[str, object]:
    """What the pages of the assets and the next run ask."""
    storage = made.event_log_storage
    latest = made.get_latest_materialization_events([RAW, GOLD])
    summary = storage.get_asset_check_summary_records([CHECK])[CHECK]
    verdict = summary.last_completed_check_execution_record
    return {
        "partitions": partition_status(made),
        "materialized": {key: storage.get_materialized_partitions(key) for key in (RAW, GOLD)},
        "latest": {key: event and event.run_id for key, event in latest.items()},
        "records of days": storage.get_latest_storage_id_by_partition(
            RAW, dg.DagsterEventType.ASSET_MATERIALIZATION
        ),
        "verdict": verdict and (verdict.run_id, verdict.status),
    }


def test_days_and_verdicts_stay_when_the_runs_are_forgotten(made: dg.DagsterInstance) -> None:
    again = run(made, "2024-01-01", "2024-01-02")
    first = run(made, "2024-01-01", "2024-01-07")
    failed_check = run(made, "2024-01-08", "2024-01-09")
    broken = run(made, BROKEN, BROKEN)
    latest = run(made, "2024-01-13", "2024-01-13")
    before = state(made)
    assert before["partitions"]["failed"] == [BROKEN]  # type: ignore[index]
    assert len(before["materialized"][RAW]) == 10  # type: ignore[index]

    assert forget_old_runs(made, keep=1) == 4
    # A new process knows nothing of before; this one might only remember.
    made.event_log_storage.wipe_asset_cached_status(RAW)
    assert state(made) == before
    assert [file_of(made, run_id).exists() for run_id in (again, first, failed_check, broken)] == [
        False
    ] * 4
    assert made.get_run_by_id(again) is None, "the next run did its days once more"
    assert made.get_run_by_id(first) is not None, "its days are there by it"
    assert file_of(made, latest).exists()
    assert len(made.all_logs(latest)) > 10
    assert forget_old_runs(made, keep=1) == 0


def test_the_log_does_not_grow_with_runs_of_the_same_days(made: dg.DagsterInstance) -> None:
    sizes = []
    for _ in range(4):
        for _ in range(3):
            run(made, "2024-01-01", "2024-01-09")
            forget_old_runs(made, keep=2)
        with made.event_log_storage.index_connection() as index:  # type: ignore[attr-defined]
            counts = [
                index.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()
                for table in ("event_logs", "asset_check_executions", "asset_event_tags")
            ]
        sizes.append((made.get_runs_count(), *counts))
    assert len(set(sizes)) == 1
    assert sizes[0][0] == 2


def test_a_check_that_failed_is_looked_at_again_for_however_long_it_failed(
    made: dg.DagsterInstance,
) -> None:
    run(made, "2024-01-08", "2024-01-09")
    for _ in range(3):
        run(made, BROKEN, BROKEN)
    before = state(made)
    forget_old_runs(made, keep=1)
    assert state(made) == before
    assert "FAILED" in str(before["verdict"])


def test_runs_that_are_kept_or_under_way_are_not_touched(made: dg.DagsterInstance) -> None:
    under_way = dg.DagsterRunStatus.STARTED
    made.add_run(DagsterRun(job_name="all", run_id="ffffffff", status=under_way))
    runs = [run(made, "2024-01-01", "2024-01-02") for _ in range(2)]
    logs = [len(made.all_logs(run_id)) for run_id in runs]
    assert forget_old_runs(made, keep=2) == 0
    assert [len(made.all_logs(run_id)) for run_id in runs] == logs
    assert forget_old_runs(made, keep=1) == 1
    assert made.get_run_by_id("ffffffff") is not None


def quick_job() -> dg.JobDefinition:
    job = dg.define_asset_job("quick", [sums], executor_def=leased_executor)
    return dg.Definitions([landed, sums], jobs=[job]).resolve_job_def("quick")


def test_the_daemons_runs_forget_old_ones_at_their_end(
    made: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGE_CART_KEEP_RUNS", "1")
    runs = []
    for _ in range(3):
        with dg.execute_job(dg.reconstructable(quick_job), made, raise_on_error=True) as done:
            runs.append(done.run_id)
    assert [file_of(made, run_id).exists() for run_id in runs] == [False, True, True]


@pytest.mark.slow
def test_the_command_forgets_old_runs_at_its_end(tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "landing" / "purchases"
    folder.mkdir(parents=True)
    for day in ("2024-01-01", "2024-01-02"):
        line = f"O{day},C1,{day},10"
        (folder / f"{day}.csv").write_text(
            f"order_id,customer_id,purchase_date,purchase_amount\n{line}\n"
        )
        done = command("run", BRIDGE_CART_KEEP_RUNS="1")
        assert done.returncode == 0, done.stderr
    databases = {file.stem for file in (tmp_path / "dagster").glob("*.db")}
    assert len(databases - {"index", "runs", "schedules"}) == 1
    assert "last run" in command("status").stdout


def test_another_storage_is_left_alone() -> None:
    with dg.DagsterInstance.ephemeral() as made:
        runs = [run(made, "2024-01-01", "2024-01-02") for _ in range(2)]
        assert forget_old_runs(made, keep=1) == 0
        assert all(made.get_run_by_id(run_id) for run_id in runs)
