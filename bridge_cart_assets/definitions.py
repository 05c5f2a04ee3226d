"""The whole code location on one page."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from bridge_cart_assets.assets.catalogue import catalogue_asset
from bridge_cart_assets.assets.gold import gold_assets
from bridge_cart_assets.assets.maintenance import maintenance_asset
from bridge_cart_assets.assets.raw import raw_asset
from bridge_cart_assets.assets.silver import silver_assets
from bridge_cart_assets.assets.synthetic_shop import shop_day
from bridge_cart_assets.automation.conditions import follow
from bridge_cart_assets.automation.executor import leased_executor
from bridge_cart_assets.automation.jobs import check_job, maintenance_job, refresh_job, shop_job
from bridge_cart_assets.automation.schedules import maintenance_schedule, shop_schedule
from bridge_cart_assets.automation.sensors import (
    alert_sensor,
    follow_sensor,
    kafka_sensor,
    landing_sensor,
)
from bridge_cart_assets.automation.weekly import weekly_report_job, weekly_report_schedule
from bridge_cart_assets.engine.engine import engine_at
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.partitions import daily_partitions
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_assets.private_files import keep_files_private
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import sources_read_as


def build_defs(
    settings: Settings,
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
) -> dg.Definitions:
    """Assemble the code location; reads and writes nothing.

    Args:
        settings: where things lie.
        resources: take the place of the resources `lake` and `settings`, for tests.
        loggers: take the place of Dagster's console logger.

    Raises:
        SettingsError: an encoding or an order of dates was set for a source that there is not.
    """
    days = daily_partitions(settings.start_date, settings.timezone)
    sources = sources_read_as(settings.encodings, settings.dates, settings.currency)
    engine = engine_at(settings.engine, settings.engine_rows)
    return dg.Definitions(
        assets=[
            *(raw_asset(source, days) for source in sources),
            silver_assets(days, follow(), sources, engine),
            gold_assets(follow(), settings.discount_rate, settings.timezone, engine),
            catalogue_asset(follow()),
            shop_day,
            maintenance_asset(STORED_TABLES),
        ],
        jobs=[refresh_job, check_job, shop_job, maintenance_job, weekly_report_job],
        schedules=[
            shop_schedule,
            maintenance_schedule(settings.timezone),
            weekly_report_schedule(settings.timezone),
        ],
        executor=leased_executor,
        sensors=[
            *(landing_sensor, follow_sensor),
            *([kafka_sensor] if settings.kafka else []),
            *([alert_sensor] if settings.messages.has_alerts else []),
        ],
        resources={
            "lake": Lake(settings.lake, settings.storage_options),
            "settings": settings,
            **(resources or {}),
        },
        loggers=dict(loggers) if loggers else None,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster dev` and the daemon load."""
    keep_files_private()
    return build_defs(Settings.from_environment())
