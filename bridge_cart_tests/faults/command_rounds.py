"""Rounds of the real command: a day lands, `bridge-cart run` is ended on its way, and runs again.

Belongs here: what a round is, and what has to hold after it. Which moments are tried is said in
`test_killed_command`. The command runs under its own Dagster instance, one run after the other, as
somebody does who lands files every day.
"""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.gold import GOLD_TABLES
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, CUSTOMER_SEGMENTS
from bridge_cart_assets.tables.silver import ACCOUNTING, PURCHASES, TABLES
from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.lakehouse.tables import WITHOUT_MODEL, contents, differences

FIRST_DAYS = 5
# A run after a killed one may take so many times what an undisturbed one takes.
BOUND = 3
_POLL_SECONDS = 0.002
_LONGEST_SECONDS = 180
Moment = Callable[[Path], bool]


def shop(days: int) -> Shop:
    """The shop whose days land, one more with each round."""
    return Shop(customers=80, newcomers=2, days=days, dirt=0.25)


@dataclass
class Rounds:
    """A folder in which one round follows the other.

    Attributes:
        data: the folder.
        usual: seconds of an undisturbed run over one more day.
        days: how many days have landed.
        slowest: seconds of the slowest run after one that was ended.
        ended: how far the runs had come when they were ended, and how often.
        problems: what did not hold, a line each.
    """

    data: Path
    usual: float = 0
    days: int = FIRST_DAYS
    slowest: float = 0
    ended: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def begin(self, undisturbed: int = 3) -> None:
        """Run undisturbed: the first days, then more one by one, to know what is usual."""
        self.data.mkdir(exist_ok=True)
        generate(shop(self.days), self.data)
        self.usual = self.run_to_its_end()
        for _ in range(undisturbed - 1):
            self.land()
            self.usual = self.run_to_its_end()

    def land(self) -> None:
        """One more day lands."""
        self.days += 1
        generate(shop(self.days), self.data)

    def cut(self, name: str, reached: Moment, number: signal.Signals = signal.SIGKILL) -> bool:
        """End a run when a moment is reached; False when it came to its end before."""
        runs = len(run_state(self.data))
        process = start(self.data)
        end = time.monotonic() + _LONGEST_SECONDS
        with process:
            while process.poll() is None and not reached(self.data):
                if time.monotonic() > end:
                    process.kill()
                    raise AssertionError(f"{name} was not reached in {_LONGEST_SECONDS} s")
                time.sleep(_POLL_SECONDS)
            if process.poll() is not None:
                return False
            began = time.monotonic()
            process.send_signal(number)
            process.communicate(timeout=30)
            took = time.monotonic() - began
        code = process.returncode
        wanted = -signal.SIGKILL if number == signal.SIGKILL else 128 + number
        if code == 0:
            return False
        if code != wanted or took > 5:
            self.problems.append(f"{name}: {number.name} ended it with {code} after {took:.1f} s")
        # Dagster's run had not begun yet, or was over and the command at its last words.
        states = {state for _, state in run_state(self.data)[runs:]} - {"SUCCESS"}
        if number != signal.SIGKILL and not states <= {"CANCELED"}:
            self.problems.append(f"{name}: after {number.name} the run is {states}")
        self.ended[name] = self.ended.get(name, 0) + 1
        return True

    def run_again(self, name: str) -> None:
        """The run after one that was ended: to its end, and not much slower than usual."""
        seconds = self.run_to_its_end()
        self.slowest = max(self.slowest, seconds)
        if seconds > BOUND * self.usual:
            self.problems.append(
                f"{name}: the run after it took {seconds:.1f} s, usual {self.usual:.1f}"
            )

    def run_to_its_end(self) -> float:
        """An undisturbed run; its seconds."""
        began = time.monotonic()
        process = start(self.data)
        output = process.communicate(timeout=_LONGEST_SECONDS)[0]
        assert process.returncode == 0, output
        return time.monotonic() - began


def start(data: Path, *arguments: str) -> "subprocess.Popen[str]":
    """The real command."""
    return subprocess.Popen(
        [sys.executable, "-m", "bridge_cart_assets", *(arguments or ("run",))],
        env=environment_of(data),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def at(seconds: float) -> Moment:
    """So long after the start."""
    begun = time.monotonic()
    return lambda _: time.monotonic() - begun >= seconds


def random_moments(count: int, span: float, seed: int) -> Iterable[float]:
    """One moment in each of equal slices of a run, in random order."""
    chance = random.Random(seed)  # noqa: S311 (moments, not secrets)
    moments = [(k + chance.random()) * span / count for k in range(count)]
    chance.shuffle(moments)
    return moments


def run_state(data: Path) -> list[tuple[str, str]]:
    """Id and state of each run that Dagster knows, the first one first."""
    file = data / "dagster" / "runs.db"
    if not file.exists():
        return []
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
    try:
        return list(connection.execute("SELECT run_id, status FROM runs ORDER BY id"))
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


def last_state(data: Path) -> str | None:
    """State of the latest run."""
    runs = run_state(data)
    return runs[-1][1] if runs else None


def phases(data: Path) -> dict[str, Moment]:
    """For each phase of a run how it is seen that it has been reached, from what there is now."""
    runs = len(run_state(data))
    raw = [log_of(data, s.raw.path) for s in SOURCES]
    return {
        "Dagster's bookkeeping": lambda d: len(run_state(d)) > runs,
        "intake": changed(raw),
        "silver": changed([log_of(data, PURCHASES.path), log_of(data, ACCOUNTING.path)]),
        "gold": changed([log_of(data, CUSTOMER_FEATURES.path)]),
        "models": changed([log_of(data, CUSTOMER_SEGMENTS.path)]),
        "catalogue": changed([data]),
    }


def log_of(data: Path, path: str) -> Path:
    """The folder of a table's log."""
    return data / "lake" / path / "_delta_log"


def changed(folders: Iterable[Path]) -> Moment:
    """Whether one of some folders has other entries than now."""
    before = {folder: names(folder) for folder in folders}
    return lambda _: any(names(folder) != there for folder, there in before.items())


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def differences_from_undisturbed(data: Path, undisturbed: Path) -> list[str]:
    """What differs from a lake that took the same files in one run of the command."""
    shutil.copytree(data / "landing", undisturbed / "landing", copy_function=shutil.copy2)
    # Addresses have the same hashes under the same key only.
    shutil.copy2(data / "identity.key", undisturbed / "identity.key")
    done = start(undisturbed)
    output = done.communicate(timeout=_LONGEST_SECONDS)[0]
    assert done.returncode == 0, output
    return differences_between(data, undisturbed)


def differences_between(data: Path, undisturbed: Path) -> list[str]:
    """What differs between two lakes, but for the records' times and what models decided."""
    found, wanted = Lake(str(data / "lake")), Lake(str(undisturbed / "lake"))
    problems = differences(contents(wanted, WITHOUT_MODEL), contents(found, WITHOUT_MODEL))
    for source in SOURCES:
        rows = found.snapshot(source.raw).read()
        if rows.select("_fingerprint", "_pos").is_duplicated().any():
            problems.append(f"{source.raw.path} has records twice")
        if rows.height != wanted.snapshot(source.raw).rows:
            problems.append(f"{source.raw.path} has {rows.height} records")
    return problems


def rebuilt(data: Path) -> dict[str, pl.DataFrame]:
    """All tables after a rebuild, models too."""
    done = start(data, "rebuild")
    output = done.communicate(timeout=_LONGEST_SECONDS)[0]
    assert done.returncode == 0, output
    return contents(Lake(str(data / "lake")), (*TABLES, *GOLD_TABLES))
