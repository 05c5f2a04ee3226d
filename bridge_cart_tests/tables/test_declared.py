"""What every declared table owes its readers: the contract's names, types and meanings."""

import polars as pl
import pytest

from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables import gold, ops, silver
from bridge_cart_assets.tables.table import Table

ALL = (*(s.raw for s in SOURCES), *silver.TABLES, *silver.INTERNAL, *gold.TABLES, *ops.TABLES)
BY_PATH = {table.path: table for table in ALL}
PROVENANCE = (
    "_source _object _pos _fingerprint _ingested_at _batch_day _batch_id _status _error_code _error"
    " _raw _rescued"
)
# Columns that users may rely on: adding is allowed, renaming and dropping are not.
COLUMNS = {
    "raw/customers": "customer_id name email mobile gender age income city country signup_date"
    f" updated_at {PROVENANCE}",
    "raw/purchases": "order_id line_number customer_id purchase_date purchase_amount"
    " discount_amount coupon_used payment_method product_category quantity status updated_at"
    f" {PROVENANCE}",
    "raw/online_retail": "InvoiceNo StockCode Description Quantity InvoiceDate UnitPrice CustomerID"
    f" Country {PROVENANCE}",
    "silver/purchases": "source order_id line_number customer_id purchase_date purchase_day"
    " purchase_month purchase_amount discount_amount net_amount quantity coupon_used"
    " payment_method product_category kind batch_day unreadable received_customer_id",
    "silver/customers": "customer_id valid_from name email mobile gender age income city country"
    " signup_date valid_to is_current unreadable",
    "silver/identities": "identity person_id reason first_seen",
    "silver/quarantine": "source batch_day object pos reason column value raw quarantined_at",
    "silver/accounting": "source batch_day records blank quarantined accepted duplicate superseded",
    "gold/customer_features": "customer_id as_of first_purchase_day last_purchase_day orders lines"
    " recency_days tenure_days frequency t_x revenue refunds net_revenue aov median_gap_days"
    " coupon_rate discount_rate refund_rate top_category top_payment_method active_months country"
    " gender age income age_imputed income_imputed",
    "gold/customer_value": "customer_id as_of historic_clv p_alive expected_orders_90d"
    " expected_orders_365d expected_order_value predicted_clv_365d clv churn_probability_90d"
    " churn_band is_churned model_version model_status predicted_spend_90d predicted_spend_90d_low"
    " predicted_spend_90d_high",
    "gold/customer_segments": "customer_id as_of segment_id segment_name distance margin"
    " model_version",
    "gold/customer_rfm": "customer_id recency_days orders net_revenue r_score f_score m_score"
    " rfm_group",
    "gold/customer_history": "customer_id segment_id segment_name lifecycle valid_from valid_to"
    " is_current change_reason",
    "gold/segment_metrics": "segment_id segment_name customers avg_clv churn_rate aov"
    " segment_contribution valid_from valid_to is_current",
    "gold/segment_migration": "period_end from_segment_id to_segment_id customers",
    "gold/kpis_daily": "day orders lines active_customers new_customers revenue discounts refunds"
    " net_revenue aov revenue_new revenue_returning customers_total repeat_purchase_rate"
    " churn_base_90d churned_90d churn_rate_90d retained_90d retention_rate_90d nrr_90d revenue_90d"
    " orders_90d active_90d aov_90d purchase_frequency_90d arpc_90d coupon_rate_90d"
    " discount_rate_90d refund_rate_90d top_decile_share gini",
    "gold/cohort_retention": "cohort_month month_index cohort_size active_customers retention"
    " revenue is_complete",
    "gold/segment_model": "model_version segment_id trained_as_of effective_from features centroid"
    " means scales segment_name",
    "gold/model_metrics": "model model_version metric value gate passed trained_as_of",
    "gold/spend_forecast": "forecast_from horizon_days until expected low high spent is_within"
    " past_windows interval model_version",
}
KEYS = {
    "raw/purchases": {"_fingerprint", "_pos"},
    "silver/purchases": {"source", "order_id", "line_number"},
    "silver/customers": {"customer_id", "valid_from"},
    "silver/accounting": {"source", "batch_day"},
    "gold/customer_features": {"customer_id"},
    "gold/customer_value": {"customer_id"},
    "gold/customer_segments": {"customer_id"},
    "gold/customer_rfm": {"customer_id"},
    "gold/customer_history": {"customer_id", "valid_from"},
    "gold/segment_metrics": {"segment_id", "valid_from"},
    "gold/segment_migration": {"period_end", "from_segment_id", "to_segment_id"},
    "gold/kpis_daily": {"day"},
    "gold/cohort_retention": {"cohort_month", "month_index"},
    "gold/segment_model": {"model_version", "segment_id"},
    "gold/model_metrics": {"model", "model_version", "metric"},
    "gold/spend_forecast": {"forecast_from", "horizon_days"},
}
MONEY = ("revenue", "refunds", "discounts", "income", "clv", "amount", "predicted_clv_365d")


@pytest.mark.parametrize("path", COLUMNS)
def test_a_table_has_the_columns_that_the_contract_names(path: str) -> None:
    assert set(COLUMNS[path].split()) <= BY_PATH[path].columns.keys()


@pytest.mark.parametrize("path", KEYS)
def test_a_table_has_the_grain_that_the_contract_names(path: str) -> None:
    assert set(BY_PATH[path].key) == KEYS[path]


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.path)
def test_every_table_and_every_column_says_what_it_means(table: Table) -> None:
    assert table.description.endswith(".")
    assert len(table.description) > 20
    assert all(table.meaning(column) for column in table.columns)
    assert table.key


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.path)
def test_every_column_has_one_of_the_lakehouses_types(table: Table) -> None:
    allowed = {
        *(pl.String(), pl.Int64(), pl.Float64(), pl.Boolean(), pl.Date()),
        *(pl.Decimal(18, 2), pl.Decimal(18, 3), pl.Datetime("us", "UTC")),
        *(pl.List(pl.Float64()), pl.List(pl.String())),
    }
    assert set(table.dtypes.values()) <= allowed


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.path)
def test_what_is_money_has_the_type_of_money(table: Table) -> None:
    own = {name: dtype for name, dtype in table.dtypes.items() if table.layer != "raw"}
    named = {name for name in own if name in MONEY or name.endswith(("_amount", "revenue_90d"))}
    assert {name for name in named if own[name] != pl.Decimal(18, 2)} == set()


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.path)
def test_keys_and_partitions_are_never_null(table: Table) -> None:
    assert {*table.key, *table.partition_by, *table.interval_of} <= set(table.not_null)


def test_raw_and_silver_are_partitioned_as_the_contract_says() -> None:
    assert {s.raw.partition_by for s in SOURCES} == {("_batch_day",)}
    assert silver.PURCHASES.partition_by == ("purchase_month",)


def test_what_tells_a_person_is_marked() -> None:
    assert set(silver.CUSTOMERS.pii) == {"name", "email", "mobile", "city"}
    assert set(silver.QUARANTINE.pii) == {"value", "raw"}
    for source in SOURCES:
        assert {*source.columns, "_raw", "_rescued"} == set(source.raw.pii)


def test_paths_are_unique() -> None:
    assert len(BY_PATH) == len(ALL)
