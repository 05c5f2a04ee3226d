"""When customers order: they come back until they drop out.

The story is that of BG/NBD (Fader, Hardie and Lee 2005): while a customer is one, orders follow a
Poisson process whose rate is gamma distributed over customers; after each repeat order the
customer drops out with a chance that is beta distributed. Rate, drop-out and spending level do not
depend on each other. The spending level is that of Gamma-Gamma (Fader and Hardie 2013): the inverse
of a gamma variable.

Belongs here: habits and the moments of orders. Does not belong here: what is in the cart (`carts`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from bridge_cart_assets.generator import personas
from bridge_cart_assets.generator.markets import MARKETS
from bridge_cart_assets.generator.people import People, customer_id
from bridge_cart_assets.generator.product_catalogue import CATEGORIES, FAVOURITES, PAYMENT_METHODS
from bridge_cart_assets.generator.rng import (
    Flags,
    Floats,
    Ints,
    Stream,
    choose,
    choose_each,
    for_each_day,
    stream,
)
from bridge_cart_assets.generator.seasons import Calendar

# BG/NBD: r and alpha (days) of the rate, orders a day; a and b of the drop-out.
R, ALPHA = 0.42, 20.0
A, B = 0.6, 2.6
# Gamma-Gamma: q; the level's mean is 1.
Q = 2.6
# How much of an income above the country's median is spent (an elasticity).
INCOME_EFFECT = 0.25
NEVER_BUY = 0.06
# Days to the first order, on average: of the first day's customers one half comes back soon and the
# other late; newcomers order at once, or soon.
SOON_SHARE, SOON, LATE = 0.5, 25.0, 180.0
AT_ONCE_SHARE, NEWCOMERS_LAG = 0.6, 8.0

HOURS = (7, 4, 2, 1, 1, 2, 6, 14, 24, 32, 38, 42, 46, 42, 38, 37, 39, 44, 52, 60, 64, 56, 38, 18)


@dataclass(frozen=True)
class Habits:
    """What drives each customer; one entry per customer in every array.

    Attributes:
        persona: index into `personas.PERSONAS`.
        rate: orders a day.
        drop_out: chance that a repeat order is the last one.
        spending: factor on prices, about 1.
        coupon: chance that an order uses a coupon.
        category: favourite, an index into `product_catalogue.CATEGORIES`.
        payment: favourite, an index into `product_catalogue.PAYMENT_METHODS`.
    """

    persona: Ints
    rate: Floats
    drop_out: Floats
    spending: Floats
    coupon: Floats
    category: Ints
    payment: Ints


@dataclass(frozen=True)
class PlacedOrders:
    """The orders of consecutive days by time; one entry per order in every array.

    Attributes:
        first, end: the days, from `first` to before `end`, since the start.
        customer: index of the customer, from 0.
        day: days since the start.
        second: seconds since the start.
        number: place among the orders of its day, from 1.
    """

    first: int
    end: int
    customer: Ints
    day: Ints
    second: Ints
    number: Ints


def habits(people: People, seed: int) -> Habits:
    """Draw the habits of everybody."""
    from scipy.special import betainc, gammainc, gammaincc

    def levels(rng: np.random.Generator, size: int) -> Floats:
        rate, inverse = rng.gamma(R, 1 / ALPHA, size), rng.gamma(Q, 1, size)
        return np.column_stack([rate, rng.beta(A, B, size), inverse, rng.random((size, 4))])

    counts = np.bincount(people.arrival)
    rate, drop_out, inverse, *chance = for_each_day(seed, Stream.HABITS, 0, counts, levels).T
    persona = personas.assign_personas(
        gammainc(R, ALPHA * rate), betainc(A, B, drop_out), gammaincc(Q, inverse), chance[0]
    )
    kind = personas.PERSONAS
    coupon = np.array([p.coupon for p in kind])[persona]
    tastes = np.array([p.tastes for p in kind])[persona] * np.array(FAVOURITES)[people.gender]
    income = np.array([market.income for market in MARKETS], dtype=np.float64)[people.country]
    payments = np.array([market.payments for market in MARKETS])[people.country]
    return Habits(
        persona=persona,
        rate=rate,
        drop_out=drop_out,
        spending=(Q - 1) / inverse * (people.income / income) ** INCOME_EFFECT,
        # Beta(1, 1/mean - 1), by its inverse.
        coupon=1 - (1 - chance[1]) ** (coupon / (1 - coupon)),
        category=choose_each(tastes, chance[2]),
        payment=choose_each(payments, chance[3]),
    )


def placed_orders(
    people: People,
    habits: Habits,
    calendar: Calendar,
    *,
    first: int,
    size: int,
    breaks: Sequence[int] = (),
) -> Iterator[PlacedOrders]:
    """Let every customer order until the drop-out, and tell of it in blocks of whole days.

    Gaps are drawn in a time that passes faster on busy days, so that weekdays, seasons and flash
    sales show. The days before `first` pass without records.

    Args:
        people: who they are.
        habits: what drives them.
        calendar: how busy the days are.
        first: first day to tell of.
        size: a block ends with the day on which it has so many orders.
        breaks: days on which a new block begins in any case.
    """
    due = _first_orders(people, calendar)
    has_ordered = np.zeros(due.size, dtype=np.bool_)
    days: list[Ints] = []
    seconds: list[Ints] = []
    begin, buyers_in_block = first, 0
    for day, end in enumerate(calendar.ends.tolist()):
        rng = stream(calendar.seed, Stream.ORDERS, day)
        buyers = _order(rng, habits, due, has_ordered, end)
        if day < first:
            continue
        second = 3_600 * choose(HOURS, rng.random(buyers.size))
        second += rng.integers(0, 3_600, buyers.size)
        by_time = np.argsort(second, kind="stable")
        days.append(buyers[by_time])
        seconds.append(86_400 * day + second[by_time])
        buyers_in_block += buyers.size
        if buyers_in_block >= size or day + 1 == calendar.days or day + 1 in breaks:
            yield _block(begin, days, seconds)
            begin, buyers_in_block, days, seconds = day + 1, 0, [], []


def table(habits: Habits, came: slice) -> pl.DataFrame:
    """Who some of the customers are, as `truth/personas` has it.

    Args:
        habits: everybody's.
        came: which customers, by index.

    Returns:
        Grain (customer_id): persona, orders_per_day, drop_out, spending_level,
        coupon_inclination, favourite_category, favourite_payment_method.
    """
    return (
        pl.DataFrame(
            {
                "customer": np.arange(came.start, came.stop),
                "persona": pl.Series(personas.NAMES).gather(habits.persona[came]),
                "orders_per_day": habits.rate[came],
                "drop_out": habits.drop_out[came],
                "spending_level": habits.spending[came],
                "coupon_inclination": habits.coupon[came],
                "favourite_category": pl.Series(CATEGORIES).gather(habits.category[came]),
                "favourite_payment_method": pl.Series(PAYMENT_METHODS).gather(habits.payment[came]),
            }
        )
        .select(customer_id("customer").alias("customer_id"), pl.exclude("customer"))
        # The last bits may differ between machines.
        .with_columns(pl.selectors.float().round(6))
    )


def _first_orders(people: People, calendar: Calendar) -> Floats:
    """The moment of each customer's first order, in busy time; infinite when there is none."""

    def levels(rng: np.random.Generator, size: int) -> Floats:
        return np.column_stack([rng.random((size, 3)), rng.exponential(size=size)])

    counts = np.bincount(people.arrival)
    buys, when, soon, lag = for_each_day(calendar.seed, Stream.FIRST_ORDERS, 0, counts, levels).T
    is_first_day = people.arrival == 0
    founders = np.where(soon < SOON_SHARE, SOON, LATE) * lag
    newcomers = np.where(soon < AT_ONCE_SHARE, 0.0, NEWCOMERS_LAG * lag)
    arrival = calendar.ends[people.arrival] - calendar.busyness[people.arrival] * when
    moment = arrival + np.where(is_first_day, founders, newcomers)
    return np.where(buys < NEVER_BUY, np.inf, moment)


def _order(
    rng: np.random.Generator, habits: Habits, due: Floats, has_ordered: Flags, end: float
) -> Ints:
    """Who orders on the day that ends then; moves `due` and `has_ordered` on.

    A customer orders at most once a day; one who is due again waits until tomorrow. Otherwise the
    days with an order, which are what BG/NBD counts in whole days, would be fewer than the rate
    says (alpha came out 7 % too large).
    """
    buyers = np.flatnonzero(due < end)
    level, gap = rng.random(buyers.size), rng.exponential(size=buyers.size)
    leaves = has_ordered[buyers] & (level < habits.drop_out[buyers])
    has_ordered[buyers] = True
    due[buyers] = np.where(leaves, np.inf, due[buyers] + gap / habits.rate[buyers])
    return buyers


def _block(first: int, days: list[Ints], seconds: list[Ints]) -> PlacedOrders:
    counts = [buyers.size for buyers in days]
    numbers = [np.arange(1, count + 1) for count in counts]
    return PlacedOrders(
        first=first,
        end=first + len(days),
        customer=np.concatenate(days),
        day=np.repeat(np.arange(first, first + len(days)), counts),
        second=np.concatenate(seconds),
        number=np.concatenate(numbers),
    )
