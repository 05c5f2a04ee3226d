"""What each customer has been worth.

Belongs here: gold/customer_value. The predictive part needs a fitted model; until there is one
every row says so.
"""

from datetime import date

import polars as pl

from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.transforms.windows import WINDOW

_NOT_FITTED = "not_fitted: this version computes the historic value only"


def customer_value(features: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """One row per customer with a sale.

    Args:
        features: rows of gold/customer_features.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/customer_value, the predictive ones null.
    """
    unknown = pl.lit(None, dtype=pl.Float64)
    unknown_money = pl.lit(None, dtype=MONEY)
    return features.select(
        "customer_id",
        as_of=pl.lit(as_of),
        historic_clv="net_revenue",
        p_alive=unknown,
        expected_orders_90d=unknown,
        expected_orders_365d=unknown,
        expected_order_value=unknown_money,
        predicted_clv_365d=unknown_money,
        clv=unknown_money,
        churn_probability_90d=unknown,
        churn_band=pl.lit(None, dtype=pl.String),
        is_churned=pl.col("recency_days") >= WINDOW,
        model_version=pl.lit(None, dtype=pl.Int64),
        model_status=pl.lit(_NOT_FITTED),
    ).collect()
