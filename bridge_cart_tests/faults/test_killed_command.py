"""The real command, ended on its way: the next one clears up, says so, and does the rest.

python -m pytest -s -m '' bridge_cart_tests/faults/test_killed_command.py
"""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_tests.faults import kill_target
from bridge_cart_tests.faults.command_rounds import (
    Rounds,
    at,
    differences_between,
    differences_from_undisturbed,
    last_state,
    phases,
    random_moments,
    rebuilt,
    run_state,
    shop,
    start,
)
from bridge_cart_tests.faults.extent import COMMAND_KILLS
from bridge_cart_tests.lakehouse.tables import differences


@pytest.mark.slow
def test_killed_once_in_each_phase_and_run_again(tmp_path: Path) -> None:
    """Each run is killed in the next phase, so that each begins after a dead one."""
    rounds = Rounds(tmp_path / "data")
    generate(shop(rounds.days), rounds.data)
    kill_target.run(rounds.data)
    for name in phases(rounds.data):
        rounds.land()
        assert rounds.cut(name, phases(rounds.data)[name]), f"{name} was over too soon"
    rounds.run_to_its_end()

    states = [state for _, state in run_state(rounds.data)]
    assert states.count("FAILURE") == len(rounds.ended) == 6
    assert states[-1] == "SUCCESS"
    assert rounds.problems == []
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(rounds.data / "landing", undisturbed / "landing", copy_function=shutil.copy2)
    kill_target.run(undisturbed)
    assert differences_between(rounds.data, undisturbed) == []


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM]
)
def test_a_signal_ends_the_command_at_once_and_cancels_its_run(
    tmp_path: Path, number: signal.Signals
) -> None:
    rounds = Rounds(tmp_path)
    generate(shop(20), tmp_path)
    assert rounds.cut("silver", phases(tmp_path)["silver"], number)
    assert rounds.problems == []
    assert last_state(tmp_path) == "CANCELED"


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_ended_at_random_moments_and_run_again(tmp_path: Path, number: signal.Signals) -> None:
    """A day lands, a run is ended, a run follows to its end; over and over on one lake."""
    count = COMMAND_KILLS if number == signal.SIGKILL else -(-COMMAND_KILLS // 2)
    rounds = Rounds(tmp_path / "data")
    rounds.begin()
    missed = 0
    for k, moment in enumerate(random_moments(count, 0.9 * rounds.usual, seed=int(number))):
        rounds.land()
        name = f"round {k}, {moment:.1f} s"
        if not rounds.cut(name, at(moment), number):
            # It was faster than usual, and over by then.
            rounds.land()
            missed += not rounds.cut(name, at(moment / 2), number)
        rounds.run_again(name)
    print(
        f"{count - missed} of {count} runs ended by {number.name} over {rounds.usual:.1f} s; the "
        f"run after one took {rounds.slowest:.1f} s at most"
    )
    assert rounds.problems == []
    assert missed <= count / 2
    assert differences_from_undisturbed(rounds.data, tmp_path / "undisturbed") == []
    assert differences(rebuilt(tmp_path / "undisturbed"), rebuilt(rounds.data)) == []


@pytest.mark.long
def test_two_commands_at_once_end_well(tmp_path: Path) -> None:
    """Started in the same moment; and the second one while the first is at work: then it waits."""
    rounds = Rounds(tmp_path / "data")
    rounds.begin()
    for pause in (0.0, rounds.usual / 2):
        for _ in range(10):
            rounds.land()
        first = start(rounds.data)
        time.sleep(pause)
        both = [first, start(rounds.data)]
        said = [process.communicate(timeout=180)[0] for process in both]
        assert [process.returncode for process in both] == [0, 0], said
    assert differences_from_undisturbed(rounds.data, tmp_path / "undisturbed") == []


@pytest.mark.long
def test_a_run_beside_maintenance_ends_well(tmp_path: Path) -> None:
    rounds = Rounds(tmp_path / "data")
    rounds.begin()
    keep = [sys.executable, "-m", "bridge_cart_tests.faults.maintenance"]
    for _ in range(5):
        rounds.land()
    keeper = subprocess.Popen([*keep, str(rounds.data)], stdout=subprocess.PIPE)
    try:
        for _ in range(3):
            rounds.land()
            rounds.run_again("beside maintenance")
    finally:
        (rounds.data / "enough").touch()
        keeper.communicate(timeout=60)
    assert keeper.returncode == 0
    assert differences_from_undisturbed(rounds.data, tmp_path / "undisturbed") == []
    assert Lake(str(rounds.data / "lake")).is_local
