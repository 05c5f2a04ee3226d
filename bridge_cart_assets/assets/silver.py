"""silver/*: one asset for the tables of the layer, because one pass over the records fills them."""

from collections.abc import Iterator, Sequence

import dagster as dg

from bridge_cart_assets.assets.asset_checks import check_specs, evaluate
from bridge_cart_assets.assets.asset_specs import asset_key, asset_spec, materialize_result
from bridge_cart_assets.assets.run_scope import RunScope
from bridge_cart_assets.checks.check import CheckContext
from bridge_cart_assets.engine.engine import Engine
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.lake_format import refuse_other_format
from bridge_cart_assets.pipeline.open_operations import refuse_while_open
from bridge_cart_assets.pipeline.phases import phase
from bridge_cart_assets.pipeline.remembered_settings import refuse_other_settings
from bridge_cart_assets.pipeline.silver import due_days, fold_due_days
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.tables.silver import TABLES

OP = "silver"


def silver_assets(
    days: dg.DailyPartitionsDefinition,
    condition: dg.AutomationCondition[dg.AssetKey],
    sources: Sequence[Source] = SOURCES,
    engine: Engine | None = None,
) -> dg.AssetsDefinition:
    """The asset that brings silver up to date for the run's batch days."""
    received = tuple(source.raw for source in sources)

    @dg.multi_asset(
        name=OP,
        specs=[asset_spec(table, received, days=days, condition=condition) for table in TABLES],
        check_specs=[check for table in TABLES for check in check_specs(table)],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def silver(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        refuse_while_open(settings, context.run.tags)
        refuse_other_format(lake)
        refuse_other_settings(lake, settings.silver)
        scope = RunScope.from_tags(context.run.tags)
        checked_days = scope.days
        if context.selected_asset_keys:
            due = due_days(lake, scope.days, scope.pending_in)
            if checked_days is not None:
                # The days of messages are known only now; they may lie outside of the range.
                checked_days = checked_days.with_days(day for days in due.values() for day in days)
            with phase("silver: folding"):
                fold_due_days(
                    *(lake, sources, due, context.run.run_id, context.log.info),
                    *(settings.silver, engine),
                )
        for table in TABLES:
            if asset_key(table) in context.selected_asset_keys:
                yield materialize_result(lake.snapshot(table))
        currency = next((source.currency for source in sources if source.currency), "")
        looked_at = CheckContext(
            lake,
            checked_days,
            currency=currency,
            zone=settings.timezone,
            last_catalogue=settings.catalogue if checked_days is not None else None,
        )
        yield from evaluate(context, looked_at, TABLES)

    return silver
