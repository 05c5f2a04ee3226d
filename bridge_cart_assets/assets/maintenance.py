"""ops/maintenance: small files put together and superfluous ones removed, in all stored tables.

Nothing depends on this asset, the catalogue neither: while a blocking check holds the catalogue
back, maintenance must not publish what the check found wanting. After silver or gold was compacted
the catalogue is behind, and the next run builds it again.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

import dagster as dg
from pydantic import Field

from bridge_cart_assets.assets.asset_specs import OWNERS
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.maintenance import Done, maintain, versions_served
from bridge_cart_assets.lake.vacuum import TOMBSTONE_RETENTION
from bridge_cart_assets.pipeline.open_operations import refuse_while_open
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.tables.table import Table

GROUP = "maintenance"
KEY = dg.AssetKey(["ops", "maintenance"])


class MaintenanceConfig(dg.Config):
    """For how many days earlier versions of the tables can be read."""

    keep_days: int = Field(default=TOMBSTONE_RETENTION.days, ge=1, le=TOMBSTONE_RETENTION.days)


def maintenance_asset(tables: Sequence[Table]) -> dg.AssetsDefinition:
    """The asset that looks after these tables, one after the other."""

    @dg.asset(
        key=KEY,
        group_name=GROUP,
        kinds={"deltalake"},
        owners=OWNERS,
        # Not those of the tables: a run would wait for all of it, and need not.
        description=(
            "Small files put together, and files removed that no version of the last days needs. "
            "Beside runs: each re-plans when the other was faster. See docs/operations.md."
        ),
    )
    def maintenance(
        context: dg.AssetExecutionContext,
        config: MaintenanceConfig,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult[None]:
        refuse_while_open(settings, context.run.tags)
        done = maintain(
            lake,
            tables,
            context.run.run_id,
            keep=timedelta(days=config.keep_days),
            served=versions_served(settings.catalogue),
        )
        for table in (some for some in done if some.postponed):
            context.log.warning(f"{table.table}: others kept writing; put together next time")
        return dg.MaterializeResult(metadata=_shown(done))

    return maintenance


def _shown(done: Sequence[Done]) -> dict[str, dg.MetadataValue]:
    records = [
        dg.TableRecord({**asdict(table), "seconds": round(table.seconds, 3)}) for table in done
    ]
    return {
        "files_before": dg.MetadataValue.int(sum(table.files_before for table in done)),
        "files_after": dg.MetadataValue.int(sum(table.files_after for table in done)),
        "bytes_after": dg.MetadataValue.int(sum(table.bytes_after for table in done)),
        "files_removed": dg.MetadataValue.int(sum(table.removed for table in done)),
        **({"tables": dg.MetadataValue.table(records)} if records else {}),
    }
