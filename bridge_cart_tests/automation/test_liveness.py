"""A run whose process is gone is ended by the next that looks; one that lives is left alone."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus

from bridge_cart_assets.automation import liveness
from bridge_cart_assets.automation.launcher import LivenessRunLauncher
from bridge_cart_assets.automation.liveness import (
    ENDED,
    HEARTBEAT,
    PROCESS_GONE,
    STOPPED,
    count_cut_off_runs,
    end_dead_runs,
    heartbeat,
    identity_of,
    lease,
    under_way,
)
from bridge_cart_assets.automation.processes import ProcessIdentity
from bridge_cart_tests.automation.dead_runs import (
    LONG_SILENT,
    elsewhere,
    gone,
    started,
    state,
)
from bridge_cart_tests.automation.dead_runs import cut_off as cut_off_run

CODE_SERVER = ".dagster/grpc_info"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def test_this_process_lives_and_one_that_ended_does_not() -> None:
    here = ProcessIdentity.current()
    assert here.is_alive
    assert gone().is_alive is False
    # The number was given to another process since.
    assert replace(here, started=here.started - 1).is_alive is False


def test_a_process_that_ended_and_was_not_waited_for_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    stat = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    identity = replace(ProcessIdentity.current(), pid=child.pid, started=int(stat[19]))
    assert identity.is_alive
    child.kill()
    deadline = time.monotonic() + 5
    while identity.is_alive and time.monotonic() < deadline:
        time.sleep(0.01)
    assert identity.is_alive is False, "a zombie"
    child.wait()


def test_of_a_process_of_another_machine_nothing_can_be_seen() -> None:
    assert elsewhere().is_alive is None
    assert replace(ProcessIdentity.current(), namespace="pid:[1]").is_alive is None


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"pid": 1}', "nonsense"])
def test_what_is_no_identity_is_none(text: str) -> None:
    assert ProcessIdentity.parse(text) is None


def test_an_identity_is_read_as_it_was_written() -> None:
    here = ProcessIdentity.current()
    assert ProcessIdentity.parse(here.text) == here


def test_a_dead_run_is_failed_with_the_reason_and_its_slots_are_free(
    instance: dg.DagsterInstance,
) -> None:
    dead = gone()
    run_id = started(instance, dead)

    (ended,) = end_dead_runs(instance)

    assert ended.run_id == run_id
    assert f"its process is gone (process {dead.pid} on " in str(ended)
    assert state(instance, run_id) == "FAILURE"
    messages = [str(entry.message) for entry in instance.all_logs(run_id)]
    assert any("its process is gone" in message for message in messages)
    assert end_dead_runs(instance) == []


def test_a_dead_run_that_was_being_canceled_is_canceled(instance: dg.DagsterInstance) -> None:
    run_id = started(instance, gone(), status=dg.DagsterRunStatus.CANCELING)
    assert len(end_dead_runs(instance)) == 1
    assert state(instance, run_id) == "CANCELED"


def test_a_living_run_is_left_alone(instance: dg.DagsterInstance) -> None:
    here = started(instance, ProcessIdentity.current())
    away = started(instance, elsewhere(), silent=timedelta(seconds=30))
    other_code = started(instance)
    assert end_dead_runs(instance) == []
    assert {state(instance, run) for run in (here, away, other_code)} == {"STARTED"}


def test_a_run_of_another_machine_is_dead_after_a_minute_of_silence(
    instance: dg.DagsterInstance,
) -> None:
    run_id = started(instance, elsewhere(), silent=LONG_SILENT)
    (ended,) = end_dead_runs(instance)
    assert "no sign of life for 6" in ended.reason
    assert state(instance, run_id) == "FAILURE"


def test_a_silent_run_whose_process_can_be_seen_to_live_is_alive(
    instance: dg.DagsterInstance,
) -> None:
    """A suspended laptop: the process slept, and is not dead."""
    started(instance, ProcessIdentity.current(), silent=timedelta(days=1))
    assert end_dead_runs(instance) == []


@pytest.fixture
def launching(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance that launches runs as ours do, and takes no time to write down by what."""
    monkeypatch.setattr(type(instance), "run_launcher", property(lambda _: LivenessRunLauncher()))
    monkeypatch.setattr(liveness, "LAUNCH_TIMEOUT", timedelta(0))


@pytest.mark.usefixtures("launching")
def test_a_run_whose_code_server_is_gone_before_it_started_is_dead(
    instance: dg.DagsterInstance,
) -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(path := f"{folder}/code")
        server.listen()
        launched = {CODE_SERVER: json.dumps({"host": "localhost", "socket": path})}
        starting = started(instance, tags=launched, status=dg.DagsterRunStatus.STARTING)
        assert end_dead_runs(instance) == []
        server.close()
        (deaf,) = end_dead_runs(instance)
        assert (deaf.run_id, "code server" in deaf.reason) == (starting, True)
        started(instance, tags=launched, status=dg.DagsterRunStatus.STARTING)
        os.unlink(path)
        assert len(end_dead_runs(instance)) == 1


def test_a_run_that_its_daemon_never_launched_is_dead_after_moments(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(instance), "run_launcher", property(lambda _: LivenessRunLauncher()))
    run_id = started(instance, status=dg.DagsterRunStatus.STARTING)
    assert end_dead_runs(instance) == []
    assert under_way(instance, "refresh") is not None
    monkeypatch.setattr(liveness, "LAUNCH_TIMEOUT", timedelta(0))
    assert [dead.run_id for dead in end_dead_runs(instance)] == [run_id]


def test_under_way_is_what_lives_and_what_is_about_to(instance: dg.DagsterInstance) -> None:
    started(instance, gone())
    assert under_way(instance, "refresh") is None
    starting = started(instance, status=dg.DagsterRunStatus.STARTING)
    record = under_way(instance, "refresh")
    assert record is not None
    assert record.dagster_run.run_id == starting
    assert under_way(instance, "another job") is None


def test_a_request_that_never_reached_the_queue_does_not_count_for_ever(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(instance, status=dg.DagsterRunStatus.NOT_STARTED)
    assert under_way(instance, "refresh") is not None
    monkeypatch.setattr(liveness, "SUBMIT_TIMEOUT", timedelta(0))
    assert under_way(instance, "refresh") is None


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance in files: threads that share one in memory find its tables locked."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def test_a_lease_names_this_process_and_is_renewed(
    stored: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = stored
    monkeypatch.setattr(liveness, "HEARTBEAT_EVERY", timedelta(seconds=0.02))
    run_id = started(instance)

    def tags() -> dict[str, str]:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        return dict(run.tags)

    with lease(instance, run_id):
        first = tags()
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert identity_of(run) == ProcessIdentity.current()
        deadline = time.monotonic() + 5
        while tags()[HEARTBEAT] == first[HEARTBEAT] and time.monotonic() < deadline:
            time.sleep(0.01)
        assert tags()[HEARTBEAT] > first[HEARTBEAT]
    with heartbeat(instance, "a run that is not there yet"):
        time.sleep(0.1)


def test_runs_that_were_cut_off_are_counted_and_those_that_failed_on_their_own_are_not(
    instance: dg.DagsterInstance,
) -> None:
    plan = {"bridge_cart/plan": "1"}
    failed, canceled = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED
    cut_off_run(instance, PROCESS_GONE, failed, plan)
    cut_off_run(instance, STOPPED, canceled, plan)
    started(instance, tags=plan, status=failed)  # by the code server, when it saw its worker die
    assert count_cut_off_runs(instance, plan) == 3
    started(instance, tags={**plan, "dagster/failure_reason": "STEP_FAILURE"}, status=failed)
    started(instance, tags=plan, status=canceled)  # by somebody, in the UI
    cut_off_run(instance, STOPPED, canceled, {"bridge_cart/plan": "2"})
    assert count_cut_off_runs(instance, plan) == 3


def test_a_run_that_is_executed_again_is_not_taken_for_the_dead_one(
    instance: dg.DagsterInstance,
) -> None:
    """Dagster gives it the tags of the first one, those of its process too."""
    plan = {"bridge_cart/plan": "1"}
    first = started(instance, gone(), tags=plan)
    assert len(end_dead_runs(instance)) == 1
    dead = instance.get_run_by_id(first)
    assert dead is not None
    failed_itself = {**dead.tags, "dagster/failure_reason": "STEP_FAILURE"}

    again = started(instance, tags=dead.tags)
    started(instance, tags=failed_itself, status=dg.DagsterRunStatus.FAILURE)

    assert end_dead_runs(instance) == []
    assert state(instance, again) == "STARTED"
    assert count_cut_off_runs(instance, plan) == 1


def test_the_launcher_informs_run_monitoring(instance: dg.DagsterInstance) -> None:
    launcher = LivenessRunLauncher()
    launcher.register_instance(instance)
    assert launcher.supports_check_run_worker_health
    dead, alive = started(instance, gone()), started(instance, ProcessIdentity.current())
    for run_id, status in ((dead, WorkerStatus.NOT_FOUND), (alive, WorkerStatus.RUNNING)):
        run = instance.get_run_by_id(run_id)
        assert run is not None
        result = launcher.check_run_worker_health(run)
        assert result.status == status
    ended = instance.get_run_by_id(dead)
    assert ended is not None
    assert ENDED in ended.tags
