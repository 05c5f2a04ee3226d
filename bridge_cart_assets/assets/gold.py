"""gold: each table is one pure function of silver, or of gold tables before it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date

import dagster as dg
import polars as pl

from bridge_cart_assets.assets.declared import seen_after, spec_of
from bridge_cart_assets.checks.declared import Evidence, check_specs, evaluate
from bridge_cart_assets.ingestion.pending import latest_day
from bridge_cart_assets.lake.delta import Commit, Lake, retrying
from bridge_cart_assets.lake.doctor import refuse_torn
from bridge_cart_assets.models.segment_history import (
    customer_history,
    customer_segments,
    segment_metrics,
    with_new_model,
)
from bridge_cart_assets.tables.gold import (
    COHORT_RETENTION,
    CUSTOMER_FEATURES,
    CUSTOMER_HISTORY,
    CUSTOMER_SEGMENTS,
    CUSTOMER_VALUE,
    KPIS_DAILY,
    SEGMENT_METRICS,
    SEGMENT_MODEL,
)
from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.cohorts import cohort_retention
from bridge_cart_assets.transforms.features import customer_features
from bridge_cart_assets.transforms.kpis import kpis_daily
from bridge_cart_assets.transforms.value import customer_value

Condition = dg.AutomationCondition[dg.AssetKey]

# Each table with the tables it is made from and the function that makes it: the function gets
# the tables in this order, and as_of.
_MADE: tuple[tuple[Table, tuple[Table, ...], Callable[..., pl.DataFrame]], ...] = (
    (CUSTOMER_FEATURES, (PURCHASES, CUSTOMERS), customer_features),
    (CUSTOMER_VALUE, (CUSTOMER_FEATURES,), customer_value),
    (CUSTOMER_SEGMENTS, (CUSTOMER_FEATURES, SEGMENT_MODEL), customer_segments),
    (CUSTOMER_HISTORY, (PURCHASES, SEGMENT_MODEL), customer_history),
    (SEGMENT_METRICS, (CUSTOMER_HISTORY, PURCHASES, SEGMENT_MODEL), segment_metrics),
    (KPIS_DAILY, (PURCHASES,), kpis_daily),
    (COHORT_RETENTION, (PURCHASES,), cohort_retention),
)
BUILT: tuple[Table, ...] = (SEGMENT_MODEL, *(table for table, _, _ in _MADE))


class Training(dg.Config):
    """Whether the segment model is trained although there is one."""

    retrain: bool = False


def gold_assets(condition: Condition) -> list[dg.AssetsDefinition]:
    """The assets of the gold layer."""
    made = [_gold_asset(table, deps, make, condition) for table, deps, make in _MADE]
    return [_segment_model(condition), *made]


def _gold_asset(
    table: Table, deps: Sequence[Table], make: Callable[..., pl.DataFrame], condition: Condition
) -> dg.AssetsDefinition:
    @_asset_of(table, deps, condition)
    def gold(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        frames = [lake.look(dep).scan() for dep in deps]
        yield from _replace(context, lake, table, lambda as_of: make(*frames, as_of))

    return gold


def _segment_model(condition: Condition) -> dg.AssetsDefinition:
    @_asset_of(SEGMENT_MODEL, [CUSTOMER_FEATURES], condition)
    def segment_model(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], config: Training
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        models, features = lake.look(SEGMENT_MODEL).read(), lake.look(CUSTOMER_FEATURES)

        def make(as_of: date) -> pl.DataFrame:
            if features.rows and (config.retrain or not models.height):
                return with_new_model(models, features.read(), as_of)
            return models

        yield from _replace(context, lake, SEGMENT_MODEL, make)

    return segment_model


def _asset_of(
    table: Table, deps: Sequence[Table], condition: Condition
) -> Callable[[Callable[..., object]], dg.AssetsDefinition]:
    return dg.multi_asset(
        name=f"gold_{table.name}",
        specs=[spec_of(table, deps, condition=condition)],
        check_specs=check_specs(table),
        can_subset=True,
        pool=f"gold_{table.name}",
    )


def _replace(
    context: dg.AssetExecutionContext,
    lake: Lake,
    table: Table,
    make: Callable[[date], pl.DataFrame],
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    frames: dict[str, pl.DataFrame] = {}
    if context.selected_asset_keys:
        refuse_torn(lake, (table,))
        as_of = latest_day(lake)
        if as_of is not None:
            frames[table.path] = table.conform(make(as_of))
            commit = Commit(context.run.run_id, as_of)
            retrying(lambda: lake.look(table).replace(frames[table.path], commit))
        yield seen_after(lake.look(table))
    yield from evaluate(context, Evidence(lake, frames=frames), (table,))
