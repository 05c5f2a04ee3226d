"""`bridge-cart run` plans once, and again only when another run may have made the plan untrue."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge_cart_assets.assets.run_scope import RunScope
from bridge_cart_assets.automation import waiting
from bridge_cart_assets.automation.instance import dagster_instance
from bridge_cart_assets.automation.processes import ProcessIdentity
from bridge_cart_assets.automation.run_in_process import Outcome
from bridge_cart_assets.automation.waiting import Obstacles
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline import plan as planning
from bridge_cart_assets.pipeline.intake import take_in_source
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.sources.purchases import PURCHASES
from bridge_cart_assets.terminal.running import Turn
from bridge_cart_tests.automation.dead_runs import gone, started
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.faults import kill_target

LINES = "order_id,customer_id,purchase_date,purchase_amount\nO{day},C1,2024-01-{day},10\n"


def land(data: Path, day: str) -> None:
    file = data / "landing" / "purchases" / f"2024-01-{day}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(LINES.format(day=day))


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """How often the landing zone has been listed for a plan."""
    listings: list[str] = []
    list_landing = planning.list_landing

    def count(landing: Path, source: str, zone: str) -> object:
        listings.append(source)
        return list_landing(landing, source, zone)

    monkeypatch.setattr(planning, "list_landing", count)
    return lambda: len(listings) / len(SOURCES)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The days of the runs that were made; each does its work without Dagster."""
    days: list[str] = []

    def refresh(turn: Turn, scope: RunScope, *more: object) -> Outcome:
        days.append(str(scope.days))
        kill_target.run(tmp_path)
        return Outcome(success=True, run_id="run", problems=(), checks=())

    monkeypatch.setattr(Turn, "refresh", refresh)
    return days


def started_by(data: Path, process: ProcessIdentity, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run of the folder's Dagster instance that is under way; its id."""
    with monkeypatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        with dagster_instance(Settings(data=data)) as instance:
            return started(instance, process)


def test_an_undisturbed_run_plans_once(
    tmp_path: Path, command: Command, plans: Callable[[], float], runs: list[str]
) -> None:
    land(tmp_path, "01")
    done = command("run")
    assert (done.returncode, runs, plans()) == (0, ["2024-01-01/2024-01-01"], 1), done.stderr


def test_after_the_wait_for_another_run_it_plans_again(
    tmp_path: Path,
    command: Command,
    plans: Callable[[], float],
    runs: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file that landed meanwhile is within the days of the run."""
    land(tmp_path, "01")
    run_id = started_by(tmp_path, ProcessIdentity.current(), monkeypatch)

    def sleep(_: float) -> None:
        land(tmp_path, "02")
        with dagster_instance(Settings(data=tmp_path)) as instance:
            run = instance.get_run_by_id(run_id)
            assert run is not None
            instance.report_run_canceled(run)

    monkeypatch.setattr(waiting.time, "sleep", sleep)
    done = command("run")
    assert (done.returncode, runs, plans()) == (0, ["2024-01-01/2024-01-02"], 2), done.stderr


def test_after_a_dead_run_was_ended_it_plans_again(
    tmp_path: Path,
    command: Command,
    plans: Callable[[], float],
    runs: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    land(tmp_path, "01")
    started_by(tmp_path, gone(), monkeypatch)
    done = command("run")
    assert (done.returncode, len(runs), plans()) == (0, 1, 2), done.stderr
    assert "ended run" in done.stderr


def only_raw(data: Path) -> None:
    """As if the other run had died between raw and silver, and had been ended already."""
    take_in_source(Lake(str(data / "lake")), PURCHASES, data / "landing", "another")


@pytest.mark.parametrize(("another", "left"), [(only_raw, 1), (kill_target.run, 0)])
def test_after_a_run_that_had_ended_before_the_turn_it_plans_again(
    tmp_path: Path,
    command: Command,
    plans: Callable[[], float],
    runs: list[str],
    monkeypatch: pytest.MonkeyPatch,
    another: Callable[[Path], None],
    left: int,
) -> None:
    """The command never saw it: only the versions of the tables tell."""
    land(tmp_path, "01")
    wait_for_turn = waiting.wait_for_turn

    def wait(*arguments: Any) -> Obstacles:
        another(tmp_path)
        return wait_for_turn(*arguments)

    monkeypatch.setattr(waiting, "wait_for_turn", wait)
    done = command("run")
    assert (done.returncode, len(runs), plans()) == (0, left, 2), done.stderr
    assert ("nothing new among 1 files" in done.stdout) == (not left)
