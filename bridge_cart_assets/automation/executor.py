"""The executor of all runs that Dagster launches: in one process, which holds the run's lease."""

import signal
import time
from collections.abc import Iterator
from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING

import dagster as dg

from bridge_cart_assets.assets.catalogue import KEY as CATALOGUE
from bridge_cart_assets.assets.gold import OP as GOLD
from bridge_cart_assets.assets.silver import OP as SILVER
from bridge_cart_assets.automation.interruption import ending_late_workers
from bridge_cart_assets.automation.liveness import (
    FAILURE_REASON,
    INTERRUPTED,
    STOPPED,
    ended_tag,
    lease,
)
from bridge_cart_assets.automation.retention import forget_old_runs
from bridge_cart_assets.pipeline.refresh_lock import refreshing_alone
from bridge_cart_assets.settings import Settings

if TYPE_CHECKING:
    from dagster._core.execution.context.system import PlanOrchestrationContext
    from dagster._core.execution.plan.plan import ExecutionPlan
    from dagster._core.execution.retries import RetryMode

# While a run has one of these steps, another has none.
_ALONE = frozenset({SILVER, GOLD, CATALOGUE.to_python_identifier()})
_IN_PROCESS = dg.in_process_executor


class LeasedExecutor(dg.Executor):
    """Dagster's in-process executor, with a lease; a signal makes the run canceled, not failed."""

    def __init__(self, inner: dg.Executor) -> None:
        self._inner = inner

    @property
    def retries(self) -> "RetryMode":
        """As the executor within has them."""
        return self._inner.retries

    def execute(
        self, plan_context: "PlanOrchestrationContext", execution_plan: "ExecutionPlan"
    ) -> Iterator[dg.DagsterEvent]:
        """Execute the steps."""
        instance, run_id = plan_context.instance, plan_context.run_id

        def farewell(received: signal.Signals) -> None:
            cancel(instance, run_id, received.name)

        @cache
        def say_once() -> None:
            plan_context.log.info("waiting for another run that brings gold up to date")

        is_alone = _ALONE.intersection(execution_plan.step_keys_to_execute)
        with lease(instance, run_id), ending_late_workers(farewell):
            try:
                data = Settings.from_environment().data
                alone = refreshing_alone(data, lambda _: say_once())
                with alone if is_alone else nullcontext():
                    yield from self._inner.execute(plan_context, execution_plan)
            except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
                # Dagster takes an interrupted run for failed unless it was being canceled.
                begin_to_cancel(instance, run_id, "a signal")
                raise
        forget_old_runs(instance, Settings.from_environment().keep_runs)


def begin_to_cancel(instance: dg.DagsterInstance, run_id: str, by: str) -> None:
    """Mark a run as being canceled by a signal, unless somebody has done so before."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished or run.status == dg.DagsterRunStatus.CANCELING:
        return
    instance.add_run_tags(run_id, ended_tag(run_id, STOPPED))
    instance.report_run_canceling(run, f"Stopped by {by}.")


def cancel(instance: dg.DagsterInstance, run_id: str, by: str) -> None:
    """Mark a run as canceled by a signal; nothing if it has finished otherwise.

    Polars answers SIGINT too, by an exception in the thread that works. When that comes first,
    Dagster has just marked the run as failed by an interrupt; it was canceled all the same.
    """
    begin_to_cancel(instance, run_id, by)
    for pause in (0, 0.05):
        time.sleep(pause)
        run = instance.get_run_by_id(run_id)
        if run is None:
            return
        if not run.is_finished or run.tags.get(FAILURE_REASON) == INTERRUPTED:
            instance.report_run_canceled(
                run,
                f"Stopped by {by}. What the run had committed stays; the next run does the rest.",
            )


def _leased(context: dg.InitExecutorContext) -> LeasedExecutor:
    create = _IN_PROCESS.executor_creation_fn
    assert create is not None  # noqa: S101 - Dagster's own executor has one
    return LeasedExecutor(create(context))


# In the run's own process: a step of its own process costs seconds and these take less.
leased_executor = dg.ExecutorDefinition(
    name=_IN_PROCESS.name,
    config_schema=_IN_PROCESS.config_schema,  # type: ignore[arg-type] # its own, as it is
    executor_creation_fn=_leased,
    description="All steps in the run's own process, which holds the run's lease.",
)
