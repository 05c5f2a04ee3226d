"""When customers order: they come back until they drop out.

The story is that of MBG/NBD (Batislam, Denizel and Filiztekin 2007): while a customer is one,
orders follow a Poisson process whose rate is gamma distributed over customers; after each order,
the first one included, the customer drops out with a chance that is beta distributed. (BG/NBD, by
Fader, Hardie and Lee 2005, lets nobody drop out after the first.) Each customer has a spending
level that does not depend on the rate.

Belongs here: habits and the moments of orders. Does not belong here: what is in the cart (`carts`).
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from bridge_cart_assets.generator.assortment import FAVOURITES
from bridge_cart_assets.generator.chance import Floats, Ints, Stream, pick, pick_each, stream
from bridge_cart_assets.generator.markets import MARKETS

# Orders a day: mean RATE_SHAPE x RATE_SCALE while the customer is one.
RATE_SHAPE, RATE_SCALE = 0.65, 0.05
BUSIEST_RATE = 0.5
# Chance to drop out after an order: mean a / (a + b).
DROP_OUT_A, DROP_OUT_B = 0.8, 3.2
# Spending level: gamma with mean 1.
SPENDING_SHAPE = 2.2
NEVER_BUY = 0.06
BUY_AT_ONCE = 0.6
# Days from sign-up to the first order, for those who do not buy at once.
FOUNDERS_LAG, NEWCOMERS_LAG = 35.0, 8.0

WEEKDAYS = (0.96, 0.92, 0.93, 0.97, 1.05, 1.14, 1.03)
MONTHS = (0.95, 0.90, 0.96, 0.97, 1.00, 0.99, 0.96, 0.94, 0.99, 1.02, 1.18, 1.14)
HOURS = (7, 4, 2, 1, 1, 2, 6, 14, 24, 32, 38, 42, 46, 42, 38, 37, 39, 44, 52, 60, 64, 56, 38, 18)


@dataclass(frozen=True)
class Habits:
    """What drives each customer; one entry per customer in every array.

    Attributes:
        rate: orders a day.
        drop_out: chance that an order is the last one.
        spending: factor on prices, about 1.
        coupon: chance that an order uses a coupon.
        category: favourite, an index into `assortment.CATEGORIES`.
        payment: favourite, an index into `assortment.PAYMENT_METHODS`.
    """

    rate: Floats
    drop_out: Floats
    spending: Floats
    coupon: Floats
    category: Ints
    payment: Ints


@dataclass(frozen=True)
class Orders:
    """Orders by time; one entry per order in every array.

    Attributes:
        customer: index of the customer, from 0.
        day: days since the start.
        second: seconds since the start.
        number: place among the orders of its day, from 1.
    """

    customer: Ints
    day: Ints
    second: Ints
    number: Ints


def habits(people: pl.DataFrame, seed: int) -> Habits:
    """Draw the habits of the customers that `people.draw` returns."""
    rng = stream(seed, Stream.HABITS)
    country = people["country"].to_physical().to_numpy().astype(np.int64)
    gender = people["gender"].to_physical().to_numpy().astype(np.int64)
    median = np.array([market.income for market in MARKETS], dtype=np.float64)[country]
    means = (people["income"].to_numpy() / median) ** 0.35
    n = people.height
    return Habits(
        rate=np.minimum(rng.gamma(RATE_SHAPE, RATE_SCALE, n), BUSIEST_RATE),
        drop_out=rng.beta(DROP_OUT_A, DROP_OUT_B, n),
        spending=means * rng.gamma(SPENDING_SHAPE, 1 / SPENDING_SHAPE, n),
        coupon=rng.beta(1.1, 5.0, n),
        category=pick_each(rng, np.array(FAVOURITES)[gender]),
        payment=pick_each(rng, np.array([market.payments for market in MARKETS])[country]),
    )


def orders(people: pl.DataFrame, habits: Habits, *, days: int, start: date, seed: int) -> Orders:
    """Let every customer order until the drop-out or the end of the period.

    Gaps are drawn in a time that passes faster on busy days, so that weekdays and seasons show
    without a loop over days; the loop is over first, second, third… orders.
    """
    rng = stream(seed, Stream.ORDERS)
    weights = _busyness(start, days)
    ends = np.cumsum(weights)
    signup = (people["signup_date"] - start).dt.total_days().to_numpy().astype(np.int64)
    buyer = np.flatnonzero(rng.random(people.height) >= NEVER_BUY)
    clock = ends[signup[buyer]] - weights[signup[buyer]] * rng.random(buyer.size)
    founder = signup[buyer] == 0
    lag = np.where(founder, FOUNDERS_LAG, NEWCOMERS_LAG) * rng.exponential(size=buyer.size)
    clock += np.where(~founder & (rng.random(buyer.size) < BUY_AT_ONCE), 0.0, lag)
    customers, moments = [], []
    while buyer.size:
        day = np.searchsorted(ends, clock, side="right")
        inside = day < days
        buyer, clock = buyer[inside], clock[inside]
        customers.append(buyer)
        moments.append(day[inside])
        stays = rng.random(buyer.size) >= habits.drop_out[buyer]
        buyer, clock = buyer[stays], clock[stays]
        clock += rng.exponential(size=buyer.size) / habits.rate[buyer]
    return _by_time(rng, np.concatenate([*customers, buyer]), np.concatenate([*moments, buyer]))


def _busyness(start: date, days: int) -> Floats:
    """How busy each day is; about 1 on average."""
    calendar = [start + timedelta(days=day) for day in range(days)]
    return np.array([WEEKDAYS[day.weekday()] * MONTHS[day.month - 1] for day in calendar])


def _by_time(rng: np.random.Generator, customer: Ints, day: Ints) -> Orders:
    second = 3600 * pick(rng, HOURS, day.size) + rng.integers(0, 3600, day.size)
    moment = 86_400 * day + second
    order = np.argsort(moment, kind="stable")
    day = day[order]
    first = np.searchsorted(day, day, side="left")
    number = np.arange(1, day.size + 1) - first
    return Orders(customer=customer[order], day=day, second=moment[order], number=number)
