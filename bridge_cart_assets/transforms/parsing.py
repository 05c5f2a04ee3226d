"""Text as people and programs write it -> typed values; unreadable text becomes null.

Belongs here: what no value is, the accepted spellings of flags and names. Does not belong here:
moments (`dates`), amounts and numbers (`amounts`), or which columns a record has and when it is
refused (`cleaning`).

Each function takes and gives an expression over strings. The common spelling is read first and
the rarer ones only where it failed, so that clean data costs one pass.
"""

from collections.abc import Callable

import polars as pl

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
# What is certainly present as it stands, in one look: printable ASCII without outer blanks or a
# guard that is longer than any word for nothing, or ends with a digit as none of them does.
_CLEAR = (
    r'^(?:[!-"$-<>-~][ -"$-~]*[0-9][A-Za-z]?|[0-9][A-Za-z]?'
    rf"|[!-<>-~][ -~]{{{_LONGEST_MISSING - 1},}}[!-~])$"
)
# Between words: more than a blank, or another one.
_BLANKS_TO_TIDY = r"\s\s|[^\S ]"
_ABBREVIATION = 3
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

    def values_of(series: pl.Series) -> pl.Series:
        return pl.select(read(pl.lit(series)).cast(dtype)).to_series()

    return text.map_batches(lambda some: _by_distinct(some, values_of, dtype), return_dtype=dtype)


def _by_distinct(
    series: pl.Series,
    read: Callable[[pl.Series], pl.Series],
    dtype: pl.DataType | type[pl.DataType],
) -> pl.Series:
    texts = series.unique()
    if 2 * texts.len() > series.len():
        return read(series)
    values = read(texts)
    if texts.dtype == dtype and values.equals(texts, null_equal=True):
        return series
    return series.replace_strict(texts, values, default=None, return_dtype=dtype)


def in_places(
    series: pl.Series, places: pl.Series, change: Callable[[pl.Series], pl.Series]
) -> pl.Series:
    """The series with some of its values changed; only these are looked at.

    Args:
        series: all values.
        places: which of them to change; null is no.
        change: gives as many values of the same type.

    >>> texts = pl.Series(["a", "B", "c"])
    >>> in_places(texts, texts < "b", lambda some: some.str.to_lowercase()).to_list()
    ['a', 'b', 'c']
    """
    rows = places.arg_true()
    if rows.is_empty():
        return series
    if rows.len() == series.len():
        return change(series)
    # The series that scatter is called on is changed too.
    return series.clone().scatter(rows, change(series.gather(rows)))


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


def _present(text: pl.Series) -> pl.Series:
    return in_places(
        text,
        ~text.str.contains(_CLEAR),
        lambda odd: _by_distinct(odd, _present_of_odd, pl.String),
    )


def _present_of_odd(text: pl.Series) -> pl.Series:
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
    return present(text).map_batches(_tidied_words, return_dtype=pl.String)


def _tidied_words(words: pl.Series) -> pl.Series:
    apart = in_places(
        words,
        words.str.contains(_BLANKS_TO_TIDY),
        lambda some: some.str.replace_all(r"[\s\u00a0]+", " "),
    )
    is_mixed = apart.str.contains("[a-z]") & apart.str.contains("[A-Z]")
    return in_places(apart, ~is_mixed, lambda some: pl.select(_with_initials(some)).to_series())


def _with_initials(some: pl.Series) -> pl.Expr:
    words = pl.lit(some)
    is_shouted = (words == words.str.to_uppercase()) | (words == words.str.to_lowercase())
    is_long = words.str.count_matches(r"\p{L}") > _ABBREVIATION
    # The capital of O'Brien begins a name, and the s of men's no word.
    initials = words.str.to_titlecase().str.replace_all(r"(\p{L}['\u2019])S\b", "${1}s")
    return pl.when(is_shouted & is_long).then(initials).otherwise(words)


def _snake(text: pl.Expr) -> pl.Expr:
    small = present(text).str.to_lowercase()
    joined = small.str.replace_all(r"[^\p{L}\p{N}]+", "_").str.strip_chars("_")
    return pl.when(joined != "").then(joined)
