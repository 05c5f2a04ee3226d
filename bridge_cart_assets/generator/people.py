"""Who the customers are: one entry per customer, as on the day of sign-up.

Belongs here: drawing people. Does not belong here: what becomes of them (`profiles`), nor what
they buy (`behaviour`).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from bridge_cart_assets.generator.markets import MARKETS
from bridge_cart_assets.generator.name_pools import Pools
from bridge_cart_assets.generator.rng import (
    Flags,
    Floats,
    Ints,
    Stream,
    below,
    choose,
    for_each_day,
    stream,
)

GENDERS = ("female", "male", "other")
GENDER_SHARES = (0.50, 0.48, 0.02)
# Domains that no mailbox can have (RFC 2606).
MAIL_DOMAINS = ("example.com", "example.org", "example.net")
MAIL_DOMAIN_SHARES = (5, 3, 2)
YOUNGEST, OLDEST = 18, 85
INTERNATIONAL_SHARE = 0.5
# The customers of the first day have signed up within so many days before it.
FOUNDED_BEFORE = 730


@dataclass(frozen=True)
class People:
    """Customers by the day they are first heard of; one entry per customer in every array.

    Attributes:
        arrival: day since the start on which the profile lands for the first time.
        signup: day of sign-up since the start; negative for those of the first day, who were
            customers before.
        country: index into `markets.MARKETS`.
        gender: index into `GENDERS`.
        age: years.
        income: a year, whole units.
        first, last, city: indices into the pools' texts.
        domain: index into `MAIL_DOMAINS`.
        number: the mobile number, as a place among the country's numbers (0 to 1).
        international: whether the number is written in the international way.
        holder: the customer whose account it is: another one's index for a second account.
    """

    arrival: Ints
    signup: Ints
    country: Ints
    gender: Ints
    age: Ints
    income: Ints
    first: Ints
    last: Ints
    city: Ints
    domain: Ints
    number: Floats
    international: Flags
    holder: Ints


def arrivals(customers: int, newcomers: float, days: int, seed: int) -> Ints:
    """How many people are first heard of on each day: `customers` on the first, then newcomers.

    Args:
        customers: those of the first day.
        newcomers: how many come on each later day, on average.
        days: how many days.
        seed: seed of the shop.
    """
    counts = np.zeros(days, dtype=np.int64)
    if newcomers:
        counts[1:] = [
            stream(seed, Stream.NEWCOMERS, day).poisson(newcomers) for day in range(1, days)
        ]
    counts[0] = customers
    return counts


def draw(pools: Pools, counts: Ints, seed: int, second_accounts: float = 0.0) -> People:
    """Draw the people who come on each day.

    Args:
        pools: names and cities.
        counts: what `arrivals` returns.
        seed: seed of the shop.
        second_accounts: share of the customers who are somebody's second account.
    """

    def levels(rng: np.random.Generator, size: int) -> Floats:
        shapes = (rng.gamma(3.2, 7.5, size), rng.standard_normal(size))
        return np.column_stack([rng.random((size, 10)), *shapes])

    chance = for_each_day(seed, Stream.PEOPLE, 0, counts, levels).T
    arrival = np.repeat(np.arange(counts.size), counts)
    country = choose([market.share for market in MARKETS], chance[0])
    gender = choose(GENDER_SHARES, chance[1])
    called = np.where(gender < 2, gender, below(2, chance[2]))
    age = np.clip(YOUNGEST + chance[10], YOUNGEST, OLDEST).astype(np.int64)
    before = -1 - below(FOUNDED_BEFORE, chance[9] ** 2)
    return People(
        arrival=arrival,
        signup=np.where(arrival == 0, before, arrival),
        country=country,
        gender=gender,
        age=age,
        income=_incomes(country, age, chance[11]),
        first=pools.first.draw(2 * country + called, chance[3]),
        last=pools.last.draw(country, chance[4]),
        city=pools.cities.draw(country, chance[5]),
        domain=choose(MAIL_DOMAIN_SHARES, chance[6]),
        number=chance[7],
        international=chance[8] < INTERNATIONAL_SHARE,
        holder=_holders(counts, seed, second_accounts),
    )


def _holders(counts: Ints, seed: int, second_accounts: float) -> Ints:
    """Whose account each customer is: of two that come one after the other, the first one's."""
    index = np.arange(int(counts.sum()))
    if not second_accounts:
        return index
    level = for_each_day(seed, Stream.SECOND_ACCOUNTS, 0, counts, lambda rng, n: rng.random(n))
    is_second = (index % 2 == 1) & (level < 2 * second_accounts)
    return np.where(is_second, index - 1, index)


def accounts_table(people: People, came: slice) -> pl.DataFrame:
    """Whose accounts some of the customers are, as `truth/accounts` has it.

    Args:
        people: everybody.
        came: which customers, by index.

    Returns:
        Grain (customer_id): person_id, the customer_id of the person's first account.
    """
    accounts = {"customer": np.arange(came.start, came.stop), "holder": people.holder[came]}
    return pl.DataFrame(accounts).select(
        customer_id=customer_id("customer"), person_id=customer_id("holder")
    )


def customer_id(index: str) -> pl.Expr:
    """`C000001` for the customer with index 0."""
    return pl.lit("C") + (pl.col(index) + 1).cast(pl.String).str.zfill(6)


def _incomes(country: Ints, age: Ints, normal: Floats) -> Ints:
    """Log-normal about the country's median; a hump at 50 that explains little of the spread."""
    median = np.array([market.income for market in MARKETS], dtype=np.float64)[country]
    hump: Floats = 1.1 - 0.5 * ((age - 50) / 40) ** 2
    drawn = median * hump * np.exp(0.45 * normal)
    return np.clip(np.round(drawn, -2), 3_000, 900_000).astype(np.int64)
