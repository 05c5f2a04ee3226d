"""Records that raw should have and has not: which, and whether they can come again.

Belongs here: comparing raw with what counted it, silver's accounting and the ledger of files. Does
not belong here: finding torn commits (`lake.doctor`), or what is done about it (`recovery`).

What rewrites raw (an erasure, a retraction, a migration) lets silver follow before it is complete.
So raw never has fewer records of a day than silver counted, unless somebody removed the table or
put an older one in its place. Silver and gold are right then, and would be
wrong after a rebuild.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from bridge_cart_assets.ingestion.landing import LandedFile
from bridge_cart_assets.ingestion.ledger import in_landing, new_files, not_in_raw
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.pending import arrived_days
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.tables.silver import ACCOUNTING, ACCOUNTING_0_1
from bridge_cart_assets.tables.table import SchemaMismatchError


@dataclass(frozen=True)
class Missing:
    """A batch day of which raw has fewer records than silver has counted.

    Attributes:
        source: whose records.
        batch_day: the day.
        counted: records that silver has counted.
        arrived: records that raw has.
    """

    source: str
    batch_day: date
    counted: int
    arrived: int

    @property
    def records(self) -> int:
        """How many are missing."""
        return self.counted - self.arrived

    def __str__(self) -> str:
        """For people."""
        return f"{self.source} {self.batch_day}: {self.records:,} of {self.counted:,} records"


def counted_records(lake: Lake) -> pl.DataFrame:
    """source, batch_day and the records of raw that silver has counted, of version 0.1 too."""
    try:
        accounting, records = lake.snapshot(ACCOUNTING), "raw_records"
    except SchemaMismatchError:
        accounting, records = lake.snapshot(ACCOUNTING_0_1), "records"
    return accounting.scan().select("source", "batch_day", counted=records).collect()


def missing_records(lake: Lake, sources: Sequence[Source] = SOURCES) -> list[Missing]:
    """The batch days of which raw lacks records that silver has counted."""
    rows = counted_records(lake)
    missing = []
    for source in sources:
        arrived = arrived_days(lake, source)
        missing += [
            Missing(name, day, records, arrived.get(day, 0))
            for name, day, records in rows.sort("batch_day").iter_rows()
            if name == source.name and arrived.get(day, 0) < records
        ]
    return missing


def in_words(missing: Sequence[Missing]) -> str:
    """Missing records in one line: how many, of which sources and days."""
    sources = sorted({m.source for m in missing})
    days = [m.batch_day for m in missing]
    return (
        f"{sum(m.records for m in missing):,} of {sum(m.counted for m in missing):,} records that "
        f"silver has counted are not in raw ({', '.join(sources)}; {min(days)} to {max(days)})"
    )


def lost_files(lake: Lake, listed: Iterable[LandedFile]) -> pl.DataFrame:
    """The ledger's rows of files that are neither in raw nor in the landing zone.

    A file that waits there for the same day may be the one, moved back: it is looked at first.
    """
    files = list(listed)
    rows = not_in_raw(lake)
    waiting = _days_that_wait(lake, files)
    waits = [pair in waiting for pair in rows["source", "batch_day"].iter_rows()]
    return rows.filter(~in_landing(rows, files) & ~pl.Series(waits, dtype=pl.Boolean)).sort(
        "source", "object"
    )


def cannot_come_again(
    lake: Lake, missing: Iterable[Missing], listed: Iterable[LandedFile], waiting: Iterable[str]
) -> list[Missing]:
    """Those missing records for which neither a landed file nor a message waits.

    Args:
        lake: the tables.
        missing: what raw lacks.
        listed: the files in the landing zone.
        waiting: sources whose topics have messages that raw has not.
    """
    to_take = _days_that_wait(lake, listed)
    by_message = set(waiting)
    return [
        m for m in missing if (m.source, m.batch_day) not in to_take and m.source not in by_message
    ]


def _days_that_wait(lake: Lake, listed: Iterable[LandedFile]) -> set[tuple[str, date]]:
    """Sources and batch days of landed files that are still to be taken."""
    return {(file.source, file.batch_day) for file in new_files(lake, listed)}
