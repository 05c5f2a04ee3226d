"""`doctor` names what is wrong, is silent where nothing is, and what it says mends it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import duckdb
import polars as pl
import pytest

from bridge_cart_assets.lake.catalogue import build_catalogue
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.gold import GOLD_TABLES
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, KPI_MOVES, KPIS_DAILY
from bridge_cart_assets.tables.silver import (
    ACCOUNTING,
    CUSTOMERS,
    IDENTITIES,
    PURCHASE_REPEATS,
    PURCHASES,
    QUARANTINE,
    SETTINGS,
)
from bridge_cart_assets.tables.silver import TABLES as SILVER
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.terminal import diagnosis
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.faults import kill_target
from bridge_cart_tests.restore.shop import DELIVERIES, SmallShop

RAW = next(source.raw for source in SOURCES if source.name == "purchases")


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that has gone through the whole chain, with a refused line and a repeated one."""
    shop = SmallShop(tmp_path_factory.mktemp("taken"))
    for number in range(len(DELIVERIES)):
        shop.land(number)
    kill_target.run(shop.data)
    return shop.data


@pytest.fixture
def data(taken: Path, tmp_path: Path) -> Path:
    """A copy of it, whose catalogue is its own."""
    shutil.copytree(taken, tmp_path, copy_function=shutil.copy2, dirs_exist_ok=True)
    build(tmp_path)
    return tmp_path


def build(data: Path) -> None:
    lake = Lake(str(data / "lake"))
    with duckdb.connect(str(data / "bridge_cart.duckdb"), read_only=True) as connection:
        [(finished,)] = connection.execute("SELECT finished_at FROM meta.run").fetchall()
    build_catalogue(
        *(data / "bridge_cart.duckdb", lake, GOLD_TABLES, SILVER, [s.raw for s in SOURCES]),
        *("test", finished),
    )


def a_file_of(data: Path, table: Table) -> Path:
    """One that an earlier commit than the last added."""
    lake = Lake(str(data / "lake"))
    snapshot = lake.snapshot(table)
    path = snapshot.files.sort("modification_time")["path"][0]
    # A further commit, or a file that is gone is taken for a torn last one.
    snapshot.append(table.empty(), Commit("test"))
    return data / "lake" / table.path / str(path)


def folder_gone(data: Path, table: Table) -> None:
    shutil.rmtree(data / "lake" / table.path)


def log_gone(data: Path, table: Table) -> None:
    shutil.rmtree(data / "lake" / table.path / "_delta_log")


def file_gone(data: Path, table: Table) -> None:
    a_file_of(data, table).unlink()


def file_cut(data: Path, table: Table) -> None:
    file = a_file_of(data, table)
    file.write_bytes(file.read_bytes()[:-1])


Damaging = Callable[[Path, Table], None]
IN_GOLD = [
    (folder_gone, KPIS_DAILY, "run"),
    (log_gone, CUSTOMER_FEATURES, "run"),
    (folder_gone, KPI_MOVES, "run"),
    (file_gone, KPIS_DAILY, "rebuild"),
    (file_cut, KPI_MOVES, "rebuild"),
]
IN_SILVER = [
    (folder_gone, PURCHASES, "rebuild"),
    (log_gone, CUSTOMERS, "rebuild"),
    (folder_gone, IDENTITIES, "rebuild"),
    (folder_gone, QUARANTINE, "rebuild"),
    (folder_gone, PURCHASE_REPEATS, "rebuild"),
    (file_gone, PURCHASES, "rebuild"),
    (file_cut, CUSTOMERS, "rebuild"),
    (file_gone, ACCOUNTING, "run"),
]


def path_or_name(value: object) -> str:
    return (
        value.path.replace("/", "-")
        if isinstance(value, Table)
        else getattr(value, "__name__", str(value))
    )


def test_nothing_is_said_of_a_sound_lake(data: Path, command: Command) -> None:
    found = command("doctor")
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert lines[-1] == "the lake is sound"
    assert [line for line in lines[:-1] if not line.startswith("note    installed: ")] == []


@pytest.mark.slow
@pytest.mark.parametrize(("damaging", "table", "remedy"), [*IN_GOLD, *IN_SILVER], ids=path_or_name)
def test_a_table_is_named_and_the_remedy_mends_it(
    data: Path, command: Command, damaging: Damaging, table: Table, remedy: str
) -> None:
    before = SmallShop(data).contents()
    damaging(data, table)
    found = command("doctor")
    assert "the lake is sound" not in found.stdout
    assert f"{table.path}: " in found.stdout
    assert f"bridge-cart {remedy}" in found.stdout + found.stderr
    assert found.returncode == (1 if remedy == "rebuild" else 0), found.stdout
    done = command(remedy)
    assert done.returncode == 0, done.stderr
    now = SmallShop(data).contents()
    assert [path for path, rows in before.items() if not rows.equals(now[path])] == []
    again = command("doctor")
    assert again.stdout.splitlines()[-1] == "the lake is sound", again.stdout


@pytest.mark.parametrize(
    ("damaging", "table"),
    [(folder_gone, PURCHASES), (log_gone, CUSTOMER_FEATURES), (file_gone, KPIS_DAILY)],
    ids=path_or_name,
)
def test_a_damaged_table_is_named(
    data: Path, command: Command, damaging: Damaging, table: Table
) -> None:
    damaging(data, table)
    found = command("doctor")
    assert "the lake is sound" not in found.stdout
    assert f"{table.path}: " in found.stdout


@pytest.mark.parametrize(
    ("ruin", "words", "word"),
    [
        (lambda path: path.unlink(), "there is none", "due"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "cannot be read", "due"),
        (lambda path: path.write_bytes(b"no database"), "cannot be read", "due"),
    ],
)
def test_a_catalogue_that_is_gone_or_ruined(
    data: Path, command: Command, ruin: Callable[[Path], object], words: str, word: str
) -> None:
    ruin(data / "bridge_cart.duckdb")
    found = command("doctor")
    assert f"{word:8}catalogue: " in found.stdout
    assert words in found.stdout
    assert "bridge-cart run builds it again" in found.stdout


def test_a_catalogue_that_is_behind(data: Path, command: Command) -> None:
    Lake(str(data / "lake")).snapshot(PURCHASES).append(PURCHASES.empty(), Commit("test"))
    found = command("doctor")
    assert "due     catalogue: it has silver/purchases of version" in found.stdout


def test_a_catalogue_whose_views_read_another_lake_is_removed(
    taken: Path, tmp_path: Path, command: Command
) -> None:
    shutil.copytree(taken, tmp_path, copy_function=shutil.copy2, dirs_exist_ok=True)
    found = command("doctor")
    assert "mended  catalogue: its view silver." in found.stdout
    assert str(taken) in found.stdout
    assert not (tmp_path / "bridge_cart.duckdb").exists()
    assert "due     catalogue: there is none" in command("doctor").stdout


@pytest.mark.slow
def test_a_run_mends_a_ruined_catalogue(data: Path, command: Command) -> None:
    (data / "bridge_cart.duckdb").write_bytes(b"no database")
    assert command("run").returncode == 0
    assert command("doctor").stdout.endswith("the lake is sound\n")
    question = "SELECT sum(orders)::INT AS orders FROM gold.kpis_daily"
    [row] = json.loads(command("sql", question, "--format", "json").stdout)
    assert row["orders"] == 3


def test_files_of_killed_writers_are_noted(data: Path, command: Command) -> None:
    orphan = data / "lake" / PURCHASES.path / "purchase_month=2024-01" / "part-left.parquet"
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"x" * 2_000_000)
    found = command("doctor")
    assert found.returncode == 0
    assert "note    silver/purchases: 1 files (1.9 MB) belong to no version" in found.stdout
    assert "maintenance removes them" in found.stdout


def test_other_columns_are_named(data: Path, command: Command) -> None:
    lake = Lake(str(data / "lake"))
    snapshot = lake.snapshot(KPIS_DAILY)
    shutil.rmtree(data / "lake" / KPIS_DAILY.path)
    rows = snapshot.table.empty().drop("gini").with_columns(more=pl.lit("x"))
    rows.write_delta(str(data / "lake" / KPIS_DAILY.path))
    found = command("doctor")
    assert found.returncode == 1
    assert "BROKEN  gold/kpis_daily: gini is missing" in found.stdout
    assert "more is string, declared nowhere" in found.stdout


def test_raw_that_has_fewer_records_than_the_ledger(data: Path, command: Command) -> None:
    lake = Lake(str(data / "lake"))
    raw = lake.snapshot(RAW)

    def without_one(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.head(rows.height - 1)

    day = raw.read()["_batch_day"].min()
    raw.rewrite(without_one, [day], Commit("test"))  # type: ignore[list-item]
    found = command("doctor")
    assert found.returncode == 1
    assert "raw/purchases: 1 files have fewer records than were taken" in found.stdout
    assert "2024-01-02.csv: 1 of 2" in found.stdout


def test_a_check_that_failed_last_is_named(data: Path, command: Command) -> None:
    from bridge_cart_assets.automation.latest_state import CheckState, LatestState

    (data / "dagster").mkdir()
    (data / "dagster" / "dagster.yaml").touch()
    failed = CheckState(False, "ERROR", True, "3 keys are there twice")
    state = LatestState(None, {(PURCHASES.path, "keys_are_unique"): failed})
    with patch.object(diagnosis, "recorded_in_dagster", lambda _: state):
        found = command("doctor")
    assert found.returncode == 1
    assert (
        "BROKEN  silver/purchases: the check keys_are_unique failed last: 3 keys are there twice"
        in found.stdout
    )


def test_little_room_is_named(data: Path, command: Command) -> None:
    usage = shutil.disk_usage(data)._replace(free=2**29)
    with patch.object(diagnosis.shutil, "disk_usage", lambda _: usage):
        found = command("doctor")
    assert found.returncode == 1
    assert "0.5 GB are free on its disk" in found.stdout


def test_the_key_of_the_hashes_and_the_settings(tmp_path: Path, command: Command) -> None:
    shop = SmallShop(tmp_path)
    shop.land(0)
    shop.run()
    key = (tmp_path / "identity.key").read_text()
    (tmp_path / "identity.key").unlink()
    found = command("doctor")
    assert found.returncode == 1
    assert "BROKEN  silver/identities: the key of the addresses' hashes" in found.stdout
    (tmp_path / "identity.key").write_text(key)
    shutil.rmtree(tmp_path / "lake" / SETTINGS.path)
    found = command("doctor")
    assert (found.returncode, "BROKEN  silver/settings: it is gone" in found.stdout) == (1, True)


def test_an_open_restore_is_named(data: Path, command: Command) -> None:
    (data / "restoring.json").write_text("{}")
    assert "due     a restore is not complete" in command("doctor").stdout
