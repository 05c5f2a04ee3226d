"""Which texts name a currency."""

import polars as pl
import pytest

from bridge_cart_assets.transforms.currencies import (
    currencies_of,
    currency_named,
    iso_codes,
    read_currencies,
    without_cents,
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *(("EUR", "EUR"), ("eur", "EUR"), ("€", "EUR"), ("£", "GBP"), ("₹", "INR"), ("US$", "USD")),
        *(("US $", "USD"), ("R$", "BRL"), ("Fr.", "CHF"), ("zł", "PLN"), ("円", "JPY")),
        *(("CA$", "CAD"), ("₱", "PHP"), ("R", "ZAR"), ("HRK", "HRK"), ("A$", "AUD")),
    ],
)
def test_a_code_or_a_sign_names_one_currency(text: str, code: str) -> None:
    assert currency_named(text) == currency_named(text, "SEK") == code


@pytest.mark.parametrize(
    ("text", "shop"),
    [("$", "USD"), ("$", "COP"), ("¥", "JPY"), ("￥", "CNY"), ("kr", "SEK"), ("kr.", "DKK")],
)
def test_a_sign_of_several_names_the_shops_currency_where_it_is_written_so(
    text: str, shop: str
) -> None:
    assert currency_named(text) is None
    assert currency_named(text, shop) == shop
    assert currency_named(text, "EUR") is None


@pytest.mark.parametrize("text", ["points", "XXX", "XTS", "k", "", "12", "ABC"])
def test_what_names_no_currency_is_none(text: str) -> None:
    assert currencies_of(text) == ()


def test_a_column_of_currencies_is_read() -> None:
    frame = pl.DataFrame({"text": ["USD", " € ", "$", "n/a", "?!", None]})
    read = frame.select(
        alone=read_currencies(pl.col("text")), at_home=read_currencies(pl.col("text"), "CAD")
    )
    assert read["alone"].to_list() == ["USD", "EUR", None, None, None, None]
    assert read["at_home"].to_list() == ["USD", "EUR", "CAD", None, None, None]


def test_currencies_without_cents_are_those_without_and_those_that_circulate_so() -> None:
    assert {"JPY", "KRW", "VND", "CLP", "IDR", "COP", "ISK", "HUF"} <= without_cents()
    assert not without_cents() & {"EUR", "USD", "CNY", "KWD", "SEK", "CZK", "MXN", "INR"}
    assert without_cents() <= iso_codes()
