"""gold/*: one asset for the tables of the layer, because each step of a run costs seconds."""

from collections.abc import Iterator

import dagster as dg

from bridge_cart_assets.assets.asset_checks import check_specs, evaluate
from bridge_cart_assets.assets.asset_metadata import asset_metadata
from bridge_cart_assets.assets.asset_specs import asset_key, asset_spec, materialize_result
from bridge_cart_assets.checks.registry import CheckContext
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.gold import recipes, update_table

OP = "gold"


class Training(dg.Config):
    """Whether a segment model is trained although one is in effect."""

    retrain: bool = False


def gold_assets(
    condition: dg.AutomationCondition[dg.AssetKey], discount_rate: float
) -> dg.AssetsDefinition:
    """The asset that builds the tables of gold, each after those that it is built from."""
    declared = recipes(discount_rate)

    @dg.multi_asset(
        name=OP,
        specs=[asset_spec(recipe.table, recipe.deps, condition=condition) for recipe in declared],
        check_specs=[check for recipe in declared for check in check_specs(recipe.table)],
        can_subset=True,
    )
    def gold(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], config: Training
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        # Tables whose blocking check failed, and those that would be built from them.
        held: set[str] = set()
        for recipe in recipes(discount_rate, config.retrain):
            table, frames = recipe.table, {}
            if not held.isdisjoint(dep.path for dep in recipe.deps):
                held.add(table.path)
                continue
            if asset_key(table) in context.selected_asset_keys:
                rows = update_table(lake, recipe, context.run.run_id)
                metadata = {} if rows is None else asset_metadata(table, rows)
                frames = {} if rows is None else {table.path: rows}
                yield materialize_result(lake.snapshot(table), **metadata)
            for result in evaluate(context, CheckContext(lake, frames=frames), (table,)):
                yield result
                if context.selected_asset_keys and stops_downstream(result):
                    held.add(table.path)

    return gold


def stops_downstream(result: dg.AssetCheckResult) -> bool:
    """Whether a blocking check failed."""
    return not result.passed and result.severity == dg.AssetCheckSeverity.ERROR
