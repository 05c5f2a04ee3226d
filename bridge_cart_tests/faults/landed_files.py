"""Small files to land, and what raw has to say of each of their records.

Ids, moments and days are few, so that records meet: corrections, late records, refunds, copies.
"""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from hypothesis import strategies as st

from bridge_cart_assets.ingestion.landing import LandedFile, list_landing
from bridge_cart_assets.sources import SOURCES

DAYS = ("2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02")
TEXTS = (".csv", ".csv.gz", ".ndjson", ".ndjson.gz")
SUFFIXES = (*TEXTS, ".parquet")
# What a record says, or what a line is that is no record.
Record = dict[str, str] | str
BLANK, BROKEN = "", "{not a record"
# Status and values of one raw record, in its file's columns.
RawRecord = tuple[str, tuple[str | None, ...]]

_MOMENTS = ("2024-01-29T10:00:00", "2024-01-30T00:00:00", "2024-01-31T12:30:00", "2024-02-01")
# Most records should be accepted and meet others: what is good stands more than once.
VALUES = {
    "purchases": {
        "order_id": ("O1", "O1", "O1", "O2", "O2", "O3", "O3", ""),
        "line_number": ("1", "1", "2", ""),
        "customer_id": ("C1", "C1", "C2", "C2", "C3", "C3", "C3", ""),
        "purchase_date": (*_MOMENTS, *_MOMENTS, "yesterday"),
        "purchase_amount": ("10.00", "10.00", "12.50", "12.50", "7", "-4.00", "0", "ten"),
        "status": ("completed", "refunded", "cancelled", ""),
        "updated_at": ("", *_MOMENTS),
    },
    "customers": {
        "customer_id": ("C1", "C1", "C2", "C2", "C3", ""),
        "name": ("Ann", "Ann", "Bob", ""),
        "age": ("40", "40", "40", "old"),
        "updated_at": ("", *_MOMENTS),
    },
}


@dataclass(frozen=True)
class File:
    """A file's bytes and what raw has to say of it.

    Attributes:
        source: whose records they are.
        suffix: its format.
        data: its bytes.
        raw_records: status and values of each record; None when the file cannot be taken.
    """

    source: str
    suffix: str
    data: bytes = field(repr=False)
    raw_records: tuple[RawRecord, ...] | None

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(VALUES[self.source])


def records(source: str) -> st.SearchStrategy[list[Record]]:
    """A handful of records; now and then a blank line or one that is no record."""
    said = st.fixed_dictionaries({n: st.sampled_from(v) for n, v in VALUES[source].items()})
    line = st.sampled_from([BLANK, BROKEN])
    # A record comes first: a file needs one, and most lines should be one.
    return st.tuples(said, st.lists(st.one_of(said, said, said, line), max_size=4)).map(
        lambda parts: [parts[0], *parts[1]]
    )


def file_of(source: str, suffix: str, lines: Sequence[Record]) -> File:
    """The records as a file of this format."""
    if suffix == ".parquet":
        kept = [line for line in lines if isinstance(line, dict)]
        raw_records = tuple(_raw_record(source, record, "") for record in kept)
        return File(source, suffix, _parquet(source, kept), raw_records)
    of_nothing = "" if suffix.startswith(".csv") else None
    raw_records = tuple(_raw_record(source, line, of_nothing) for line in lines)
    text = _csv(source, lines) if suffix.startswith(".csv") else _ndjson(lines)
    data = text.encode()
    data = gzip.compress(data, mtime=0) if suffix[-3:] == ".gz" else data
    return File(source, suffix, data, raw_records)


def corrupt(source: str, suffix: str, lines: Sequence[Record]) -> File:
    """A file that cannot be taken: its packed bytes are cut off, or its header is another."""
    whole = file_of(source, suffix, lines)
    if suffix in (".csv", ".ndjson"):
        other = whole.data.replace(b"customer_id", b"customer")
        return File(source, suffix, other, None)
    return File(source, suffix, whole.data[:-6], None)


def _raw_record(source: str, line: Record, of_nothing: str | None) -> RawRecord:
    if isinstance(line, dict):
        return "ok", tuple(line[name] or of_nothing for name in VALUES[source])
    return ("quarantined" if line else "blank"), (None,) * len(VALUES[source])


def _csv(source: str, lines: Sequence[Record]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(VALUES[source])
    for line in lines:
        if isinstance(line, dict):
            writer.writerow(line[name] for name in VALUES[source])
        else:
            text.write(line + "\n")
    return text.getvalue()


def _ndjson(lines: Sequence[Record]) -> str:
    objects = (
        json.dumps({name: value or None for name, value in line.items()})
        if isinstance(line, dict)
        else line
        for line in lines
    )
    return "".join(f"{text}\n" for text in objects)


def _parquet(source: str, lines: Sequence[dict[str, str]]) -> bytes:
    data = io.BytesIO()
    pl.DataFrame(lines, schema=dict.fromkeys(VALUES[source], pl.String)).write_parquet(data)
    return data.getvalue()


def landed(landing: Path) -> list[LandedFile]:
    """All files of a landing zone."""
    return [file for source in SOURCES for file in list_landing(landing, source.name)]
