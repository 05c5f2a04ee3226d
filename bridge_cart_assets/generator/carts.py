"""What is ordered: the lines of every order.

Belongs here: lines, prices, coupons. Does not belong here: when people order (`behaviour`), what
they give back (`transactions`), nor anything untidy (`defect_injection`).
"""

from dataclasses import dataclass

import numpy as np

from bridge_cart_assets.generator.behaviour import Habits, PlacedOrders
from bridge_cart_assets.generator.markets import MARKETS
from bridge_cart_assets.generator.people import People
from bridge_cart_assets.generator.personas import PERSONAS
from bridge_cart_assets.generator.product_catalogue import CATEGORIES, PRICES, SPREADS
from bridge_cart_assets.generator.rng import (
    Flags,
    Floats,
    Ints,
    Stream,
    below,
    choose,
    counts_per_day,
    for_each_day,
)
from bridge_cart_assets.generator.seasons import Calendar

LINES_PER_ORDER = (50, 27, 14, 9)
PIECES_PER_LINE = (72, 17, 7, 4)
CHEAPEST_CENTS = 99
COUPON_DISCOUNT = (0.05, 0.20)
# Share of the lines that are on offer, and how much that takes off: usually, in a flash sale.
ON_OFFER, OFFER_DISCOUNT = 0.06, 0.10
ON_SALE, SALE_DISCOUNT = 0.60, 0.25


@dataclass(frozen=True)
class Lines:
    """The order lines of a block by time; one entry per line in every array.

    Attributes:
        order: index of the order in its block.
        number: place in the order, from 1.
        amount, discount: cents; 0 <= discount <= amount.
        coupon: whether the order used a coupon.
        payment: index into `assortment.PAYMENT_METHODS`.
        category: index into `assortment.CATEGORIES`.
        quantity: pieces.
    """

    order: Ints
    number: Ints
    amount: Ints
    discount: Ints
    coupon: Flags
    payment: Ints
    category: Ints
    quantity: Ints


def cart_lines(orders: PlacedOrders, people: People, habits: Habits, calendar: Calendar) -> Lines:
    """Fill the cart of every order with one to four lines."""
    seed, buyer = calendar.seed, orders.customer
    counts = counts_per_day(orders.day, orders.first, orders.end)
    size_level, coupon_level, rebate_level, usual, other = for_each_day(
        seed, Stream.CARTS, orders.first, counts, lambda rng, n: rng.random((n, 5))
    ).T
    size = 1 + choose(LINES_PER_ORDER, size_level)
    coupon = coupon_level < habits.coupon[buyer]
    rebate = np.where(coupon, _between(COUPON_DISCOUNT, rebate_level), 0.0)
    loyalty = np.array([persona.payment_loyalty for persona in PERSONAS])[habits.persona[buyer]]
    payment = np.where(
        usual < loyalty, habits.payment[buyer], _payments(people.country[buyer], other)
    )

    order = np.repeat(np.arange(buyer.size), size)
    number = np.arange(1, order.size + 1) - np.repeat(np.cumsum(size) - size, size)
    liked, any_category, pieces, offer_level, normal = for_each_day(
        seed,
        Stream.LINES,
        orders.first,
        counts_per_day(orders.day[order], orders.first, orders.end),
        lambda rng, n: np.column_stack([rng.random((n, 4)), rng.standard_normal(n)]),
    ).T
    loyalty = np.array([persona.category_loyalty for persona in PERSONAS])
    category = np.where(
        liked < loyalty[habits.persona[buyer[order]]],
        habits.category[buyer[order]],
        below(len(CATEGORIES), any_category),
    )
    quantity = 1 + choose(PIECES_PER_LINE, pieces)
    level: Floats = np.asarray(PRICES)[category] * habits.spending[buyer[order]]
    spread = np.asarray(SPREADS)[category]
    price = level * np.exp(spread * normal - spread**2 / 2)
    cents = quantity * np.maximum(np.round(100 * price), CHEAPEST_CENTS).astype(np.int64)
    is_sale = calendar.flash_sales[orders.day[order]]
    offer = np.where(
        offer_level < np.where(is_sale, ON_SALE, ON_OFFER),
        np.where(is_sale, SALE_DISCOUNT, OFFER_DISCOUNT),
        0.0,
    )
    return Lines(
        order=order,
        number=number,
        amount=cents,
        discount=(cents * np.maximum(rebate[order], offer)).astype(np.int64),
        coupon=coupon[order],
        payment=payment[order],
        category=category,
        quantity=quantity,
    )


def _between(bounds: tuple[float, float], level: Floats) -> Floats:
    low, high = bounds
    return low + (high - low) * level


def _payments(country: Ints, level: Floats) -> Ints:
    """A payment method as the country's people use them."""
    chosen = np.zeros(country.size, dtype=np.int64)
    for code, market in enumerate(MARKETS):
        here = country == code
        chosen[here] = choose(market.payments, level[here])
    return chosen
