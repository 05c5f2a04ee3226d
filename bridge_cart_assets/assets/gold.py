"""gold: each table is one pure function of silver, or of gold tables before it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

import dagster as dg
import polars as pl

from bridge_cart_assets.assets.declared import seen_after, spec_of
from bridge_cart_assets.assets.shown import shown
from bridge_cart_assets.checks.declared import Evidence, check_specs, evaluate
from bridge_cart_assets.ingestion.pending import latest_day
from bridge_cart_assets.lake.changes import difference
from bridge_cart_assets.lake.delta import Commit, Lake, retrying
from bridge_cart_assets.lake.doctor import refuse_torn
from bridge_cart_assets.models.drift import model_drift
from bridge_cart_assets.models.metrics import model_metrics
from bridge_cart_assets.models.retraining import segment_models
from bridge_cart_assets.models.segment_history import (
    customer_history,
    customer_segments,
    segment_metrics,
)
from bridge_cart_assets.models.value import customer_value, value_model
from bridge_cart_assets.tables.gold import (
    COHORT_RETENTION,
    CUSTOMER_FEATURES,
    CUSTOMER_HISTORY,
    CUSTOMER_SEGMENTS,
    CUSTOMER_VALUE,
    KPIS_DAILY,
    MODEL_DRIFT,
    MODEL_METRICS,
    SALES_DAILY,
    SEGMENT_METRICS,
    SEGMENT_MIGRATION,
    SEGMENT_MODEL,
    VALUE_MODEL,
)
from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.cohorts import cohort_retention
from bridge_cart_assets.transforms.features import customer_features
from bridge_cart_assets.transforms.kpis import kpis_daily
from bridge_cart_assets.transforms.migration import segment_migration
from bridge_cart_assets.transforms.sales import sales_daily

Condition = dg.AutomationCondition[dg.AssetKey]


@dataclass(frozen=True)
class Recipe:
    """How a table of gold is made.

    Attributes:
        table: the table.
        deps: tables that it is made from.
        make: gets them in this order, and as_of.
        goes_on: whether `make` gets the table's own rows first: of a model every version is kept.
    """

    table: Table
    deps: tuple[Table, ...]
    make: Callable[..., pl.DataFrame]
    goes_on: bool = False


def recipes(discount_rate: float) -> tuple[Recipe, ...]:
    """All of gold, each table after those that it is made from.

    Args:
        discount_rate: how much less money is worth in a year, as a share.
    """
    worth = partial(customer_value, discount_rate=discount_rate)
    judged_by = (PURCHASES, SEGMENT_MODEL, MODEL_DRIFT)
    return (
        Recipe(CUSTOMER_FEATURES, (PURCHASES, CUSTOMERS), customer_features),
        Recipe(SEGMENT_MODEL, (CUSTOMER_FEATURES, PURCHASES), segment_models, goes_on=True),
        Recipe(CUSTOMER_SEGMENTS, (CUSTOMER_FEATURES, SEGMENT_MODEL), customer_segments),
        Recipe(CUSTOMER_HISTORY, (PURCHASES, SEGMENT_MODEL), customer_history),
        Recipe(SEGMENT_METRICS, (CUSTOMER_HISTORY, PURCHASES, SEGMENT_MODEL), segment_metrics),
        Recipe(SEGMENT_MIGRATION, (CUSTOMER_HISTORY,), segment_migration),
        Recipe(MODEL_DRIFT, (PURCHASES, SEGMENT_MODEL), model_drift),
        Recipe(MODEL_METRICS, judged_by, model_metrics, goes_on=True),
        Recipe(VALUE_MODEL, (CUSTOMER_FEATURES, MODEL_METRICS), value_model, goes_on=True),
        Recipe(CUSTOMER_VALUE, (CUSTOMER_FEATURES, VALUE_MODEL), worth),
        Recipe(KPIS_DAILY, (PURCHASES,), kpis_daily),
        Recipe(COHORT_RETENTION, (PURCHASES,), cohort_retention),
        Recipe(SALES_DAILY, (PURCHASES, CUSTOMERS), sales_daily),
    )


BUILT: tuple[Table, ...] = tuple(recipe.table for recipe in recipes(0.0))


class Training(dg.Config):
    """Whether the segment model is trained although there is one."""

    retrain: bool = False


def gold_assets(condition: Condition, discount_rate: float) -> list[dg.AssetsDefinition]:
    """The assets of the gold layer."""
    return [
        (_segment_model if recipe.table is SEGMENT_MODEL else _gold_asset)(recipe, condition)
        for recipe in recipes(discount_rate)
    ]


def _gold_asset(recipe: Recipe, condition: Condition) -> dg.AssetsDefinition:
    @_asset_of(recipe, condition)
    def gold(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        yield from _replace(context, lake, recipe)

    return gold


def _segment_model(recipe: Recipe, condition: Condition) -> dg.AssetsDefinition:
    @_asset_of(recipe, condition)
    def segment_model(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], config: Training
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        make = partial(recipe.make, asked=config.retrain)
        yield from _replace(context, lake, replace(recipe, make=make))

    return segment_model


def made(recipe: Recipe, lake: Lake, as_of: date) -> pl.DataFrame:
    """The rows that a table should have now."""
    deps = (recipe.table, *recipe.deps) if recipe.goes_on else recipe.deps
    return recipe.make(*(lake.look(dep).scan() for dep in deps), as_of)


def store(lake: Lake, table: Table, rows: pl.DataFrame, commit: Commit) -> int:
    """Make a table hold exactly these rows, in one commit.

    Of a history only the rows that differ are written, so that its change feed says what a late
    record has changed. The other tables are small, or every row of them changes with as_of.
    """
    snapshot = lake.look(table)
    if not table.interval_of or not snapshot.rows:
        return snapshot.replace(rows, commit)
    return snapshot.apply(difference(table, snapshot.read(), rows), commit)


def _asset_of(
    recipe: Recipe, condition: Condition
) -> Callable[[Callable[..., object]], dg.AssetsDefinition]:
    table = recipe.table
    return dg.multi_asset(
        name=f"gold_{table.name}",
        specs=[spec_of(table, recipe.deps, condition=condition)],
        check_specs=check_specs(table),
        can_subset=True,
    )


def _replace(
    context: dg.AssetExecutionContext, lake: Lake, recipe: Recipe
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    table, frames = recipe.table, {}
    if context.selected_asset_keys:
        refuse_torn(lake, (table,))
        as_of = latest_day(lake)
        if as_of is not None:
            frames[table.path] = table.conform(made(recipe, lake, as_of))
            commit = Commit(context.run.run_id, as_of)
            retrying(lambda: store(lake, table, frames[table.path], commit))
        rows = frames.get(table.path)
        yield seen_after(lake.look(table), **({} if rows is None else shown(table, rows)))
    yield from evaluate(context, Evidence(lake, frames=frames), (table,))
