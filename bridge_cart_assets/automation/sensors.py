"""The sensors: for new files, for new messages, and for partitions that were materialized by
hand."""

import time

import dagster as dg

from bridge_cart_assets.assets.run_scope import RunScope
from bridge_cart_assets.automation.jobs import QUIET, REFRESH, refresh_job, refresh_selection
from bridge_cart_assets.automation.liveness import (
    count_cut_off_runs,
    describe,
    end_dead_runs,
    under_way,
)
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.plan import FILES, MESSAGES, Plan, plan
from bridge_cart_assets.settings import Settings

_EVERY_SECONDS = 20
_AGAIN_SECONDS = 600
# A tag: what was new when a sensor asked for the run.
_PLAN = "bridge_cart/plan"
_MOST_ATTEMPTS = 4


def run_request(due: Plan, attempt: int = 0) -> dg.RunRequest:
    """The run that does what is due; one of each plan and attempt."""
    return dg.RunRequest(
        run_key=f"{due.run_key}-{attempt}" if attempt else due.run_key,
        # A run that is cut off is asked for again here, so Dagster's own retry would be a second.
        tags={**RunScope.of_plan(due).tags, _PLAN: due.run_key, "dagster/max_retries": "0"},
        asset_selection=refresh_selection(due.sources),
        # A sensor's run does not take the job's own configuration.
        run_config=QUIET,
    )


@dg.sensor(
    job=refresh_job,
    name="landing_sensor",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=_EVERY_SECONDS,
    description="Requests one run for what is new in the landing zone, one at a time.",
)
def landing_sensor(
    context: dg.SensorEvaluationContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.RunRequest | dg.SkipReason:
    """Look at names, sizes and times only: a tick is cut off after a minute."""
    if busy := _busy(context):
        return busy
    due = plan(settings, lake, arrivals=(FILES,))
    if due.days is None:
        return dg.SkipReason(f"nothing new among {len(due.listed)} files")
    attempt = count_cut_off_runs(context.instance, {_PLAN: due.run_key})
    if attempt >= _MOST_ATTEMPTS:
        return dg.SkipReason(
            f"{attempt} runs for the same files were cut off: see why, then bridge-cart run"
        )
    return run_request(due, attempt)


@dg.sensor(
    job=refresh_job,
    name="kafka_sensor",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=_EVERY_SECONDS,
    description="Requests one run when messages wait in the topics, one at a time.",
)
def kafka_sensor(
    context: dg.SensorEvaluationContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.RunRequest | dg.SkipReason:
    """Compare the brokers' offsets with those in raw; a tick fails when messages were lost."""
    if busy := _busy(context):
        return busy
    due = plan(settings, lake, arrivals=(MESSAGES,))
    if due.kafka_problem:
        raise dg.Failure(due.kafka_problem)
    if due.days is None:
        return dg.SkipReason("no message waits")
    # Brokers come back without any news: what failed is asked for again after a while.
    cut = count_cut_off_runs(context.instance, {_PLAN: due.run_key})
    return run_request(due, attempt=int(time.time() // _AGAIN_SECONDS) + min(cut, _MOST_ATTEMPTS))


def _busy(context: dg.SensorEvaluationContext) -> dg.SkipReason | None:
    """The reason to wait for a living run; dead ones are ended first."""
    for dead in end_dead_runs(context.instance):
        context.log.warning("ended %s", dead)
    record = under_way(context.instance, REFRESH)
    return dg.SkipReason(f"{describe(record)} is under way") if record else None


follow_sensor = dg.AutomationConditionSensorDefinition(
    "follow_sensor",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Brings up to date what lies downstream of a partition materialized by hand.",
)
