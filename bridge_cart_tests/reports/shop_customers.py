"""A shop of twenty customers, each on the lists that its row says, and their orders as Parquet."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from bridge_cart_assets.tables.silver import IDENTITIES
from bridge_cart_tests.reports.catalogues import AS_OF, Row, write_catalogue

SEGMENTS = {1: "High-Value", 2: "Growth"}
NOT_FITTED = "not_fitted: 20 customers, and 500 are needed"


def person(n: int, **own: object) -> dict[str, Any]:
    """A customer in whom nothing stands out, but for what is given."""
    recency = int(own.pop("recency_days", 40))  # type: ignore[call-overload]
    tenure = int(own.pop("tenure_days", 200))  # type: ignore[call-overload]
    historic = Decimal(str(own.pop("historic_clv", 10 + n)))
    predicted = Decimal(str(own.pop("predicted_clv_365d", 5)))
    churn = float(own.pop("churn_probability_90d", 0.5))  # type: ignore[arg-type]
    return {
        "customer_id": f"C{n:03}",
        "as_of": AS_OF,
        "first_purchase_day": AS_OF - timedelta(days=tenure),
        "last_purchase_day": AS_OF - timedelta(days=recency),
        "orders": 3,
        "lines": 4,
        "recency_days": recency,
        "tenure_days": tenure,
        "frequency": 2,
        "t_x": tenure - recency,
        "revenue": historic + 1,
        "refunds": Decimal(1),
        "net_revenue": historic,
        "aov": 10.0 + n / 10,
        "median_gap_days": 12.5,
        "coupon_rate": 0.25,
        "top_category": "Toys" if n % 2 else "Books",
        "top_payment_method": "upi",
        "country": "DE" if n % 3 else "FR",
        "age": 40.5,
        "historic_clv": historic,
        "p_alive": 0.8,
        "predicted_clv_365d": predicted,
        "clv": historic + predicted,
        "expected_orders_90d": 0.4 + n / 1000,
        "expected_orders_365d": 1.5,
        "expected_order_value": Decimal("20.00"),
        "churn_probability_90d": churn,
        "churn_band": "low" if churn < 1 / 3 else "medium" if churn <= 2 / 3 else "high",
        "is_churned": recency >= 90,
        "model_version": 20240728,
        "model_status": "fitted",
        "segment_id": 1 + n % 2,
        "segment_name": SEGMENTS[1 + n % 2],
        **own,
    }


def people() -> list[dict[str, Any]]:
    """Two who may leave, two who come back, two promising ones, two lost, and twelve others."""
    return [
        person(1, historic_clv=900, predicted_clv_365d=300, churn_probability_90d=0.6),
        person(2, historic_clv=500, predicted_clv_365d=400, churn_probability_90d=0.9),
        person(3, historic_clv=90, churn_probability_90d=0.1, expected_orders_90d=4.0),
        person(4, historic_clv=80, churn_probability_90d=0.2, expected_orders_90d=5.0),
        person(5, tenure_days=29, recency_days=10, aov=300.0, historic_clv=300, frequency=0),
        person(6, tenure_days=3, recency_days=3, aov=400.0, historic_clv=299, frequency=0),
        person(7, historic_clv=2000, recency_days=90, churn_probability_90d=0.99),
        person(8, historic_clv=1500, recency_days=180, churn_probability_90d=1.0),
        *(person(n) for n in range(9, 21)),
    ]


def unpredicted(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same customers before a value model could be fitted."""
    names = (
        "p_alive",
        "expected_orders_90d",
        "expected_orders_365d",
        "expected_order_value",
        "predicted_clv_365d",
        "clv",
        "churn_probability_90d",
        "churn_band",
        "model_version",
    )
    return [{**row, **dict.fromkeys(names), "model_status": NOT_FITTED} for row in rows]


def tables(rows: Iterable[Row], *, segmented: bool = True) -> dict[str, list[Row]]:
    """The gold tables of these customers; each has been in the other segment before."""
    rows = list(rows)
    one = timedelta(days=1)
    gold: dict[str, list[Row]] = {"customer_features": rows, "customer_value": rows}
    if not segmented:
        return gold
    gold["customer_segments"] = [{**row, "model_version": 1} for row in rows]
    gold["segment_metrics"] = [
        {"segment_id": i, "segment_name": name, "valid_from": AS_OF, "is_current": True}
        for i, name in SEGMENTS.items()
    ]
    gold["segment_model"] = [
        {
            "model_version": 1,
            "segment_id": i,
            "segment_name": name,
            "description": f"Who they are, {i}.",
            "action": f"What to do, {i}.",
        }
        for i, name in SEGMENTS.items()
    ]
    gold["customer_history"] = [
        state
        for row in rows
        for state in (
            {
                "customer_id": row["customer_id"],
                "segment_id": 3 - row["segment_id"],
                "segment_name": SEGMENTS[3 - row["segment_id"]],
                "lifecycle": "new",
                "valid_from": row["first_purchase_day"],
                "valid_to": row["first_purchase_day"] + one,
                "is_current": False,
                "change_reason": "first_seen",
            },
            {
                "customer_id": row["customer_id"],
                "segment_id": row["segment_id"],
                "segment_name": row["segment_name"],
                "lifecycle": "active",
                "valid_from": row["first_purchase_day"] + one,
                "valid_to": None,
                "is_current": True,
                "change_reason": "segment_changed",
            },
        )
    ]
    return gold


def line(customer_id: str, order_id: str, number: int, amount: str, **own: object) -> Row:
    """An order line of silver, as far as the report looks at it."""
    placed = own.pop("day", AS_OF - timedelta(days=40))
    return {
        "source": "purchases",
        "order_id": order_id,
        "line_number": number,
        "customer_id": customer_id,
        "purchase_day": placed,
        "net_amount": Decimal(amount),
        "product_category": "Toys",
        "kind": "sale",
        **own,
    }


def add_orders(catalogue: Path, folder: Path, lines: Iterable[Row]) -> Path:
    """Write the lines as a Parquet file and a view on it, as a run does; gives the file."""
    lines = list(lines)
    file = folder / "silver" / "purchases" / "purchase_month=2024-06" / "part's.parquet"
    file.parent.mkdir(parents=True)
    quoted = str(file).replace("'", "''")
    with duckdb.connect(str(catalogue)) as connection:
        connection.execute(
            "CREATE TEMP TABLE lines (source VARCHAR, order_id VARCHAR, line_number BIGINT, "
            "customer_id VARCHAR, purchase_day DATE, net_amount DECIMAL(18, 2), "
            "product_category VARCHAR, kind VARCHAR)"
        )
        names = [row[0] for row in connection.execute("DESCRIBE lines").fetchall()]
        connection.execute(
            f"INSERT INTO lines SELECT {', '.join(['unnest(?)'] * len(names))}",
            [[row[name] for row in lines] for name in names],
        )
        connection.execute(
            "COPY (SELECT *, CAST(purchase_day AS TIMESTAMPTZ) AS purchase_date FROM lines) "
            f"TO '{quoted}'"
        )
        connection.execute("CREATE SCHEMA silver")
        connection.execute(
            f"CREATE VIEW silver.purchases AS SELECT * FROM read_parquet(['{quoted}'])"
        )
    return file


def add_ids(catalogue: Path, folder: Path, ids: Iterable[Row]) -> Path:
    """Write rows of silver/identities as a Parquet file and a view on it, after `add_orders`."""
    file = folder / "silver" / "identities" / "part.parquet"
    file.parent.mkdir(parents=True)
    pl.DataFrame(list(ids), schema=IDENTITIES.dtypes).write_parquet(file)
    with duckdb.connect(str(catalogue)) as connection:
        connection.execute(
            f"CREATE VIEW silver.identities AS SELECT * FROM read_parquet(['{file}'])"
        )
    return file


def write_customers(
    folder: Path, rows: Iterable[Row] | None = None, *, segmented: bool = True
) -> Path:
    """A catalogue of these customers."""
    shown = people() if rows is None else rows
    return write_catalogue(folder / "shop.duckdb", tables(shown, segmented=segmented))
