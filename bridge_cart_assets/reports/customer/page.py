"""The page of one customer: asks the catalogue and puts the answers into the form of the template.

Belongs here: which parts the page has, and its sentences. Does not belong here: SQL (see
`queries`), the timeline (see `timeline`), or HTML. There are no names and no addresses of people
here: gold holds none, and of silver only orders and ids are read.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any
from urllib.parse import quote

from bridge_cart_assets.lake.fence import literal
from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.charts import segment_colour
from bridge_cart_assets.reports.customer import queries
from bridge_cart_assets.reports.customer.timeline import Timeline, timeline
from bridge_cart_assets.reports.filters import PageQuery, quoted
from bridge_cart_assets.reports.formatting import (
    Cell,
    compact,
    compact_money,
    count,
    day,
    decimals,
    exact,
    grouped,
    money,
    nothing,
    percent,
    rounded,
    words,
)
from bridge_cart_assets.reports.page import NotThereError, Page
from bridge_cart_assets.reports.tables import Column, Sheet, column, left_out
from bridge_cart_assets.tables.gold import (
    CUSTOMER_FEATURES,
    CUSTOMER_HISTORY,
    CUSTOMER_RFM,
    CUSTOMER_SEGMENTS,
    CUSTOMER_VALUE,
    SEGMENT_MODEL,
)
from bridge_cart_assets.tables.silver import IDENTITIES
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.rfm_groups import GROUPS

NEEDED = frozenset(
    {
        *(CUSTOMER_FEATURES, CUSTOMER_VALUE, CUSTOMER_SEGMENTS, CUSTOMER_RFM),
        *(CUSTOMER_HISTORY, SEGMENT_MODEL),
    }
)
MOST_ORDERS = 100
MOST_STATES = 100
NOT_PREDICTED = "nothing is predicted of this customer"
NO_SEGMENT = "no segment yet: they begin with the first segment model"
_GAP, _ORDERS = partial(decimals, places=1), partial(decimals, places=2)
_BANDS = {
    "low": "hardly stays away",
    "medium": "may stay away",
    "high": "probably stays away",
}
_SPEND = {
    "predicted_spend_90d": "Expected in 90 days",
    "predicted_spend_90d_low": "Four of five like this one: at least",
    "predicted_spend_90d_high": "and at most",
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
        rfm: a sentence on the RFM group, '' when there is none yet.
        status: a sentence on the predictions, '' when they are as they should be.
        spend: what the next 90 days will bring, in a sentence, or ''.
        no_orders: why there are no orders here, '' when there are.
        ask_for_orders: the question by which the command line gives them.
        orders_note: a sentence on the rows that are left out, or ''.
        ids: which ids are this customer, and why.
    """

    customer_id: str
    as_of: date
    segment: queries.Segment | None
    colour: str
    lifecycle: str
    headlines: tuple[Headline, ...]
    rfm: str
    status: str
    spend: str
    done: Sheet
    expected: Sheet
    timeline: Timeline | None
    history: Sheet
    orders: Sheet
    orders_note: str
    no_orders: str
    ask_for_orders: str
    ids: Sheet
    no_segment: str = NO_SEGMENT

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """The tables of the page."""
        return (self.done, self.expected, self.history, self.orders, self.ids)


def customer(catalogue: Catalogue, asked: PageQuery) -> Customer | None:
    """Everything on the page; None before the first sale.

    Raises:
        NotThereError: no customer who has bought has this id.
    """
    customer_id = asked.path["customer_id"]
    done = queries.done(catalogue, customer_id)
    worth = queries.worth(catalogue, customer_id)
    if done is None or worth is None:
        person = queries.person_of_id(catalogue, customer_id)
        if person not in (None, customer_id):
            raise NotThereError(
                f"The id {quoted(customer_id)} is one of the customer {quoted(str(person))}: both "
                "have one e-mail address."
            )
        raise NotThereError(
            f"No customer with the id {quoted(customer_id)} has bought anything. "
            "The page of all customers finds an id by its beginning."
        )
    spend = queries.spend(catalogue, customer_id)
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
        colour=segment_colour(segment.segment_id if segment else None),
        lifecycle=_lifecycle(done, worth),
        headlines=_headlines(done, worth),
        rfm=rfm_sentence(queries.rfm(catalogue, customer_id)),
        status=_status(worth),
        spend=_spend_sentence(spend),
        done=_done_sheet(done),
        expected=_expected_sheet(worth, spend),
        timeline=timeline(states, done.as_of),
        history=_history_sheet(states if asked.in_full else states[-MOST_STATES:]),
        orders=_orders_sheet(orders),
        orders_note=left_out("latest", len(orders), orders[0].orders) if orders else "",
        no_orders=no_orders,
        ask_for_orders=_question(customer_id),
        ids=_ids_sheet(queries.ids_of_person(catalogue, customer_id)),
    )


def _question(customer_id: str) -> str:
    """The command that gives the orders; whatever the id is, a shell takes it for a text."""
    sql = f"SELECT * FROM silver.purchases WHERE customer_id = {literal(customer_id)}"  # noqa: S608
    return f"bridge-cart sql {shlex.quote(sql)}"


def _ago(days: int) -> str:
    return "on the latest day" if days == 0 else "1 day ago" if days == 1 else f"{days} days ago"


def _lifecycle(done: queries.CustomerFigures, worth: queries.Worth) -> str:
    """As gold.customer_history has it, which begins only with the first segment model."""
    state = "Lapsed" if worth.is_churned else "New" if done.tenure_days < 30 else "Active"
    return f"{state}, bought last {_ago(done.recency_days)}"


def _headlines(done: queries.CustomerFigures, worth: queries.Worth) -> tuple[Headline, ...]:
    gap, band = done.median_gap_days, _BANDS.get(worth.churn_band or "", "not predicted")
    rhythm = "only one purchase day" if gap is None else f"every {grouped(gap)} days, typically"
    value = partial(column, meaning=CUSTOMER_VALUE, missing=NOT_PREDICTED)
    feature = partial(column, meaning=CUSTOMER_FEATURES)
    return (
        _headline(value("historic_clv", "Worth so far", compact_money), worth, "net revenue"),
        _headline(
            value("predicted_clv_365d", "Expected, 365 days", compact_money),
            worth,
            "predicted value",
        ),
        _headline(feature("orders", "Orders", count), done, f"since {done.first_purchase_day}"),
        _headline(feature("aov", "Average order", compact_money), done, rhythm),
        _headline(value("expected_orders_90d", "Orders, 90 days", _ORDERS), worth, "expected"),
        _headline(value("churn_probability_90d", "Stays away, 90 days", percent), worth, band),
    )


def _headline(shown: Column[Any], row: object, below: str) -> Headline:
    return Headline(shown.title, shown.meaning, shown.cell(row), below)


def rfm_sentence(rfm: queries.Rfm | None) -> str:
    """The RFM group of a customer in words, with the scores.

    >>> rfm_sentence(queries.Rfm("DORMANT", 1, 1, 2))[:57]
    'RFM group Dormant (recency 1, orders 1, money 2 of 5). Cu'
    """
    if rfm is None:
        return ""
    group = GROUPS[rfm.rfm_group]
    scores = f"recency {rfm.r_score}, orders {rfm.f_score}, money {rfm.m_score} of 5"
    who = f"{group.meaning[0].lower()}{group.meaning[1:]}"
    return f"RFM group {group.label} ({scores}). Customers of the group {who}"


def _status(worth: queries.Worth) -> str:
    if worth.model_status == "fitted":
        return ""
    if worth.clv is None:
        return f"Nothing is predicted yet. The value model says: {worth.model_status}."
    return f"The predictions are those of a simpler model, which says: {worth.model_status}."


def _spend_sentence(spend: queries.Spend) -> str:
    """Between what the customer's spend will lie, in words: a range of nothing is not a range."""
    low, high = spend.predicted_spend_90d_low, spend.predicted_spend_90d_high
    if low is None or high is None:
        return ""
    four = "In the next 90 days four of five customers like this one"
    if not high:
        return f"{four} spend nothing."
    if not low:
        return f"{four} spend at most {compact(high)}."
    return f"{four} spend between {compact(low)} and {compact(high)}."


def _always(value: object) -> Callable[[object], object]:
    return lambda _: value


def _facts(name: str, title: str, table: Table, facts: Sequence[Column[Any]], row: object) -> Sheet:
    """Figures of one row of a gold table, one below the other."""
    return Sheet(
        name,
        title,
        (
            Column[Column[Any]](
                "figure",
                "Figure",
                lambda fact: Cell(fact.title, table.meaning(fact.name), fact.name),
                "text",
            ),
            Column[Column[Any]]("value", "Value", lambda fact: fact.cell(row)),
        ),
        facts,
    )


def _done_sheet(done: queries.CustomerFigures) -> Sheet:
    facts = [
        column("first_purchase_day", "First purchase", day),
        column("last_purchase_day", "Latest purchase", day),
        column("orders", "Orders", count),
        column("lines", "Order lines", count),
        column("active_months", "Months with a purchase", count),
        column("median_gap_days", "Days between purchases", _GAP, missing="only one purchase day"),
        column("revenue", "Revenue", money),
        column("refunds", "Refunds", money),
        column("net_revenue", "Net revenue", money),
        column("aov", "Average order", money),
        column("coupon_rate", "Orders with a coupon", percent),
        column("discount_rate", "Discounts", percent),
        column("refund_rate", "Refunds of revenue", percent, missing="no revenue"),
        column("top_category", "Top category", words),
        column("top_payment_method", "Pays mostly by", words),
        column("country", "Country", words, missing="the profile has no country"),
        Column("age", "Age", _age),
    ]
    return _facts("done", "What the customer has done", CUSTOMER_FEATURES, facts, done)


def _age(done: queries.CustomerFigures) -> Cell:
    years = exact(done.age)
    if years is None:
        return count(None, "the profile has no age")
    text = grouped(rounded(years, 0))
    if done.age_imputed:
        return Cell(f"{text}, filled in", "the profile has none: the median of the others", text)
    return Cell(text, text, text)


def _expected_sheet(worth: queries.Worth, spend: queries.Spend) -> Sheet:
    expected = partial(column, missing=NOT_PREDICTED)
    # Of another row than the rest: the catalogue of an older version has no such columns.
    of_spend = [
        expected(name, title, money, of=_always(getattr(spend, name)))
        for name, title in _SPEND.items()
    ]
    facts = [
        column("historic_clv", "Worth so far", money),
        expected("predicted_clv_365d", "Expected in 365 days", money),
        expected("clv", "Together", money),
        *of_spend,
        expected("expected_orders_90d", "Orders in 90 days", _ORDERS),
        expected("expected_orders_365d", "Orders in 365 days", _ORDERS),
        expected("expected_order_value", "Value of an order", money),
        expected("p_alive", "Still a customer", percent),
        expected("churn_probability_90d", "Stays away for 90 days", percent),
        expected("churn_band", "Churn band", _band),
        column("model_version", "Model version", _version, missing="no model yet"),
        column("model_status", "Model status", words),
    ]
    return _facts("expected", "What is expected", CUSTOMER_VALUE, facts, worth)


def _band(band: str | None, why: str) -> Cell:
    if band is None:
        return nothing(why)
    return Cell(f"{band}: {_BANDS.get(band, band)}", CUSTOMER_VALUE.meaning("churn_band"), band)


def _version(version: int | None, why: str) -> Cell:
    return words(None if version is None else str(version), why)


def _history_sheet(states: Sequence[queries.State]) -> Sheet:
    return Sheet(
        "history",
        "Segment and state over time",
        (
            column("valid_from", "From", day),
            column("valid_to", "Before", day, CUSTOMER_HISTORY, "the state of now"),
            column("segment_name", "Segment", words),
            column("lifecycle", "State", words, CUSTOMER_HISTORY),
            Column[queries.State]("change_reason", "Because of", _reason, "text"),
        ),
        states[::-1],
        colour=lambda state: segment_colour(state.segment_id),
        empty="There is no history yet: it begins with the first segment model.",
    )


def _reason(state: queries.State) -> Cell:
    reason = state.change_reason
    return Cell(_REASONS.get(reason, reason), reason, reason)


def _orders_sheet(orders: Sequence[queries.Order]) -> Sheet:
    kinds = "sale, refund (gives money back) or cancelled (undone)"
    return Sheet(
        "orders",
        "Orders",
        (
            column("purchase_day", "Day", day, of="first_day"),
            column("order_id", "Order", words),
            column("kind", "Kind", words, kinds),
            column("lines", "Lines", count),
            column("net_amount", "Net amount", money),
            column("categories", "Categories", words),
            column("source", "Source", words),
        ),
        orders,
        empty="No order of this customer is in silver.",
    )


def _ids_sheet(ids: Sequence[queries.PersonalId]) -> Sheet:
    return Sheet(
        "ids",
        "Ids of this customer",
        (
            column("identity", "Id as received", words, IDENTITIES),
            Column[queries.PersonalId]("reason", "Why", _why, "text"),
            column("first_seen", "First seen", day, IDENTITIES),
        ),
        ids,
        empty="Which ids this customer has is in silver, and cannot be read here.",
    )


def _why(one: queries.PersonalId) -> Cell:
    is_guest = one.identity.startswith("guest-")
    if one.reason == "own":
        text = "guest, known by an e-mail address" if is_guest else "the customer’s own id"
    elif is_guest:
        text = "guest with the e-mail address of this customer"
    else:
        place = "profile" if one.address_of == "profile" else "latest order with one"
        text = f"account with the same e-mail address, on its {place}"
    return Cell(text, IDENTITIES.meaning("reason"), one.reason)


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
