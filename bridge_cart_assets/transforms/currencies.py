"""Codes and signs of currencies -> ISO 4217, with the codes and decimals that Unicode CLDR has.

Belongs here: which texts name a currency, and which currencies have no cents. Does not belong
here: numbers (`amounts`), or whether a line may be in another currency than the shop's.
"""

import re
import unicodedata
from functools import cache

import polars as pl

from bridge_cart_assets.transforms.parsing import present

# The code for no currency, and the one for tests.
_NO_CURRENCIES = frozenset({"XXX", "XTS"})
_DOLLARS = (
    *("USD", "ARS", "AUD", "BBD", "BMD", "BND", "BSD", "BZD", "CAD", "CLP", "COP", "CUP", "DOP"),
    *("FJD", "GYD", "HKD", "JMD", "KYD", "LRD", "MXN", "NAD", "NZD", "SBD", "SGD", "SRD", "TTD"),
    *("TWD", "UYU", "XCD"),
)
# Signs that several currencies are written with: they name none by themselves.
_SHARED: dict[str, tuple[str, ...]] = {
    "$": _DOLLARS,
    "¥": ("JPY", "CNY"),
    "￥": ("JPY", "CNY"),
    "kr": ("DKK", "ISK", "NOK", "SEK"),
    "rs": ("INR", "LKR", "MUR", "NPR", "PKR", "SCR"),
    "₨": ("INR", "LKR", "MUR", "NPR", "PKR", "SCR"),
    "lei": ("MDL", "RON"),
    "c$": ("CAD", "NIO"),
    "br": ("BYN", "ETB"),
    "rf": ("MVR", "RWF"),
    "fcfa": ("XAF", "XOF"),
    "cfa": ("XAF", "XOF"),
}
# Signs of one currency each, as its own country writes them. No single letters but the R of the
# rand: 5 k and 2 l are no amounts of money.
_OWN: dict[str, tuple[str, ...]] = {
    "AED": ("د.إ",),
    "AFN": ("؋",),
    "ALL": ("lekë",),
    "AMD": ("֏",),
    "AOA": ("kz",),
    "ARS": ("ar$",),
    "AUD": ("a$", "au$"),
    "AWG": ("afl",),
    "AZN": ("₼",),
    "BAM": ("km", "км"),
    "BDT": ("৳",),
    "BGN": ("лв",),
    "BHD": ("د.ب",),
    "BIF": ("fbu",),
    "BOB": ("bs",),
    "CAD": ("ca$", "cdn$"),
    "CDF": ("fc",),
    "CHF": ("fr", "sfr"),
    "CLP": ("cl$",),
    "CNY": ("cn¥", "rmb", "元"),
    "COP": ("co$", "col$"),
    "CRC": ("₡",),
    "CZK": ("kč",),
    "DJF": ("fdj",),
    "DOP": ("rd$",),
    "DZD": ("da", "د.ج"),
    "EGP": ("ج.م",),
    "ERN": ("nfk",),
    "ETB": ("ብር",),
    "GBP": ("￡", "₤"),
    "GEL": ("₾",),
    "GHS": ("₵", "gh₵"),
    "GNF": ("fg",),
    "HUF": ("ft",),
    "IDR": ("rp",),
    "IQD": ("د.ع",),
    "JOD": ("د.أ",),
    "JPY": ("jp¥", "円"),
    "KES": ("ksh",),
    "KGS": ("сом",),
    "KHR": ("៛",),
    "KMF": ("cf",),
    "KRW": ("￦", "원"),
    "KWD": ("د.ك",),
    "KZT": ("₸",),
    "LAK": ("₭",),
    "LBP": ("ل.ل",),
    "LKR": ("රු",),
    "LYD": ("د.ل",),
    "MAD": ("د.م",),
    "MGA": ("ar",),
    "MKD": ("ден", "den"),
    "MNT": ("₮",),
    "MOP": ("mop$",),
    "MRU": ("um", "أ.م"),
    "MVR": ("ރ",),
    "MWK": ("mk",),
    "MYR": ("rm",),
    "MZN": ("mtn",),
    "NGN": ("₦",),
    "NPR": ("नेरू",),
    "OMR": ("ر.ع",),
    "PAB": ("b/",),
    "PEN": ("s/",),
    "PLN": ("zł", "zl"),
    "PYG": ("₲", "gs"),
    "QAR": ("ر.ق",),
    "RUB": ("₽", "руб"),
    "SAR": ("ر.س",),
    "SCR": ("sr",),
    "SDG": ("ج.س",),
    "SGD": ("s$", "sg$"),
    "SLE": ("le",),
    "STN": ("db",),
    "SYP": ("ls", "ل.س"),
    "THB": ("฿",),
    "TND": ("dt", "د.ت"),
    "TOP": ("t$",),
    "TRY": ("₺", "tl"),
    "TZS": ("tsh",),
    "UAH": ("₴", "грн"),
    "UGX": ("ush",),
    "USD": ("us$", "u$s", "u$"),
    "UZS": ("сўм", "soʻm"),
    "VES": ("bs.s",),
    "VUV": ("vt",),
    "WST": ("ws$",),
    "XCG": ("cg",),
    "XPF": ("fcfp",),
    "YER": ("ر.ي",),
    "ZAR": ("r",),
}
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

    >>> currency_named("€"), currency_named("$"), currency_named("$", "CAD")
    ('EUR', None, 'CAD')
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
    codes = [code.lower() for code in iso_codes()]
    words = {sign for sign in _signs() if len(sign) > 1}
    # An abbreviation may end in a point; behind any other sign it belongs to the number.
    abbreviations = {word for word in words if unicodedata.category(word[-1]) != "Sc"}
    single = sorted(sign for sign in _signs() if len(sign) == 1)
    forms = [
        *(rf"{_spaced(word)}\.?(?![a-z$])" for word in _longest_first(abbreviations)),
        *(_spaced(word) for word in _longest_first({*codes, *words} - abbreviations)),
        _OTHER_DOLLARS,
        # Behind a single letter too, unless a digit makes it decimal: `R.50` and `R. 50`.
        *(rf"{re.escape(sign)}\.(?= |$)" for sign in single if unicodedata.category(sign) != "Sc"),
        "[" + "".join(re.escape(sign) for sign in single) + "]",
    ]
    return f"(?:{'|'.join(forms)})"


def _longest_first(words: set[str]) -> list[str]:
    return sorted(words, key=lambda word: (-len(word), word))


def _spaced(word: str) -> str:
    """The word as a pattern; a dollar or a CFA franc may stand off (`US $`, `F CFA`)."""
    return re.escape(word).replace(r"\$", r" ?\$").replace("fcf", "f ?cf")


@cache
def _signs() -> dict[str, tuple[str, ...]]:
    from babel import Locale

    symbols = Locale("en").currency_symbols.items()
    from_cldr = {
        re.sub(r"[\s\u00a0\u202f]", "", symbol).removesuffix(".").casefold(): (code,)
        for code, symbol in symbols
        if symbol not in (code, "¤")
    }
    own = {sign: (code,) for code, signs in _OWN.items() for sign in signs}
    return {**from_cldr, **own, **_SHARED}


def _read(names: pl.Series, shop: str | None) -> pl.Series:
    distinct = names.drop_nulls().unique()
    codes = [currency_named(name, shop) for name in distinct]
    return names.replace_strict(
        distinct, pl.Series(codes, dtype=pl.String), default=None, return_dtype=pl.String
    )
