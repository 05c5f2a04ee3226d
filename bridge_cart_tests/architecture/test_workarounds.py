"""Canaries: each fails as expected for as long as a work-around is needed, and turns red after it.

A red canary is good news: remove the work-around that it names, then the canary.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
import sqlalchemy
from alembic.script import Script, ScriptDirectory
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError

from bridge_cart_assets.automation import migration_scripts

TAKEN = CommitProperties(app_transactions=[Transaction("taken", 1)])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of two small files."""
    for n in (1, 2):
        write_deltalake(tmp_path / "table", pl.DataFrame({"n": [n]}), mode="append")
    return tmp_path / "table"


@pytest.mark.xfail(strict=True, reason="lake/compaction.py writes the larger files itself")
def test_optimize_keeps_the_transactions_of_its_commit(table: Path) -> None:
    DeltaTable(table).optimize.compact(commit_properties=TAKEN)
    assert DeltaTable(table).transaction_version("taken") == 1


@pytest.mark.xfail(
    strict=True,
    reason="lake/commits.py looks transactions up before it writes: delta-io/delta-rs#2580",
)
def test_a_transaction_that_was_committed_is_not_committed_again(table: Path) -> None:
    write_deltalake(table, pl.DataFrame({"n": [3]}), mode="append", commit_properties=TAKEN)
    with pytest.raises(DeltaError):
        write_deltalake(table, pl.DataFrame({"n": [3]}), mode="append", commit_properties=TAKEN)


@pytest.mark.xfail(strict=True, reason="lake/transactions.py reads all transactions from the log")
def test_all_transactions_of_a_version_are_one_question() -> None:
    assert any("transactions" in name for name in dir(DeltaTable) if not name.startswith("_"))


@pytest.mark.xfail(
    strict=True,
    reason="automation/event_log.py keeps connections open: dagster-io/dagster#19618",
)
def test_dagsters_event_log_keeps_its_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def create_engine(url: str, **options: Any) -> sqlalchemy.Engine:
        opened.append(url)
        return sqlalchemy.create_engine(url, **options)

    monkeypatch.setattr(sqlite_event_log, "create_engine", create_engine)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        opened.clear()
        for _ in range(3):
            instance.event_log_storage.get_logs_for_run("nothing")
    assert len(opened) <= 1


@pytest.mark.xfail(strict=True, reason="automation/migration_scripts.py keeps what was read")
def test_dagster_reads_its_migration_scripts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[ScriptDirectory] = []
    load = ScriptDirectory._load_revisions

    def counted(scripts: ScriptDirectory) -> Iterator[Script]:
        readings.append(scripts)
        return load(scripts)

    monkeypatch.setattr(ScriptDirectory, "from_config", migration_scripts.read_scripts)
    monkeypatch.setattr(ScriptDirectory, "_load_revisions", counted)
    with dg.DagsterInstance.local_temp(str(tmp_path)):
        assert readings
    assert len(readings) == 1
