"""Amounts: every accepted spelling, and the decimal mark, decided by each file alone."""

from decimal import Decimal

import polars as pl
import pytest
from babel import Locale, localedata
from babel.numbers import format_currency, format_decimal, get_territory_currencies
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.transforms.amounts import read_amounts, read_numbers
from bridge_cart_assets.transforms.currencies import currencies_of

Rows = list[tuple[str | None, str | None]]


def read(
    rows: Rows, currency: str | None = None, shop: str | None = None
) -> list[tuple[Decimal | None, bool, str | None, Decimal | None]]:
    """value, guessed, currency and exact for each text and file."""
    schema = {"text": pl.String, "file": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    column = None if currency is None else pl.lit(currency)
    amounts = read_amounts(pl.col("text"), pl.col("file"), column, shop)
    return frame.select(amount=amounts).unnest("amount").rows()


def of_file(*texts: str, currency: str | None = None, shop: str | None = None) -> list[str | None]:
    """What a file with these texts gives, a guess with a question mark."""
    return [
        None if value is None else f"{value}{'?' * guessed}"
        for value, guessed, *_ in read([(text, "f") for text in texts], currency, shop)
    ]


def test_a_file_with_decimal_commas_has_points_between_thousands() -> None:
    texts = ("1.250,50", "1.250", "2.000", "1.500 €", "€1.000", "EUR 3.000", "15,00", "5,-")
    values = ["1250.50", "1250.00", "2000.00", "1500.00", "1000.00", "3000.00", "15.00", "5.00"]
    assert of_file(*texts, "1 234,56", "1,234", "12,- €", "5,– Euro") == [
        *(*values, "1234.56", "1.23", "12.00", None)
    ]


def test_a_file_with_decimal_points_has_commas_between_thousands() -> None:
    texts = ("1,250.50", "1.250", "12.5", "CHF 1’250.50", "₹1,25,000.00", "US$ 12.50", "₱150.00")
    values = ["1250.50", "1.25", "12.50", "1250.50", "125000.00", "12.50", "150.00"]
    assert of_file(*texts) == values
    more = ("₦1,200.00", "R 1 234.50", "Fr. 7.50", "1,234", "5.- CHF")
    assert of_file(*more) == ["1200.00", "1234.50", "7.50", "1234.00", "5.00"]


@pytest.mark.parametrize(
    ("decider", "value"),
    [
        *(("12.5", "1.25"), ("0.500", "1.25"), ("1234.500", "1.25"), ("1,25,000", "1.25")),
        *(("1,250,000", "1.25"), ("1'250.5", "1.25"), ("1.5e3", "1.25"), (".5", "1.25")),
        *(("12,5", "1250.00"), ("0,500", "1250.00"), ("1234,500", "1250.00"), (",5", "1250.00")),
        *(("1.250.000", "1250.00"), ("1 250,5", "1250.00"), ("12,3456", "1250.00")),
        *(("12", "1.25?"), ("2024", "1.25?"), ("foo", "1.25?"), ("1 250", "1.25?")),
    ],
)
def test_a_value_in_no_doubt_decides(decider: str, value: str) -> None:
    assert of_file("1.250", decider)[0] == value


def test_currencies_without_cents_decide_where_no_value_does() -> None:
    texts = ("IDR 15.000", "₫250.000", "COP 30.000", "KRW 12.000", "￥1800", "1900円", "CLP 4.990")
    values = ["15000.00", "250000.00", "30000.00", "12000.00", "1800.00", "1900.00", "4990.00"]
    assert of_file(*texts, "¥4.500") == [*values, "4.50?"]
    assert of_file("4.500", "4,500", currency="IDR") == ["4500.00"] * 2
    assert of_file("4.500", "$4.500", shop="CLP") == ["4500.00"] * 2
    assert of_file("4.500", "EUR 4.500", currency="EUR", shop="CLP") == ["4.50?"] * 2
    assert of_file("4.500", currency="$", shop="COP") == ["4500.00"]


def test_where_nothing_decides_the_point_is_decimal_and_that_is_a_guess() -> None:
    assert of_file("1.234", "1,234", "12", "-5") == ["1.23?", "1234.00?", "12.00", "-5.00"]
    assert of_file("1.234", "1,234", "0.5", "JPY 2,500") == ["1.23", "1234.00", "0.50", "2500.00"]


def test_a_file_that_gives_a_fraction_to_a_currency_without_one_is_a_guess() -> None:
    assert of_file("12.50", "JPY 1.500", "JPY 1,500") == ["12.50", "1.50?", "1500.00"]


def test_groups_alone_give_no_decimals_to_a_currency_without_any() -> None:
    texts = ("₫1.250.000", "VND 250.000", "VND 250,000", "EUR 1,500")
    assert of_file(*texts) == ["1250000.00", "250000.00", "250000.00?", "1.50"]
    assert of_file("1,250,000", "IDR 15,000", "IDR 15.000")[1:] == ["15000.00", "15000.00?"]
    assert of_file("1.250.000,5", "VND 250,000")[1:] == ["250.00?"]


def test_in_a_file_that_contradicts_itself_only_what_is_clear_is_read() -> None:
    texts = ("1,50", "1.50", "1.250,50", "1.250", "1,250", "12", "KRW 1.250")
    expected = ["1.50", "1.50", "1250.50", None, None, "12.00", "1250.00"]
    assert of_file(*texts) == expected


def test_each_file_decides_for_itself_and_a_message_for_nothing() -> None:
    rows: Rows = [("1.250", "a"), ("1,5", "a"), ("1.250", "b"), ("1.5", "b")]
    messages: Rows = [("1,5", None), ("1.250", None), ("1,5", ""), ("1.250", "")]
    values = [(value, guessed) for value, guessed, *_ in read([*rows, *messages])]
    assert values == [
        *((Decimal("1250.00"), False), (Decimal("1.50"), False)),
        *((Decimal("1.25"), False), (Decimal("1.50"), False)),
        *((Decimal("1.50"), False), (Decimal("1.25"), True)),
        *((Decimal("1.50"), False), (Decimal("1.25"), True)),
    ]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "12'50",
            "12 50",
            "19 5",
            "12;50",
            "10%",
            "1 2345",
            "1'23",
            "1 234 56",
            "1_0",
            "123,45,678",
        ),
        *("1,234,56", "1.234.56", "1.23.456", "1,23.4,5", "1 234.567,8", "12 or 13", "(5", "--5"),
        *(
            "-5-",
            "-(5)",
            "$",
            "(",
            "abc12",
            "$5 EUR USD",
            "$5 EUR",
            "€5 USD",
            "5 k",
            "2 l",
            "12,34.50",
            ",",
        ),
    ],
)
def test_what_is_no_amount_for_sure_is_null_and_no_guess(text: str) -> None:
    assert read([(text, "f")]) == [(None, False, None, None)]


@pytest.mark.parametrize(
    "text",
    [
        "–5.00",
        "5.00–",
        "−5.00",
        "($5.00)",
        "$5.00-",
        "-$5.00",
        "$-5.00",
        "—5.00",
        "‑5.00",
        "5.00 -",
    ],
)
def test_a_minus_is_read_in_any_form_and_on_either_side(text: str) -> None:
    assert of_file(text) == ["-5.00"]


@pytest.mark.parametrize(
    ("text", "shop", "code"),
    [
        *(("10 GBP", None, "GBP"), ("€12.00", None, "EUR"), ("11.00", "EUR", None)),
        *(
            ("$5", None, None),
            ("$5", "CAD", "CAD"),
            ("kr 5", "SEK", "SEK"),
            ("$5 CAD", None, "CAD"),
        ),
        *(("R. 50", None, "ZAR"), ("R.50", None, "ZAR"), ("5 \u0783.", None, "MVR")),
        *(("USD $5", "CAD", "USD"), ("COP $ 25.50", None, "COP"), ("mxn$5.25", None, "MXN")),
        *(("-$5 USD", None, "USD"), ("(CAD $5)", None, "CAD"), ("$ -5 CLP", None, "CLP")),
        *(("USD 1.5e3", None, "USD"), ("(5.00) eur", None, "EUR"), ("F CFA 500", "XOF", "XOF")),
    ],
)
def test_an_amount_names_its_currency(text: str, shop: str | None, code: str | None) -> None:
    [(value, _, currency, _)] = read([(text, "f")], shop=shop)
    assert currency == code
    assert value is not None


def test_amounts_are_rounded_once_and_kept_exact_beside() -> None:
    texts = ("1.00499999999999999999", "$1.005", "10000000000000000", "2.675", "1e999")
    assert [(value, exact) for value, _, _, exact in read([(text, "f") for text in texts])] == [
        (Decimal("1.00"), Decimal("1.005")),
        (Decimal("1.01"), Decimal("1.005")),
        (None, Decimal(10) ** 16),
        (Decimal("2.68"), Decimal("2.675")),
        (None, None),
    ]


def test_numbers_are_decided_like_amounts() -> None:
    frame = pl.DataFrame({"text": ["1.250", "0,5", "1.250", "x", None], "file": list("aabbb")})
    found = frame.select(number=read_numbers(pl.col("text"), pl.col("file")))
    assert found.unnest("number").rows() == [
        (Decimal(1250), False),
        (Decimal("0.5"), False),
        (Decimal("1.25"), True),
        (None, False),
        (None, False),
    ]


def _readable(name: str) -> bool:
    """Whether the locale has Latin digits in groups that people count in.

    Toki Pona has not; and of groups apart by an apostrophe Babel leaves out some above a million.
    """
    is_latin = Locale.parse(name).default_numbering_system == "latn"
    return is_latin and not name.startswith("tok") and "'" not in format_decimal(1234, locale=name)


LOCALES = st.sampled_from(sorted(localedata.locale_identifiers())).filter(_readable)
CENTS = st.integers(-(10**11), 10**11).map(lambda cents: Decimal(cents) / 100)


def written(value: Decimal, locale: str, with_currency: bool, accounting: bool) -> str:
    """The value as the locale writes it, with its own country's currency if there is a sign."""
    parsed = Locale.parse(locale)
    territory = parsed.territory if (parsed.territory or "0").isalpha() else None
    currency = next(iter(get_territory_currencies(territory)), None) if territory else None
    sign = parsed.currency_symbols.get(currency, currency) if currency else ""
    pattern = "#,##0.00" if parsed.decimal_formats[None].grouping[0] == 1000 else None
    if not with_currency or currency is None or not currencies_of(sign):
        return format_decimal(value, pattern, locale=locale, decimal_quantization=False)
    return format_currency(
        value,
        currency,
        locale=locale,
        currency_digits=False,
        format_type="accounting" if accounting else "standard",
    )


def mark_of(locale: str) -> str:
    return format_decimal(Decimal("0.5"), locale=locale)[1]


@st.composite
def decidable_column(draw: st.DrawFn) -> list[tuple[str, Decimal]]:
    """Amounts of locales with one decimal mark, one of which decides it."""
    first = draw(LOCALES)
    mark = mark_of(first)
    amounts = draw(st.lists(st.tuples(CENTS, LOCALES, st.booleans(), st.booleans()), max_size=6))
    texts = [
        (written(value, locale, *rest), value)
        for value, locale, *rest in amounts
        if mark_of(locale) == mark
    ]
    thousands = [(f"{n}{',' if mark == '.' else '.'}250", Decimal(n * 1000 + 250)) for n in (1, 12)]
    deciding = (format_decimal(Decimal("1234.5"), locale=first), Decimal("1234.5"))
    return draw(st.permutations([deciding, *thousands, *texts]))


@given(st.lists(decidable_column(), min_size=1, max_size=3), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_any_amount_of_any_locale_comes_back_from_a_file_that_decides(
    files: list[list[tuple[str, Decimal]]], shuffled: object
) -> None:
    rows = [(text, f"f{i}", value) for i, file in enumerate(files) for text, value in file]
    shuffled.shuffle(rows)  # type: ignore[attr-defined]
    found = read([(text, file) for text, file, _ in rows])
    assert [(value, guessed) for value, guessed, *_ in found] == [(v, False) for *_, v in rows]


@given(st.lists(st.tuples(CENTS, st.booleans()), min_size=1, max_size=8), st.booleans())
@settings(deadline=None)
def test_a_contradiction_never_gives_another_amount(
    amounts: list[tuple[Decimal, bool]], thousandths: bool
) -> None:
    unit = Decimal(1000) if thousandths else Decimal(1)
    texts = [
        (format_decimal(value / unit, "#,##0.###", locale="de" if comma else "en"), value / unit)
        for value, comma in amounts
    ]
    found = read([*((text, "f") for text, _ in texts), ("0,5", "f"), ("0.5", "f")])
    for (_, meant), (_, guessed, _, exact) in zip(texts, found, strict=False):
        assert not guessed
        assert exact is None or abs(exact - meant) <= Decimal("0.0005")


@pytest.mark.parametrize(
    "text", ["9999999999999999.995", "€9999999999999999.995", "9,999,999,999,999,999.995"]
)
def test_what_has_no_room_once_it_is_rounded_is_no_amount(text: str) -> None:
    [(value, *_)] = read([(text, "f")])
    assert value is None
