"""Lines of CSV as records.

Belongs here: quotes, the number of fields, and a header that comes again. Does not belong here: the
header at the beginning (`headers`), lines and their encoding (`text_decoding`).

Readers made for analysis pad short rows, drop fields and swallow lines after an open quote. So a
line is taken the fast way only when it has no quote and exactly the right number of separators;
the others go through Python's strict csv reader.
"""

import csv
import re
from collections.abc import Iterator, Sequence

import polars as pl

from bridge_cart_assets.ingestion.headers import Header
from bridge_cart_assets.ingestion.raw_rows import (
    CODE,
    DETAIL,
    POS,
    SIZE,
    STORED,
    TEXT,
    ParsedRecords,
    as_raw,
    missing_of,
    spelling_key,
    unknown_of,
)
from bridge_cart_assets.ingestion.text_decoding import (
    MAX_RECORD_BYTES,
    Layout,
    split,
    without_cr,
)
from bridge_cart_assets.sources import Source

_TOGETHER = 1000
# Fewer lines are read sooner than a regular expression is made; for wider ones it gets too large.
_FEW = 200
_MANY = 100


def read_csv(
    block: bytes, layout: Layout, header: Header, source: Source, is_last: bool
) -> tuple[ParsedRecords, int]:
    """Read whole lines of a CSV file's body.

    Args:
        block: the lines, in UTF-8 (`Layout.normal`).
        layout: how the file is written.
        header: its columns.
        source: whose records they are.
        is_last: whether nothing comes behind them. Otherwise a quote that is still open at the end
            may be closed by what follows, and its line is left for then.

    Returns:
        The records, and how many bytes of the block they are.
    """
    lines = split(block, layout, source.encoding)
    used = len(block)
    if b'"' in block:
        lines, left = _join(lines, layout, header, is_last)
        used -= left
    judged = _judge(lines.with_row_index(POS, offset=1), layout, header)
    plain = judged.filter(pl.col(CODE).is_null())
    texts = _without_nameless(plain[TEXT], header)
    fields = texts.str.split(header.delimiter).list.to_struct(fields=header.names)
    good = pl.concat([plain.select(POS, CODE, TEXT), fields.struct.unnest()], how="horizontal")
    quoted = refuse_repeated_header(
        _parse(judged.filter(pl.col(CODE) == "QUOTED"), header), header, source
    )
    rest = judged.filter(pl.col(CODE).is_not_null() & (pl.col(CODE) != "QUOTED"))
    rest = rest.select(POS, CODE, TEXT, DETAIL)
    unknown = unknown_of(header.names, source)
    records = as_raw(
        pl.concat([refuse_repeated_header(good, header, source), quoted, rest], how="diagonal"),
        source,
        [n for n in header.names if n not in source.columns],
    )
    return ParsedRecords(records, unknown, missing_of(header.names, source)), used


def record_starts(block: bytes, layout: Layout, header: Header, source: Source) -> list[int]:
    """Where each record of whole lines begins, as `read_csv` tells records apart.

    Args:
        block: the lines up to where `read_csv` has read them.
        layout: how the file is written.
        header: its columns.
        source: whose records they are.
    """
    lines = split(block, layout, source.encoding)
    begin = "\0begin"
    lines = lines.with_columns(
        (pl.col(SIZE).cast(pl.Int64) + 1).cum_sum().shift(1, fill_value=0).alias(begin)
    )
    if b'"' in block:
        lines, _ = _join(lines, layout, header, is_last=True)
    return lines[begin].to_list()


def _judge(lines: pl.DataFrame, layout: Layout, header: Header) -> pl.DataFrame:
    """What can be said of a line without reading it."""
    text = pl.col(TEXT)
    separators = text.str.count_matches(header.delimiter, literal=True)
    width = len(header.names) - 1
    is_fitting = separators == width
    if header.nameless:
        is_fitting |= text.str.contains(_nameless_end(header)) & (
            separators == width + header.nameless
        )
    # A line break that is neither quoted nor at the end: several records, or half of one.
    stray = "\n" if layout.end == b"\r" else "\r"
    # An empty row of a spreadsheet has its delimiters, however many.
    no_value = rf"^[\s{re.escape(header.delimiter)}]*$"
    is_stray = text.str.strip_chars_end(stray).str.contains(stray, literal=True)
    return without_cr(lines, layout).with_columns(
        pl.when(pl.col(CODE).is_not_null())
        .then(pl.col(CODE))
        .when(text.str.contains(no_value))
        .then(pl.lit("BLANK"))
        .when(text.str.contains('"', literal=True))
        .then(pl.lit("QUOTED"))
        .when(separators < width)
        .then(pl.lit("TOO_FEW_FIELDS"))
        .when(~is_fitting)
        .then(pl.lit("TOO_MANY_FIELDS"))
        .when(is_stray)
        .then(pl.lit("MALFORMED"))
        .alias(CODE)
    )


def _nameless_end(header: Header) -> str:
    """The end of a line whose fields without a name are empty."""
    return f"(?:{re.escape(header.delimiter)} *){{{header.nameless}}}$"


def _without_nameless(texts: pl.Series, header: Header) -> pl.Series:
    if not header.nameless:
        return texts
    separators = texts.str.count_matches(header.delimiter, literal=True)
    is_longer = separators >= len(header.names)
    return texts.zip_with(~is_longer, texts.str.replace(_nameless_end(header), ""))


def refuse_repeated_header(records: pl.DataFrame, header: Header, source: Source) -> pl.DataFrame:
    """Mark records that are the header once more, as in files that were put behind each other.

    Args:
        records: the readable ones: CODE, DETAIL where it is known, and the header's columns.
        header: what it says.
        source: whose records they are.
    """
    spelt = {*header.spelt, *source.columns}
    likely = records[source.required[0]].is_in([*spelt, *(f"\ufeff{name}" for name in spelt)])
    if not likely.any():
        return records
    keys = {spelling_key(name) for name in spelt} | {""}
    again = "\0again"
    is_again = likely & pl.Series(
        [
            is_likely and {spelling_key(value or "") for value in row} <= keys
            for is_likely, row in zip(likely, records.select(header.names).iter_rows(), strict=True)
        ],
        dtype=pl.Boolean,
    )
    if DETAIL not in records.columns:
        records = records.with_columns(pl.lit(None, dtype=pl.String).alias(DETAIL))
    marks = {CODE: "MALFORMED", DETAIL: "the header again"}
    return (
        records.with_columns(is_again.alias(again))
        .with_columns(
            pl.when(again)
            .then(pl.lit(marks.get(name), dtype=pl.String))
            .otherwise(name)
            .alias(name)
            for name in (CODE, DETAIL, *header.names)
        )
        .drop(again)
    )


def _join(
    lines: pl.DataFrame, layout: Layout, header: Header, is_last: bool
) -> tuple[pl.DataFrame, int]:
    """Put lines together that a quoted line break has torn apart.

    A line with an odd number of quotes begins a record that ends with the next such line, if
    what lies between them then reads as one record of the right width; otherwise it stands alone
    and is malformed, so that an unclosed quote costs its own line and no other.

    Returns:
        The records, and how many bytes at the end are left for what follows: from a line on whose
        quote may be closed there.
    """
    is_odd = pl.col(CODE).is_null() & (pl.col(TEXT).str.count_matches('"', literal=True) % 2 == 1)
    torn = lines.select(is_odd).to_series().arg_true().to_list()
    if not torn:
        return lines, 0
    # Bytes up to the end of each line, the line ends included.
    line_ends = (lines[SIZE].cast(pl.Int64) + 1).cum_sum()
    # A file may have a quote in every line: one by one they are taken from lists, not from columns.
    ends = line_ends.gather(torn).to_list()
    starts = (line_ends - lines[SIZE].cast(pl.Int64) - 1).gather(torn).to_list()
    all_texts = lines[TEXT]
    torn_texts = all_texts.gather(torn).to_list()
    merged: dict[int, int] = {}
    texts: list[str] = []
    at = 0
    while at + 1 < len(torn):
        first, last = torn[at], torn[at + 1]
        if ends[at + 1] - 1 - starts[at] <= MAX_RECORD_BYTES:
            between = all_texts[first + 1 : last] if first + 1 < last else ()
            record = layout.end.decode().join((torn_texts[at], *between, torn_texts[at + 1]))
            fields = _fields(record.removesuffix("\r"), header.delimiter)
            if fields is not None and header.fit(fields) is not None:
                merged[first] = last
                texts.append(record)
                at += 2
                continue
        at += 1
    left = 0
    size = int(line_ends[-1])
    if at < len(torn) and not is_last and size - starts[at] <= MAX_RECORD_BYTES:
        left = size - starts[at]
        lines = lines.head(torn[at])
    return _merged(lines, layout, merged, texts), left


def _merged(
    lines: pl.DataFrame, layout: Layout, merged: dict[int, int], texts: list[str]
) -> pl.DataFrame:
    """The lines with each that begins a record (to its last line) in the place of all of it."""
    if not merged:
        return lines
    verdicts = [
        _worst(lines[first : last + 1], layout, text)
        for (first, last), text in zip(merged.items(), texts, strict=True)
    ]
    index = "\0index"
    records = pl.DataFrame(
        verdicts, schema={n: lines.schema[n] for n in (TEXT, CODE, DETAIL)}, orient="row"
    ).with_columns(pl.Series(index, list(merged), dtype=pl.UInt32))
    swallowed = [i for first, last in merged.items() for i in range(first + 1, last + 1)]
    return (
        lines.with_row_index(index)
        .filter(~pl.col(index).is_in(swallowed))
        .update(records, on=index, how="left")
        .drop(index)
    )


def _worst(lines: pl.DataFrame, layout: Layout, text: str) -> tuple[str, str | None, str | None]:
    """A record is as bad as the worst of its lines; and then its bytes are kept, not its text."""
    worst = lines.filter(pl.col(CODE).is_not_null())
    if not worst.height:
        return text, None, None
    stored = [
        layout.stored(line.encode()) if bytes_ is None else bytes_
        for line, bytes_ in lines.select(TEXT, STORED).iter_rows()
    ]
    raw = layout.stored_end.join(stored).decode("latin-1")
    return raw, worst[CODE][0], worst[DETAIL][0]


def _parse(lines: pl.DataFrame, header: Header) -> pl.DataFrame:
    """Read the lines that have quotes."""
    if len(lines) < _FEW or len(header.names) > _MANY or header.nameless:
        return _parse_each(lines, header)
    # A quoted field without a quote in it, or one that is not quoted: that exactly is the pattern,
    # and what else there is (doubled quotes, wrong widths, open quotes) is left to Python.
    field = f'("[^"]*"|[^"\\r\\n{re.escape(header.delimiter)}]*)'
    pattern = f"^{re.escape(header.delimiter).join([field] * len(header.names))}$"
    fields = lines[TEXT].str.extract_groups(pattern).struct.unnest()
    fields.columns = header.names
    is_simple = fields[:, 0].is_not_null()
    values = fields.filter(is_simple).select(
        pl.when(pl.col(name).str.starts_with('"'))
        .then(pl.col(name).str.strip_prefix('"').str.strip_suffix('"'))
        .otherwise(pl.col(name))
        .alias(name)
        for name in header.names
    )
    codes = pl.lit(None, dtype=pl.String).alias(CODE)
    simple = lines.filter(is_simple).select(POS, TEXT, DETAIL, codes)
    return pl.concat(
        [
            pl.concat([simple, values], how="horizontal"),
            _parse_each(lines.filter(~is_simple), header),
        ],
        how="diagonal",
    )


def _parse_each(lines: pl.DataFrame, header: Header) -> pl.DataFrame:
    rows: list[list[str | None]] = []
    codes: list[str | None] = []
    nothing: list[str | None] = [None] * len(header.names)
    for fields in _each(lines[TEXT], header.delimiter):
        fitting = None if fields is None else header.fit(fields)
        codes.append(None if fitting is not None else _wrong_width(fields, len(header.names)))
        rows.append(nothing if fitting is None else [*fitting])
    columns = {
        name: pl.Series([row[i] for row in rows], dtype=pl.String)
        for i, name in enumerate(header.names)
    }
    return lines.select(POS, TEXT, DETAIL).with_columns(
        pl.Series(CODE, codes, dtype=pl.String), **columns
    )


def _each(texts: pl.Series, delimiter: str) -> Iterator[list[str] | None]:
    """The fields of each text, None when it is not one record.

    Many are read at once. That each gave one record, and none went on into the next, is seen by
    their number; else they are read one by one.
    """
    for start in range(0, len(texts), _TOGETHER):
        several = texts[start : start + _TOGETHER].to_list()
        try:
            rows = list(csv.reader(several, delimiter=delimiter, strict=True))
        except csv.Error:
            rows = []
        if len(rows) == len(several):
            yield from rows
        else:
            yield from (_fields(text, delimiter) for text in several)


def _fields(text: str, delimiter: str) -> list[str] | None:
    try:
        [fields] = csv.reader([text], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        return None
    return fields


def _wrong_width(fields: Sequence[str] | None, wanted: int) -> str:
    if fields is None:
        return "MALFORMED"
    return "TOO_FEW_FIELDS" if len(fields) < wanted else "TOO_MANY_FIELDS"
