"""A file during which a run died is tried alone once more, and then refused."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge_cart_assets.ingestion.attempts import attempts
from bridge_cart_assets.ingestion.ingest_files import FilesTaken, ingest_files
from bridge_cart_assets.ingestion.landing import LandedFile, list_landing
from bridge_cart_assets.ingestion.ledger import new_files
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_tests.conftest import environment_of

# The intake of a process that dies when it has the text of a file in hand.
DYING = """
import os, signal, sys
from pathlib import Path
from bridge_cart_assets.automation.interruption import exit_on_signals
from bridge_cart_assets.ingestion import ingest_files as module
from bridge_cart_tests.ingestion.test_attempts import take

exit_on_signals()
read = module.read_all
def dying(contents, source):
    if any(b"poison" in content.data for content in contents):
        print([c.data.count(b"\\n") - 1 for c in contents], flush=True)
        os.kill(os.getpid(), int(sys.argv[2]))
    return read(contents, source)
module.read_all = dying
take(Path(sys.argv[1]))
"""


def take(root: Path) -> FilesTaken:
    lake = Lake(str(root / "lake"))
    files = new_files(lake, list_landing(root / "landing", "customers"))
    return ingest_files(lake, CUSTOMERS, files, "run", notes=root / "reading")


def dies(root: Path, number: int = signal.SIGKILL) -> str:
    """A run that dies over the poison; what it had in hand with it."""
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(root), str(number)],
        env={**os.environ},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode in (-number, 128 + number)
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "landing" / "customers"
    folder.mkdir(parents=True)
    for name, ids in (("a", "1"), ("b", "poison"), ("c", "3")):
        (folder / f"{name}_2024-01-01.csv").write_text(f"customer_id\n{ids}\n")
    return tmp_path


def test_alone_once_more_and_then_refused(root: Path) -> None:
    assert dies(root) == "[1, 1, 1]"
    assert dies(root) == "[1]"
    taken = take(root)
    [seen] = taken.refused
    assert (seen.file.object, seen.reason) == ("b_2024-01-01.csv", "TOO_LARGE")
    assert "a run died" in (seen.detail or "")
    # The first one of the three was taken by the run that tried them alone.
    assert taken.files == 1
    assert list((root / "reading").iterdir()) == []
    # It is not opened again, until it changes.
    assert take(root).refused == []
    path = root / "landing" / "customers" / "b_2024-01-01.csv"
    path.write_text("customer_id\n22\n")
    assert take(root).files == 1


def test_a_death_that_was_no_fault_of_the_file(root: Path) -> None:
    """It is read by the next run, and that a run died before is forgotten."""
    dies(root)
    assert take(root).files == 3
    (root / "landing" / "customers" / "d_2024-01-02.csv").write_text("customer_id\npoison\n")
    assert dies(root) == "[1]"
    assert take(root).refused == []


def test_a_file_that_was_read_has_no_deaths_left(root: Path) -> None:
    dies(root)
    files = list_landing(root / "landing", "customers")
    with attempts(root / "reading", "customers") as tried:
        assert [tried.deaths(file) for file in files] == [1, 1, 1]
        tried.parsed(files)
        assert [tried.deaths(file) for file in files] == [0, 0, 0]
        [note] = (root / "reading").iterdir()
        assert note.read_text() == "{}\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_no_death(root: Path, number: signal.Signals) -> None:
    for _ in range(3):
        assert dies(root, number) == "[1, 1, 1]"
        assert list((root / "reading").iterdir()) == []
    assert take(root).files == 3


def test_a_living_process_is_not_dead(root: Path) -> None:
    [file, *_] = list_landing(root / "landing", "customers")
    with attempts(root / "reading", "customers") as living:
        living.opening(file)
        with attempts(root / "reading", "customers") as other:
            assert other.deaths(file) == 0
    assert list((root / "reading").iterdir()) == []


def test_a_note_that_was_cut_off_counts_nothing(root: Path) -> None:
    (root / "reading").mkdir()
    [file, *_] = list_landing(root / "landing", "customers")
    for name, text in (("1", ""), ("2", "{"), ("3", '{}\n["customers","a'), ("4", "[]\nx\n")):
        (root / "reading" / f"customers-{name}.note").write_text(text)
    with attempts(root / "reading", "customers") as tried:
        assert tried.deaths(file) == 0


def test_without_a_place_for_notes_files_are_read(root: Path) -> None:
    (root / "reading").write_text("a file")
    assert take(root).files == 3


def test_notes_are_the_owners_alone(root: Path) -> None:
    file: LandedFile = list_landing(root / "landing", "customers")[0]
    with attempts(root / "reading", "customers") as tried:
        tried.opening(file)
        [note] = (root / "reading").iterdir()
        assert note.stat().st_mode & 0o777 == 0o600
        assert note.parent.stat().st_mode & 0o777 == 0o700


def run_killed_over(data: Path, name: str) -> list[str]:
    """Kill a run of the real command while it has a file in hand; what its note says."""
    folder = data / "reading"
    known = set(folder.glob("*"))
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge_cart_assets", "run"],
        env=environment_of(data),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while process.poll() is None:
            for note in set(folder.glob("customers-*.note")) - known:
                first, *in_hand = note.read_text().splitlines() or [""]
                if any(name in key for key in in_hand):
                    return [first, *in_hand]
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    pytest.fail(f"the run ended before it was seen with {name} in hand")


@pytest.mark.slow
def test_the_command_that_dies_twice_of_a_file_refuses_it(tmp_path: Path) -> None:
    folder = tmp_path / "landing" / "customers"
    folder.mkdir(parents=True)
    for name in ("a_2024-01-01.csv", "c_2024-01-03.csv"):
        (folder / name).write_text(f"customer_id\n{name[0]}\n")
    with (folder / "b_2024-01-02.csv").open("w") as file:
        file.write("customer_id,name\n")
        file.writelines(f"b{n},Name of {n}\n" for n in range(700_000))
    deaths, *in_hand = run_killed_over(tmp_path, "b_2024-01-02.csv")
    assert json.loads(deaths) == {}
    deaths, *in_hand = run_killed_over(tmp_path, "b_2024-01-02.csv")
    assert [(json.loads(key)[1], times) for key, times in json.loads(deaths).items()] == [
        ("b_2024-01-02.csv", 1)
    ]
    assert [json.loads(key)[1] for key in in_hand] == ["b_2024-01-02.csv"]

    def says(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "bridge_cart_assets", *arguments],
            env=environment_of(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    assert "b_2024-01-02.csv" in says("run")
    [seen] = json.loads(says("status", "--json"))["files"]
    assert (seen["object"], seen["reason"]) == ("b_2024-01-02.csv", "TOO_LARGE")
    assert "a run died" in says("status")
    assert "nothing new" in says("run")
    assert list((tmp_path / "reading").iterdir()) == []
