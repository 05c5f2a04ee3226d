"""The header of delimited text: where it stands, what its names mean, what divides its fields.

Belongs here: `sep=` lines, blank lines and preamble, the delimiter, and fields without a name. Does
not belong here: the records behind it (`csv_records`).
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from bridge_cart_assets.ingestion.files import (
    HEAD_BYTES,
    FileRefusedError,
    refuse_too_many_columns,
)
from bridge_cart_assets.ingestion.raw_rows import (
    TEXT,
    lacking_columns,
    match_column_names,
    spelling_key,
    unclear_names,
)
from bridge_cart_assets.ingestion.text_decoding import MAX_RECORD_BYTES, Layout, classify_lines
from bridge_cart_assets.sources import Source

MAX_PREAMBLE_LINES = 20
_DELIMITERS = (",", ";", "\t", "|")
_DECLARED = b"sep="


@dataclass(frozen=True)
class Header:
    """What the header of a file says about its records.

    Attributes:
        delimiter: what stands between two fields.
        names: the columns, in the source's own spelling where one is meant.
        size: bytes of the file up to the first record behind it.
        nameless: how many fields without a name stand behind the last name.
        spelt: the names as the file has them.
    """

    delimiter: str
    names: list[str]
    size: int
    nameless: int = 0
    spelt: tuple[str, ...] = ()

    def fit(self, fields: Sequence[str]) -> Sequence[str] | None:
        """A record's fields without the nameless ones; None when it has too few or too many."""
        width = len(self.names)
        if len(fields) == width + self.nameless and not any(map(str.strip, fields[width:])):
            return fields[:width]
        return fields if len(fields) == width else None


def read_header(head: bytes, layout: Layout, source: Source) -> Header:
    """Find out which columns a file has: by the first line that has all that the source requires.

    Args:
        head: the first HEAD_BYTES of the file.
        layout: how it is written.
        source: which columns may be meant.

    Raises:
        FileRefusedError: HEADER_MISMATCH or TOO_LARGE.
    """
    # It is one limit for the whole process: what a field may hold must not depend on who set it.
    csv.field_size_limit(MAX_RECORD_BYTES)
    text = layout.normal(head[layout.mark : HEAD_BYTES])
    if not text.strip():
        raise FileRefusedError("HEADER_MISMATCH", "the file is empty: a header is needed")
    is_cut = len(head) >= HEAD_BYTES
    if is_cut and layout.end not in text:
        raise FileRefusedError("HEADER_MISMATCH", "no header: the first line is longer than 1 MiB")
    likeliest: list[str] = []
    for start, declared in _starts(text, layout.end, is_cut):
        delimiters = _DELIMITERS if declared is None else (declared, *_DELIMITERS)
        for stop, is_strict in _stops(text, start, layout.end):
            record = text[start:stop]
            # Before any of them costs something.
            refuse_too_many_columns(max(record.count(d.encode()) for d in delimiters) + 1)
            delimiter, spelt = _fields(record, layout, source, delimiters, is_strict)
            names = match_column_names(spelt, source)
            if not lacking_columns(names, source):
                if is_strict and unclear_names(spelt, source):
                    continue
                size = layout.mark + len(layout.stored(text[: stop + len(layout.end)]))
                return _header(spelt, source, delimiter, size)
            if _likelihood(names, source) > _likelihood(likeliest, source):
                likeliest = names
    raise FileRefusedError("HEADER_MISMATCH", lacking_columns(likeliest, source))


def header_row(
    rows: Iterable[Sequence[str]], source: Source
) -> tuple[tuple[int, Header] | None, list[str]]:
    """Find the header among the rows of a sheet, as in the lines of a file.

    Returns:
        Its place and the header, if there is one; and the names in the row that looks most like it.

    Raises:
        FileRefusedError: HEADER_MISMATCH, a column stands in it twice.
    """
    likeliest: list[str] = []
    lines = 0
    for at, row in enumerate(rows):
        spelt = [cell.strip() for cell in row]
        if lines > MAX_PREAMBLE_LINES:
            break
        lines += any(spelt)
        names = match_column_names(spelt, source)
        if not lacking_columns(names, source):
            return (at, _header(spelt, source)), names
        if _likelihood(names, source) > _likelihood(likeliest, source):
            likeliest = [name for name in names if name]
    return None, likeliest


def _header(spelt: Sequence[str], source: Source, delimiter: str = "", size: int = 0) -> Header:
    if unclear := unclear_names(spelt, source):
        raise FileRefusedError("HEADER_MISMATCH", f"the header names {unclear} twice")
    named = len(spelt)
    while not spelt[named - 1]:
        named -= 1
    # What has no name within the others gets one: a value needs something to go by.
    names = [
        name or f"column {at}"
        for at, name in enumerate(match_column_names(spelt[:named], source), 1)
    ]
    return Header(delimiter, names, size, len(spelt) - named, tuple(spelt[:named]))


def _starts(text: bytes, end: bytes, is_cut: bool) -> Iterator[tuple[int, str | None]]:
    """Where lines begin that may be the header, each with the delimiter that a line declared."""
    start, lines = 0, 0
    declared = None
    while start < len(text) and lines <= MAX_PREAMBLE_LINES:
        stop = text.find(end, start)
        if stop < 0 and is_cut and start:
            return
        line = text[start : stop if stop >= 0 else len(text)].strip(b" \t\r\n\v\f")
        if lines == 0 and line.strip(b'"').lower().startswith(_DECLARED):
            declared = _delimiter_in(text[start : stop if stop >= 0 else len(text)])
        elif line:
            lines += 1
            yield start, declared
        start = stop + len(end) if stop >= 0 else len(text)


def _delimiter_in(line: bytes) -> str | None:
    """What a line says that stands between fields; a tab may be the last thing in it."""
    value = line.strip(b' "\r\n')[len(_DECLARED) :].decode("latin-1")
    return value if len(value) == 1 and value not in '"\r\n' else None


def _stops(text: bytes, start: int, end: bytes) -> Iterator[tuple[int, bool]]:
    """Where a header may end, strictly read or not: where its open quote is closed, or the line."""
    stop = text.find(end, start)
    first = len(text) if stop < 0 else stop
    at = stop
    is_open = text.count(b'"', start, first) % 2 == 1
    while is_open and at >= 0:
        begin, at = at + 1, text.find(end, at + 1)
        until = len(text) if at < 0 else at
        if text.count(b'"', begin, until) % 2 == 1:
            yield until, True
            break
    yield first, False


def _fields(
    record: bytes, layout: Layout, source: Source, delimiters: Sequence[str], is_strict: bool
) -> tuple[str, list[str]]:
    """The delimiter and the fields: those that make most of the source's columns known."""
    lines = pl.Series(TEXT, [record], dtype=pl.Binary)
    text = classify_lines(lines, layout, source.encoding)[TEXT][0].removesuffix("\r")
    known = {spelling_key(name) for name in (*source.columns, *source.aliases)}
    best: tuple[str, list[str]] = (delimiters[0], [])
    most = (-1, -1)
    for delimiter in delimiters:
        try:
            [fields] = csv.reader([text], delimiter=delimiter, strict=is_strict) if text else [[]]
        except (csv.Error, ValueError):  # no record: a file of something else
            continue
        fields = [field.strip().removeprefix("\ufeff") for field in fields]
        meant = (len(known & set(map(spelling_key, fields))), len(fields))
        if meant > most:
            best, most = (delimiter, fields), meant
    return best


def _likelihood(names: Sequence[str], source: Source) -> tuple[int, int]:
    """How much a line looks like a header: most known names, then most names."""
    return len(source.columns.keys() & set(names)), len(names)
