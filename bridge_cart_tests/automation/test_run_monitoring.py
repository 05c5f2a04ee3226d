"""Dagster's own daemon ends a run whose process is gone, without the help of a sensor."""

import os
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from bridge_cart_assets.automation.instance import dagster_home
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.automation.dead_runs import gone, started, state

PATIENCE_SECONDS = 60
# A code location without sensors, so that nothing else looks at runs.
NOTHING = "import dagster as dg\n\ndefs = dg.Definitions()\n"


@pytest.mark.slow
def test_the_daemon_ends_a_dead_run_although_no_sensor_is_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.delenv("DAGSTER_HOME")
    home = dagster_home(Settings(data=tmp_path, lake=str(tmp_path / "lake")))
    configuration = home / "dagster.yaml"
    configuration.write_text(
        configuration.read_text().replace("poll_interval_seconds: 20", "poll_interval_seconds: 2")
    )
    code = tmp_path / "nothing.py"
    code.write_text(NOTHING)
    with dg.DagsterInstance.get() as instance:
        dead = started(instance, gone())
        command = [sys.executable, "-m", "dagster._daemon", "run", "-f", str(code)]
        environment = {**os.environ, "DAGSTER_HOME": str(home)}
        with (tmp_path / "log").open("wb") as log:
            daemon = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while state(instance, dead) != "FAILURE":
                assert daemon.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.5)
        finally:
            daemon.terminate()
            daemon.wait(30)
