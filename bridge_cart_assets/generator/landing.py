"""The files that the shop drops into the landing zone, a day at a time.

Belongs here: formats, tidy records as text, and putting a finished file in its place. Does not
belong here: what the records say.
"""

import gzip
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import polars as pl

from bridge_cart_assets.sources.source import CUSTOMER_COLUMNS, PURCHASE_COLUMNS

CUSTOMERS, PURCHASES = "customers", "purchases"
SOURCES = (CUSTOMERS, PURCHASES)
# The shop sends no currencies with its orders, and addresses only where guests can buy.
_NOT_SENT = {"email", "currency"}
COLUMNS = {
    CUSTOMERS: tuple(CUSTOMER_COLUMNS),
    PURCHASES: tuple(name for name in PURCHASE_COLUMNS if name not in _NOT_SENT),
}
_WITH_ADDRESSES = {**COLUMNS, PURCHASES: (*COLUMNS[PURCHASES], "email")}
# Numbers and flags, which JSON writes without quotes.
_WITHOUT_QUOTES = {"age", "income", "line_number", "purchase_amount", "discount_amount"} | {
    *("quantity", "coupon_used")
}
# A character U+E0xx in UTF-8, which stands for the byte xx (see `spellings.LATIN_1`).
_BYTE = re.compile(rb"\xee[\x82\x83][\x80-\xbf]")
_GZIP_LEVEL = 1


class Form(StrEnum):
    """Format of the landed files."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


class Target(StrEnum):
    """Where the records go: files in the landing zone, or messages in Kafka's topics."""

    FILES = "files"
    KAFKA = "kafka"


def as_text(records: pl.DataFrame, source: str, zone: str = "UTC") -> list[pl.Expr]:
    """The columns that land, as text, from typed ones.

    Where the records have a column `x_written`, it is how x is written down in the file.
    Moments are `2024-01-05T14:03:22` by the clock of the zone, days `2024-01-05`, money `1234.50`,
    flags true and false.
    """
    columns = (name for name in _WITH_ADDRESSES[source] if name in records.columns)
    return [_text(name, records.schema, zone).fill_null("") for name in columns]


def render_file(
    records: pl.DataFrame,
    source: str,
    form: Form,
    *,
    tidy: pl.DataFrame | None = None,
    without: Sequence[str] = (),
) -> pl.DataFrame:
    """Records as a file has them: a column `line`, or for Parquet the columns.

    Args:
        records: the source's columns as text.
        source: whose records they are.
        form: format of the file.
        tidy: the same records before they were spoilt; None when they are the tidy ones, none of
            whose texts needs quotes or is missing. Both are written alike where they are equal.
        without: columns that are left out.
    """
    there = set(records.columns).difference(without)
    columns = [name for name in _WITH_ADDRESSES[source] if name in there]
    if form is Form.PARQUET:
        return records.select(columns)
    if form is Form.NDJSON:
        fields = [_bare(c) if tidy is None else _field(c, tidy[c]) for c in columns]
        line = pl.lit("{") + pl.concat_str(fields, separator=",") + pl.lit("}")
    else:
        fields = [pl.col(c) if tidy is None else _quoted(c) for c in columns]
        line = pl.concat_str(fields, separator=",")
    return records.select(line=line)


def header_line(source: str, *, with_addresses: bool = False) -> str:
    """The names of the columns, as the first line of a CSV file has them."""
    return ",".join((_WITH_ADDRESSES if with_addresses else COLUMNS)[source])


def files_of_day(
    rendered: pl.DataFrame, header: str, form: Form, heads: Mapping[int, str]
) -> Iterator[tuple[int, bytes]]:
    """The file of each day.

    Args:
        rendered: what `render_file` returns, with `_day` (ascending).
        header: the first line of a CSV file.
        form: format of the file.
        heads: what stands before the records of a CSV file, of days on which it is not the usual.
    """
    for (day,), records in rendered.partition_by("_day", as_dict=True, include_key=False).items():
        if form is Form.PARQUET:
            yield day, as_parquet(records, "zstd")
        else:
            head = heads.get(day, f"{header}\n") if form is Form.CSV else ""
            lines: str = records["line"].str.join("\n").item()
            yield day, _BYTE.sub(_as_byte, f"{head}{lines}\n".encode())


def as_parquet(records: pl.DataFrame, compression: str) -> bytes:
    """A Parquet file of the records."""
    buffer = io.BytesIO()
    records.write_parquet(buffer, compression=compression)  # type: ignore[arg-type]
    return buffer.getvalue()


def sent_again(content: bytes, form: Form) -> bytes:
    """The same records in other bytes, as another program would have exported them."""
    if form is Form.PARQUET:
        return as_parquet(pl.read_parquet(io.BytesIO(content)), "uncompressed")
    return content.replace(b"\n", b"\r\n")


def suffix(form: Form, *, gz: bool) -> str:
    """Ending of the files' names."""
    return f"{form}.gz" if gz else str(form)


def land(file: Path, content: bytes, *, gz: bool) -> None:
    """Write a file under a name that readers pass over, then give it its own."""
    unfinished = file.with_name(f"{file.name}.tmp")
    # No time in the file, or it would be another one each time.
    unfinished.write_bytes(gzip.compress(content, _GZIP_LEVEL, mtime=0) if gz else content)
    os.replace(unfinished, file)


def _text(name: str, schema: Mapping[str, pl.DataType], zone: str) -> pl.Expr:
    if isinstance(schema[name], pl.Datetime):
        return pl.col(name).dt.convert_time_zone(zone).dt.strftime("%Y-%m-%dT%H:%M:%S")
    if f"{name}_written" in schema:
        return pl.col(f"{name}_written").alias(name)
    return pl.col(name).cast(pl.String)


def _quoted(column: str) -> pl.Expr:
    text = pl.col(column).fill_null("")
    quoted = pl.lit('"') + text.str.replace_all('"', '""', literal=True) + '"'
    return pl.when(text.str.contains(r'[,"\r\n]')).then(quoted).otherwise(text)


def _bare(column: str) -> pl.Expr:
    """A field of a JSON object whose text needs no escapes."""
    mark = "" if column in _WITHOUT_QUOTES else '"'
    return pl.lit(f'"{column}":{mark}') + pl.col(column) + pl.lit(mark)


def _field(column: str, tidy: pl.Series) -> pl.Expr:
    """A field of a JSON object: as a tidy record has it, or else any text, or null."""
    text = pl.struct(column).struct.json_encode().str.slice(1).str.head(-1)
    return pl.when(pl.col(column) == tidy).then(_bare(column)).otherwise(text)


def _as_byte(character: re.Match[bytes]) -> bytes:
    return bytes([ord(character[0].decode()) & 0xFF])
