"""raw/<source>: landed files and messages, each taken in once."""

from collections.abc import Iterator

import dagster as dg

from bridge_cart_assets.assets.asset_checks import check_specs, evaluate
from bridge_cart_assets.assets.asset_specs import asset_spec, materialize_result
from bridge_cart_assets.assets.run_scope import RunScope
from bridge_cart_assets.batch_days import DayRange, last_batch_day
from bridge_cart_assets.checks.check import CheckContext
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.intake import take_in_source
from bridge_cart_assets.pipeline.open_operations import refuse_while_open
from bridge_cart_assets.pipeline.phases import phase
from bridge_cart_assets.pipeline.remembered_settings import refuse_other_settings
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import Source


def raw_asset(source: Source, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset that takes in a source's new files whose batch day is in the run's range."""

    @dg.multi_asset(
        name=f"raw_{source.name}",
        specs=[asset_spec(source.raw, deps=(), days=days)],
        check_specs=check_specs(source.raw),
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def raw(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        refuse_while_open(settings, context.run.tags)
        refuse_other_settings(lake, settings.silver)
        scope = RunScope.from_tags(context.run.tags)
        checked_days = scope.days
        if context.selected_asset_keys:
            with phase(f"raw: {source.name}"):
                intake = take_in_source(
                    lake,
                    source,
                    settings.landing_zone,
                    context.run.run_id,
                    brokers=settings.kafka,
                    days=scope.days,
                    arrivals=scope.arrivals,
                    progress=context.log.info,
                    zone=settings.timezone,
                    notes=settings.data / "reading",
                    identity_key=settings.hash_key,
                )
            for warning in intake.warnings(source):
                context.log.warning(warning)
            if checked_days is not None:
                # Days outside of the partitions wait in raw; no check covers them.
                partitions = DayRange(settings.start_date, last_batch_day(settings.timezone))
                checked_days = checked_days.with_days(
                    day for day in intake.message_days if day in partitions
                )
            yield materialize_result(lake.snapshot(source.raw), **intake.metadata)
        yield from evaluate(
            context, CheckContext(lake, checked_days, zone=settings.timezone), (source.raw,)
        )

    return raw
