"""Codes and signs of currencies -> ISO 4217, with the codes and decimals that Unicode CLDR has.

Belongs here: which texts name a currency, and which currencies have no cents. Does not belong
here: numbers (`amounts`), or whether a line may be in another currency than the shop's.
"""

import re
from functools import cache

import polars as pl

from bridge_cart_assets.transforms.parsing import present

# The code for no currency, and the one for tests.
_NO_CURRENCIES = frozenset({"XXX", "XTS"})
_DOLLARS = tuple(
    "USD ARS AUD BBD BMD BND BSD BZD CAD CLP COP CUP DOP FJD GYD HKD JMD KYD LRD MXN NAD NZD SBD "
    "SGD SRD TTD TWD UYU XCD".split()
)
# Currencies that are written with a sign. A sign with several names none of them by itself.
_WRITTEN: dict[str, tuple[str, ...]] = {
    "$": _DOLLARS,
    "¥": ("JPY", "CNY"),
    "￥": ("JPY", "CNY"),
    "kr": ("DKK", "ISK", "NOK", "SEK"),
    "rs": ("INR", "LKR", "MUR", "NPR", "PKR", "SCR"),
    "₨": ("INR", "LKR", "MUR", "NPR", "PKR", "SCR"),
    "lei": ("MDL", "RON"),
    "c$": ("CAD", "NIO"),
    "fcfa": ("XAF", "XOF"),
    "cfa": ("XAF", "XOF"),
    **{
        sign: (code,)
        for code, signs in {
            "ARS": "ar$",
            "AUD": "a$ au$",
            "AZN": "₼",
            "BDT": "৳",
            "BGN": "лв",
            "CAD": "ca$ cdn$",
            "CHF": "fr sfr",
            "CLP": "cl$",
            "CNY": "cn¥ rmb 元",
            "COP": "co$ col$",
            "CRC": "₡",
            "CZK": "kč",
            "GBP": "￡ ₤",
            "GEL": "₾",
            "GHS": "₵ gh₵",
            "HUF": "ft",
            "IDR": "rp",
            "JPY": "jp¥ 円",
            "KHR": "៛",
            "KRW": "￦ 원",
            "KZT": "₸",
            "LAK": "₭",
            "MNT": "₮",
            "MYR": "rm",
            "NGN": "₦",
            "PEN": "s/",
            "PLN": "zł zl",
            "PYG": "₲",
            "RUB": "₽ руб",
            "SGD": "s$ sg$",
            "THB": "฿",
            "TRY": "₺ tl",
            "UAH": "₴ грн",
            "USD": "us$ u$s u$",
            "ZAR": "r",
        }.items()
        for sign in signs.split()
    },
}
# Signs that are abbreviations may end in a point; any other point belongs to the number.
_ABBREVIATIONS = r"(?:kr|rs|fr|sfr|rp|zł|zl|kč|ft|лв|руб|грн|s/)\.?"
_OTHER_DOLLARS = r"[a-z]{1,3} ?\$"


@cache
def iso_codes() -> frozenset[str]:
    """The codes of ISO 4217, those of former currencies too: orders may be old.

    >>> sorted(iso_codes() & {"EUR", "HRK", "XXX", "ABC"})
    ['EUR', 'HRK']
    """
    from babel.numbers import list_currencies

    return frozenset(list_currencies()) - _NO_CURRENCIES


@cache
def without_cents() -> frozenset[str]:
    """Currencies whose prices have no decimals: formally (JPY), or as they circulate (IDR, COP).

    >>> sorted(without_cents() & {"JPY", "IDR", "COP", "EUR", "KWD"})
    ['COP', 'IDR', 'JPY']
    """
    from babel.core import get_global

    fractions = get_global("currency_fractions")
    return frozenset(code for code, (decimals, *_) in fractions.items() if decimals == 0)


def currencies_of(name: str) -> tuple[str, ...]:
    """The currencies that a code or a sign may mean; none when it is neither.

    >>> currencies_of("eur"), currencies_of("US$"), currencies_of("¥"), currencies_of("points")
    (('EUR',), ('USD',), ('JPY', 'CNY'), ())
    """
    key = re.sub(r"[\s\u00a0\u202f]", "", name).removesuffix(".").casefold()
    if key.upper() in iso_codes():
        return (key.upper(),)
    return _signs().get(key, ())


def currency_named(name: str, shop: str | None = None) -> str | None:
    """The one currency that a code or a sign names.

    Args:
        name: the code or sign.
        shop: the shop's currency; it decides where the sign alone names several.

    >>> currency_named("€"), currency_named("$"), currency_named("$", "CAD"), currency_named("$", "EUR")
    ('EUR', None, 'CAD', None)
    """
    meant = currencies_of(name)
    if len(meant) == 1:
        return meant[0]
    return shop if shop in meant else None


def read_currencies(text: pl.Expr, shop: str | None = None) -> pl.Expr:
    """The ISO code of each code or sign; null where the text names no currency, or several.

    >>> texts = pl.DataFrame({"text": ["eur", "₹", "$", None]})
    >>> texts.select(read_currencies(pl.col("text"))).to_series().to_list()
    ['EUR', 'INR', None, None]
    """
    return present(text).map_batches(lambda names: _read(names, shop), return_dtype=pl.String)


@cache
def sign_pattern() -> str:
    """A regular expression (for small letters) that a code or a sign of a currency matches.

    >>> [bool(re.fullmatch(sign_pattern(), sign)) for sign in ("usd", "us$", "fr.", "usd.", "kg")]
    [True, True, True, False, False]
    """
    words = [code.lower() for code in iso_codes()] + [s for s in _signs() if len(s) > 1]
    by_length = sorted(words, key=lambda word: (-len(word), word))
    named = "|".join(re.escape(word).replace(r"\$", r" ?\$") for word in by_length)
    single = "".join(re.escape(sign) for sign in sorted(_signs()) if len(sign) == 1)
    return rf"(?:{_ABBREVIATIONS}(?![a-z$])|{named}|{_OTHER_DOLLARS}|[{single}])"


@cache
def _signs() -> dict[str, tuple[str, ...]]:
    from babel import Locale

    symbols = Locale("en").currency_symbols.items()
    from_cldr = {
        re.sub(r"[\s\u00a0\u202f]", "", symbol).removesuffix(".").casefold(): (code,)
        for code, symbol in symbols
        if symbol not in (code, "¤")
    }
    return {**from_cldr, **_WRITTEN}


def _read(names: pl.Series, shop: str | None) -> pl.Series:
    distinct = names.drop_nulls().unique()
    codes = [currency_named(name, shop) for name in distinct]
    return names.replace_strict(
        distinct, pl.Series(codes, dtype=pl.String), default=None, return_dtype=pl.String
    )
