"""The jobs, and which assets a run of the refresh job has."""

from collections.abc import Sequence
from functools import partial

import dagster as dg

from bridge_cart_assets.assets.asset_specs import asset_key
from bridge_cart_assets.assets.catalogue import KEY as CATALOGUE
from bridge_cart_assets.assets.maintenance import GROUP as MAINTENANCE
from bridge_cart_assets.assets.synthetic_shop import GROUP as SHOP
from bridge_cart_assets.automation.executor import leased_executor
from bridge_cart_assets.automation.latest_state import REFRESH
from bridge_cart_assets.pipeline.stored_tables import PUBLISHED_TABLES
from bridge_cart_assets.sources import Source

CHECK = "check"
MAINTENANCE_JOB = "maintenance"
# Dagster prints every event of a run by default, thousands of lines for a year of days.
QUIET = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}

# What all jobs have in common: one process, and few words.
asset_job = partial(dg.define_asset_job, executor_def=leased_executor, config=QUIET)

refresh_job = asset_job(
    REFRESH,
    dg.AssetSelection.all() - dg.AssetSelection.groups(SHOP, MAINTENANCE),
    description="Batch days from landing to the catalogue, in one process.",
)
check_job = asset_job(
    CHECK,
    dg.AssetSelection.all_asset_checks(),
    description="All asset checks over whole tables; nothing is written.",
)
shop_job = asset_job(
    "shop_day", dg.AssetSelection.groups(SHOP), description="One more day of the synthetic shop."
)
maintenance_job = asset_job(
    MAINTENANCE_JOB,
    dg.AssetSelection.groups(MAINTENANCE),
    description="Small files put together, superfluous ones removed.",
)


def refresh_selection(sources: Sequence[Source]) -> list[dg.AssetKey]:
    """The assets of a refresh run: raw of the sources with something new, and all downstream."""
    tables = (*(source.raw for source in sources), *PUBLISHED_TABLES)
    return [*(asset_key(table) for table in tables), CATALOGUE]
