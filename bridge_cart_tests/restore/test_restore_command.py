"""`bridge-cart restore`: what it says, and what it leaves when it is killed or not alone."""

import json
import shutil
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.lake_states import LakeState, lake_states, table_logs
from bridge_cart_assets.pipeline.open_operations import OperationOpenError, refuse_while_open
from bridge_cart_assets.pipeline.open_restore import begin_restore, open_restore
from bridge_cart_assets.pipeline.restoring import changes_to
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.faults.command_rounds import Moment, at, changed, log_of, start
from bridge_cart_tests.restore.shop import SmallShop

ORDERS = "SELECT sum(orders)::INT AS orders FROM gold.kpis_daily"
_LONGEST = 300


def complete(data: Path, *arguments: str) -> str:
    """The command in a process of its own, to its end; what it said."""
    with start(data, *arguments) as process:
        said, _ = process.communicate(timeout=_LONGEST)
    assert process.returncode == 0, said
    return said


def states_of(data: Path) -> list[LakeState]:
    return [s for s in lake_states(table_logs(Lake(str(data / "lake")))) if s.version]


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that the real command has run over twice."""
    shop = SmallShop(tmp_path_factory.mktemp("twice") / "data")
    for number in (0, 1):
        shop.land(number)
        complete(shop.data, "run")
    return shop.data


def copy_of(data: Path, to: Path) -> SmallShop:
    shutil.copytree(data, to, copy_function=shutil.copy2, dirs_exist_ok=True)
    return SmallShop(to)


@pytest.mark.slow
def test_it_says_what_would_go_goes_back_and_a_run_takes_it_in_again(
    twice: Path, tmp_path: Path, command: Command
) -> None:
    shop = copy_of(twice, tmp_path)
    first, second = states_of(tmp_path)
    before, taken = shop.contents(), shop.taken()

    def orders() -> int:
        [row] = json.loads(command("sql", ORDERS, "--format", "json").stdout)
        return int(row["orders"])

    assert orders() == 2
    for listed in (command("restore", "--list"), command("restore")):
        assert listed.returncode == 0
        assert f"{second.version}" in listed.stdout
        assert "2 records of customers, 2 records of purchases (2 files)" in listed.stdout
        assert "the earliest moment is" in listed.stdout

    unsure = command("restore", "--as-of", str(first.version))
    assert unsure.returncode == 2
    assert "raw/purchases: 4 rows now, 2 then; 1 landed files count as not taken" in unsure.stdout
    assert "add --yes" in unsure.stderr
    assert shop.taken() == taken

    done = command("restore", "--as-of", str(first.version), "--yes")
    assert done.returncode == 0, done.stderr
    assert len(shop.taken()) == 4
    assert orders() == 2
    assert shop.lake.snapshot(PURCHASES).read()["purchase_amount"].sum() == 30
    assert "1 new file" not in done.stdout
    assert open_restore(shop.settings) is None
    assert command("check").returncode == 0
    again = command("run")
    assert again.returncode == 0, again.stderr
    assert shop.taken() == taken
    assert [p for p, rows in shop.contents().items() if not rows.equals(before[p])] == []
    assert "nothing new" in command("run").stdout


@pytest.mark.slow
def test_wrong_use_and_what_cannot_be_had(twice: Path, tmp_path: Path, command: Command) -> None:
    shop = copy_of(twice, tmp_path)
    taken = shop.taken()
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for arguments, code, words in [
        (("--yes",), 2, "name the state to go back to"),
        (("--as-of", "2024-13-01", "--yes"), 2, "is no time"),
        (("--as-of", later, "--yes"), 2, "has not come yet"),
        (("--as-of", "0000", "--yes"), 1, "no run that the lake remembers is called '0000'"),
        (("--as-of", "2020-01-01"), 1, "the earliest moment is"),
    ]:
        done = command("restore", *arguments)
        assert (done.returncode, words in done.stderr) == (code, True), (arguments, done)
        assert done.stderr.count("\n") <= 2
    assert shop.taken() == taken


def test_an_empty_folder_has_nothing_to_go_back_to(command: Command) -> None:
    assert command("restore", "--list").returncode == 1
    assert command("restore", "--as-of", "2024-01-01").returncode == 1


@pytest.mark.slow
def test_a_state_says_which_files_it_took_in(twice: Path) -> None:
    assert [state.files for state in states_of(twice)] == [2, 2]
    assert [state.days for state in states_of(twice)] == [
        ("2024-01-02", "2024-01-02"),
        ("2024-01-03", "2024-01-03"),
    ]


def test_while_it_is_open_runs_are_refused(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    begun = begin_restore(settings, datetime.now(UTC))
    with pytest.raises(OperationOpenError, match="a restore is not complete: bridge-cart run"):
        refuse_while_open(settings, {})
    assert (tmp_path / "restoring.json").stat().st_mode & 0o777 == 0o600
    begun.close(settings)
    refuse_while_open(settings, {})


def phases(data: Path) -> dict[str, Moment]:
    """For each phase of a restore how it is seen that it has been reached."""
    restoring = data / "restoring.json"
    tables = [log_of(data, path) for path in ("silver/accounting",)]
    last = [log_of(data, "raw/purchases")]
    return {
        "begun": lambda _: restoring.exists(),
        "first table": changed(tables),
        "last table": changed(last),
        "catalogue gone": lambda d: not (d / "bridge_cart.duckdb").exists(),
        "following": lambda d: not restoring.exists() and not (d / "bridge_cart.duckdb").exists(),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "phase", ["begun", "first table", "last table", "catalogue gone", "following", "3 s"]
)
def test_killed_in_any_phase_the_next_run_completes_it(
    twice: Path, tmp_path: Path, phase: str
) -> None:
    shop = copy_of(twice, tmp_path / "data")
    first, _ = states_of(shop.data)
    before, taken = shop.contents(), shop.taken()
    reached = at(3) if phase == "3 s" else phases(shop.data)[phase]
    with start(shop.data, "restore", "--as-of", str(first.version), "--yes") as process:
        while process.poll() is None and not reached(shop.data):
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=_LONGEST)
    was_open = (shop.data / "restoring.json").exists()
    assert was_open == (phase not in ("following", "3 s")) or phase == "3 s"
    said = complete(shop.data, "run")
    assert ("completed a restore that was cut off" in said) == was_open
    assert not (shop.data / "restoring.json").exists()
    assert shop.taken() == taken
    assert [p for p, rows in shop.contents().items() if not rows.equals(before[p])] == []


@pytest.mark.slow
def test_two_at_once_and_a_run_beside_them_end_well(twice: Path, tmp_path: Path) -> None:
    shop = copy_of(twice, tmp_path / "data")
    first, second = states_of(shop.data)
    before, taken = shop.contents(), shop.taken()
    begun = [
        start(shop.data, "restore", "--as-of", str(first.version), "--yes"),
        start(shop.data, "restore", "--as-of", str(second.version), "--yes"),
        start(shop.data, "run"),
    ]
    ends = [process.communicate(timeout=_LONGEST)[0] for process in begun]
    assert [process.returncode for process in begun] == [0, 0, 0], ends
    assert open_restore(shop.settings) is None
    complete(shop.data, "run")
    assert shop.taken() == taken
    assert [p for p, rows in shop.contents().items() if not rows.equals(before[p])] == []


@pytest.mark.slow
def test_settings_of_then_are_named(tmp_path: Path, command: Command) -> None:
    shop = SmallShop(tmp_path)
    shop.land(0)
    berlin = {"BRIDGE_CART_TIMEZONE": "Europe/Berlin"}
    assert command("run").returncode == 0
    [first] = states_of(tmp_path)
    assert command("rebuild", **berlin).returncode == 0
    back = command("restore", "--as-of", str(first.version), "--yes", **berlin)
    assert back.returncode == 1
    assert "the tables are what they were at" in back.stderr
    assert "BRIDGE_CART_TIMEZONE='Europe/Berlin' is not accepted" in back.stderr
    assert command("run", **berlin).returncode == 2
    assert command("run").returncode == 0
    assert command("sql", ORDERS).returncode == 0


@pytest.mark.slow
def test_nothing_is_due_when_nothing_has_changed(twice: Path, tmp_path: Path) -> None:
    shop = copy_of(twice, tmp_path)
    targets = {path: log.latest for path, log in table_logs(shop.lake).items()}
    assert not any(change.is_due for change in changes_to(shop.lake, targets))
