"""Whether Dagster has to be asked before a command says that nothing is new."""

import sqlite3
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from bridge_cart_assets.automation.instance import dagster_instance
from bridge_cart_assets.automation.state_files import ENDED, may_be_unfinished
from bridge_cart_assets.settings import Settings


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
