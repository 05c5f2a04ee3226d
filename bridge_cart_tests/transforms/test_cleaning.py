"""What a record must say to be accepted, what its columns become, and why it is refused."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES
from bridge_cart_assets.transforms.cleaning import clean_customers, clean_purchases
from bridge_cart_tests.transforms.received import DAY, order_lines, profiles


def accepted(**fields: str | None) -> dict[str, Any]:
    """The one order line that is accepted."""
    cleaned = clean_purchases(order_lines(fields))
    assert cleaned.refused.is_empty(), cleaned.refused.row(0, named=True)
    return cleaned.accepted.row(0, named=True)


def refusal(**fields: str | None) -> tuple[str, str, str | None]:
    """Reason, blamed column and its value of the one order line that is refused."""
    cleaned = clean_purchases(order_lines(fields))
    assert cleaned.accepted.is_empty()
    return cleaned.refused.select("reason", "column", "value").row(0)


def profile(**fields: str | None) -> dict[str, Any]:
    """The one profile that is accepted."""
    cleaned = clean_customers(profiles(fields))
    assert cleaned.refused.is_empty()
    return cleaned.accepted.row(0, named=True)


def test_an_order_line_with_every_value_keeps_every_value() -> None:
    line = accepted(
        order_id=" O7 ",
        line_number="2",
        customer_id="C9",
        purchase_date="2024-02-29T23:30:00-02:00",
        purchase_amount="$1,020.505",
        discount_amount="20.50",
        coupon_used="yes",
        payment_method="Visa",
        product_category="GARDEN  tools",
        quantity="3",
        status="completed",
        updated_at="2024-03-09T08:00:00Z",
    )
    assert line == {
        "source": "purchases",
        "order_id": "O7",
        "line_number": 2,
        "customer_id": "C9",
        "purchase_date": datetime(2024, 3, 1, 1, 30, tzinfo=UTC),
        "purchase_day": date(2024, 3, 1),
        "purchase_month": "2024-03",
        "purchase_amount": Decimal("1020.51"),
        "discount_amount": Decimal("20.50"),
        "net_amount": Decimal("1000.01"),
        "quantity": 3,
        "coupon_used": True,
        "payment_method": "credit_card",
        "product_category": "GARDEN tools",
        "kind": "sale",
        "unreadable": None,
        "version_at": datetime(2024, 3, 9, 8, tzinfo=UTC),
        "batch_day": DAY,
        "object": "day.csv",
        "pos": 1,
        "fingerprint": "f" * 64,
        "item": 1,
    }


def test_an_order_line_with_the_required_values_only_gets_the_defaults() -> None:
    line = accepted()
    defaults = {
        "line_number": 1,
        "discount_amount": Decimal("0.00"),
        "net_amount": Decimal("10.00"),
        "coupon_used": False,
        "payment_method": "unknown",
        "product_category": "unknown",
        "quantity": 1,
        "kind": "sale",
        "unreadable": None,
    }
    assert {name: line[name] for name in defaults} == defaults


def test_the_accepted_columns_are_those_of_the_silver_tables() -> None:
    assert dict(clean_purchases(order_lines({})).accepted.schema) == PURCHASES.dtypes
    customers = {n: t for n, t in CUSTOMERS.dtypes.items() if n not in ("valid_to", "is_current")}
    assert dict(clean_customers(profiles({})).accepted.schema) == customers


def test_the_version_is_the_purchase_date_when_there_is_no_update() -> None:
    line = accepted(purchase_date="2024-03-01T10:00:00Z")
    assert line["version_at"] == line["purchase_date"] == datetime(2024, 3, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"order_id": ""}, ("MISSING_ORDER_ID", "order_id", "")),
        ({"order_id": None}, ("MISSING_ORDER_ID", "order_id", None)),
        ({"order_id": "NULL"}, ("MISSING_ORDER_ID", "order_id", "NULL")),
        ({"customer_id": " "}, ("MISSING_CUSTOMER_ID", "customer_id", " ")),
        ({"purchase_date": ""}, ("MISSING_DATE", "purchase_date", "")),
        ({"purchase_date": None}, ("MISSING_DATE", "purchase_date", None)),
        ({"purchase_date": "soon"}, ("BAD_DATE", "purchase_date", "soon")),
        ({"purchase_date": "31/31/2024"}, ("BAD_DATE", "purchase_date", "31/31/2024")),
        ({"purchase_date": "2024-03-12"}, ("FUTURE_DATE", "purchase_date", "2024-03-12")),
        ({"purchase_amount": "n/a"}, ("MISSING_AMOUNT", "purchase_amount", "n/a")),
        ({"purchase_amount": "much"}, ("BAD_AMOUNT", "purchase_amount", "much")),
        ({"purchase_amount": "0"}, ("NON_POSITIVE_AMOUNT", "purchase_amount", "0")),
        ({"purchase_amount": "0.004"}, ("NON_POSITIVE_AMOUNT", "purchase_amount", "0.004")),
        ({"purchase_amount": "-5"}, ("NON_POSITIVE_AMOUNT", "purchase_amount", "-5")),
        (
            {"purchase_amount": "-0.004", "status": "refunded"},
            ("NON_POSITIVE_AMOUNT", "purchase_amount", "-0.004"),
        ),
        ({"discount_amount": "-1"}, ("BAD_DISCOUNT", "discount_amount", "-1")),
        ({"discount_amount": "10.01"}, ("BAD_DISCOUNT", "discount_amount", "10.01")),
        ({"quantity": "0"}, ("BAD_QUANTITY", "quantity", "0")),
        ({"quantity": "1.5"}, ("BAD_QUANTITY", "quantity", "1.5")),
        ({"quantity": "a few"}, ("BAD_QUANTITY", "quantity", "a few")),
    ],
)
def test_a_refused_order_line_says_the_reason_the_column_and_the_value(
    fields: dict[str, str | None], expected: tuple[str, str, str | None]
) -> None:
    assert refusal(**fields) == expected


def test_of_several_reasons_the_first_in_the_contract_is_given() -> None:
    wrong = {
        "order_id": "",
        "customer_id": "",
        "purchase_date": "",
        "purchase_amount": "",
        "discount_amount": "-1",
        "quantity": "0",
    }
    right = {
        "order_id": "O1",
        "customer_id": "C1",
        "purchase_date": "2024-03-09",
        "purchase_amount": "1",
        "discount_amount": "0",
    }
    reasons = [refusal(**wrong)[0]]
    for column, value in right.items():
        wrong[column] = value
        reasons.append(refusal(**wrong)[0])
    assert reasons == [
        "MISSING_ORDER_ID",
        "MISSING_CUSTOMER_ID",
        "MISSING_DATE",
        "MISSING_AMOUNT",
        "BAD_DISCOUNT",
        "BAD_QUANTITY",
    ]


@pytest.mark.parametrize(
    "purchase_date",
    ["2024-03-11", "2024-03-11T23:59:59Z", "2024-03-12T01:59:59+02:00"],
)
def test_a_line_dated_one_utc_day_ahead_of_its_batch_is_accepted(purchase_date: str) -> None:
    assert accepted(purchase_date=purchase_date)["purchase_day"] == date(2024, 3, 11)


@pytest.mark.parametrize("purchase_date", ["2024-03-12", "2024-03-11T23:00:00-01:00"])
def test_a_line_dated_two_utc_days_ahead_of_its_batch_is_refused(purchase_date: str) -> None:
    assert refusal(purchase_date=purchase_date)[0] == "FUTURE_DATE"


@pytest.mark.parametrize(
    ("status", "amount", "kind"),
    [
        ("completed", "10", "sale"),
        (None, "10", "sale"),
        ("DELIVERED", "10", "sale"),
        ("refunded", "10", "cancelled"),
        ("cancelled", "10", "cancelled"),
        ("Canceled", "10", "cancelled"),
        ("refunded", "-10", "refund"),
        ("cancelled", "-10", "refund"),
        ("returned", "(10.00)", "refund"),
    ],
)
def test_kind_follows_from_status_and_sign(status: str | None, amount: str, kind: str) -> None:
    assert accepted(status=status, purchase_amount=amount)["kind"] == kind


def test_an_unreadable_status_counts_as_completed_and_is_named() -> None:
    line = accepted(status="wat")
    assert (line["kind"], line["unreadable"]) == ("sale", "status")
    assert refusal(status="wat", purchase_amount="-1")[0] == "NON_POSITIVE_AMOUNT"


def test_a_discount_may_be_the_whole_amount_of_a_sale() -> None:
    assert accepted(purchase_amount="10", discount_amount="10")["net_amount"] == 0


def test_a_discount_is_held_against_sales_only() -> None:
    line = accepted(purchase_amount="-10", discount_amount="2", status="refunded")
    assert line["net_amount"] == Decimal("-12.00")
    assert accepted(discount_amount="11", status="cancelled")["kind"] == "cancelled"


def test_amounts_are_rounded_before_anything_is_derived() -> None:
    line = accepted(purchase_amount="1.005", discount_amount="1.005")
    assert line["net_amount"] == 0
    assert accepted(purchase_amount="0.005")["purchase_amount"] == Decimal("0.01")


def test_unreadable_optional_values_get_the_default_and_are_named() -> None:
    line = accepted(
        line_number="first",
        discount_amount="some",
        coupon_used="perhaps",
        status="wat",
        updated_at="later",
        payment_method="***",
    )
    assert line["unreadable"].split(",") == [
        "line_number",
        "discount_amount",
        "coupon_used",
        "status",
        "updated_at",
        "payment_method",
    ]
    assert line["line_number"] == 1
    assert line["discount_amount"] == 0
    assert line["coupon_used"] is False
    assert line["payment_method"] == "unknown"
    assert line["version_at"] == line["purchase_date"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("credit_card", "credit_card"), ("Credit Card", "credit_card"), ("VISA", "credit_card")),
        *(("credit-card", "credit_card"), ("Mastercard", "credit_card"), ("CC", "credit_card")),
        *(("Debit Card", "debit_card"), ("debit", "debit_card"), ("Maestro", "debit_card")),
        *(("UPI", "upi"), ("Net Banking", "net_banking"), ("netbanking", "net_banking")),
        *(("PayPal", "paypal"), ("pay pal", "paypal"), ("COD", "cash_on_delivery")),
        *(("Cash on Delivery", "cash_on_delivery"), ("C.O.D.", "cash_on_delivery")),
        *(("Bank Transfer", "bank_transfer"), ("wire", "bank_transfer"), ("SEPA", "bank_transfer")),
        *(("Gift Card", "gift_card"), ("voucher", "gift_card"), ("unknown", "unknown")),
        *(("", "unknown"), (None, "unknown"), ("n/a", "unknown")),
        *(("Apple Pay", "apple_pay"), ("Klarna (30 days)", "klarna_30_days")),
    ],
)
def test_a_payment_method_comes_out_under_one_name(text: str | None, expected: str) -> None:
    line = accepted(payment_method=text)
    assert (line["payment_method"], line["unreadable"]) == (expected, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("F", "female"), ("female", "female"), ("Woman", "female"), ("weiblich", "female")),
        *(("M", "male"), ("MALE", "male"), ("m.", "male"), ("männlich", "male")),
        *(("other", "other"), ("Non-binary", "other"), ("X", "other"), ("divers", "other")),
        *(("unknown", "unknown"), ("prefer not to say", "unknown")),
        *(("", "unknown"), (None, "unknown")),
    ],
)
def test_a_gender_comes_out_under_one_name(text: str | None, expected: str) -> None:
    row = profile(gender=text)
    assert (row["gender"], row["unreadable"]) == (expected, None)


def test_a_profile_with_every_value_keeps_every_value() -> None:
    row = profile(
        name="ANNA BERG",
        email=" Anna.Berg@Example.ORG ",
        mobile="020 7946 0958",
        gender="f",
        age="41",
        income="€ 52.000,50",
        city="leeds",
        country="United Kingdom",
        signup_date="05/01/2023",
        updated_at="2024-03-09T08:00:00Z",
    )
    assert row == {
        "customer_id": "C1",
        "source": "customers",
        "name": "Anna Berg",
        "email": "anna.berg@example.org",
        "mobile": "+442079460958",
        "gender": "female",
        "age": 41,
        "income": Decimal("52000.50"),
        "city": "Leeds",
        "country": "United Kingdom",
        "signup_date": date(2023, 1, 5),
        "unreadable": None,
        "valid_from": datetime(2024, 3, 9, 8, tzinfo=UTC),
        "version_at": datetime(2024, 3, 9, 8, tzinfo=UTC),
        "batch_day": DAY,
        "object": "day.csv",
        "pos": 1,
        "fingerprint": "f" * 64,
        "item": 1,
    }


def test_a_profile_without_an_update_holds_from_the_start_of_its_batch_day() -> None:
    row = profile()
    assert row["valid_from"] == row["version_at"] == datetime(2024, 3, 10, tzinfo=UTC)


def test_missing_values_of_a_profile_are_null_and_not_unreadable() -> None:
    row = profile(email="", age=" ", income="n/a", gender=None)
    assert row["gender"] == "unknown"
    assert row["unreadable"] is None
    optional = ("name", "email", "mobile", "age", "income", "city", "country", "signup_date")
    assert [row[name] for name in optional] == [None] * 8


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("email", "anna"), ("email", "anna@example"), ("email", "a b@example.org")),
        *(("mobile", "call me"), ("mobile", "12"), ("age", "old"), ("age", "-1"), ("age", "121")),
        *(("age", "41.5"), ("income", "enough"), ("income", "-1"), ("signup_date", "long ago")),
    ],
)
def test_an_unreadable_value_of_a_profile_is_null_and_named(column: str, value: str) -> None:
    row = profile(**{column: value})
    assert (row[column], row["unreadable"]) == (None, column)


def test_the_unreadable_columns_of_a_profile_are_listed_with_commas() -> None:
    row = profile(email="anna", gender="wat", age="old", updated_at="later")
    assert row["unreadable"] == "email,gender,age,updated_at"
    assert row["gender"] == "unknown"
    assert row["valid_from"] == datetime(2024, 3, 10, tzinfo=UTC)


def test_a_profile_without_a_customer_is_refused() -> None:
    refused = clean_customers(profiles({"customer_id": ""})).refused
    assert refused.select("reason", "column", "value", "pos").row(0) == (
        "MISSING_CUSTOMER_ID",
        "customer_id",
        "",
        1,
    )


# The example numbers are those that regulators set aside for fiction (Ofcom, NANPA).
@pytest.mark.parametrize(
    ("mobile", "country", "expected"),
    [
        ("+442079460958", None, "+442079460958"),
        ("+44 20 7946 0958", None, "+442079460958"),
        ("+44 (0)20 7946-0958", None, "+442079460958"),
        ("0044 20 7946 0958", None, "+442079460958"),
        ("020 7946 0958", "United Kingdom", "+442079460958"),
        ("020 7946 0958", "GB", "+442079460958"),
        ("020 7946 0958", "Vereinigtes Königreich", "+442079460958"),
        ("(202) 555-0143", "United States", "+12025550143"),
        ("202.555.0143", "usa", "+12025550143"),
        ("(202) 555-0143 ext. 12", "USA", "+12025550143"),
        ("202 555 0143", None, None),
        ("202 555 0143", "Atlantis", None),
    ],
)
def test_a_phone_number_comes_out_in_e164(
    mobile: str, country: str | None, expected: str | None
) -> None:
    row = profile(mobile=mobile, country=country)
    assert row["mobile"] == expected
    assert row["unreadable"] == (None if expected else "mobile")


def test_records_are_judged_one_by_one() -> None:
    cleaned = clean_purchases(order_lines({}, {"purchase_amount": "x"}, {"purchase_amount": "x"}))
    assert cleaned.accepted["pos"].to_list() == [1]
    assert cleaned.refused.select("pos", "reason").rows() == [(2, "BAD_AMOUNT"), (3, "BAD_AMOUNT")]


def test_no_records_give_no_records() -> None:
    cleaned = clean_purchases(order_lines())
    assert (cleaned.accepted.height, cleaned.refused.height) == (0, 0)
    assert clean_customers(profiles()).accepted.is_empty()
