"""A place without a lakehouse, and files of days that are no partitions: said as they are."""

import shutil
import socket
from datetime import date, timedelta
from pathlib import Path

import pytest

from bridge_cart_assets import dev
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.stores.servers import free_port

ORDER = "order_id,customer_id,purchase_date,purchase_amount\nO{0},C1,2024-01-01,5\n"


def land(data: Path, *names: str) -> None:
    folder = data / "landing" / "purchases"
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        (folder / name).write_text(ORDER.format(number))


@pytest.mark.parametrize("verb", ["check", "doctor"])
def test_a_mistyped_folder_is_named_and_nothing_is_made(
    tmp_path: Path, command: Command, verb: str
) -> None:
    place = tmp_path / "mistyped"
    done = command(verb, BRIDGE_CART_DATA=str(place))
    assert done.returncode == 1
    assert f"there is no lakehouse in {place}/lake" in done.stderr
    assert "BRIDGE_CART_DATA" in done.stderr
    assert not place.exists()


def test_status_names_the_place_where_nothing_is(tmp_path: Path, command: Command) -> None:
    done = command("status", BRIDGE_CART_DATA=str(tmp_path / "mistyped"))
    assert done.returncode == 0
    assert f"none yet in {tmp_path}/mistyped/lake" in done.stdout
    assert not (tmp_path / "mistyped").exists()


def test_files_of_days_to_come_are_named_and_no_start_date_is_asked_for(
    tmp_path: Path, command: Command
) -> None:
    later = date.today() + timedelta(days=40)
    land(tmp_path, *(f"{later + timedelta(days=n)}.csv" for n in range(5)))
    done = command("run")
    assert done.returncode == 0
    assert f"purchases/{later}.csv" in done.stderr
    assert "and 2 more" in done.stderr
    assert "later than today" in done.stderr
    assert "BRIDGE_CART_START_DATE" not in done.stderr


def test_files_before_the_first_partition_are_named_with_the_start_date_that_takes_them(
    tmp_path: Path, command: Command
) -> None:
    land(tmp_path, "2020-05-01.csv")
    done = command("run")
    assert "purchases/2020-05-01.csv of 2020-05-01 not taken in" in done.stderr
    assert "set BRIDGE_CART_START_DATE=2020-05-01" in done.stderr
    taken = command("run", BRIDGE_CART_START_DATE="2020-05-01")
    assert (taken.returncode, "not taken in" in taken.stderr) == (0, False)


@pytest.mark.parametrize("program", ["DAGSTER", "REPORT"])
def test_make_dev_begins_nothing_when_a_port_is_taken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    program: str,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        free = {name: free_port() for name in ("DAGSTER", "REPORT")}
        for name, number in {**free, program: port}.items():
            monkeypatch.setenv(f"BRIDGE_CART_{name}_PORT", str(number))
        monkeypatch.setenv("BRIDGE_CART_DATA", str(tmp_path))
        assert dev.main() == 1
    assert list(tmp_path.iterdir()) == []
    said = capsys.readouterr().err
    assert f"something else listens on port {port}" in said
    assert f"BRIDGE_CART_{program}_PORT={port + 1}" in said


def test_a_copied_data_folder_reads_its_own_files_after_a_run(
    tmp_path: Path, command: Command
) -> None:
    land(tmp_path / "old", "2024-01-01.csv")
    assert command("run", BRIDGE_CART_DATA=str(tmp_path / "old")).returncode == 0
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    # A landed file that was copied is looked at again, and that alone would be a reason to run.
    shutil.rmtree(tmp_path / "new" / "landing" / "purchases")
    here = {"BRIDGE_CART_DATA": str(tmp_path / "new")}
    assert command("run", **here).returncode == 0
    shutil.rmtree(tmp_path / "old")
    question = "SELECT count(*) FROM silver.purchases"
    assert command("sql", question, "--format", "csv", **here).stdout.splitlines()[1:] == ["1"]
    assert "nothing new" in command("run", **here).stdout
