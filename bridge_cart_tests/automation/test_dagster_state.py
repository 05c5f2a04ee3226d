"""Dagster's own state cannot be used: one line and its remedy, and the lake stays as it is."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bridge_cart_assets.automation import instance
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.conftest import Command

HEADER = "order_id,customer_id,purchase_date,purchase_amount\n"
# The dagster.yaml of earlier versions, to the letter.
RETRIES = "run_retries: {enabled: true, max_retries: 2}"
FIRST_INSTANCE = f"""\
# Written by bridge-cart on first use; change it as you like.
telemetry: {{enabled: false}}
nux: {{enabled: false}}
event_log_storage:
  module: bridge_cart_assets.automation.event_log
  class: PooledSqliteEventLogStorage
  config: {{base_dir: {{env: DAGSTER_HOME}}}}
run_storage:
  module: dagster._core.storage.runs
  class: SqliteRunStorage
  config: {{base_dir: {{env: DAGSTER_HOME}}}}
schedule_storage:
  module: dagster._core.storage.schedules
  class: SqliteScheduleStorage
  config: {{base_dir: {{env: DAGSTER_HOME}}}}
{RETRIES}
run_monitoring: {{enabled: true}}
concurrency:
  runs: {{max_concurrent_runs: 2}}
  pools: {{default_limit: 1}}
"""
# Without its last part, the days after which ticks are forgotten.
LATEST_BUT_ONE = """\
# Written by bridge-cart on first use; change it as you like.
telemetry: {enabled: false}
nux: {enabled: false}
event_log_storage:
  module: bridge_cart_assets.automation.event_log
  class: PooledSqliteEventLogStorage
  config: {base_dir: {env: DAGSTER_HOME}}
run_storage:
  module: bridge_cart_assets.automation.run_storage
  class: PatientSqliteRunStorage
  config: {base_dir: {env: DAGSTER_HOME}}
schedule_storage:
  module: dagster._core.storage.schedules
  class: SqliteScheduleStorage
  config: {base_dir: {env: DAGSTER_HOME}}
# Tells Dagster's run monitoring whether the process of a run still lives.
run_launcher:
  module: bridge_cart_assets.automation.launcher
  class: LivenessRunLauncher
run_retries: {enabled: true, max_retries: 2, retry_on_asset_or_op_failure: false}
run_monitoring: {enabled: true, start_timeout_seconds: 120, poll_interval_seconds: 20}
concurrency:
  runs: {max_concurrent_runs: 2}
"""
WRITTEN_EARLIER = (
    FIRST_INSTANCE,
    FIRST_INSTANCE.replace(RETRIES, f"{RETRIES[:-1]}, retry_on_asset_or_op_failure: false}}"),
    LATEST_BUT_ONE,
)


def cut_off(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 3)


def overwritten(file: Path) -> None:
    file.write_bytes(b"nonsense " * 5_000)


def of_another_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        connection.commit()


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dagster's folder, as it is after its first use."""
    folder = tmp_path_factory.mktemp("state")
    settings = Settings(data=folder, lake=str(folder / "lake"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        patch.delenv("DAGSTER_HOME")
        from bridge_cart_assets.automation.instance import dagster_instance

        with dagster_instance(settings):
            pass
    return settings.dagster_home


def land(data: Path) -> None:
    folder = data / "landing" / "purchases"
    folder.mkdir(parents=True)
    (folder / "2024-01-01.csv").write_text(HEADER + "O1,C1,2024-01-01,10\n")


def copy_of(state: Path, data: Path) -> Path:
    target = data / "dagster"
    target.mkdir()
    for file in state.glob("*.*"):
        (target / file.name).write_bytes(file.read_bytes())
    return target


@pytest.mark.parametrize("name", ["index.db", "runs.db", "schedules.db"])
@pytest.mark.parametrize("damage", [cut_off, overwritten, of_another_version])
def test_a_damaged_database_is_named_and_a_folder_moved_away_brings_it_back(
    tmp_path: Path, command: Command, state: Path, name: str, damage: Callable[[Path], None]
) -> None:
    land(tmp_path)
    damage(copy_of(state, tmp_path) / name)

    done = command("run")

    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 2
    assert f"error: Dagster's state in {tmp_path / 'dagster'}" in done.stderr
    assert "move the folder away" in done.stderr.replace("\n", " ")
    assert not (tmp_path / "lake").exists()


def test_the_documented_step_brings_dagster_back_and_leaves_the_lake(
    tmp_path: Path, command: Command, state: Path
) -> None:
    land(tmp_path)
    assert command("run").returncode == 0
    cut_off(tmp_path / "dagster" / "index.db")
    assert command("run").returncode == 1
    (tmp_path / "dagster").rename(tmp_path / "dagster-damaged")
    done = command("run")
    assert (done.returncode, "nothing new" in done.stdout) == (0, True)


@pytest.mark.slow
def test_a_lost_database_is_made_again(tmp_path: Path, command: Command, state: Path) -> None:
    land(tmp_path)
    copy = copy_of(state, tmp_path)
    for name in ("index.db", "runs.db"):
        (copy / name).unlink()
    assert command("run").returncode == 0


@pytest.mark.parametrize("text", ["nonsense: {", "nonsense: {a: 1}"])
def test_a_wrong_dagster_yaml_is_named(tmp_path: Path, command: Command, text: str) -> None:
    land(tmp_path)
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").write_text(text)
    done = command("run")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 2
    assert "dagster.yaml" in done.stderr
    assert not (tmp_path / "lake").exists()


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path, command: Command) -> None:
    land(tmp_path)
    (tmp_path / "dagster").touch()
    done = command("run")
    assert done.returncode == 1
    assert "File exists" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2


@pytest.mark.parametrize("name", ["index.db", "runs.db", "schedules.db"])
def test_a_database_that_was_made_and_not_stamped_is_no_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: Path, name: str
) -> None:
    """A kill or a power cut between the two; Dagster would say that it is of another version."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.delenv("DAGSTER_HOME")
    with closing(sqlite3.connect(copy_of(state, tmp_path) / name)) as connection:
        connection.execute("DROP TABLE alembic_version")
        connection.commit()
    settings = Settings(data=tmp_path, lake=str(tmp_path / "lake"))
    with instance.dagster_instance(settings) as opened:
        assert opened.get_runs_count() == 0


def test_the_instance_file_is_forced_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut could leave it empty: Dagster's own settings then, with telemetry."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.delenv("DAGSTER_HOME")
    file = tmp_path / "dagster" / "dagster.yaml"
    forced: list[tuple[str, bool]] = []

    def fsync(opened: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{opened}"))
        forced.append((path.name, file.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    instance.dagster_home(Settings(data=tmp_path, lake=str(tmp_path / "lake")))
    assert forced == [(f"dagster.yaml.{os.getpid()}", False), ("dagster", True)]


# The last two are what a power cut left of those that were not forced.
@pytest.mark.parametrize("earlier", [*WRITTEN_EARLIER, "", "\0" * 900])
def test_an_unchanged_instance_file_of_an_earlier_version_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: str
) -> None:
    """A file that its user has changed stays."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.delenv("DAGSTER_HOME")
    settings = Settings(data=tmp_path, lake=str(tmp_path / "lake"))
    file = instance.dagster_home(settings) / "dagster.yaml"
    now = file.read_text()
    assert "pools" not in now
    assert "LivenessRunLauncher" in now
    monkeypatch.delenv("DAGSTER_HOME")

    file.write_text(f"{now}\n# mine\n")
    instance.dagster_home(settings)
    assert file.read_text().endswith("# mine\n")
    monkeypatch.delenv("DAGSTER_HOME")

    file.write_text(earlier)
    instance.dagster_home(settings)
    assert file.read_text() == now
