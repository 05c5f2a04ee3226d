"""The end of a run: the KPIs, the segments and where to look next."""

from rich.console import Console

from bridge_cart_assets.lake.query import query
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.terminal.rows import table_of

_KPIS = """
SELECT day, customers_total AS customers, revenue_90d, orders_90d, round(aov_90d, 2) AS aov_90d,
  round(100 * repeat_purchase_rate, 1) AS "repeat %", round(100 * churn_rate_90d, 1) AS "churn %",
  round(100 * nrr_90d, 1) AS "nrr %"
FROM gold.kpis_daily ORDER BY day DESC LIMIT 1
"""
_SEGMENTS = """
SELECT segment_name AS segment, customers, avg_clv, aov, round(100 * churn_rate, 1) AS "churn %",
  round(100 * segment_contribution, 1) AS "of revenue %"
FROM gold.segment_metrics WHERE is_current ORDER BY segment_contribution DESC NULLS LAST
"""


def summarise(settings: Settings, console: Console) -> None:
    """Print what the catalogue says now."""
    console.print(table_of(query(settings.catalogue, _KPIS), "KPIs"))
    console.print(table_of(query(settings.catalogue, _SEGMENTS), "segments"))
    console.print(
        'Next: bridge-cart status · bridge-cart sql "SELECT * FROM gold.kpis_daily" · make dev',
        highlight=False,
        markup=False,
    )
