"""Runs as Dagster has them, executed by processes that live or do not."""

import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from bridge_cart_assets.automation.liveness import HEARTBEAT, LEASE, ended_tag, lease_tags
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


def started(
    instance: dg.DagsterInstance,
    by: ProcessIdentity | None = None,
    *,
    silent: timedelta = timedelta(0),
    tags: Mapping[str, str] | None = None,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
) -> str:
    """A run in this state, executed by a process that was last heard of so long ago; its id."""
    run_id = str(uuid.uuid4())
    lease = {} if by is None else lease_tags(run_id, by)
    if lease:
        lease[HEARTBEAT] = (datetime.now(UTC) - silent).isoformat()
    return instance.create_run_for_job(
        refresh, run_id=run_id, tags={**lease, **(tags or {})}, status=status
    ).run_id


def cut_off(
    instance: dg.DagsterInstance, how: str, status: dg.DagsterRunStatus, tags: Mapping[str, str]
) -> str:
    """A run that was killed or stopped."""
    run_id = started(instance, tags=tags, status=status)
    instance.add_run_tags(run_id, ended_tag(run_id, how))
    return run_id


def state(instance: dg.DagsterInstance, run_id: str) -> str:
    """What Dagster says of a run."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status.value
