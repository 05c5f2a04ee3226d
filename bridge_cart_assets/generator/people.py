"""Who the customers are: one row per customer, as on the day of sign-up.

Belongs here: drawing people. Does not belong here: what becomes of them (`profiles`), nor what
they buy (`behaviour`).
"""

from datetime import date

import numpy as np
import polars as pl

from bridge_cart_assets.generator import phones
from bridge_cart_assets.generator.chance import Floats, Ints, Stream, pick, stream
from bridge_cart_assets.generator.markets import COUNTRIES, MARKETS
from bridge_cart_assets.generator.pools import Pools

GENDERS = ("female", "male", "other")
GENDER_SHARES = (0.50, 0.48, 0.02)
# Domains that no mailbox can have (RFC 2606).
MAIL_DOMAINS = ("example.com", "example.org", "example.net")
YOUNGEST, OLDEST = 18, 85
# The share of the customers that the shop begins with: they sign up on its first day.
FOUNDERS = 0.33


def draw(pools: Pools, *, customers: int, days: int, start: date, seed: int) -> pl.DataFrame:
    """Draw the customers.

    Args:
        pools: names and cities.
        customers: how many.
        days: days over which they sign up; a third of them on the first one.
        start: the first day.
        seed: seed of the shop.

    Returns:
        One row per customer in the order of the ids: customer_id, name, email, mobile
        (E.164), mobile_written, gender, age (years), income (a year, whole units), city,
        city_index (in the pool), country, signup_date.
    """
    rng = stream(seed, Stream.PEOPLE)
    country = pick(rng, [market.share for market in MARKETS], customers)
    gender = pick(rng, GENDER_SHARES, customers)
    age = _ages(rng, customers)
    income = _incomes(rng, country, age)
    called = np.where(gender < 2, gender, rng.integers(0, 2, customers))
    first = pools.first.draw(rng, 2 * country + called)
    last = pools.last.draw(rng, country)
    city = pools.cities.draw(rng, country)
    mobile = phones.draw(rng, country)
    domain = pl.Series(MAIL_DOMAINS).gather(pick(rng, (5, 3, 2), customers))
    signup = _signup_days(rng, customers, days)
    mail = [pools.first.addresses.gather(first), pools.last.addresses.gather(last)]
    return pl.DataFrame(
        {
            "number": np.arange(1, customers + 1),
            "name": pools.first.texts.gather(first) + " " + pools.last.texts.gather(last),
            "mail": mail[0] + "." + mail[1],
            "domain": domain,
            "mobile": mobile.e164,
            "mobile_written": mobile.written,
            "gender": pl.Series(GENDERS, dtype=pl.Enum(GENDERS)).gather(gender),
            "age": age,
            "income": income,
            "city": pools.cities.texts.gather(city),
            "city_index": city,
            "country": pl.Series(COUNTRIES, dtype=pl.Enum(COUNTRIES)).gather(country),
            "signup": signup,
        }
    ).select(
        customer_id=pl.lit("C") + pl.col("number").cast(pl.String).str.zfill(6),
        name="name",
        email=pl.concat_str("mail", "number", pl.lit("@"), "domain"),
        mobile="mobile",
        mobile_written="mobile_written",
        gender="gender",
        age="age",
        income="income",
        city="city",
        city_index="city_index",
        country="country",
        signup_date=pl.lit(start) + pl.duration(days="signup"),
    )


def _ages(rng: np.random.Generator, customers: int) -> Ints:
    """Adults, most of them in their thirties and forties, with a tail of older people."""
    drawn = YOUNGEST + rng.gamma(shape=3.2, scale=7.5, size=customers)
    return np.clip(drawn, YOUNGEST, OLDEST).astype(np.int64)


def _incomes(rng: np.random.Generator, country: Ints, age: Ints) -> Ints:
    """Log-normal about the country's median; a hump at 50 that explains little of the spread."""
    median = np.array([market.income for market in MARKETS], dtype=np.float64)[country]
    hump: Floats = 1.1 - 0.5 * ((age - 50) / 40) ** 2
    drawn = median * hump * rng.lognormal(mean=0.0, sigma=0.45, size=country.size)
    return np.clip(np.round(drawn, -2), 3_000, 900_000).astype(np.int64)


def _signup_days(rng: np.random.Generator, customers: int, days: int) -> Ints:
    """Days since the start, ascending with the customer's number."""
    later = rng.random(customers) >= FOUNDERS
    return np.sort(np.where(later, rng.integers(0, days, customers), 0))
