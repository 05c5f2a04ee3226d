"""Key figures and origins of columns: what the page of an asset shows of its table."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import dagster as dg
import polars as pl
import pytest
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from bridge_cart_assets.assets.asset_metadata import TABLE_METADATA, asset_metadata
from bridge_cart_assets.assets.asset_specs import asset_spec
from bridge_cart_assets.assets.lineage import LINEAGE, lineage, origin
from bridge_cart_assets.definitions import build_defs
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.tables.gold import (
    COHORT_RETENTION,
    CUSTOMER_SEGMENTS,
    KPIS_DAILY,
    MODEL_METRICS,
    SEGMENT_MIGRATION,
    TABLES,
)
from bridge_cart_assets.tables.table import Table

NOT_NULL = {
    pl.String: "x",
    pl.Int64: 1,
    pl.Float64: 0.5,
    pl.Boolean: True,
    pl.Date: date(2024, 7, 1),
    pl.Decimal: Decimal("1.00"),
    pl.List: [],
}


def frame(table: Table, *given: Mapping[str, object]) -> pl.DataFrame:
    """Rows of a table; columns that a row leaves out have some value."""
    blank = {name: NOT_NULL[type(dtype)] for name, dtype in table.dtypes.items()}
    return pl.DataFrame([{**blank, **row} for row in given], schema=table.dtypes)


def figures(table: Table, *given: Mapping[str, object]) -> dict[str, float]:
    return asset_metadata(table, frame(table, *given).lazy())


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_gold_table_shows_three_figures(table: Table) -> None:
    assert len(TABLE_METADATA[table.path].figures) == 3
    shown = figures(table, {}, {})
    assert shown
    assert all(isinstance(value, float) for value in shown.values())
    assert not shown.keys() & set(asset_spec(table, ()).metadata)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_without_rows_shows_nothing(table: Table) -> None:
    assert asset_metadata(table, table.empty().lazy()) == {}


def test_the_kpis_are_those_of_the_last_day() -> None:
    later = {"day": date(2024, 7, 2), "revenue_90d": Decimal("12.34"), "churn_rate_90d": None}
    assert figures(KPIS_DAILY, later, {"day": date(2024, 7, 1)}) == {
        "revenue_90d": 12.34,
        "aov_90d": 0.5,
    }


def test_shares_and_rates_are_computed_over_what_they_are_of() -> None:
    segments = [{"customer_id": str(n), "segment_id": 1 if n < 3 else 2} for n in range(4)]
    assert figures(CUSTOMER_SEGMENTS, *segments)["largest_share"] == 0.75
    cohorts = [
        {"month_index": 1, "cohort_size": size, "active_customers": active, "is_complete": complete}
        for size, active, complete in ((10, 2, True), (30, 2, True), (99, 99, False))
    ]
    assert figures(COHORT_RETENTION, *cohorts) == {"retention_month_1": 0.1}
    moves = [
        {"from_segment_id": a, "to_segment_id": b, "customers": n, "period_end": date(2024, m, 28)}
        for a, b, n, m in ((1, 2, 5, 2), (1, 2, 7, 3), (2, 2, 50, 3), (0, 1, 9, 3))
    ]
    assert figures(SEGMENT_MIGRATION, *moves)["moved"] == 7.0


def test_gates_are_those_of_the_models_in_effect() -> None:
    metrics = [
        {"model": model, "model_version": version, "passed": passed}
        for model, version, passed in (
            *(("segments", 1, False), ("segments", 2, True)),
            *(("nbd", 20240601, False), ("nbd", 20240701, None), ("bg_nbd", 20240701, False)),
        )
    ]
    assert figures(MODEL_METRICS, *metrics) == {
        "gates_passed": 1.0,
        "gates_missed": 1.0,
        "metrics": 3.0,
    }


@pytest.fixture(scope="module")
def graph() -> AssetGraph:
    return build_defs(Settings()).resolve_asset_graph()


@pytest.mark.parametrize("path", LINEAGE)
def test_origins_are_columns_of_tables_that_the_table_is_made_from(
    graph: AssetGraph, path: str
) -> None:
    key = dg.AssetKey(path.split("/"))
    schema = graph.get(key).metadata["dagster/column_schema"]
    declared = graph.get(key).metadata["dagster/column_lineage"]
    assert declared.deps_by_column.keys() <= {column.name for column in schema.columns}
    ancestors = graph.get_ancestor_asset_keys(key)
    for column, deps in declared.deps_by_column.items():
        assert deps, column
        for dep in deps:
            assert dep.asset_key in ancestors
            columns_there = graph.get(dep.asset_key).metadata["dagster/column_schema"].columns
            assert dep.column_name in {c.name for c in columns_there}, (column, dep)


def test_the_origin_of_a_column_is_said_in_words() -> None:
    assert origin(KPIS_DAILY, "aov") == "From silver/purchases: net_amount, source, order_id"
    assert origin(KPIS_DAILY, "lines") == ""
    assert lineage(MODEL_METRICS) is None
    schema = asset_spec(KPIS_DAILY, ()).metadata["dagster/column_schema"]
    described = {column.name: column.description for column in schema.columns}
    assert described["day"] == "The day. From silver/purchases: purchase_day"
