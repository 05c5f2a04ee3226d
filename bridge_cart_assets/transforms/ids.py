"""Ids as files carry them -> the ids that the shop gave.

Belongs here: what programs on the way add to an id, and texts that cannot be one. Does not belong
here: which ids a record must have (`cleaning`).
"""

import polars as pl

from bridge_cart_assets.transforms.parsing import in_places, present

# Most ids: nothing can be added to them. `E` and a sign make a number of a spreadsheet.
_PLAIN = r"^[0-9A-Za-z_#]+(-[0-9A-Za-z_#]+)*$"
_INVISIBLE = r"[\p{Cc}\p{Cf}]"
_BLANKS = " \t\r\n\u00a0\u2007\u202f\u3000"
_ROUNDED = r"^[+-]?\d+([.,]\d+[eE][+-]?|[eE][+-])\d+$"
# A JSON object or array, also as Python or JavaScript write them.
_NESTED = r"(?s)^(\{.*\}|\[.*\])$"
_BOOLEAN = r"^(?i:true|false)$"
_NO_TEXT = "\ufffd"


def tidy_id(text: pl.Expr) -> pl.Expr:
    """The id without what is not part of it; null when there is none.

    Blanks around it, control and direction characters, a spreadsheet's guards (`="00123"`,
    `'00123`) and a float's `.0` are taken away, and the text is in NFC. Case is kept.

    >>> texts = pl.DataFrame({"text": ['="00123"', "12345.0", "c\u200e001", "NULL"]})
    >>> texts.select(tidy_id(pl.col("text"))).to_series().to_list()
    ['00123', '12345', 'c001', None]
    """
    return text.map_batches(_tidied, return_dtype=pl.String)


def is_id(text: pl.Expr) -> pl.Expr:
    """Whether a tidied text can be an id.

    A spreadsheet has rounded `5.01235E+12`, so two ids may have become one. A JSON object, an array
    or a boolean is something else than an id, and bytes that are no text cannot be compared.

    >>> texts = pl.DataFrame({"text": ["C-1", "12E5", "5.01235E+12", '{"id": 5}', "true"]})
    >>> texts.select(is_id(pl.col("text"))).to_series().to_list()
    [True, True, False, False, False]
    """
    return text.map_batches(_possible, return_dtype=pl.Boolean)


def _tidied(text: pl.Series) -> pl.Series:
    freed = in_places(text, ~text.str.contains(_PLAIN), _freed)
    return pl.select(present(pl.lit(freed))).to_series()


def _freed(odd: pl.Series) -> pl.Series:
    return (
        odd.str.replace_all(_INVISIBLE, "")
        .str.strip_chars(_BLANKS)
        .str.replace(r'^="(.*)"$', "$1")
        .str.replace(r"^'(.*?)'?$", "$1")
        .str.strip_chars(_BLANKS)
        .str.replace(r"(\d)\.0+$", "$1")
        .str.normalize("NFC")
    )


def _possible(text: pl.Series) -> pl.Series:
    suspicious = text.str.contains(rf"{_ROUNDED}|^[\{{\[]|{_BOOLEAN}|{_NO_TEXT}")
    if not suspicious.any():
        return ~suspicious
    wrong = "|".join((_ROUNDED, _NESTED, _BOOLEAN, _NO_TEXT))
    return ~text.str.contains(wrong)
