"""Erasing persons: from landing, raw and silver, and from what these tables have been.

What is to be done is written down first, in a file of the data folder, and removed last. All steps
can be done again: an erasure that was cut off goes on from the beginning, without a look at what
there was to erase, which it has written down.

1. Their names are kept as keyed hashes (`ops/erased`): from now on nothing brings them back.
2. Landed files are written without their records. Raw's log has the new fingerprint before the file
   is there, so no run takes it in again.
3. Raw keeps the places of their records, refused as ERASED, and nothing of what these said.
4. Silver folds the days concerned again, without what raw has no more; who is one person, too.
5. Gold follows, and the catalogue, in a run as after a correction.
6. Earlier versions, change data and log entries of all tables with rows about persons go.
7. Dagster's history and captured output lose what names them.

Belongs here: 1 to 4 and 6. Does not belong here: the runs of Dagster and its history
(`automation`), or finding out what is stored about a person (`person_index`).
"""

import shutil
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from bridge_cart_assets.ingestion.erased_records import ErasedNames, without_content
from bridge_cart_assets.ingestion.file_transactions import is_taken, taken_by, transaction_of
from bridge_cart_assets.ingestion.files import FileRefusedError, FileReplacedError
from bridge_cart_assets.ingestion.landing import (
    LandedFile,
    list_landing,
    object_as_it_is,
    unfinished_files,
)
from bridge_cart_assets.ingestion.ledger import IN_RAW
from bridge_cart_assets.ingestion.retracted_files import retracted_files
from bridge_cart_assets.ingestion.rewriting import RewrittenFile, rewrite_file
from bridge_cart_assets.ingestion.words_in_files import file_has, place_has
from bridge_cart_assets.lake.catalogue import COPIES
from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.commits import Commit, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline.hash_key import hash_key_in
from bridge_cart_assets.pipeline.person_index import PersonIndex
from bridge_cart_assets.pipeline.persons import HASH_KEY, number_of_key
from bridge_cart_assets.pipeline.progress import ProgressCallback, silent
from bridge_cart_assets.pipeline.silver import fold_due_days
from bridge_cart_assets.pipeline.stored_tables import PERSONAL_TABLES
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.tables.ops import ERASED, FILES

RUN = "erase"
# How often an object is read that is replaced while it is.
_ATTEMPTS = 3


@dataclass
class ErasedFiles:
    """What became of the landing zone.

    Attributes:
        files: files that were written without some records.
        records: these records.
        left: files that name a person and could not be rewritten, with the reason.
    """

    files: int = 0
    records: int = 0
    left: dict[str, str] = field(default_factory=dict)


def erase_rows(
    lake: Lake,
    settings: Settings,
    index: PersonIndex,
    began: datetime,
    progress: ProgressCallback = silent,
    *,
    is_resumed: bool = False,
) -> ErasedFiles:
    """Take persons out of landing, raw and silver; done again it changes nothing.

    Args:
        lake: the tables.
        settings: where things lie, and what silver is made with.
        index: who they are, and where their records were.
        began: when the erasure began.
        progress: gets a line now and then.
        is_resumed: whether it was begun before, and cut off.
    """
    hash_key = hash_key_in(settings.hash_key)
    assert hash_key is not None  # noqa: S101 - there is a file, so there is a key
    names = index.names(hash_key)
    remember_names(lake, names, began)
    done = ErasedFiles()
    for source in SOURCES:
        progress(f"landing/{source.name}: taking out their records")
        rewrite_landing(lake, settings, source, index, names, done)
    due = {source.name: set(index.days.get(source.name, ())) for source in SOURCES}
    for source in SOURCES:
        if due[source.name]:
            progress(f"{source.raw.path}: emptying their records")
            retry_on_conflict(partial(empty_records, lake, source, names, due[source.name]))
    fold_due_days(
        *(lake, SOURCES, due, RUN, progress, settings.silver),
        is_raw_rewritten=True,
        is_resumed=is_resumed,
    )
    return done


def forget_versions(
    lake: Lake, settings: Settings, progress: ProgressCallback = silent
) -> dict[str, int]:
    """Remove what the tables with rows about persons have been; how many files, by table."""
    removed = {}
    for table in PERSONAL_TABLES:
        snapshot = lake.snapshot(table)
        if snapshot.version is not None:
            progress(f"{table.path}: removing earlier versions")
            removed[table.path] = snapshot.forget_history()
            _remove_copies(snapshot, settings.catalogue.parent / COPIES / table.path)
    # What a killed run has left of a catalogue that it was building.
    for folder in settings.catalogue.parent.glob(".catalogue-*"):
        shutil.rmtree(folder)
    return removed


def _remove_copies(snapshot: Snapshot, folder: Path) -> None:
    """Remove local copies of files that a table in an object store has no more."""
    live = {folder / unquote(path) for path in snapshot.files["path"]}
    for path in folder.rglob("*"):
        if path.is_file() and path not in live:
            path.unlink(missing_ok=True)


def remember_names(lake: Lake, names: ErasedNames, began: datetime) -> None:
    """Keep the hashes of names, so that no record with one of them is taken in again."""
    rows = pl.DataFrame(
        [
            {"kind": kind, "name_key": key, "erased_at": began}
            for kind, keys in names.keys.items()
            for key in sorted(keys)
        ],
        schema=ERASED.dtypes,
    )

    def write() -> None:
        snapshot = lake.snapshot(ERASED)
        new = rows.join(snapshot.read(), on=ERASED.key, how="anti")
        recorded = {HASH_KEY: number_of_key(names.hash_key)}
        snapshot.apply(
            Change(new, ERASED.empty(), ERASED.empty()), Commit(RUN, transactions=recorded)
        )

    retry_on_conflict(write)


def empty_records(lake: Lake, source: Source, names: ErasedNames, days: set[date]) -> int:
    """Take the content out of raw records of some days; how many files were rewritten."""

    def emptied(rows: pl.DataFrame) -> pl.DataFrame | None:
        which = names.among(rows, source)
        return without_content(rows, which, source) if which.any() else None

    return lake.snapshot(source.raw).rewrite(emptied, days, Commit(RUN))


def rewrite_landing(
    lake: Lake,
    settings: Settings,
    source: Source,
    index: PersonIndex,
    names: ErasedNames,
    done: ErasedFiles,
) -> None:
    """Take records out of a source's landed files; the ledger follows."""
    landing = settings.landing_zone
    ledger = lake.snapshot(FILES).scan().filter(pl.col("source") == source.name).collect()
    by_name = {row["object"]: row for row in ledger.iter_rows(named=True)}
    rewritten: dict[str, RewrittenFile] = {}
    for file in list_landing(landing, source.name, settings.timezone):
        row = by_name.get(file.object)
        is_unchanged = row is not None and _signature(row) == file.signature
        is_taken = row is not None and is_unchanged and row["state"] in IN_RAW
        if row is not None and is_taken and row["fingerprint"] not in index.fingerprints:
            # Its records are in raw, and none of them is theirs.
            continue
        name = f"{source.name}/{file.object}"
        found = _without_records(lake, source, file, name, index, names, done)
        if found is not None and row is not None and row["state"] in IN_RAW:
            rewritten[file.object] = found
    for name, file in retracted_files(landing, source.name, settings.timezone):
        # They may be landed again.
        _without_records(lake, source, file, name, index, names, done)
    for name in unfinished_files(landing, source.name):
        if place_has(landing, name, index.words):
            done.left[name] = "it is still being landed"
    known = [
        row
        for file in (list_landing(landing, source.name, settings.timezone) if rewritten else ())
        if (found := rewritten.get(file.object)) is not None
        and (row := _followed(lake, source, by_name[file.object], file, found)) is not None
    ]
    if known:
        changed = pl.DataFrame(known, schema=FILES.dtypes)
        change = Change(FILES.empty(), changed, FILES.empty())
        retry_on_conflict(lambda: lake.snapshot(FILES).apply(change, Commit(RUN)))


def _without_records(
    lake: Lake,
    source: Source,
    file: LandedFile,
    name: str,
    index: PersonIndex,
    names: ErasedNames,
    done: ErasedFiles,
) -> RewrittenFile | None:
    """Take records out of a file and count them; None, and noted, where it cannot be read."""
    for _ in range(_ATTEMPTS):
        try:
            found = rewrite_file(file, source, names, partial(announce, lake, source))
        except (FileRefusedError, FileReplacedError) as refusal:
            problem = str(refusal)
            again = object_as_it_is(file)
            if again is None:
                return None
            if again.signature == file.signature:
                break
            # Another one has taken its place since it was listed, or this one after all.
            file = again
        else:
            done.files += bool(found.erased)
            done.records += found.erased
            return found
    if file_has(file, index.words):
        done.left[name] = f"it could not be read: {problem}"
    return None


def announce(lake: Lake, source: Source, rewritten: RewrittenFile) -> None:
    """Let raw know the new bytes of a file that it has taken: its other records are there."""

    def write() -> None:
        raw = lake.snapshot(source.raw)
        taken = taken_by(raw, (rewritten.before, rewritten.after))
        if rewritten.before not in taken or rewritten.after in taken:
            return
        known = {transaction_of(rewritten.after): (raw.version or 0) + 1}
        raw.append(source.raw.empty(), Commit(RUN, raw.as_of, known))

    retry_on_conflict(write)


def _followed(
    lake: Lake,
    source: Source,
    row: dict[str, object],
    file: LandedFile,
    found: RewrittenFile,
) -> dict[str, object] | None:
    """The ledger's row of a file that was rewritten, now or before the erasure was cut off."""
    is_known = is_taken(lake.snapshot(source.raw), found.after)
    is_another = file.stored is not None and found.etag not in ("", file.stored.etag)
    if _signature(row) == file.signature or not is_known or is_another:
        return None
    return {
        **row,
        "size": file.size,
        "modified_ns": file.modified_ns,
        "changed_ns": file.changed_ns,
        "fingerprint": found.after,
        "records": found.left,
        "quarantined": found.quarantined,
        "seen_at": datetime.now(UTC),
    }


def _signature(row: dict[str, object]) -> tuple[object, ...]:
    return tuple(row[n] for n in ("source", "object", "size", "modified_ns", "changed_ns"))
