"""Text as people and programs write it -> typed values; unreadable text becomes null.

Belongs here: the accepted spellings of moments, amounts, whole numbers, flags and names.
Does not belong here: which columns a record has and when it is refused (`cleaning`).

Each function takes and gives an expression over strings. The common spelling is read first and
the rarer ones only where it failed, so that clean data costs one pass.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

import polars as pl

from bridge_cart_assets.tables.columns import MONEY, TIMESTAMP

# Words for nothing, in small letters, as databases, spreadsheets and languages write them.
MISSING = (
    *("", "null", "\\n", "(null)", "[null]", "<null>", "{null}", "#null!", "'null'", '"null"'),
    *("none", "(none)", "[none]", "<none>", "nil", "<nil>", "(nil)", "nan", "-nan", "nat", "<nat>"),
    *("n/a", "na", "n.a.", "n.a", "<na>", "(na)", "(n/a)", "#na", "#n/a", "#n/a n/a", "\\na"),
    *("#ref!", "#value!", "#name?", "#div/0!", "#num!", "#error!", "#calc!", "#spill!"),
    *("undefined", "(undefined)", "[undefined]", "<undefined>", "(not set)", "(empty)", "(blank)"),
    *("<empty>", "<blank>", "1.#qnan", "-1.#ind", "1.#ind", "-", "--", "---", "\u2013", "\u2014"),
    *("?", "??", '""', "''"),
)
_LONGEST_MISSING = max(len(word.encode()) for word in MISSING)
_BLANKS = " \t\r\n\u00a0\u2007\u202f\u3000"
# Control characters, marks of direction and characters without width. Scripts and emoji need the
# joiners U+200C and U+200D; a tabulator or a new line is a blank.
_INVISIBLE = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e"
    r"\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
_GUARD = r'(?s)^="(.*)"$'
_ABBREVIATION = 3
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_CENTS = Decimal("0.01")
EXACT = pl.Decimal(38, 10)
_EXACT_LIMIT = Decimal(10) ** 18
_MONEY_LIMIT = Decimal(10) ** 16
_WHOLE_LIMIT = Decimal(2) ** 53

# Spellings of a moment, the most common first: shape, and the formats that read it.
_MOMENTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"^\d{4}-\d{1,2}-\d{1,2}$", ("%Y-%m-%d",)),
    (r"^\d{4}-\d{1,2}-\d{1,2} \d{1,2}:\d{2}:\d{2}(\.\d+)?$", ("%Y-%m-%d %H:%M:%S%.f",)),
    (r"^\d{4}-\d{1,2}-\d{1,2} \d{1,2}:\d{2}$", ("%Y-%m-%d %H:%M",)),
    (
        r"^\d{4}-\d{1,2}-\d{1,2} \d{1,2}:\d{2}(:\d{2}(\.\d+)?)? ?[+-]\d{2}:?(\d{2})?$",
        ("%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z"),
    ),
    (
        r"^\d{1,2}/\d{1,2}/\d{4}( \d{1,2}:\d{2}(:\d{2})?)?$",
        ("%d/%m/%Y", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M"),
    ),
    (
        r"^\d{1,2}-[A-Za-z]{3}-\d{4}( \d{1,2}:\d{2}(:\d{2})?)?$",
        ("%d-%b-%Y", "%d-%b-%Y %H:%M:%S", "%d-%b-%Y %H:%M"),
    ),
    (r"^\d{8}$", ("%Y%m%d",)),
)
_BASIC_ISO = r"^(\d{4})(\d{2})(\d{2})[Tt](\d{2})(\d{2})(\d{2})(.*)$"
_PLAIN_NUMBER = r"^[+-]?\d{1,18}(\.\d{1,18})?$"
# Signs and ISO 4217 codes; not any three letters, or abc12 would be an amount.
_CODES = (
    "USD|EUR|GBP|INR|CHF|JPY|CNY|AUD|CAD|NZD|SEK|NOK|DKK|ISK|PLN|CZK|HUF|RON|BGN|TRY|RUB|UAH|BRL|"
    "MXN|ARS|CLP|COP|PEN|ZAR|KRW|SGD|HKD|TWD|THB|IDR|MYR|PHP|VND|ILS|AED|SAR|QAR|KWD|EGP|MAD|NGN|"
    "KES|GHS|PKR|BDT|LKR|NPR"
)
_SIGNS = "[$€£¥₹₩₽₺₫₪฿]|kr\\.?|zł|kč"
_CURRENCY = re.compile(
    rf"^(?:{_CODES}|[A-Z]{{0,2}}\$|{_SIGNS}|rs\.?)|(?:{_CODES}|{_SIGNS})$", re.IGNORECASE
)
_DIGITS = re.compile(r"^\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$|^\.\d+$|^\d+\.$")
_GROUPED = {
    ",": re.compile(r"^\d{1,3}(?:,\d{2,3})*,\d{3}$"),
    ".": re.compile(r"^\d{1,3}(?:\.\d{3})+$"),
}
_FLAGS = {
    **dict.fromkeys(("true", "yes", "y", "1", "t", "1.0", "on"), True),
    **dict.fromkeys(("false", "no", "n", "0", "f", "0.0", "off"), False),
}


def present(text: pl.Expr) -> pl.Expr:
    """The text without outer blanks and invisible characters; null when it is a word for nothing.

    The guard `="…"`, by which a spreadsheet keeps a text from becoming a number, is taken away.

    >>> texts = pl.DataFrame({"text": [" a ", "N/A", "\\\\N", "#REF!", "b\u200f", '="01"']})
    >>> texts.select(present(pl.col("text"))).to_series().to_list()
    ['a', None, None, None, 'b', '01']
    """
    return text.map_batches(_present, return_dtype=pl.String)


def each_distinct(
    text: pl.Expr, read: Callable[[pl.Expr], pl.Expr], dtype: pl.DataType | type[pl.DataType]
) -> pl.Expr:
    """What `read` makes of each text, where each distinct text is read once.

    >>> texts = pl.DataFrame({"text": ["a", "b", "a"]})
    >>> upper = each_distinct(pl.col("text"), lambda text: text.str.to_uppercase(), pl.String)
    >>> texts.select(upper).to_series().to_list()
    ['A', 'B', 'A']
    """

    def distinct(series: pl.Series) -> pl.Series:
        texts = series.unique()
        if 2 * texts.len() > series.len():
            return pl.select(read(pl.lit(series)).cast(dtype)).to_series()
        values = pl.select(read(pl.lit(texts)).cast(dtype)).to_series()
        if values.equals(texts, null_equal=True):
            return series
        return series.replace_strict(texts, values, default=None, return_dtype=dtype)

    return text.map_batches(distinct, return_dtype=dtype)


def tidy(text: pl.Expr) -> pl.Expr:
    """One blank between words; a text in capitals or in small letters only gets initials.

    A text of up to three letters stays as it is: it may be an abbreviation.

    >>> texts = pl.DataFrame({"text": ["NEW  YORK", "McDonald", "st. ives", "ulm", "TV"]})
    >>> texts.select(tidy(pl.col("text"))).to_series().to_list()
    ['New York', 'McDonald', 'St. Ives', 'ulm', 'TV']
    """
    return each_distinct(text, _tidied, pl.String)


def snake(text: pl.Expr) -> pl.Expr:
    """Words in small letters joined by underscores; null when there is no word.

    >>> texts = pl.DataFrame({"text": ["Home & Garden", "toys", "?"]})
    >>> texts.select(snake(pl.col("text"))).to_series().to_list()
    ['home_garden', 'toys', None]
    """
    return each_distinct(text, _snake, pl.String)


def parse_flag(text: pl.Expr) -> pl.Expr:
    """true/false, yes/no, y/n, 1/0 in any case.

    >>> texts = pl.DataFrame({"text": ["Yes", "0", "maybe"]})
    >>> texts.select(parse_flag(pl.col("text"))).to_series().to_list()
    [True, False, None]
    """
    return (
        present(text)
        .str.to_lowercase()
        .replace_strict(_FLAGS, default=None, return_dtype=pl.Boolean)
    )


def parse_moment(text: pl.Expr) -> pl.Expr:
    """A moment in UTC: ISO 8601, DD/MM/YYYY, DD-Mon-YYYY, YYYYMMDD, epoch (milli)seconds.

    >>> texts = pl.DataFrame({"text": ["2024-01-31", "31/01/2024 14:05", "soon"]})
    >>> moments = texts.select(parse_moment(pl.col("text"))).to_series()
    >>> [None if m is None else f"{m:%Y-%m-%d %H:%M}" for m in moments]
    ['2024-01-31 00:00', '2024-01-31 14:05', None]
    """
    return present(text).map_batches(_moments, return_dtype=TIMESTAMP)


def parse_amount(text: pl.Expr) -> pl.Expr:
    """An amount of money, rounded half up (away from zero) to cents.

    >>> texts = pl.DataFrame({"text": ["1.234,50 €", "10.005", "free"]})
    >>> [str(value) for value in texts.select(parse_amount(pl.col("text"))).to_series()]
    ['1234.50', '10.01', 'None']
    """
    return present(text).map_batches(_amounts, return_dtype=MONEY)


def parse_number(text: pl.Expr) -> pl.Expr:
    """A number as it is written, with ten decimals: a factor, which must not be rounded first.

    >>> texts = pl.DataFrame({"text": ["1.005", "1/3"]})
    >>> texts.select(parse_number(pl.col("text"))).to_series().to_list()
    [Decimal('1.0050000000'), None]
    """
    return present(text).map_batches(_exact_numbers, return_dtype=EXACT)


def parse_whole(text: pl.Expr) -> pl.Expr:
    """A whole number; 2.0 is one, 1.5 is not.

    >>> texts = pl.DataFrame({"text": ["2.0", "1.5", "-3"]})
    >>> texts.select(parse_whole(pl.col("text"))).to_series().to_list()
    [2, None, -3]
    """
    return present(text).map_batches(_wholes, return_dtype=pl.Int64)


def _present(text: pl.Series) -> pl.Series:
    if text.str.contains(rf'{_INVISIBLE}|^\s*="').any():
        visible = text.str.replace_all(_INVISIBLE, "")
        text = visible.str.strip_chars(_BLANKS).str.replace(_GUARD, "$1")
    trimmed = text.str.strip_chars(_BLANKS)
    is_short = trimmed.str.len_bytes() <= _LONGEST_MISSING
    if not is_short.any():
        return trimmed
    words = pl.select(pl.when(is_short).then(trimmed)).to_series().str.to_lowercase()
    return pl.select(pl.when(~words.is_in(MISSING).fill_null(False)).then(trimmed)).to_series()


def _tidied(text: pl.Expr) -> pl.Expr:
    words = present(text).str.replace_all(r"[\s\u00a0]+", " ")
    is_shouted = (words == words.str.to_uppercase()) | (words == words.str.to_lowercase())
    is_long = words.str.count_matches(r"\p{L}") > _ABBREVIATION
    return pl.when(is_shouted & is_long).then(words.str.to_titlecase()).otherwise(words)


def _snake(text: pl.Expr) -> pl.Expr:
    small = present(text).str.to_lowercase()
    joined = small.str.replace_all(r"[^\p{L}\p{N}]+", "_").str.strip_chars("_")
    return pl.when(joined != "").then(joined)


def read_number(text: str) -> Decimal | None:
    """A number as people write it: separators, currency, parentheses, exponents.

    A single comma before exactly three digits separates thousands; a single point is decimal.

    >>> [str(read_number(t)) for t in ("1.234,50 €", "(12.30)", "1,234", "$-5", "1'000.5")]
    ['1234.50', '-12.30', '1234', '-5', '1000.5']
    """
    rest = re.sub(r"[\s\u00a0\u2009\u202f'’_]", "", text).replace("\u2212", "-")
    signs = ""
    if "(" in rest:
        # The currency may stand before or behind the parentheses, or within.
        rest = _CURRENCY.sub("", rest)
        if not (rest.startswith("(") and rest.endswith(")")):
            return None
        signs, rest = "-", rest[1:-1]
    for _ in range(2):
        if rest[:1] in ("+", "-"):
            signs, rest = signs + rest[0], rest[1:]
        elif rest[-1:] in ("+", "-") and rest[-2:-1].isdigit():
            signs, rest = signs + rest[-1], rest[:-1]
        rest = _CURRENCY.sub("", rest)
    digits = _with_decimal_point(rest)
    if len(signs) > 1 or not _DIGITS.match(digits):
        return None
    try:
        value = Decimal(digits)
    except InvalidOperation:
        return None
    return -value if signs == "-" else value


def _with_decimal_point(text: str) -> str:
    comma, point = text.rfind(","), text.rfind(".")
    if comma >= 0 and point >= 0:
        thousands = "," if comma < point else "."
        decimal = "." if thousands == "," else ","
        integer, _, cents = text.rpartition(decimal)
        if not _GROUPED[thousands].match(integer):
            return ""
        return f"{integer.replace(thousands, '')}.{cents}"
    if text.count(".") > 1:
        return text.replace(".", "") if _GROUPED["."].match(text) else ""
    if comma >= 0:
        grouped = _GROUPED[","].match(text) and not text.startswith("0")
        if grouped:
            return text.replace(",", "")
        return text.replace(",", ".") if text.count(",") == 1 else ""
    return text


def _moments(text: pl.Series) -> pl.Series:
    spelt = (
        text.str.replace(r"^(\d{8}[Tt]\d{4})([^\d].*)?$", "${1}00$2")
        .str.replace(_BASIC_ISO, "$1-$2-$3 $4:$5:$6$7")
        .str.replace(r":(\d{2}),(\d)", ":$1.$2")
        .str.replace(r"^(\d{9,10}|\d{12,13})\.0+$", "$1")
        .str.replace(r"^(\d{4}-\d{1,2}-\d{1,2})[Tt]", "$1 ")
        .str.replace(r" ?([Zz]|UTC|GMT)$", "+00:00")
        .str.replace(r"^(\d{4}-\d{1,2}-\d{1,2})\+00:00$", "$1")
    )
    found = text.clear(text.len()).cast(TIMESTAMP)
    for shape, formats in _MOMENTS:
        for form in formats:
            if not found.null_count() - text.null_count():
                return _plausible(found)
            rest = pl.select(
                pl.when(found.is_null() & spelt.str.contains(shape)).then(spelt)
            ).to_series()
            if rest.null_count() == rest.len():
                break
            read = rest.str.to_datetime(form, strict=False, time_unit="us")
            zoned = read if read.dtype == TIMESTAMP else read.dt.replace_time_zone("UTC")
            found = pl.select(pl.coalesce(found, zoned)).to_series()
    epoch = spelt.cast(pl.Int64, strict=False)
    seconds = pl.select(pl.when(spelt.str.contains(r"^\d{9,10}$")).then(epoch * 1_000_000))
    millis = pl.select(pl.when(spelt.str.contains(r"^\d{12,13}$")).then(epoch * 1_000))
    ticks = pl.select(pl.coalesce(seconds.to_series(), millis.to_series())).to_series()
    return _plausible(pl.select(pl.coalesce(found, ticks.cast(TIMESTAMP))).to_series())


def _plausible(moments: pl.Series) -> pl.Series:
    inside = (moments >= _EARLIEST) & (moments < _LATEST)
    return pl.select(pl.when(inside).then(moments)).to_series()


def _amounts(text: pl.Series) -> pl.Series:
    return _numbers(text, _as_money, _plain_money)


def _exact_numbers(text: pl.Series) -> pl.Series:
    return _numbers(text, _as_exact, lambda plain: plain.cast(EXACT, strict=False))


def _wholes(text: pl.Series) -> pl.Series:
    return _numbers(text, _as_whole, _plain_whole)


def _numbers(
    text: pl.Series,
    odd: Callable[[str], object],
    plain: Callable[[pl.Series], pl.Series],
) -> pl.Series:
    is_plain = text.str.contains(_PLAIN_NUMBER)
    found = plain(pl.select(pl.when(is_plain).then(text)).to_series())
    others = text.filter((~is_plain).fill_null(False)).unique()
    if not others.len():
        return found
    read = pl.Series([odd(t) for t in others], dtype=found.dtype)
    known = pl.DataFrame({"text": others, "value": read})
    looked_up = pl.DataFrame({"text": text}).join(
        known, on="text", how="left", maintain_order="left"
    )
    return pl.select(pl.coalesce(found, looked_up["value"])).to_series()


def _plain_money(text: pl.Series) -> pl.Series:
    exact = text.cast(pl.Decimal(38, 18), strict=False)
    return exact.round(2, mode="half_away_from_zero").cast(MONEY, strict=False)


def _plain_whole(text: pl.Series) -> pl.Series:
    exact = text.cast(pl.Decimal(38, 18), strict=False)
    number = exact.cast(pl.Int64, strict=False)
    is_whole = exact == number.cast(pl.Decimal(38, 18), strict=False)
    inside = number.abs() <= int(_WHOLE_LIMIT)
    return pl.select(pl.when(is_whole & inside).then(number)).to_series()


def _as_money(text: str) -> Decimal | None:
    value = read_number(text)
    if value is None or abs(value) >= _MONEY_LIMIT:
        return None
    return value.quantize(_CENTS, rounding=ROUND_HALF_UP)


def _as_exact(text: str) -> Decimal | None:
    value = read_number(text)
    if value is None or abs(value) >= _EXACT_LIMIT:
        return None
    return value.quantize(Decimal(1).scaleb(-EXACT.scale), rounding=ROUND_HALF_UP)


def _as_whole(text: str) -> int | None:
    value = read_number(text)
    if value is None or abs(value) > _WHOLE_LIMIT or value != value.to_integral_value():
        return None
    return int(value)
