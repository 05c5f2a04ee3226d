"""Landed files become raw records, each file once, rows and memory of it in one commit.

Belongs here: the protocol, of several small files in a commit or of one large file. A file's
fingerprint is an application transaction of the raw table; it is looked up on the very handle that
writes, so that a file is either wholly in or not at all, whatever is killed and whatever else is
writing. Does not belong here: reading a large file in bounded memory (`ingest_large_file`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import polars as pl

from bridge_cart_assets.ingestion.attempts import MOST_DEATHS, Attempts, attempts
from bridge_cart_assets.ingestion.erased_records import ErasedNames, without_content
from bridge_cart_assets.ingestion.file_transactions import is_taken, taken_by, transaction_of
from bridge_cart_assets.ingestion.files import Content, FileRefusedError, read_file
from bridge_cart_assets.ingestion.ingest_large_file import stage_large_file
from bridge_cart_assets.ingestion.landing import LandedFile
from bridge_cart_assets.ingestion.ledger import (
    FileRecord,
    already_ingested,
    same_bytes,
    upsert_files,
    without_records,
)
from bridge_cart_assets.ingestion.raw_rows import FileProvenance, ParsedRecords, add_provenance
from bridge_cart_assets.ingestion.readers import is_large, read_all, refuse_on_unexpected_error
from bridge_cart_assets.lake.commits import Commit, CommitConflictError, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.lake.staging import StagedFiles
from bridge_cart_assets.sources import Source

# In memory they are several times as much.
COMMIT_BYTES = 64 * 1024**2
COMMIT_RECORDS = 200_000
# A workbook unpacks to about so many times its size.
PACKED_CELLS = 10


@dataclass
class FilesTaken:
    """What an intake came to.

    Attributes:
        files: files whose records were added.
        repeated: files whose bytes had been taken before.
        refused: files that could not be taken, with the reason.
        records: records added, of every status.
        days: batch days that got records.
    """

    files: int = 0
    repeated: int = 0
    records: int = 0
    refused: list[FileRecord] = field(default_factory=list)
    days: set[date] = field(default_factory=set)


@dataclass(frozen=True)
class _Opened:
    """A file that was looked into: its content, or why it has none."""

    file: LandedFile
    found: Content | FileRefusedError
    is_large: bool = False

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, beside its records."""
        if not isinstance(self.found, Content):
            return 0
        is_packed = self.found.format == "xlsx"
        return len(self.found.data) * (PACKED_CELLS if is_packed else 1)

    @property
    def lines(self) -> int:
        """Records that it may have."""
        return self.found.data.count(b"\n") if isinstance(self.found, Content) else 0


@dataclass(frozen=True)
class _InspectedFile:
    """What was found in a file, and its records unless it is refused or known to be in raw.

    Those of a large file are staged, and are rows of the raw table already.
    """

    seen: FileRecord
    rows: pl.DataFrame | StagedFiles | None = None


def ingest_files(
    lake: Lake,
    source: Source,
    files: Sequence[LandedFile],
    run_id: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
    within: Callable[[LandedFile, int, int], None] = lambda file, done, total: None,
    notes: Path | None = None,
    hash_key: bytes | None = None,
) -> FilesTaken:
    """Take in landed files, in commits of at most 64 MiB of them, or of one large one.

    Args:
        lake: where the raw table lies.
        source: the source of all the files.
        files: what to take, in any order.
        run_id: Dagster run that takes them.
        progress: gets the number of files done and of all files; after a part of a large file too.
        within: gets how much of a large file is read, and of how much (bytes; rows of Parquet).
        notes: folder in which a process notes the files that it has in hand (`attempts`).
        hash_key: by which records of erased persons are recognised.
    """
    with attempts(notes, source.name) as tried:
        return _ingest(lake, source, files, run_id, progress, within, hash_key, tried)


def _ingest(
    lake: Lake,
    source: Source,
    files: Sequence[LandedFile],
    run_id: str,
    progress: Callable[[int, int], None],
    within: Callable[[LandedFile, int, int], None],
    hash_key: bytes | None,
    tried: Attempts,
) -> FilesTaken:
    taken = FilesTaken()
    done = 0
    for group in _groups(files, tried):
        now = datetime.now(UTC)
        first = group[0]
        if first.is_large and isinstance(first.found, Content):

            def report(part: int, total: int, file: LandedFile = first.file, n: int = done) -> None:
                within(file, part, total)
                progress(n, len(files))

            outcome = _ingest_large(
                lake, source, first.file, first.found, run_id, report, hash_key, tried
            )
        else:
            inspected = _read(group, source)
            tried.parsed(opened.file for opened in group)
            outcome = retry_on_conflict(partial(_commit, lake, source, inspected, run_id, hash_key))
            # The next ones are read while this name still holds them.
            inspected.clear()
        upsert_files(lake, outcome, run_id, now)
        for one in outcome:
            _count(taken, one)
        done += len(group)
        group.clear()
        progress(done, len(files))
    return taken


def _groups(files: Sequence[LandedFile], tried: Attempts) -> Iterator[list[_Opened]]:
    """The files in the order of their days, opened; those that go into a commit together.

    Files that a run had in hand when it died come last, each alone.
    """
    group: list[_Opened] = []
    size = lines = 0
    for file in sorted(files, key=lambda f: (tried.deaths(f) > 0, f.batch_day, f.object)):
        if tried.deaths(file):
            if group:
                yield group
                group, size, lines = [], 0, 0
            yield [_open(file, tried)]
            continue
        opened = _open(file, tried)
        more, records = opened.size, opened.lines
        is_full = size + more > COMMIT_BYTES or lines + records > COMMIT_RECORDS
        if group and (is_full or opened.is_large):
            yield group
            group, size, lines = [], 0, 0
        group.append(opened)
        size, lines = size + more, lines + records
        if opened.is_large:
            yield group
            group, size, lines = [], 0, 0
    if group:
        yield group


def _open(file: LandedFile, tried: Attempts) -> _Opened:
    if tried.deaths(file) >= MOST_DEATHS:
        return _Opened(
            file,
            FileRefusedError(
                "TOO_LARGE",
                "a run died while it read this file, and another one that read it alone: land it "
                "in smaller files; it is tried again when it changes",
            ),
        )
    tried.opening(file)
    try:
        content = read_file(file)
        with refuse_on_unexpected_error():
            return _Opened(file, content, is_large=is_large(content))
    except FileRefusedError as refusal:
        return _Opened(file, refusal)


def _read(group: Sequence[_Opened], source: Source) -> list[_InspectedFile]:
    contents = [opened.found for opened in group if isinstance(opened.found, Content)]
    reads = iter(read_all(contents, source))
    return [
        _inspect(opened.file, opened.found, next(reads))
        if isinstance(opened.found, Content)
        else _refused(opened.file, opened.found)
        for opened in group
    ]


def _refused(file: LandedFile, why: FileRefusedError) -> _InspectedFile:
    return _InspectedFile(FileRecord(file, "refused", reason=why.reason, detail=str(why)))


def _inspect(
    file: LandedFile, content: Content, read: ParsedRecords | FileRefusedError
) -> _InspectedFile:
    if isinstance(read, FileRefusedError):
        return _refused(file, read)
    seen = FileRecord(
        file,
        "taken",
        content.fingerprint,
        read.records.height,
        quarantined=read.quarantined,
        unknown=read.unknown,
        missing=read.missing,
    )
    return _InspectedFile(seen, read.records)


def _ingest_large(
    lake: Lake,
    source: Source,
    file: LandedFile,
    content: Content,
    run_id: str,
    progress: Callable[[int, int], None],
    hash_key: bytes | None,
    tried: Attempts,
) -> list[FileRecord]:
    raw = lake.snapshot(source.raw)
    known = same_bytes(lake, file, content.fingerprint)
    if known and is_taken(raw, content.fingerprint):
        tried.parsed([file])
        inspected = [_InspectedFile(known)]
        return retry_on_conflict(partial(_commit, lake, source, inspected, run_id, hash_key))
    erased = ErasedNames.of(lake, hash_key)
    with raw.stage() as staged:
        try:
            seen = stage_large_file(staged, raw, source, file, content, run_id, progress, erased)
        except FileRefusedError as refusal:
            return [_refused(file, refusal).seen]
        finally:
            tried.parsed([file])
        inspected = [_InspectedFile(seen, staged)]
        return retry_on_conflict(
            partial(_commit, lake, source, inspected, run_id, hash_key, erased.version)
        )


def _commit(
    lake: Lake,
    source: Source,
    group: Sequence[_InspectedFile],
    run_id: str,
    hash_key: bytes | None,
    staged_by: int | None = None,
) -> list[FileRecord]:
    raw = lake.snapshot(source.raw)
    # Looked at after raw: an erasure writes them first, and then commits to raw.
    erased = ErasedNames.of(lake, hash_key)
    version = (raw.version or 0) + 1
    fingerprints = [look.seen.fingerprint for look in group if look.seen.fingerprint]
    taken = taken_by(raw, fingerprints)
    standing = _ingested_names(lake, raw, source, [look.seen for look in group], taken)
    outcome: list[FileRecord] = []
    new: dict[str, tuple[FileProvenance, pl.DataFrame | StagedFiles]] = {}
    for look in group:
        seen, fingerprint = look.seen, look.seen.fingerprint
        if fingerprint is None:
            outcome.append(seen)
            continue
        before = taken.get(fingerprint)
        if before is None and fingerprint not in new:
            if look.rows is None:
                raise CommitConflictError(f"{source.raw.path} was put back by another run")
            file = seen.file
            provenance = FileProvenance(source.name, file.object, fingerprint, file.batch_day)
            new[fingerprint] = provenance, look.rows
            outcome.append(replace(seen, version=version, added=look.rows.height))
            continue
        # A ledger that was lost is written again: what stands in raw under this name was taken.
        state = "taken" if (fingerprint, seen.file.object) in standing else "repeated"
        known_by = version if before is None else before
        outcome.append(replace(seen, state=state, version=known_by, is_new=False))
    if new:
        transactions = {transaction_of(fingerprint): version for fingerprint in new}
        latest = max(seen.file.batch_day for seen in outcome if seen.is_new and seen.version)
        as_of = max(filter(None, (raw.as_of, latest)))
        rows = {
            fingerprint: (provenance, _emptied(provenance, records, source, erased, staged_by))
            for fingerprint, (provenance, records) in new.items()
        }
        _append(raw, rows.values(), Commit(run_id, as_of, transactions))
    return outcome


def _emptied(
    provenance: FileProvenance,
    records: pl.DataFrame | StagedFiles,
    source: Source,
    erased: ErasedNames,
    staged_by: int | None,
) -> pl.DataFrame | StagedFiles:
    """The records of a file; of erased persons' the places only."""
    if isinstance(records, StagedFiles):
        if staged_by != erased.version:
            raise CommitConflictError(f"a person was erased while {provenance.object} was read")
        return records
    if not erased.keys:
        return records
    rows = add_provenance([(provenance, records)], "", datetime.now(UTC))
    return without_content(records, erased.among(rows, source), source)


def _append(
    raw: Snapshot,
    new: Iterable[tuple[FileProvenance, pl.DataFrame | StagedFiles]],
    commit: Commit,
) -> None:
    """Add what is new: the rows of small files, or of one large file, which are staged."""
    frames: list[tuple[FileProvenance, pl.DataFrame]] = []
    for provenance, rows in new:
        if isinstance(rows, StagedFiles):
            raw.append_staged(rows, commit)
        else:
            frames.append((provenance, rows))
    if frames:
        raw.append(add_provenance(frames, commit.run_id, datetime.now(UTC)), commit)


def _ingested_names(
    lake: Lake, raw: Snapshot, source: Source, group: Sequence[FileRecord], taken: Collection[str]
) -> set[tuple[str, str]]:
    """Fingerprint and object of those files of a group that had been taken before by this name."""
    known = [
        (seen, seen.fingerprint) for seen in group if seen.fingerprint and seen.fingerprint in taken
    ]
    named = [(fingerprint, seen.file.batch_day) for seen, fingerprint in known if seen.records]
    standing = already_ingested(raw, named)
    # Raw does not have the name of a file without records; without a ledger it is the first.
    empty = [(fingerprint, seen.file.object) for seen, fingerprint in known if not seen.records]
    owners = dict(reversed(empty)) | without_records(lake, source.name, [f for f, _ in empty])
    return standing | set(owners.items())


def _count(taken: FilesTaken, seen: FileRecord) -> None:
    taken.records += seen.added
    if seen.added or (seen.state == "taken" and seen.is_new):
        taken.days.add(seen.file.batch_day)
    if seen.state == "refused":
        taken.refused.append(seen)
    elif seen.state == "repeated" or not seen.is_new:
        taken.repeated += 1
    else:
        taken.files += 1
