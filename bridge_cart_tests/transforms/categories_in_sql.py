"""First categories and pairs of categories, written a second time: in SQL, straight from silver.

Belongs here: the two tables by another hand. Does not belong here: anything of `transforms`.
"""

from datetime import date

import duckdb
import polars as pl

_SOLD = """
    CREATE OR REPLACE TEMP VIEW sold AS
    SELECT * FROM lines WHERE kind = 'sale' AND customer_id IS NOT NULL AND purchase_day <= $as_of
"""
FIRST_CATEGORY = """
    WITH orders AS (
        SELECT customer_id, source, order_id, min(purchase_day) AS day,
               row_number() OVER (
                   PARTITION BY customer_id ORDER BY min(purchase_date), source, order_id
               ) AS place
        FROM sold GROUP BY customer_id, source, order_id
    ), people AS (
        SELECT f.customer_id, f.day AS first, s.day AS second,
               (SELECT product_category FROM sold l
                WHERE (l.customer_id, l.source, l.order_id)
                    = (f.customer_id, f.source, f.order_id)
                GROUP BY product_category
                ORDER BY sum(net_amount) DESC, product_category LIMIT 1) AS category
        FROM orders f LEFT JOIN orders s ON s.customer_id = f.customer_id AND s.place = 2
        WHERE f.place = 1
    ), money AS (
        SELECT customer_id, sum(net_amount) FILTER (kind = 'sale') AS revenue,
               sum(net_amount) FILTER (kind IN ('sale', 'refund')) AS net
        FROM lines WHERE purchase_day <= $as_of GROUP BY customer_id
    ), counts AS (SELECT customer_id, max(place) AS orders FROM orders GROUP BY customer_id)
    SELECT category AS first_category, count(*) AS customers,
           count(*) FILTER (orders >= 2) AS repeat_customers,
           count(*) FILTER (first <= $as_of - 90) AS customers_90d,
           count(*) FILTER (first <= $as_of - 90 AND second <= first + 90) AS repeat_customers_90d,
           CAST(sum(orders) AS BIGINT) AS orders, CAST(sum(revenue) AS DECIMAL(18, 2)) AS revenue,
           CAST(sum(net) AS DECIMAL(18, 2)) AS net_revenue
    FROM people JOIN money USING (customer_id) JOIN counts USING (customer_id)
    GROUP BY category ORDER BY category
"""
# The bounds of the shop's size are those of thresholds; an order of more than 20 categories is for
# a test of its own.
PAIRS = """
    WITH baskets AS (
        SELECT DISTINCT customer_id, source, order_id, product_category AS category
        FROM sold WHERE product_category <> 'unknown'
    ), counts AS (SELECT category, count(*) AS orders FROM baskets GROUP BY category),
    everything AS (
        SELECT count(DISTINCT (customer_id, source, order_id)) AS orders_all FROM baskets
    ), met AS (
        SELECT a.category AS category_a, b.category AS category_b, count(*) AS orders
        FROM baskets a JOIN baskets b USING (customer_id, source, order_id)
        WHERE a.category < b.category GROUP BY ALL
    )
    SELECT category_a, category_b, met.orders, a.orders AS orders_a, b.orders AS orders_b,
           orders_all, met.orders / orders_all AS support,
           met.orders / a.orders AS confidence_ab, met.orders / b.orders AS confidence_ba,
           met.orders * orders_all / (a.orders * b.orders) AS lift
    FROM met JOIN counts a ON a.category = category_a JOIN counts b ON b.category = category_b,
         everything
    WHERE met.orders >= greatest($orders, $support * orders_all)
    ORDER BY category_a, category_b
"""


def by_sql(query: str, lines: pl.DataFrame, as_of: date, **bounds: float) -> pl.DataFrame:
    """The rows of one of the queries above.

    Args:
        query: which.
        lines: rows of silver/purchases.
        as_of: latest batch day.
        bounds: for the pairs.
    """
    with duckdb.connect() as connection:
        columns = ("source", "order_id", "customer_id", "purchase_date", "purchase_day", "kind")
        rows = lines.select(*columns, "net_amount", "product_category").with_columns(
            pl.col("purchase_date").dt.replace_time_zone(None)
        )
        connection.execute(
            "CREATE TABLE lines (source VARCHAR, order_id VARCHAR, customer_id VARCHAR, "
            "purchase_date TIMESTAMP, purchase_day DATE, kind VARCHAR, "
            "net_amount DECIMAL(18, 2), product_category VARCHAR)"
        )
        if rows.height:
            connection.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows.rows())
        connection.execute(_SOLD.replace("$as_of", f"DATE '{as_of}'"))
        asked = query.replace("$as_of", f"DATE '{as_of}'")
        for name, value in bounds.items():
            asked = asked.replace(f"${name}", str(value))
        found = connection.execute(asked)
        names = [column[0] for column in found.description]
        return pl.DataFrame(found.fetchall(), schema=names, orient="row", infer_schema_length=None)
