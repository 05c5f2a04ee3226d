"""Lines: how the bytes of a text file become text, and which of them are none.

Belongs here: byte-order marks, line ends, encodings and the longest line. Does not belong here:
what a line says (`csv_records`, `json_records`), or reading a file (`files`, `readers`).

UTF-16 is rewritten to UTF-8 first, so that all that follows knows one encoding only. Halves of
characters survive that as bytes that UTF-8 does not have; the line they stand in is no text, and
its own bytes can be restored.
"""

import re
from dataclasses import dataclass

import polars as pl
from polars.exceptions import ComputeError

from bridge_cart_assets.ingestion.files import HEAD_BYTES
from bridge_cart_assets.ingestion.raw_rows import APPENDED_DETAIL, CODE, DETAIL, SIZE, STORED, TEXT

MAX_RECORD_BYTES = 8 * 1024**2
# A longer line than that is kept by its beginning: it need not fit into memory.
KEPT_BYTES = 64 * 1024**2
_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"\xef\xbb\xbf": "utf-8"}
_QUOTED = re.compile(rb'"[^"]*(?:"|\Z)')
_LONE_CR = re.compile(rb"\r(?!\n)")
# A byte that UTF-8 never has: behind it stands the last byte of UTF-16 that has an odd number.
_ODD = b"\xf8"
_COLUMNS = {TEXT: pl.String, CODE: pl.String, DETAIL: pl.String, STORED: pl.Binary}


@dataclass(frozen=True)
class Layout:
    """How a text file is written.

    Attributes:
        encoding: utf-8, utf-16-le or utf-16-be.
        mark: bytes of the byte-order mark.
        end: what ends a line: LF (a CR before it belongs to it), or CR in files of old.
    """

    encoding: str
    mark: int
    end: bytes

    @property
    def unit(self) -> int:
        """Bytes that are never torn apart."""
        return 1 if self.encoding == "utf-8" else 2

    @property
    def stored_end(self) -> bytes:
        """The end of a line as it stands in the file."""
        return self.stored(self.end)

    def normal(self, stored: bytes) -> bytes:
        """Bytes of the file in UTF-8."""
        if self.encoding == "utf-8":
            return stored
        even = len(stored) // 2 * 2
        text = stored[:even].decode(self.encoding, "surrogatepass")
        odd = _ODD + stored[even:] if even < len(stored) else b""
        return text.encode("utf-8", "surrogatepass") + odd

    def stored(self, normal: bytes) -> bytes:
        """What the file has for these bytes of UTF-8."""
        if self.encoding == "utf-8":
            return normal
        even, _, odd = normal.partition(_ODD)
        return even.decode("utf-8", "surrogatepass").encode(self.encoding, "surrogatepass") + odd

    def find_end(self, stored: bytes | bytearray, start: int = 0) -> int:
        """Where the first line ends in bytes of the file; -1 when it does not end there."""
        found = stored.find(self.stored_end, start)
        while found % self.unit and found >= 0:
            found = stored.find(self.stored_end, found + 1)
        return found

    def find_last_end(self, stored: bytes | bytearray, stop: int) -> int:
        """Where the last line that is whole before `stop` ends; -`unit` when there is none."""
        found = stored.rfind(self.stored_end, 0, stop)
        while found % self.unit and found >= 0:
            found = stored.rfind(self.stored_end, 0, found + self.unit - 1)
        return found if found >= 0 else -self.unit


UTF_8 = Layout("utf-8", 0, b"\n")


def layout_of(head: bytes, may_quote: bool) -> Layout:
    """Find out how a file is written.

    Args:
        head: its first HEAD_BYTES.
        may_quote: whether line breaks in double quotes end no line (CSV).
    """
    head = head[:HEAD_BYTES]
    mark = next((m for m in _MARKS if head.startswith(m)), b"")
    layout = Layout(_MARKS.get(mark, "utf-8"), len(mark), b"\n")
    text = layout.normal(head[len(mark) :])
    # A quotation mark in a preamble may never be closed, so LF alone does not decide.
    if _LONE_CR.search(text) and b"\n" not in (_QUOTED.sub(b"", text) if may_quote else text):
        return Layout(layout.encoding, layout.mark, b"\r")
    return layout


def split(normal: bytes, layout: Layout, encoding: str | None) -> pl.DataFrame:
    """Physical lines without their ends; of CRLF the CR is still there.

    Args:
        normal: whole lines, in UTF-8 (`Layout.normal`).
        layout: how the file is written.
        encoding: what lines that are not UTF-8 are read as; each by itself.

    Returns:
        TEXT, CODE (BAD_ENCODING, LINE_TOO_LONG or null), DETAIL and STORED as `classify_lines` has
        them; and SIZE, the bytes of the line in `normal`.
    """
    whole = _texts(pl.Series(TEXT, [normal], dtype=pl.Binary))
    if whole.null_count():
        parts = normal.split(layout.end)
        if not parts[-1]:
            parts.pop()
        lines = pl.Series(TEXT, parts, dtype=pl.Binary)
        return classify_lines(lines, layout, encoding).with_columns(lines.bin.size().alias(SIZE))
    texts = whole.str.split(layout.end.decode()).explode()
    if texts[-1] == "":
        texts = texts.head(-1)
    sizes = texts.str.len_bytes().alias(SIZE)
    if (sizes > MAX_RECORD_BYTES).any():
        return classify_lines(texts.cast(pl.Binary), layout, encoding).with_columns(sizes)
    return (
        texts.to_frame()
        .with_columns(
            pl.lit(value, dtype=_COLUMNS[name]).alias(name)
            for name, value in ((CODE, None), (DETAIL, _written(layout)), (STORED, None))
        )
        .with_columns(sizes)
    )


def without_cr(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The lines without the CR of a CRLF.

    Of UTF-16 that is no text all bytes stay: half of a CR would be no better.
    """
    stripped = pl.col(TEXT).str.strip_suffix("\r")
    if layout.unit > 1:
        stripped = pl.when(pl.col(CODE).is_null()).then(stripped).otherwise(pl.col(TEXT))
    return lines.with_columns(stripped)


def classify_lines(
    lines: pl.Series, layout: Layout = UTF_8, encoding: str | None = None
) -> pl.DataFrame:
    """Tell which lines are text.

    Args:
        lines: bytes of each, in UTF-8 (`Layout.normal`); null where there is nothing at all.
        layout: how they were written.
        encoding: what those that are not UTF-8 are read as.

    Returns:
        TEXT, CODE (BAD_ENCODING, LINE_TOO_LONG, MALFORMED for nothing at all, or null), DETAIL
        (the same for people), and STORED: the bytes of those that are not simply their text.
    """
    texts = _texts(lines)
    frame = pl.DataFrame({TEXT: texts}).with_columns(
        pl.lit(value, dtype=_COLUMNS[name]).alias(name)
        for name, value in ((CODE, None), (DETAIL, _written(layout)), (STORED, None))
    )
    odd = (texts.is_null() | (lines.bin.size() > MAX_RECORD_BYTES).fill_null(False)).arg_true()
    if not len(odd):
        return frame
    decoded = pl.DataFrame(
        [_judge(line, layout, encoding) for line in lines.gather(odd)],
        schema=_COLUMNS,
        orient="row",
    )
    index = "\0index"
    decoded = decoded.with_columns(odd.cast(pl.UInt32).alias(index))
    return frame.with_row_index(index).update(decoded, on=index, how="left").drop(index)


def _texts(lines: pl.Series) -> pl.Series:
    """The lines as text; null for those that are none."""
    try:
        return lines.cast(pl.String)
    except ComputeError:
        texts = [None if line is None else _decoded(line, "utf-8") for line in lines]
        return pl.Series(lines.name, texts, dtype=pl.String)


def _judge(
    line: bytes | None, layout: Layout, encoding: str | None
) -> tuple[str | None, str | None, str | None, bytes | None]:
    if line is None:
        return None, "MALFORMED", "a message without a value", None
    is_long = len(line) > MAX_RECORD_BYTES
    details = ["longer than 8 MiB"] if is_long else []
    if len(line) > KEPT_BYTES:
        line = _beginning(line)
        details.append(f"_raw has its first {KEPT_BYTES // 1024**2} MiB")
    stored = layout.stored(line)
    text, written = _decoded(line, "utf-8"), _written(layout)
    if text is None and encoding is not None and layout == UTF_8:
        text, written = _decoded(stored, encoding), f"{APPENDED_DETAIL}its bytes are {encoding}"
    if text is not None and not is_long:
        return text, None, written, stored
    if text is not None:
        return text, "LINE_TOO_LONG", "; ".join(details) + (written or ""), stored
    details.append(f"not {_accepted(layout, encoding)}; _raw has the bytes as Latin-1")
    code = "LINE_TOO_LONG" if is_long else "BAD_ENCODING"
    return stored.decode("latin-1"), code, "; ".join(details), stored


def _written(layout: Layout) -> str | None:
    """How the bytes of a line can be restored from its text, where that is not simply UTF-8."""
    return f"{APPENDED_DETAIL}its bytes are {layout.encoding}" if layout.unit > 1 else None


def _beginning(line: bytes) -> bytes:
    """As much of a line as is kept, cut between two characters."""
    cut = KEPT_BYTES
    while cut > max(0, KEPT_BYTES - 4) and line[cut] & 0xC0 == 0x80:
        cut -= 1
    return line[:cut]


def is_utf_8(data: bytes) -> bool:
    """Whether all of it is text in UTF-8.

    >>> is_utf_8("Zoë".encode()), is_utf_8("Zoë".encode("latin-1"))
    (True, False)
    """
    return data.isascii() or _decoded(data, "utf-8") is not None


def has_open_quote(data: bytes) -> bool:
    """Whether a line has an odd number of quotes, so that it may go on in the next one.

    >>> has_open_quote(b'1,"Ada, of London"\n2,Bob\n'), has_open_quote(b'1,"Ada\n2,Bob"\n')
    (False, True)
    """
    return b'"' in data and any(line.count(b'"') % 2 for line in data.split(b"\n"))


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _accepted(layout: Layout, encoding: str | None) -> str:
    if layout.unit > 1:
        return "UTF-16"
    return f"UTF-8, nor {encoding}" if encoding else "UTF-8"
