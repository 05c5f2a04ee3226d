"""The lists that can be acted upon: who is on each, what they are worth, what to do.

Belongs here: the lists as data, for a shop whose customers' value is predicted and for one where
it is not yet. Does not belong here: the query around their conditions (see `queries`), or layout.
"""

from dataclasses import dataclass, replace
from typing import Literal

SOON_LAPSED = 45
LATELY = 30
Threshold = Literal["value", "historic", "order_value", "expected_orders"]


@dataclass(frozen=True)
class Worklist:
    """A list of customers.

    Attributes:
        name: in addresses.
        title: on the page.
        who: who is on it, as the end of "Customers …"; {} stands for the threshold.
        advice: what to do with it.
        threshold: which of the shop's thresholds counts, as `queries.ListBounds` has them.
        condition, worth: SQL over the columns of `queries`; worth is an amount per customer, and
            the highest comes first.
        worth_name, worth_title: the column of that amount.
        worth_words: what the amounts are together, as the end of "… are worth 1.2M …".
        is_predicted: whether condition or worth need a prediction.
    """

    name: str
    title: str
    who: str
    advice: str
    threshold: Threshold
    condition: str
    worth: str
    worth_name: str
    worth_title: str
    worth_words: str
    is_predicted: bool = False


_LEAVING = Worklist(
    name="leaving",
    title="High value and about to leave",
    who="in the shop’s best fifth by value so far and expected (at least {}), who have bought in "
    "the last 90 days and may well stay away for the next 90 (a chance of one in three or more)",
    advice="Write to them while they still remember you, from the top of the list down: a personal "
    "offer, or a question about what was missing.",
    threshold="value",
    condition="NOT is_churned AND value >= $threshold AND churn_band <> 'low'",
    worth="predicted_clv_365d * churn_probability_90d",
    worth_name="value_at_risk",
    worth_title="Value at risk",
    worth_words="at risk: what they are expected to bring in 365 days, times the chance that they "
    "stay away",
    is_predicted=True,
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
    worth="expected_orders_90d * expected_order_value",
    worth_name="expected_revenue_90d",
    worth_title="Expected in 90 days",
    worth_words="in the next 90 days: the orders expected, times the value expected of an order",
    is_predicted=True,
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
    worth="historic_clv",
    worth_name="worth_so_far",
    worth_title="Worth so far",
    worth_words="of net revenue so far",
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
    worth="historic_clv",
    worth_name="worth_so_far",
    worth_title="Worth so far",
    worth_words="of net revenue so far",
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
        worth=_LOST.worth,
        worth_name=_LOST.worth_name,
        worth_title=_LOST.worth_title,
        worth_words=_LOST.worth_words,
        is_predicted=False,
    ),
    "returning": replace(
        _RETURNING,
        who="in the shop’s best fifth by net revenue so far (at least {}), who have come again "
        f"before and bought within the last {LATELY} days",
        threshold="historic",
        condition=f"historic_clv >= $threshold AND recency_days < {LATELY} AND frequency > 0",
        worth=_LOST.worth,
        worth_name=_LOST.worth_name,
        worth_title=_LOST.worth_title,
        worth_words=_LOST.worth_words,
        is_predicted=False,
    ),
}


def worklists(are_predicted: bool) -> tuple[Worklist, ...]:
    """The lists; those that need predictions go by recency and value so far without them."""
    if are_predicted:
        return WORKLISTS
    return tuple(_UNPREDICTED.get(one.name, one) for one in WORKLISTS)
