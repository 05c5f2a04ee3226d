"""Invoice lines of UCI Online Retail as order lines and profiles.

Rows marked so are lines of the data set as published: Chen, Sain and Guo (2012), UCI Machine
Learning Repository, "Online Retail", CC BY 4.0.
"""

from datetime import date
from decimal import Decimal

import polars as pl

from bridge_cart_assets.ingestion.files import Content
from bridge_cart_assets.ingestion.readers import read_records
from bridge_cart_assets.sources import Conformed
from bridge_cart_assets.sources.online_retail import ONLINE_RETAIL
from bridge_cart_assets.sources.source import CUSTOMER_COLUMNS, PROVENANCE, PURCHASE_COLUMNS
from bridge_cart_assets.transforms.cleaning import clean_customers, clean_purchases
from bridge_cart_assets.transforms.folding import fold_purchases

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
UK = "United Kingdom"
# As published: the first invoice of the file of 2010-12-01, and the first cancellation.
FIRST = (
    f"536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,{UK}",
    f"536365,71053,WHITE METAL LANTERN,6,2010-12-01 08:26:00,3.39,17850.0,{UK}",
)
CANCELLED = f"C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527.0,{UK}"


def line(
    invoice: str = "536365",
    article: str = "85123A",
    quantity: str = "6",
    price: str = "2.55",
    customer: str = "17850.0",
    at: str = "2010-12-01 08:26:00",
    country: str = UK,
) -> str:
    return f"{invoice},{article},HOLDER,{quantity},{at},{price},{customer},{country}"


def conformed(*files: tuple[str, ...]) -> Conformed:
    """The files, each a tuple of lines, as the contract's records."""
    frames = [
        read_records(
            Content("csv", f"file {n}", "\n".join([HEADER, *lines]).encode()), ONLINE_RETAIL
        ).records.with_columns(
            _source=pl.lit("online_retail"),
            _object=pl.lit(f"2010-12-0{n}.csv"),
            _fingerprint=pl.lit(f"file {n}"),
            _batch_day=pl.lit(date(2010, 12, n)),
        )
        for n, lines in enumerate(files, start=1)
    ]
    return ONLINE_RETAIL.conform(pl.concat(frames).lazy())


def order_lines(*files: tuple[str, ...]) -> pl.DataFrame:
    records = conformed(*files).purchases
    assert records is not None
    return records.collect().sort("_fingerprint", "_pos")


def profiles(*files: tuple[str, ...]) -> pl.DataFrame:
    records = conformed(*files).customers
    assert records is not None
    return records.collect().sort("_fingerprint", "_pos")


def numbers(*lines: str) -> list[tuple[str, str]]:
    return order_lines(lines).select("order_id", "line_number").rows()


def test_the_first_published_lines_become_two_lines_of_one_order() -> None:
    cleaned = clean_purchases(order_lines(FIRST).lazy())
    assert cleaned.refused.is_empty()
    rows = cleaned.accepted.sort("line_number")
    columns = ("order_id", "line_number", "customer_id", "purchase_amount", "quantity", "kind")
    assert rows.select(columns).rows() == [
        ("536365", 1, "17850", Decimal("15.30"), 6, "sale"),
        ("536365", 2, "17850", Decimal("20.34"), 6, "sale"),
    ]
    assert rows["purchase_day"].unique().to_list() == [date(2010, 12, 1)]
    assert rows["payment_method"].unique().to_list() == ["unknown"]
    assert rows["unreadable"].null_count() == 2


def test_the_columns_are_those_of_the_contract() -> None:
    assert order_lines(FIRST).columns == [*PURCHASE_COLUMNS, *PROVENANCE, "_guessed"]
    assert profiles(FIRST).columns == [*CUSTOMER_COLUMNS, *PROVENANCE]


def test_lines_are_numbered_within_their_invoice_in_file_order() -> None:
    assert numbers(line("1", "b"), line("2", "a"), line("1", "a"), line("1", "c")) == [
        ("1", "1"),
        ("2", "1"),
        ("1", "2"),
        ("1", "3"),
    ]


def test_an_exact_duplicate_has_the_number_of_its_first_and_takes_none() -> None:
    assert numbers(line(article="a"), line(article="b"), line(article="a"), line(article="c")) == [
        ("536365", "1"),
        ("536365", "2"),
        ("536365", "1"),
        ("536365", "3"),
    ]


def test_of_exact_duplicates_one_stands() -> None:
    records = order_lines((line(article="a"), line(article="a"), line(article="b"))).lazy()
    folded = fold_purchases(clean_purchases(records).accepted)
    assert sorted(folded.current["line_number"]) == [1, 2]
    assert folded.superseded["fate"].to_list() == ["duplicate"]


def test_lines_that_differ_in_any_column_are_different_lines() -> None:
    lines = (
        line(),
        line(quantity="7"),
        line(price="2.56"),
        line(at="2010-12-01 08:27:00"),
        line(customer=""),
        line(country="France"),
    )
    assert [number for _, number in numbers(*lines)] == ["1", "2", "3", "4", "5", "6"]


def test_every_file_is_numbered_for_itself() -> None:
    both = order_lines((line("1", "a"), line("1", "b")), (line("2", "b"), line("2", "a")))
    assert both["line_number"].to_list() == ["1", "2", "1", "2"]


def test_numbers_do_not_depend_on_the_order_in_which_the_rows_are_read() -> None:
    lines = tuple(line("1", article) for article in "gcaebdf")
    raw = conformed(lines).purchases
    assert raw is not None
    wanted = {pos: str(pos) for pos in range(1, 8)}
    assert dict(raw.collect().select("_pos", "line_number").iter_rows()) == wanted


def test_customer_ids_lose_their_trailing_point_zero_and_nothing_else() -> None:
    ids = ("17850.0", "17850", " 17850.0 ", "178500", "A.0.0", "17850.00")
    found = order_lines(tuple(line(customer=c) for c in ids))["customer_id"].to_list()
    assert found == ["17850", "17850", "17850", "178500", "A.0", "17850.00"]


def test_a_line_without_a_customer_is_an_anonymous_sale_and_makes_no_profile() -> None:
    accepted = clean_purchases(order_lines((line(customer=""),)).lazy()).accepted
    assert accepted.select("customer_id", "kind").rows() == [(None, "sale")]
    found = profiles((line(customer=""), line(customer="  ")))
    assert clean_customers(found.lazy()).accepted.is_empty()


def test_an_invoice_that_begins_with_c_gives_money_back() -> None:
    rows = order_lines((CANCELLED, line("c1", quantity="-2"))).lazy()
    accepted = clean_purchases(rows).accepted.sort("pos")
    assert accepted.select("kind", "purchase_amount", "net_amount", "quantity").rows() == [
        ("refund", Decimal("-27.50"), Decimal("-27.50"), -1),
        ("refund", Decimal("-5.10"), Decimal("-5.10"), -2),
    ]


def test_goods_that_come_back_on_another_invoice_are_a_refund() -> None:
    accepted = clean_purchases(order_lines((line(quantity="-6"),)).lazy()).accepted
    assert accepted["kind"].to_list() == ["refund"]


def test_a_price_of_nothing_or_of_less_than_half_a_cent_is_free() -> None:
    lines = (line(price="0.0"), line(quantity="1", price="0.001"))
    accepted = clean_purchases(order_lines(lines).lazy()).accepted
    assert accepted.select("kind", "net_amount").rows() == [("free", 0)] * 2


def test_the_amount_is_multiplied_exactly_and_rounded_half_up_once() -> None:
    lines = (line(quantity="3", price="1.005"), line(quantity="80995", price="2.08"))
    accepted = clean_purchases(order_lines(lines).lazy()).accepted.sort("pos")
    assert accepted["purchase_amount"].to_list() == [Decimal("3.02"), Decimal("168469.60")]


def test_factors_are_read_in_every_accepted_spelling() -> None:
    one = (line(quantity='"1,000"', price='"2,55"'),)
    other = (line(quantity="(2)", price="£1.005"), line("C1", quantity="-3.0", price="$ 1.5"))
    accepted = clean_purchases(order_lines(one, other).lazy()).accepted
    amounts = accepted.select("quantity", "purchase_amount", "kind").rows()
    assert set(amounts) == {
        (1000, Decimal("2550.00"), "sale"),
        (-2, Decimal("-2.01"), "refund"),
        (-3, Decimal("-4.50"), "refund"),
    }


def test_a_column_of_prices_that_contradicts_itself_leaves_open_ones_unread() -> None:
    lines = (line(price='"2,55"'), line(price="£1.005"), line("C1", price="$ 1.5"))
    refused = clean_purchases(order_lines(lines).lazy()).refused
    assert refused.select("reason", "value").rows() == [("BAD_AMOUNT", "6 x £1.005")]


def test_an_amount_that_cannot_be_computed_is_refused_with_both_factors() -> None:
    refused = clean_purchases(order_lines((line(quantity="six", price="?"),)).lazy()).refused
    assert refused.select("reason", "value").row(0) == ("BAD_AMOUNT", "six x ?")


def test_a_profile_has_the_country_from_the_date_of_the_invoice() -> None:
    lines = (line(), line(article="b"), line("2", at="2010-12-01 09:00:00", country="France"))
    cleaned = clean_customers(profiles(lines).lazy()).accepted.sort("valid_from")
    assert cleaned.select("customer_id", "country", "pos").rows() == [
        ("17850", "United Kingdom", 1),
        ("17850", "France", 3),
    ]
    assert [at.isoformat() for at in cleaned["valid_from"]] == [
        "2010-12-01T08:26:00+00:00",
        "2010-12-01T09:00:00+00:00",
    ]
