"""What the page of one customer asks the catalogue, and the shapes of the answers.

Belongs here: SQL with bound parameters. Does not belong here: wording, rounding or layout.
Everything is read from gold but the orders and the ids of a person, which only silver has.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import duckdb

from bridge_cart_assets.reports.catalogue import Catalogue


class NoOrdersError(LookupError):
    """Orders cannot be read through this catalogue; the message says why, in a sentence."""


@dataclass(frozen=True)
class CustomerFigures:
    """What gold.customer_features has of the customer."""

    as_of: date
    first_purchase_day: date
    last_purchase_day: date
    recency_days: int
    tenure_days: int
    orders: int
    lines: int
    active_months: int
    revenue: Decimal
    refunds: Decimal
    net_revenue: Decimal
    aov: float
    median_gap_days: float | None
    coupon_rate: float
    discount_rate: float
    refund_rate: float | None
    top_category: str
    top_payment_method: str
    country: str | None
    age: float | None
    age_imputed: bool


def done(catalogue: Catalogue, customer_id: str) -> CustomerFigures | None:
    """The customer's features; None if there is no such customer."""
    source = "gold.customer_features WHERE customer_id = $customer"
    return next(iter(catalogue.read(CustomerFigures, source, {"customer": customer_id})), None)


@dataclass(frozen=True)
class Worth:
    """What gold.customer_value has of the customer; None is what is not predicted."""

    historic_clv: Decimal
    predicted_clv_365d: Decimal | None
    clv: Decimal | None
    p_alive: float | None
    expected_orders_90d: float | None
    expected_orders_365d: float | None
    expected_order_value: Decimal | None
    churn_probability_90d: float | None
    churn_band: str | None
    is_churned: bool
    model_version: int | None
    model_status: str


def worth(catalogue: Catalogue, customer_id: str) -> Worth | None:
    """The customer's value so far and expected."""
    source = "gold.customer_value WHERE customer_id = $customer"
    return next(iter(catalogue.read(Worth, source, {"customer": customer_id})), None)


@dataclass(frozen=True)
class Spend:
    """What the customer is expected to spend in 90 days; None is what is not predicted."""

    predicted_spend_90d: Decimal | None
    predicted_spend_90d_low: Decimal | None
    predicted_spend_90d_high: Decimal | None


def spend(catalogue: Catalogue, customer_id: str) -> Spend:
    """The customer's next 90 days; nothing when an older version built the catalogue."""
    has_columns = """
        SELECT count(*) FROM duckdb_columns() WHERE schema_name = 'gold'
        AND table_name = 'customer_value' AND column_name = 'predicted_spend_90d'
    """
    if not catalogue.value(has_columns):
        return Spend(None, None, None)
    source = "gold.customer_value WHERE customer_id = $customer"
    return catalogue.read(Spend, source, {"customer": customer_id})[0]


@dataclass(frozen=True)
class Segment:
    """The customer's segment, and what its model says of it."""

    segment_id: int
    segment_name: str
    description: str | None
    action: str | None


def segment(catalogue: Catalogue, customer_id: str) -> Segment | None:
    """The segment at as_of; None before the first segment model."""
    sql = """
        SELECT s.segment_id, s.segment_name, m.description, m.action
        FROM gold.customer_segments s
        LEFT JOIN gold.segment_model m USING (model_version, segment_id)
        WHERE s.customer_id = $customer
    """
    return next(iter(catalogue.ask(Segment, sql, {"customer": customer_id})), None)


@dataclass(frozen=True)
class Rfm:
    """The customer's RFM group and the three scores."""

    rfm_group: str
    r_score: int
    f_score: int
    m_score: int


def rfm(catalogue: Catalogue, customer_id: str) -> Rfm | None:
    """The RFM group at as_of; None before the first cut points."""
    source = "gold.customer_rfm WHERE customer_id = $customer"
    return next(iter(catalogue.read(Rfm, source, {"customer": customer_id})), None)


@dataclass(frozen=True)
class State:
    """Segment and lifecycle over some days; valid_to is the day of the next state."""

    segment_id: int
    segment_name: str
    lifecycle: str
    valid_from: date
    valid_to: date | None
    change_reason: str


def states(catalogue: Catalogue, customer_id: str) -> list[State]:
    """The customer's history, oldest first."""
    source = "gold.customer_history WHERE customer_id = $customer ORDER BY valid_from"
    return catalogue.read(State, source, {"customer": customer_id})


@dataclass(frozen=True, slots=True)
class Order:
    """The lines of one kind (sale, refund, cancelled) in one order."""

    first_day: date
    order_id: str
    kind: str
    lines: int
    categories: str
    net_amount: Decimal
    source: str
    orders: int


def orders_of_customer(
    catalogue: Catalogue, customer_id: str, as_of: date, most: int | None
) -> list[Order]:
    """The customer's orders up to as_of, the latest first; `most` None means all.

    Each has in `orders` how many there are in all.

    Raises:
        NoOrdersError: the catalogue has no view on the orders, or its files are not there.
    """
    sql = """
        SELECT min(purchase_day) AS first_day, order_id, kind, count(*),
               string_agg(DISTINCT product_category, ', ' ORDER BY product_category),
               sum(net_amount), source, count(*) OVER ()
        FROM silver.purchases
        WHERE customer_id = $customer AND purchase_day <= $as_of
        GROUP BY source, order_id, kind
        ORDER BY max(purchase_date) DESC, source, order_id, kind LIMIT $most
    """
    if not _has_view(catalogue, "purchases"):
        raise NoOrdersError(
            "The catalogue of a lake in an object store has gold alone, and orders are in silver."
        )
    try:
        return catalogue.ask(Order, sql, {"customer": customer_id, "as_of": as_of, "most": most})
    except (duckdb.IOException, duckdb.PermissionException, duckdb.InvalidInputException) as error:
        raise NoOrdersError(
            "The files of the orders are not where the catalogue says: the lake has moved, or a "
            "newer run has tidied them up."
        ) from error


@dataclass(frozen=True)
class PersonalId:
    """One of the ids that are one person, and why it is."""

    identity: str
    person_id: str
    reason: str
    address_of: str | None
    first_seen: date


def ids_of_person(catalogue: Catalogue, customer_id: str) -> list[PersonalId]:
    """The ids that are this customer, the own one first; none where silver cannot be read."""
    source = (
        "silver.identities WHERE person_id = $customer "
        "ORDER BY identity <> person_id, first_seen, identity"
    )
    return _ids(catalogue, source, customer_id)


def person_of_id(catalogue: Catalogue, identity: str) -> str | None:
    """The customer that an id belongs to, if it is known."""
    found = _ids(catalogue, "silver.identities WHERE identity = $customer", identity)
    return found[0].person_id if found else None


def _ids(catalogue: Catalogue, source: str, customer_id: str) -> list[PersonalId]:
    if not _has_view(catalogue, "identities"):
        return []
    try:
        return catalogue.read(PersonalId, source, {"customer": customer_id})
    except (duckdb.IOException, duckdb.PermissionException, duckdb.InvalidInputException):
        return []  # the lake has moved, or a newer run has tidied the files up


def _has_view(catalogue: Catalogue, name: str) -> bool:
    sql = (
        "SELECT true FROM duckdb_views() WHERE database_name = current_database() "
        "AND schema_name = 'silver' AND view_name = $name"
    )
    return bool(catalogue.ask(bool, sql, {"name": name}))
