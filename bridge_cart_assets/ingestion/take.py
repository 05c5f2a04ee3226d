"""Landed files become raw records, each file once, rows and memory of it in one commit.

Belongs here: the protocol for files that are taken as a whole, several in a commit. A file's
fingerprint is an application transaction of the raw table; it is looked up on the very handle that
writes, so that a file is either wholly in or not at all, whatever is killed and whoever else is
writing. Large files have a protocol of their own (`large`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

import polars as pl

from bridge_cart_assets.ingestion.files import Content, FileRefused, read_file
from bridge_cart_assets.ingestion.landing import LandedFile
from bridge_cart_assets.ingestion.large import take_large
from bridge_cart_assets.ingestion.ledger import (
    Seen,
    in_raw,
    remember,
    transaction_of,
    without_records,
)
from bridge_cart_assets.ingestion.records import is_large, read_records, surprises_refuse
from bridge_cart_assets.ingestion.verdicts import Provenance
from bridge_cart_assets.lake.delta import Commit, Lake, Snapshot, retrying
from bridge_cart_assets.sources import Source

# In memory they are several times as much.
COMMIT_BYTES = 64 * 1024**2
COMMIT_RECORDS = 600_000


@dataclass
class Taken:
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
    refused: list[Seen] = field(default_factory=list)
    days: set[date] = field(default_factory=set)


@dataclass(frozen=True)
class _Look:
    """A file that was read: its records if they are all here, its content if it is too large."""

    seen: Seen
    rows: pl.DataFrame | None = None
    large: Content | None = None
    size: int = 0

    @property
    def records(self) -> int:
        """How many there are."""
        return 0 if self.rows is None else self.rows.height


def take_in(
    lake: Lake,
    source: Source,
    files: Sequence[LandedFile],
    run_id: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
    within: Callable[[LandedFile, int, int], None] = lambda file, done, total: None,
) -> Taken:
    """Take in landed files, in commits of at most 64 MiB of them; large ones in several commits.

    Args:
        lake: where the raw table lies.
        source: the source of all the files.
        files: what to take, in any order.
        run_id: Dagster run that takes them.
        progress: told the number of files done and of all files; after a part of a large file too.
        within: told how much of a large file is done, and of how much (bytes; rows of Parquet).
    """
    taken = Taken()
    done = 0
    for group in _groups(files, source, run_id):
        now = datetime.now(UTC)
        large = group[0].large
        if large is None:
            outcome = retrying(lambda group=group: _commit(lake, source, group, run_id))  # type: ignore[misc]
        else:
            file = group[0].seen.file

            def told(part: int, total: int, file: LandedFile = file, done: int = done) -> None:
                within(file, part, total)
                progress(done, len(files))

            outcome = [take_large(lake, source, file, large, run_id, told)]
        remember(lake, outcome, run_id, now)
        for one in outcome:
            _count(taken, one)
        done += len(group)
        # The next ones are read while this name still holds them.
        group.clear()
        progress(done, len(files))
    return taken


def _groups(files: Sequence[LandedFile], source: Source, run_id: str) -> Iterator[list[_Look]]:
    """The files in the order of their days, read; those that go into a commit together."""
    group: list[_Look] = []
    size = records = 0
    for file in sorted(files, key=lambda f: (f.batch_day, f.object)):
        look = _read(file, source, run_id)
        is_full = size + look.size > COMMIT_BYTES or records + look.records > COMMIT_RECORDS
        if group and (is_full or look.large is not None):
            yield group
            group, size, records = [], 0, 0
        group.append(look)
        size, records = size + look.size, records + look.records
        if look.large is not None:
            yield group
            group, size, records = [], 0, 0
    if group:
        yield group


def _read(file: LandedFile, source: Source, run_id: str) -> _Look:
    try:
        content = read_file(file)
        with surprises_refuse():
            if is_large(content):
                return _Look(Seen(file, "partial"), large=content)
            read = read_records(content, source)
    except FileRefused as refusal:
        return _Look(Seen(file, "refused", reason=refusal.reason, detail=str(refusal)))
    provenance = Provenance(source.name, file.object, content.fingerprint, file.batch_day)
    rows = provenance.put(read, 0, run_id, datetime.now(UTC))
    seen = Seen(
        file,
        "taken",
        content.fingerprint,
        rows.height,
        quarantined=read.quarantined,
        unknown=read.unknown,
        missing=read.missing,
    )
    return _Look(seen, rows, size=len(content.data))


def _commit(lake: Lake, source: Source, group: Sequence[_Look], run_id: str) -> list[Seen]:
    raw = lake.look(source.raw)
    version = (raw.version or 0) + 1
    standing = _standing(lake, raw, source, [look.seen for look in group])
    outcome: list[Seen] = []
    new: dict[str, pl.DataFrame] = {}
    for look in group:
        seen, fingerprint = look.seen, look.seen.fingerprint
        if look.rows is None or fingerprint is None:
            outcome.append(seen)
            continue
        before = raw.transaction(transaction_of(fingerprint))
        if before is None and fingerprint not in new:
            new[fingerprint] = look.rows
            outcome.append(replace(seen, version=version, added=look.rows.height))
            continue
        # A ledger that was lost is written anew: what stands in raw under this name was taken.
        state = "taken" if (fingerprint, seen.file.object) in standing else "repeated"
        known_by = version if before is None else before
        outcome.append(replace(seen, state=state, version=known_by, is_new=False))
    if new:
        transactions = {transaction_of(fingerprint): version for fingerprint in new}
        latest = max(seen.file.batch_day for seen in outcome if seen.is_new and seen.version)
        as_of = max(filter(None, (raw.as_of, latest)))
        raw.append(pl.concat(new.values()), Commit(run_id, as_of, transactions))
    return outcome


def _standing(
    lake: Lake, raw: Snapshot, source: Source, group: Sequence[Seen]
) -> set[tuple[str, str]]:
    """Fingerprint and object of those files of a group that had been taken before by this name."""
    known = [
        (seen, seen.fingerprint)
        for seen in group
        if seen.fingerprint and raw.transaction(transaction_of(seen.fingerprint)) is not None
    ]
    named = [(fingerprint, seen.file.batch_day) for seen, fingerprint in known if seen.records]
    standing = in_raw(raw, named)
    # Raw does not have the name of a file without records; without a ledger it is the first.
    empty = [(fingerprint, seen.file.object) for seen, fingerprint in known if not seen.records]
    owners = dict(reversed(empty)) | without_records(lake, source.name, [f for f, _ in empty])
    return standing | set(owners.items())


def _count(taken: Taken, seen: Seen) -> None:
    taken.records += seen.added
    if seen.added or (seen.state == "taken" and seen.is_new):
        taken.days.add(seen.file.batch_day)
    if seen.state == "refused":
        taken.refused.append(seen)
    elif seen.state == "repeated" or not seen.is_new:
        taken.repeated += 1
    else:
        taken.files += 1
