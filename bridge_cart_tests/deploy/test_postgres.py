"""The instance of deploy/dagster.yaml on a real Postgres, when this machine has one."""

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from bridge_cart_assets.automation.liveness import end_dead_runs, under_way
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_tests.automation.dead_runs import (
    LONG_SILENT,
    elsewhere,
    gone,
    started,
    state,
)
from bridge_cart_tests.deploy.postgres_server import Server


@dg.asset
def till() -> dg.MaterializeResult[None]:
    """A trivial asset."""
    print("counted")
    return dg.MaterializeResult(metadata={"rows": 7})


def test_a_run_and_its_materialization_are_stored_in_postgres(
    instance: dg.DagsterInstance, postgres: Server, tmp_path: Path
) -> None:
    job = dg.Definitions(assets=[till]).resolve_implicit_global_asset_job_def()

    run = job.execute_in_process(instance=instance)

    assert postgres.ask("SELECT status FROM runs WHERE run_id = %s", run.run_id) == [("SUCCESS",)]
    assert postgres.ask(
        "SELECT asset_key FROM event_logs WHERE run_id = %s"
        " AND dagster_event_type = 'ASSET_MATERIALIZATION'",
        run.run_id,
    ) == [('["till"]',)]
    latest = instance.get_latest_materialization_event(dg.AssetKey("till"))
    assert latest is not None
    assert latest.run_id == run.run_id
    home = {path.name for path in (tmp_path / "home").iterdir()}
    assert home == {"dagster.yaml"}, "nothing is written beside the configuration"


def test_a_dead_run_is_ended_and_a_slot_that_it_held_is_free(
    instance: dg.DagsterInstance,
) -> None:
    """As an earlier version could leave it, which had pools."""
    instance.event_log_storage.set_concurrency_slots("till", 1)
    dead = started(instance, gone())
    instance.event_log_storage.claim_concurrency_slot("till", dead, "till")
    assert instance.event_log_storage.get_concurrency_info("till").active_slot_count == 1

    ended = end_dead_runs(instance)

    assert [run.run_id for run in ended] == [dead]
    assert state(instance, dead) == "FAILURE"
    assert instance.event_log_storage.get_concurrency_info("till").active_slot_count == 0


def test_a_run_of_another_machine_is_judged_by_its_heartbeat(
    instance: dg.DagsterInstance,
) -> None:
    alive = started(instance, elsewhere(), silent=timedelta(seconds=30))
    dead = started(instance, elsewhere(), silent=LONG_SILENT)
    assert [run.run_id for run in end_dead_runs(instance)] == [dead]
    assert (state(instance, alive), state(instance, dead)) == ("STARTED", "FAILURE")
    record = under_way(instance, "refresh")
    assert record is not None
    assert record.dagster_run.run_id == alive


def test_a_run_that_was_killed_before_it_could_name_its_process_is_ended(
    instance: dg.DagsterInstance, postgres: Server
) -> None:
    """Those of other code locations never name one, and are left alone."""
    ours = {".dagster/repository": "__repository__@bridge_cart"}
    dead = started(instance, tags=ours)
    another = started(instance, tags={".dagster/repository": "__repository__@another"})
    postgres.ask("UPDATE runs SET update_timestamp = update_timestamp - interval '61 seconds'")
    starting = started(instance, tags=ours)

    ended = end_dead_runs(instance)

    assert [run.run_id for run in ended] == [dead]
    assert "never began to work" in ended[0].reason
    states = [state(instance, run) for run in (dead, another, starting)]
    assert states == ["FAILURE", "STARTED", "STARTED"]


def test_the_instance_has_the_launcher_that_knows_dead_runs(instance: dg.DagsterInstance) -> None:
    assert instance.run_launcher.supports_check_run_worker_health
    assert instance.run_monitoring_enabled


@pytest.mark.slow
def test_the_command_after_a_killed_one_ends_its_run_and_goes_on(
    instance: dg.DagsterInstance, postgres: Server, tmp_path: Path
) -> None:
    """The real command, killed while it writes silver."""
    instance.wipe()
    landed = tmp_path / "landing" / "purchases" / "2024-01-01.csv"
    landed.parent.mkdir(parents=True)
    landed.write_text("order_id,customer_id,purchase_date,purchase_amount\nO1,C1,2024-01-01,10\n")
    command = [sys.executable, "-m", "bridge_cart_assets", "run"]
    environment = {**os.environ, "BRIDGE_CART_DATA": str(tmp_path)}
    states = "SELECT status FROM runs WHERE pipeline_name = %s ORDER BY id"
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as first:
        deadline = time.monotonic() + 60
        while not (tmp_path / "lake/silver/purchases/_delta_log").exists():
            assert first.poll() is None, "it ended before silver"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        first.kill()
    assert postgres.ask(states, "refresh") == [("STARTED",)]

    second = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=120
    )

    assert second.returncode == 0, second.stderr
    assert "its process is gone" in " ".join(second.stderr.split())
    assert postgres.ask(states, "refresh") == [("FAILURE",), ("SUCCESS",)]
    assert Lake(str(tmp_path / "lake")).snapshot(PURCHASES).rows == 1
