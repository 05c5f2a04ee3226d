"""Comparing lakehouses: the rows of every table, whatever way they came about."""

from collections.abc import Iterable

import polars as pl

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.models.drift import drift_between, training_states
from bridge_cart_assets.pipeline.gold import GOLD_TABLES, build_rows, recipes
from bridge_cart_assets.pipeline.gold_inputs import GoldInputs
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.tables.gold import (
    CUSTOMER_FEATURES,
    CUSTOMER_HISTORY,
    CUSTOMER_RFM,
    CUSTOMER_SEGMENTS,
    CUSTOMER_VALUE,
    MODEL_DRIFT,
    MODEL_METRICS,
    RFM_MIGRATION,
    RFM_MODEL,
    SEGMENT_METRICS,
    SEGMENT_MIGRATION,
    SEGMENT_MODEL,
    SPEND_FORECAST,
    TRAINING_STATES,
    VALUE_MODEL,
)
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_assets.tables.silver import TABLES as SILVER
from bridge_cart_assets.tables.table import Table

# The models' versions depend on when the pipeline ran, and with them what is made from them.
MODEL_DEPENDENT = (
    *(SEGMENT_MODEL, CUSTOMER_SEGMENTS, CUSTOMER_HISTORY, SEGMENT_METRICS, SEGMENT_MIGRATION),
    *(MODEL_DRIFT, MODEL_METRICS, VALUE_MODEL, CUSTOMER_VALUE, SPEND_FORECAST),
    *(RFM_MODEL, CUSTOMER_RFM, RFM_MIGRATION),
)
ALL = (*SILVER, *GOLD_TABLES)
WITHOUT_MODEL = tuple(table for table in ALL if table not in MODEL_DEPENDENT)


def contents(lake: Lake, tables: Iterable[Table] = ALL) -> dict[str, pl.DataFrame]:
    """The rows of each table, ordered by key."""
    return {t.path: lake.snapshot(t).read().sort(list(t.key)) for t in tables}


def stale_tables(lake: Lake) -> list[str]:
    """The tables of gold that are not what silver and the models make of them as a whole.

    Whatever way a table came about, by following changes or at once, it has these rows.
    """
    inputs = GoldInputs.now(lake)
    if inputs.as_of is None:
        return []
    whole = {
        recipe.table.path: build_rows(recipe, inputs).sort(list(recipe.table.key))
        for recipe in recipes(Settings.discount_rate)
        if not recipe.includes_previous_rows
        # The training is looked at before a new model is trained in the same run.
        and recipe.table is not TRAINING_STATES
    }
    models = inputs.rows(SEGMENT_MODEL)
    training = training_states(inputs.rows(PURCHASES), models).lazy()
    customers = whole[CUSTOMER_FEATURES.path].lazy()
    drift = drift_between(training, customers, models, inputs.as_of)
    whole[MODEL_DRIFT.path] = MODEL_DRIFT.conform(drift).sort(list(MODEL_DRIFT.key))
    tables = [recipe.table for recipe in recipes(0.0) if recipe.table.path in whole]
    return differences(whole, contents(lake, tables))


def differences(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> list[str]:
    """The tables whose rows differ, each with the number of rows that are on one side only."""
    found = []
    for path, rows in one.items():
        if not rows.equals(other[path]):
            columns = rows.columns
            left = rows.join(other[path], on=columns, how="anti", nulls_equal=True)
            right = other[path].join(rows, on=columns, how="anti", nulls_equal=True)
            found.append(f"{path}: {left.height} rows here only, {right.height} there only")
    return found
