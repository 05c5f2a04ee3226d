"""The records of a file: every one kept, each as strings or with the reason why it is not one.

Belongs here: splitting CSV, NDJSON and Parquet into records. Does not belong here: what a value
means (`transforms.cleaning`).

Readers made for analysis pad short rows, drop fields and swallow lines after an open quote. So a
CSV file is split into lines here, and a line is taken the fast way only when it has no quote and
exactly the right number of separators; the few others go through Python's strict csv reader.
"""

import csv
import io
import json
import re
from collections.abc import Sequence

import polars as pl
from polars.exceptions import PanicException, PolarsError

from bridge_cart_assets.ingestion.files import Content, FileRefused
from bridge_cart_assets.sources import Source

MAX_RECORD_BYTES = 8 * 1024**2
# Names of our own beside a file's columns, such as no header has (a header with a NUL may have
# anything: hence the length).
_TEXT, _CODE, _POS = (f"\0bridge-cart/{name}" for name in ("text", "code", "pos"))
_DELIMITERS = (",", ";", "\t", "|")
_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_MAX_LINES_OF_A_RECORD = 1000
# What every record gets besides its own columns.
_VERDICT = {
    "_pos": pl.Int64,
    "_status": pl.String,
    "_error_code": pl.String,
    "_error": pl.String,
    "_raw": pl.String,
    "_rescued": pl.String,
}
_DETAILS = {
    "MALFORMED": "not a record of this format",
    "TOO_FEW_FIELDS": "fewer fields than the header has",
    "TOO_MANY_FIELDS": "more fields than the header has",
    "BAD_ENCODING": "not UTF-8; _raw has the bytes as Latin-1",
    "LINE_TOO_LONG": "longer than 8 MiB; _raw has its beginning",
}


def read_records(content: Content, source: Source) -> pl.DataFrame:
    """Split a file into records.

    Returns:
        A row per record, in file order: the source's columns as strings, `_pos` from 1,
        `_status`, `_error_code`, `_error`, `_raw` and `_rescued` as in the raw tables.

    Raises:
        FileRefused: HEADER_MISMATCH, TRUNCATED or UNREADABLE.
    """
    if content.format == "parquet":
        return _parquet(content.data, source)
    lines = _lines(content.data)
    return _csv(lines, source) if content.format == "csv" else _ndjson(lines, source)


def _lines(data: bytes) -> pl.DataFrame:
    """Physical lines: their text, and a code for those that are not text or too long."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            data = data.decode(encoding, errors="replace").encode()
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\n" not in data and b"\r" in data:
        data = data.replace(b"\r", b"\n")
    parts = data.split(b"\n")
    if parts[-1] == b"":
        parts.pop()
    try:
        texts = data.decode().split("\n")[: len(parts)]
        codes: list[str | None] = [None] * len(parts)
    except UnicodeDecodeError:
        texts, codes = map(list, zip(*map(_decode, parts), strict=True)) if parts else ([], [])
    frame = pl.DataFrame({_TEXT: texts, _CODE: codes}, schema={_TEXT: pl.String, _CODE: pl.String})
    long = pl.col(_TEXT).str.len_bytes() > MAX_RECORD_BYTES
    return frame.with_columns(
        pl.when(long)
        .then(pl.col(_TEXT).str.slice(0, 1000))
        .otherwise(pl.col(_TEXT).str.strip_suffix("\r"))
        .alias(_TEXT),
        pl.when(long).then(pl.lit("LINE_TOO_LONG")).otherwise(pl.col(_CODE)).alias(_CODE),
    )


def _decode(line: bytes) -> tuple[str, str | None]:
    try:
        return line.decode(), None
    except UnicodeDecodeError:
        return line.decode("latin-1"), "BAD_ENCODING"


def _csv(lines: pl.DataFrame, source: Source) -> pl.DataFrame:
    # It is one limit for the whole process: what a field may hold must not depend on who set it.
    csv.field_size_limit(MAX_RECORD_BYTES)
    if not lines.height:
        raise FileRefused("HEADER_MISMATCH", "the file is empty: a header is needed")
    delimiter, header = _header(lines[_TEXT][0], source)
    body = lines.slice(1)
    if body.select(pl.col(_TEXT).str.contains('"', literal=True).any()).item():
        body = _join_quoted_lines(body, delimiter, len(header))
    blank = pl.col(_TEXT).str.strip_chars() == ""
    separators = pl.col(_TEXT).str.count_matches(delimiter, literal=True)
    quoted = pl.col(_TEXT).str.contains('"', literal=True)
    judged = body.with_row_index(_POS, offset=1).with_columns(
        pl.when(pl.col(_CODE).is_not_null())
        .then(pl.col(_CODE))
        .when(blank)
        .then(pl.lit("BLANK"))
        .when(quoted)
        .then(pl.lit("QUOTED"))
        .when(separators < len(header) - 1)
        .then(pl.lit("TOO_FEW_FIELDS"))
        .when(separators > len(header) - 1)
        .then(pl.lit("TOO_MANY_FIELDS"))
        .alias(_CODE)
    )
    plain = judged.filter(pl.col(_CODE).is_null())
    fields = plain[_TEXT].str.split(delimiter).list.to_struct(fields=header).struct.unnest()
    good = pl.concat([plain.select(_POS, _CODE, _TEXT), fields], how="horizontal")
    parsed = _parse_quoted(judged.filter(pl.col(_CODE) == "QUOTED"), delimiter, header)
    rest = judged.filter(pl.col(_CODE).is_not_null() & (pl.col(_CODE) != "QUOTED"))
    return _as_raw(pl.concat([good, parsed, rest], how="diagonal"), header, source)


def _header(line: str, source: Source) -> tuple[str, list[str]]:
    """The delimiter and the column names: the source's own spelling where one is meant."""
    known = {name.casefold(): name for name in source.columns}
    best: tuple[str, list[str]] = (",", [])
    for delimiter in _DELIMITERS:
        names = _names(line, delimiter)
        header = [known.get(n.strip().casefold(), n.strip()) for n in names]
        if len(known.keys() & {n.casefold() for n in header}) > len(
            known.keys() & {n.casefold() for n in best[1]}
        ):
            best = (delimiter, header)
    _require(best[1], source)
    if len(set(best[1])) < len(best[1]):
        twice = sorted({n for n in best[1] if best[1].count(n) > 1})
        raise FileRefused("HEADER_MISMATCH", f"the header names {', '.join(twice)} twice")
    return best


def _names(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # no line of text: a file of something else, or lines that end in CR
        return []


def _require(columns: Sequence[str], source: Source) -> None:
    missing = [name for name in source.required if name not in columns]
    if missing:
        raise FileRefused("HEADER_MISMATCH", f"without the required column {', '.join(missing)}")


def _join_quoted_lines(lines: pl.DataFrame, delimiter: str, width: int) -> pl.DataFrame:
    """Put lines together that a quoted line break has torn apart.

    A line with an odd number of quotes begins a record that ends with the next such line, if
    what lies between them then reads as one record of the right width; otherwise it stands alone
    and is malformed, so that an unclosed quote costs its own line and no other.
    """
    odd = lines.select(
        pl.col(_CODE).is_null() & (pl.col(_TEXT).str.count_matches('"', literal=True) % 2 == 1)
    ).to_series()
    torn = odd.arg_true().to_list()
    if not torn:
        return lines
    texts = lines[_TEXT].to_list()
    merged: dict[int, tuple[int, str]] = {}
    position = 0
    while position + 1 < len(torn):
        first, last = torn[position], torn[position + 1]
        if last - first < _MAX_LINES_OF_A_RECORD:
            record = "\n".join(texts[first : last + 1])
            if len(record) <= MAX_RECORD_BYTES and _width(record, delimiter) == width:
                merged[first] = (last, record)
                position += 2
                continue
        position += 1
    swallowed = {i for first, (last, _) in merged.items() for i in range(first + 1, last + 1)}
    joined = [merged[i][1] if i in merged else text for i, text in enumerate(texts)]
    keep = [i for i in range(len(texts)) if i not in swallowed]
    # A record is as bad as the worst of its lines.
    codes = lines[_CODE].to_list()
    worst = [
        next((c for c in codes[i : merged[i][0] + 1] if c), None) if i in merged else code
        for i, code in enumerate(codes)
    ]
    return lines.with_columns(
        pl.Series(_TEXT, joined, dtype=pl.String), pl.Series(_CODE, worst, dtype=pl.String)
    )[keep]


def _width(record: str, delimiter: str) -> int:
    try:
        rows = list(csv.reader(io.StringIO(record, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        return -1
    return len(rows[0]) if len(rows) == 1 else -1


def _parse_quoted(lines: pl.DataFrame, delimiter: str, header: list[str]) -> pl.DataFrame:
    verdicts: list[str | None] = []
    rows: list[list[str]] = []
    for text in lines[_TEXT]:
        width = _width(text, delimiter)
        fits = width == len(header)
        rows.append(_fields(text, delimiter) if fits else [])
        verdicts.append(None if fits else _wrong_width(width, len(header)))
    columns = {
        name: pl.Series([row[i] if row else None for row in rows], dtype=pl.String)
        for i, name in enumerate(header)
    }
    code = pl.Series(_CODE, verdicts, dtype=pl.String)
    return lines.select(_POS, _TEXT).with_columns(code, **columns)


def _fields(text: str, delimiter: str) -> list[str]:
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


def _wrong_width(width: int, wanted: int) -> str:
    if width < 0:
        return "MALFORMED"
    return "TOO_FEW_FIELDS" if width < wanted else "TOO_MANY_FIELDS"


def _ndjson(lines: pl.DataFrame, source: Source) -> pl.DataFrame:
    records = [_object(text, code) for text, code in lines.iter_rows()]
    names = dict.fromkeys(name for _, values in records for name in values)
    header = list(names)
    if any(code is None for code, _ in records):
        _require(header, source)
    frame = lines.select(_TEXT).with_row_index(_POS, offset=1)
    columns = [
        pl.Series(name, [values.get(name) for _, values in records], dtype=pl.String)
        for name in header
    ]
    codes = pl.Series(_CODE, [code for code, _ in records], dtype=pl.String)
    return _as_raw(frame.with_columns(codes, *columns), header, source)


def _object(text: str, code: str | None) -> tuple[str | None, dict[str, str | None]]:
    if code is not None:
        return code, {}
    if not text.strip():
        return "BLANK", {}
    try:
        # Numbers keep their spelling: 12.50 must not pass through a float.
        value = json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=_each_once)
        if not isinstance(value, dict) or (_ESCAPED_HALF.search(text) and not _is_text(value)):
            return "MALFORMED", {}
        return None, {name: _as_text(v) for name, v in value.items()}
    except (ValueError, RecursionError):
        return "MALFORMED", {}


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of these names; of two values under one name none may get lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _is_text(value: object) -> bool:
    """Whether every escaped half of a character has its other half."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _parquet(data: bytes, source: Source) -> pl.DataFrame:
    if not data.endswith(b"PAR1") and data.startswith(b"PAR1"):
        raise FileRefused("TRUNCATED", "the Parquet file has no footer: land it again")
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (PolarsError, PanicException, OSError) as error:
        raise FileRefused("UNREADABLE", f"not a Parquet file: {error}"[:200]) from error
    header = frame.columns
    _require(header, source)
    try:
        texts = frame.select(_parquet_text(name, dtype) for name, dtype in frame.schema.items())
    except (PolarsError, PanicException) as error:
        raise FileRefused("UNREADABLE", f"a column has no text: {error}"[:200]) from error
    judged = texts.with_row_index(_POS, offset=1).with_columns(
        pl.lit(None, dtype=pl.String).alias(_CODE), pl.lit(None, dtype=pl.String).alias(_TEXT)
    )
    return _as_raw(judged, header, source)


def _parquet_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if dtype.is_nested():
        return pl.when(column.is_not_null()).then(pl.struct(name).struct.json_encode()).alias(name)
    if isinstance(dtype, pl.Duration):
        return column.dt.to_string("iso").alias(name)
    if dtype == pl.Binary:
        return column.bin.encode("base64").alias(name)
    return column.cast(pl.String)


def _as_raw(frame: pl.DataFrame, header: list[str], source: Source) -> pl.DataFrame:
    unknown = [name for name in header if name not in source.columns]
    missing = [name for name in source.columns if name not in header]
    bad = pl.col(_CODE).is_not_null() & (pl.col(_CODE) != "BLANK")
    return (
        frame.with_columns(
            *(pl.lit(None, dtype=pl.String).alias(name) for name in missing),
            _pos=pl.col(_POS).cast(pl.Int64),
            _status=pl.when(bad)
            .then(pl.lit("quarantined"))
            .when(pl.col(_CODE) == "BLANK")
            .then(pl.lit("blank"))
            .otherwise(pl.lit("ok")),
            _error_code=pl.when(bad).then(pl.col(_CODE)),
            _error=pl.when(bad).then(
                pl.col(_CODE).replace_strict(_DETAILS, default=None, return_dtype=pl.String)
            ),
            _raw=pl.when(bad).then(pl.col(_TEXT)),
            _rescued=_rescued(unknown),
        )
        .select(*source.columns, *_VERDICT)
        .sort("_pos")
    )


def _rescued(unknown: list[str]) -> pl.Expr:
    if not unknown:
        return pl.lit(None, dtype=pl.String)
    present = pl.any_horizontal(pl.col(unknown).is_not_null())
    return pl.when(present).then(pl.struct(unknown).struct.json_encode())
