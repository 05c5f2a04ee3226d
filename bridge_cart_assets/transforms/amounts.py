"""Amounts and numbers as people and programs write them, each column of a file read one way.

Belongs here: separators, signs, parentheses, and whether a point or a comma is decimal. Does not
belong here: which currency a sign means (`currencies`), or which amounts a line may have.

`1.234` is 1234 where a comma is decimal, and 1.234 where a point is. The values of the column
that can be read in one way only decide it; where there are none, a currency without cents does.
"""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cache

import polars as pl

from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.transforms.currencies import (
    currencies_of,
    currency_named,
    sign_pattern,
    without_cents,
)
from bridge_cart_assets.transforms.parsing import present

EXACT = pl.Decimal(38, 10)
AMOUNT = pl.Struct({"value": MONEY, "guessed": pl.Boolean, "currency": pl.String, "exact": EXACT})
NUMBER = pl.Struct({"value": EXACT, "guessed": pl.Boolean})

# A number in Python's own spelling, but for one to three digits, a point and three digits.
_PLAIN = (
    r"^[+-]?(?:[0-9]{1,18}(?:\.(?:[0-9]{1,2}|[0-9]{4,18}))?|"
    r"(?:0[0-9]{0,17}|[0-9]{4,18})\.[0-9]{3})$"
)
_FINE = pl.Decimal(38, 18)
_CENTS = Decimal("0.01")
_LAST_DECIMAL = Decimal(1).scaleb(-EXACT.scale)
_LIMIT = Decimal(10) ** 18
# Above it a number is no longer exact in JSON.
_WHOLE_LIMIT = 2**53
_MONEY_LIMIT = Decimal(10) ** 16
_INVISIBLE = "\u061c\u200b\u200c\u200d\u200e\u200f\u2066\u2067\u2068\u2069\ufeff"
_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−﹣－", "-"),
        **dict.fromkeys("’‘ʼ′´`", "'"),
        **dict.fromkeys(_INVISIBLE, ""),
    }
)
# Written instead of cents that are zero: `5,-`.
_DASHED_CENTS = re.compile(r"(?<=\d)([.,])-{1,2}(?=[^\d]*$)")
_BY_GROUPS = "no "
_OPEN = re.compile(r"([1-9]\d{0,2})([.,])(\d{3})")
_SIMPLE = re.compile(r"(\d*)(?:([.,])(\d*))?(e[+-]?\d{1,3})?")
_BLANK_GROUPS = re.compile(r"(\d{1,3}(?:([ '_])\d{3})(?:\2\d{3})*)(?:([.,])(\d*))?")
_COMMA_GROUPS = re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3}")
_POINT_GROUPS = re.compile(r"\d{1,3}(?:\.\d{3})+")


@dataclass(frozen=True)
class _Reading:
    """What a text says about itself.

    Attributes:
        point, comma: the number where a point, or a comma, is decimal.
        mark: the decimal mark that it shows without doubt; behind `_BY_GROUPS` when it shows none
            but groups with the other one.
        name: the code or sign of a currency in it.
    """

    point: Decimal
    comma: Decimal
    mark: str | None = None
    name: str | None = None


def read_amounts(
    text: pl.Expr, file: pl.Expr, currency: pl.Expr | None = None, shop: str | None = None
) -> pl.Expr:
    """Amounts of money.

    A file's values that leave no doubt (`1.250,50`, `12.5`) decide about those that do (`1.250`).
    Where there are none, a currency without cents has no decimals, and elsewhere the point is
    decimal. In a file that shows both marks, what leaves a doubt is null.

    Args:
        text: the column of amounts.
        file: what tells the files apart; null or empty for a value by itself (a message).
        currency: the column that names the currency, if there is one.
        shop: the shop's currency: of amounts that name none, and of signs that several have.

    Returns:
        A struct. value: rounded half up (away from zero) to cents. guessed: nothing decided about
        the value. currency: ISO code that the text itself names, or null. exact: ten decimals.

    >>> rows = pl.DataFrame({"text": ["1.250", "3,5 €", "1.250"], "file": ["a", "a", "b"]})
    >>> amounts = rows.select(amount=read_amounts(pl.col("text"), pl.col("file")))
    >>> for value, guessed, currency, _ in amounts.unnest("amount").rows():
    ...     print(value, guessed, currency)
    1250.00 False None
    3.50 False EUR
    1.25 True None
    """
    columns = pl.struct(
        present(text).alias("text"),
        file.cast(pl.String).alias("file"),
        (pl.lit(None) if currency is None else currency).cast(pl.String).alias("currency"),
    )
    return columns.map_batches(lambda rows: _amounts(rows, shop), return_dtype=AMOUNT)


def read_numbers(text: pl.Expr, file: pl.Expr) -> pl.Expr:
    """Numbers with ten decimals, decided like amounts: factors, which must not be rounded first.

    Returns:
        A struct of value and guessed.

    >>> rows = pl.DataFrame({"text": ["1.005", "2,5", "1/3"], "file": ["a", "a", "a"]})
    >>> numbers = rows.select(number=read_numbers(pl.col("text"), pl.col("file")))
    >>> [None if n is None else int(n) for n, _ in numbers.unnest("number").rows()]
    [1005, 2, None]
    """
    columns = pl.struct(
        present(text).alias("text"),
        file.cast(pl.String).alias("file"),
        pl.lit(None, pl.String).alias("currency"),
    )
    return columns.map_batches(_numbers, return_dtype=NUMBER)


def read_wholes(text: pl.Expr) -> pl.Expr:
    """Whole numbers up to 2^53, each read by itself; 2.0 is one, 1.5 is not.

    >>> texts = pl.DataFrame({"text": ["2.0", "1.5", "-3", "1,000"]})
    >>> texts.select(read_wholes(pl.col("text"))).to_series().to_list()
    [2, None, -3, 1000]
    """
    exact = read_numbers(text, pl.lit(None, pl.String)).struct.field("value")
    return exact.map_batches(_wholes, return_dtype=pl.Int64)


def _wholes(exact: pl.Series) -> pl.Series:
    number = exact.cast(pl.Int64, strict=False)
    is_whole = (exact == number.cast(EXACT, strict=False)) & (number.abs() <= _WHOLE_LIMIT)
    return pl.select(pl.when(is_whole).then(number)).to_series()


def _amounts(rows: pl.Series, shop: str | None) -> pl.Series:
    frame = rows.struct.unnest()
    plain = frame["text"].str.contains(_PLAIN)
    fine = _where(plain, frame["text"]).cast(_FINE, strict=False)
    found = pl.DataFrame(
        {
            "value": fine.round(2, mode="half_away_from_zero").cast(MONEY, strict=False),
            "exact": fine.cast(EXACT, strict=False),
        }
    ).with_columns(guessed=False, currency=pl.lit(None, pl.String))
    found = found.select(list(AMOUNT.to_schema()))
    if not (~plain).any():
        return found.to_struct(rows.name)
    cents = pl.coalesce("cents", pl.col("exact").round(2, mode="half_away_from_zero"))
    read = _read_odd(frame, plain, shop).select(
        "row",
        value=pl.when(cents.abs() < _MONEY_LIMIT).then(cents),
        guessed="guessed",
        currency="currency",
        exact="exact",
    )
    return _put(found, read).to_struct(rows.name)


def _numbers(rows: pl.Series) -> pl.Series:
    frame = rows.struct.unnest()
    plain = frame["text"].str.contains(_PLAIN)
    exact = _where(plain, frame["text"]).cast(EXACT, strict=False)
    found = pl.DataFrame({"value": exact}).with_columns(guessed=False)
    if not (~plain).any():
        return found.to_struct(rows.name)
    read = _read_odd(frame, plain, None).select("row", "guessed", value="exact")
    return _put(found, read).to_struct(rows.name)


def _where(condition: pl.Series, text: pl.Series) -> pl.Series:
    return pl.select(pl.when(condition).then(text)).to_series()


def _put(found: pl.DataFrame, read: pl.DataFrame) -> pl.DataFrame:
    """The rows that were read first, and in their places those that were odd."""
    rows = read["row"]
    return found.with_columns(
        found[name].scatter(rows, read[name].cast(dtype)) for name, dtype in found.schema.items()
    )


def _read_odd(frame: pl.DataFrame, plain: pl.Series, shop: str | None) -> pl.DataFrame:
    """The rows that are not plain: row, exact, cents, guessed, currency.

    cents are there where they are not those of exact, which may be rounded already.
    """
    odd = frame.with_row_index("row").filter((~plain).fill_null(False))
    odd = odd.with_columns(file=pl.when(pl.col("file") != "").then("file"))
    odd = odd.join(_readings(odd["text"].unique(), shop), on="text", how="left")
    open_files = odd.filter("is_open")["file"].drop_nulls().unique()
    marks = pl.concat(
        [
            odd.select("file", "mark"),
            frame.filter(plain & frame["text"].str.contains(".", literal=True)).select(
                "file", mark=pl.lit(".")
            ),
        ]
    ).filter(pl.col("file").is_in(open_files.implode()))
    decided = marks.group_by("file").agg(
        has_point=pl.col("mark").str.ends_with(".").any(),
        has_comma=pl.col("mark").str.ends_with(",").any(),
        has_decimals=pl.col("mark").is_in([".", ","]).any(),
    )
    named = _has_no_cents(odd, shop)
    point = pl.col("has_point").fill_null(False)
    comma = pl.col("has_comma").fill_null(False)
    is_open = pl.col("is_open").fill_null(False)
    nothing = point == comma
    no_decimals = ~pl.col("has_decimals").fill_null(False)
    as_group = pl.when(pl.col("opens_with") == ".").then("comma").otherwise("point")
    exact = (
        pl.when(~is_open)
        .then("point")
        # Groups in other amounts do not give decimals to a currency that has none.
        .when((nothing | no_decimals) & pl.col("no_cents"))
        .then(as_group)
        .when(point & comma)
        .then(None)
        .when(comma)
        .then("comma")
        .otherwise("point")
    )
    read = odd.with_columns(no_cents=named).join(decided, on="file", how="left")
    # A column may say that an amount has a fraction, and its currency that it has none.
    by_column = pl.when(comma).then("comma").otherwise("point")
    is_guess = (
        pl.when(nothing)
        .then(~pl.col("no_cents") & ~point)
        .otherwise(pl.col("no_cents") & (by_column != as_group))
    )
    return read.select(
        "row",
        "cents",
        exact=exact,
        guessed=is_open & is_guess & exact.is_not_null(),
        currency="named",
    )


def _has_no_cents(odd: pl.DataFrame, shop: str | None) -> pl.Series:
    """Whether the currency of a row has no cents: that of the text, else of its column, else the
    shop's."""
    column = odd.filter("is_open")["currency"].drop_nulls().unique()
    of_column = {name: _name_no_cents(name, shop) for name in column}
    return odd.select(
        pl.coalesce(
            "no_cents",
            pl.col("currency").replace_strict(of_column, default=None, return_dtype=pl.Boolean),
            pl.lit(shop in without_cents()),
        )
    ).to_series()


def _name_no_cents(name: str, shop: str | None) -> bool | None:
    """Whether each currency that is meant has no cents; null when none is meant."""
    named = currency_named(name, shop)
    meant = {named} if named else set(currencies_of(name))
    if not meant:
        return None
    return meant <= without_cents()


def _readings(texts: pl.Series, shop: str | None) -> pl.DataFrame:
    read = [(text, _read_text(text)) for text in texts]
    rows = [
        (
            text,
            _exact(reading.point),
            _exact(reading.comma) if reading.comma != reading.point else None,
            reading.point.quantize(_CENTS, rounding=ROUND_HALF_UP)
            if reading.comma == reading.point
            else None,
            reading.mark,
            reading.comma != reading.point,
            "." if abs(reading.comma) > abs(reading.point) else ",",
            currency_named(reading.name, shop) if reading.name else None,
            _name_no_cents(reading.name, shop) if reading.name else None,
        )
        for text, reading in read
        if reading is not None and abs(reading.point) < _LIMIT
    ]
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "text": pl.String,
        "point": EXACT,
        "comma": EXACT,
        "cents": pl.Decimal(38, 2),
        "mark": pl.String,
        "is_open": pl.Boolean,
        "opens_with": pl.String,
        "named": pl.String,
        "no_cents": pl.Boolean,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _exact(value: Decimal) -> Decimal:
    return value.quantize(_LAST_DECIMAL, rounding=ROUND_HALF_UP)


def _read_text(text: str) -> _Reading | None:
    """The number in a text: signs, currency and parentheses taken off, then the digits read."""
    rest = " ".join(text.translate(_CHARACTERS).casefold().split())
    rest = _DASHED_CENTS.sub(r"\g<1>00", rest)
    signs, names = "", list[str]()
    if "(" in rest:
        rest = _without_currency(rest, names)
        if not (rest.startswith("(") and rest.endswith(")")):
            return None
        signs, rest = "-", rest[1:-1].strip()
    for _ in range(3):
        if rest[:1] in ("+", "-"):
            signs, rest = signs + rest[0], rest[1:].strip()
        elif rest[-1:] in ("+", "-"):
            signs, rest = signs + rest[-1], rest[:-1].strip()
        rest = _without_currency(rest, names)
    meanings = [set(currencies_of(name)) for name in names]
    # `$10 CAD` names one currency twice, `€10 CAD` two.
    if len(signs) > 1 or (len(names) > 1 and not set.intersection(*meanings)):
        return None
    digits = _read_digits(rest)
    if digits is None:
        return None
    factor = -1 if signs == "-" else 1
    point, comma, mark = digits
    clearest = min(names, key=lambda name: len(currencies_of(name)), default=None)
    return _Reading(factor * point, factor * comma, mark, clearest)


def _without_currency(text: str, names: list[str]) -> str:
    before, behind = _currency_patterns()
    if not text[:1].isdigit() and (match := before.search(text)):
        names.append(match[0])
        text = text[match.end() :].strip()
    if not text[-1:].isdigit() and (match := behind.search(text)):
        names.append(match[0])
        text = text[: match.start()].strip()
    return text


@cache
def _currency_patterns() -> tuple[re.Pattern[str], ...]:
    pattern = sign_pattern()
    return re.compile(rf"^{pattern}"), re.compile(rf"{pattern}$")


def _read_digits(text: str) -> tuple[Decimal, Decimal, str | None] | None:
    """The number where a point is decimal, where a comma is, and the mark that it shows."""
    if match := _OPEN.fullmatch(text):
        integer, mark, rest = match.groups()
        group, fraction = Decimal(integer + rest), Decimal(f"{integer}.{rest}")
        return (fraction, group, None) if mark == "." else (group, fraction, None)
    if match := _SIMPLE.fullmatch(text):
        integer, mark, rest, exponent = match.groups()
        if not integer and not rest:
            return None
        return _clear(f"{integer or 0}.{rest or 0}{exponent or ''}", mark if rest else None)
    if match := _BLANK_GROUPS.fullmatch(text):
        grouped, separator, mark, rest = match.groups()
        return _clear(f"{grouped.replace(separator, '')}.{rest or 0}", mark if rest else None)
    return _read_grouped(text)


def _read_grouped(text: str) -> tuple[Decimal, Decimal, str | None] | None:
    """Groups with a point or a comma, and perhaps the other one before the decimals."""
    for groups, separator, mark in ((_COMMA_GROUPS, ",", "."), (_POINT_GROUPS, ".", ",")):
        integer, _, rest = text.partition(mark)
        if groups.fullmatch(integer) and re.fullmatch(r"\d*", rest):
            shown = mark if rest else f"{_BY_GROUPS}{mark}"
            return _clear(f"{integer.replace(separator, '')}.{rest or 0}", shown)
    return None


def _clear(digits: str, mark: str | None = None) -> tuple[Decimal, Decimal, str | None]:
    value = Decimal(digits)
    return value, value, mark
