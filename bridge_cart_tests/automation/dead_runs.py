"""Runs as Dagster has them, executed by processes that live or do not."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from bridge_cart_assets.automation.liveness import HEARTBEAT, LEASE, lease_tags
from bridge_cart_assets.automation.processes import ProcessIdentity

LONG_SILENT = LEASE + timedelta(seconds=1)


@dg.op
def nothing() -> None:
    """Does nothing."""


@dg.job(name="refresh")
def refresh() -> None:
    """A job of the name that the sensors look for."""
    nothing()


def gone() -> ProcessIdentity:
    """A process of this machine that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    identity = replace(ProcessIdentity.current(), pid=ended.pid, started=1)
    ended.wait()
    return identity


def elsewhere() -> ProcessIdentity:
    """A process of another machine, whatever it is doing."""
    return ProcessIdentity("another", "another-boot", "pid:[1]", 4711, 1)


def silent_for(identity: ProcessIdentity, silence: timedelta) -> dict[str, str]:
    """The tags of a run whose process gave its last heartbeat so long ago."""
    last = datetime.now(UTC) - silence
    return {**lease_tags(identity), HEARTBEAT: last.isoformat()}


def started(
    instance: dg.DagsterInstance,
    tags: dict[str, str],
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
) -> str:
    """A run in this state with these tags; its id."""
    return instance.create_run_for_job(refresh, tags=tags, status=status).run_id


def state(instance: dg.DagsterInstance, run_id: str) -> str:
    """What Dagster says of a run."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status.value
