"""How the customers are spread: by churn probability and by value, each with its table.

Belongs here: which bars there are, and their names. Does not belong here: queries, or drawing.
"""

from collections.abc import Sequence
from decimal import Decimal

from bridge_cart_assets.reports.charts import Chart, Series, hbars
from bridge_cart_assets.reports.customers.queries import Spread, Step, Tenth
from bridge_cart_assets.reports.formatting import compact, count, money, percent, words
from bridge_cart_assets.reports.tables import Sheet, column

NO_CUSTOMER = "No customer is in these filters: take one of them away."
_DASH = "\N{EN DASH}"
_MOST_EDGES = 10


def churn_chart(tenths: Sequence[Tenth], why_not: str) -> Chart:
    """One bar per tenth of churn probability.

    Args:
        tenths: all ten, or none.
        why_not: the sentence on why there is none.
    """
    names = [_tenth(t) for t in tenths]
    everybody = sum(t.customers for t in tenths)
    return Chart(
        title="How likely customers are to stay away",
        subtitle="Customers by the probability that they order nothing in the next 90 days",
        figures=hbars(names, [Series("Customers", [t.customers for t in tenths])], "count")
        if tenths
        else None,
        too_little=why_not,
        sheet=Sheet(
            "churn-probability",
            "Customers by churn probability",
            (
                column("churn_probability_90d", "Churn probability", words, of=_tenth),
                column("customers", "Customers", count),
                column("share", "Share", percent, of=lambda t: t.customers / everybody),
                column("clv", "Value", money, of="value"),
            ),
            tenths,
        ),
    )


def _tenth(t: Tenth) -> str:
    return f"{t.tenth * 10}{_DASH}{t.tenth * 10 + 10}%"


def value_chart(edges: Sequence[int], steps: Sequence[Step], is_predicted: bool) -> Chart:
    """One bar per step of value, with the customers in it."""
    by_step = {step.step: step for step in steps}
    # below zero, or below the first edge, there is often no customer
    numbers = range(0 if 0 in by_step else 1, len(edges) + 1)
    shown = [by_step.get(n, Step(n, 0, Decimal(0))) for n in numbers] if steps else []
    everybody = sum(step.customers for step in shown)
    what = "value so far and expected in 365 days" if is_predicted else "net revenue so far"
    names = [_named(edges, step.step) for step in shown]
    return Chart(
        title="What customers are worth",
        subtitle=f"Customers by their {what}",
        figures=hbars(names, [Series("Customers", [step.customers for step in shown])], "count")
        if steps
        else None,
        too_little=NO_CUSTOMER,
        sheet=Sheet(
            "value",
            "Customers by value",
            (
                column("clv", "Value", words, of=lambda step: _named(edges, step.step)),
                column("customers", "Customers", count),
                column("share", "Share", percent, of=lambda step: step.customers / everybody),
                column("clv_together", "Value together", money, of="value"),
            ),
            shown,
        ),
        names_amounts=True,
    )


def value_edges(spread: Spread | None) -> list[int]:
    """Round numbers (1, 2 or 5 times a power of ten) that part most customers into up to ten steps.

    Values of a shop differ by powers of ten: steps of equal length would put nearly everybody
    into the first.

    >>> value_edges(Spread(low=32.0, high=1840.0, least=-9.08))
    [0, 20, 50, 100, 200, 500, 1000]
    >>> value_edges(Spread(low=32.0, high=1840.0, least=3.0))
    [20, 50, 100, 200, 500, 1000]
    """
    if spread is None:
        return []
    series = [m * 10**power for power in range(12) for m in (1, 2, 5)]
    below = [edge for edge in series if edge <= max(spread.low, 1)]
    inside = [edge for edge in series if max(spread.low, 1) < edge <= max(spread.high, 1)]
    edges = [below[-1], *inside][-_MOST_EDGES:]
    return [0, *edges] if spread.least < 0 else edges


def _named(edges: Sequence[int], step: int) -> str:
    if step == 0:
        return f"below {compact(edges[0])}"
    if step == len(edges):
        return f"{compact(edges[-1])} or more"
    return f"{compact(edges[step - 1])}{_DASH}{compact(edges[step])}"
