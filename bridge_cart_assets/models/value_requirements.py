"""What a shop needs before a model of value can be fitted to it.

Belongs here: the requirements, each with its present value. Does not belong here: their bounds
(`thresholds`), or how good a fitted model is (`models.holdout`).
"""

from dataclasses import dataclass

import polars as pl

from bridge_cart_assets.thresholds import THRESHOLDS


@dataclass(frozen=True)
class Needed:
    """One requirement of a value model, with its present and its least value.

    >>> Needed("customers", value=500, least=500, says="customers with a sale").is_met
    True
    """

    metric: str
    value: int
    least: int
    says: str

    @property
    def is_met(self) -> bool:
        """Whether the value is enough."""
        return self.value >= self.least


def needs_of(customers: pl.DataFrame) -> tuple[Needed, ...]:
    """The requirements of a fit to these customers, each with its present value.

    Args:
        customers: frequency and tenure_days; one row per customer with a sale.

    >>> customers = pl.DataFrame({"frequency": [0, 2, 1], "tenure_days": [0, 179, 30]})
    >>> [(need.metric, need.value) for need in needs_of(customers)]
    [('customers', 3), ('history_days', 180), ('repeat_customers', 2)]
    """
    days, repeaters = customers.select(
        (pl.max("tenure_days") + 1).fill_null(0), (pl.col("frequency") > 0).sum()
    ).row(0)
    bounds = THRESHOLDS
    return (
        Needed("customers", customers.height, bounds.value_customers, "customers with a sale"),
        Needed("history_days", days, bounds.value_days, "days of history"),
        Needed("repeat_customers", repeaters, bounds.value_repeaters, "customers who came again"),
    )
