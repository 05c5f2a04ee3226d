"""The one job that takes batch days from landing to the catalogue, and who asks for it."""

import time
from collections.abc import Sequence

import dagster as dg

from bridge_cart_assets.assets.catalogue import KEY as CATALOGUE
from bridge_cart_assets.assets.declared import key_of
from bridge_cart_assets.assets.gold import BUILT
from bridge_cart_assets.assets.maintenance import GROUP as MAINTENANCE
from bridge_cart_assets.assets.raw import FILES, MESSAGES
from bridge_cart_assets.assets.shop import GROUP as SHOP
from bridge_cart_assets.automation.executor import leased_executor
from bridge_cart_assets.automation.liveness import cut_off, describe, end_dead_runs, under_way
from bridge_cart_assets.automation.plan import STORED, Plan, plan
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.maintenance import needs_maintenance, versions_served
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import Source
from bridge_cart_assets.tables.silver import TABLES as SILVER

REFRESH = "refresh"
CHECK = "check"
_EVERY_SECONDS = 20
_AGAIN_SECONDS = 600
# A tag: what was new when a sensor asked for the run.
_PLAN = "bridge_cart/plan"
_MOST_ATTEMPTS = 4

# Dagster prints every event of a run by default, thousands of lines for a year of days.
_QUIET = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}
refresh_job = dg.define_asset_job(
    REFRESH,
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups(SHOP, MAINTENANCE),
    executor_def=leased_executor,
    config=_QUIET,
    description="Batch days from landing to the catalogue, in one process.",
)
check_job = dg.define_asset_job(
    CHECK,
    selection=dg.AssetSelection.all_asset_checks(),
    executor_def=leased_executor,
    config=_QUIET,
    description="All asset checks over whole tables; nothing is written.",
)

shop_job = dg.define_asset_job(
    "shop_day",
    selection=dg.AssetSelection.groups(SHOP),
    executor_def=leased_executor,
    config=_QUIET,
    description="One more day of the synthetic shop.",
)
shop_schedule = dg.ScheduleDefinition(
    name="shop_opens",
    job=shop_job,
    cron_schedule="*/2 * * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="A day of the synthetic shop every two minutes; turn it on and watch.",
)

maintenance_job = dg.define_asset_job(
    "maintenance",
    selection=dg.AssetSelection.groups(MAINTENANCE),
    executor_def=leased_executor,
    config=_QUIET,
    description="Small files put together, superfluous ones removed.",
)


@dg.schedule(
    name="nightly_maintenance",
    job=maintenance_job,
    cron_schedule="30 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Maintenance of all tables, every night at 03:30 UTC, if there is any to do.",
)
def maintenance_schedule(
    lake: dg.ResourceParam[Lake], settings: dg.ResourceParam[Settings]
) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run if a table has small files to put together, or files that no version needs."""
    served = versions_served(settings.catalogue)
    if not any(needs_maintenance(lake, t, served=served.get(t.path)) for t in STORED):
        return dg.SkipReason("no table has small files or superfluous ones")
    return dg.RunRequest()


def selection_of(sources: Sequence[Source]) -> list[dg.AssetKey]:
    """The assets of a run: raw of the sources that have something new, and all that follows."""
    return [*(key_of(t) for t in (*(s.raw for s in sources), *SILVER, *BUILT)), CATALOGUE]


def run_request(due: Plan, attempt: int = 0) -> dg.RunRequest:
    """The run that does what is due; one of each plan and attempt."""
    return dg.RunRequest(
        run_key=f"{due.run_key}-{attempt}" if attempt else due.run_key,
        # A run that is cut off is asked for again here, so Dagster's own retry would be a second.
        tags={**due.tags, _PLAN: due.run_key, "dagster/max_retries": "0"},
        asset_selection=selection_of(due.sources),
        # A sensor's run does not take the job's own configuration.
        run_config=_QUIET,
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
    attempt = cut_off(context.instance, {_PLAN: due.run_key})
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
    if due.trouble:
        raise dg.Failure(due.trouble)
    if due.days is None:
        return dg.SkipReason("no message waits")
    # Brokers come back without any news: what failed is asked for again after a while.
    cut = cut_off(context.instance, {_PLAN: due.run_key})
    return run_request(due, attempt=int(time.time() // _AGAIN_SECONDS) + min(cut, _MOST_ATTEMPTS))


def _busy(context: dg.SensorEvaluationContext) -> dg.SkipReason | None:
    """The reason to wait for a living run; dead ones are ended first."""
    for dead in end_dead_runs(context.instance):
        context.log.warning("ended %s", dead)
    record = under_way(context.instance, REFRESH)
    return dg.SkipReason(f"{describe(record)} is under way") if record else None


follow_by_hand = dg.AutomationConditionSensorDefinition(
    "follow_sensor",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Brings up to date what lies downstream of a partition materialized by hand.",
)
