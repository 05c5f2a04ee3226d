"""Comparing lakehouses: the rows of every table, whatever way they came about."""

from collections.abc import Iterable

import polars as pl

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.gold import GOLD_TABLES
from bridge_cart_assets.tables.gold import (
    CUSTOMER_HISTORY,
    CUSTOMER_SEGMENTS,
    CUSTOMER_VALUE,
    MODEL_DRIFT,
    MODEL_METRICS,
    SEGMENT_METRICS,
    SEGMENT_MIGRATION,
    SEGMENT_MODEL,
    VALUE_MODEL,
)
from bridge_cart_assets.tables.silver import TABLES as SILVER
from bridge_cart_assets.tables.table import Table

# The models' versions depend on when the pipeline ran, and with them what is made from them.
MODEL_DEPENDENT = (
    *(SEGMENT_MODEL, CUSTOMER_SEGMENTS, CUSTOMER_HISTORY, SEGMENT_METRICS, SEGMENT_MIGRATION),
    *(MODEL_DRIFT, MODEL_METRICS, VALUE_MODEL, CUSTOMER_VALUE),
)
ALL = (*SILVER, *GOLD_TABLES)
WITHOUT_MODEL = tuple(table for table in ALL if table not in MODEL_DEPENDENT)


def contents(lake: Lake, tables: Iterable[Table] = ALL) -> dict[str, pl.DataFrame]:
    """The rows of each table, ordered by key."""
    return {t.path: lake.snapshot(t).read().sort(list(t.key)) for t in tables}


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
