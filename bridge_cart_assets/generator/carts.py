"""What is ordered, and what is given back: order lines and their later records.

Belongs here: lines, prices, coupons, cancellations, refunds. Does not belong here: when people
order (`behaviour`), nor anything untidy (`dirt`).
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from bridge_cart_assets.generator.assortment import CATEGORIES, PAYMENT_METHODS, PRICES, SPREADS
from bridge_cart_assets.generator.behaviour import Habits, Orders
from bridge_cart_assets.generator.chance import Flags, Floats, Ints, Stream, pick, stream

LINES_PER_ORDER = (50, 27, 14, 9)
PIECES_PER_LINE = (72, 17, 7, 4)
CHEAPEST_CENTS = 99
FAVOURITE_CATEGORY, FAVOURITE_PAYMENT = 0.55, 0.85
COUPON_DISCOUNT = (0.05, 0.25)
ON_OFFER, OFFER_DISCOUNT = 0.06, 0.10
CANCELLED, REFUNDED = 0.02, 0.035
# A refunded order gives back its first line, and each of the others with this chance.
LINE_REFUNDED = 0.6
# From ten minutes to some hours; from two days to some weeks.
CANCEL_AFTER, CANCEL_MEAN = 600, 9 * 3_600
REFUND_AFTER, REFUND_MEAN = 2 * 86_400, 7 * 86_400

SALE, CANCEL, REFUND = 0, 1, 2
STATUSES = ("completed", "cancelled", "refunded")
KINDS = ("sale", "cancelled", "refund")


@dataclass(frozen=True)
class Lines:
    """Order lines by time; one entry per line in every array.

    Attributes:
        order: index of the order.
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


@dataclass(frozen=True)
class Records:
    """What the shop writes down, by time: each line when ordered, and when it is taken back.

    Attributes:
        line: index of the line.
        form: SALE, CANCEL or REFUND.
        second: when it is written down, seconds since the start.
        stands: whether no later record of the same line of the same order replaces it.
    """

    line: Ints
    form: Ints
    second: Ints
    stands: Flags


def lines(orders: Orders, habits: Habits, seed: int) -> Lines:
    """Fill the cart of every order with one to four lines."""
    rng = stream(seed, Stream.CARTS)
    buyer = orders.customer
    size = 1 + pick(rng, LINES_PER_ORDER, buyer.size)
    coupon = rng.random(buyer.size) < habits.coupon[buyer]
    rebate = np.where(coupon, rng.uniform(*COUPON_DISCOUNT, buyer.size), 0.0)
    usual = rng.random(buyer.size) < FAVOURITE_PAYMENT
    other = habits.payment[rng.permutation(buyer)]
    payment = np.where(usual, habits.payment[buyer], other)

    order = np.repeat(np.arange(buyer.size), size)
    number = np.arange(1, order.size + 1) - np.repeat(np.cumsum(size) - size, size)
    liked = rng.random(order.size) < FAVOURITE_CATEGORY
    anything = rng.integers(0, len(CATEGORIES), order.size)
    category = np.where(liked, habits.category[buyer[order]], anything)
    quantity = 1 + pick(rng, PIECES_PER_LINE, order.size)
    level: Floats = np.asarray(PRICES)[category] * habits.spending[buyer[order]]
    spread = np.asarray(SPREADS)[category]
    price = level * np.exp(spread * rng.standard_normal(order.size) - spread**2 / 2)
    cents = quantity * np.maximum(np.round(100 * price), CHEAPEST_CENTS).astype(np.int64)
    offer = np.where(rng.random(order.size) < ON_OFFER, OFFER_DISCOUNT, 0.0)
    discount = (cents * np.maximum(rebate[order], offer)).astype(np.int64)
    return Lines(
        order=order,
        number=number,
        amount=cents,
        discount=discount,
        coupon=coupon[order],
        payment=payment[order],
        category=category,
        quantity=quantity,
    )


def records(orders: Orders, lines: Lines, *, days: int, seed: int) -> Records:
    """Write down every line, and cancel or refund a few percent of the orders later.

    What would be taken back after the end of the period is not taken back.
    """
    rng = stream(seed, Stream.RETURNS)
    n, end = orders.customer.size, 86_400 * days
    fate = rng.random(n)
    cancel_at = orders.second + CANCEL_AFTER + _delay(rng, CANCEL_MEAN, n)
    refund_at = orders.second + REFUND_AFTER + _delay(rng, REFUND_MEAN, n)
    cancelled = (fate < CANCELLED) & (cancel_at < end)
    refunded = (fate >= CANCELLED) & (fate < CANCELLED + REFUNDED) & (refund_at < end)
    given_back = (lines.number == 1) | (rng.random(lines.order.size) < LINE_REFUNDED)

    line = [
        np.arange(lines.order.size),
        np.flatnonzero(cancelled[lines.order]),
        np.flatnonzero(refunded[lines.order] & given_back),
    ]
    moments = (orders.second, cancel_at, refund_at)
    second = [at[lines.order[index]] for index, at in zip(line, moments, strict=True)]
    stands = [~cancelled[lines.order], *(np.ones(index.size, dtype=np.bool_) for index in line[1:])]
    form = np.repeat((SALE, CANCEL, REFUND), [index.size for index in line])
    when = np.concatenate(second)
    order = np.argsort(when, kind="stable")
    return Records(
        line=np.concatenate(line)[order],
        form=form[order],
        second=when[order],
        stands=np.concatenate(stands)[order],
    )


def table(
    people: pl.DataFrame, orders: Orders, lines: Lines, records: Records, start: date
) -> pl.DataFrame:
    """The records as the shop's export would have them, were it tidy.

    Returns:
        Grain (order_id, line_number, updated_at), by time: the columns of the landed file, typed
        as in silver; kind (sale, cancelled, refund), batch_day (day that the record lands) and
        stands (whether it is the line's last record). A refund is an order of its own, `R-…`.
    """
    line, order = records.line, lines.order[records.line]
    refund, cancel = records.form == REFUND, records.form == CANCEL
    paid_back = lines.discount[line] - lines.amount[line]
    quantity = lines.quantity[line]
    return pl.DataFrame(
        {
            "order": _order_numbers(orders, start).gather(order),
            "line_number": lines.number[line],
            "customer_id": people["customer_id"].gather(orders.customer[order]),
            "ordered": np.where(refund, records.second, orders.second[order]),
            "amount": np.where(refund, paid_back, lines.amount[line]),
            "discount": np.where(refund, 0, lines.discount[line]),
            "coupon_used": lines.coupon[line] & ~refund,
            "payment_method": _named(PAYMENT_METHODS, lines.payment[line]),
            "product_category": _named(CATEGORIES, lines.category[line]),
            "quantity": np.where(refund, -quantity, quantity),
            "form": records.form,
            "updated": records.second,
            "cancel": cancel,
            "stands": records.stands,
        }
    ).select(
        order_id=pl.when(pl.col("form") == REFUND).then(pl.lit("R-")).otherwise(pl.lit("O"))
        + pl.col("order"),
        line_number="line_number",
        customer_id="customer_id",
        purchase_date=_moment("ordered", start),
        purchase_amount=_money("amount"),
        discount_amount=_money("discount"),
        coupon_used="coupon_used",
        payment_method="payment_method",
        product_category="product_category",
        quantity="quantity",
        status=pl.col("form").replace_strict(dict(enumerate(STATUSES)), return_dtype=pl.String),
        updated_at=_moment("updated", start),
        kind=pl.col("form").replace_strict(dict(enumerate(KINDS)), return_dtype=pl.String),
        batch_day=pl.lit(start) + pl.duration(days=pl.col("updated") // 86_400),
        stands="stands",
    )


def _delay(rng: np.random.Generator, mean: int, size: int) -> Ints:
    return rng.exponential(mean, size).astype(np.int64)


def _order_numbers(orders: Orders, start: date) -> pl.Series:
    """`20240105-000123`: the day and the place among the day's orders."""
    last = int(orders.day[-1]) if orders.day.size else 0
    days = pl.Series([f"{start + timedelta(days=day):%Y%m%d}-" for day in range(last + 1)])
    return days.gather(orders.day) + pl.Series(orders.number).cast(pl.String).str.zfill(6)


def _named(names: tuple[str, ...], index: Ints) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(index)


def _moment(seconds: str, start: date) -> pl.Expr:
    """The column, seconds since the start, as a moment in UTC."""
    origin = (start - date(1970, 1, 1)).days * 86_400
    return ((pl.col(seconds) + origin) * 1_000_000).cast(pl.Datetime("us", "UTC"))


def _money(cents: str) -> pl.Expr:
    return (pl.col(cents) / 100).cast(pl.Decimal(18, 2))
