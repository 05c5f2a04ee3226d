"""Orders of Shopify and WooCommerce become order lines, to the cent."""

import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_cart_assets.sources.orders import discounts, product, spread_discount
from bridge_cart_assets.sources.shopify_api_orders import SHOPIFY_API_ORDERS
from bridge_cart_assets.sources.shopify_orders import SHOPIFY_ORDERS
from bridge_cart_assets.sources.source import Source
from bridge_cart_assets.sources.woocommerce_orders import WOOCOMMERCE_ORDERS
from bridge_cart_tests.transforms.received import DAY

CENTS = st.integers(0, 10**7).map(lambda cents: Decimal(cents) / 100)


def raw(source: Source, *records: dict[str, Any]) -> pl.LazyFrame:
    """Raw records as readers make them: all texts, what is nested as JSON."""
    texts = [
        {
            name: None
            if record.get(name) is None
            else record[name]
            if isinstance(record[name], str)
            else json.dumps(record[name])
            for name in source.columns
        }
        for record in records
    ]
    schema = dict.fromkeys(source.columns, pl.String)
    return (
        pl.LazyFrame(texts, schema=schema)
        .with_row_index("_pos", offset=1)
        .with_columns(
            _pos=pl.col("_pos").cast(pl.Int64),
            _source=pl.lit(source.name),
            _object=pl.lit("orders"),
            _fingerprint=pl.lit("a" * 64),
            _batch_day=pl.lit(DAY),
        )
    )


def lines(source: Source, *records: dict[str, Any]) -> pl.DataFrame:
    purchases = source.conform(raw(source, *records)).purchases
    assert purchases is not None
    return purchases.collect().sort("_pos", "_item")


@given(st.lists(CENTS, min_size=1, max_size=30), st.floats(0, 1))
def test_a_spread_discount_adds_up_and_fits_on_each_line(
    amounts: list[Decimal], share: float
) -> None:
    total = (sum(amounts) * Decimal(share)).quantize(Decimal("0.01"), rounding="ROUND_DOWN")
    shares = spread_discount(total, amounts)
    assert sum(shares) == total
    assert all(0 <= part <= amount for part, amount in zip(shares, amounts, strict=True))


@given(st.lists(CENTS, min_size=1, max_size=8), st.data())
def test_net_amounts_add_up_to_the_sum_that_the_order_states(
    amounts: list[Decimal], data: st.DataObject
) -> None:
    whole = sum(amounts, Decimal(0))
    net = Decimal(data.draw(st.integers(0, int(whole * 100)))) / 100
    own = [Decimal(0) for _ in amounts]
    assert sum(amounts) - sum(discounts(amounts, own, net, Decimal(0))) == net


def test_a_discount_that_is_more_than_the_order_lies_on_one_line_and_is_refused_there() -> None:
    amounts = [Decimal(5), Decimal(7)]
    assert discounts(amounts, [Decimal(0)] * 2, None, Decimal(20)) == [Decimal(0), Decimal(20)]


ROW = {
    "name": "#1",
    "created_at": "2024-02-01",
    "lineitem_quantity": "1",
    "lineitem_price": "10.00",
    "lineitem_discount": "0.00",
}
FIRST = {**ROW, "financial_status": "paid", "subtotal": "20.00", "currency": "EUR"}


def test_equal_items_of_shopify_are_one_line_each_when_the_subtotal_counts_both() -> None:
    done = lines(SHOPIFY_ORDERS, FIRST, FIRST)
    assert done["line_number"].to_list() == ["1", "2"]


@pytest.mark.parametrize(
    ("subtotal", "numbers", "net"),
    [
        # Each has a discount of its own, and the order states none.
        ("27.00", ["1", "2", "3"], "27.00"),
        ("18.00", ["1", "2", "2"], "18.00"),
    ],
)
def test_equal_items_of_shopify_with_discounts_of_their_own_add_up_to_the_subtotal(
    subtotal: str, numbers: list[str], net: str
) -> None:
    other = {**ROW, "lineitem_discount": "1.00"}
    first = {**FIRST, "subtotal": subtotal, "lineitem_discount": "1.00"}
    done = lines(SHOPIFY_ORDERS, first, other, other)
    assert done["line_number"].to_list() == numbers
    once = done.unique("line_number").select("purchase_amount", "discount_amount").rows()
    assert sum(Decimal(amount) - Decimal(discount) for amount, discount in once) == Decimal(net)


def test_a_repeated_row_of_shopify_is_one_line_when_the_subtotal_counts_one() -> None:
    done = lines(SHOPIFY_ORDERS, {**FIRST, "subtotal": "10.00"}, {**FIRST, "subtotal": "10.00"})
    assert done["line_number"].to_list() == ["1", "1"]
    assert done["discount_amount"].cast(pl.Decimal(18, 2)).sum() == 0


@pytest.mark.parametrize(
    ("status", "cancelled", "kinds"),
    [
        ("partially_refunded", None, ["partially_refunded", "refunded"]),
        ("refunded", None, ["refunded"]),
        ("Refunded", None, ["Refunded"]),
        ("voided", None, ["voided"]),
        ("chargeback", None, ["chargeback"]),
        ("paid", "2024-02-02", ["cancelled"]),
    ],
)
def test_an_order_of_shopify_that_is_undone_as_a_whole_has_no_refund_line(
    status: str, cancelled: str | None, kinds: list[str]
) -> None:
    order = {
        **{**FIRST, "subtotal": "10.00", "refunded_amount": "4.00"},
        **{"financial_status": status, "cancelled_at": cancelled},
    }
    assert lines(SHOPIFY_ORDERS, order)["status"].to_list() == kinds


def test_a_refund_of_shopify_is_a_line_of_its_own_of_the_first_row() -> None:
    done = lines(
        SHOPIFY_ORDERS, {**FIRST, "refunded_amount": "3.50"}, {**ROW, "lineitem_name": "b"}
    )
    amounts = pl.col("purchase_amount").cast(pl.Decimal(18, 2))
    places = done.select("_pos", "_item", "line_number", amounts).rows()
    ten, given_back = Decimal("10.00"), Decimal("-3.50")
    assert places == [(1, 1, "1", ten), (1, 2, "3", given_back), (2, 1, "2", ten)]


ITEM = {"quantity": "2", "price": "10.00", "discount_allocations": [{"amount": "2.00"}]}
ORDER = {
    "id": "5",
    "name": "#A1",
    "created_at": "2024-02-01T22:00:00-05:00",
    "financial_status": "paid",
    "subtotal_price": "18.00",
    "line_items": [ITEM],
}


def test_what_is_no_order_has_no_line_and_stops_nothing() -> None:
    done = lines(
        SHOPIFY_API_ORDERS,
        {**ORDER, "line_items": []},
        {**ORDER, "line_items": "nothing"},
        {**ORDER, "line_items": ["text", 5]},
        {**ORDER, "customer": "somebody", "refunds": {"a": 1}, "payment_gateway_names": "x"},
    )
    # An array that is empty is an order without items; the others say nothing of them.
    assert done["_is_empty"].to_list() == [True, False]
    assert done["_pos"].to_list() == [1, 4]


def test_a_test_order_of_shopify_counts_nowhere() -> None:
    refund = {"processed_at": "2024-03-01", "refund_line_items": [{"subtotal": "1.00"}]}
    done = lines(SHOPIFY_API_ORDERS, {**ORDER, "test": True, "refunds": [refund]})
    assert done["status"].to_list() == ["cancelled"]


def test_a_refund_is_dated_by_its_own_day() -> None:
    item = {"subtotal": 5.0, "quantity": 1}
    refund = {"processed_at": "2024-03-04T10:00:00Z", "refund_line_items": [item]}
    done = lines(SHOPIFY_API_ORDERS, {**ORDER, "refunds": [refund]})
    assert done.select("purchase_date", "purchase_amount", "quantity", "_item").row(1) == (
        *("2024-03-04T10:00:00Z", "-5.0", "-1", 2),
    )


@pytest.mark.parametrize(
    ("item", "amount", "quantity"),
    [
        ({"subtotal": "-5.00", "quantity": 2}, "-5.00", "-2"),
        # An amount without an article.
        ({"subtotal": "5.00", "quantity": 0}, "-5.00", "-1"),
        # Refused: how much went back is not known.
        ({"quantity": 1}, None, "-1"),
        ({"subtotal": "five", "quantity": 1}, "five", "-1"),
    ],
)
def test_what_a_refund_of_shopify_gives_back(
    item: dict[str, Any], amount: str | None, quantity: str
) -> None:
    refund = {"processed_at": "2024-03-04T10:00:00Z", "refund_line_items": [item]}
    done = lines(SHOPIFY_API_ORDERS, {**ORDER, "refunds": [refund]})
    assert done.select("purchase_amount", "quantity").row(1) == (amount, quantity)


WOO = {
    **{"id": "7", "number": "701", "status": "completed", "customer_id": "0"},
    **{"date_created": "2024-05-08T22:15:00", "date_created_gmt": "2024-05-08T20:15:00"},
    "line_items": [{"quantity": 1, "subtotal": "30.00", "total": "27.00"}],
}


def test_customer_zero_of_woocommerce_is_a_guest() -> None:
    done = lines(
        WOOCOMMERCE_ORDERS, WOO, {**WOO, "customer_id": "12", "billing": {"email": "a@b.c"}}
    )
    assert done.select("customer_id", "email").rows() == [(None, None), ("12", "a@b.c")]


@pytest.mark.parametrize("zone", ["", "Z", "z", "+02:00", "-03:00", "-0300"])
def test_the_moment_of_an_order_of_woocommerce_is_in_utc_unless_it_names_a_zone(zone: str) -> None:
    placed = f"2024-05-08T20:15:00{zone}"
    [moment] = lines(WOOCOMMERCE_ORDERS, {**WOO, "date_created_gmt": placed})["purchase_date"]
    assert moment == (placed if zone else f"{placed}Z")


@pytest.mark.parametrize("status", ["refunded", "wc-cancelled", "failed", "Chargeback", "draft"])
def test_an_order_of_woocommerce_that_is_undone_as_a_whole_has_no_refund_line(status: str) -> None:
    done = lines(WOOCOMMERCE_ORDERS, {**WOO, "status": status, "refunds": [{"total": "-27.00"}]})
    assert done["status"].to_list() == [status]


def test_a_discount_of_woocommerce_is_what_the_total_is_less() -> None:
    assert lines(WOOCOMMERCE_ORDERS, WOO).select("purchase_amount", "discount_amount").row(0) == (
        *("30.00", "3.00"),
    )


@pytest.mark.parametrize(
    ("subtotal", "total", "money"),
    [
        ("30.00", "27.00", ("30.00", "3.00")),
        # Raised by hand in the shop: no discount, whatever its sign.
        ("10.00", "12.00", ("12.00", None)),
        # A discount that cannot be read is refused and never nothing.
        ("10.00", "ten", ("10.00", "ten")),
        ("ten", "10.00", ("ten", None)),
        (None, "10.00", ("10.00", None)),
        ("10.00", None, ("10.00", None)),
        ("-10.00", "-8.00", ("-10.00", "-2.00")),
    ],
)
def test_the_amount_and_the_discount_of_an_item_of_woocommerce(
    subtotal: str | None, total: str | None, money: tuple[str | None, str | None]
) -> None:
    item = {"quantity": 1, "subtotal": subtotal, "total": total}
    order = lines(WOOCOMMERCE_ORDERS, {**WOO, "line_items": [item]})
    assert order.select("purchase_amount", "discount_amount").row(0) == money


@pytest.mark.parametrize(
    ("source", "order"),
    [
        (SHOPIFY_ORDERS, {**FIRST, "discount_amount": "ten"}),
        (SHOPIFY_ORDERS, {**FIRST, "lineitem_discount": "ten"}),
        (SHOPIFY_API_ORDERS, {**ORDER, "total_discounts": "ten"}),
    ],
)
def test_a_discount_of_shopify_that_cannot_be_read_is_never_nothing(
    source: Source, order: dict[str, Any]
) -> None:
    subtotal = "subtotal" if source is SHOPIFY_ORDERS else "subtotal_price"
    assert lines(source, {**order, subtotal: None})["discount_amount"].to_list() == ["ten"]
    # With a subtotal the discount is known whatever the text says.
    assert "ten" not in lines(source, order)["discount_amount"].to_list()


@pytest.mark.parametrize(
    ("quantity", "price", "text"),
    [
        ("3", "1.005", "3.02"),
        ("-1", "0.125", "-0.13"),
        # No amount of money; the line is refused, and what it was made of is shown.
        ("9999999999999999", "9999999999999999", "9999999999999999 x 9999999999999999"),
        ("2", "a", "2 x a"),
        ("2", None, None),
    ],
)
def test_a_product_is_rounded_half_up_like_every_amount(
    quantity: str, price: str | None, text: str | None
) -> None:
    assert product(quantity, price)[0] == text
