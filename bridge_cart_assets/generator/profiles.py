"""What becomes of customers: they move, change their number, earn more.

Belongs here: the versions of a profile over time. Does not belong here: the person as on the day
of sign-up (`people`).
"""

from datetime import date

import numpy as np
import polars as pl

from bridge_cart_assets.generator import phones
from bridge_cart_assets.generator.behaviour import HOURS, Orders
from bridge_cart_assets.generator.chance import Floats, Ints, Stream, pick, stream
from bridge_cart_assets.generator.pools import Pools

# Changes a year and customer, and how often it is the city, the number or the income.
CHANGES_A_YEAR = 0.12
CHANGES = (40, 25, 35)
MOVED, NEW_NUMBER, MORE_INCOME = 0, 1, 2
RAISE = (0.03, 0.15)
# Who orders on the day of sign-up has signed up so many seconds before.
AHEAD = (60, 900)


def versions(
    pools: Pools, people: pl.DataFrame, orders: Orders, *, days: int, start: date, seed: int
) -> pl.DataFrame:
    """Every profile record: one on the day of sign-up, one for each later change.

    Returns:
        Grain (customer_id, updated_at), by time: the columns of the landed file, typed as in
        silver; mobile_written (mobile as the file has it); batch_day (day that the record lands).
        Neighbouring versions of a customer differ, and nobody orders before signing up.
    """
    rng = stream(seed, Stream.MOVES)
    signup = (people["signup_date"] - start).dt.total_days().to_numpy().astype(np.int64)
    current = people.with_columns(
        second=_signup_moments(rng, signup, orders), signup_day=signup, signup_age="age"
    )
    found = [current]
    moment = signup + 1 + _gaps(rng, current.height)
    while (due := moment < days).any():
        moment = np.floor(moment[due])
        current = _change(rng, pools, current.filter(due), moment.astype(np.int64))
        found.append(current)
        moment = moment + 1 + _gaps(rng, current.height)
    updated_at = pl.lit(start).cast(pl.Datetime("us", "UTC")) + pl.duration(seconds="second")
    return (
        pl.concat(found)
        .sort("second", "customer_id")
        .select(
            *("customer_id", "name", "email", "mobile"),
            pl.col("gender").cast(pl.String),
            "age",
            pl.col("income").cast(pl.Decimal(18, 2)),
            "city",
            pl.col("country").cast(pl.String),
            "signup_date",
            updated_at.alias("updated_at"),
            "mobile_written",
            updated_at.dt.date().alias("batch_day"),
        )
    )


def _gaps(rng: np.random.Generator, size: int) -> Floats:
    """Days to the next change."""
    return rng.exponential(365 / CHANGES_A_YEAR, size)


def _signup_moments(rng: np.random.Generator, signup: Ints, orders: Orders) -> Ints:
    """Seconds since the start: at any hour, or just before the first order of that day."""
    midnight = 86_400 * signup
    first = np.full(signup.size, np.iinfo(np.int64).max)
    first[orders.customer[::-1]] = orders.second[::-1]  # by time: the earliest is written last
    ahead = np.maximum(first - rng.integers(*AHEAD, signup.size), midnight)
    any_hour = 3600 * pick(rng, HOURS, signup.size) + rng.integers(0, 3600, signup.size)
    return np.where(first < midnight + 86_400, ahead, midnight + any_hour)


def _change(
    rng: np.random.Generator, pools: Pools, people: pl.DataFrame, day: Ints
) -> pl.DataFrame:
    """The same people with one thing changed on the given day, which is after their last record."""
    size = people.height
    what = pick(rng, CHANGES, size)
    country = people["country"].to_physical().to_numpy().astype(np.int64)
    former_city, former_income = people["city_index"].to_numpy(), people["income"].to_numpy()
    moved = pools.cities.redraw(rng, country, former_city)
    city = np.where(what == MOVED, moved, former_city)
    number = phones.draw(rng, country)
    raised = np.round(former_income * (1 + rng.uniform(*RAISE, size)), -2).astype(np.int64)
    more = np.maximum(raised, former_income + 100)
    second = 86_400 * day + 3600 * pick(rng, HOURS, size) + rng.integers(0, 3600, size)
    has_new_number = pl.lit(pl.Series(what == NEW_NUMBER))
    return people.with_columns(
        second=second,
        age=pl.col("signup_age") + (pl.lit(pl.Series(day)) - pl.col("signup_day")) // 365,
        income=np.where(what == MORE_INCOME, more, former_income),
        city=pools.cities.texts.gather(city),
        city_index=city,
        mobile=pl.when(has_new_number).then(number.e164).otherwise("mobile"),
        mobile_written=pl.when(has_new_number).then(number.written).otherwise("mobile_written"),
    )
