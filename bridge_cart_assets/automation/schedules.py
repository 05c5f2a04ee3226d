"""The schedules: maintenance every night, and days of the synthetic shop to watch."""

import dagster as dg

from bridge_cart_assets.automation.jobs import maintenance_job, shop_job
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.maintenance import needs_maintenance, versions_served
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_assets.settings import Settings

shop_schedule = dg.ScheduleDefinition(
    name="shop_opens",
    job=shop_job,
    cron_schedule="*/2 * * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="A day of the synthetic shop every two minutes; turn it on and watch.",
)


def maintenance_schedule(zone: str) -> dg.ScheduleDefinition:
    """The schedule that asks for maintenance in the shop's night."""

    @dg.schedule(
        name="nightly_maintenance",
        job=maintenance_job,
        cron_schedule="30 3 * * *",
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            f"Maintenance of all tables, every night at 03:30 {zone}, if there is any to do."
        ),
    )
    def schedule(
        lake: dg.ResourceParam[Lake], settings: dg.ResourceParam[Settings]
    ) -> dg.RunRequest | dg.SkipReason:
        served = versions_served(settings.catalogue)
        if not any(needs_maintenance(lake, t, served=served.get(t.path)) for t in STORED_TABLES):
            return dg.SkipReason("no table has small files or superfluous ones")
        return dg.RunRequest()

    return schedule
