"""Whether Dagster has to be asked, and what is known without it."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from bridge_cart_assets.automation.instance import dagster_instance
from bridge_cart_assets.automation.latest_state import REFRESH
from bridge_cart_assets.automation.recorded_state import recorded_state
from bridge_cart_assets.automation.state_files import (
    ENDED,
    REVISION,
    damaged_files,
    latest_state,
    may_be_unfinished,
)
from bridge_cart_assets.pipeline.stored_tables import PUBLISHED_TABLES, RAW_TABLES
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.conftest import Command


@dg.op
def nothing() -> None:
    pass


@dg.job
def job() -> None:
    nothing()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return Settings(data=tmp_path)


def test_without_dagsters_folder_no_run_can_be_unfinished(settings: Settings) -> None:
    assert not may_be_unfinished(settings)


@pytest.mark.parametrize(
    ("status", "unfinished"),
    [
        (dg.DagsterRunStatus.STARTED, True),
        (dg.DagsterRunStatus.CANCELING, True),
        (dg.DagsterRunStatus.SUCCESS, False),
        (dg.DagsterRunStatus.FAILURE, False),
        (dg.DagsterRunStatus.CANCELED, False),
    ],
)
def test_a_run_is_unfinished_until_dagster_has_its_end(
    settings: Settings, status: dg.DagsterRunStatus, unfinished: bool
) -> None:
    with dagster_instance(settings) as instance:
        instance.create_run_for_job(job, status=status)
    assert may_be_unfinished(settings) is unfinished


def test_only_dagster_can_tell_what_is_wrong_with_a_file(settings: Settings) -> None:
    home = settings.dagster_home
    home.mkdir(parents=True)
    assert may_be_unfinished(settings), "runs may be kept in Postgres"
    (home / "runs.db").write_bytes(b"no database at all" * 20)
    assert may_be_unfinished(settings)


def test_a_list_of_runs_that_is_being_written_is_read_all_the_same(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.SUCCESS)
    writer = sqlite3.connect(settings.dagster_home / "runs.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        assert not may_be_unfinished(settings)
    finally:
        writer.close()


def test_the_ends_of_a_run_are_those_of_dagster() -> None:
    assert set(ENDED) == {status.value for status in FINISHED_STATUSES}


def test_the_latest_run_and_its_checks_are_read_as_dagster_tells_them(
    settings: Settings, command: Command
) -> None:
    """`status` does without Dagster where its files are as the command wrote them."""
    file = settings.landing / "purchases" / "2024-01-01.csv"
    file.parent.mkdir(parents=True)
    file.write_text("order_id,customer_id,purchase_date,purchase_amount\nO1,C1,2024-01-01,10\nO2\n")
    assert command("run").returncode == 0
    tables = (*RAW_TABLES, *PUBLISHED_TABLES)
    with dagster_instance(settings) as instance:
        recorded = recorded_state(instance, REFRESH, tables)
    assert latest_state(settings, REFRESH) == recorded
    assert recorded.last_run is not None
    assert recorded.last_run.success
    assert not all(check.passed for check in recorded.checks.values())
    assert json.loads(command("status", "--json").stdout)["last_run"]["success"]


def test_a_run_that_failed_before_it_began_is_no_latest_run(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTING)
        instance.report_run_failed(run, "it was never launched")
        recorded = recorded_state(instance, job.name, ())
    assert latest_state(settings, job.name) == recorded
    assert recorded.last_run is None


def _another_revision(home: Path) -> None:
    with sqlite3.connect(home / "index.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")


@pytest.mark.parametrize(
    "changed",
    [
        _another_revision,
        lambda home: (home / "dagster.yaml").write_text("storage: {postgres: {}}"),
        lambda home: (home / "runs.db").write_bytes(b"no database at all" * 20),
        lambda home: (home / "index.db").unlink(),
    ],
    ids=["another revision", "another storage", "damaged", "a file is gone"],
)
def test_where_the_files_are_not_as_written_only_dagster_can_tell(
    settings: Settings, changed: Callable[[Path], object]
) -> None:
    with dagster_instance(settings) as instance:
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.SUCCESS)
    assert latest_state(settings, REFRESH) is not None
    changed(settings.dagster_home)
    assert latest_state(settings, REFRESH) is None


def test_files_from_before_a_server_do_not_say_whether_a_run_is_under_way(
    settings: Settings,
) -> None:
    with dagster_instance(settings) as instance:
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.SUCCESS)
    assert not may_be_unfinished(settings)
    (settings.dagster_home / "dagster.yaml").write_text("storage: {postgres: {}}")
    assert may_be_unfinished(settings)


def test_the_revision_that_is_read_is_that_of_the_installed_dagster(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        storages = (instance.run_storage, instance.event_log_storage)
        assert [storage.alembic_version() for storage in storages] == [(REVISION, REVISION)] * 2


_GROW = """
import resource, sqlite3, sys
file, size, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
with sqlite3.connect(file) as opened:
    opened.execute("PRAGMA journal_mode=WAL")
    opened.execute("PRAGMA wal_autocheckpoint=0")
    opened.execute("CREATE TABLE IF NOT EXISTS t (a)")
    opened.execute("INSERT INTO t VALUES (zeroblob(?))", (size,))
opened.close()
"""


def test_an_interrupted_checkpoint_is_no_damage(tmp_path: Path) -> None:
    """When room ends while pages go from the log into the file, the log still has them."""
    file = tmp_path / "index.db"
    for size, limit in ((1_000_000, 10_000_000), (300_000, 1_100_000)):
        subprocess.run([sys.executable, "-c", _GROW, str(file), str(size), str(limit)], check=True)
    pages = int.from_bytes(file.read_bytes()[28:32], "big")
    assert file.stat().st_size < pages * 4096, "the checkpoint was not interrupted"
    assert list(damaged_files(tmp_path)) == []

    log = file.with_name("index.db-wal")
    whole = log.read_bytes()
    log.write_bytes(whole[: len(whole) // 2])
    [(damaged, why)] = damaged_files(tmp_path)
    assert damaged == file
    assert "is cut off" in why

    log.write_bytes(whole)
    with sqlite3.connect(file) as opened:
        assert opened.execute("SELECT count(*), sum(length(a)) FROM t").fetchone() == (2, 1_300_000)
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
