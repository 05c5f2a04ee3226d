"""Orders of Shopify's Admin REST API: one JSON object per order, as connectors land them.

Field names by Shopify's documentation, https://shopify.dev/docs/api/admin-rest/latest/resources/order
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from bridge_cart_assets.sources.orders import (
    EmptyOrder,
    Line,
    Record,
    amount,
    discounts,
    has_no_items,
    lines_of_orders,
    nested,
    objects,
    product,
    text_of,
    unreadable_amount,
)
from bridge_cart_assets.sources.source import Conformed, Source
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_assets.transforms.statuses import is_undone

COLUMNS = {
    "id": "Shopify's own number of the order",
    "name": "Order as people see it, #1001",
    "email": "E-mail address of the customer",
    "created_at": "When the order was placed",
    "updated_at": "When the order was last changed",
    "cancelled_at": "When the order was cancelled",
    "financial_status": "paid, pending, refunded, voided …",
    "currency": "Currency of the shop",
    "test": "Whether the order is a test",
    "subtotal_price": "Sum of the line items after discounts, before shipping and tax",
    "total_discounts": "Discount of the whole order",
    "payment_gateway_names": "How it was paid: an array",
    "discount_codes": "Codes that were used: an array",
    "customer": "The customer: an object",
    "line_items": "The order's lines: an array",
    "refunds": "What was given back: an array",
}


def conform(raw: pl.LazyFrame) -> Conformed:
    """Line items become order lines, and so does each line item that was given back.

    order_id is the name, `#1001`. A refund is dated by its own day and has the amount `subtotal`,
    without tax and shipping. An order that is refunded, voided, cancelled or a test is undone as a
    whole: its items are cancelled, and its refunds are no lines. One whose array of items is empty
    has no line, and its former lines stand no more.
    """
    return Conformed(purchases=lines_of_orders(raw, COLUMNS, _lines))


def _lines(records: Sequence[Record]) -> Iterable[Line | EmptyOrder]:
    [record] = records
    items = objects(record["line_items"])
    customer = nested(record["customer"])
    customer = customer if isinstance(customer, dict) else {}
    gateways = nested(record["payment_gateway_names"])
    status = record["financial_status"]
    if record["cancelled_at"] or (record["test"] or "").lower() == "true":
        status = "cancelled"
    order = {
        "order_id": record["name"] or record["id"],
        "customer_id": text_of(customer.get("id")),
        "email": record["email"] or text_of(customer.get("email")),
        "currency": record["currency"],
        "payment_method": text_of(gateways[0]) if isinstance(gateways, list) and gateways else None,
        "updated_at": record["updated_at"],
    }
    products = [product(item.get("quantity"), item.get("price")) for item in items]
    shares = discounts(
        [each for _, each in products],
        [_allocated(item) for item in items],
        amount(record["subtotal_price"]),
        amount(record["total_discounts"]) or Decimal(0),
    )
    unread = unreadable_amount(record["total_discounts"])
    spelt = unread if amount(record["subtotal_price"]) is None else None
    for number, (item, (text, _), share) in enumerate(
        zip(items, products, shares, strict=True), start=1
    ):
        yield Line(
            {
                **order,
                "line_number": f"{number}",
                "purchase_date": record["created_at"],
                "purchase_amount": text,
                "discount_amount": spelt or f"{share}",
                "coupon_used": "yes" if objects(record["discount_codes"]) else "no",
                "quantity": text_of(item.get("quantity")),
                "status": status,
            }
        )
    given_back = [
        (refund, item)
        for refund in ([] if is_undone(status) else objects(record["refunds"]))
        for item in refund.get("refund_line_items") or ()
        if isinstance(item, dict) and amount(item.get("subtotal")) != 0
    ]
    if has_no_items(record["line_items"]) and not given_back:
        yield EmptyOrder(order["order_id"], order["updated_at"])
    for number, (refund, item) in enumerate(given_back, start=len(items) + 1):
        yield Line(
            {
                **order,
                "line_number": f"{number}",
                "purchase_date": refund.get("processed_at") or refund.get("created_at"),
                "purchase_amount": _given_back(item.get("subtotal")),
                # Money may go back without an article.
                "quantity": f"-{item.get('quantity') if amount(item.get('quantity')) else 1}",
                "status": "refunded",
            }
        )


def _given_back(subtotal: object) -> str | None:
    """An amount below zero; what cannot be read is refused as it stands."""
    money = amount(subtotal)
    return text_of(subtotal) if money is None else f"{-abs(money)}"


def _allocated(item: Mapping[str, Any]) -> Decimal:
    """The discount that the order states for a line item."""
    allocations = item.get("discount_allocations")
    if isinstance(allocations, list) and allocations:
        parts = [amount(one.get("amount")) for one in allocations if isinstance(one, dict)]
        return sum((part or Decimal(0) for part in parts), Decimal(0))
    return amount(item.get("total_discount")) or Decimal(0)


SHOPIFY_API_ORDERS = Source(
    name="shopify_api_orders",
    description="Order objects of Shopify's Admin API, as connectors land them.",
    columns=COLUMNS,
    required=("name", "created_at", "financial_status", "line_items"),
    feeds=PURCHASES,
    conform=conform,
    whole_order_in="record",
)
