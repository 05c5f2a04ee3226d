"""`bridge-cart retract`: what it says, what is left, and what a kill or a rival leaves."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge_cart_assets.pipeline.open_operations import lake_alone, lake_shared
from bridge_cart_assets.pipeline.open_retraction import begin_retraction
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.conftest import Command, environment_of
from bridge_cart_tests.faults.command_rounds import random_moments
from bridge_cart_tests.lakehouse.tables import stale_tables
from bridge_cart_tests.retraction.shop import WITH_GOLD, Folder, folder_with
from bridge_cart_tests.retraction.test_retraction import GOES, GOOD, WRONG

KILLS = 4


def land_all(root: Path) -> Folder:
    folder = Folder(root)
    for name, text in {**GOOD, WRONG: GOES}.items():
        folder.land(name, text)
    return folder


@pytest.mark.slow
def test_a_file_is_taken_back_and_lands_again(command: Command, tmp_path: Path) -> None:
    folder = land_all(tmp_path)
    assert command("run").returncode == 0
    orders = "SELECT count(*) AS n FROM silver.purchases WHERE order_id = 'O9'"
    assert json.loads(command("sql", orders, "--format", "json").stdout) == [{"n": 1}]

    unsure = command("retract", WRONG)
    assert unsure.returncode == 2
    assert f"{WRONG}: 7 records of 2024-01-04" in unsure.stdout
    assert "5 lines that stand, 108.00 net" in unsure.stdout
    assert "nothing was taken back" in unsure.stderr
    unknown = command("retract", "purchases/2024-01-04.cvs", "--yes")
    assert (unknown.returncode, unknown.stderr.count("\n")) == (1, 2)
    assert WRONG in unknown.stderr
    assert command("retract", "bridge-cart.purchases-0", "--yes").returncode == 1
    assert (tmp_path / "landing" / WRONG).exists()
    assert not (tmp_path / "retracting.json").exists()

    # As a shell completes it.
    done = command("retract", str(tmp_path / "landing" / WRONG), "--yes")
    assert done.returncode == 0, done.stderr
    assert f"retracted {WRONG}: 7 records of 2024-01-04 have left raw" in done.stdout
    never = folder_with(tmp_path / "never", GOOD.items(), gold=True)
    assert folder.unlike(never, WITH_GOLD) == []
    assert stale_tables(folder.lake) == []
    assert json.loads(command("sql", orders, "--format", "json").stdout) == [{"n": 0}]
    assert "nothing new" in command("run").stdout
    [row] = json.loads(command("status", "--json").stdout)["retracted"]
    assert (row["object"], row["lies_in"]) == (WRONG[10:], f"_retracted/{WRONG}")
    again = command("retract", WRONG, "--yes")
    assert (again.returncode, "was taken back on" in again.stdout) == (0, True)

    shutil.move(tmp_path / "landing/_retracted" / WRONG, tmp_path / "landing" / WRONG)
    assert command("run").returncode == 0
    assert json.loads(command("sql", orders, "--format", "json").stdout) == [{"n": 1}]
    assert json.loads(command("status", "--json").stdout)["retracted"] == []


@pytest.mark.slow
def test_the_only_file_leaves_a_catalogue_without_rows(command: Command, tmp_path: Path) -> None:
    Folder(tmp_path).land(WRONG, GOES)
    assert command("run").returncode == 0
    assert command("retract", WRONG, "--yes").returncode == 0
    sales = command("sql", "SELECT count(*) AS n FROM gold.sales_daily", "--format", "json")
    assert json.loads(sales.stdout) == [{"n": 0}]
    assert "nothing new" in command("run").stdout
    assert command("check").returncode == 0


@pytest.mark.slow
def test_a_run_completes_what_was_begun(command: Command, tmp_path: Path) -> None:
    folder = land_all(tmp_path)
    assert command("run").returncode == 0
    begin_retraction(folder.settings, WRONG)
    assert (
        "a retraction is not complete: bridge-cart run finishes it\nNext: bridge-cart run"
        in command("doctor").stdout
    )
    again = command("run")
    assert again.returncode == 0, again.stderr
    assert f"completed a retraction that was cut off: {WRONG}, 7 records" in again.stderr
    assert not (tmp_path / "retracting.json").exists()
    never = folder_with(tmp_path / "never", GOOD.items(), gold=True)
    assert folder.unlike(never, WITH_GOLD) == []


@pytest.mark.slow
def test_a_file_that_cannot_be_moved_leaves_nothing_open(command: Command, tmp_path: Path) -> None:
    folder = land_all(tmp_path)
    assert command("run").returncode == 0
    # A file where the folder should be.
    folder.land("_retracted/purchases", "in the way")
    refused = command("retract", WRONG, "--yes")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 2)
    assert "cannot be moved" in refused.stderr
    assert not (tmp_path / "retracting.json").exists()
    assert "nothing new" in command("run").stdout


def test_runs_and_retractions_wait_for_each_other(command: Command, tmp_path: Path) -> None:
    folder = land_all(tmp_path)
    settings: Settings = folder.settings
    with lake_alone(settings, 0, print):
        beside = command("run", "--wait", "0")
    assert (beside.returncode, "is still under way" in beside.stderr) == (1, True)
    with lake_shared(settings, 0, print):
        beside = command("retract", WRONG, "--yes", "--wait", "0")
    assert (beside.returncode, "another run" in beside.stderr) == (1, True)
    assert not (tmp_path / "retracting.json").exists()


def begin(data: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "bridge_cart_assets", *arguments],
        env=environment_of(data),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def complete(data: Path, *arguments: str) -> float:
    began = time.monotonic()
    with begin(data, *arguments) as process:
        _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return time.monotonic() - began


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A folder of which the real command has taken all files; tests take a copy."""
    folder = land_all(tmp_path_factory.mktemp("whole"))
    complete(folder.root, "run")
    return folder


@pytest.fixture(scope="module")
def never(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return folder_with(tmp_path_factory.mktemp("never"), GOOD.items(), gold=True)


def copied(whole: Folder, data: Path) -> Folder:
    subprocess.run(["cp", "-a", whole.root, data], check=True)
    return Folder(data)


@pytest.mark.slow
def test_twice_at_once_it_is_taken_back_once(whole: Folder, never: Folder, tmp_path: Path) -> None:
    folder = copied(whole, tmp_path / "data")
    both = [begin(folder.root, "retract", WRONG, "--yes") for _ in range(2)]
    said = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted(out.split()[0] for out, _ in said) == [WRONG, "retracted"]
    assert folder.unlike(never, WITH_GOLD) == []


@pytest.mark.slow
def test_killed_at_any_moment_the_next_call_completes_it(
    whole: Folder, never: Folder, tmp_path: Path
) -> None:
    usual = complete(copied(whole, tmp_path / "usual").root, "retract", WRONG, "--yes")
    ways = []
    for number, moment in enumerate(random_moments(KILLS, usual, seed=18)):
        folder = copied(whole, tmp_path / f"killed-{number}")
        retracting = begin(folder.root, "retract", WRONG, "--yes")
        time.sleep(moment)
        retracting.send_signal(signal.SIGKILL)
        retracting.communicate()
        is_open = (folder.root / "retracting.json").exists()
        is_moved = not (folder.root / "landing" / WRONG).exists()
        verb = ("run",) if is_open or is_moved else ("retract", WRONG, "--yes")
        complete(folder.root, *verb)
        ways.append((round(moment, 1), verb[0]))
        assert folder.unlike(never, WITH_GOLD) == [], ways
        assert stale_tables(folder.lake) == [], ways
        assert (folder.root / "landing/_retracted" / WRONG).read_text() == GOES, ways
    print(f"retractions killed after seconds, and what completed them: {ways}")
