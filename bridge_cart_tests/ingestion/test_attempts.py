"""A file during which a run died is tried alone once more, and then refused."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bridge_cart_assets.ingestion.attempts import attempts
from bridge_cart_assets.ingestion.ingest_files import FilesTaken, ingest_files
from bridge_cart_assets.ingestion.landing import LandedFile, list_landing
from bridge_cart_assets.ingestion.ledger import new_files
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.sources.customers import CUSTOMERS

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
