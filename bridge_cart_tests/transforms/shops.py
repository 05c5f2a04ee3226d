"""Small shops as rows of silver/purchases: written by hand, or drawn by Hypothesis.

Belongs here: what the formulas are tried on. Does not belong here: what comes out of them.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import strategies as st

from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES

Line = dict[str, Any]
START = date(2024, 1, 1)


def line(
    day: date | int,
    customer: str | None = "C1",
    order: str | None = None,
    amount: str | Decimal = "10.00",
    discount: str | Decimal = "0.00",
    kind: str = "sale",
    *,
    line_number: int = 1,
    source: str = "purchases",
    hour: int = 12,
    coupon: bool = False,
    payment: str = "unknown",
    category: str = "unknown",
) -> Line:
    """An order line; a day may be a number of days since the shop's first, an order its own."""
    on = day if isinstance(day, date) else START + timedelta(days=day)
    at = datetime.combine(on, time(hour), UTC)
    gross, off = Decimal(amount), Decimal(discount)
    return {
        "source": source,
        "order_id": order or f"{customer}-{on}",
        "line_number": line_number,
        "customer_id": customer,
        "purchase_date": at,
        "purchase_day": on,
        "purchase_month": on.strftime("%Y-%m"),
        "purchase_amount": gross,
        "discount_amount": off,
        "net_amount": gross - off,
        "quantity": 1,
        "coupon_used": coupon,
        "payment_method": payment,
        "product_category": category,
        "kind": kind,
        "currency": None,
        "unreadable": None,
        "guessed": None,
        "batch_day": on,
        "version_at": at,
        "object": "day.csv",
        "pos": 1,
        "fingerprint": "f",
        "item": 1,
    }


def purchases(lines: Iterable[Line]) -> pl.LazyFrame:
    """Rows of silver/purchases."""
    return PURCHASES.conform(pl.DataFrame(list(lines), schema=PURCHASES.dtypes)).lazy()


def customers(*profiles: dict[str, Any]) -> pl.LazyFrame:
    """Rows of silver/customers, current ones unless they say otherwise."""
    at = datetime.combine(START, time(), UTC)
    rows = [
        {
            "source": "customers",
            "gender": "unknown",
            "valid_from": at,
            "is_current": True,
            "batch_day": START,
            "version_at": at,
            "object": "day.csv",
            "pos": 1,
            "fingerprint": "f",
            "item": 1,
            "received_customer_id": profile["customer_id"],
            **profile,
        }
        for profile in profiles
    ]
    return CUSTOMERS.conform(pl.DataFrame(rows, schema=CUSTOMERS.dtypes)).lazy()


# Steps between purchases, with every edge of the windows of 30, 90 and 180 days.
STEPS = (0, 0, 1, 2, 7, 28, 29, 30, 31, 60, 89, 90, 91, 95, 179, 180, 181, 200)
_CENTS = st.integers(1, 20_000).map(lambda cents: Decimal(cents) / 100)


@st.composite
def shops(
    draw: st.DrawFn, size: int = 14, *, with_anonymous: bool = False
) -> tuple[list[Line], date]:
    """Order lines and a day as of which they are seen, the first sale not after it.

    Customers pause for longer than the windows, orders spread over days, now and then over
    customers, and there are refunds, cancelled lines, coupons and lines after as_of. Of those with
    anonymous lines, a line in three has no customer.
    """
    day = 0
    drawn = []
    buyers = ["C1", "C1", "C2", "C3", "C4", *([None] * 2 if with_anonymous else [])]
    for position in range(draw(st.integers(1, size))):
        day += draw(st.sampled_from(STEPS))
        customer = draw(st.sampled_from(buyers))
        amount = draw(_CENTS)
        kind = "sale" if position == 0 else draw(st.sampled_from(_KINDS))
        own = draw(st.booleans())
        drawn.append(
            line(
                day - draw(st.sampled_from([0, 0, 0, 1, 3])),
                customer,
                f"{customer}-{day}" if own else draw(st.sampled_from(["O1", "O2"])),
                -amount if kind == "refund" else amount,
                draw(st.sampled_from([Decimal("0.00"), amount, (amount / 3).quantize(amount)]))
                if kind == "sale"
                else "0.00",
                kind,
                line_number=position,
                source=draw(st.sampled_from(["online_retail", "purchases", "purchases"])),
                hour=draw(st.integers(0, 23)),
                coupon=draw(st.booleans()),
                payment=draw(st.sampled_from(["cash_on_delivery", "paypal", "upi"])),
                category=draw(st.sampled_from(["books", "games", "toys"])),
            )
        )
    first = min(one["purchase_day"] for one in drawn if one["kind"] == "sale")
    after = draw(st.sampled_from([0, 0, 1, 29, 30, 89, 90, 91, 180, 185]))
    last = START + timedelta(days=day - draw(st.sampled_from([0, 0, 0, 5])) + after)
    return drawn, max(first, last)


_KINDS = ("sale", "sale", "sale", "sale", "refund", "cancelled", "pending", "free")
