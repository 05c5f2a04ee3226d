"""What the page of all customers asks the catalogue, and the shapes of the answers.

Belongs here: SQL with bound parameters. Does not belong here: which lists there are (see `lists`),
wording, rounding or layout.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.customers.lists import Worklist
from bridge_cart_assets.reports.filters import Filters

# One row per customer in the filters. Segments are joined where they are shown: for a million
# customers that join takes longer than all the rest.
_CUSTOMERS = """
    SELECT f.customer_id, f.country, f.last_purchase_day, f.orders,
           f.aov, f.recency_days, f.tenure_days, f.frequency, v.historic_clv,
           v.predicted_clv_365d, coalesce(v.clv, v.historic_clv) AS value, v.expected_orders_90d,
           v.expected_order_value, v.churn_probability_90d, v.churn_band, v.is_churned
    FROM gold.customer_features f
    JOIN gold.customer_value v USING (customer_id)
    WHERE ($segment IS NULL OR f.customer_id IN (
               SELECT customer_id FROM gold.customer_segments WHERE segment_id = $segment))
      AND ($country IS NULL OR f.country = $country)
      AND ($category IS NULL OR f.top_category = $category)
"""


@dataclass(frozen=True)
class Status:
    """What the value model says of its own figures, and of how many customers it predicts."""

    model_status: str
    predicted: int


def statuses(catalogue: Catalogue) -> list[Status]:
    """Each status of the value model, the most frequent first."""
    sql = """
        SELECT model_status, count(clv) FROM gold.customer_value
        GROUP BY model_status ORDER BY count(*) DESC, model_status
    """
    return catalogue.ask(Status, sql)


@dataclass(frozen=True)
class ListBounds:
    """What it takes to be in the best fifth of all customers of the shop; None when no customer has
    one."""

    value: Decimal | None
    historic: Decimal | None
    order_value: float | None
    expected_orders: float | None


def thresholds(catalogue: Catalogue) -> ListBounds:
    """The figure of the last customer of the best fifth, by each of four figures."""
    sql = """
        SELECT percentile_disc(0.2) WITHIN GROUP (ORDER BY coalesce(clv, historic_clv) DESC),
               percentile_disc(0.2) WITHIN GROUP (ORDER BY historic_clv DESC),
               (SELECT percentile_disc(0.2) WITHIN GROUP (ORDER BY aov DESC)
                FROM gold.customer_features),
               percentile_disc(0.2) WITHIN GROUP (ORDER BY expected_orders_90d DESC)
                 FILTER (expected_orders_90d IS NOT NULL)
        FROM gold.customer_value
    """
    return catalogue.ask(ListBounds, sql)[0]


@dataclass(frozen=True)
class Total:
    """How many customers are on a list, and what they are worth together."""

    customers: int
    worth: Decimal | None


def list_totals(
    catalogue: Catalogue, lists: Sequence[Worklist], at_least: ListBounds, filters: Filters
) -> list[Total]:
    """The totals of each list, in the order of the lists."""
    figures = ", ".join(
        f"count(*) FILTER ({_own(one.condition, n)}), "
        f"CAST(sum({one.worth.sql}) FILTER ({_own(one.condition, n)}) AS DECIMAL(18, 2))"
        for n, one in enumerate(lists)
    )
    bounds = {f"threshold_{n}": _bound(at_least, one) for n, one in enumerate(lists)}
    sql = f"SELECT {figures} FROM ({_CUSTOMERS})"  # noqa: S608 - texts of ours
    (row,) = catalogue.ask(lambda *values: values, sql, {**filters.of_customers, **bounds})
    return [Total(*row[n : n + 2]) for n in range(0, len(row), 2)]


def _own(condition: str, number: int) -> str:
    return condition.replace("$threshold", f"CAST($threshold_{number} AS DOUBLE)")


def _bound(at_least: ListBounds, one: Worklist) -> Decimal | float | None:
    bound: Decimal | float | None = getattr(at_least, one.threshold)
    return bound


@dataclass(frozen=True, slots=True)
class Listed:
    """A customer on a list."""

    customer_id: str
    segment_id: int | None
    segment_name: str | None
    country: str | None
    last_purchase_day: date
    orders: int
    aov: float
    historic_clv: Decimal
    predicted_clv_365d: Decimal | None
    expected_orders_90d: float | None
    churn_probability_90d: float | None
    worth: Decimal | None


def listed(
    catalogue: Catalogue,
    one: Worklist,
    at_least: ListBounds,
    filters: Filters,
    most: int | None,
) -> list[Listed]:
    """The customers of a list, the one that is worth most first; `most` None means all."""
    sql = f"""
        WITH listed AS (
            SELECT *, {one.worth.sql} AS worth FROM ({_CUSTOMERS}) WHERE {_own(one.condition, 0)}
            ORDER BY worth DESC NULLS LAST, customer_id LIMIT $most
        )
        SELECT customer_id, s.segment_id, s.segment_name, country, last_purchase_day, orders, aov,
               historic_clv, predicted_clv_365d, expected_orders_90d, churn_probability_90d,
               CAST(worth AS DECIMAL(18, 2))
        FROM listed LEFT JOIN gold.customer_segments s USING (customer_id)
        ORDER BY worth DESC NULLS LAST, customer_id
    """  # noqa: S608 - texts of ours
    parameters = {**filters.of_customers, "threshold_0": _bound(at_least, one), "most": most}
    return catalogue.ask(Listed, sql, parameters)


@dataclass(frozen=True)
class Found:
    """A customer whose id begins with what was searched for."""

    customer_id: str
    segment_id: int | None
    segment_name: str | None
    orders: int
    last_purchase_day: date
    net_revenue: Decimal
    matches: int


def found(catalogue: Catalogue, text: str, most: int | None) -> list[Found]:
    """Customers whose id is or begins with the text, whatever its case; the exact one first."""
    sql = """
        WITH matching AS (
            SELECT *, count(*) OVER () AS matches FROM (
                SELECT customer_id, orders, last_purchase_day, net_revenue
                FROM gold.customer_features WHERE starts_with(lower(customer_id), lower($text))
            ) ORDER BY customer_id <> $text, customer_id LIMIT $most
        )
        SELECT customer_id, segment_id, segment_name, orders, last_purchase_day, net_revenue,
               matches
        FROM matching LEFT JOIN gold.customer_segments USING (customer_id)
        ORDER BY customer_id <> $text, customer_id
    """
    return catalogue.ask(Found, sql, {"text": text, "most": most})


@dataclass(frozen=True)
class Tenth:
    """Customers whose churn probability is from tenth / 10 to below the next; 1 is in the last."""

    tenth: int
    customers: int
    value: Decimal


def churn_tenths(catalogue: Catalogue, filters: Filters) -> list[Tenth]:
    """Customers and their value by churn probability, all ten; empty where nothing is predicted."""
    sql = f"""
        WITH counted AS (
            SELECT least(CAST(floor(churn_probability_90d * 10) AS BIGINT), 9) AS tenth,
                   count(*) AS customers, sum(value) AS value
            FROM ({_CUSTOMERS}) WHERE churn_probability_90d IS NOT NULL GROUP BY tenth
        )
        SELECT t.tenth, coalesce(c.customers, 0), CAST(coalesce(c.value, 0) AS DECIMAL(18, 2))
        FROM range(10) AS t(tenth) LEFT JOIN counted c USING (tenth)
        WHERE (SELECT count(*) FROM counted) > 0 ORDER BY t.tenth
    """  # noqa: S608 - texts of ours
    return catalogue.ask(Tenth, sql, filters.of_customers)


@dataclass(frozen=True)
class Spread:
    """Between which values nine in ten customers lie, and whether any is below zero."""

    low: float
    high: float
    least: float


def spread(catalogue: Catalogue, filters: Filters) -> Spread | None:
    """The 5th and 95th percentile of the customers' value; None without customers."""
    sql = f"""
        SELECT CAST(quantile_disc(value, 0.05) AS DOUBLE),
               CAST(quantile_disc(value, 0.95) AS DOUBLE), CAST(min(value) AS DOUBLE)
        FROM ({_CUSTOMERS}) HAVING count(*) > 0
    """  # noqa: S608 - texts of ours
    return next(iter(catalogue.ask(Spread, sql, filters.of_customers)), None)


@dataclass(frozen=True)
class Step:
    """Customers whose value lies between one edge and the next; step 0 is below the first."""

    step: int
    customers: int
    value: Decimal


def value_steps(catalogue: Catalogue, edges: Sequence[int], filters: Filters) -> list[Step]:
    """Customers and their value by steps of value; those without customers are left out."""
    cases = " ".join(f"WHEN value < {int(edge)} THEN {n}" for n, edge in enumerate(edges))
    sql = f"""
        SELECT CASE {cases} ELSE {len(edges)} END AS step, count(*), sum(value)
        FROM ({_CUSTOMERS}) GROUP BY step ORDER BY step
    """  # noqa: S608 - numbers and texts of ours
    return catalogue.ask(Step, sql, filters.of_customers)


@dataclass(frozen=True)
class Band:
    """The customers of a churn band and their value; band None: nothing is predicted of them."""

    churn_band: str | None
    customers: int
    historic_clv: Decimal
    predicted_clv_365d: Decimal | None
    value: Decimal
    value_at_risk: Decimal | None


def bands(catalogue: Catalogue, filters: Filters) -> list[Band]:
    """Each churn band that has customers, from low to high, then those without one."""
    sql = f"""
        SELECT churn_band, count(*), sum(historic_clv), sum(predicted_clv_365d), sum(value),
               CAST(sum(predicted_clv_365d * churn_probability_90d) AS DECIMAL(18, 2))
        FROM ({_CUSTOMERS}) GROUP BY churn_band
        ORDER BY list_position(['low', 'medium', 'high'], churn_band) NULLS LAST
    """  # noqa: S608 - texts of ours
    return catalogue.ask(Band, sql, filters.of_customers)
