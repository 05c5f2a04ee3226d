"""The records of a file or of messages: every one kept, as strings or with the reason why not.

Belongs here: which reader a format has, and reading a file whole or part by part with the same
result. Does not belong here: the formats themselves (`csv_records`, `json_records`,
`parquet_records`), or what a value means (`transforms.cleaning`).
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import polars as pl
from polars.exceptions import PanicException, PolarsError

from bridge_cart_assets.ingestion import files, text_decoding
from bridge_cart_assets.ingestion.csv_records import read_csv, record_starts
from bridge_cart_assets.ingestion.file_kinds import PARQUET, WORKBOOK, disguise, is_json
from bridge_cart_assets.ingestion.files import (
    HEAD_BYTES,
    Content,
    FileRefusedError,
    Opened,
    is_shortage,
    refuse_unpacked,
)
from bridge_cart_assets.ingestion.headers import Header, read_header
from bridge_cart_assets.ingestion.json_records import read_json
from bridge_cart_assets.ingestion.json_values import JsonValues, spans_lines
from bridge_cart_assets.ingestion.parquet_footer import declared_size, refuse_costly
from bridge_cart_assets.ingestion.parquet_records import (
    count_rows,
    read_parquet,
    read_rows,
    refuse_cut_off,
    text_bytes_of,
)
from bridge_cart_assets.ingestion.raw_rows import MOST_NAMES, SIZE, ParsedRecords
from bridge_cart_assets.ingestion.text_decoding import (
    Layout,
    classify_lines,
    has_open_quote,
    is_utf_8,
    layout_of,
    split,
    without_cr,
)
from bridge_cart_assets.ingestion.workbooks import MAX_UNPACKED_BYTES, read_sheets, unpacked_size
from bridge_cart_assets.sources import Source

# Short lines, and most of all Parquet, can be a great many records in a few bytes.
PART_RECORDS = 200_000
# In memory the smallest parts of a value of JSON take thirty times as much.
MAX_VALUE_BYTES = 24 * 1024**2
_NAMED_AS = {
    "csv": "delimited text",
    "ndjson": "lines of JSON",
    "json": "JSON",
    "parquet": PARQUET,
    "xlsx": WORKBOOK,
}
# A small workbook has few cells in memory.
_SMALL_WORKBOOK_BYTES = 8 * 1024**2


@dataclass(frozen=True)
class Part:
    """Some records of a large file.

    Attributes:
        read: the records, `_pos` from 1 in every part.
        stop: where the next part begins: unpacked bytes, or rows of Parquet.
        total: where the last part stops.
    """

    read: ParsedRecords
    stop: int
    total: int


def read_records(content: Content, source: Source) -> ParsedRecords:
    """Read all records of a file that is in memory.

    Returns:
        A row per record, in file order: the source's columns as strings, `_pos` from 1,
        `_status`, `_error_code`, `_error`, `_raw` and `_rescued` as in the raw tables.

    Raises:
        FileRefusedError: HEADER_MISMATCH, TRUNCATED or UNREADABLE.
    """
    _refuse_disguised(content)
    if content.format == "parquet":
        return read_parquet(content.data, source)
    if content.format == "xlsx":
        return _joined(
            [part for part, *_ in read_sheets(content.data, source, PART_RECORDS)], source
        )
    text = _Text(content, source)
    body = text.layout.normal(content.data[text.start :])
    if text.values is not None:
        return text.read_values(text.values.split(body, is_last=True, most=len(body))[0])
    return text.read(body, text.start, is_last=True)[0]


def read_all(contents: Sequence[Content], source: Source) -> list[ParsedRecords | FileRefusedError]:
    """Read whole files; each as `read_records` does, or as the reason why it cannot be read.

    A reader call has a fixed cost of about a thousand records. So small files that begin with the
    same header, one behind the other, are read in one go, as long as no quote or mark could make
    one of them look into the next.
    """
    found: list[ParsedRecords | FileRefusedError] = []
    for _, alike in groupby(contents, _plain_header):
        together = list(alike)
        found += _read_together(together, source) or [_read_one(c, source) for c in together]
    return found


def read_objects(texts: pl.Series, source: Source) -> ParsedRecords:
    """Read JSON objects, one per element, as the values of messages are.

    Never raises for what they say: a required column that no object has is null.

    Args:
        texts: String or Binary; null is a message without a value, and malformed.
        source: whose records they are.

    Returns:
        A row per element, in their order, `_pos` from 1, as `read_records` gives them.
    """
    return read_json(
        classify_lines(texts.cast(pl.Binary), encoding=source.encoding), source, is_file=False
    )


def _read_one(content: Content, source: Source) -> ParsedRecords | FileRefusedError:
    try:
        with refuse_on_unexpected_error():
            return read_records(content, source)
    except FileRefusedError as refusal:
        return refusal


def _plain_header(content: Content) -> bytes | int:
    """The first line of a CSV file in which lines are lines, whatever stands in them.

    Of any other file its number, which no other file has.
    """
    data = content.data
    is_plain = content.format == "csv" and b"\r" not in data and is_utf_8(data)
    if not is_plain or has_open_quote(data):
        return id(content)
    return data.partition(b"\n")[0]


def _read_together(contents: Sequence[Content], source: Source) -> list[ParsedRecords] | None:
    """Files with one header as one file, taken apart again; None when that is impossible."""
    if len(contents) < 2:
        return None
    header = contents[0].data.partition(b"\n")[0]
    bodies = [content.data[len(header) + 1 :] for content in contents]
    ended = [body if body.endswith(b"\n") or not body else body + b"\n" for body in bodies]
    counts = [body.count(b"\n") for body in ended]
    joined = b"".join([header, b"\n", *ended])
    whole = _read_one(Content("csv", "", joined), source)
    if isinstance(whole, FileRefusedError) or whole.records.height != sum(counts):
        return None
    positions = np.concatenate([np.arange(1, count + 1) for count in counts])
    rows = whole.records.with_columns(_pos=pl.Series(positions, dtype=pl.Int64))
    starts = np.cumsum([0, *counts]).tolist()
    return [
        ParsedRecords(rows.slice(start, count), whole.unknown, whole.missing)
        for start, count in zip(starts, counts, strict=False)
    ]


@contextmanager
def refuse_on_unexpected_error() -> Iterator[None]:
    """Whatever a reader did not expect refuses its file: one must never stop the others."""
    try:
        yield
    except (PolarsError, PanicException, csv.Error, ValueError, RecursionError) as error:
        if is_shortage(error):
            raise
        raise FileRefusedError("UNREADABLE", f"{type(error).__name__}: {error}"[:200]) from error


def is_large(content: Content) -> bool:
    """Whether a file has to be read in parts.

    Raises:
        FileRefusedError: TRUNCATED, UNREADABLE or TOO_LARGE, of Parquet.
    """
    _refuse_disguised(content)
    if not content.is_whole:
        return True
    if content.format == "xlsx":
        return unpacked_size(content.data) > _SMALL_WORKBOOK_BYTES
    if content.format == "parquet":
        return _is_large_parquet(content.data)
    if content.format == "json":
        return content.data.count(b",") > PART_RECORDS
    return max(map(content.data.count, (b"\n", b"\r"))) > PART_RECORDS


def _is_large_parquet(data: bytes) -> bool:
    refuse_cut_off(data, data)
    declared = declared_size(data)
    refuse_costly(declared, len(data))
    if max(declared.rows, count_rows(data)) > PART_RECORDS:
        return True
    # What the footer cannot exclude is measured: a dictionary seldom is one value for all rows.
    return declared.texts > files.PART_BYTES and text_bytes_of(data) > files.PART_BYTES


def read_parts(content: Content, opened: Opened, source: Source) -> Iterator[Part]:
    """Read the records of a large file, part by part.

    Put together they are what `read_records` makes of the whole file, whatever the size of the
    parts.

    Args:
        content: what reading the file through has shown.
        opened: the same file.
        source: whose records they are.

    Raises:
        FileRefusedError: HEADER_MISMATCH, TRUNCATED or UNREADABLE.
    """
    _refuse_disguised(content)
    if content.format == "parquet":
        return _parquet_parts(opened, source)
    if content.format == "xlsx":
        return _workbook_parts(opened, source)
    text = _Text(content, source)
    if text.values is not None:
        return _values_parts(text, text.values, opened, content.size)
    return _text_parts(text, opened, content.size)


@dataclass(frozen=True)
class TextRecords:
    """The records of a text file with the bytes that they are.

    Attributes:
        beginning: what stands before the first record.
        are_values: whether they are values of JSON, with something between them, and no lines.
        parts: the records part by part, each with its bytes.
    """

    beginning: bytes
    are_values: bool
    parts: Iterator[tuple[ParsedRecords, list[bytes]]]


def read_with_bytes(content: Content, opened: Opened, source: Source) -> TextRecords:
    """Read the records of a text file part by part, each with the bytes that it is.

    Args:
        content: what reading the file through has shown.
        opened: the same file.
        source: whose records they are.

    Raises:
        FileRefusedError: HEADER_MISMATCH, TRUNCATED or UNREADABLE.
    """
    _refuse_disguised(content)
    text = _Text(content, source, keeps_bytes=True)
    parts = (
        _text_parts(text, opened, content.size)
        if text.values is None
        else _values_parts(text, text.values, opened, content.size)
    )
    with_bytes = ((part.read, text.pieces) for part in parts)
    return TextRecords(content.data[: text.start], text.values is not None, with_bytes)


def _parquet_parts(opened: Opened, source: Source) -> Iterator[Part]:
    refuse_cut_off(opened.stored(0, 4), opened.stored(opened.size - 4, 4))
    declared = declared_size(opened.path)
    refuse_costly(declared, opened.size)
    rows = count_rows(opened.path)
    share = files.PART_BYTES // files.PARQUET_SHARE
    size = max(1, min(PART_RECORDS, rows * share // max(opened.size, declared.unpacked)))
    unpacked = 0
    for start in range(0, max(rows, 1), size):
        stop = start
        for read, more in read_rows(opened.path, start, size, source, files.PART_BYTES):
            unpacked += more
            refuse_unpacked(unpacked, opened.size)
            stop += read.records.height
            yield Part(read, stop, rows)


def _workbook_parts(opened: Opened, source: Source) -> Iterator[Part]:
    """Of a workbook one sheet is in memory at a time, and all of the file."""
    if opened.size > MAX_UNPACKED_BYTES:
        raise FileRefusedError("TOO_LARGE", "a workbook of more than 512 MiB: land it as .csv")
    data = b"".join(opened.pieces())
    for read, sheet, sheets in read_sheets(data, source, PART_RECORDS):
        yield Part(read, sheet, sheets)


def _joined(parts: Sequence[ParsedRecords], source: Source) -> ParsedRecords:
    """The records of several sheets, one behind the other."""
    records = pl.concat([part.records for part in parts])
    unknown = sorted({name for part in parts for name in part.unknown})[:MOST_NAMES]
    lacking = [set(part.missing) for part in parts]
    return ParsedRecords(
        records.with_columns(_pos=pl.int_range(1, pl.len() + 1, dtype=pl.Int64)),
        unknown,
        [name for name in source.columns if all(name in missing for missing in lacking)],
    )


class _Text:
    """A text file: how it is written, its header, where its records begin."""

    def __init__(self, content: Content, source: Source, keeps_bytes: bool = False) -> None:
        # The bytes of each record that was read last, as they stand in the file.
        self.pieces: list[bytes] = []
        self._keeps_bytes = keeps_bytes
        self._source = source
        is_csv = content.format == "csv"
        self.layout: Layout = layout_of(content.data, may_quote=is_csv)
        self._header: Header | None = None
        if is_csv:
            self._header = read_header(content.data, self.layout, source)
        self.start = self._header.size if self._header else self.layout.mark
        self.values: JsonValues | None = None
        if not is_csv:
            head = self.layout.normal(content.data[self.start : HEAD_BYTES])
            _refuse_delimited(content, head, self.layout, source)
            if spans_lines(head, is_json_lines=content.format == "ndjson"):
                self.values = JsonValues()

    def read(self, block: bytes, start: int, is_last: bool) -> tuple[ParsedRecords, int]:
        """The records of whole lines of UTF-8, and how many of its bytes they are."""
        if self._header is not None:
            read, used = read_csv(block, self.layout, self._header, self._source, is_last)
            if self._keeps_bytes:
                done = block[:used]
                starts = record_starts(done, self.layout, self._header, self._source)
                self._cut(done, starts if read.records.height else [])
            return read, used
        texts = split(block, self.layout, self._source.encoding)
        if self._keeps_bytes:
            ends = (texts[SIZE].cast(pl.Int64) + 1).cum_sum()
            self._cut(block, ends.shift(1, fill_value=0).to_list())
        stripped = without_cr(texts, self.layout)
        return self._objects(stripped, start == self.start), len(block)

    def read_values(self, values: Sequence[bytes], is_beginning: bool = True) -> ParsedRecords:
        """The records of values of JSON, the first of the file or others."""
        texts = pl.Series(text_decoding.TEXT, values, dtype=pl.Binary)
        if self._keeps_bytes:
            self.pieces = [self.layout.stored(value) for value in values]
        judged = classify_lines(texts, self.layout, self._source.encoding)
        return self._objects(judged, is_beginning)

    def _cut(self, block: bytes, starts: Sequence[int]) -> None:
        """Keep the bytes of each record."""
        ends = [*starts[1:], len(block)]
        self.pieces = [
            self.layout.stored(block[start:end]) for start, end in zip(starts, ends, strict=False)
        ]

    def _objects(self, texts: pl.DataFrame, is_beginning: bool) -> ParsedRecords:
        # The names of a large file are judged by its first part.
        return read_json(texts, self._source, is_file=is_beginning)


def _refuse_disguised(content: Content) -> None:
    """Refuse a file by what it is, when it is no text with records in it.

    Raises:
        FileRefusedError: UNREADABLE.
    """
    named_as = _NAMED_AS[content.format]
    kind = disguise(content.data)
    if kind is None and content.format == "csv" and is_json(content.data):
        kind = "JSON (.json, .ndjson)"
    if kind is None and content.format == "xlsx":
        raise FileRefusedError("UNREADABLE", f"it is not {named_as}")
    if kind is not None and kind != named_as:
        raise FileRefusedError("UNREADABLE", f"it is {kind}, not {named_as}")


def _refuse_delimited(content: Content, head: bytes, layout: Layout, source: Source) -> None:
    """Refuse what is no JSON from the beginning on.

    Raises:
        FileRefusedError: UNREADABLE.
    """
    text = head.lstrip()
    if not text or text.startswith((b"{", b"[")):
        return
    try:
        read_header(content.data, layout, source)
    except FileRefusedError:
        # One broken line does not stop the others.
        if content.format == "ndjson":
            return
        raise FileRefusedError("UNREADABLE", "not JSON: no object and no array") from None
    raise FileRefusedError("UNREADABLE", "it is delimited text (.csv), not JSON")


def _values_parts(text: _Text, values: JsonValues, opened: Opened, size: int) -> Iterator[Part]:
    layout, start = text.layout, text.start
    pieces = opened.pieces(start)
    buffer = bytearray()
    wanted = files.PART_BYTES
    is_beginning, is_last = True, False
    while not is_last:
        while len(buffer) < wanted and start + len(buffer) < size:
            buffer += _next(pieces)
        is_whole = start + len(buffer) >= size
        window = len(buffer) if is_whole else len(buffer) // layout.unit * layout.unit
        block = layout.normal(bytes(buffer[:window]))
        found, used = values.split(block, is_whole, PART_RECORDS)
        is_last = is_whole and used == len(block)
        if not found and not is_last:
            if window >= min(text_decoding.KEPT_BYTES, MAX_VALUE_BYTES):
                raise FileRefusedError("TOO_LARGE", "one value of its JSON is larger than 24 MiB")
            wanted = window + files.PART_BYTES
        cut = window if used == len(block) else len(layout.stored(block[:used]))
        del buffer[:cut], block
        if found or is_last:
            wanted = files.PART_BYTES
            part = Part(text.read_values(found, is_beginning), start + cut, size)
            is_beginning = False
            del found
            yield part
            del part
        start += cut


def _text_parts(text: _Text, opened: Opened, size: int) -> Iterator[Part]:
    layout, start = text.layout, text.start
    pieces = opened.pieces(start)
    buffer = bytearray()
    wanted = files.PART_BYTES
    is_last = False
    while not is_last:
        while len(buffer) < wanted and start + len(buffer) < size:
            buffer += _next(pieces)
        window = min(wanted, len(buffer))
        count = buffer.count(layout.end, 0, window)
        if count > PART_RECORDS and wanted == files.PART_BYTES:
            window = max(1, window * PART_RECORDS // count)
        cut = window
        if start + window < size:
            cut = layout.find_last_end(buffer, window) + layout.unit
        left_out = 0
        if cut < layout.unit and window >= _kept(layout):
            left_out, cut = _shorten(layout, buffer, pieces)
        is_last = start + left_out + cut >= size
        block = layout.normal(bytes(buffer[: max(cut, 0)]))
        read, used = text.read(block, start, is_last) if block or is_last else (None, 0)
        if read is None or (used == 0 and not is_last):
            # Not even one record is there as a whole.
            wanted = window + files.PART_BYTES
            continue
        if used < len(block):
            cut = len(layout.stored(block[:used]))
        del buffer[:cut]
        wanted = files.PART_BYTES
        start += left_out + cut
        part = Part(read, start, size)
        # The caller needs the room.
        del read, block
        yield part
        del part


def _next(pieces: Iterator[bytes]) -> bytes:
    for piece in pieces:
        return piece
    raise FileRefusedError("UNREADABLE", "it ends earlier than before: land it again")


def _kept(layout: Layout) -> int:
    """Of a line that is too long so much is needed to see that it is."""
    return (text_decoding.KEPT_BYTES + 1) * layout.unit


def _shorten(layout: Layout, buffer: bytearray, pieces: Iterator[bytes]) -> tuple[int, int]:
    """Leave out of a line that is longer than what is kept all but its beginning, and its end.

    Returns:
        How many bytes were left out, and how many the line has now.
    """
    kept = _kept(layout)
    rest = buffer[kept:]
    del buffer[kept:]
    left_out = 0
    while (found := layout.find_end(rest)) < 0:
        whole = len(rest) // layout.unit * layout.unit
        left_out += whole
        del rest[:whole]
        piece = next(pieces, None)
        if piece is None:
            return left_out + len(rest), kept
        rest += piece
    buffer += rest[found:]
    return left_out + found, kept + layout.unit
