"""What a model says of the next 90 days, in the words that shops count in: orders.

Belongs here: the forecast of a model as it is. Does not belong here: correcting it
(`models.calibration`), or comparing it with what came (`models.forecast_errors`).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from bridge_cart_assets.models.buy_till_you_die import Histories, Orders
from bridge_cart_assets.models.likelihood import Floats
from bridge_cart_assets.transforms.windows import WINDOW


@dataclass(frozen=True)
class Forecast:
    """What a model says of each customer's next 90 days.

    Attributes:
        no_order: probability that none comes.
        orders: how many are expected.
    """

    no_order: Floats
    orders: Floats


def forecast(model: Orders, customers: pl.DataFrame, orders_per_day: float = 1.0) -> Forecast:
    """The forecast of a model as it is.

    Args:
        model: knows days with an order.
        customers: the columns of `HISTORY`.
        orders_per_day: orders that the shop has on a customer's day with an order.

    >>> from bridge_cart_assets.models.buy_till_you_die import NaiveRate
    >>> customers = pl.DataFrame({"frequency": [1], "t_x": [60], "tenure_days": [90]})
    >>> forecast(NaiveRate(), customers, orders_per_day=1.5).orders.tolist()
    [1.5]
    """
    seen = Histories.each(customers)
    days = model.expected_orders(seen, WINDOW)
    return Forecast(model.prob_no_order(seen, WINDOW), days * orders_per_day)


def orders_per_day(customers: pl.DataFrame) -> float:
    """Orders on a day on which a customer orders, over the whole shop.

    Args:
        customers: orders and frequency; at least one.

    >>> orders_per_day(pl.DataFrame({"orders": [3, 1], "frequency": [1, 0]}))
    1.3333333333333333
    """
    orders, days = customers.select(pl.sum("orders"), (pl.col("frequency") + 1).sum()).row(0)
    return float(orders / days)


def orders_within(
    model: Orders,
    seen: Histories,
    own: Forecast,
    used: Forecast,
    orders_per_day: float,
    days: float,
) -> Floats:
    """Orders expected in any number of days: a correction moves all by the factor of 90 days.

    Args:
        model: knows days with an order.
        seen: the history of each customer.
        own: the forecast of the model as it is.
        used: the one that is used.
        orders_per_day: as `forecast` takes it.
        days: from now on.

    >>> from bridge_cart_assets.models.buy_till_you_die import NaiveRate
    >>> customers = pl.DataFrame({"frequency": [1], "t_x": [60], "tenure_days": [90]})
    >>> own = forecast(NaiveRate(), customers)
    >>> half = Forecast(own.no_order, own.orders / 2)
    >>> orders_within(NaiveRate(), Histories.each(customers), own, half, 1.0, 180).tolist()
    [1.0]
    """
    factor = np.divide(used.orders, own.orders, out=np.ones_like(own.orders), where=own.orders > 0)
    expected: Floats = factor * orders_per_day * model.expected_orders(seen, days)
    return expected
