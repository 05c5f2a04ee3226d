"""The sensors: for new files, for new messages, for partitions that were materialized by hand, and
for what people should hear of."""

import time
from collections.abc import Callable

import dagster as dg

from bridge_cart_assets.assets.run_scope import RunScope
from bridge_cart_assets.automation.alerting import send_alerts
from bridge_cart_assets.automation.jobs import QUIET, refresh_job, refresh_selection
from bridge_cart_assets.automation.latest_state import REFRESH
from bridge_cart_assets.automation.liveness import (
    count_cut_off_runs,
    describe,
    end_dead_runs,
    under_way,
)
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.open_operations import open_operation
from bridge_cart_assets.pipeline.plan import FILES, MESSAGES, Plan, plan
from bridge_cart_assets.settings import Settings

_EVERY_SECONDS = 20
_AGAIN_SECONDS = 600
_ALERT_SECONDS = 120
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


def files_request(due: Plan, cut_off: int) -> dg.RunRequest | dg.SkipReason:
    """Ask for the run that takes the new files; not after it was cut off four times."""
    if due.days is None:
        return dg.SkipReason(f"nothing new among {len(due.listed)} files")
    if cut_off >= _MOST_ATTEMPTS:
        return dg.SkipReason(
            f"{cut_off} runs for the same files were cut off: see why, then bridge-cart run"
        )
    return run_request(due, cut_off)


def messages_request(due: Plan, cut_off: int) -> dg.RunRequest | dg.SkipReason:
    """Ask for the run that takes the messages; the tick fails when some were lost."""
    if due.kafka_problem:
        raise dg.Failure(due.kafka_problem)
    if due.days is None:
        return dg.SkipReason("no message waits")
    # Brokers come back without any news: what failed is asked for again after a while.
    attempt = int(time.time() // _AGAIN_SECONDS) + min(cut_off, _MOST_ATTEMPTS)
    return run_request(due, attempt)


def arrival_sensor(
    name: str,
    arrivals: str,
    request: Callable[[Plan, int], dg.RunRequest | dg.SkipReason],
    description: str,
) -> dg.SensorDefinition:
    """A sensor that requests one run for what has arrived, one at a time.

    Args:
        name: of the sensor.
        arrivals: what it looks for, `FILES` or `MESSAGES`.
        request: says what to ask for, from what is due and how often that was cut off already.
        description: shown in Dagster's UI.
    """

    @dg.sensor(
        job=refresh_job,
        name=name,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=_EVERY_SECONDS,
        description=description,
    )
    def sensor(
        context: dg.SensorEvaluationContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.RunRequest | dg.SkipReason:
        for dead in end_dead_runs(context.instance):
            context.log.warning("ended %s", dead)
        if (found := open_operation(settings)) is not None:
            return dg.SkipReason(f"{found.words} is not complete: bridge-cart run finishes it")
        if (record := under_way(context.instance, REFRESH)) is not None:
            return dg.SkipReason(f"{describe(record)} is under way")
        # Names, sizes, times and offsets only: a tick is cut off after a minute.
        due = plan(settings, lake, arrivals=(arrivals,))
        news = {_PLAN: due.run_key}
        return request(due, count_cut_off_runs(context.instance, news) if due.days else 0)

    return sensor


landing_sensor = arrival_sensor(
    "landing_sensor",
    FILES,
    files_request,
    "Requests one run for what is new in the landing zone, one at a time.",
)
kafka_sensor = arrival_sensor(
    "kafka_sensor",
    MESSAGES,
    messages_request,
    "Requests one run when messages wait in the topics, one at a time.",
)
follow_sensor = dg.AutomationConditionSensorDefinition(
    "follow_sensor",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Brings up to date what lies downstream of a partition materialized by hand.",
)


@dg.sensor(
    name="alert_sensor",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=_ALERT_SECONDS,
    description="Sends a message when something goes wrong, once, and when it is right again.",
)
def alert_sensor(settings: dg.ResourceParam[Settings]) -> dg.SkipReason:
    """Send what the channels do not know yet; a tick fails when a channel does not take it."""
    sent = send_alerts(settings)
    if sent.refused:
        raise dg.Failure("; ".join(sent.refused))
    return dg.SkipReason(f"{sent.taken} messages were sent" if sent.taken else "nothing is new")
