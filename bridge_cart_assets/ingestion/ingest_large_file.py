"""A large file is read part by part, and staged: one commit adds all its records.

So memory is bounded, and the commit is that of any other file: with the fingerprint as application
transaction, wholly or not at all. A file that cannot be read to its end leaves nothing; a run that
dies leaves files that no version refers to, and the next run begins at the beginning.

Belongs here: from an opened large file to staged rows. Does not belong here: what a part is
(`readers`), or the commit (`ingest_files`).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl

from bridge_cart_assets.ingestion.erased_records import NOBODY, ErasedNames
from bridge_cart_assets.ingestion.file_transactions import part_records_of
from bridge_cart_assets.ingestion.files import (
    Content,
    FileRefusedError,
    Opened,
    open_file,
    refuse_too_many_records,
)
from bridge_cart_assets.ingestion.landing import LandedFile
from bridge_cart_assets.ingestion.ledger import FileRecord
from bridge_cart_assets.ingestion.raw_rows import MOST_NAMES, FileProvenance, ParsedRecords
from bridge_cart_assets.ingestion.readers import Part, read_parts, refuse_on_unexpected_error
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.lake.staging import StagedFiles
from bridge_cart_assets.sources import Source


def stage_large_file(
    staged: StagedFiles,
    raw: Snapshot,
    source: Source,
    file: LandedFile,
    content: Content,
    run_id: str,
    progress: Callable[[int, int], None],
    erased: ErasedNames = NOBODY,
) -> FileRecord:
    """Write the records of a large file where one commit can add them.

    Args:
        staged: where they are written.
        raw: the source's raw table.
        source: whose records they are.
        file: the file.
        content: what reading it through has shown.
        run_id: Dagster run that takes it.
        progress: gets after each part how much of the file has been read, and how much there is.
        erased: persons of whose records only the places are kept.

    Raises:
        FileRefusedError: it cannot be read to its end, has more records than bytes, or has changed
            since it was read through.
    """
    now = datetime.now(UTC)
    provenance, done = _begun(raw, source, file, content.fingerprint)
    columns = _Columns(source)
    records = quarantined = 0
    for part in _parts(file, content, source):
        rows = provenance.put(part.read, records, run_id, now)
        staged.add(erased.emptied(rows.slice(max(0, done - records)), source))
        records += rows.height
        refuse_too_many_records(records, file.size)
        quarantined += part.read.quarantined
        columns.add(part.read)
        progress(part.stop, part.total)
        # The next part needs the room.
        del part, rows
    return FileRecord(
        replace(file, batch_day=provenance.batch_day),
        "taken" if provenance.object == file.object else "repeated",
        content.fingerprint,
        records,
        quarantined=quarantined,
        unknown=columns.unknown,
        missing=columns.missing,
    )


def _begun(
    raw: Snapshot, source: Source, file: LandedFile, fingerprint: str
) -> tuple[FileProvenance, int]:
    """Under which name and day a file's records are taken, and how many of them raw has already.

    It has some when version 0.1 was killed within the file: it took each part in a commit of its
    own. The others then come under the name that these have.
    """
    done = raw.transaction(part_records_of(fingerprint)) or 0
    own = FileProvenance(source.name, file.object, fingerprint, file.batch_day)
    if not done:
        return own, 0
    first = raw.scan().filter(pl.col("_fingerprint") == fingerprint, pl.col("_pos") == 1)
    object_, day = first.select("_object", "_batch_day").head(1).collect().row(0)
    return replace(own, object=object_, batch_day=day), done


def _parts(file: LandedFile, content: Content, source: Source) -> Iterator[Part]:
    """The parts of a file, as long as it is the one whose fingerprint its records carry."""
    with open_file(file) as opened:
        try:
            with refuse_on_unexpected_error():
                for part in read_parts(content, opened, source):
                    _refuse_changed(opened, content)
                    yield part
                    del part
        except FileRefusedError:
            _refuse_changed(opened, content)
            raise


def _refuse_changed(opened: Opened, content: Content) -> None:
    if opened.signature != content.signature:
        raise FileRefusedError("UNREADABLE", "it changed while it was read; land it again")


class _Columns:
    """How the columns of a file that is read in parts differ from its source's."""

    def __init__(self, source: Source) -> None:
        self.unknown: list[str] = []
        self._source = source
        self._lacking: set[str] = set()
        self._present: set[str] = set()

    def add(self, read: ParsedRecords) -> None:
        """Look at a part more."""
        self.unknown = sorted({*self.unknown, *read.unknown})[:MOST_NAMES]
        self._lacking |= set(read.missing)
        # Objects of JSON say which columns are there, and only those that could be read.
        if (read.records["_status"] == "ok").any():
            self._present |= self._source.columns.keys() - set(read.missing)

    @property
    def missing(self) -> list[str]:
        """The source's columns that no part has."""
        absent = self._lacking - self._present
        return [name for name in self._source.columns if name in absent]
