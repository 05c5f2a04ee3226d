"""The page of one customer: asks the catalogue and puts the answers into the form of the template.

Belongs here: which parts the page has, and its sentences. Does not belong here: SQL (see
`queries`), the timeline (see `timeline`), or HTML. There are no names and no addresses of people
here: gold holds none, and of silver only orders are read.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.charts import segment_colour
from bridge_cart_assets.reports.customer import queries
from bridge_cart_assets.reports.customer.timeline import Timeline, timeline
from bridge_cart_assets.reports.filters import PageQuery
from bridge_cart_assets.reports.formatting import (
    Cell,
    compact_money,
    count,
    day,
    decimals,
    exact,
    grouped,
    money,
    percent,
    rounded,
    words,
)
from bridge_cart_assets.reports.page import NotThereError, Page
from bridge_cart_assets.reports.tables import Heading, MadeRows, Row, Sheet
from bridge_cart_assets.tables.gold import (
    CUSTOMER_FEATURES,
    CUSTOMER_HISTORY,
    CUSTOMER_SEGMENTS,
    CUSTOMER_VALUE,
    SEGMENT_MODEL,
)
from bridge_cart_assets.tables.table import Table

NEEDED = frozenset(
    {
        CUSTOMER_FEATURES,
        CUSTOMER_VALUE,
        CUSTOMER_SEGMENTS,
        CUSTOMER_HISTORY,
        SEGMENT_MODEL,
    }
)
MOST_ORDERS = 100
MOST_STATES = 100
NOT_PREDICTED = "nothing is predicted of this customer"
NO_SEGMENT = "no segment yet: they begin with the first segment model"
_LONGEST_NAMED = 40
_BANDS = {
    "low": "hardly stays away",
    "medium": "may stay away",
    "high": "probably stays away",
}
_REASONS = {
    "first_seen": "first purchase",
    "segment_changed": "other segment",
    "lifecycle_changed": "other state",
    "model_retrained": "new segment model",
}


def address_of(customer_id: str) -> str:
    """Where the page of a customer is; '' for the two ids that no browser can ask for.

    >>> address_of("a/b?c"), address_of("..")
    ('/customers/a%2Fb%3Fc', '')
    """
    if customer_id in {".", ".."}:  # a browser takes them for folders, however they are written
        return ""
    return f"/customers/{quote(customer_id, safe='')}"


@dataclass(frozen=True)
class Headline:
    """One of the figures on top, and a line below it."""

    label: str
    meaning: str
    now: Cell
    below: str


@dataclass(frozen=True)
class Customer:
    """All that the page shows.

    Attributes:
        lifecycle: new, active or lapsed, with the days since the latest purchase in words.
        status: a sentence on the predictions, '' when they are as they should be.
        no_orders: why there are no orders here, '' when there are.
        ask_for_orders: the question by which the command line gives them.
        orders_note: a sentence on the rows that are left out, or ''.
    """

    customer_id: str
    as_of: date
    segment: queries.Segment | None
    colour: str
    lifecycle: str
    headlines: tuple[Headline, ...]
    status: str
    done: Sheet
    expected: Sheet
    timeline: Timeline | None
    history: Sheet
    orders: Sheet
    orders_note: str
    no_orders: str
    ask_for_orders: str
    no_segment: str = NO_SEGMENT

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """The tables of the page."""
        return (self.done, self.expected, self.history, self.orders)


def customer(catalogue: Catalogue, asked: PageQuery) -> Customer | None:
    """Everything on the page; None before the first sale.

    Raises:
        NotThereError: no customer who has bought has this id.
    """
    customer_id = asked.path["customer_id"]
    done = queries.done(catalogue, customer_id)
    worth = queries.worth(catalogue, customer_id)
    if done is None or worth is None:
        raise NotThereError(
            f"No customer with the id {_named(customer_id)} has bought anything. "
            "The page of all customers finds an id by its beginning."
        )
    segment = queries.segment(catalogue, customer_id)
    states = queries.states(catalogue, customer_id)
    orders: list[queries.Order] = []
    no_orders = ""
    try:
        most = None if asked.in_full else MOST_ORDERS
        orders = queries.orders_of_customer(catalogue, customer_id, done.as_of, most)
    except queries.NoOrdersError as error:
        no_orders = str(error)
    return Customer(
        customer_id=customer_id,
        as_of=done.as_of,
        segment=segment,
        colour="" if segment is None else segment_colour(segment.segment_id),
        lifecycle=_lifecycle(done, worth),
        headlines=_headlines(done, worth),
        status=_status(worth),
        done=_done_sheet(done),
        expected=_expected_sheet(worth),
        timeline=timeline(states, done.as_of),
        history=_history_sheet(states if asked.in_full else states[-MOST_STATES:]),
        orders=_orders_sheet(orders),
        orders_note=_left_out(len(orders), orders[0].orders) if orders else "",
        no_orders=no_orders,
        ask_for_orders=_question(customer_id),
    )


def _named(customer_id: str) -> str:
    shown = "".join(c if c.isprintable() else " " for c in customer_id[:_LONGEST_NAMED])
    return f"“{shown}…”" if len(customer_id) > _LONGEST_NAMED else f"“{shown}”"


def _question(customer_id: str) -> str:
    """The command that gives the orders; whatever the id is, a shell takes it for a text."""
    literal = customer_id.replace("'", "''")
    sql = f"SELECT * FROM silver.purchases WHERE customer_id = '{literal}'"  # noqa: S608 - shown
    return f"bridge-cart sql {shlex.quote(sql)}"


def _ago(days: int) -> str:
    return "on the latest day" if days == 0 else "1 day ago" if days == 1 else f"{days} days ago"


def _lifecycle(done: queries.CustomerFigures, worth: queries.Worth) -> str:
    """As gold.customer_history has it, which begins only with the first segment model."""
    state = "Lapsed" if worth.is_churned else "New" if done.tenure_days < 30 else "Active"
    return f"{state}, bought last {_ago(done.recency_days)}"


def _headlines(done: queries.CustomerFigures, worth: queries.Worth) -> tuple[Headline, ...]:
    features, value = CUSTOMER_FEATURES.meaning, CUSTOMER_VALUE.meaning
    gap = done.median_gap_days
    return (
        Headline(
            "Worth so far",
            value("historic_clv"),
            compact_money(worth.historic_clv),
            "net revenue",
        ),
        Headline(
            "Expected, 365 days",
            value("predicted_clv_365d"),
            compact_money(worth.predicted_clv_365d, NOT_PREDICTED),
            "predicted value",
        ),
        Headline(
            "Orders",
            features("orders"),
            count(done.orders),
            f"since {done.first_purchase_day}",
        ),
        Headline(
            "Average order",
            features("aov"),
            compact_money(done.aov),
            "only one purchase day" if gap is None else f"every {grouped(gap)} days, typically",
        ),
        Headline(
            "Orders, 90 days",
            value("expected_orders_90d"),
            decimals(worth.expected_orders_90d, 2, NOT_PREDICTED),
            "expected",
        ),
        Headline(
            "Stays away, 90 days",
            value("churn_probability_90d"),
            percent(worth.churn_probability_90d, NOT_PREDICTED),
            _BANDS.get(worth.churn_band or "", "not predicted"),
        ),
    )


def _status(worth: queries.Worth) -> str:
    if worth.model_status == "fitted":
        return ""
    if worth.clv is None:
        return f"Nothing is predicted yet. The value model says: {worth.model_status}."
    return f"The predictions are those of a simpler model, which says: {worth.model_status}."


def _facts(name: str, title: str, table: Table, facts: Sequence[tuple[str, str, Cell]]) -> Sheet:
    """Figures of one row of a gold table, one below the other: (column, name, figure)."""
    return Sheet(
        name=name,
        title=title,
        columns=(Heading("figure", "Figure", "text"), Heading("value", "Value")),
        rows=tuple(
            Row((Cell(label, table.meaning(column), column), shown))
            for column, label, shown in facts
        ),
    )


def _done_sheet(done: queries.CustomerFigures) -> Sheet:
    facts = [
        ("first_purchase_day", "First purchase", day(done.first_purchase_day)),
        ("last_purchase_day", "Latest purchase", day(done.last_purchase_day)),
        ("orders", "Orders", count(done.orders)),
        ("lines", "Order lines", count(done.lines)),
        ("active_months", "Months with a purchase", count(done.active_months)),
        (
            "median_gap_days",
            "Days between purchases",
            decimals(done.median_gap_days, 1, "only one purchase day"),
        ),
        ("revenue", "Revenue", money(done.revenue)),
        ("refunds", "Refunds", money(done.refunds)),
        ("net_revenue", "Net revenue", money(done.net_revenue)),
        ("aov", "Average order", money(done.aov)),
        ("coupon_rate", "Orders with a coupon", percent(done.coupon_rate)),
        ("discount_rate", "Discounts", percent(done.discount_rate)),
        ("refund_rate", "Refunds of revenue", percent(done.refund_rate, "no revenue")),
        ("top_category", "Top category", words(done.top_category)),
        ("top_payment_method", "Pays mostly by", words(done.top_payment_method)),
        ("country", "Country", words(done.country, "the profile has no country")),
        ("age", "Age", _age(done)),
    ]
    return _facts("done", "What the customer has done", CUSTOMER_FEATURES, facts)


def _age(done: queries.CustomerFigures) -> Cell:
    years = exact(done.age)
    if years is None:
        return count(None, "the profile has no age")
    text = grouped(rounded(years, 0))
    if done.age_imputed:
        return Cell(f"{text}, filled in", "the profile has none: the median of the others", text)
    return Cell(text, text, text)


def _expected_sheet(worth: queries.Worth) -> Sheet:
    why = NOT_PREDICTED
    facts = [
        ("historic_clv", "Worth so far", money(worth.historic_clv)),
        ("predicted_clv_365d", "Expected in 365 days", money(worth.predicted_clv_365d, why)),
        ("clv", "Together", money(worth.clv, why)),
        ("expected_orders_90d", "Orders in 90 days", decimals(worth.expected_orders_90d, 2, why)),
        (
            "expected_orders_365d",
            "Orders in 365 days",
            decimals(worth.expected_orders_365d, 2, why),
        ),
        ("expected_order_value", "Value of an order", money(worth.expected_order_value, why)),
        ("p_alive", "Still a customer", percent(worth.p_alive, why)),
        (
            "churn_probability_90d",
            "Stays away for 90 days",
            percent(worth.churn_probability_90d, why),
        ),
        ("churn_band", "Churn band", _band(worth.churn_band)),
        ("model_version", "Model version", _version(worth.model_version)),
        ("model_status", "Model status", words(worth.model_status)),
    ]
    return _facts("expected", "What is expected", CUSTOMER_VALUE, facts)


def _band(band: str | None) -> Cell:
    if band is None:
        return words(None, NOT_PREDICTED)
    return Cell(f"{band}: {_BANDS.get(band, band)}", CUSTOMER_VALUE.meaning("churn_band"), band)


def _version(version: int | None) -> Cell:
    return words(None if version is None else str(version), "no model yet")


def _history_sheet(states: Sequence[queries.State]) -> Sheet:
    return Sheet(
        name="history",
        title="Segment and state over time",
        columns=(
            Heading("valid_from", "From", "day"),
            Heading("valid_to", "Before", "day", CUSTOMER_HISTORY.meaning("valid_to")),
            Heading("segment_name", "Segment", "text"),
            Heading("lifecycle", "State", "text", CUSTOMER_HISTORY.meaning("lifecycle")),
            Heading("change_reason", "Because of", "text"),
        ),
        rows=tuple(
            Row(
                (
                    day(state.valid_from),
                    day(state.valid_to, "the state of now"),
                    words(state.segment_name),
                    words(state.lifecycle),
                    _reason(state.change_reason),
                ),
                colour=segment_colour(state.segment_id),
            )
            for state in reversed(states)
        ),
        empty="There is no history yet: it begins with the first segment model.",
    )


def _reason(reason: str) -> Cell:
    return Cell(_REASONS.get(reason, reason), reason, reason)


def _orders_sheet(orders: Sequence[queries.Order]) -> Sheet:
    return Sheet(
        name="orders",
        title="Orders",
        columns=(
            Heading("purchase_day", "Day", "day"),
            Heading("order_id", "Order", "text"),
            Heading(
                "kind", "Kind", "text", "sale, refund (gives money back) or cancelled (undone)"
            ),
            Heading("lines", "Lines"),
            Heading("net_amount", "Net amount"),
            Heading("categories", "Categories", "text"),
            Heading("source", "Source", "text"),
        ),
        rows=MadeRows(orders, _order_row),
        empty="No order of this customer is in silver.",
    )


def _order_row(order: queries.Order) -> Row:
    return Row(
        (
            day(order.first_day),
            words(order.order_id),
            words(order.kind),
            count(order.lines),
            money(order.net_amount),
            words(order.categories),
            words(order.source),
        )
    )


def _left_out(shown: int, there_are: int) -> str:
    if shown == there_are:
        return ""
    return f"The latest {grouped(shown)} of {grouped(there_are)}; the CSV has all of them."


CUSTOMER = Page(
    name="customer",
    path="/customers/{customer_id:path}",
    title="Customer",
    template="customer.html",
    read=customer,
    needs=NEEDED,
    supported_filters=frozenset(),
    filters_note="this page shows one customer",
    in_navigation=False,
    within="customers",
)
