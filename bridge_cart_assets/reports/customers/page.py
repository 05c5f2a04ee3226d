"""The page of all customers: search, lists to act upon, and how customers are spread.

Belongs here: which parts the page has, and its sentences. Does not belong here: SQL (see
`queries`), who is on a list (see `lists`), or HTML.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.charts import Chart, segment_colour
from bridge_cart_assets.reports.customer.page import NO_SEGMENT, NOT_PREDICTED, address_of
from bridge_cart_assets.reports.customer.queries import person_of_id
from bridge_cart_assets.reports.customers import queries
from bridge_cart_assets.reports.customers.charts import (
    NO_CUSTOMER,
    churn_chart,
    value_chart,
    value_edges,
)
from bridge_cart_assets.reports.customers.lists import (
    AT_RISK,
    SO_FAR,
    WORKLISTS,
    Worklist,
    worklists,
)
from bridge_cart_assets.reports.filters import Option, PageQuery, Parameter
from bridge_cart_assets.reports.formatting import (
    NOTHING,
    Cell,
    compact,
    compact_money,
    count,
    day,
    decimals,
    grouped,
    money,
    percent,
    words,
)
from bridge_cart_assets.reports.page import Page
from bridge_cart_assets.reports.tables import Sheet, column, left_out
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, CUSTOMER_SEGMENTS, CUSTOMER_VALUE

NEEDED = frozenset({CUSTOMER_FEATURES, CUSTOMER_VALUE, CUSTOMER_SEGMENTS})
MOST_LISTED = 50
MOST_FOUND = 20
LIST = Parameter("list", "List", tuple(Option(one.name, one.title) for one in WORKLISTS))
SEARCH = Parameter("id", "Customer id", in_form=False)
NO_NAMES = (
    "A list has customer ids and no names or e-mail addresses: gold holds none. Look the ids up in "
    "the shop’s own system; a guest (guest-…) by the orders on the guest’s page."
)
_BANDS = {"low": "below 1/3", "medium": "1/3 to 2/3", "high": "above 2/3"}


@dataclass(frozen=True)
class Tab:
    """One of the lists, as something to choose.

    Attributes:
        address: where the page shows this list.
        who, together: two sentences, the second on number and worth.
    """

    name: str
    title: str
    address: str
    is_chosen: bool
    customers: Cell
    worth: Cell
    worth_title: str
    who: str
    together: str
    advice: str


@dataclass(frozen=True)
class CustomersPage:
    """All that the page shows.

    Attributes:
        searched, search_answer: the text searched for, and a sentence on what was found.
        found: the customers found; without rows when nothing was searched for.
        status: a sentence on the predictions, '' when they are as they should be.
        tabs, chosen: the lists, and the one that is shown in full.
        listed: its first customers, all of them as CSV.
        left_out: a sentence on those that are not among the first, or ''.
    """

    searched: str
    search_answer: str
    found: Sheet
    status: str
    tabs: tuple[Tab, ...]
    chosen: Tab
    listed: Sheet
    left_out: str
    churn: Chart
    value: Chart
    bands: Sheet
    no_names: str = NO_NAMES

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """The tables of the page."""
        return (self.found, self.listed, self.bands, self.churn.sheet, self.value.sheet)


def customers(catalogue: Catalogue, asked: PageQuery) -> CustomersPage | None:
    """Everything on the page; None before the first sale."""
    statuses = queries.statuses(catalogue)
    if not statuses:
        return None
    is_predicted = any(status.predicted for status in statuses)
    lists = worklists(is_predicted)
    at_least = queries.thresholds(catalogue)
    by_name = {one.name: one for one in lists}
    totals = queries.list_totals(catalogue, lists, at_least, asked.filters)
    tabs = tuple(
        _tab(one, at_least, total, asked) for one, total in zip(lists, totals, strict=True)
    )
    chosen = by_name[asked.own["list"]]
    most = None if asked.in_full else MOST_LISTED
    listed = queries.listed(catalogue, chosen, at_least, asked.filters, most)
    most_found = None if asked.in_full else MOST_FOUND
    found = queries.found(catalogue, asked.own["id"], most_found) if asked.own["id"] else []
    person = None
    if asked.own["id"] and not found:
        person = _another_customer(catalogue, asked.own["id"])
        found = queries.found(catalogue, person, 1) if person else []
    spread = queries.spread(catalogue, asked.filters)
    edges = value_edges(spread)
    steps = queries.value_steps(catalogue, edges, asked.filters) if edges else []
    why_not = (
        NO_CUSTOMER if is_predicted else f"Nothing is predicted yet: {statuses[0].model_status}."
    )
    return CustomersPage(
        searched=asked.own["id"],
        search_answer=_search_answer(asked.own["id"], found, person) if asked.own["id"] else "",
        found=_found_sheet(found),
        status=_status(statuses, is_predicted),
        tabs=tabs,
        chosen=next(tab for tab in tabs if tab.is_chosen),
        listed=_listed_sheet(chosen, listed, is_predicted),
        left_out=left_out("first", len(listed), totals[lists.index(chosen)].customers),
        churn=churn_chart(queries.churn_tenths(catalogue, asked.filters), why_not),
        value=value_chart(edges, steps, is_predicted),
        bands=_bands_sheet(queries.bands(catalogue, asked.filters)),
    )


def _tab(
    one: Worklist, at_least: queries.ListBounds, total: queries.Total, asked: PageQuery
) -> Tab:
    return Tab(
        name=one.name,
        title=one.title,
        address=CUSTOMERS.path
        + asked.query(list=None if one.name == LIST.default else one.name, id=None),
        is_chosen=one.name == asked.own["list"],
        customers=count(total.customers),
        worth=compact_money(total.worth, "no customer is on the list"),
        worth_title=one.worth.title.lower(),
        who=f"Customers {one.who.format(_threshold(one, at_least))}.",
        together=_together(one, total),
        advice=one.advice,
    )


def _threshold(one: Worklist, at_least: queries.ListBounds) -> str:
    bound = getattr(at_least, one.threshold)
    return NOTHING if bound is None else compact(bound)


def _together(one: Worklist, total: queries.Total) -> str:
    if not total.customers:
        return "No customer is on the list now."
    verb = "customer is" if total.customers == 1 else "customers are"
    worth = "" if total.worth is None else f"; {compact(total.worth)} {one.worth.words}"
    return f"{grouped(total.customers)} {verb} on the list{worth}."


def _status(statuses: Sequence[queries.Status], is_predicted: bool) -> str:
    """What to know of the predictions, in the words of the model itself."""
    status = statuses[0].model_status
    if not is_predicted:
        return (
            "Nothing is predicted of customers yet, so the first two lists go by the latest "
            f"purchase and by value so far. The value model says: {status}."
        )
    if status != "fitted":
        return f"The predictions are those of a simpler model. The value model says: {status}."
    return ""


def _another_customer(catalogue: Catalogue, text: str) -> str | None:
    """The customer that an id belongs to, when that has another id."""
    person = person_of_id(catalogue, text)
    return None if person == text else person


def _search_answer(text: str, found: Sequence[queries.Found], person: str | None) -> str:
    if person is not None:
        return f"The id “{text}” is one of the customer “{person}”: both have one e-mail address."
    if not found:
        return f"No customer who has bought has the id “{text}”, or one that begins with it."
    matches = found[0].matches
    if matches == 1:
        verb = "is" if found[0].customer_id == text else "begins with"
        return f"One customer’s id {verb} “{text}”."
    most = f"; the first {len(found)} are listed" if matches > len(found) else ""
    return f"{grouped(matches)} customers have an id that begins with “{text}”{most}."


_SEGMENT = column("segment_name", "Segment", words, missing=NO_SEGMENT)


def _found_sheet(found: Sequence[queries.Found]) -> Sheet:
    return Sheet(
        "found",
        "Customers found",
        (
            column("customer_id", "Customer", words),
            _SEGMENT,
            column("orders", "Orders", count),
            column("last_purchase_day", "Last purchase", day),
            column("net_revenue", "Net revenue", money),
        ),
        found,
        colour=lambda one: segment_colour(one.segment_id),
        href=lambda one: address_of(one.customer_id),
    )


def _listed_sheet(one: Worklist, listed: Sequence[queries.Listed], is_predicted: bool) -> Sheet:
    amount = one.worth
    columns = [
        column("customer_id", "Customer", words),
        _SEGMENT,
        column("country", "Country", words, missing="the profile has no country"),
        column(amount.name, amount.title, money, amount.meaning, NOT_PREDICTED, of="worth"),
        column("last_purchase_day", "Last purchase", day),
        column("orders", "Orders", count),
        column("aov", "AOV", money, CUSTOMER_FEATURES),
    ]
    if amount is not SO_FAR:
        columns.append(column("historic_clv", "Worth so far", money, CUSTOMER_VALUE))
    if is_predicted:
        value = partial(column, meaning=CUSTOMER_VALUE, missing=NOT_PREDICTED)
        columns += [
            value("predicted_clv_365d", "In 365 days", money),
            value("expected_orders_90d", "Orders in 90 days", partial(decimals, places=2)),
            value("churn_probability_90d", "Stays away", percent),
        ]
    return Sheet(
        one.name,
        one.title,
        columns,
        listed,
        colour=lambda customer: segment_colour(customer.segment_id),
        href=lambda customer: address_of(customer.customer_id),
        empty="No customer is on this list in these filters.",
    )


def _bands_sheet(bands: Sequence[queries.Band]) -> Sheet:
    everybody = sum(band.customers for band in bands)
    expected = partial(column, missing=NOT_PREDICTED)
    chance = "Chance of staying away for 90 days"
    return Sheet(
        "bands",
        "Customers by churn band",
        (
            column("churn_band", "Band", words, of=lambda b: b.churn_band or "not predicted"),
            expected("chance", chance, words, of=lambda b: _BANDS.get(b.churn_band)),
            column("customers", "Customers", count),
            column("share", "Share", percent, of=lambda b: b.customers / everybody),
            column("historic_clv", "Worth so far", money),
            expected("predicted_clv_365d", "Expected, 365 days", money),
            column("clv", "Together", money, of="value"),
            expected("value_at_risk", "Value at risk", money, meaning=AT_RISK.meaning),
        ),
        bands,
        empty=NO_CUSTOMER,
    )


CUSTOMERS = Page(
    name="customers",
    path="/customers",
    title="Customers",
    template="customers.html",
    read=customers,
    needs=NEEDED,
    supported_filters=frozenset({"segment", "country", "category"}),
    filters_note="customers are shown as they are on the latest day",
    parameters=(LIST, SEARCH),
)
