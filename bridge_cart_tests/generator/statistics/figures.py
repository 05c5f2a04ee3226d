"""What is measured in a shop, and the bands in which the synthetic one has to lie.

`STATISTICS` holds all figures: `SHOP` of the whole shop, `PRICES` of the categories, `PERSONAS` of
the kinds of customers.

Belongs here: the measures, their bands, and what they are in real shops. Does not belong here:
where the shops come from (`shops`), the bands of the BG/NBD fit (`bgnbd`), nor the tests that hold
the shop to them (`test_statistics`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl

from bridge_cart_assets.generator.personas import NAMES
from bridge_cart_assets.generator.product_catalogue import CATEGORIES
from bridge_cart_tests.generator.numbers import as_number
from bridge_cart_tests.generator.statistics.shops import Clean


def one_time(shop: Clean) -> float:
    """Share of the buyers who ordered once."""
    return as_number((shop.buyers["orders"] == 1).mean())


def top_decile(shop: Clean) -> float:
    """Share of the revenue that the best tenth of the buyers, rounded up, brings."""
    revenue = shop.buyers["revenue"].sort(descending=True)
    return as_number(revenue.head(-(-revenue.len() // 10)).sum()) / as_number(revenue.sum())


def gini(shop: Clean) -> float:
    """Gini coefficient of revenue over buyers."""
    revenue = np.sort(shop.buyers["revenue"].to_numpy())
    rank = np.arange(1, revenue.size + 1)
    return float(2 * (rank * revenue).sum() / revenue.sum() - revenue.size - 1) / revenue.size


def never_buys(shop: Clean) -> float:
    """Share of the people who have no order that stands."""
    return 1 - shop.buyers.height / shop.people.height


def order_value(shop: Clean, *, quantile: float | None = None) -> float:
    """Mean (or a quantile) of the value of an order, in medians."""
    value = shop.orders["revenue"]
    shown = value.quantile(quantile) if quantile else value.mean()
    return as_number(shown) / as_number(value.median())


def tail_of_prices(shop: Clean) -> float:
    """99th percentile of the price of a piece, in medians, over all lines."""
    price = shop.sales["price"]
    return as_number(price.quantile(0.99)) / as_number(price.median())


def busiest(shop: Clean, period: pl.Expr) -> float:
    """Orders a day in the busiest of the periods (weekdays, months), in those of the quietest.

    Counts days with an order, and no flash sales.
    """
    usual = shop.days.filter(~pl.col("day").is_in(list(shop.flash_sales)))
    means = usual.group_by(period.alias("period")).agg(pl.col("orders").mean())["orders"]
    return as_number(means.max()) / as_number(means.min())


def november(shop: Clean) -> float:
    """Orders a day in November, in those of September and October."""
    month, orders = pl.col("day").dt.month(), pl.col("orders")
    autumn = orders.filter(month.is_between(9, 10)).mean()
    return as_number(shop.days.select(orders.filter(month == 11).mean() / autumn).item())


def hours(shop: Clean, first: int, end: int) -> float:
    """Share of the orders between two hours of the day."""
    hour = shop.orders["purchase_date"].dt.hour()
    return as_number(((hour >= first) & (hour < end)).mean())


def flash_sale_lift(shop: Clean) -> float:
    """Orders on flash sales, in those of the same weekdays up to three weeks before and after."""
    orders = dict(shop.days.iter_rows())
    usual = [
        np.mean([orders[day] for day in around if day in orders and day not in shop.flash_sales])
        for sale in shop.flash_sales
        for around in [[sale + timedelta(weeks=week) for week in (-3, -2, -1, 1, 2, 3)]]
    ]
    return float(sum(orders[sale] for sale in shop.flash_sales) / sum(usual))


def age_and_income(shop: Clean) -> float:
    """Correlation of age with the logarithm of income, both less their country's mean."""
    age, income = pl.col("age").cast(pl.Float64), pl.col("income").log()
    within = [(value - value.mean().over("country")) for value in (age, income)]
    return as_number(shop.people.select(pl.corr(*within)).item())


def prime_of_life(shop: Clean) -> float:
    """Income of those from 40 to 60, in that of those below 26; each in its country's medians."""
    relative = pl.col("income") / pl.col("income").median().over("country")
    young, middle = pl.col("age") < 26, pl.col("age").is_between(40, 60)
    people = shop.people.with_columns(relative=relative)
    ratio = pl.col("relative").filter(middle).mean() / pl.col("relative").filter(young).mean()
    return as_number(people.select(ratio).item())


def of_prices(shop: Clean, category: str, measure: pl.Expr) -> float:
    """A measure of the column price, over a category's lines."""
    lines = shop.sales.filter(pl.col("product_category") == category)
    return as_number(lines.select(measure).item())


def of_buyers(shop: Clean, persona: str, measure: pl.Expr) -> float:
    """A measure of the columns orders and revenue, over a persona's buyers."""
    buyers = shop.buyers.join(shop.people, on="customer_id")
    return as_number(buyers.filter(pl.col("persona") == persona).select(measure).item())


def share_of_persona(shop: Clean, persona: str) -> float:
    """Share of the people."""
    return as_number((shop.people["persona"] == persona).mean())


def coupon_rate(shop: Clean, persona: str) -> float:
    """Share of a persona's orders that used a coupon."""
    orders = shop.orders.join(shop.people, on="customer_id")
    return as_number(orders.filter(pl.col("persona") == persona)["coupon_used"].mean())


class Band(NamedTuple):
    """What a figure may be; both ends belong to it."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, float | int) and self.low <= value <= self.high


@dataclass(frozen=True)
class Statistic:
    """A figure of the synthetic shop and the band that the test holds it to.

    Attributes:
        name: what the page calls it.
        of: what the shop's figure is about, if not the whole shop: a category or a persona.
        value: how it is computed.
        band: what it may be.
        form: how it is written.
        online_retail, cdnow: what it is in real shops, where known.
    """

    name: str
    value: Callable[[Clean], float]
    band: Band
    form: str = ".2f"
    of: str = ""
    online_retail: float | None = None
    cdnow: float | None = None

    def __str__(self) -> str:
        return f"{self.name} of {self.of}" if self.of else self.name

    def written(self, value: float) -> str:
        return f"{value:{self.form}}".replace("%", " %")


# Of Online Retail: UCI Machine Learning Repository (Chen, Sain and Guo 2012), 392,688 lines of
# 4,338 customers, 2010-12-01 to 2011-12-09; computed by the functions above. Of CDNOW: the summary
# that Fader, Hardie and Lee (2005) fit, 2,357 customers in their first 27 to 39 weeks.
SHOP = (
    Statistic(
        "buyers who order once",
        one_time,
        Band(0.29, 0.40),
        ".1%",
        online_retail=0.3442,
        cdnow=0.5986,
    ),
    Statistic(
        "orders per buyer",
        lambda shop: as_number(shop.buyers["orders"].mean()),
        Band(3.6, 4.8),
        online_retail=4.272,
        cdnow=2.042,
    ),
    Statistic(
        "revenue of the best tenth of the buyers",
        top_decile,
        Band(0.54, 0.66),
        ".1%",
        online_retail=0.6145,
    ),
    Statistic("Gini coefficient of revenue", gini, Band(0.67, 0.76), ".3f", online_retail=0.7158),
    Statistic("people who never buy", never_buys, Band(0.10, 0.15), ".1%"),
    Statistic(
        "days between a buyer's orders, median",
        lambda shop: as_number(shop.gaps.median()),
        Band(14, 28),
        ".0f",
        online_retail=28,
    ),
    Statistic(
        "lines per order",
        lambda shop: as_number(shop.orders["lines"].mean()),
        Band(1.75, 1.90),
        online_retail=21.19,
    ),
    Statistic("mean over median order", order_value, Band(1.5, 2.8), online_retail=1.585),
    Statistic(
        "99th percentile over median order",
        partial(order_value, quantile=0.99),
        Band(12, 28),
        ".1f",
        online_retail=12.73,
    ),
    Statistic(
        "99th percentile over median price",
        tail_of_prices,
        Band(7, 30),
        ".1f",
        online_retail=7.67,
    ),
    Statistic(
        "orders cancelled", lambda shop: shop.cancelled / shop.placed, Band(0.016, 0.024), ".1%"
    ),
    Statistic(
        "orders with a refund",
        lambda shop: shop.refunded / shop.placed,
        Band(0.030, 0.040),
        ".1%",
    ),
    Statistic(
        "cancelled or with a refund",
        lambda shop: (shop.cancelled + shop.refunded) / shop.placed,
        Band(0.046, 0.064),
        ".1%",
        online_retail=0.1972,
    ),
    Statistic(
        "busiest over quietest weekday",
        partial(busiest, period=pl.col("day").dt.weekday()),
        Band(1.15, 1.40),
        online_retail=1.754,
    ),
    Statistic(
        "busiest over quietest month",
        partial(busiest, period=pl.col("day").dt.truncate("1mo")),
        Band(1.8, 2.6),
        online_retail=2.485,
    ),
    Statistic(
        "November over September and October", november, Band(1.02, 1.30), online_retail=1.442
    ),
    Statistic(
        "orders from 18 to 22 o'clock",
        partial(hours, first=18, end=22),
        Band(0.30, 0.35),
        ".1%",
        online_retail=0.0179,
    ),
    Statistic(
        "orders from midnight to 6 o'clock",
        partial(hours, first=0, end=6),
        Band(0.015, 0.035),
        ".1%",
        online_retail=0,
    ),
    Statistic("flash sale over usual day", flash_sale_lift, Band(2.0, 2.7)),
    Statistic("correlation of age and log income", age_and_income, Band(0.02, 0.15)),
    Statistic("income at 40 to 60 over that below 26", prime_of_life, Band(1.1, 1.5)),
)
_PRICE_BANDS = {  # median price; 99th percentile over median
    "Books": (Band(9, 13), Band(6, 11)),
    "Groceries": (Band(12, 17), Band(6, 11)),
    "Clothing": (Band(20, 28), Band(7, 13)),
    "Electronics": (Band(45, 68), Band(14, 26)),
    "Home": (Band(26, 37), Band(11, 20)),
    "Beauty": (Band(12, 18), Band(6, 11)),
    "Sports": (Band(21, 30), Band(9, 16)),
    "Toys": (Band(14, 20), Band(7, 13)),
}
_PRICE_MEASURES = (
    ("median price", pl.col("price").median(), ".2f"),
    (
        "99th percentile over median",
        pl.col("price").quantile(0.99) / pl.col("price").median(),
        ".1f",
    ),
)
PRICES = tuple(
    Statistic(name, partial(of_prices, category=category, measure=measure), band, form, category)
    for category in CATEGORIES
    for (name, measure, form), band in zip(_PRICE_MEASURES, _PRICE_BANDS[category], strict=True)
)
_PERSONA_BANDS = {  # in the order of _PERSONA_MEASURES
    "regular": (
        *(Band(0.16, 0.22), Band(5, 8), Band(0.04, 0.11), Band(550, 820), Band(0.09, 0.15)),
    ),
    "big_spender": (
        *(Band(0.12, 0.18), Band(2, 4), Band(0.11, 0.20), Band(1_050, 1_650), Band(0.03, 0.07)),
    ),
    "bargain_hunter": (
        *(Band(0.19, 0.25), Band(2, 4), Band(0.17, 0.26), Band(150, 225), Band(0.48, 0.62)),
    ),
    "gift_giver": (
        *(Band(0.18, 0.25), Band(1, 2), Band(0.55, 0.67), Band(200, 310), Band(0.11, 0.19)),
    ),
    "passer_by": (
        *(Band(0.20, 0.26), Band(1, 2), Band(0.46, 0.58), Band(155, 240), Band(0.16, 0.27)),
    ),
}
_PERSONA_MEASURES: tuple[tuple[str, Callable[..., float], str], ...] = (
    ("share of people", share_of_persona, ".1%"),
    ("orders, median", partial(of_buyers, measure=pl.col("orders").median()), ".0f"),
    ("order once", partial(of_buyers, measure=(pl.col("orders") == 1).mean()), ".1%"),
    ("revenue per buyer", partial(of_buyers, measure=pl.col("revenue").mean()), ",.0f"),
    ("orders with a coupon", coupon_rate, ".1%"),
)
PERSONAS = tuple(
    Statistic(name, partial(value, persona=persona), band, form, persona)
    for persona in NAMES
    for (name, value, form), band in zip(_PERSONA_MEASURES, _PERSONA_BANDS[persona], strict=True)
)
STATISTICS = (*SHOP, *PRICES, *PERSONAS)
