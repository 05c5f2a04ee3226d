"""What the shop writes down: each line when it is ordered, and again when it is taken back.

Belongs here: cancellations and refunds, and the records of order lines as the shop's export would
have them, were it tidy. Does not belong here: what is ordered (`carts`), when a record arrives
(`deliveries`).
"""

from datetime import date, timedelta

import numpy as np
import polars as pl

from bridge_cart_assets.generator.behaviour import PlacedOrders
from bridge_cart_assets.generator.carts import Lines
from bridge_cart_assets.generator.people import customer_id
from bridge_cart_assets.generator.product_catalogue import CATEGORIES, PAYMENT_METHODS
from bridge_cart_assets.generator.rng import Floats, Ints, Stream, counts_per_day, for_each_day

CANCELLED, REFUNDED = 0.02, 0.035
# A refunded order gives back its first line, and each of the others with this chance.
LINE_REFUNDED = 0.6
DAY = 86_400
# From ten minutes to some hours; from two days to some weeks.
CANCEL_AFTER, CANCEL_MEAN, CANCEL_WITHIN = 600, 9 * 3_600, 3 * DAY
REFUND_AFTER, REFUND_MEAN, REFUND_WITHIN = 2 * DAY, 7 * DAY, 45 * DAY
RETURNED_WITHIN_DAYS = REFUND_WITHIN // DAY

SALE, CANCEL, REFUND = 0, 1, 2
STATUSES = ("completed", "cancelled", "refunded")
KINDS = ("sale", "cancelled", "refund")
# How an order was placed: with the account, as a guest with an e-mail address, or with none.
ACCOUNT, GUEST, STRANGER = 0, 1, 2
WITHOUT_ADDRESS = 0.2
KEY = ("order_day", "order_number", "line_number")


class Ledger:
    """The book of a shop, written in blocks of whole days.

    A record has the columns order_day (since the start), order_number (in its day), line_number,
    customer (index), guest (ACCOUNT, GUEST or STRANGER), ordered (seconds since the start), amount
    and discount (cents), coupon, payment and category (indices), quantity, form (SALE, CANCEL or
    REFUND), stands (whether no later record of the same line of the same order replaces it), second
    (since the start, when it is written down) and its day.
    """

    def __init__(self, seed: int, guests: float = 0.0) -> None:
        self._seed = seed
        self._guests = guests
        self._to_come: pl.DataFrame | None = None

    def write(self, orders: PlacedOrders, lines: Lines) -> pl.DataFrame:
        """The records that the days of these orders bring, by time.

        Those of lines that will be cancelled or refunded later are kept until their day comes.
        """
        sold, taken_back = self._records(orders, lines)
        if self._to_come is not None:
            taken_back = pl.concat([self._to_come, taken_back])
        is_due = pl.col("second") < orders.end * DAY
        due = taken_back.filter(is_due).sort("second", *KEY)
        self._to_come = taken_back.filter(~is_due)
        records = pl.concat([sold, due]).with_columns(day=pl.col("second") // DAY)
        return records[np.argsort(records["second"].to_numpy(), kind="stable")]

    def _records(self, orders: PlacedOrders, lines: Lines) -> tuple[pl.DataFrame, pl.DataFrame]:
        """One record per line, and those by which lines will be taken back."""
        fate, delay = self._draw(Stream.RETURNS, orders, orders.day, 2).T
        (gives_back,) = self._draw(Stream.GIVEN_BACK, orders, orders.day[lines.order], 1).T
        cancels = fate < CANCELLED
        refunds = (fate >= CANCELLED) & (fate < CANCELLED + REFUNDED)
        cancel_at = orders.second + _delay(delay, CANCEL_AFTER, CANCEL_MEAN, CANCEL_WITHIN)
        refund_at = orders.second + _delay(delay, REFUND_AFTER, REFUND_MEAN, REFUND_WITHIN)
        guest = np.zeros(orders.day.size, dtype=np.int64)
        if self._guests:
            (level,) = self._draw(Stream.GUESTS, orders, orders.day, 1).T
            strangers = self._guests * WITHOUT_ADDRESS
            guest = np.select([level < strangers, level < self._guests], [STRANGER, GUEST], ACCOUNT)
        gives_back_line = (lines.number == 1) | (gives_back < LINE_REFUNDED)
        sold = pl.DataFrame(
            {
                "order_day": orders.day[lines.order],
                "order_number": orders.number[lines.order],
                "line_number": lines.number,
                "customer": orders.customer[lines.order],
                "guest": guest[lines.order],
                "ordered": orders.second[lines.order],
                "amount": lines.amount,
                "discount": lines.discount,
                "coupon": lines.coupon,
                "payment": lines.payment,
                "category": lines.category,
                "quantity": lines.quantity,
                "form": np.zeros(lines.order.size, dtype=np.int64),
                "stands": ~cancels[lines.order],
                "second": orders.second[lines.order],
            }
        )
        cancelled = np.flatnonzero(cancels[lines.order])
        refunded = np.flatnonzero(refunds[lines.order] & gives_back_line)
        cancellations = sold[cancelled].with_columns(
            form=pl.lit(CANCEL, pl.Int64),
            stands=pl.lit(True),
            second=cancel_at[lines.order[cancelled]],
        )
        # A refund is an order of its own, placed when the money is given back.
        at = refund_at[lines.order[refunded]]
        given_back = sold[refunded].with_columns(
            ordered=at,
            amount=pl.col("discount") - pl.col("amount"),
            discount=pl.lit(0, pl.Int64),
            coupon=pl.lit(False),
            quantity=-pl.col("quantity"),
            form=pl.lit(REFUND, pl.Int64),
            stands=pl.lit(True),
            second=at,
        )
        return sold, pl.concat([cancellations, given_back])

    def _draw(self, which: Stream, orders: PlacedOrders, day: Ints, width: int) -> Floats:
        counts = counts_per_day(day, orders.first, orders.end)
        return for_each_day(
            self._seed, which, orders.first, counts, lambda rng, n: rng.random((n, width))
        )


def table(records: pl.DataFrame, start: date, mail: pl.Series | None = None) -> pl.DataFrame:
    """The records as the shop's export would have them, were it tidy.

    Args:
        records: the records.
        start: first day of the shop.
        mail: the e-mail address of each one's customer, of a shop where guests can buy.

    Returns:
        The columns of the landed file, typed as in silver, and kind (sale, cancelled, refund). A
        refund is an order of its own, `R-…`. With `mail` also email, and buyer: who ordered, with
        an account or not; customer_id is null for guests then.
    """
    account = pl.when(pl.col("guest") == ACCOUNT).then(customer_id("customer"))
    known = pl.when(pl.col("guest") != STRANGER)
    more = (
        {}
        if mail is None
        else {"email": known.then(pl.lit(mail)), "buyer": customer_id("customer")}
    )
    letter = pl.when(pl.col("form") == REFUND).then(pl.lit("R-")).otherwise(pl.lit("O"))
    return records.select(
        order_id=letter
        + _order_days(records["order_day"], start)
        + pl.col("order_number").cast(pl.String).str.zfill(6),
        line_number="line_number",
        customer_id=account,
        purchase_date=moment_of_second("ordered", start),
        purchase_amount=_money("amount"),
        discount_amount=_money("discount"),
        coupon_used="coupon",
        payment_method=_named(PAYMENT_METHODS, records["payment"]),
        product_category=_named(CATEGORIES, records["category"]),
        quantity="quantity",
        status=_named(STATUSES, records["form"]),
        updated_at=moment_of_second("second", start),
        kind=_named(KINDS, records["form"]),
        **more,
    )


def moment_of_second(seconds: str, start: date) -> pl.Expr:
    """The column, seconds since the start, as a moment in UTC."""
    origin = (start - date(1970, 1, 1)).days * DAY
    return ((pl.col(seconds) + origin) * 1_000_000).cast(pl.Datetime("us", "UTC"))


def _delay(level: Floats, after: int, mean: int, within: int) -> Ints:
    """Seconds: exponential, by its inverse, and cut off."""
    delay: Floats = np.minimum(after - mean * np.log1p(-level), within - 1)
    return delay.astype(np.int64)


def _order_days(days: pl.Series, start: date) -> pl.Series:
    """`20240105-` for each of the days."""
    if not days.len():
        return pl.Series([], dtype=pl.String)
    numbers = days.to_numpy()
    first, last = int(numbers.min()), int(numbers.max())
    texts = [f"{start + timedelta(days=day):%Y%m%d}-" for day in range(first, last + 1)]
    return pl.Series(texts).gather(numbers - first)


def _named(names: tuple[str, ...], index: pl.Series) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(index)


def _money(cents: str) -> pl.Expr:
    return (pl.col(cents) / 100).cast(pl.Decimal(18, 2))
