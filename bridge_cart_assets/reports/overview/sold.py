"""Who bought: revenue, refunds and what is left, of customers and of anonymous orders.

Belongs here: the table in which these sums reconcile, and the sentence on the share without a
customer. Does not belong here: SQL (see `queries`).
"""

from dataclasses import dataclass
from decimal import Decimal

from bridge_cart_assets.reports.formatting import compact, money, percent, words
from bridge_cart_assets.reports.overview.queries import Sold
from bridge_cart_assets.reports.tables import Sheet, column

_NO_COUNTERPART = "of customers only"


@dataclass(frozen=True)
class SoldLine:
    """One line of the table; None where there is no such amount."""

    what: str
    customers: Decimal
    anonymous: Decimal | None = None

    @property
    def together(self) -> Decimal | None:
        """Both."""
        return None if self.anonymous is None else self.customers + self.anonymous


def sold_lines(sold: Sold) -> list[SoldLine]:
    """The lines of the table: the net revenue of the days, and how it becomes that of customers."""
    net = sold.revenue - sold.refunds
    early = net + sold.refunds_without_sale - sold.clv
    lines = [
        SoldLine("Revenue", sold.revenue, sold.anonymous_revenue),
        SoldLine("Refunds", -sold.refunds, -sold.anonymous_refunds),
        SoldLine("Net revenue", net, sold.anonymous_revenue - sold.anonymous_refunds),
    ]
    if sold.refunds_without_sale:
        lines.append(SoldLine("Refunds of people without a sale", sold.refunds_without_sale))
    if early:
        lines.append(SoldLine("Refunds before the first sale", -early))
    return [*lines, SoldLine("CLV so far of all customers", sold.clv)]


def sold_sheet(sold: Sold | None) -> Sheet:
    """The table of what was sold so far, and to whom."""
    return Sheet(
        "sold",
        "Sold so far, and to whom",
        (
            column("what", "Amount", words),
            column("customers", "Customers", money),
            column("anonymous", "Anonymous", money, missing=_NO_COUNTERPART),
            column("together", "Together", money, missing=_NO_COUNTERPART),
        ),
        [] if sold is None else sold_lines(sold),
        empty="This catalogue was built by an older version: the next run brings it.",
    )


def anonymous_sentence(sold: Sold | None) -> str:
    """The share of anonymous orders; '' when nothing was."""
    if sold is None or not sold.anonymous_orders:
        return ""
    together = sold.revenue + sold.anonymous_revenue
    orders = sold.orders + sold.anonymous_orders
    return (
        f"Of all revenue, {compact(together)}, {_share(sold.anonymous_revenue / together)} "
        f"came from anonymous orders ({compact(sold.anonymous_revenue)}, "
        f"{_share(sold.anonymous_orders / orders)} of the orders); the figures here are of "
        f"customers ({compact(sold.revenue)})."
    )


def _share(value: Decimal | float) -> str:
    """A share; one that is written as 0.0% is not nothing."""
    return "under 0.1%" if 0 < value < Decimal("0.0005") else percent(value).text
