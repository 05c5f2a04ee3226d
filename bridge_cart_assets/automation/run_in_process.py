"""Running a job in this process, with progress that people can read.

Belongs here: what `bridge-cart` needs of Dagster: the code location, a run, its outcome. Does not
belong here: the instance (`instance`), or words for the terminal (`terminal`).
"""

import logging
import signal
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from bridge_cart_assets.automation.executor import cancel
from bridge_cart_assets.automation.instance import dagster_home
from bridge_cart_assets.automation.interruption import on_signal
from bridge_cart_assets.automation.liveness import heartbeat, lease_tags
from bridge_cart_assets.definitions import build_defs
from bridge_cart_assets.object_store import StoreError, store_problem
from bridge_cart_assets.pipeline.progress import ProgressCallback
from bridge_cart_assets.settings import Settings


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        success: whether everything was done.
        run_id: Dagster's id of the run.
        problems: one line per step that failed, the first cause first.
        checks: verdicts of the asset checks: key, name, passed, severity, description.
    """

    success: bool
    run_id: str
    problems: tuple[str, ...]
    checks: tuple[dg.AssetCheckEvaluation, ...]

    @property
    def failed_checks(self) -> list[dg.AssetCheckEvaluation]:
        """Blocking checks that failed."""
        return [
            c for c in self.checks if not c.passed and c.severity == dg.AssetCheckSeverity.ERROR
        ]

    @property
    def cause(self) -> str:
        """Why it failed, in one line: the first step, else the first check, else where to look."""
        checks = [f"{check.check_name}: {check.description}" for check in self.failed_checks]
        return [*self.problems, *checks, f"see run {self.run_id}"][0]

    @property
    def warnings(self) -> list[dg.AssetCheckEvaluation]:
        """Other checks that failed."""
        return [c for c in self.checks if not c.passed and c.severity == dg.AssetCheckSeverity.WARN]


def run_in_process(
    settings: Settings,
    instance: dg.DagsterInstance,
    job: str,
    progress: ProgressCallback,
    tags: Mapping[str, str] | None = None,
    assets: Sequence[dg.AssetKey] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Outcome:
    """Run a job in this process and wait for it; a signal marks the run as canceled.

    Args:
        settings: where things lie.
        instance: where the run is written down.
        job: `refresh` or `check`.
        progress: gets a line when a step is done or says something.
        tags: tags of the run, for instance its batch days.
        assets: the assets to run; all of the job without.
        config: run configuration.
    """
    definitions = build_defs(settings, loggers={"console": _progress_logger(progress)})
    run_id = str(uuid.uuid4())
    with heartbeat(instance, run_id), on_signal(partial(_cancel, settings, run_id)):
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            run_id=run_id,
            # The next command or the sensor does what is left; Dagster's own retry would too.
            tags={"dagster/max_retries": "0", **(tags or {}), **lease_tags(run_id)},
            asset_selection=list(assets) if assets else None,
            run_config={"loggers": {"console": {}}, **(config or {})},
            raise_on_error=False,
        )
    return Outcome(
        success=result.success,
        run_id=result.run_id,
        problems=_problems(result.all_events),
        checks=tuple(result.get_asset_check_evaluations()),
    )


def _cancel(settings: Settings, run_id: str, received: signal.Signals) -> None:
    # Not the instance of the run: the work may be holding its connections. And without a look at
    # the files: to close one that SQLite has open would drop the locks of this process on it.
    dagster_home(settings)
    with dg.DagsterInstance.get() as instance:
        cancel(instance, run_id, received.name)


def _problems(events: Sequence[dg.DagsterEvent]) -> tuple[str, ...]:
    """What went wrong in the steps; or else in the run around them, where nothing else can say."""
    steps = [e for e in events if e.is_step_failure]
    runs = [e for e in events if e.is_run_failure]
    return (
        *(_cause(event, event.step_failure_data.error) for event in steps),
        *(_cause(event, event.job_failure_data.error) for event in runs if not steps),
    )


def _cause(event: dg.DagsterEvent, error: SerializableErrorInfo | None) -> str:
    causes = [error] if error else []
    while causes and causes[-1].cause is not None:
        causes.append(causes[-1].cause)
    for one in causes:
        if one.cls_name == StoreError.__name__:
            return one.message.partition(": ")[2].strip()
    if problem := store_problem("\n".join(one.message for one in causes)):
        return problem
    error = causes[-1] if causes else None
    message = (error.message if error else event.message or "").strip()
    # The last cause says what happened; the frames around it only where.
    return " ".join(message.split())


def _progress_logger(progress: ProgressCallback) -> dg.LoggerDefinition:
    @dg.logger(config_schema={"log_level": dg.Field(str, is_required=False)})
    def console(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("bridge_cart.progress", level=logging.INFO)
        logger.addHandler(_ProgressHandler(progress))
        return logger

    return console


class _ProgressHandler(logging.Handler):
    def __init__(self, progress: ProgressCallback) -> None:
        super().__init__(level=logging.DEBUG)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        meta = getattr(record, "dagster_meta", None) or {}
        # Warnings are said at the end of the run, from what is true then.
        if meta.get("dagster_event") is None and record.levelno < logging.WARNING:
            self._progress(str(meta.get("orig_message") or record.getMessage()))
