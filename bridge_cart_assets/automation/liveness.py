"""Runs whose process is gone: how they are recognised, and how they are ended.

Belongs here: the lease that a run holds while it works, and the one judgement by which the
command, the sensors and Dagster's run monitoring tell a dead run from a living one. Does not
belong here: how a process is named (`processes`).

A run that works names its process in a tag and renews a second tag, its heartbeat. A process that
can see that process asks the kernel, whose answer is exact and immediate. One that cannot (on
another machine or in another container, over Postgres) goes by the heartbeat: a run is dead that
has not renewed it for a minute. That needs clocks that agree to within seconds.
"""

import json
import logging
import re
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from bridge_cart_assets.automation.processes import ProcessIdentity

# Tags of a run.
PROCESS = "bridge_cart/process"
HEARTBEAT = "bridge_cart/heartbeat"
ENDED = "bridge_cart/ended"
PROCESS_GONE, STOPPED = "process gone", "stopped by a signal"

HEARTBEAT_EVERY = timedelta(seconds=10)
LEASE = timedelta(seconds=60)
# How long, in seconds, a run that was only requested may take to get into the queue.
SUBMIT_TIMEOUT = timedelta(seconds=60)
# How long, in seconds, a run that is being launched may take until its code server is written down.
LAUNCH_TIMEOUT = timedelta(seconds=10)
# Where Dagster's launcher writes down which code server starts a run, and whose run it is.
_CODE_SERVER = ".dagster/grpc_info"
_REPOSITORY = ".dagster/repository"
# How the code location is called: by workspace.yaml, by the chart for Kubernetes, by its module.
_OUR_LOCATION = re.compile(r"@bridge[-_]cart")
_CONNECT_SECONDS = 2
# Where Dagster writes down why a run failed; and the reasons that another try would not change.
FAILURE_REASON, INTERRUPTED = "dagster/failure_reason", "UNEXPECTED_TERMINATION"
_FAILED_ON_ITS_OWN = ("STEP_FAILURE", "RUN_EXCEPTION", "JOB_INITIALIZATION_FAILURE")

_BEING_LAUNCHED = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED)
UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class DeadRun:
    """A run that was ended because its process is gone.

    Attributes:
        run_id: Dagster's id.
        job: name of the job.
        since: when it began, or was requested if it never did.
        reason: how its death was seen.
    """

    run_id: str
    job: str
    since: datetime
    reason: str

    def __str__(self) -> str:
        """For people, in one line."""
        return f"run {self.run_id[:8]} ({self.job}, since {clock(self.since)}): {self.reason}"


def clock(moment: datetime) -> str:
    """A moment in the time of this machine, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def lease_tags(run_id: str, identity: ProcessIdentity | None = None) -> dict[str, str]:
    """The tags of a run that this process begins to execute.

    They name the run: Dagster gives a run that is executed again the tags of the first one.
    """
    process = (identity or ProcessIdentity.current()).text
    return {PROCESS: f"{run_id} {process}", HEARTBEAT: _now().isoformat()}


def ended_tag(run_id: str, how: str) -> dict[str, str]:
    """The tag of a run that was cut off; it names the run for the same reason."""
    return {ENDED: f"{run_id} {how}"}


def identity_of(run: dg.DagsterRun) -> ProcessIdentity | None:
    """The process that executes a run; None when none has said so."""
    run_id, _, process = run.tags.get(PROCESS, "").partition(" ")
    return ProcessIdentity.parse(process) if run_id == run.run_id else None


@contextmanager
def lease(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Name this process in the run's tags, and renew the heartbeat until the block ends."""
    instance.add_run_tags(run_id, lease_tags(run_id))
    with heartbeat(instance, run_id):
        yield


@contextmanager
def heartbeat(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Renew the heartbeat of a run that has its lease already."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_EVERY.total_seconds()):
            # A database that is away may be back for the next beat, and the run be there. Without
            # the beat a living run would be taken for dead, so nothing may end this thread.
            with suppress(Exception):
                instance.add_run_tags(run_id, {HEARTBEAT: _now().isoformat()})

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(HEARTBEAT_EVERY.total_seconds())


def cause_of_death(run: dg.DagsterRun) -> str | None:
    """Why a run that has not finished never will; None when it lives, or may live.

    Only runs with a lease are judged: those of other code locations have none.
    """
    identity = identity_of(run)
    if identity is None:
        return None
    alive = identity.is_alive
    if alive is not None:
        return None if alive else f"its process is gone ({identity})"
    silent = _now() - _last_heartbeat(run.tags)
    if silent <= LEASE:
        return None
    return f"no sign of life for {silent.total_seconds():,.0f} s from its process ({identity})"


def end_dead_runs(instance: dg.DagsterInstance) -> list[DeadRun]:
    """End every run whose process is gone, and free what it held.

    The run becomes failed (canceled, if somebody was cancelling it) with the reason in its log.
    """
    ended = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED)):
        run = record.dagster_run
        reason = cause_of_death(run) or _lost_in_launch(instance, record)
        if reason is not None and end_run(instance, run, reason):
            ended.append(DeadRun(run.run_id, run.job_name, _since(record), reason))
    return ended


def end_run(instance: dg.DagsterInstance, run: dg.DagsterRun, reason: str) -> bool:
    """Mark a dead run as failed, or as canceled if it was being canceled; free its pool slots.

    Returns:
        False when it had finished in the meantime.
    """
    now = instance.get_run_by_id(run.run_id)
    if now is None or now.is_finished:
        return False
    message = f"The run is over: {reason}. What it had committed stays; the next run does the rest."
    instance.add_run_tags(run.run_id, ended_tag(run.run_id, PROCESS_GONE))
    if now.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(now, message)
    else:
        instance.report_run_failed(now, message)
    # Our own assets claim no slots; those that an earlier version claimed may be held still.
    storage = instance.event_log_storage
    if storage.supports_global_concurrency_limits:
        storage.free_concurrency_slots_for_run(run.run_id)
    return True


def under_way(instance: dg.DagsterInstance, job: str) -> dg.RunRecord | None:
    """A living run of a job, the oldest one, or None.

    A run that was requested and never got into the queue does not count after a minute.
    """
    records = instance.get_run_records(
        dg.RunsFilter(job_name=job, statuses=UNFINISHED), ascending=True
    )
    for record in records:
        run = record.dagster_run
        is_stuck = (
            run.status == dg.DagsterRunStatus.NOT_STARTED
            and identity_of(run) is None
            and _now() - record.create_timestamp > SUBMIT_TIMEOUT
        )
        if not (is_stuck or cause_of_death(run) or _lost_in_launch(instance, record)):
            return record
    return None


def describe(record: dg.RunRecord) -> str:
    """Which run, of what process, since when."""
    run = record.dagster_run
    identity = identity_of(run)
    state = "" if run.status == dg.DagsterRunStatus.STARTED else f"{run.status.value.lower()}, "
    who = f"{identity}, " if identity else ""
    return f"run {run.run_id[:8]} ({state}{who}since {clock(_since(record))})"


def count_cut_off_runs(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> int:
    """How many runs with these tags were killed or stopped, and did not fail on their own."""
    failed, canceled = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED
    runs: Sequence[dg.DagsterRun] = instance.get_runs(
        dg.RunsFilter(tags=dict(tags), statuses=[failed, canceled])
    )
    return sum(
        run.tags.get(ENDED, "").startswith(run.run_id)
        # Dagster's code server ends the run of a worker that was killed, without our tag.
        or (run.status == failed and run.tags.get(FAILURE_REASON) not in _FAILED_ON_ITS_OWN)
        for run in runs
    )


def _lost_in_launch(instance: dg.DagsterInstance, record: dg.RunRecord) -> str | None:
    """Why a run without a lease will never get one: nothing is left that could start it.

    The socket of a code server is asked of Dagster's own launcher on SQLite only: that of one on
    another machine says nothing here, and other launchers have no socket. There run monitoring's
    start timeout ends a run that never started; one that was killed between its start and its
    lease, which is the first thing that it does, is known by its silence.
    """
    run = record.dagster_run
    if (
        run.status == dg.DagsterRunStatus.STARTED
        and identity_of(run) is None
        and _OUR_LOCATION.search(run.tags.get(_REPOSITORY, ""))
        and _now() - record.update_timestamp > LEASE
    ):
        return "it was started, and its process never began to work"
    is_local = "postgres" not in type(instance.run_storage).__module__
    if (
        run.status not in _BEING_LAUNCHED
        or identity_of(run) is not None
        or not (is_local and isinstance(instance.run_launcher, dg.DefaultRunLauncher))
        # A run that is executed again has the first one's server until its own is written down.
        or _now() - record.update_timestamp <= LAUNCH_TIMEOUT
    ):
        return None
    if _CODE_SERVER not in run.tags:
        is_starting = run.status == dg.DagsterRunStatus.STARTING
        return "it was never launched" if is_starting else None
    try:
        path = json.loads(run.tags[_CODE_SERVER]).get("socket")
    except ValueError:
        return None
    if path and _is_unreachable(path):
        return "the code server that was to start it is gone"
    return None


def _is_unreachable(path: str) -> bool:
    """Whether no server listens on a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CONNECT_SECONDS)
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return True
        except OSError as error:
            logging.getLogger(__name__).info("%s cannot be asked: %s", path, error)
    return False


def _last_heartbeat(tags: Mapping[str, str]) -> datetime:
    try:
        return datetime.fromisoformat(tags[HEARTBEAT])
    except (KeyError, ValueError):
        return datetime.fromtimestamp(0, tz=UTC)


def _since(record: dg.RunRecord) -> datetime:
    if record.start_time is not None:
        return datetime.fromtimestamp(record.start_time, tz=UTC)
    return record.create_timestamp


def _now() -> datetime:
    return datetime.now(UTC)
