"""The lists that can be acted upon: who is on each, what they are worth, what to do.

Belongs here: the lists as data, for a shop whose customers' value is predicted and for one where
it is not yet. Does not belong here: the query around their conditions (see `queries`), or layout.
"""

from dataclasses import dataclass, replace
from typing import Literal

from bridge_cart_assets.tables.gold import CUSTOMER_VALUE

SOON_LAPSED = 45
LATELY = 30
Threshold = Literal["value", "historic", "order_value", "expected_orders"]


@dataclass(frozen=True)
class Amount:
    """What a customer on a list is worth.

    Attributes:
        sql: over the columns of `queries`; the customer with the highest comes first.
        name, title, meaning: the column of the amount.
        words: what the amounts are together, as the end of "… are worth 1.2M …".
    """

    sql: str
    name: str
    title: str
    words: str
    meaning: str


SO_FAR = Amount(
    "historic_clv",
    "worth_so_far",
    "Worth so far",
    "of net revenue so far",
    CUSTOMER_VALUE.meaning("historic_clv"),
)
AT_RISK = Amount(
    "predicted_clv_365d * churn_probability_90d",
    "value_at_risk",
    "Value at risk",
    "at risk: what they are expected to bring in 365 days, times the chance that they stay away",
    "Expected in 365 days x the probability of staying away for 90 days",
)
_EXPECTED = Amount(
    "expected_orders_90d * expected_order_value",
    "expected_revenue_90d",
    "Expected in 90 days",
    "in the next 90 days: the orders expected, times the value expected of an order",
    "Orders expected in 90 days x the value expected of an order",
)


@dataclass(frozen=True)
class Worklist:
    """A list of customers.

    Attributes:
        name: in addresses.
        title: on the page.
        who: who is on it, as the end of "Customers …"; {} stands for the threshold.
        advice: what to do with it.
        threshold: which of the shop's thresholds counts, as `queries.ListBounds` has them.
        condition: SQL over the columns of `queries`.
        worth: the amount per customer.
    """

    name: str
    title: str
    who: str
    advice: str
    threshold: Threshold
    condition: str
    worth: Amount


_LEAVING = Worklist(
    name="leaving",
    title="High value and about to leave",
    who="in the shop’s best fifth by value so far and expected (at least {}), who have bought in "
    "the last 90 days and may well stay away for the next 90 (a chance of one in three or more)",
    advice="Write to them while they still remember you, from the top of the list down: a personal "
    "offer, or a question about what was missing.",
    threshold="value",
    condition="NOT is_churned AND value >= $threshold AND churn_band <> 'low'",
    worth=AT_RISK,
)
_RETURNING = Worklist(
    name="returning",
    title="Likely to come back soon",
    who="of whom {} orders or more are expected in the next 90 days, the shop’s best fifth, and "
    "who will hardly stay away (a chance below one in three)",
    advice="No discounts: show them what is new and what goes with their last orders, and have it "
    "in stock.",
    threshold="expected_orders",
    condition="expected_orders_90d >= $threshold AND churn_band = 'low'",
    worth=_EXPECTED,
)
_PROMISING = Worklist(
    name="promising",
    title="New and promising",
    who="who bought for the first time in the last 30 days, with an average order in the shop’s "
    "best fifth (at least {})",
    advice="The second order decides: thank them, ask how it was, and suggest the next thing "
    "within the month.",
    threshold="order_value",
    condition="tenure_days < 30 AND aov >= $threshold",
    worth=SO_FAR,
)
_LOST = Worklist(
    name="lost",
    title="Lost champions",
    who="in the shop’s best fifth by net revenue so far (at least {}), who have not bought for 90 "
    "days or more",
    advice="One good try to win them back: say what has changed since, with an offer that is worth "
    "the way; then let them go.",
    threshold="historic",
    condition="is_churned AND historic_clv >= $threshold",
    worth=SO_FAR,
)
WORKLISTS = (_LEAVING, _RETURNING, _PROMISING, _LOST)

_UNPREDICTED = {
    "leaving": replace(
        _LEAVING,
        who="in the shop’s best fifth by net revenue so far (at least {}), who bought last "
        f"{SOON_LAPSED} to 89 days ago",
        threshold="historic",
        condition=f"historic_clv >= $threshold AND recency_days >= {SOON_LAPSED} "
        "AND NOT is_churned",
        worth=SO_FAR,
    ),
    "returning": replace(
        _RETURNING,
        who="in the shop’s best fifth by net revenue so far (at least {}), who have come again "
        f"before and bought within the last {LATELY} days",
        threshold="historic",
        condition=f"historic_clv >= $threshold AND recency_days < {LATELY} AND frequency > 0",
        worth=SO_FAR,
    ),
}


def worklists(are_predicted: bool) -> tuple[Worklist, ...]:
    """The lists; those that need predictions go by recency and value so far without them."""
    if are_predicted:
        return WORKLISTS
    return tuple(_UNPREDICTED.get(one.name, one) for one in WORKLISTS)
