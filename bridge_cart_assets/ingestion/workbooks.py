"""Sheets of an Excel workbook as records: every cell as the text that is read later.

Belongs here: which sheets have records, and cells that a reader of workbooks would lose or round.
Does not belong here: what the values mean (`transforms.cleaning`).

fastexcel spells numbers without noise (19.99, not 19.989999999999998) and cells with a date format
as ISO 8601. Two kinds of cells it would lose: errors (#DIV/0!) come out empty, and numbers of more
than fifteen digits come out rounded. They are made texts before it sees them: the digits where the
file has them, else the scientific notation, which is no id.
"""

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import polars as pl

from bridge_cart_assets.ingestion.csv_records import refuse_repeated_header
from bridge_cart_assets.ingestion.files import FileRefusedError, refuse_unpacked
from bridge_cart_assets.ingestion.headers import Header, header_row
from bridge_cart_assets.ingestion.raw_rows import (
    CODE,
    POS,
    TEXT,
    ParsedRecords,
    as_raw,
    missing_of,
    require,
    unknown_of,
)
from bridge_cart_assets.sources import Source

# In memory a workbook takes about twice as much: the cells of one sheet, and their texts.
MAX_UNPACKED_BYTES = 512 * 1024**2
PIECE_BYTES = 4 * 1024**2
# A sheet is read as a rectangle up to its last row and column, however few cells it has.
MAX_CELLS = 20_000_000
# A text that many cells share is in memory once for each of them.
MAX_SHARED_BYTES = 512 * 1024**2
_ERROR_CELL = re.compile(rb"""(<(?:\w+:)?c\b[^<>]*\st=["'])e(["'])""")
_LONG_NUMBER = re.compile(
    rb"""<((?:\w+:)?)c\b((?:(?!\st=)[^<>])*)(?:\st=["']n["'])?((?:(?!\st=)[^<>])*)>"""
    rb"""((?:<(?:\w+:)?f\b[^<>]*/>|<(?:\w+:)?f\b[^<>]*>[^<]*</(?:\w+:)?f>)?)"""
    rb"""(<(?:\w+:)?v>-?(?:[0-9]{16,}|[0-9](?:\.[0-9]+)?[eE]\+?(?:1[5-9]|[2-9][0-9]|[0-9]{3}))<)"""
)
# Where a row or a cell says that it stands: `r="7"`, `r="AB7"`.
_PLACE = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{0,4})([0-9]{1,8})["']""")
_SHARED_CELL = re.compile(
    rb"""<(?:\w+:)?c\b[^<>]*\st\s*=\s*["']s["'][^<>]*>\s*<(?:\w+:)?v>\s*([0-9]{1,9})\s*<"""
)
_SHARED_TEXT = re.compile(rb"""<(?:\w+:)?si\b[^<>]*?(?:/>|>.*?</(?:\w+:)?si>)""", re.DOTALL)
# What `zipfile` and the decompressors that it calls raise for bytes that are none of theirs.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
    *(ValueError, OverflowError, OSError, struct.error),
)
_NO_CELLS = ("xl/sharedStrings.xml", "xl/styles.xml")
# A cell with a time and no day: such a workbook counts days from here.
_NO_DAY = r"^(?:1899-12-3[01]|1904-01-01) (\d\d:\d\d:\d\d)$"


def unpacked_size(data: bytes) -> int:
    """How many bytes a workbook is when it is unpacked.

    Raises:
        FileRefusedError: TRUNCATED.
    """
    with _opened(data) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def read_sheets(data: bytes, source: Source, most: int) -> Iterator[tuple[ParsedRecords, int, int]]:
    """Read the records of all sheets that have the header, sheet by sheet.

    Args:
        data: the workbook.
        source: whose records they are.
        most: so many records at a time.

    Yields:
        Records, `_pos` from 1; the number of the sheet they are from, and how many there are.

    Raises:
        FileRefusedError: HEADER_MISMATCH, TRUNCATED, BAD_CHECKSUM, TOO_LARGE or UNREADABLE.
    """
    import fastexcel

    readable = _with_texts(data)
    try:
        workbook = fastexcel.read_excel(readable)
        del readable
        names = workbook.sheet_names
        has_records = False
        likeliest: Sequence[str] = ()
        for number, _ in enumerate(names, 1):
            sheet = workbook.load_sheet(number - 1, header_row=None, dtypes="string").to_polars()
            rows = (tuple(cell or "" for cell in row) for row in sheet.iter_rows())
            found, row_names = header_row(rows, source)
            if found is not None:
                at, header = found
                has_records = True
                cells = sheet.slice(at + 1)
                for start in range(0, max(cells.height, 1), most):
                    yield _records(cells.slice(start, most), header, source), number, len(names)
            elif len(row_names) > len(likeliest):
                likeliest = row_names
            del sheet
    except BaseException as error:
        # A panic of its Rust is no Exception, and one file must not stop the others.
        is_panic = type(error).__name__ == "PanicException"
        if not is_panic and not isinstance(error, fastexcel.FastExcelError):
            raise
        words = " ".join(str(error).split())
        raise FileRefusedError("UNREADABLE", f"no readable workbook: {words}"[:200]) from error
    if not has_records:
        require(likeliest, source)


def _records(cells: pl.DataFrame, header: Header, source: Source) -> ParsedRecords:
    width = len(header.names)
    # Cells beside the table have a place of their own, so that none can be taken for another.
    beside = {at: f"column {at + 1}" for at in range(width, cells.width)}
    beside = {at: name for at, name in beside.items() if cells[:, at].is_not_null().any()}
    columns = [*header.names, *beside.values()]
    values = cells.select(
        cells[:, at].str.replace(_NO_DAY, "$1").alias(name)
        for at, name in zip([*range(width), *beside], columns, strict=True)
    )
    is_blank = pl.all_horizontal(pl.col(columns).fill_null("").str.strip_chars() == "")
    judged = values.with_columns(
        pl.when(is_blank).then(pl.lit("BLANK")).otherwise(pl.lit(None, pl.String)).alias(CODE),
        pl.concat_str(pl.col(columns).fill_null(""), separator="\t").alias(TEXT),
    ).with_row_index(POS, offset=1)
    records = as_raw(
        refuse_repeated_header(judged, header, source),
        source,
        [name for name in columns if name not in source.columns],
    )
    return ParsedRecords(records, unknown_of(columns, source), missing_of(columns, source))


@contextmanager
def _opened(data: bytes) -> Iterator[zipfile.ZipFile]:
    """The archive that a workbook is.

    `zipfile` has no error of its own for much of what a damaged directory makes it do, such as
    seeking before the first byte, so the errors of all that it calls are taken for damage here.

    Raises:
        FileRefusedError: TRUNCATED, BAD_CHECKSUM or UNREADABLE, also from within the `with`.
    """
    try:
        try:
            archive = zipfile.ZipFile(io.BytesIO(data))
        except zipfile.BadZipFile as error:
            raise FileRefusedError("TRUNCATED", "the workbook has no end: land it again") from error
        with archive:
            yield archive
    except (NotImplementedError, RuntimeError) as error:
        raise FileRefusedError("UNREADABLE", f"the workbook cannot be unpacked: {error}") from error
    except _DAMAGE as error:
        raise FileRefusedError("BAD_CHECKSUM", f"the workbook is damaged: {error}") from error


def _with_texts(data: bytes) -> bytes:
    """The workbook with texts for the cells that would be lost or rounded.

    All of it is unpacked here once, piece by piece, so that its checksums and sizes are true.
    """
    with _opened(data) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
            raise FileRefusedError(
                "TOO_LARGE",
                f"a workbook of more than {MAX_UNPACKED_BYTES // 1024**2} MiB unpacked: land "
                "its sheets as .csv",
            )
        refuse_unpacked(sum(entry.file_size for entry in entries), len(data))
        _refuse_costly(archive)
        changed = {
            entry.filename
            for entry in entries
            if any(new != old for old, new in _rewritten(archive, entry))
        }
        if not changed:
            return data
        copy = io.BytesIO()
        with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
            for entry in entries:
                with target.open(entry.filename, "w", force_zip64=True) as part:
                    for old, new in _rewritten(archive, entry):
                        part.write(new if entry.filename in changed else old)
        return copy.getvalue()


def _refuse_costly(archive: zipfile.ZipFile) -> None:
    """Refuse a workbook whose few bytes are a great many cells or texts.

    Which part is a sheet its own relations say, so every part is looked at.

    Raises:
        FileRefusedError: TOO_LARGE.
    """
    # Sizes of the shared texts; not looked at as long as all cells could have the longest.
    sizes: np.ndarray | None = None
    longest = max((entry.file_size for entry in archive.infolist()), default=0)
    shared = 0
    for entry in archive.infolist():
        rows = columns = 0
        for piece in _tagged_pieces(archive, entry):
            for letters, digits in set(_PLACE.findall(piece)):
                rows = max(rows, int(digits))
                columns = max(columns, _column(letters))
            if rows * columns > MAX_CELLS:
                raise FileRefusedError(
                    "TOO_LARGE",
                    f"a sheet reaches to row {rows:,} and column {columns:,}, and {MAX_CELLS:,} "
                    "cells are allowed: remove the stray cell, or land it as .csv",
                )
            cells = np.array(_SHARED_CELL.findall(piece), dtype=np.int64)
            if sizes is None and shared + len(cells) * longest > MAX_SHARED_BYTES:
                sizes = _shared_sizes(archive)
                longest = int(sizes.max(initial=0))
            if shared + len(cells) * longest > MAX_SHARED_BYTES and sizes is not None:
                shared += int(sizes[cells[cells < len(sizes)]].sum())
            else:
                shared += len(cells) * longest
            if shared > MAX_SHARED_BYTES:
                raise FileRefusedError(
                    "TOO_LARGE",
                    f"the texts of its cells are more than {MAX_SHARED_BYTES // 1024**2} MiB: "
                    "land its sheets as .csv",
                )


def _tagged_pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """A part of the workbook in pieces that end where a tag begins."""
    with archive.open(entry) as part:
        rest = b""
        while piece := part.read(PIECE_BYTES):
            rest += piece
            cut = rest.rfind(b"</") if len(rest) > PIECE_BYTES else len(rest)
            if cut > 0:
                yield rest[:cut]
                rest = rest[cut:]
        yield rest


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _shared_sizes(archive: zipfile.ZipFile) -> "np.ndarray":
    """Bytes of each shared text, of the part that has most of them."""
    found: list[int] = []
    for entry in archive.infolist():
        sizes = [len(match[0]) for match in _SHARED_TEXT.finditer(archive.read(entry))]
        found = max(found, sizes, key=len)
    return np.array(found, dtype=np.int64)


def _rewritten(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[tuple[bytes, bytes]]:
    """The pieces of a part of the workbook, each as it is and as it has to be."""
    has_cells = entry.filename.endswith(".xml") and entry.filename not in _NO_CELLS
    with archive.open(entry) as part:
        rest = b""
        while piece := part.read(PIECE_BYTES):
            rest += piece
            # No cell is torn apart at the end of a row.
            cut = rest.rfind(b"row>") + 4 if has_cells else len(rest)
            if cut >= 4:
                yield rest[:cut], _texts(rest[:cut]) if has_cells else rest[:cut]
                rest = rest[cut:]
        yield rest, _texts(rest) if has_cells else rest


def _texts(xml: bytes) -> bytes:
    return _LONG_NUMBER.sub(rb'<\1c\2\3 t="str">\4\5', _ERROR_CELL.sub(rb"\1str\2", xml))
