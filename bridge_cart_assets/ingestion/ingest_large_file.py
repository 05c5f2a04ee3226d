"""A large file becomes raw records part by part; after a crash the next run goes on from there.

Belongs here: the protocol of parts. How far a file has got is written with the rows of each part,
in the same commit, and it is looked up on the very handle that writes: of two runs at one file the
slower one finds that the other is further, and goes on from there. Does not belong here: what a
part is (`readers`), or files that are taken as a whole (`ingest_files`).
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import polars as pl

from bridge_cart_assets.ingestion.files import Content, FileRefusedError, Opened, open_file
from bridge_cart_assets.ingestion.landing import LandedFile
from bridge_cart_assets.ingestion.ledger import FileRecord, transaction_of, upsert_files
from bridge_cart_assets.ingestion.raw_rows import MOST_NAMES, FileProvenance, ParsedRecords
from bridge_cart_assets.ingestion.readers import Part, read_parts, refuse_on_unexpected_error
from bridge_cart_assets.lake.delta import Commit, Lake, Snapshot, retry_on_conflict
from bridge_cart_assets.sources import Source

_SLICE = 1_000_000


@dataclass(frozen=True)
class FileProgress:
    """How far a file has got in raw.

    Attributes:
        stop: where the next part begins; None before the first.
        records: its records in raw.
        quarantined: those of them that could not be read as records.
        version: commit with the last part; None before that.
    """

    stop: int | None
    records: int
    quarantined: int
    version: int | None

    def transactions(self, fingerprint: str) -> dict[str, int]:
        """How a commit says it."""
        found = {
            _stop(fingerprint): self.stop,
            _records(fingerprint): self.records,
            _quarantined(fingerprint): self.quarantined,
            transaction_of(fingerprint): self.version,
        }
        return {name: value for name, value in found.items() if value is not None}


class FileChangedError(FileRefusedError):
    """A file is no longer the one that was read through."""


def reached(raw: Snapshot, fingerprint: str) -> FileProgress:
    """How far a file has got in this version of a raw table."""
    return FileProgress(
        raw.transaction(_stop(fingerprint)),
        raw.transaction(_records(fingerprint)) or 0,
        raw.transaction(_quarantined(fingerprint)) or 0,
        raw.transaction(transaction_of(fingerprint)),
    )


def ingest_large_file(
    lake: Lake,
    source: Source,
    file: LandedFile,
    content: Content,
    run_id: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FileRecord:
    """Take in a large file, a commit for each part.

    Args:
        lake: where the raw table lies.
        source: whose records they are.
        file: the file.
        content: what reading it through has shown.
        run_id: Dagster run that takes it.
        progress: gets after each part how much of the file is in raw, and how much there is.
    """
    intake = _LargeFileWriter(lake, source, file, content, run_id)
    try:
        with open_file(file) as opened:
            try:
                for done, total in intake.steps(opened):
                    progress(done, total)
                return intake.seen(opened)
            except FileRefusedError:
                intake.refuse_changed(opened)
                raise
    except FileRefusedError as refusal:
        detail = str(refusal)
        if intake.reached.records and not isinstance(refusal, FileChangedError):
            detail += f"; its first {intake.reached.records:,} records stand in raw"
        return FileRecord(file, "refused", reason=refusal.reason, detail=detail, added=intake.added)


class _LargeFileWriter:
    """One run at one large file: how far it is, and what it has added."""

    def __init__(
        self, lake: Lake, source: Source, file: LandedFile, content: Content, run_id: str
    ) -> None:
        self._lake = lake
        self._source = source
        self._file = file
        self._content = content
        self._run_id = run_id
        self.reached = reached(lake.snapshot(source.raw), content.fingerprint)
        self.added = 0
        self._was_done = self.reached.version is not None
        # Of a header, which every part has; of objects what was read here, if that is all there is.
        self._header: tuple[list[str], list[str]] | None = None
        self._columns: _Columns | None = _Columns(source) if self.reached.stop is None else None

    def steps(self, opened: Opened) -> Iterator[tuple[int, int]]:
        """Take part after part, going on wherever another run has got to."""
        self.refuse_changed(opened)
        while self.reached.version is None:
            provenance = self._provenance()
            with refuse_on_unexpected_error():
                parts = read_parts(self._content, opened, self._source, self.reached.stop)
            is_ahead = True
            while is_ahead and self.reached.version is None:
                with refuse_on_unexpected_error():
                    part = next(parts)
                # Also what was read before the change is still the file that was read through.
                self.refuse_changed(opened)
                is_ahead = retry_on_conflict(partial(self._commit, part, provenance))
                if is_ahead:
                    self._note(part)
                    step = part.stop, part.total
                    # The next part needs the room.
                    del part
                    yield step
                else:
                    self._columns = None

    def _commit(self, part: Part, provenance: FileProvenance) -> bool:
        """Add a part, unless another run is further."""
        raw = self._lake.snapshot(self._source.raw)
        fingerprint = self._content.fingerprint
        found = reached(raw, fingerprint)
        if found != self.reached:
            self.reached = found
            return False
        rows = provenance.put(part.read, found.records, self._run_id, datetime.now(UTC))
        after = FileProgress(
            part.stop,
            found.records + rows.height,
            found.quarantined + part.read.quarantined,
            (raw.version or 0) + 1 if part.is_last else None,
        )
        as_of = max(filter(None, (raw.as_of, provenance.batch_day)))
        raw.append(rows, Commit(self._run_id, as_of, after.transactions(fingerprint)))
        self.reached = after
        return True

    def _note(self, part: Part) -> None:
        is_first = not self.added
        self.added += part.read.records.height
        self._header = part.read.unknown, part.read.missing
        if self._columns is not None:
            self._columns.add(part.read)
        if is_first and not part.is_last:
            half = FileRecord(
                self._file,
                "partial",
                self._content.fingerprint,
                self.reached.records,
                quarantined=self.reached.quarantined,
            )
            upsert_files(self._lake, [half], self._run_id, datetime.now(UTC))

    def seen(self, opened: Opened) -> FileRecord:
        """What the look at a file came to that raw has as a whole now."""
        unknown, missing = self._names(opened)
        is_its_name = self._provenance().object == self._file.object
        return FileRecord(
            self._file,
            "taken" if is_its_name else "repeated",
            self._content.fingerprint,
            self.reached.records,
            quarantined=self.reached.quarantined,
            version=self.reached.version,
            unknown=unknown,
            missing=missing,
            added=self.added,
            is_new=not self._was_done,
        )

    def refuse_changed(self, opened: Opened) -> None:
        """Stop when the file is no longer the one whose fingerprint its records carry."""
        if opened.signature == self._content.signature:
            return
        stand = f": its first {self.reached.records:,} records stand in raw"
        raise FileChangedError(
            "UNREADABLE",
            f"it changed while it was read{stand if self.reached.records else ''}; land it again",
        )

    def _provenance(self) -> FileProvenance:
        """The name under which the first part was taken; all parts keep it."""
        own = FileProvenance(
            self._source.name, self._file.object, self._content.fingerprint, self._file.batch_day
        )
        if not self.reached.records:
            return own
        raw = self._lake.snapshot(self._source.raw).scan()
        first = raw.filter(pl.col("_fingerprint") == own.fingerprint, pl.col("_pos") == 1)
        object_, day = first.select("_object", "_batch_day").head(1).collect().row(0)
        return FileProvenance(own.source, object_, own.fingerprint, day)

    def _names(self, opened: Opened) -> tuple[list[str], list[str]]:
        """Columns beyond the source's, and those that it lacks."""
        if self._content.format != "ndjson":
            if self._header is None:
                with refuse_on_unexpected_error():
                    part = next(read_parts(self._content, opened, self._source, None))
                self._header = part.read.unknown, part.read.missing
            return self._header
        if self._columns is None:
            self._columns = _Columns(self._source)
            for read in self._stored():
                self._columns.add(read)
        return self._columns.unknown, self._columns.missing

    def _stored(self) -> Iterator[ParsedRecords]:
        """The file's records as raw has them, not too many at once."""
        provenance = self._provenance()
        raw = self._lake.snapshot(self._source.raw).scan()
        rows = raw.filter(
            pl.col("_batch_day") == provenance.batch_day,
            pl.col("_fingerprint") == provenance.fingerprint,
        )
        for first in range(1, self.reached.records + 1, _SLICE):
            some = rows.filter(pl.col("_pos").is_between(first, first + _SLICE - 1)).collect()
            rescued = some["_rescued"].drop_nulls().unique()
            names = {name for text in rescued for name in json.loads(text)}
            yield ParsedRecords(some, sorted(names), [])


class _Columns:
    """The columns of JSON objects: those that have a value somewhere."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._there: set[str] = set()
        self._is_readable = False
        self.unknown: list[str] = []

    def add(self, read: ParsedRecords) -> None:
        """Look at some records more."""
        readable = read.records.filter(pl.col("_status") == "ok")
        self._is_readable |= readable.height > 0
        self._there |= {name for name in self._source.columns if readable[name].count()}
        self.unknown = sorted({*self.unknown, *read.unknown})[:MOST_NAMES]

    @property
    def missing(self) -> list[str]:
        """The source's columns that nowhere have one; none when nothing could be read."""
        if not self._is_readable:
            return []
        return [name for name in self._source.columns if name not in self._there]


def _stop(fingerprint: str) -> str:
    return f"part:{fingerprint}"


def _records(fingerprint: str) -> str:
    return f"part-records:{fingerprint}"


def _quarantined(fingerprint: str) -> str:
    return f"part-quarantined:{fingerprint}"
