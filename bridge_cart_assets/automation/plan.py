"""What the next run has to do, by looking and without doing.

Belongs here: the one answer that the landing sensor and `bridge-cart run` share. Does not belong
here: asking Dagster for the run.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from bridge_cart_assets.assets.gold import BUILT
from bridge_cart_assets.assets.silver import ONLY_PENDING
from bridge_cart_assets.ingestion.landing import LandedFile, list_landing
from bridge_cart_assets.ingestion.ledger import not_seen, outside
from bridge_cart_assets.ingestion.pending import latest_day, pending_days
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import refuse_torn
from bridge_cart_assets.partitions import DayRange, last_batch_day
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.tables.silver import INTERNAL
from bridge_cart_assets.tables.silver import TABLES as SILVER
from bridge_cart_assets.tables.table import Table

# Every table that a lake has.
STORED: tuple[Table, ...] = (*(s.raw for s in SOURCES), FILES, *SILVER, *INTERNAL, *BUILT)


@dataclass(frozen=True)
class Plan:
    """What is due.

    Attributes:
        days: the batch days to run; None when nothing is due.
        sources: sources that have new files or records that silver has not seen.
        files: new files to take.
        outside: files whose batch day has no partition, which wait.
        listed: all files in the landing zone.
        versions: of the tables that the run would write, so that a plan on another state of
            the lake is another plan.
    """

    days: DayRange | None
    sources: tuple[Source, ...]
    files: tuple[LandedFile, ...]
    outside: tuple[LandedFile, ...]
    listed: tuple[LandedFile, ...]
    versions: tuple[int | None, ...] = ()

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the run."""
        return {**(self.days.tags if self.days else {}), ONLY_PENDING: "true"}

    @property
    def run_key(self) -> str:
        """A name for what is new: equal for equal news."""
        news = repr((sorted(f.signature for f in self.files), self.days, self.versions))
        return hashlib.sha256(news.encode()).hexdigest()[:32]


def plan(
    settings: Settings,
    lake: Lake,
    sources: Sequence[Source] = SOURCES,
    first: date | None = None,
    last: date | None = None,
    take_new: bool = True,
) -> Plan:
    """Find out what is due.

    Args:
        settings: where files land and which batch days there are.
        lake: what has been taken in.
        sources: the sources to look at.
        first, last: only batch days in between, both included.
        take_new: whether landed files are looked at, or only what raw already has.
    """
    refuse_torn(lake, STORED)
    looked_at = sources if take_new else ()
    listed = [f for source in looked_at for f in list_landing(settings.landing, source.name)]
    new = not_seen(lake, listed)
    low, high = max(settings.start_date, first or date.min), min(last_batch_day(), last or date.max)
    files = [file for file in new if low <= file.batch_day <= high]
    pending = pending_days(lake, sources)
    due = {
        source.name: {f.batch_day for f in files if f.source == source.name}
        | {day for day in pending[source.name] if low <= day <= high}
        for source in sources
    }
    days: set[date] = set().union(*due.values())
    if not days and not _is_served(settings, lake):
        as_of = latest_day(lake)
        days = {as_of} if as_of else set()
    return Plan(
        days=DayRange.around(days) if days else None,
        sources=tuple(source for source in sources if due[source.name]),
        files=tuple(files),
        outside=tuple(outside(new, settings.start_date, last_batch_day())),
        listed=tuple(listed),
        versions=tuple(lake.look(table).version for table in (*SILVER, *BUILT)),
    )


def _is_served(settings: Settings, lake: Lake) -> bool:
    """Whether the catalogue was built from the tables as they are now."""
    if not settings.catalogue.exists():
        return latest_day(lake) is None
    try:
        with duckdb.connect(str(settings.catalogue), read_only=True) as connection:
            rows = connection.execute("SELECT layer, name, version FROM meta.tables").fetchall()
    except duckdb.Error:
        return False
    served = {f"{layer}/{name}": version for layer, name, version in rows}
    return all(served.get(t.path) == lake.look(t).version for t in (*SILVER, *BUILT))
