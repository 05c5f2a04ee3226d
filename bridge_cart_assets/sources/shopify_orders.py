"""Shopify's export of orders as the admin gives it: CSV, one row per line item.

The fields of the order stand on its first row; Name, Email and Created at on each. Subtotal is
what the line items come to after all discounts, before shipping and tax. Column names by Shopify's
documentation, https://help.shopify.com/en/manual/fulfillment/managing-orders/exporting-orders
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import polars as pl

from bridge_cart_assets.sources.orders import (
    EmptyOrder,
    Line,
    Record,
    amount,
    discounts,
    lines_of_orders,
    product,
    unreadable_amount,
)
from bridge_cart_assets.sources.source import Conformed, Source
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_assets.transforms.statuses import is_undone

COLUMNS = {
    "name": "Order as people see it, #1001",
    "email": "E-mail address of the customer",
    "financial_status": "paid, pending, refunded, voided …; on the order's first row",
    "currency": "Currency of the order",
    "subtotal": "Sum of the line items after discounts, before shipping and tax",
    "discount_code": "Code of the discount",
    "discount_amount": "Discount of the whole order",
    "created_at": "When the order was placed",
    "lineitem_quantity": "Pieces of the line item",
    "lineitem_name": "Name of the article",
    "lineitem_price": "Price of a piece",
    "lineitem_discount": "Discount of the line item",
    "cancelled_at": "When the order was cancelled",
    "payment_method": "How it was paid",
    "refunded_amount": "What has been given back of the order",
    "id": "Shopify's own number of the order",
}
# No status at all: it is refused, and the text says why.
_TORN = "(not in this file)"
_NUMBERS = (
    *("subtotal", "discount_amount", "refunded_amount"),
    *("lineitem_quantity", "lineitem_price", "lineitem_discount"),
)


def conform(raw: pl.LazyFrame) -> Conformed:
    """Line items become order lines, and what was given back a line of its own.

    order_id is the Name. A refund has no day of its own in this export: it is dated by the order.
    Rows of an order whose first row lies in another file are refused: without it nothing says
    whether they are paid.
    """
    return Conformed(
        purchases=lines_of_orders(raw, COLUMNS, _lines, order="name", numbers=_NUMBERS)
    )


def _lines(rows: Sequence[Record]) -> Iterable[Line | EmptyOrder]:
    first = next((row for row in rows if row["financial_status"]), rows[0])
    # The order began in another file, which says whether it is paid and what was taken off.
    is_torn = not any(row["financial_status"] or row["subtotal"] for row in rows)
    status = _TORN if is_torn else first["financial_status"]
    order = {
        "order_id": first["name"],
        "email": first["email"],
        "purchase_date": first["created_at"],
        "currency": first["currency"],
        "payment_method": first["payment_method"],
        "coupon_used": "yes" if first["discount_code"] else "no",
        "status": "cancelled" if first["cancelled_at"] else status,
    }
    subtotal, of_order = amount(first["subtotal"]), amount(first["discount_amount"]) or Decimal(0)
    numbers = _numbers(rows, subtotal, of_order)
    items = [at for at, row in enumerate(rows) if row["lineitem_price"] or row["lineitem_quantity"]]
    kept = {numbers[at]: at for at in reversed(items)}
    products = [product(row["lineitem_quantity"], row["lineitem_price"]) for row in rows]
    distinct = sorted(kept)
    shares = discounts(
        [products[kept[number]][1] for number in distinct],
        [amount(rows[kept[number]]["lineitem_discount"]) or Decimal(0) for number in distinct],
        subtotal,
        of_order,
    )
    share_of = dict(zip(distinct, shares, strict=True))
    # Without a subtotal these texts decide about the discount.
    unread = unreadable_amount(
        first["discount_amount"], *(rows[at]["lineitem_discount"] for at in items)
    )
    spelt = unread if subtotal is None else None
    for at in items:
        yield Line(
            {
                **order,
                "line_number": f"{numbers[at]}",
                "purchase_amount": products[at][0],
                "discount_amount": spelt or f"{share_of[numbers[at]]}",
                "quantity": rows[at]["lineitem_quantity"],
            },
            record=at,
        )
    given_back = amount(first["refunded_amount"])
    # What was given back for an order that is undone as a whole is in its lines.
    if not first["refunded_amount"] or given_back == 0 or is_undone(order["status"]):
        if not (items or is_torn):
            yield EmptyOrder(first["name"])
    else:
        yield Line(
            {
                **order,
                "line_number": f"{len(distinct) + 1}",
                "purchase_amount": f"-{first['refunded_amount']}"
                if given_back is None
                else f"{-abs(given_back)}",
                "coupon_used": "no",
                "status": "refunded",
            },
            record=rows.index(first),
        )


def _numbers(rows: Sequence[Record], subtotal: Decimal | None, of_order: Decimal) -> list[int]:
    """The number of each row's line: equal rows are one line, unless the subtotal counts each."""
    number: dict[tuple[str | None, ...], int] = {}
    numbers = [number.setdefault(tuple(row.values()), len(number) + 1) for row in rows]
    products = [product(row["lineitem_quantity"], row["lineitem_price"])[1] for row in rows]
    sums = [one or Decimal(0) for one in products]
    each, once = sum(sums), sum(dict(zip(numbers, sums, strict=True)).values())
    # More than the distinct rows come to, or what all of them are after the order's discount.
    if subtotal is not None and (once < subtotal <= each or each - of_order == subtotal):
        return list(range(1, len(rows) + 1))
    return numbers


SHOPIFY_ORDERS = Source(
    name="shopify_orders",
    description="Orders as Shopify's admin exports them (CSV, one row per line item).",
    columns=COLUMNS,
    required=("name", "financial_status", "created_at", "lineitem_quantity", "lineitem_price"),
    feeds=PURCHASES,
    conform=conform,
    whole_order_in="file",
)
