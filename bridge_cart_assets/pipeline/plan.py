"""What the next run has to do, by looking and without doing.

Belongs here: the one answer that the landing sensor and `bridge-cart run` share. Does not belong
here: asking Dagster for the run.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from bridge_cart_assets.batch_days import DayRange, last_batch_day
from bridge_cart_assets.ingestion.ingest_messages import estimated_batch_days, lagging_partitions
from bridge_cart_assets.ingestion.kafka_admin import BrokersUnreachableError
from bridge_cart_assets.ingestion.landing import LandedFile, list_landing
from bridge_cart_assets.ingestion.ledger import new_files
from bridge_cart_assets.ingestion.offsets import MessagesLostError, Position
from bridge_cart_assets.lake.catalogue import COPIES
from bridge_cart_assets.lake.catalogue_health import reads_files_of
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import refuse_torn
from bridge_cart_assets.pipeline.gone_tables import refuse_gone_silver
from bridge_cart_assets.pipeline.lake_format import refuse_other_format
from bridge_cart_assets.pipeline.pending import latest_day, pending_days
from bridge_cart_assets.pipeline.phases import phase
from bridge_cart_assets.pipeline.remembered_settings import refuse_other_settings
from bridge_cart_assets.pipeline.stored_tables import PUBLISHED_TABLES, STORED_TABLES
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.tables.gold import INTERNAL as GOLD_INTERNAL
from bridge_cart_assets.tables.silver import ACCOUNTING

# What raw takes in.
FILES, MESSAGES = "files", "messages"
ALL_ARRIVALS = frozenset({FILES, MESSAGES})


@dataclass(frozen=True)
class Plan:
    """What is due.

    Attributes:
        days: the batch days to run; None when nothing is due.
        allowed_days: the batch days that are looked at: partitions that there are, and were asked
            for.
        sources: sources that have something new or records that silver has not seen.
        files: new files to take.
        messages: partitions of topics with messages to take.
        kafka_problem: why messages cannot be taken; None when they can.
        outside: batch days that have no partition, of files and records that wait.
        listed: all files in the landing zone.
        arrivals: what is taken, files or messages or both.
        versions: of all stored tables, from before anything was looked at. Where one differs from
            `table_versions` of now, a run has written since.
    """

    days: DayRange | None
    allowed_days: DayRange
    sources: tuple[Source, ...]
    files: tuple[LandedFile, ...]
    messages: tuple[Position, ...]
    kafka_problem: str | None
    outside: tuple[date, ...]
    listed: tuple[LandedFile, ...]
    arrivals: frozenset[str]
    versions: Mapping[str, int | None]

    @property
    def run_key(self) -> str:
        """A name for what is new: equal for equal news on equal published tables."""
        files = sorted(f.signature for f in self.files)
        published = tuple(self.versions[table.path] for table in PUBLISHED_TABLES)
        news = repr((files, self.messages, self.days, published))
        return hashlib.sha256(news.encode()).hexdigest()[:32]


@phase("looking for what is new")
def plan(
    settings: Settings,
    lake: Lake,
    sources: Sequence[Source] = SOURCES,
    first: date | None = None,
    last: date | None = None,
    arrivals: Iterable[str] = ALL_ARRIVALS,
) -> Plan:
    """Find out what is due.

    Args:
        settings: where files land, which brokers and which batch days there are.
        lake: what has been taken in.
        sources: the sources to look at.
        first, last: only batch days in between, both included. Messages are taken as they come;
            those of other days wait in raw.
        arrivals: what to take: files, messages, or neither but what raw already has.

    Raises:
        OtherFormatError: another version wrote the lake.
        SettingsError: silver was made with other settings.
        DamagedTableError: a commit is torn, or a table of silver is gone.
    """
    refuse_torn(lake, STORED_TABLES)
    refuse_other_format(lake)
    refuse_other_settings(lake, settings.silver)
    refuse_gone_silver(lake)
    versions = table_versions(lake)
    arrivals = frozenset(arrivals)
    files_of = sources if FILES in arrivals else ()
    zone = settings.timezone
    landing = settings.landing_zone
    listed = [f for source in files_of for f in list_landing(landing, source.name, zone)]
    messages: list[Position] = []
    kafka_problem = None
    if MESSAGES in arrivals:
        try:
            messages = [
                p for source in sources for p in lagging_partitions(lake, source, settings.kafka)
            ]
        except (BrokersUnreachableError, MessagesLostError) as error:
            kafka_problem, arrivals = str(error), arrivals - {MESSAGES}
    new = new_files(lake, listed)
    there = DayRange(settings.start_date, last_batch_day(zone))
    allowed_days = DayRange(max(there.first, first or date.min), min(there.last, last or date.max))
    files = [file for file in new if file.batch_day in allowed_days]
    pending = pending_days(lake, sources)
    due: dict[str, set[date]] = {
        source.name: {f.batch_day for f in files if f.source == source.name}
        | {day for day in pending[source.name] if day in allowed_days}
        for source in sources
    }
    for source in sources:
        mine = [p for p in messages if p.partition.topic == source.topic]
        come = estimated_batch_days(settings.kafka, mine, zone) if mine else set()
        # Of messages whose days are no partitions only the intake is due: any day will do.
        inside = {day for day in come if day in allowed_days}
        due[source.name] |= inside or {allowed_days.last for _ in come}
    days: set[date] = set().union(*due.values())
    if not days and not _is_served(settings, lake, versions):
        # Without a day of silver any will do: it has become empty, and the catalogue has not.
        days = {latest_day(lake) or allowed_days.last}
    waiting = {day for found in pending.values() for day in found}
    return Plan(
        days=DayRange.around(days) if days else None,
        allowed_days=allowed_days,
        sources=tuple(source for source in sources if due[source.name]),
        files=tuple(files),
        messages=tuple(messages),
        kafka_problem=kafka_problem,
        outside=tuple(day for day in (*(f.batch_day for f in new), *waiting) if day not in there),
        listed=tuple(listed),
        arrivals=arrivals,
        versions=versions,
    )


def table_versions(lake: Lake) -> dict[str, int | None]:
    """The version of every stored table, by path; None for one that is not there yet."""
    return {s.table.path: s.version for s in lake.snapshots(STORED_TABLES)}


def _is_served(settings: Settings, lake: Lake, versions: Mapping[str, int | None]) -> bool:
    """Whether the catalogue was built from the tables as they are now."""
    if not settings.catalogue.exists():
        return latest_day(lake) is None
    if versions[ACCOUNTING.path] is None:
        # Nothing was ever folded here: the catalogue is another lake's.
        return True
    try:
        with duckdb.connect(str(settings.catalogue), read_only=True) as connection:
            rows = connection.execute("SELECT layer, name, version FROM meta.tables").fetchall()
            views = connection.execute(
                "SELECT sql FROM duckdb_views() WHERE schema_name = 'silver' AND NOT internal"
            ).fetchall()
    except duckdb.Error:
        return False
    if not reads_files_of(lake, (sql for (sql,) in views), settings.catalogue.parent / COPIES):
        return False
    served = {f"{layer}/{name}": version for layer, name, version in rows}
    if any(versions[table.path] is None for table in (*GOLD_INTERNAL, *PUBLISHED_TABLES)):
        # Somebody has removed a table, or an earlier version of this program had none of it.
        return latest_day(lake) is None
    return all(served.get(t.path) == versions[t.path] for t in PUBLISHED_TABLES)
