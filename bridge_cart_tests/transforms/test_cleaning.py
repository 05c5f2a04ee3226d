"""What a record must say to be accepted, what its columns become, and why it is refused."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.tables.silver import CUSTOMER_REPEATS, PURCHASE_REPEATS
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
        "email_key": None,
        "purchase_date": datetime(2024, 3, 1, 1, 30, tzinfo=UTC),
        "purchase_day": date(2024, 3, 1),
        "purchase_month": "2024-03",
        "purchase_amount": Decimal("1020.51"),
        "discount_amount": Decimal("20.50"),
        "net_amount": Decimal("1000.01"),
        "quantity": Decimal("3.000"),
        "coupon_used": True,
        "payment_method": "credit_card",
        "product_category": "GARDEN tools",
        "kind": "sale",
        "currency": None,
        "unreadable": None,
        "guessed": None,
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
    accepted = clean_purchases(order_lines({})).accepted
    assert dict(accepted.schema) == dict(PURCHASE_REPEATS.empty().drop("fate").schema)
    accepted = clean_customers(profiles({})).accepted
    assert dict(accepted.schema) == dict(CUSTOMER_REPEATS.empty().drop("fate").schema)


END_OF_DAY = datetime(2024, 3, 10, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.mark.parametrize("updated_at", [None, "2024-03-12", "9999-12-31", "soon"])
def test_the_version_is_the_end_of_the_batch_day_without_an_update_that_can_be(
    updated_at: str | None,
) -> None:
    line = accepted(updated_at=updated_at)
    assert (line["version_at"], line["batch_day"]) == (END_OF_DAY, DAY)
    assert line["unreadable"] == (updated_at and "updated_at")


def test_an_update_on_the_day_after_the_batch_day_is_the_version() -> None:
    line = accepted(updated_at="2024-03-11T23:59:59Z")
    assert line["version_at"] == datetime(2024, 3, 11, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"order_id": ""}, ("MISSING_ORDER_ID", "order_id", "")),
        ({"order_id": None}, ("MISSING_ORDER_ID", "order_id", None)),
        ({"order_id": "NULL"}, ("MISSING_ORDER_ID", "order_id", "NULL")),
        ({"order_id": "5.01235E+12"}, ("BAD_ORDER_ID", "order_id", "5.01235E+12")),
        ({"customer_id": "[7]"}, ("BAD_CUSTOMER_ID", "customer_id", "[7]")),
        ({"line_number": "first"}, ("BAD_LINE_NUMBER", "line_number", "first")),
        ({"line_number": "0"}, ("BAD_LINE_NUMBER", "line_number", "0")),
        ({"line_number": "1.5"}, ("BAD_LINE_NUMBER", "line_number", "1.5")),
        ({"line_number": f"{2**53 + 1}"}, ("BAD_LINE_NUMBER", "line_number", f"{2**53 + 1}")),
        ({"purchase_date": ""}, ("MISSING_DATE", "purchase_date", "")),
        ({"purchase_date": None}, ("MISSING_DATE", "purchase_date", None)),
        ({"purchase_date": "soon"}, ("BAD_DATE", "purchase_date", "soon")),
        ({"purchase_date": "31/31/2024"}, ("BAD_DATE", "purchase_date", "31/31/2024")),
        ({"purchase_date": "2024-03-12"}, ("FUTURE_DATE", "purchase_date", "2024-03-12")),
        ({"purchase_amount": "n/a"}, ("MISSING_AMOUNT", "purchase_amount", "n/a")),
        ({"purchase_amount": "much"}, ("BAD_AMOUNT", "purchase_amount", "much")),
        ({"status": "wat"}, ("BAD_STATUS", "status", "wat")),
        (
            {"purchase_amount": "-5", "status": "completed"},
            ("NON_POSITIVE_AMOUNT", "purchase_amount", "-5"),
        ),
        ({"discount_amount": "10%"}, ("BAD_DISCOUNT", "discount_amount", "10%")),
        ({"discount_amount": "SAVE10"}, ("BAD_DISCOUNT", "discount_amount", "SAVE10")),
        ({"discount_amount": "10.01"}, ("BAD_DISCOUNT", "discount_amount", "10.01")),
        ({"discount_amount": "-10.01"}, ("BAD_DISCOUNT", "discount_amount", "-10.01")),
        (
            {"discount_amount": "11", "status": "cancelled"},
            ("BAD_DISCOUNT", "discount_amount", "11"),
        ),
        ({"quantity": "0"}, ("BAD_QUANTITY", "quantity", "0")),
        ({"quantity": "0.0004"}, ("BAD_QUANTITY", "quantity", "0.0004")),
        ({"quantity": "a few"}, ("BAD_QUANTITY", "quantity", "a few")),
    ],
)
def test_a_refused_order_line_says_the_reason_the_column_and_the_value(
    fields: dict[str, str | None], expected: tuple[str, str, str | None]
) -> None:
    assert refusal(**fields) == expected


def test_of_several_reasons_the_first_is_given() -> None:
    wrong = {
        "order_id": "",
        "customer_id": "true",
        "line_number": "0",
        "purchase_date": "",
        "purchase_amount": "",
        "status": "wat",
        "discount_amount": "?%",
        "quantity": "0",
    }
    right = {
        "order_id": "O1",
        "customer_id": "C1",
        "line_number": "1",
        "purchase_date": "2024-03-09",
        "purchase_amount": "1",
        "status": "paid",
        "discount_amount": "0",
    }
    reasons = [refusal(**wrong)[0]]
    for column, value in right.items():
        wrong[column] = value
        reasons.append(refusal(**wrong)[0])
    assert reasons == [
        "MISSING_ORDER_ID",
        "BAD_CUSTOMER_ID",
        "BAD_LINE_NUMBER",
        "MISSING_DATE",
        "MISSING_AMOUNT",
        "BAD_STATUS",
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
        ("partially_refunded", "-10", "refund"),
        ("partially_refunded", "10", "sale"),
        (None, "-10", "refund"),
        ("on hold", "10", "pending"),
        ("pending", "-10", "pending"),
        ("paid", "0", "free"),
        ("paid", "0.004", "free"),
        ("refunded", "-0.004", "free"),
        ("pending", "0", "pending"),
        ("cancelled", "0", "free"),
    ],
)
def test_kind_follows_from_status_and_sign(status: str | None, amount: str, kind: str) -> None:
    assert accepted(status=status, purchase_amount=amount)["kind"] == kind


def test_a_status_of_another_line_never_refuses_a_negative_line() -> None:
    lines = order_lines({"purchase_amount": "-5", "status": "paid"})
    filled = clean_purchases(lines.with_columns(_status_filled=pl.lit(True)))
    assert filled.accepted["kind"].to_list() == ["refund"]
    own = clean_purchases(lines.with_columns(_status_filled=pl.lit(False)))
    assert own.refused["reason"].to_list() == ["NON_POSITIVE_AMOUNT"]


@pytest.mark.parametrize("status", [None, "completed", "refunded"])
@pytest.mark.parametrize("amount", ["50.00", "-50.00"])
def test_a_negative_quantity_makes_the_amount_negative(status: str | None, amount: str) -> None:
    line = accepted(purchase_amount=amount, quantity="-2", status=status)
    assert (line["purchase_amount"], line["kind"]) == (Decimal("-50.00"), "refund")
    assert line["quantity"] == -2


@pytest.mark.parametrize("discount", ["20", "-20.0000"])
@pytest.mark.parametrize(
    ("amount", "net", "kind"), [("100", "80.00", "sale"), ("-100", "-80.00", "refund")]
)
def test_a_discount_has_the_sign_of_its_amount(
    discount: str, amount: str, net: str, kind: str
) -> None:
    line = accepted(purchase_amount=amount, discount_amount=discount)
    assert (line["net_amount"], line["kind"]) == (Decimal(net), kind)
    assert line["purchase_amount"] - line["discount_amount"] == line["net_amount"]


def test_a_line_that_its_discount_pays_for_is_free() -> None:
    line = accepted(purchase_amount="10", discount_amount="10")
    assert (line["net_amount"], line["kind"]) == (0, "free")


def test_a_quantity_may_be_a_fraction() -> None:
    assert accepted(quantity="2.5")["quantity"] == Decimal("2.500")
    assert accepted(quantity="0.0005")["quantity"] == Decimal("0.001")


def test_a_line_without_a_customer_is_accepted() -> None:
    for nothing in (None, " ", "\\N", "(null)", "#N/A"):
        line = accepted(customer_id=nothing)
        assert (line["customer_id"], line["kind"]) == (None, "sale")


@pytest.mark.parametrize(
    ("currency", "amount", "expected"),
    [
        *((None, "10.00", None), ("EUR", "10.00", "EUR"), ("usd", "10.00", "USD")),
        *((None, "10.00 GBP", "GBP"), (None, "€ 10.00", "EUR"), ("EUR", "€10.00", "EUR")),
    ],
)
def test_the_currency_is_that_of_its_column_or_of_the_amount(
    currency: str | None, amount: str, expected: str | None
) -> None:
    lines = order_lines({"purchase_amount": amount})
    line = clean_purchases(lines.with_columns(currency=pl.lit(currency, pl.String))).accepted
    assert (line["currency"].item(), line["purchase_amount"].item()) == (expected, 10)


def test_a_reading_that_was_a_guess_is_named() -> None:
    line = accepted(purchase_date="03/02/2024", purchase_amount="1.234", quantity="1.500")
    assert line["purchase_day"] == date(2024, 2, 3)
    assert line["guessed"] == "purchase_date,purchase_amount,quantity"
    row = profile(signup_date="03/02/2024")
    assert (row["signup_date"], row["guessed"]) == (date(2024, 2, 3), "signup_date")


def test_a_guess_of_the_source_is_named_once() -> None:
    lines = order_lines({"purchase_date": "03/02/2024"}, {})
    cleaned = clean_purchases(lines.with_columns(_guessed=pl.lit("purchase_amount")))
    assert cleaned.accepted.sort("pos")["guessed"].to_list() == [
        "purchase_date,purchase_amount",
        "purchase_amount",
    ]


def test_what_the_setting_says_is_no_guess() -> None:
    lines = order_lines({"purchase_date": "03/02/2024"})
    line = clean_purchases(lines, dates="month_first").accepted.row(0, named=True)
    assert (line["purchase_day"], line["guessed"]) == (date(2024, 3, 2), None)


def test_amounts_are_rounded_before_anything_is_derived() -> None:
    line = accepted(purchase_amount="1.005", discount_amount="1.005")
    assert line["net_amount"] == 0
    assert accepted(purchase_amount="0.005")["purchase_amount"] == Decimal("0.01")


def test_unreadable_optional_values_get_the_default_and_are_named() -> None:
    line = accepted(coupon_used="perhaps", updated_at="later", payment_method="***")
    assert line["unreadable"] == "coupon_used,updated_at,payment_method"
    assert line["coupon_used"] is False
    assert line["payment_method"] == "unknown"
    assert line["version_at"] == END_OF_DAY


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
        signup_date="05-Jan-2023",
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
        "guessed": None,
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
    assert row["valid_from"] == datetime(2024, 3, 10, tzinfo=UTC)
    assert row["version_at"] == END_OF_DAY


def test_an_update_of_a_profile_from_the_future_counts_as_none() -> None:
    row = profile(updated_at="2024-03-12")
    assert (row["valid_from"], row["unreadable"]) == (
        datetime(2024, 3, 10, tzinfo=UTC),
        "updated_at",
    )


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


def test_a_profile_of_an_id_that_is_none_is_refused() -> None:
    refused = clean_customers(profiles({"customer_id": "1.5E+9"})).refused
    assert refused.select("reason", "value").row(0) == ("BAD_CUSTOMER_ID", "1.5E+9")


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
        ("'020 7946 0958", "UK", "+442079460958"),
        ('="+442079460958"', None, "+442079460958"),
        ("2025550143.0", "US", "+12025550143"),
        ("447700900123.0", "GB", "+447700900123"),
        ("4.47701E+11", "GB", None),
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


CENTS = st.integers(-100_000, 100_000).map(lambda cents: f"{Decimal(cents) / 100:.2f}")
STATUSES = {
    "completed": ("paid", "wc-completed", "versandt", "livrée"),
    # They contradict no negative amount: no status at all, and one that speaks of a refund.
    "silent": ("Partially Refunded", None),
    "undone": ("voided", "Zahlung fehlgeschlagen", "remboursé", "devuelto", "wc-refunded"),
    "pending": ("on hold", "unbezahlt", "en attente", "pendiente"),
}
LINES = st.tuples(
    CENTS,
    st.sampled_from(["", "0", "1.00", "-2.50", "400"]),
    st.sampled_from(["", "1", "-1", "0.250", "-3"]),
    st.sampled_from([(name, word) for name, words in STATUSES.items() for word in words]),
)


@given(st.lists(LINES, min_size=1, max_size=30))
@settings(deadline=None, max_examples=60)
def test_kind_and_sign_of_any_line_are_what_the_contract_says(
    lines: list[tuple[str, str, str, tuple[str, str | None]]],
) -> None:
    records = order_lines(
        *(
            {
                "order_id": f"O{n}",
                "purchase_amount": amount,
                "discount_amount": discount,
                "quantity": quantity,
                "status": status[1],
            }
            for n, (amount, discount, quantity, status) in enumerate(lines)
        )
    )
    cleaned = clean_purchases(records)
    reasons = dict(cleaned.refused.select("pos", "reason").iter_rows())
    found = {row["pos"]: row for row in cleaned.accepted.iter_rows(named=True)}
    assert len(reasons) + len(found) == len(lines)
    for pos, (amount, discount, quantity, (status, _)) in enumerate(lines, start=1):
        written, off = Decimal(amount), abs(Decimal(discount or 0))
        gives_back = quantity.startswith("-")
        if written < 0 and not gives_back and status == "completed":
            assert reasons[pos] == "NON_POSITIVE_AMOUNT"
        elif off > abs(written):
            assert reasons[pos] == "BAD_DISCOUNT"
        else:
            moved = -abs(written) if gives_back else written
            net = moved - off if moved > 0 else moved + off
            kind = (
                "cancelled"
                if status == "undone" and moved > 0
                else "pending"
                if status == "pending"
                else "free"
                if net == 0
                else "refund"
                if moved < 0
                else "sale"
            )
            assert (found[pos]["net_amount"], found[pos]["kind"]) == (net, kind)
            assert found[pos]["purchase_amount"] - found[pos]["discount_amount"] == net
