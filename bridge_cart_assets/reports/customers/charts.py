"""How the customers are spread: by churn probability and by value, each with its table.

Belongs here: which bars there are, and their names. Does not belong here: queries, or drawing.
"""

from collections.abc import Sequence

from bridge_cart_assets.reports.charts import Chart, Series, hbars
from bridge_cart_assets.reports.customers.queries import Spread, Step, Tenth
from bridge_cart_assets.reports.formatting import compact, count, money, percent, words
from bridge_cart_assets.reports.tables import Heading, Row, Sheet

NO_CUSTOMER = "No customer is in these filters: take one of them away."
_DASH = "\N{EN DASH}"
_MOST_EDGES = 10


def churn_chart(tenths: Sequence[Tenth], why_not: str) -> Chart:
    """One bar per tenth of churn probability.

    Args:
        tenths: all ten, or none.
        why_not: the sentence on why there is none.
    """
    names = [f"{t.tenth * 10}{_DASH}{t.tenth * 10 + 10}%" for t in tenths]
    everybody = sum(t.customers for t in tenths)
    return Chart(
        title="How likely customers are to stay away",
        subtitle="Customers by the probability that they order nothing in the next 90 days",
        figures=hbars(names, [Series("Customers", [t.customers for t in tenths])], "count")
        if tenths
        else None,
        too_little=why_not,
        sheet=Sheet(
            name="churn-probability",
            title="Customers by churn probability",
            columns=(
                Heading("churn_probability_90d", "Churn probability", "text"),
                Heading("customers", "Customers"),
                Heading("share", "Share"),
                Heading("clv", "Value"),
            ),
            rows=tuple(
                Row(
                    (
                        words(name),
                        count(t.customers),
                        percent(t.customers / everybody),
                        money(t.value),
                    )
                )
                for name, t in zip(names, tenths, strict=True)
            ),
        ),
    )


def value_chart(edges: Sequence[int], steps: Sequence[Step], is_predicted: bool) -> Chart:
    """One bar per step of value, with the customers in it."""
    by_step = {step.step: step for step in steps}
    # below zero, or below the first edge, there is often no customer
    shown = range(0 if 0 in by_step else 1, len(edges) + 1)
    names = {n: _named(edges, n) for n in shown}
    counts = {n: by_step[n].customers if n in by_step else 0 for n in shown}
    everybody = sum(counts.values())
    what = "value so far and expected in 365 days" if is_predicted else "net revenue so far"
    return Chart(
        title="What customers are worth",
        subtitle=f"Customers by their {what}",
        figures=hbars(list(names.values()), [Series("Customers", list(counts.values()))], "count")
        if steps
        else None,
        too_little=NO_CUSTOMER,
        sheet=Sheet(
            name="value",
            title="Customers by value",
            columns=(
                Heading("clv", "Value", "text"),
                Heading("customers", "Customers"),
                Heading("share", "Share"),
                Heading("clv_together", "Value together"),
            ),
            rows=tuple(
                Row(
                    (
                        words(names[n]),
                        count(counts[n]),
                        percent(counts[n] / everybody),
                        money(by_step[n].value if n in by_step else 0),
                    )
                )
                for n in shown
            )
            if steps
            else (),
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
