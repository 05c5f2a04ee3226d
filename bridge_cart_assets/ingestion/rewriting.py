"""Landed files without the records of erased persons.

Belongs here: writing a file's other records in its place, byte for byte where it is text. Does not
belong here: which files, or what the ledger and raw say of them afterwards (`pipeline.erasure`).

The new file is made beside the old one, under a name that is not taken in, and takes its place in
one step. It keeps the time of its last change, by which a file without a day in its name has one.
An object is made in a folder of this process, and takes the place of the one that was read and of
no other. The store gives it the time of then.
"""

import gzip
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Literal

import polars as pl

from bridge_cart_assets.ingestion.erased_records import ErasedNames
from bridge_cart_assets.ingestion.files import (
    Content,
    FileRefusedError,
    FileReplacedError,
    Opened,
    open_file,
    read_file,
)
from bridge_cart_assets.ingestion.landing import LandedFile, Stored
from bridge_cart_assets.ingestion.raw_rows import FileProvenance, ParsedRecords
from bridge_cart_assets.ingestion.readers import read_parts, read_with_bytes
from bridge_cart_assets.ingestion.workbook_writing import write_workbook
from bridge_cart_assets.lake.fsync import fsync_path
from bridge_cart_assets.leftovers import leftover
from bridge_cart_assets.sources import Source

# Begins with a dot: such a file is not there yet for the intake.
BESIDE = ".{}.rewritten"


@dataclass(frozen=True)
class RewrittenFile:
    """A file of which records were taken out.

    Attributes:
        before, after: SHA-256 of its bytes.
        erased: records that were taken out.
        left: records that it still has.
        quarantined: those of them that are no records.
        etag: of an object that was written, what the store calls it; else empty.
    """

    before: str
    after: str
    erased: int
    left: int
    quarantined: int
    etag: str = ""


def rewrite_file(
    file: LandedFile,
    source: Source,
    names: ErasedNames,
    about_to_replace: Callable[[RewrittenFile], None],
) -> RewrittenFile:
    """Take the records of erased persons out of a landed file, if it has any.

    Args:
        file: the file.
        source: whose records it has.
        names: the persons.
        about_to_replace: called when the new file is whole and still lies beside the old one.

    Raises:
        FileRefusedError: the file cannot be read.
        FileReplacedError: an object was replaced since it was listed.
    """
    content = read_file(file)
    count = _Count(file, source, names, content.fingerprint)
    with _place_beside(file) as beside:
        with open_file(file) as opened:
            if content.format == "parquet":
                _write_parquet(beside, content, opened, source, count)
            elif content.format == "xlsx":
                _write_cells(beside, content, opened, source, count)
            else:
                _write_text(beside, file, content, opened, source, count)
        if not count.erased:
            return count.result(content.fingerprint)
        with beside.open("rb") as new:
            after = hashlib.file_digest(new, "sha256").hexdigest()
        rewritten = count.result(after)
        if file.stored is not None:
            about_to_replace(rewritten)
            return replace(rewritten, etag=_replace_object(file.stored, beside))
        os.chmod(beside, file.path.stat().st_mode & 0o777)
        os.utime(beside, ns=(file.modified_ns, file.modified_ns))
        fsync_path(beside)
        about_to_replace(rewritten)
        os.replace(beside, file.path)
        fsync_path(file.path.parent)
        return rewritten


@contextmanager
def _place_beside(file: LandedFile) -> Iterator[Path]:
    """Where the new file is made; nothing is left there."""
    if file.stored is None:
        beside = file.path.with_name(BESIDE.format(file.path.name))
        try:
            yield beside
        finally:
            beside.unlink(missing_ok=True)
        return
    with leftover(Path(mkdtemp(prefix="bridge-cart-erase-"))) as folder:
        yield folder / "new"


def _replace_object(stored: Stored, new: Path) -> str:
    try:
        return stored.store.replace(stored.path, new, stored.etag)
    except FileNotFoundError as error:
        raise FileReplacedError(str(error)) from error


def rows_of_persons(file: LandedFile, source: Source, names: ErasedNames) -> Iterator[pl.DataFrame]:
    """The records of some persons in a landed file, as raw would have them; none where it cannot be
    read."""
    try:
        content = read_file(file)
        count = _Count(file, source, names, content.fingerprint)
        with open_file(file) as opened:
            for part in read_parts(content, opened, source):
                rows = count.rows(part.read)
                found = rows.filter(names.among(rows, source))
                if found.height:
                    yield found
    except FileRefusedError:
        return


class _Count:
    """Which records go, part by part."""

    def __init__(
        self, file: LandedFile, source: Source, names: ErasedNames, fingerprint: str
    ) -> None:
        self._provenance = FileProvenance(source.name, file.object, fingerprint, file.batch_day)
        self._source, self._names = source, names
        self._before = fingerprint
        self.erased = self._left = self._quarantined = 0

    def result(self, after: str) -> RewrittenFile:
        """What was counted."""
        return RewrittenFile(self._before, after, self.erased, self._left, self._quarantined)

    def rows(self, read: ParsedRecords) -> pl.DataFrame:
        """The records as rows of raw."""
        return self._provenance.put(read, 0, "", datetime.now(UTC))

    def stays(self, read: ParsedRecords) -> pl.Series:
        """For each record whether it stays."""
        stays = ~self._names.among(self.rows(read), self._source)
        self.erased += stays.len() - int(stays.sum())
        self._left += int(stays.sum())
        is_bad = read.records["_status"] == "quarantined"
        self._quarantined += int((stays & is_bad).sum())
        return stays


@contextmanager
def _writing(path: Path, is_packed: bool) -> Iterator[IO[bytes]]:
    with path.open("wb") as stored:
        if not is_packed:
            yield stored
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=stored, mtime=0) as packed:
            yield packed  # type: ignore[misc]


def _write_text(
    beside: Path,
    file: LandedFile,
    content: Content,
    opened: Opened,
    source: Source,
    count: _Count,
) -> None:
    text = read_with_bytes(content, opened, source)
    unit = 2 if text.beginning.startswith((b"\xff\xfe", b"\xfe\xff")) else 1
    order: Literal["big", "little"] = "big" if text.beginning.startswith(b"\xfe\xff") else "little"
    first_text = content.data[len(text.beginning) :].replace(b"\0", b"").lstrip()
    is_array = text.are_values and first_text.startswith(b"[")

    def stored(ascii_text: bytes) -> bytes:
        return b"".join(byte.to_bytes(unit, order) for byte in ascii_text)

    between = stored(b",\n" if is_array else b"\n") if text.are_values else b""
    with _writing(beside, file.object.lower().endswith(".gz")) as new:
        new.write(text.beginning + (stored(b"[\n") if is_array else b""))
        is_first = True
        for read, pieces in text.parts:
            stays = count.stays(read)
            for piece, is_kept in zip(pieces, stays, strict=True):
                if is_kept:
                    new.write(piece if is_first else between + piece)
                    is_first = False
        new.write(stored(b"\n]\n") if is_array else b"")


def _write_parquet(
    beside: Path, content: Content, opened: Opened, source: Source, count: _Count
) -> None:
    gone: list[int] = []
    done = 0
    for part in read_parts(content, opened, source):
        stays = count.stays(part.read)
        gone += [done + at for at in (~stays).arg_true()]
        done += stays.len()
    if gone:
        row = "\0row"
        (
            pl.scan_parquet(opened.path, glob=False, hive_partitioning=False)
            .with_row_index(row)
            .filter(~pl.col(row).is_in(gone))
            .drop(row)
            .sink_parquet(beside)
        )


def _write_cells(
    beside: Path, content: Content, opened: Opened, source: Source, count: _Count
) -> None:
    kept = []
    for part in read_parts(content, opened, source):
        stays = count.stays(part.read)
        kept.append(part.read.records.filter(stays))
    if count.erased:
        write_workbook(beside, pl.concat(kept), source)
