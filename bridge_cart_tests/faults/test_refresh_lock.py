"""Two runs at once: the second one waits, and without that the catalogue would be of two states."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from bridge_cart_assets import pipeline
from bridge_cart_assets.automation.executor import leased_executor
from bridge_cart_assets.definitions import build_defs
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline import chain
from bridge_cart_assets.pipeline.refresh_lock import refreshing_alone
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.faults import fault_injection
from bridge_cart_tests.faults.fault_injection import Once
from bridge_cart_tests.faults.history import LAND, READ_CATALOGUE, RUN, Call
from bridge_cart_tests.faults.history_checker import violations
from bridge_cart_tests.faults.history_reader import read_catalogue
from bridge_cart_tests.faults.power_cuts import land

HOLD = """
import sys, time
from pathlib import Path
from bridge_cart_assets.pipeline.refresh_lock import refreshing_alone
with refreshing_alone(Path(sys.argv[1])):
    print("has it", flush=True)
    time.sleep(60)
"""


def run(data: Path) -> None:
    settings = Settings(data=data, lake=str(data / "lake"))
    pipeline.run(
        *(Lake(settings.lake), data / "landing"),
        catalogue=settings.catalogue,
        settings=settings.silver,
    )


def overtaken(data: Path, seconds: float) -> tuple[bool, set[str]]:
    """A run that another one would overtake, with a file that landed meanwhile.

    Args:
        data: the folder of both.
        seconds: for how long the first one stands still.

    Returns:
        Whether the other one came to its end first, and the laws that the catalogue breaks then.
    """
    land(data, [0, 1])
    run(data)
    land(data, [2])
    other = threading.Thread(target=run, args=(data,))
    was_first = []

    def come_between() -> None:
        land(data, [3])
        other.start()
        other.join(seconds)
        was_first.append(not other.is_alive())

    # The tables of gold are made from silver as it is now; then the other run comes.
    place = (chain, "recipes", fault_injection.GAPS["looked"][2])
    with fault_injection.at(place, Once(1, come_between)):
        run(data)
    other.join(60)
    history = [
        *(Call("lander", LAND, {"file": n}, 0, 1, {"code": 0}) for n in range(4)),
        Call("other", RUN, {}, 2, 3, {"code": 0}),
        Call("reader", READ_CATALOGUE, {}, 4, 5, {"code": 0, **read_catalogue(data)}),
    ]
    return was_first == [True], {violation.law for violation in violations(history)}


@pytest.mark.slow
def test_a_run_waits_for_one_that_is_at_work(tmp_path: Path) -> None:
    assert overtaken(tmp_path, 2) == (False, set())


@pytest.mark.slow
def test_without_the_lock_an_older_gold_would_stand_over_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def no_lock(_: Path) -> Iterator[bool]:
        yield True

    monkeypatch.setattr(chain, "refreshing_alone", no_lock)
    was_first, laws = overtaken(tmp_path, 60)
    assert was_first
    assert laws == {"lost", "torn"}


def test_the_command_says_what_it_waited_for(tmp_path: Path, command: Command) -> None:
    land(tmp_path, [0])
    with refreshing_alone(tmp_path):
        refused = command("run", "--wait", "0.3")
    assert refused.returncode == 1
    assert "another process is still bringing gold up to date after 0 s" in refused.stderr
    assert "--wait SECONDS" in refused.stderr


@pytest.mark.slow
def test_what_only_looks_does_not_wait(tmp_path: Path, command: Command) -> None:
    with refreshing_alone(tmp_path):
        assert "another process" not in command("check").stderr


def is_locked(data: Path) -> bool:
    try:
        with refreshing_alone(data, lambda _: sys.exit()):
            return False
    except SystemExit:
        return True


def steps_of(name: str) -> dg.JobDefinition:
    """A job with a step of this name, which writes down whether somebody has the lock."""

    @dg.op(name=name)
    def step() -> None:
        data = Path(os.environ["BRIDGE_CART_DATA"])
        (data / "seen").write_text(str(is_locked(data)))

    @dg.job(name=f"{name}_job", executor_def=leased_executor)
    def steps() -> None:
        step()

    return steps


def gold_alone() -> dg.JobDefinition:
    return steps_of("gold")


def catalogue_alone() -> dg.JobDefinition:
    return steps_of("catalogue")


def silver_alone() -> dg.JobDefinition:
    return steps_of("silver")


def maintenance_alone() -> dg.JobDefinition:
    return steps_of("ops__maintenance")


@pytest.mark.parametrize(
    ("job", "is_alone"),
    [
        *((silver_alone, True), (gold_alone, True), (catalogue_alone, True)),
        (maintenance_alone, False),
    ],
)
def test_what_dagster_launches_has_the_lock_too(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    job: Callable[[], dg.JobDefinition],
    is_alone: bool,
) -> None:
    monkeypatch.setenv("BRIDGE_CART_DATA", str(tmp_path))
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        assert dg.execute_job(dg.reconstructable(job), instance).success
    assert (tmp_path / "seen").read_text() == str(is_alone)


def test_what_dagster_launches_says_that_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGE_CART_DATA", str(tmp_path))
    has_it = threading.Event()

    def hold() -> None:
        with refreshing_alone(tmp_path):
            has_it.set()
            time.sleep(1)

    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        holder = threading.Thread(target=hold)
        holder.start()
        has_it.wait()
        done = dg.execute_job(dg.reconstructable(gold_alone), instance)
        holder.join()
        said = [entry.user_message for entry in instance.all_logs(done.run_id)]
    assert done.success
    assert said.count("waiting for another run that brings gold up to date") == 1


def test_the_refresh_job_has_these_steps(settings: Settings) -> None:
    steps = build_defs(settings).resolve_job_def("refresh").graph.node_dict
    assert {"silver", "gold", "catalogue"} <= steps.keys()


def test_the_lock_goes_with_the_process_that_has_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"has it\n"
        waited: list[float] = []

        def kill(seconds: float) -> None:
            waited.append(seconds)
            holder.send_signal(signal.SIGKILL)

        with refreshing_alone(tmp_path, kill) as came_at_once:
            assert not came_at_once
            assert waited
