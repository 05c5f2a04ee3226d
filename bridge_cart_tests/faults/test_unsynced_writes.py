"""A power cut takes what was written and not forced: from any state it leaves, doctor and run
come back with all that was acknowledged.

python -m pytest -s -m '' bridge_cart_tests/faults/test_unsynced_writes.py
"""

import random
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.faults.command_rounds import differences_between
from bridge_cart_tests.faults.disk_model import Fate, write_folder
from bridge_cart_tests.faults.extent import EXAMPLES
from bridge_cart_tests.faults.forked_commands import CHAIN, CommandServer
from bridge_cart_tests.faults.history import LAND, READ_CATALOGUE, READ_DELTA, RUN, Call
from bridge_cart_tests.faults.history_checker import violations
from bridge_cart_tests.faults.history_reader import read_catalogue, read_delta
from bridge_cart_tests.faults.numbered_files import FIRST_DAY
from bridge_cart_tests.faults.power_cuts import (
    COMMAND,
    Recording,
    digest,
    land,
    record,
    strategies,
)
from bridge_cart_tests.faults.recorder import LONGEST_SECONDS

FIRST, THEN = range(5), range(5, 9)
FILES = range(9)


class Cuts:
    """One recorded run, cut off at many moments.

    Attributes:
        recording: the run.
        states: how many different folders were tried, by what the disk had lost.
        found: what did not hold.
    """

    def __init__(self, recording: Recording, server: CommandServer) -> None:
        self.recording = recording
        self.states: Counter[str] = Counter()
        self.found: list[str] = []
        self._server = server
        self._seen: set[str] = set()
        self._whole = recording.data.with_name("whole")
        shutil.copytree(recording.data, self._whole)

    def try_cut(self, place: int, name: str, seed: int) -> None:
        """One power cut and the way back."""
        chance = random.Random(seed)  # noqa: S311 (moments, not secrets)
        left = self.recording.cut(place, strategies(chance)[name], chance)
        if (mark := digest(left)) in self._seen:
            return
        self._seen.add(mark)
        self.states[name] += 1
        data = self.recording.data
        shutil.rmtree(data)
        write_folder(left, data)
        problems: list[str] = []
        try:
            for problem in self._problems(place):
                problems.append(problem)
        except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001 (a finding)
            problems.append(f"{type(error).__name__}: {error}"[:300])
        where = f"cut at {place} of {self.recording.last}, {name}, seed {seed}"
        self.found += [f"{where}: {problem}" for problem in problems]
        print(f"{where}: {problems or 'nothing lost'}", flush=True)

    def _problems(self, place: int) -> Iterator[str]:
        data = self.recording.data
        code, said = self._call("doctor")
        if code:
            yield f"doctor ends with {code}: {said}"
        for path in sorted(self.recording.acknowledged(place)):
            entry = data / path
            if not entry.exists() or entry.read_bytes() != (self._whole / path).read_bytes():
                yield f"{path} was acknowledged and is gone or another ({said})"
        if place < self.recording.last:
            code, said = self._call("run")
            if code:
                yield f"run ends with {code}: {said}"
                return
        yield from differences_between(data, self._whole)
        reads = {READ_CATALOGUE: read_catalogue, READ_DELTA: read_delta}
        history = [
            *(Call("lander", LAND, {"file": n}, 0, 1, {"code": 0}) for n in FILES),
            Call("ingester", RUN, {}, 2, 3, {"code": 0}),
        ]
        for operation, read in reads.items():
            history.append(Call("reader", operation, {}, 4, 5, {"code": 0, **read(data)}))
        yield from map(str, violations(history))

    def _call(self, verb: str) -> tuple[int, str]:
        environment = environment_of(self.recording.data, BRIDGE_CART_START_DATE=str(FIRST_DAY))
        command = self._server.start([verb], environment)
        code = command.wait(LONGEST_SECONDS)
        return code, command.output.read_text()[-500:]

    def judge(self) -> None:
        print(f"{sum(self.states.values())} states {dict(self.states)}, {len(self.found)} wrong")
        assert not self.found, "\n".join(self.found[:20])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandServer]:
    with CommandServer(tmp_path_factory.mktemp("said")) as server:
        yield server


def run_of(
    tmp_path: Path,
    server: CommandServer,
    first: range,
    then: range,
    command: tuple[str, ...] = (*COMMAND, "run"),
) -> Recording:
    """A run over further files, watched."""
    data = tmp_path / "data"
    environment = environment_of(data, BRIDGE_CART_START_DATE=str(FIRST_DAY))
    if first:
        land(data, first)
        before = server.start([CHAIN if command[0] == "-c" else "run"], environment)
        assert before.wait(LONGEST_SECONDS) == 0, before.output.read_text()
    land(data, then)
    recording = record(data, command, tmp_path / "calls")
    if recording is None:
        pytest.skip("strace is not installed, or may not trace here")
    return recording


@pytest.mark.slow
def test_power_cuts_during_a_run_lose_nothing_that_was_acknowledged(
    tmp_path: Path, server: CommandServer
) -> None:
    recording = run_of(tmp_path, server, FIRST, THEN)
    assert is_same(recording), "the model of the disk is not what the kernel did"
    cuts = Cuts(recording, server)
    chance = random.Random(1)  # noqa: S311 (moments, not secrets)
    cuts.try_cut(recording.last, "nothing more", 0)
    moments = recording.moments(chance)
    for seed, name in enumerate(("any part", "names without content")):
        cuts.try_cut(next(moments), name, seed)
    cuts.judge()


@pytest.mark.long
@pytest.mark.parametrize("first", [range(0), FIRST], ids=["the first run", "a further run"])
def test_many_power_cuts_lose_nothing_that_was_acknowledged(
    tmp_path: Path, server: CommandServer, first: range
) -> None:
    recording = run_of(tmp_path, server, first, range(len(first), len(FILES)))
    assert is_same(recording), "the model of the disk is not what the kernel did"
    cuts = Cuts(recording, server)
    chance = random.Random(7)  # noqa: S311 (moments, not secrets)
    names = list(strategies(chance))
    for name in names:
        cuts.try_cut(recording.last, name, 0)
    for seed, place in enumerate(islice(recording.moments(chance), max(EXAMPLES, 10))):
        cuts.try_cut(place, names[seed % len(names)], seed)
    cuts.judge()


# The chain without one of its fsync calls.
WITHOUT = """
from bridge_cart_assets.lake import catalogue, fsync
force = fsync.fsync_path
fsync.fsync_path = lambda path: None if {which} else force(path)
catalogue.fsync_path = lambda path: None if {of_catalogue} else force(path)
from bridge_cart_tests.faults.forked_commands import run_chain
run_chain()
"""
GUARDS = {
    "the log entry": {"which": "path.suffix == '.json'", "of_catalogue": False},
    "the data": {"which": "path.suffix == '.parquet'", "of_catalogue": False},
    "the folders": {"which": "path.is_dir()", "of_catalogue": False},
    "the catalogue": {"which": False, "of_catalogue": True},
}


@pytest.mark.long
@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS)
def test_without_one_of_the_fsync_calls_a_power_cut_is_seen(
    tmp_path: Path, server: CommandServer, guard: dict[str, object]
) -> None:
    recording = run_of(tmp_path, server, FIRST, THEN, ("-c", WITHOUT.format(**guard)))
    cuts = Cuts(recording, server)
    for name in ("nothing more", "names without content"):
        cuts.try_cut(recording.last, name, 0)
    assert cuts.found


def is_same(recording: Recording) -> bool:
    """Whether all effects together make the folder that the run has left."""
    left = recording.cut(recording.last, lambda _: Fate.WHOLE, random.Random(0))  # noqa: S311
    data = recording.data
    there = {
        str(path.relative_to(data)): None if path.is_dir() else path.read_bytes()
        for path in data.rglob("*")
        if not path.name.endswith("-shm")
    }
    different = {p for p in left.keys() | there.keys() if left.get(p, 0) != there.get(p, 0)}
    if different:
        print("differ:", sorted(different)[:20], file=sys.stderr)
    return not different
