"""Raw has lost records: the verbs say so, nothing is made less, and what can come again does."""

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from unittest.mock import patch

import pytest

from bridge_cart_assets.batch_days import DayRange
from bridge_cart_assets.lake import writable
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import DamagedTableError
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.pipeline.losses import missing_records
from bridge_cart_assets.pipeline.open_rebuild import unfinished_rebuild
from bridge_cart_assets.pipeline.plan import plan
from bridge_cart_assets.pipeline.rebuild import begin_rebuild, finish_rebuild
from bridge_cart_assets.pipeline.silver import due_days
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.tables.silver import (
    CUSTOMER_REPEATS,
    CUSTOMERS,
    IDENTITIES,
    PURCHASE_REPEATS,
    PURCHASES,
    QUARANTINE,
)
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.faults import kill_target

HEADER = "order_id,customer_id,purchase_date,purchase_amount\n"
ORDERS = "SELECT sum(orders)::INT AS orders FROM gold.kpis_daily"


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files, an order each, that have gone through the whole chain."""
    data = tmp_path_factory.mktemp("taken")
    folder = data / "landing" / "purchases"
    folder.mkdir(parents=True)
    for day in ("01", "02", "03"):
        (folder / f"2024-01-{day}.csv").write_text(f"{HEADER}O{day},C1,2024-01-{day},10\n")
    kill_target.run(data)
    return data


@pytest.fixture
def whole(taken: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(taken, tmp_path, copy_function=shutil.copy2, dirs_exist_ok=True)


@pytest.fixture
def lost(whole: Path) -> Path:
    """Its raw table is gone, and so are two of its files; they have been put away."""
    shutil.rmtree(whole / "lake" / "raw" / "purchases")
    (whole / "away").mkdir()
    for day in ("01", "02"):
        file = whole / "landing" / "purchases" / f"2024-01-{day}.csv"
        file.rename(whole / "away" / file.name)
    return whole


def orders(command: Command) -> int:
    [row] = json.loads(command("sql", ORDERS, "--format", "json").stdout)
    return int(row["orders"])


def test_doctor_tells_what_is_lost_from_what_still_lies_in_landing(
    lost: Path, command: Command
) -> None:
    found = command("doctor")
    assert found.returncode == 1
    assert "LOST    purchases 2024-01-01: 1 of 1 records" in found.stdout
    assert "LOST    purchases/2024-01-02.csv: 1 records, among these" in found.stdout
    assert "2024-01-03: 1 of 1 records, which wait to be taken again" in found.stdout
    assert "do not rebuild" in found.stderr
    assert command("doctor").returncode == 1, "it does not forget"


def test_a_rebuild_is_refused_with_what_is_missing_and_changes_nothing(
    lost: Path, command: Command
) -> None:
    refused = command("rebuild")
    assert refused.returncode == 1
    assert len(refused.stderr.strip().splitlines()) == 2
    assert "3 of 3 records that silver has counted are not in raw" in refused.stderr
    assert "2024-01-01 to 2024-01-03" in refused.stderr
    assert orders(command) == 3
    assert unfinished_rebuild(Lake(str(lost / "lake"))) is None


def test_a_rebuild_that_could_not_fold_all_days_is_refused(whole: Path, command: Command) -> None:
    refused = command("rebuild", BRIDGE_CART_START_DATE="2024-01-03")
    assert refused.returncode == 1
    assert "2 batch days of silver (2024-01-01 to 2024-01-02) are no partitions" in refused.stderr
    assert "BRIDGE_CART_START_DATE=2024-01-01" in refused.stderr
    assert orders(command) == 3


def test_a_day_of_which_records_are_lost_is_not_folded_by_hand_either(lost: Path) -> None:
    """It would count less than before, and nothing would tell of the loss any more."""
    lake = Lake(str(lost / "lake"))
    (lost / "landing" / "purchases" / "2024-01-02-b.csv").write_text(
        f"{HEADER}N1,C1,2024-01-02,10\n"
    )
    refresh_silver(lake, lost / "landing")
    assert due_days(lake, None, None)["purchases"] == {date(2024, 1, 2), date(2024, 1, 3)}
    assert [m.batch_day for m in missing_records(lake)] == [date(2024, 1, 1)]


@pytest.mark.slow
def test_a_run_takes_what_is_there_and_warns_of_the_rest(lost: Path, command: Command) -> None:
    done = command("run")
    assert done.returncode == 0, done.stderr
    assert "warning: 2 of 2 records that silver has counted are not in raw" in done.stderr
    assert orders(command) == 3
    assert [m.records for m in missing_records(Lake(str(lost / "lake")))] == [1, 1]


@pytest.mark.slow
def test_files_that_are_landed_again_make_it_whole(lost: Path, command: Command) -> None:
    for file in (lost / "away").iterdir():
        shutil.copy(file, lost / "landing" / "purchases")
    waiting = command("doctor")
    assert (waiting.returncode, "LOST" in waiting.stdout) == (0, False)
    kill_target.run(lost)
    assert "the lake is sound" in command("doctor").stdout
    assert command("rebuild").returncode == 0
    assert orders(command) == 3


@pytest.mark.slow
def test_a_loss_can_be_accepted(lost: Path, command: Command) -> None:
    kill_target.run(lost)
    done = command("rebuild", "--accept-loss")
    assert done.returncode == 0, done.stderr
    assert orders(command) == 1
    assert "the lake is sound" in command("doctor").stdout


@pytest.mark.slow
def test_an_interrupted_rebuild_is_reported_until_a_run_has_completed_it(
    whole: Path, command: Command
) -> None:
    lake = Lake(str(whole / "lake"))
    begin_rebuild(lake, datetime(2024, 1, 2, tzinfo=UTC))

    assert json.loads(command("status", "--json").stdout)["rebuild"] == {
        "started_at": "2024-01-02T00:00:00+00:00"
    }
    assert "NOT COMPLETE" in command("status").stdout
    assert "the rebuild that began" in command("doctor").stdout
    days = DayRange(date(2024, 1, 1), date(2024, 1, 31))
    assert not finish_rebuild(lake, "too early", datetime.now(UTC), days), "a day is pending"
    assert command("run", BRIDGE_CART_IDENTITY="off").returncode == 0
    assert unfinished_rebuild(lake) is None
    assert json.loads(command("status", "--json").stdout)["rebuild"] is None
    assert "the lake is sound" in command("doctor").stdout
    assert orders(command) == 3


# What accounting has counted of each: a sale, a profile, a correction that lost, a refused line.
COUNTED = (PURCHASES, CUSTOMERS, PURCHASE_REPEATS, CUSTOMER_REPEATS, QUARANTINE, IDENTITIES)
PROFILES = "customer_id,name,updated_at\n"


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake that has a row of each of these tables."""
    data = tmp_path_factory.mktemp("counted")
    for source in ("purchases", "customers"):
        (data / "landing" / source).mkdir(parents=True)
    lines = f"{HEADER}O1,C1,2024-01-02,10\nO1,C1,2024-01-02,10\nO2,C1,no day,10\n"
    (data / "landing/purchases/2024-01-02.csv").write_text(lines)
    again = f"{HEADER}O1,C1,2024-01-02,10\n"
    (data / "landing/purchases/2024-01-03.csv").write_text(again)
    profiles = f"{PROFILES}C1,Ann,2024-01-02\nC1,Ann,2024-01-02\n"
    (data / "landing/customers/2024-01-02.csv").write_text(profiles)
    lake = Lake(str(data / "lake"))
    refresh_silver(lake, data / "landing", settings=Settings(data=data).silver)
    return data


@pytest.mark.parametrize("table", COUNTED, ids=lambda table: table.name)
def test_a_lake_without_a_table_of_silver_that_was_counted_is_refused(
    counted: Path, tmp_path: Path, table: Table
) -> None:
    data = shutil.copytree(counted, tmp_path / "data")
    settings = Settings(data=data, lake=str(data / "lake"))
    plan(settings, Lake(settings.lake))
    # Without its log a folder of Parquet files is no table either.
    shutil.rmtree(data / "lake" / table.path / "_delta_log")
    lake = Lake(settings.lake)
    with pytest.raises(DamagedTableError, match=f"{table.path}: it is gone.*\n.*rebuild"):
        plan(settings, lake)
    # Nor does a run get by that Dagster starts without a plan.
    with pytest.raises(DamagedTableError, match=table.path):
        refresh_silver(lake, data / "landing", settings=settings.silver)


@pytest.mark.slow
def test_gold_does_not_follow_a_table_of_silver_that_is_gone(whole: Path, command: Command) -> None:
    assert command("run").returncode == 0
    before = orders(command)
    shutil.rmtree(whole / "lake" / "silver" / "purchases")
    refused = command("run")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-2:] == [
        "error: silver/purchases: it is gone; accounting counts 3 rows, and there are 0",
        "bridge-cart rebuild makes silver and gold again from raw",
    ]
    assert orders(command) == before
    assert command("retrain").returncode == 1
    assert orders(command) == before
    assert command("rebuild").returncode == 0
    assert "nothing new" in command("run").stdout
    assert orders(command) == before


def test_a_lake_that_cannot_be_written_is_refused_in_two_lines(
    whole: Path, command: Command
) -> None:
    (whole / "landing/purchases/2024-01-04.csv").write_text(f"{HEADER}O4,C1,2024-01-04,10\n")
    locked = whole / "lake" / "ops" / "files"

    def may(folder: Path, mode: int) -> bool:
        # For root, as whom tests may run, everything can be written.
        return folder != locked

    with patch.object(writable.os, "access", may):
        refused = command("run")
    assert refused.returncode == 1
    said = refused.stderr.splitlines()
    assert said[0] == f"error: {locked} cannot be written by this user: nothing was done"
    assert len(said) == 2
    assert Lake(str(whole / "lake")).snapshot(FILES).rows == 3
