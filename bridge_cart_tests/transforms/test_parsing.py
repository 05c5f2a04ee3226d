"""Every spelling that the contract accepts, and what cannot be read."""

import doctest
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from bridge_cart_assets.transforms import parsing
from bridge_cart_assets.transforms.amounts import read_amounts, read_wholes
from bridge_cart_assets.transforms.dates import read_moments

MORNING = datetime(2024, 1, 5, 10, 20, 30, tzinfo=UTC)
MIDNIGHT = datetime(2024, 1, 5, tzinfo=UTC)


def moment(text: pl.Expr) -> pl.Expr:
    return read_moments(text, pl.lit("f")).struct.field("value")


def amount(text: pl.Expr) -> pl.Expr:
    return read_amounts(text, pl.lit("f")).struct.field("value")


def read(parser: object, *texts: str | None) -> list[object]:
    """What a parser makes of texts, all in one column."""
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    return frame.select(parser(pl.col("text"))).to_series().to_list()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-05", MIDNIGHT),
        ("2024-1-5", MIDNIGHT),
        ("2024-01-05T10:20:30", MORNING),
        ("2024-01-05 10:20:30", MORNING),
        ("2024-01-05T10:20:30Z", MORNING),
        ("2024-01-05t10:20:30z", MORNING),
        ("2024-01-05T10:20", MORNING.replace(second=0)),
        ("2024-01-05 10:20:30.5", MORNING.replace(microsecond=500_000)),
        ("2024-01-05T10:20:30.123456Z", MORNING.replace(microsecond=123_456)),
        ("2024-01-05T10:20:30.123456789Z", MORNING.replace(microsecond=123_456)),
        ("2024-01-05T10:20:30,5", MORNING.replace(microsecond=500_000)),
        ("2024-01-05T12:20:30+02:00", MORNING),
        ("2024-01-05T12:20:30+0200", MORNING),
        ("2024-01-05T12:20:30+02", MORNING),
        ("2024-01-05 12:20:30 +02:00", MORNING),
        ("2024-01-05T12:20+02:00", MORNING.replace(second=0)),
        ("2024-01-05T05:20:30-05:00", MORNING),
        ("2024-01-04T23:20:30-11:00", MORNING),
        ("2024-01-05 10:20:30 UTC", MORNING),
        ("2024-01-05 10:20:30 GMT", MORNING),
        ("20240105T102030Z", MORNING),
        ("20240105T102030", MORNING),
        ("20240105T1020Z", MORNING.replace(second=0)),
        ("05/01/2024", MIDNIGHT),
        ("5/1/2024", MIDNIGHT),
        ("05/01/2024 10:20", MORNING.replace(second=0)),
        ("05/01/2024 10:20:30", MORNING),
        ("05-Jan-2024", MIDNIGHT),
        ("05-JAN-2024", MIDNIGHT),
        ("5-jan-2024 10:20", MORNING.replace(second=0)),
        ("05-Jan-2024 10:20:30", MORNING),
        ("20240105", MIDNIGHT),
        ("1704450030", MORNING),
        ("1704450030000", MORNING),
        ("1704450030.0", MORNING),
        ("1704450030123.0", MORNING.replace(microsecond=123_000)),
        ("1704450030123", MORNING.replace(microsecond=123_000)),
        ("  2024-01-05T10:20:30Z\u00a0", MORNING),
    ],
)
def test_a_moment_is_read_in_every_accepted_spelling(text: str, expected: datetime) -> None:
    assert read(moment, text) == [expected]


def test_the_day_stands_before_the_month() -> None:
    assert read(moment, "02/03/2024") == [datetime(2024, 3, 2, tzinfo=UTC)]


def test_a_column_may_mix_the_spellings_of_moments() -> None:
    spellings = ("2024-01-05T10:20:30Z", None, "05/01/2024 10:20:30", "x", "1704450030", "")
    assert read(moment, *spellings) == [MORNING, None, MORNING, None, MORNING, None]


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "13/13/2024",
        "2024-02-30",
        "29/02/2023",
        "20241305",
        "2024-01-05T25:00:00",
        "05-Foo-2024",
        "1899-12-31",
        "2200-01-01",
        "12345",
        "",
        "  ",
        "N/A",
        "null",
        "NaT",
    ],
)
def test_a_moment_that_cannot_be_read_or_cannot_be_meant_is_null(text: str) -> None:
    assert read(moment, text) == [None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", "12.00"),
        ("12.5", "12.50"),
        ("+12.50", "12.50"),
        (".5", "0.50"),
        ("5.", "5.00"),
        ("1,234", "1234.00"),
        ("1,234.56", "1234.56"),
        ("1,234,567.89", "1234567.89"),
        ("12,34,567.89", "1234567.89"),
        ("1.234,56", "1234.56"),
        ("1.234.567", "1234567.00"),
        ("1 234,56", "1234.56"),
        ("1\u202f234,56", "1234.56"),
        ("1'234.50", "1234.50"),
        ("1,50", "1.50"),
        ("-1,50", "-1.50"),
        ("12.345", "12.35"),
        ("$12.30", "12.30"),
        ("$ 1,234.50", "1234.50"),
        ("-$12.30", "-12.30"),
        ("$-12.30", "-12.30"),
        ("12.30 €", "12.30"),
        ("€ 1.234,50", "1234.50"),
        ("£1,234", "1234.00"),
        ("₹1,23,456.78", "123456.78"),
        ("Rs. 500", "500.00"),
        ("INR 500", "500.00"),
        ("12.50 USD", "12.50"),
        ("CHF 1'234.50", "1234.50"),
        ("12 kr", "12.00"),
        ("(12.30)", "-12.30"),
        ("($12.30)", "-12.30"),
        ("£(12.30)", "-12.30"),
        ("(12.30) EUR", "-12.30"),
        ("12.30-", "-12.30"),
        ("\u221212.30", "-12.30"),
        ("1e3", "1000.00"),
        ("9999999999999999.99", "9999999999999999.99"),
    ],
)
def test_an_amount_is_read_in_every_accepted_spelling(text: str, expected: str) -> None:
    assert read(amount, text) == [Decimal(expected)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.005", "1.01"),
        ("1.004999", "1.00"),
        ("0.005", "0.01"),
        ("-0.005", "-0.01"),
        ("-1.005", "-1.01"),
        ("2.675", "2.68"),
        ("0.004", "0.00"),
        ("$1.005", "1.01"),
        ("(0.005)", "-0.01"),
        ("1,005.005", "1005.01"),
        ("1.00499999999999999999", "1.00"),
    ],
)
def test_an_amount_is_rounded_half_up_away_from_zero(text: str, expected: str) -> None:
    assert read(amount, text) == [Decimal(expected)]


@pytest.mark.parametrize(
    "text",
    [
        *("foo", "", "-", "$", "()", "--5", "-5-", "1,2,3", "1,234,56", "1.234.56", "1.2.3"),
        *("12%", "0x10", "Infinity", "nan", "1e999", "10000000000000000", "12 or 13"),
    ],
)
def test_an_amount_that_cannot_be_read_is_null(text: str) -> None:
    assert read(amount, text) == [None]


def test_an_amount_has_the_type_of_money() -> None:
    frame = pl.DataFrame({"text": ["1", "€ 1"]}).select(amount(pl.col("text")))
    assert frame.schema == {"value": pl.Decimal(18, 2)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", 3),
        ("-3", -3),
        ("3.0", 3),
        ("1,000", 1000),
        ("1e3", 1000),
        ("0", 0),
        ("1.5", None),
        ("three", None),
        ("", None),
        ("99999999999999999999", None),
    ],
)
def test_a_whole_number_may_end_in_zeros_behind_the_point_but_has_no_fraction(
    text: str, expected: int | None
) -> None:
    assert read(read_wholes, text) == [expected]


@pytest.mark.parametrize("text", ["true", "TRUE", "True", "yes", "Yes", "y", "Y", "1", " 1 "])
def test_a_flag_is_true_in_every_accepted_spelling(text: str) -> None:
    assert read(parsing.parse_flag, text) == [True]


@pytest.mark.parametrize("text", ["false", "FALSE", "False", "no", "No", "n", "N", "0", " 0 "])
def test_a_flag_is_false_in_every_accepted_spelling(text: str) -> None:
    assert read(parsing.parse_flag, text) == [False]


@pytest.mark.parametrize("text", ["maybe", "2", "-1", "", "null", None])
def test_a_flag_that_cannot_be_read_is_null(text: str | None) -> None:
    assert read(parsing.parse_flag, text) == [None]


def test_words_for_nothing_are_nothing() -> None:
    assert read(parsing.present, "", " ", "NULL", "NaN", "n/a", "-", "--", "?", None) == [None] * 9
    assert read(parsing.present, " x ", "0", "No") == ["x", "0", "No"]


def test_names_lose_stray_blanks_and_shouting() -> None:
    assert read(parsing.tidy, "  ANNA   maria ", "LYON", "united kingdom", "McDonald") == [
        "ANNA maria",
        "Lyon",
        "United Kingdom",
        "McDonald",
    ]
    assert read(parsing.tidy, "MEN'S SHOES", "women\u2019s", "L'AQUILA", "d'souza") == [
        "Men's Shoes",
        "Women\u2019s",
        "L'Aquila",
        "D'Souza",
    ]


def test_snake_case_joins_the_words_and_is_null_without_any() -> None:
    assert read(parsing.snake, "Apple Pay", "Klarna (30 days)", "Müller-Pay", "***") == [
        "apple_pay",
        "klarna_30_days",
        "müller_pay",
        None,
    ]


def test_the_examples_in_the_docstrings_hold() -> None:
    results = doctest.testmod(parsing)
    assert results.attempted > 0
    assert results.failed == 0
