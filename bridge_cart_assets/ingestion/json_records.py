"""Objects of JSON, one a line or a message, as records.

Belongs here: reading JSON so that nothing is rewritten: numbers keep their spelling, what is nested
becomes JSON text, and an object that has a name twice is no record. Does not belong here: lines
and their encoding (`text_decoding`).

Python's reader judges every text, but not one by one: machines write most objects in one shape, the
same names in the same order with plain values. Such a shape is one regular expression over the
whole column. A text that matches it is exactly that object; all others go to Python.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence

import polars as pl

from bridge_cart_assets.ingestion.raw_rows import (
    CODE,
    POS,
    RESCUED,
    TEXT,
    ParsedRecords,
    as_raw,
    match_column_names,
    require,
    shown_names,
)
from bridge_cart_assets.sources import Source

_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_SAMPLE = 64
_MOST_SHAPES = 8
# Below that Python is done before a regular expression is made.
_FEW = 200
# JSON's own grammar of a value, but for strings with an escape and for what is nested.
_PLAIN = r'[^"\\\x00-\x1f]*'
_SPACE = r"[ \t\r\n]*"
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_VALUE = f'("{_PLAIN}"|{_NUMBER}|true|false|null)'
_IS_PLAIN = re.compile(_PLAIN)

Fields = dict[str, str | None]


def read_json(texts: pl.DataFrame, source: Source, is_file: bool) -> ParsedRecords:
    """Read objects.

    Args:
        texts: TEXT, and CODE for those that are no text at all; see `raw_rows.as_raw`.
        source: whose records they are.
        is_file: whether a required name that no object has is a reason to refuse all.

    Raises:
        FileRefusedError: HEADER_MISMATCH, of a file.
    """
    blank = pl.col(TEXT).str.strip_chars(" \t\r\n") == ""
    numbered = texts.with_row_index(POS, offset=1).with_columns(
        pl.when(pl.col(CODE).is_null() & blank)
        .then(pl.lit("BLANK"))
        .otherwise(pl.col(CODE))
        .alias(CODE)
    )
    done = [numbered.filter(pl.col(CODE).is_not_null())]
    rest = numbered.filter(pl.col(CODE).is_null())
    names: set[str] = set()
    unknown: set[str] = set()
    for shape in _shapes(rest[TEXT]):
        columns = match_column_names(shape, source)
        found, rest = _of_shape(rest, shape, columns, source)
        if found.height:
            names |= set(columns)
            unknown |= {n for n in columns if n not in source.columns and found[n].count()}
        done.append(found.drop(n for n in columns if n not in source.columns))
    others, their_names, their_unknown = _one_by_one(rest, source)
    names |= their_names
    unknown |= their_unknown
    judged = pl.concat([*done, others], how="diagonal")
    is_readable = judged.select(pl.col(CODE).is_null().any()).item()
    if is_file and is_readable:
        require(names, source)
    records = as_raw(judged, source)
    missing = [n for n in source.columns if is_readable and not records[n].count()]
    return ParsedRecords(records, shown_names(unknown), missing)


def _shapes(texts: pl.Series) -> list[Sequence[str]]:
    """The names, in their order, that objects of this kind mostly have: the most frequent first."""
    if len(texts) < _FEW:
        return []
    seen: Counter[tuple[str, ...]] = Counter()
    for text in texts.gather_every(max(1, len(texts) // _SAMPLE)):
        code, fields = _object(text)
        if code is None and fields and all(map(_IS_PLAIN.fullmatch, fields)):
            seen[tuple(fields)] += 1
    return [shape for shape, times in seen.most_common(_MOST_SHAPES) if times > 1]


def _of_shape(
    texts: pl.DataFrame, shape: Sequence[str], columns: Sequence[str], source: Source
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The records that have exactly this shape, and the texts that have another.

    Args:
        texts: the objects as text.
        shape: their names, in their order.
        columns: what these names mean.
        source: whose records they are.
    """
    pairs = (f'"{re.escape(name)}"{_SPACE}:{_SPACE}{_VALUE}' for name in shape)
    inner = f"{_SPACE},{_SPACE}".join(pairs)
    pattern = rf"^{_SPACE}\{{{_SPACE}{inner}{_SPACE}\}}{_SPACE}$"
    groups = texts[TEXT].str.extract_groups(pattern).struct.unnest()
    groups.columns = list(columns)
    is_one = groups[:, 0].is_not_null()
    values = groups.filter(is_one).select(_value(name) for name in columns)
    unknown = [name for name in columns if name not in source.columns]
    found = pl.concat([texts.filter(is_one), values], how="horizontal")
    return found.with_columns(_rescued(unknown)), texts.filter(~is_one)


def _value(name: str) -> pl.Expr:
    spelt = pl.col(name)
    return (
        pl.when(spelt.str.starts_with('"'))
        .then(spelt.str.strip_prefix('"').str.strip_suffix('"'))
        .when(spelt != "null")
        .then(spelt)
        .alias(name)
    )


def _rescued(unknown: Sequence[str]) -> pl.Expr:
    """Plain values need no escapes in JSON either."""
    if not unknown:
        return pl.lit(None, dtype=pl.String).alias(RESCUED)
    pairs = [pl.lit(f'"{name}":"') + pl.col(name).cast(pl.String) + pl.lit('"') for name in unknown]
    is_there = pl.any_horizontal(pl.col(unknown).is_not_null())
    inner = pl.concat_str(pairs, separator=",", ignore_nulls=True)
    return pl.when(is_there).then(pl.lit("{") + inner + pl.lit("}")).alias(RESCUED)


def _one_by_one(texts: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, set[str], set[str]]:
    """All texts by Python's reader; and the names that were there, and the unknown ones."""
    read = [(code, _meant(fields, source)) for code, fields in map(_object, texts[TEXT])]
    names = {name for _, fields in read for name in fields}
    extra = [
        {n: v for n, v in fields.items() if v is not None and n not in source.columns}
        if fields
        else fields
        for _, fields in read
    ]
    columns = {
        name: pl.Series([fields.get(name) for _, fields in read], dtype=pl.String)
        for name in source.columns
        if name in names
    }
    rescued = [
        json.dumps(fields, ensure_ascii=False, separators=(",", ":")) if fields else None
        for fields in extra
    ]
    frame = texts.with_columns(
        pl.Series(CODE, [code for code, _ in read], dtype=pl.String),
        pl.Series(RESCUED, rescued, dtype=pl.String),
        **columns,
    )
    return frame, names, {name for fields in extra for name in fields}


def _meant(fields: Fields, source: Source) -> Fields:
    if fields.keys() <= source.columns.keys():
        return fields
    return dict(zip(match_column_names(list(fields), source), fields.values(), strict=True))


def _object(text: str) -> tuple[str | None, Fields]:
    try:
        value = _DECODER.decode(text)
        if not isinstance(value, dict) or (_ESCAPED_HALF.search(text) and not _is_text(value)):
            return "MALFORMED", {}
        return None, {
            name: v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False)
            for name, v in value.items()
        }
    except (ValueError, RecursionError):
        return "MALFORMED", {}


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of these names; of two values under one name none may get lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


# Numbers keep their spelling: 12.50 must not pass through a float.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, object_pairs_hook=_each_once)


def _is_text(value: object) -> bool:
    """Whether every escaped half of a character has its other half."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
