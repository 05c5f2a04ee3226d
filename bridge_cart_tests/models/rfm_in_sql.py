"""RFM scores and groups in SQL over silver/purchases: an answer of its own to the same question.

Belongs here: the scores by window functions, and the groups by their rules. Does not belong here:
anything of `models.rfm` and `transforms.rfm_groups`; the two must not share a mistake.
"""

import tempfile
from datetime import date

import duckdb
import polars as pl

_FIGURES = """
    SELECT customer_id,
           date_diff('day', max(purchase_day) FILTER (kind = 'sale'), $as_of) AS recency_days,
           count(DISTINCT (source, order_id)) FILTER (kind = 'sale') AS orders,
           CAST(sum(net_amount) AS DECIMAL(18, 2)) AS net_revenue
    FROM purchases
    WHERE kind IN ('sale', 'refund') AND purchase_day <= $as_of AND customer_id IS NOT NULL
    GROUP BY customer_id HAVING count(*) FILTER (kind = 'sale') > 0
"""
# The group by recency, of the latest buyers first.
_GROUPS = """
    CASE WHEN f_score >= 4 AND f_score + m_score >= 9
           THEN ['CHAMPIONS', 'LOYAL', 'LOYAL', 'PREVIOUSLY_LOYAL', 'PREVIOUSLY_LOYAL']
         WHEN f_score >= 3 AND f_score + m_score >= 7
           THEN ['LOYAL', 'LOYAL', 'NEEDS_ATTENTION', 'AT_RISK', 'AT_RISK']
         WHEN f_score >= 2
           THEN ['ACTIVE', 'ACTIVE', 'NEEDS_ATTENTION', 'ALMOST_LOST', 'ALMOST_LOST']
         ELSE ['NEW', 'PROMISING', 'NEEDS_ATTENTION', 'DORMANT', 'DORMANT'] END[6 - r_score]
"""
# Of n customers, of whom b have a lower value: the fifths that lie wholly below it.
_AT_TRAINING = """
    SELECT *, 5 - (5 * (rank() OVER (ORDER BY recency_days) - 1) // count(*) OVER ()) AS r_score,
           1 + (5 * (rank() OVER (ORDER BY orders) - 1) // count(*) OVER ()) AS f_score,
           1 + (5 * (rank() OVER (ORDER BY net_revenue) - 1) // count(*) OVER ()) AS m_score
    FROM figures
"""
_BY_CUT_POINTS = """
    SELECT f.*, r.score AS r_score, o.score AS f_score, m.score AS m_score
    FROM figures f
    JOIN cuts r ON r.measure = 'recency_days' AND (r.above IS NULL OR f.recency_days > r.above)
               AND (r.up_to IS NULL OR f.recency_days <= r.up_to)
    JOIN cuts o ON o.measure = 'orders' AND (o.above IS NULL OR f.orders > o.above)
               AND (o.up_to IS NULL OR f.orders <= o.up_to)
    JOIN cuts m ON m.measure = 'net_revenue' AND (m.above IS NULL OR f.net_revenue > m.above)
               AND (m.up_to IS NULL OR f.net_revenue <= m.up_to)
"""
COLUMNS = (
    *("customer_id", "recency_days", "orders", "net_revenue"),
    *("r_score", "f_score", "m_score", "rfm_group"),
)


def groups_in_sql(
    purchases: pl.DataFrame, as_of: date, cuts: pl.DataFrame | None = None
) -> list[tuple[object, ...]]:
    """`COLUMNS` of every customer, ordered by id.

    Args:
        purchases: rows of silver/purchases.
        as_of: latest batch day.
        cuts: rows of gold/rfm_model of one version; None to score by the customers of as_of.
    """
    scored = _AT_TRAINING if cuts is None else _BY_CUT_POINTS
    lines = purchases.select(
        *("customer_id", "source", "order_id", "purchase_day", "kind", "net_amount")
    )
    # DuckDB reads frames in memory through pyarrow only, which is not installed.
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        for name, frame in {"purchases": lines, "cuts": cuts}.items():
            if frame is not None:
                frame.write_parquet(f"{folder}/{name}.parquet")
                connection.execute(
                    f"CREATE TABLE {name} AS FROM read_parquet('{folder}/{name}.parquet')"
                )
        return connection.execute(
            f"WITH figures AS ({_FIGURES}), scored AS ({scored}) "
            f"SELECT {', '.join(COLUMNS[:-1])}, {_GROUPS} FROM scored ORDER BY customer_id",
            {"as_of": as_of},
        ).fetchall()
