"""gold/*: one asset for the tables of the layer, because each step of a run costs seconds."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import dagster as dg

from bridge_cart_assets.assets.asset_checks import check_specs, evaluate
from bridge_cart_assets.assets.asset_metadata import asset_metadata
from bridge_cart_assets.assets.asset_specs import asset_key, asset_spec, materialize_result
from bridge_cart_assets.checks.check import CheckContext
from bridge_cart_assets.engine.engine import Engine
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.gold import Built, recipes, update_table
from bridge_cart_assets.pipeline.gold_inputs import GoldInputs
from bridge_cart_assets.pipeline.gone_tables import refuse_gone_silver
from bridge_cart_assets.pipeline.lake_format import refuse_other_format
from bridge_cart_assets.pipeline.open_operations import refuse_while_open
from bridge_cart_assets.pipeline.phases import phase
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.tables.gold import INTERNAL
from bridge_cart_assets.tables.table import Table

OP = "gold"


class Training(dg.Config):
    """Whether a segment model is trained although one is in effect."""

    retrain: bool = False


def gold_assets(
    condition: dg.AutomationCondition[dg.AssetKey],
    discount_rate: float,
    zone: str = "UTC",
    engine: Engine | None = None,
) -> dg.AssetsDefinition:
    """The asset that builds the tables of gold, each after those that it is built from."""
    declared = [recipe for recipe in recipes(discount_rate) if not recipe.is_internal]

    @dg.multi_asset(
        name=OP,
        specs=[asset_spec(recipe.table, recipe.deps, condition=condition) for recipe in declared],
        check_specs=[check for recipe in declared for check in check_specs(recipe.table)],
        can_subset=True,
    )
    def gold(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
        config: Training,
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        refuse_while_open(settings, context.run.tags)
        refuse_other_format(lake)
        refuse_gone_silver(lake)
        # Tables whose blocking check failed, and those that would be built from them.
        held: set[str] = set()
        all_built: dict[str, Built] = {}
        inputs = GoldInputs.now(lake, engine)
        last_catalogue = settings.catalogue if context.selected_asset_keys else None
        looked_at = CheckContext(lake, zone=zone, last_catalogue=last_catalogue)
        for recipe in recipes(discount_rate, config.retrain):
            table, frames = recipe.table, {}
            if not held.isdisjoint(source.path for source in recipe.made_from):
                held.add(table.path)
                continue
            if recipe.is_internal:
                if context.selected_asset_keys:
                    built = update_table(lake, recipe, context.run.run_id, inputs)
                    all_built |= {} if built is None else {table.path: built}
                continue
            if asset_key(table) in context.selected_asset_keys:
                built = update_table(lake, recipe, context.run.run_id, inputs)
                metadata = {}
                if built is not None:
                    built = built.after([all_built[t.path] for t in recipe.reads if t in INTERNAL])
                    all_built[table.path] = built
                    with phase("figures for the asset pages"):
                        metadata = build_metadata(lake, table, built)
                    frames = {} if built.rows is None else {table.path: built.rows}
                yield materialize_result(lake.snapshot(table), **metadata)
            for result in evaluate(context, replace(looked_at, frames=frames), (table,)):
                yield result
                if context.selected_asset_keys and stops_downstream(result):
                    held.add(table.path)
        if all_built:
            context.log.info(in_one_line(all_built))

    return gold


def in_one_line(built: Mapping[str, Built]) -> str:
    """How the tables were built, and the first reason for which one could not follow.

    >>> followed = Built(None, "incremental", None, changed=3, seconds=0.1)
    >>> whole = Built(None, "full", "another segment model has come", changed=9, seconds=0.3)
    >>> in_one_line({"gold/sales_daily": followed, "gold/customer_history": whole})
    'gold: 2 tables in 0.4 s; 1 followed the change, 1 not: another segment model has come'
    """
    seconds = sum(one.seconds for one in built.values())
    reasons = [one.why for one in built.values() if one.why is not None]
    followed = sum(one.mode == "incremental" for one in built.values())
    not_followed = f", {len(reasons)} not: {reasons[0]}" if reasons else ""
    return (
        f"gold: {len(built)} tables in {seconds:,.1f} s; {followed} followed the change"
        f"{not_followed}"
    )


def build_metadata(
    lake: Lake, table: Table, built: Built
) -> dict[str, int | float | str | dg.MetadataValue | None]:
    """How a table was built, and the figures of its rows."""
    rows = lake.snapshot(table).scan() if built.rows is None else built.rows.lazy()
    return {
        "mode": built.mode,
        "why": built.why,
        "rows_changed": built.changed,
        "seconds": round(built.seconds, 3),
        **asset_metadata(table, rows),
    }


def stops_downstream(result: dg.AssetCheckResult) -> bool:
    """Whether a blocking check failed."""
    return not result.passed and result.severity == dg.AssetCheckSeverity.ERROR
