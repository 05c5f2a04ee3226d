"""Gold: each table is one pure function of silver, or of gold tables before it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial

import polars as pl

from bridge_cart_assets.ingestion.pending import latest_day
from bridge_cart_assets.lake.changes import diff
from bridge_cart_assets.lake.delta import Commit, Lake, retry_on_conflict
from bridge_cart_assets.lake.doctor import refuse_torn
from bridge_cart_assets.models.customer_value import customer_value, value_model
from bridge_cart_assets.models.drift import model_drift
from bridge_cart_assets.models.metrics import model_metrics
from bridge_cart_assets.models.retraining import segment_models
from bridge_cart_assets.models.segment_history import (
    customer_history,
    customer_segments,
    segment_metrics,
)
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


@dataclass(frozen=True)
class Recipe:
    """How a table of gold is built.

    Attributes:
        table: the table.
        deps: the tables that it is built from.
        build: the function; its arguments are the inputs in this order, then as_of.
        includes_previous_rows: whether `build` gets the table's own rows first. A model table keeps
            the rows of every version.
        further: tables that it reads beside the deps. They are built before the deps are, so they
            need no edge of their own.
    """

    table: Table
    deps: tuple[Table, ...]
    build: Callable[..., pl.DataFrame]
    includes_previous_rows: bool = False
    further: tuple[Table, ...] = ()

    @property
    def inputs(self) -> tuple[Table, ...]:
        """The tables whose rows `build` gets."""
        own = (self.table,) if self.includes_previous_rows else ()
        return (*own, *self.deps, *self.further)


def recipes(discount_rate: float, retrain: bool = False) -> tuple[Recipe, ...]:
    """All of gold, each table after those that it is built from.

    Args:
        discount_rate: by how much money is worth less in a year, as a share.
        retrain: whether models are trained although those in effect are not due.
    """
    trained = partial(segment_models, asked=retrain)
    judged = partial(model_metrics, asked=retrain)
    fitted = partial(value_model, asked=retrain)
    worth = partial(customer_value, discount_rate=discount_rate)
    valued_by = (CUSTOMER_FEATURES, MODEL_METRICS)
    judged_by = (PURCHASES, SEGMENT_MODEL, MODEL_DRIFT)
    return (
        Recipe(CUSTOMER_FEATURES, (PURCHASES, CUSTOMERS), customer_features),
        Recipe(SEGMENT_MODEL, (CUSTOMER_FEATURES, PURCHASES), trained, includes_previous_rows=True),
        Recipe(CUSTOMER_SEGMENTS, (CUSTOMER_FEATURES, SEGMENT_MODEL), customer_segments),
        Recipe(CUSTOMER_HISTORY, (PURCHASES, SEGMENT_MODEL), customer_history),
        Recipe(SEGMENT_METRICS, (CUSTOMER_HISTORY, PURCHASES, SEGMENT_MODEL), segment_metrics),
        Recipe(SEGMENT_MIGRATION, (CUSTOMER_HISTORY,), segment_migration),
        Recipe(MODEL_DRIFT, (PURCHASES, SEGMENT_MODEL), model_drift),
        Recipe(
            MODEL_METRICS,
            judged_by,
            judged,
            includes_previous_rows=True,
            further=(CUSTOMER_FEATURES,),
        ),
        Recipe(VALUE_MODEL, valued_by, fitted, includes_previous_rows=True),
        Recipe(CUSTOMER_VALUE, (CUSTOMER_FEATURES, VALUE_MODEL), worth),
        Recipe(KPIS_DAILY, (PURCHASES,), kpis_daily),
        Recipe(COHORT_RETENTION, (PURCHASES,), cohort_retention),
        Recipe(SALES_DAILY, (PURCHASES, CUSTOMERS), sales_daily),
    )


GOLD_TABLES: tuple[Table, ...] = tuple(recipe.table for recipe in recipes(0.0))


def build_rows(recipe: Recipe, lake: Lake, as_of: date) -> pl.DataFrame:
    """The rows that a table should have now, as its declaration types them."""
    rows = recipe.build(*(lake.snapshot(table).scan() for table in recipe.inputs), as_of)
    return recipe.table.conform(rows)


def write_table(lake: Lake, table: Table, rows: pl.DataFrame, commit: Commit) -> int:
    """Make a table hold exactly these rows, in one commit.

    Of a history only the rows that differ are written, so that its change feed says what a late
    record has changed. The other tables are small, or every row of them changes with as_of.
    """
    snapshot = lake.snapshot(table)
    if not table.interval_of or not snapshot.rows:
        return snapshot.replace(rows, commit)
    return snapshot.apply(diff(table, snapshot.read(), rows), commit)


def update_table(lake: Lake, recipe: Recipe, run_id: str) -> pl.DataFrame | None:
    """Build a table and write it; its rows, or None when silver is empty.

    Raises:
        DamagedTableError: the last commit of the table is torn.
    """
    refuse_torn(lake, (recipe.table,))
    as_of = latest_day(lake)
    if as_of is None:
        return None
    rows = build_rows(recipe, lake, as_of)
    commit = Commit(run_id, as_of)
    retry_on_conflict(lambda: write_table(lake, recipe.table, rows, commit))
    return rows
