"""Countries in any spelling or code -> their English names in Unicode CLDR, by the library Babel.

Belongs here: reading names and codes of countries. Does not belong here: other columns
(`cleaning`), or numbering plans (`phones`).

The English names and the codes are read first. Names in other languages are loaded only when a text
is neither: they take half a second.
"""

import re
import unicodedata
from collections import Counter
from functools import cache

import polars as pl

from bridge_cart_assets.transforms.parsing import each_distinct, present

# The languages of most people who may have typed a country; Babel has 300 more.
_LANGUAGES = (
    "de fr es it pt nl sv da nb no nn fi is pl cs sk hu ro bg el tr ru uk be sr hr bs sl mk sq et "
    "lv lt ga cy mt ca eu gl lb ar he fa ur hi bn ta te mr gu kn ml pa si ne th lo km my vi id ms "
    "fil sw af zu am ja ko zh ka hy az kk uz mn"
)
# Regions that are no countries, and codes that are nobody's.
_NO_COUNTRY = ("EU", "EZ", "UN", "QO", "XA", "XB", "ZZ")
# Spellings that are in no list of names.
_ALIASES = {
    "AE": "uae",
    "BA": "bosnia",
    "BO": "bolivia plurinational state of",
    "CD": "drc, dr congo, democratic republic of the congo, congo the democratic republic of the",
    "CG": "congo, republic of the congo",
    "CI": "ivory coast",
    "CN": "prc, peoples republic of china, mainland china",
    "CV": "cabo verde",
    "CZ": "czech republic, tschechische republik, republique tcheque, republica checa",
    "DE": "ger, federal republic of germany",
    "FK": "falkland islands malvinas",
    "FM": "micronesia federated states of",
    "AT": "oesterreich",
    "DO": "dominican rep",
    "GB": "great britain, england, scotland, wales, northern ireland, britain, grossbritannien, "
    "grande bretagne, gran bretana, gran bretagna, groot brittannie, "
    "united kingdom of great britain and northern ireland",
    "GR": "hellas",
    "HK": "hong kong",
    "IE": "eire, republic of ireland",
    "IR": "iran islamic republic of",
    "KP": "korea democratic peoples republic of",
    "KR": "korea, korea republic of, republic of korea",
    "LA": "lao peoples democratic republic",
    "MD": "moldova republic of",
    "MK": "macedonia, fyrom",
    "MO": "macau, macao",
    "NL": "holland, the netherlands",
    "PS": "palestine, palestine state of, state of palestine",
    "RU": "russian federation",
    "SA": "ksa",
    "SY": "syrian arab republic",
    "SZ": "swaziland",
    "TR": "turkey",
    "TW": "taiwan province of china, taiwan republic of china",
    "TZ": "tanzania united republic of",
    "US": "united states of america, america, vereinigte staaten von amerika, "
    "etats unis damerique, estados unidos de america, eeuu, ee uu",
    "VA": "holy see, vatican",
    "VE": "venezuela bolivarian republic of",
    "VN": "viet nam",
    "ZA": "rsa",
}
_NAMIBIA = "NA"
_FORM_OF_STATE = re.compile(
    r"^((federal|federative|islamic|democratic|peoples|socialist|hashemite|arab) )*"
    r"(republic|kingdom|state|commonwealth|principality|sultanate|union|duchy|grand duchy) of "
)


def territory(text: pl.Expr) -> pl.Expr:
    """The ISO 3166 code of a country by its name, in many languages, or by a code; else null.

    >>> texts = pl.DataFrame({"text": ["USA", "U.K.", "Deutschland", "esp", "Narnia"]})
    >>> texts.select(territory(pl.col("text"))).to_series().to_list()
    ['US', 'GB', 'DE', 'ES', None]
    """
    return each_distinct(text, _codes, pl.String)


def read_countries(text: pl.Expr, file: pl.Expr) -> pl.Expr:
    """The country under its English name; what is no country stays as received.

    `NA` is Namibia where all other values of the file are codes of two letters, and otherwise a
    word for nothing.

    Args:
        text: the country as received.
        file: what tells one file from another; null for messages, which decide nothing.

    >>> rows = pl.DataFrame({"text": ["DE", "NA", "usa", "NA"], "file": ["a", "a", "b", "b"]})
    >>> rows.select(read_countries(pl.col("text"), pl.col("file"))).to_series().to_list()
    ['Germany', 'Namibia', 'United States', None]
    """
    return pl.struct(text.alias("text"), file.alias("file")).map_batches(
        _countries, return_dtype=pl.String
    )


def _countries(pairs: pl.Series) -> pl.Series:
    frame = pairs.struct.unnest()
    names = frame.select(each_distinct(pl.col("text"), _names, pl.String)).to_series()
    is_na = (frame["text"].str.strip_chars() == _NAMIBIA).fill_null(False)
    if not is_na.any():
        return names
    code = present(pl.col("text")).str.contains(r"^[A-Za-z]{2}$")
    of_codes = frame.select(code.all().over("file") & code.any().over("file")).to_series()
    is_namibia = is_na & of_codes & frame["file"].is_not_null()
    namibia = pl.lit(_english()[_NAMIBIA])
    return pl.select(pl.when(pl.lit(is_namibia)).then(namibia).otherwise(names)).to_series()


def _codes(text: pl.Expr) -> pl.Expr:
    return present(text).map_elements(_code_of, return_dtype=pl.String)


def _names(text: pl.Expr) -> pl.Expr:
    code = _codes(text)
    return pl.coalesce(
        code.map_elements(lambda code: _english()[code], return_dtype=pl.String), present(text)
    )


@cache
def _code_of(text: str) -> str | None:
    key = _key(text)
    if not key:
        return None
    known = _known()
    code = known.get(key) or known.get(_key(_FORM_OF_STATE.sub("", key)))
    return code or _in_other_languages().get(key)


def _key(text: str) -> str:
    """A name without what is spelt in several ways: case, accents, points, hyphens, articles."""
    letters = unicodedata.normalize("NFKD", text.casefold().replace("&", " and "))
    kept = "".join(
        " " if letter in "-_,;()/[]" else letter
        for letter in letters
        if letter not in ".'\u2019\u02bc`*" and not unicodedata.combining(letter)
    )
    words = ["st" if word in ("saint", "sankt") else word for word in kept.split()]
    return " ".join(words[1:] if words[:1] == ["the"] else words)


@cache
def _english() -> dict[str, str]:
    """ISO code -> English name."""
    return _territories("en")


@cache
def _known() -> dict[str, str]:
    """English names, codes of two and three letters, and the aliases -> ISO code."""
    from babel.core import get_global

    english = _english()
    aliases = {
        key: new[0] for key, new in get_global("territory_aliases").items() if new[0] in english
    }
    # A name in parentheses is another name: Myanmar (Burma).
    parts = {
        part.strip(" )"): code for code, name in english.items() for part in name.split("(") if part
    }
    spelt = {name: code for code, names in _ALIASES.items() for name in names.split(", ")}
    names = {name: code for code, name in english.items()}
    codes = {code: code for code in english}
    found: dict[str, str] = {}
    for some in (aliases, parts, names, spelt, codes, {"UK": "GB", "EL": "GR"}):
        found |= {_key(name): code for name, code in some.items()}
    return found


@cache
def _in_other_languages() -> dict[str, str]:
    """Names in other languages -> ISO code; a name of two countries is none."""
    names = {
        (_key(name), code)
        for language in _LANGUAGES.split()
        for code, name in _territories(language).items()
    }
    meanings = Counter(name for name, _ in names)
    return {name: code for name, code in names if meanings[name] == 1}


def _territories(language: str) -> dict[str, str]:
    from babel import localedata

    # With what it inherits: Babel keeps what it has loaded, for all who ask for the locale later.
    names = localedata.load(language).get("territories", {})
    return {
        code: str(name)
        for code, name in names.items()
        if len(code) == 2 and code.isalpha() and code not in _NO_COUNTRY
    }
