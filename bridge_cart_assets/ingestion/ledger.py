"""What became of each landed file, remembered so that unchanged files are not opened again.

Belongs here: the ledger `ops/files` and the questions that it answers: what is new, what was
refused. It is a hint: whether a file's records have been taken in stands in
the raw table's own commits, and a ledger that was lost is written again from there.
"""

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from bridge_cart_assets.ingestion.file_transactions import taken_by
from bridge_cart_assets.ingestion.landing import LandedFile
from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.commits import Commit, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.ops import FILES

# States of files whose records raw has. A row of version 0.1 may say `partial`: it had taken some
# of the records, and such a file is new.
IN_RAW = ("taken", "repeated")
# The state of a file that was taken back.
RETRACTED = "retracted"
_SIGNATURE = ["source", "object", "size", "modified_ns", "changed_ns"]


@dataclass(frozen=True)
class FileRecord:
    """What became of one landed file.

    Attributes:
        file: the file.
        state: taken, repeated or refused, as in the ledger.
        fingerprint: SHA-256 of its bytes.
        records: records in the file.
        reason: why it was refused: a code.
        detail: the same for people.
        quarantined: those of its records that could not be read as records.
        version: commit of the raw table that has them.
        unknown: columns beyond the source's.
        missing: columns of the source that it lacks.
        added: records that this very look has added to raw.
        is_new: whether raw did not have its records before this look.
    """

    file: LandedFile
    state: str
    fingerprint: str | None = None
    records: int | None = None
    reason: str | None = None
    detail: str | None = None
    quarantined: int | None = None
    version: int | None = None
    unknown: Sequence[str] = ()
    missing: Sequence[str] = ()
    added: int = 0
    is_new: bool = True


def new_files(lake: Lake, listed: Iterable[LandedFile]) -> list[LandedFile]:
    """The files that are new, or have changed since the last look."""
    files = list(listed)
    if not files:
        return []
    ledger = lake.snapshot(FILES).scan().select(*_SIGNATURE, "state").collect()
    # Without its raw table nothing of a source has been taken, whatever the ledger remembers.
    gone = {s.name for s in SOURCES if lake.snapshot(s.raw).version is None}
    known = {
        tuple(signature)
        for *signature, state in ledger.iter_rows()
        if state == "refused" or (state in IN_RAW and signature[0] not in gone)
    }
    return [file for file in files if file.signature not in known]


def upsert_files(lake: Lake, seen: Sequence[FileRecord], run_id: str, now: datetime) -> None:
    """Write down what became of the files that were looked at, one row per file."""
    if not seen:
        return
    rows = pl.DataFrame(
        [
            {
                "source": s.file.source,
                "object": s.file.object,
                "size": s.file.size,
                "modified_ns": s.file.modified_ns,
                "changed_ns": s.file.changed_ns,
                "batch_day": s.file.batch_day,
                "state": s.state,
                "reason": s.reason,
                "detail": s.detail,
                "fingerprint": s.fingerprint,
                "records": s.records,
                "quarantined": s.quarantined,
                "version": s.version,
                "unknown_columns": _written(s.unknown),
                "missing_columns": _written(s.missing),
                "seen_at": now,
                "run_id": run_id,
            }
            for s in seen
        ],
        schema=FILES.dtypes,
    )

    def write() -> int:
        snapshot = lake.snapshot(FILES)
        key = list(FILES.key)
        old = snapshot.scan().select(key).join(rows.lazy(), on=key, how="semi").collect()
        change = Change(
            inserts=rows.join(old, on=key, how="anti"),
            updates=rows.join(old, on=key, how="semi"),
            deletes=FILES.empty(),
        )
        return snapshot.apply(change, Commit(run_id))

    retry_on_conflict(write)


def not_in_raw(lake: Lake) -> pl.DataFrame:
    """The rows of files that count as taken and whose records raw does not have.

    That is so after a raw table was lost, or put back to an earlier state.
    """
    rows = lake.snapshot(FILES).scan().filter(pl.col("state").is_in(IN_RAW)).collect()
    fingerprints = {
        source: set(of_source["fingerprint"].drop_nulls())
        for (source,), of_source in rows.group_by("source")
    }
    there = {
        source.name: taken_by(lake.snapshot(source.raw), fingerprints[source.name])
        for source in SOURCES
        if source.name in fingerprints
    }
    return rows.filter(
        [
            fingerprint is None or fingerprint not in there[source]
            for source, fingerprint in rows["source", "fingerprint"].iter_rows()
        ]
    )


def forget(lake: Lake, rows: pl.DataFrame, run_id: str) -> None:
    """Forget files, so that they are looked at again."""
    if rows.height:
        change = Change(FILES.empty(), FILES.empty(), rows.select(FILES.key))
        retry_on_conflict(lambda: lake.snapshot(FILES).apply(change, Commit(run_id)))


def mark_retracted(
    lake: Lake,
    source: str,
    fingerprints: Collection[str],
    lies_in: Mapping[str, str | None],
    present: Iterable[LandedFile],
    run_id: str,
    now: datetime,
) -> None:
    """Write down that files were taken back; done again it changes nothing.

    A file that had been found to be a repetition of one of them is not one any more. It is
    forgotten, so that it is taken, and where its bytes are gone it counts as taken back too.

    Args:
        lake: where the ledger lies.
        source: whose files.
        fingerprints: of the contents whose records have left raw.
        lies_in: the names that were taken back, with the place where the file lies now, if it does.
        present: the files in the landing zone.
        run_id: written down with the rows.
        now: when they were taken back.
    """

    def write() -> int:
        snapshot = lake.snapshot(FILES)
        of_source = pl.col("source") == source
        is_named = pl.col("object").is_in(list(lies_in))
        is_same = pl.col("fingerprint").is_in(list(fingerprints)) & (pl.col("state") == "repeated")
        found = snapshot.scan().filter(of_source & (is_named | is_same)).collect()
        lies_here = in_landing(found, present) & ~found["object"].is_in(list(lies_in))
        gone = found.filter(~lies_here & (found["state"] != RETRACTED))
        rows = gone.with_columns(
            state=pl.lit(RETRACTED),
            reason=pl.lit(None, pl.String),
            detail=pl.col("object").replace_strict(lies_in, default=None, return_dtype=pl.String),
            version=pl.lit(None, pl.Int64),
            seen_at=pl.lit(now),
            run_id=pl.lit(run_id),
        )
        change = Change(FILES.empty(), FILES.conform(rows), found.filter(lies_here))
        return snapshot.apply(change, Commit(run_id))

    retry_on_conflict(write)


def retracted_files(lake: Lake) -> pl.DataFrame:
    """The files that were taken back and have not been taken since, the latest first."""
    ledger = lake.snapshot(FILES).scan().filter(pl.col("state") == RETRACTED)
    return ledger.sort("seen_at", "source", "object", descending=[True, False, False]).collect()


def in_landing(rows: pl.DataFrame, listed: Iterable[LandedFile]) -> pl.Series:
    """For rows of the ledger whether their bytes lie in the landing zone, under any name."""
    present = {file.signature for file in listed}
    lying = {
        (row["source"], row["fingerprint"])
        for row in rows.iter_rows(named=True)
        if tuple(row[name] for name in _SIGNATURE) in present
    }
    return pl.Series(
        [pair in lying for pair in rows["source", "fingerprint"].iter_rows()], dtype=pl.Boolean
    )


def already_ingested(raw: Snapshot, files: Iterable[tuple[str, date]]) -> set[tuple[str, str]]:
    """Fingerprint and object of the files that raw has records of.

    Args:
        raw: a source's raw table.
        files: fingerprint and batch day of each file that is looked for.
    """
    pairs = list(files)
    if not pairs:
        return set()
    found = (
        raw.scan()
        .filter(
            pl.col("_batch_day").is_in(list({day for _, day in pairs})),
            pl.col("_fingerprint").is_in(list({fingerprint for fingerprint, _ in pairs})),
            pl.col("_pos") == 1,
        )
        .select("_fingerprint", "_object")
        .collect()
    )
    return set(found.iter_rows())


def without_records(lake: Lake, source: str, fingerprints: Iterable[str]) -> dict[str, str]:
    """Of files without a record, which raw cannot name: the object that counts as taken."""
    wanted = list(fingerprints)
    if not wanted:
        return {}
    found = (
        lake.snapshot(FILES)
        .scan()
        .filter(
            pl.col("source") == source,
            pl.col("state") == "taken",
            pl.col("fingerprint").is_in(wanted),
        )
        .select("fingerprint", "object")
        .collect()
    )
    return dict(found.iter_rows())


def refused_in_landing(lake: Lake, listed: Iterable[LandedFile]) -> pl.DataFrame:
    """The files that are not in raw, or not wholly, and why.

    Those that were refused and still lie there unchanged, and those of which version 0.1 took a
    part and that were gone before the rest was taken.
    """
    present = pl.DataFrame(
        [file.signature for file in listed],
        schema={name: FILES.dtypes[name] for name in _SIGNATURE},
        orient="row",
    )
    ledger = lake.snapshot(FILES).scan()
    there = ledger.filter(pl.col("state") == "refused").join(
        present.lazy(), on=_SIGNATURE, how="semi"
    )
    whole = ledger.filter(pl.col("state").is_in(IN_RAW))
    cut_off = (
        ledger.filter(pl.col("state") == "partial")
        .join(present.lazy(), on=_SIGNATURE, how="anti")
        .join(whole, on=["source", "fingerprint"], how="anti")
        .with_columns(
            reason=pl.lit("UNREADABLE"),
            detail=pl.format(
                "it went away before all of it was taken; {} records stand in raw: land it again, "
                "under any name, and the rest is taken",
                "records",
            ),
        )
    )
    return pl.concat([there, cut_off]).sort("source", "object").collect()


def same_bytes(lake: Lake, file: LandedFile, fingerprint: str) -> FileRecord | None:
    """What a file has in it, when the ledger has its bytes under any name."""
    found = (
        lake.snapshot(FILES)
        .scan()
        .filter(
            pl.col("source") == file.source,
            pl.col("fingerprint") == fingerprint,
            pl.col("state").is_in(IN_RAW),
        )
        .head(1)
        .collect()
    )
    for row in found.iter_rows(named=True):
        return FileRecord(
            file,
            "taken",
            fingerprint,
            row["records"],
            quarantined=row["quarantined"],
            unknown=names_in(row["unknown_columns"]),
            missing=names_in(row["missing_columns"]),
        )
    return None


def names_in(line: str | None) -> list[str]:
    """The names of columns that the ledger has as a line of CSV: one may have a comma in it."""
    return [] if line is None else next(csv.reader(io.StringIO(line, newline="")))


def _written(names: Sequence[str]) -> str | None:
    if not names:
        return None
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()
