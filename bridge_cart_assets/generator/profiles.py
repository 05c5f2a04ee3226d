"""What becomes of customers: they move, change their number, earn more.

Belongs here: the records of profiles over time. Does not belong here: the person as on the day of
sign-up (`people`), when a record arrives (`deliveries`).
"""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl

from bridge_cart_assets.generator import phones
from bridge_cart_assets.generator.behaviour import HOURS, PlacedOrders
from bridge_cart_assets.generator.markets import COUNTRIES
from bridge_cart_assets.generator.name_pools import Pools
from bridge_cart_assets.generator.people import GENDERS, MAIL_DOMAINS, People, customer_id
from bridge_cart_assets.generator.rng import (
    Floats,
    Ints,
    Stream,
    choose,
    counts_per_day,
    for_each_day,
    stream,
)
from bridge_cart_assets.generator.transactions import DAY, moment_of_second

# Changes a year and customer, and how often it is the city, the number or the income.
CHANGES_A_YEAR = 0.35
CHANGES = (40, 25, 35)
MOVED, NEW_NUMBER, MORE_INCOME = 0, 1, 2
RAISE = (0.03, 0.15)
OLDEST_EVER = 110
# Who orders on the day of sign-up has signed up so many seconds before.
AHEAD = (60, 900)


class Profiles:
    """The profiles of a shop's customers, in blocks of whole days.

    A record has the columns customer (index), day (since the start, on which it is written down),
    second (since the start, negative for what was before), and city, number, international and
    income as in `People`.
    """

    def __init__(self, pools: Pools, people: People, seed: int) -> None:
        self._pools = pools
        self._seed = seed
        self._arrival = people.arrival
        self._signup = people.signup
        # What changes, as it is now.
        self._now = replace(
            people,
            city=people.city.copy(),
            number=people.number.copy(),
            international=people.international.copy(),
            income=people.income.copy(),
        )
        self._day = 0

    def write(self, orders: PlacedOrders) -> pl.DataFrame:
        """The records that the days of these orders bring, by day and time.

        A customer has one on the day of arrival, and one for each later change; neighbours differ.
        """
        while self._day < orders.first:
            self._change(self._day)
            self._day += 1
        written = [self._signups(orders)]
        for day in range(orders.first, orders.end):
            written.append(self._change(day))
            self._day += 1
        return pl.concat(written).sort("day", "second", "customer")

    def _signups(self, orders: PlacedOrders) -> pl.DataFrame:
        """The first record of each who comes: at any hour, but before the first order."""
        came = slice(*np.searchsorted(self._arrival, [orders.first, orders.end]).tolist())
        who = np.arange(came.start, came.stop)
        day, signup = self._arrival[came], self._signup[came]
        counts = counts_per_day(day, orders.first, orders.end)
        hour, within, ahead = for_each_day(
            self._seed, Stream.SIGNUPS, orders.first, counts, lambda rng, n: rng.random((n, 3))
        ).T
        any_hour = DAY * signup + _time_of_day(hour, within)
        first_order = self._first_orders(orders)[came]
        just_before = first_order - (AHEAD[0] + (AHEAD[1] - AHEAD[0]) * ahead).astype(np.int64)
        second = np.where(
            first_order < DAY * (signup + 1), np.maximum(just_before, DAY * signup), any_hour
        )
        return self._records(who, day, second)

    def _first_orders(self, orders: PlacedOrders) -> Ints:
        first = np.full(self._arrival.size, np.iinfo(np.int64).max)
        first[orders.customer[::-1]] = orders.second[::-1]  # by time: the earliest is written last
        return first

    def _change(self, day: int) -> pl.DataFrame:
        """Change one thing about some of those who came before the day."""
        rng = stream(self._seed, Stream.CHANGES, day)
        there = int(np.searchsorted(self._arrival, day))
        changes = rng.binomial(there, CHANGES_A_YEAR / 365)
        who = np.unique(rng.integers(0, max(there, 1), changes))
        what = choose(CHANGES, rng.random(who.size))
        level, way = rng.random(who.size), rng.random(who.size)
        now = self._now
        moved, renumbered, paid = (who[what == w] for w in (MOVED, NEW_NUMBER, MORE_INCOME))
        now.city[moved] = self._pools.cities.redraw(
            now.country[moved], now.city[moved], level[what == MOVED]
        )
        # Far enough from the former one to be another number where there are but a thousand.
        step = 0.01 + 0.98 * level[what == NEW_NUMBER]
        now.number[renumbered] = (now.number[renumbered] + step) % 1
        now.international[renumbered] = way[what == NEW_NUMBER] < 0.5
        low, high = RAISE
        raised = now.income[paid] * (1 + low + (high - low) * level[what == MORE_INCOME])
        more = np.maximum(np.round(raised, -2).astype(np.int64), now.income[paid] + 100)
        now.income[paid] = more
        second = DAY * day + _time_of_day(rng.random(who.size), rng.random(who.size))
        return self._records(who, np.full(who.size, day), second)

    def _records(self, who: Ints, day: Ints, second: Ints) -> pl.DataFrame:
        now = self._now
        return pl.DataFrame(
            {
                "customer": who,
                "day": day,
                "second": second,
                "city": now.city[who],
                "number": now.number[who],
                "international": now.international[who],
                "income": now.income[who],
            }
        )


def table(records: pl.DataFrame, people: People, pools: Pools, start: date) -> pl.DataFrame:
    """The records as the shop's export would have them, were it tidy.

    Returns:
        The columns of the landed file, typed as in silver, then mobile_written (as the file has
        it) and mobile_otherwise (as it could have had it).
    """
    who = records["customer"].to_numpy()
    holder = people.holder[who]
    first, last = people.first[holder], people.last[holder]
    mobile = phones.write(
        people.country[who], records["number"].to_numpy(), records["international"].to_numpy()
    )
    years = (records["day"].to_numpy() - people.arrival[who]) // 365
    age = np.minimum(people.age[who] + years, OLDEST_EVER)
    signup = pl.Series(people.signup[who])
    return records.select(
        customer_id=customer_id("customer"),
        name=pools.first.texts.gather(first) + " " + pools.last.texts.gather(last),
        email=pl.lit(addresses(who, people, pools)),
        mobile=mobile.e164,
        gender=pl.Series(GENDERS).gather(people.gender[who]),
        age=pl.Series(age),
        income=pl.col("income").cast(pl.Decimal(18, 2)),
        city=pools.cities.texts.gather(records["city"]),
        country=pl.Series(COUNTRIES).gather(people.country[who]),
        signup_date=pl.lit(start) + pl.duration(days=pl.lit(signup)),
        updated_at=moment_of_second("second", start),
        mobile_written=mobile.written,
        mobile_otherwise=mobile.otherwise,
    )


def addresses(who: Ints, people: People, pools: Pools) -> pl.Series:
    """The e-mail address of each of some customers; two accounts of one person have one."""
    holder = people.holder[who]
    first = pools.first.addresses.gather(people.first[holder])
    last = pools.last.addresses.gather(people.last[holder])
    number = pl.Series(holder + 1).cast(pl.String)
    return first + "." + last + number + "@" + pl.Series(MAIL_DOMAINS).gather(people.domain[holder])


def _time_of_day(hour: Floats, within: Floats) -> Ints:
    return 3_600 * choose(HOURS, hour) + (3_600 * within).astype(np.int64)
