"""Landed files become raw records, each file once, rows and memory of it in one commit.

Belongs here: the protocol. A file's fingerprint is an application transaction of the raw table;
it is looked up on the very handle that writes, so that a file is either wholly in or not at all,
whatever is killed and whoever else is writing.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import polars as pl
from polars.exceptions import PanicException, PolarsError

from bridge_cart_assets.ingestion.files import FileRefused, read_file
from bridge_cart_assets.ingestion.landing import LandedFile
from bridge_cart_assets.ingestion.ledger import Seen, remember, transaction_of
from bridge_cart_assets.ingestion.records import read_records
from bridge_cart_assets.lake.delta import Commit, Lake, retrying
from bridge_cart_assets.sources import Source

COMMIT_BYTES = 256 * 1024**2


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


def take_in(
    lake: Lake,
    source: Source,
    files: Sequence[LandedFile],
    run_id: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Taken:
    """Take in landed files, in commits of at most 256 MiB of them.

    Args:
        lake: where the raw table lies.
        source: the source of all the files.
        files: what to take, in any order.
        run_id: Dagster run that takes them.
        progress: told the number of files done and of all files.
    """
    taken = Taken()
    done = 0
    for group in _groups(sorted(files, key=lambda f: (f.batch_day, f.object))):
        now = datetime.now(UTC)
        seen = [_read(file, source, run_id, now) for file in group]
        outcome = retrying(lambda seen=seen: _commit(lake, source, seen, run_id))  # type: ignore[misc]
        remember(lake, outcome, run_id, now)
        for one in outcome:
            _count(taken, one)
        done += len(group)
        progress(done, len(files))
    return taken


def _groups(files: Sequence[LandedFile]) -> Iterator[list[LandedFile]]:
    group: list[LandedFile] = []
    size = 0
    for file in files:
        if group and size + file.size > COMMIT_BYTES:
            yield group
            group, size = [], 0
        group.append(file)
        size += file.size
    if group:
        yield group


def _read(
    file: LandedFile, source: Source, run_id: str, now: datetime
) -> tuple[Seen, pl.DataFrame | None]:
    try:
        content = read_file(file)
        records = read_records(content, source)
    except FileRefused as refusal:
        return Seen(file, "refused", reason=refusal.reason, detail=str(refusal)), None
    except (PolarsError, PanicException, csv.Error, ValueError, RecursionError) as error:
        # Whatever a reader did not expect: one file must never stop the others.
        detail = f"{type(error).__name__}: {error}"[:200]
        return Seen(file, "refused", reason="UNREADABLE", detail=detail), None
    frame = records.with_columns(
        _source=pl.lit(source.name),
        _object=pl.lit(file.object),
        _fingerprint=pl.lit(content.fingerprint),
        _ingested_at=pl.lit(now, dtype=pl.Datetime("us", "UTC")),
        _batch_day=pl.lit(file.batch_day),
        _batch_id=pl.lit(run_id),
    )
    return Seen(file, "taken", content.fingerprint, frame.height), frame


def _commit(
    lake: Lake, source: Source, read: list[tuple[Seen, pl.DataFrame | None]], run_id: str
) -> list[Seen]:
    snapshot = lake.look(source.raw)
    outcome: list[Seen] = []
    new: dict[str, pl.DataFrame] = {}
    for seen, frame in read:
        if frame is None or seen.fingerprint is None:
            outcome.append(seen)
            continue
        known = snapshot.transaction(transaction_of(seen.fingerprint)) is not None
        if known or seen.fingerprint in new:
            outcome.append(Seen(seen.file, "repeated", seen.fingerprint, seen.records))
            continue
        new[seen.fingerprint] = frame
        outcome.append(seen)
    if new:
        transactions = {transaction_of(fingerprint): 1 for fingerprint in new}
        latest = max(seen.file.batch_day for seen in outcome if seen.state == "taken")
        as_of = max(filter(None, (snapshot.as_of, latest)))
        snapshot.append(pl.concat(new.values()), Commit(run_id, as_of, transactions))
    return outcome


def _count(taken: Taken, seen: Seen) -> None:
    if seen.state == "refused":
        taken.refused.append(seen)
    elif seen.state == "repeated":
        taken.repeated += 1
    else:
        taken.files += 1
        taken.records += seen.records or 0
        taken.days.add(seen.file.batch_day)
