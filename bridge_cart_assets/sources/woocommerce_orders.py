"""Orders of WooCommerce's REST API: one JSON object per order.

Field names by WooCommerce's documentation, https://woocommerce.github.io/woocommerce-rest-api-docs
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from bridge_cart_assets.sources.orders import (
    EmptyOrder,
    Line,
    Record,
    amount,
    has_no_items,
    lines_of_orders,
    nested,
    objects,
    text_of,
)
from bridge_cart_assets.sources.source import Conformed, Source
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_assets.transforms.statuses import is_undone

COLUMNS = {
    "id": "WooCommerce's own number of the order",
    "number": "Order as people see it",
    "status": "completed, processing, on-hold, pending, refunded, cancelled, failed …",
    "currency": "Currency of the order",
    "date_created": "When the order was placed, by the shop's clock",
    "date_created_gmt": "When the order was placed, UTC",
    "date_modified_gmt": "When the order was last changed, UTC",
    "customer_id": "The customer's account; 0 is a guest",
    "billing": "Name and address of the customer: an object",
    "payment_method": "How it was paid: bacs, cod, paypal …",
    "line_items": "The order's lines: an array",
    "coupon_lines": "Coupons that were used: an array",
    "refunds": "What was given back: an array",
}
# WooCommerce's own names of payment methods that are nobody else's.
_PAYMENT_METHODS = {"bacs": "bank_transfer", "cheque": "check"}
_ZONE = re.compile(r"(?:[zZ]|[+-]\d\d:?\d\d)$")


def conform(raw: pl.LazyFrame) -> Conformed:
    """Line items become order lines, and so does each refund.

    order_id is the number that people see. An item's amount is its subtotal, and its discount what
    its total is less, both without tax; a total above the subtotal is the amount. An order does
    not say when its refunds were made: they are dated by the order. The refunds of an order that
    is undone as a whole are no lines. One whose array of items is empty has no line, and its former
    lines stand no more.
    """
    return Conformed(purchases=lines_of_orders(raw, COLUMNS, _lines))


def _lines(records: Sequence[Record]) -> Iterable[Line | EmptyOrder]:
    [record] = records
    billing = nested(record["billing"])
    method = record["payment_method"]
    utc = record["date_created_gmt"]
    changed = record["date_modified_gmt"]
    order = {
        "order_id": record["number"] or record["id"],
        "customer_id": None if amount(record["customer_id"]) == 0 else record["customer_id"],
        "email": f"{billing.get('email') or ''}" if isinstance(billing, dict) else None,
        "purchase_date": _as_utc(utc) if utc else record["date_created"],
        "currency": record["currency"],
        "payment_method": _PAYMENT_METHODS.get((method or "").lower(), method),
        "updated_at": _as_utc(changed) if changed else None,
    }
    items = objects(record["line_items"])
    for number, item in enumerate(items, start=1):
        money, discount = _money(item)
        yield Line(
            {
                **order,
                "line_number": f"{number}",
                "purchase_amount": money,
                "discount_amount": discount,
                "coupon_used": "yes" if objects(record["coupon_lines"]) else "no",
                "quantity": text_of(item.get("quantity")),
                "status": record["status"],
            }
        )
    refunds = [] if is_undone(record["status"]) else objects(record["refunds"])
    given_back = [
        (number, refund.get("total"))
        for number, refund in enumerate(refunds, start=len(items) + 1)
        if amount(refund.get("total")) != 0
    ]
    if has_no_items(record["line_items"]) and not given_back:
        yield EmptyOrder(order["order_id"], order["updated_at"])
    for number, text in given_back:
        total = amount(text)
        yield Line(
            {
                **order,
                "line_number": f"{number}",
                # Below zero in the API; what cannot be read is refused as it stands.
                "purchase_amount": f"{text}" if total is None else f"{-abs(total)}",
                "status": "refunded",
            }
        )


def _money(item: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """An item's amount before discount and its discount; what cannot be read stays as it is."""
    subtotal, total = text_of(item.get("subtotal")), text_of(item.get("total"))
    before, after = amount(subtotal), amount(total)
    if subtotal is None or total is None:
        return subtotal or total, None
    if before is None or after is None:
        return subtotal, total if before is not None else None
    # The shop charged more than the article's price: that is no discount.
    return (total, None) if 0 <= before < after else (subtotal, f"{before - after}")


def _as_utc(moment: str) -> str:
    return moment if _ZONE.search(moment) else f"{moment}Z"


WOOCOMMERCE_ORDERS = Source(
    name="woocommerce_orders",
    description="Order objects of WooCommerce's REST API.",
    columns=COLUMNS,
    required=("id", "status", "date_created", "line_items"),
    feeds=PURCHASES,
    conform=conform,
    whole_order_in="record",
)
