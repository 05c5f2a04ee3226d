"""The DuckDB catalogue: what analysts and the report page read, replaced after each run."""

from datetime import UTC, datetime

import dagster as dg

from bridge_cart_assets.assets.asset_specs import OWNERS, asset_key
from bridge_cart_assets.assets.run_metadata import run_metadata
from bridge_cart_assets.batch_days import DayRange, last_batch_day
from bridge_cart_assets.lake.catalogue import build_catalogue
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.gold import GOLD_TABLES
from bridge_cart_assets.pipeline.open_operations import ERASURE, refuse_while_open
from bridge_cart_assets.pipeline.phases import phase
from bridge_cart_assets.pipeline.rebuild import finish_rebuild
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.ops import TABLES as OPS
from bridge_cart_assets.tables.silver import TABLES as SILVER

KEY = dg.AssetKey("catalogue")


def catalogue_asset(condition: dg.AutomationCondition[dg.AssetKey]) -> dg.AssetsDefinition:
    """The asset that builds the catalogue when all of gold is there and its checks have passed."""

    @dg.asset(
        key=KEY,
        deps=[asset_key(table) for table in (*GOLD_TABLES, *SILVER)],
        group_name="serving",
        kinds={"duckdb"},
        owners=OWNERS,
        automation_condition=condition,
        description="DuckDB file with schemas gold and ops (tables), silver (views), meta.",
    )
    def catalogue(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult[None]:
        refuse_while_open(settings, context.run.tags)
        now = datetime.now(UTC)
        raw = [source.raw for source in SOURCES]
        partitions = DayRange(settings.start_date, last_batch_day(settings.timezone))
        finish_rebuild(lake, context.run.run_id, now, partitions)
        with phase("catalogue: checks and counts"):
            about_the_run = run_metadata(
                lake, context.instance, context.run.run_id, now, (*raw, *SILVER, *GOLD_TABLES)
            )
        with phase("catalogue: copying gold"):
            rows = build_catalogue(
                settings.catalogue,
                lake,
                copied=(*GOLD_TABLES, *OPS),
                viewed=SILVER,
                others=raw,
                run_id=context.run.run_id,
                finished_at=now,
                run_metadata=about_the_run,
                zone=settings.timezone,
                takes_over=not ERASURE.is_open(settings),
            )
        return dg.MaterializeResult(
            metadata={"rows_copied": rows, "path": dg.MetadataValue.path(str(settings.catalogue))}
        )

    return catalogue
