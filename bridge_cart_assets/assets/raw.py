"""raw/<source>: landed files, each taken in once."""

from collections.abc import Iterator

import dagster as dg

from bridge_cart_assets.assets.declared import seen_after, spec_of
from bridge_cart_assets.checks.declared import Evidence, check_specs, evaluate
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import not_seen
from bridge_cart_assets.ingestion.take import take_in
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.partitions import DayRange
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import Source


def raw_asset(source: Source, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset that takes in a source's new files whose batch day is in the run's range."""

    @dg.multi_asset(
        name=f"raw_{source.name}",
        specs=[spec_of(source.raw, deps=(), days=days)],
        check_specs=check_specs(source.raw),
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=f"raw_{source.name}",
    )
    def raw(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        wanted = DayRange.of_run(context.run.tags)
        if context.selected_asset_keys:
            yield take(context, lake, settings, wanted)
        yield from evaluate(context, Evidence(lake, wanted), (source.raw,))

    def take(
        context: dg.AssetExecutionContext, lake: Lake, settings: Settings, wanted: DayRange | None
    ) -> dg.MaterializeResult[None]:
        listed = list_landing(settings.landing, source.name)
        due = [f for f in not_seen(lake, listed) if wanted is None or f.batch_day in wanted]
        taken = take_in(
            lake,
            source,
            due,
            context.run.run_id,
            progress=lambda done, total: context.log.info(
                f"raw/{source.name}: {done} of {total} files"
            ),
        )
        for refused in taken.refused:
            context.log.warning(
                f"{source.name}/{refused.file.object} was refused: {refused.reason}, "
                f"{refused.detail}"
            )
        return seen_after(
            lake.look(source.raw),
            files=taken.files,
            files_repeated=taken.repeated,
            files_refused=len(taken.refused),
            records=taken.records,
        )

    return raw
