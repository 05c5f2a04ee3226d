"""What the page of the pipeline asks the catalogue: one query per table of the page.

Belongs here: SQL with bound parameters, and the shape of its answers. Does not belong here:
wording, rounding or layout. The tables of meta beyond `tables` and `run` came later than the
catalogue itself: an old file lacks them, and `tables_there` says so.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from bridge_cart_assets.reports.catalogue import Catalogue


def tables_there(catalogue: Catalogue) -> frozenset[str]:
    """The tables that this catalogue has, as layer/name."""
    sql = "SELECT schema_name || '/' || table_name FROM duckdb_tables()"
    return frozenset(catalogue.ask(str, sql))


@dataclass(frozen=True)
class StoredTable:
    """A table of the lake as the run left it; no version: nothing was ever written."""

    layer: str
    name: str
    version: int | None
    as_of: date | None
    rows: int | None
    description: str


def stored_tables(catalogue: Catalogue) -> list[StoredTable]:
    """Every table of the lake, in the order in which data go through them."""
    source = """
        meta.tables ORDER BY list_position(['raw', 'silver', 'gold', 'ops'], layer) NULLS LAST, name
    """
    return catalogue.read(StoredTable, source)


def run_seconds(catalogue: Catalogue) -> float | None:
    """How long the run took that built the catalogue; None when it is unknown."""
    sql = "SELECT seconds FROM meta.times JOIN meta.run USING (run_id)"
    seconds: float | None = catalogue.value(sql)
    return seconds


@dataclass(frozen=True)
class GoldBuild:
    """How a table of gold was built when its rows last changed.

    `is_latest` says whether that was in the run that built the catalogue.
    """

    name: str
    mode: str
    why: str | None
    rows_changed: int
    seconds: float
    built_at: datetime
    is_latest: bool

    @property
    def has_followed(self) -> bool:
        """Whether it followed the change."""
        return self.mode == "incremental"


def gold_builds(catalogue: Catalogue) -> list[GoldBuild]:
    """The tables of gold, those that could not follow first, then by seconds."""
    sql = """
        SELECT name, mode, why, rows_changed, seconds, make_timestamp(epoch_us(built_at)),
               coalesce(run_id = (SELECT any_value(run_id) FROM meta.run), false)
        FROM meta.gold_builds ORDER BY why IS NULL, seconds DESC, name
    """
    return catalogue.ask(GoldBuild, sql)


@dataclass(frozen=True)
class CheckRow:
    """The latest verdict of a check; `passed` is None when there is none."""

    layer: str
    name: str
    check_name: str
    meaning: str
    severity: str
    passed: bool | None
    says: str | None
    value: float | None
    bound: float | None
    lower_bound: float | None
    upper_bound: float | None
    first_day: date | None
    last_day: date | None
    covers: str | None

    @property
    def is_blocking(self) -> bool:
        """Whether its failure stops what is downstream."""
        return self.severity == "blocking"


def checks(catalogue: Catalogue) -> list[CheckRow]:
    """Every check: those that failed first, blocking ones before warnings, then by table."""
    source = """
        meta.checks
        ORDER BY coalesce(passed, true), passed IS NULL, severity,
                 list_position(['raw', 'silver', 'gold'], layer) NULLS LAST, name, check_name
    """
    return catalogue.read(CheckRow, source)


@dataclass(frozen=True)
class RecordOutcomes:
    """What became of the records of a source."""

    source: str
    first_day: date
    last_day: date
    records: int
    accepted: int
    duplicate: int
    superseded: int
    quarantined: int
    blank: int

    @property
    def difference(self) -> int:
        """Records that are not accounted for; always 0."""
        accounted = self.accepted + self.duplicate + self.superseded + self.quarantined + self.blank
        return self.records - accounted


def record_outcomes(catalogue: Catalogue) -> list[RecordOutcomes]:
    """All records by source."""
    return catalogue.read(RecordOutcomes, "meta.accounting ORDER BY source")


@dataclass(frozen=True)
class RecordOutcomesOfDay:
    """What became of the records of one batch day, over all sources."""

    batch_day: date
    records: int
    accepted: int
    duplicate: int
    superseded: int
    quarantined: int
    blank: int


def fates_by_day(catalogue: Catalogue) -> list[RecordOutcomesOfDay]:
    """The latest batch days, oldest first."""
    counts = ("records", "accepted", "duplicate", "superseded", "quarantined", "blank")
    sums = ", ".join(f"CAST(sum({name}) AS BIGINT)" for name in counts)
    sql = f"SELECT batch_day, {sums} FROM meta.accounting_days GROUP BY 1 ORDER BY 1"  # noqa: S608
    return catalogue.ask(RecordOutcomesOfDay, sql)


@dataclass(frozen=True)
class Refusal:
    """Records that were refused for one reason."""

    source: str
    reason: str
    column: str
    records: int
    last_seen: date
    examples: Sequence[str]


def refused_records(catalogue: Catalogue) -> list[Refusal]:
    """Refused records by source, reason and column, the most frequent first."""
    source = 'meta.quarantine ORDER BY records DESC, source, reason, "column"'
    return catalogue.read(Refusal, source)


@dataclass(frozen=True)
class FindingRow:
    """What of a file silver has otherwise than it says, for one reason or column."""

    object: str
    source: str
    batch_day: date
    kind: str
    subject: str
    records: int
    of_records: int
    amount: Decimal | None

    @property
    def is_whole_file(self) -> bool:
        """Whether nothing of the file was accepted, for this one reason."""
        return self.kind == "refused" and self.records == self.of_records


def file_findings(catalogue: Catalogue, most: int) -> list[FindingRow]:
    """The findings of the latest batch days: whole files first, then the most money."""
    source = """
        meta.intake_findings
        ORDER BY kind <> 'refused' OR records < of_records, abs(amount) DESC NULLS LAST,
                 records DESC, source, batch_day, object, kind, subject
        LIMIT $most
    """
    return catalogue.read(FindingRow, source, {"most": most})


@dataclass(frozen=True)
class FindingSum:
    """All findings of one kind."""

    kind: str
    records: int
    amount: Decimal | None


def finding_sums(catalogue: Catalogue) -> list[FindingSum]:
    """The findings of the latest batch days by kind."""
    sql = """
        SELECT kind, CAST(sum(records) AS BIGINT), CAST(sum(amount) AS DECIMAL(38, 2))
        FROM meta.intake_findings GROUP BY kind ORDER BY kind
    """
    return catalogue.ask(FindingSum, sql)


@dataclass(frozen=True)
class FilesByState:
    """How many files of a source came to one end."""

    source: str
    state: str
    files: int
    records: int | None
    latest_day: date
    seen_at: datetime


def landed_files(catalogue: Catalogue) -> list[FilesByState]:
    """The files of the ledger by source and state.

    A moment with a time zone becomes one without: DuckDB's zones are an extension.
    """
    sql = """
        SELECT source, state, count(*), CAST(sum(records) AS BIGINT), max(batch_day),
               make_timestamp(epoch_us(max(seen_at)))
        FROM ops.files GROUP BY source, state ORDER BY source, state DESC
    """
    return catalogue.ask(FilesByState, sql)


@dataclass(frozen=True)
class RefusedFile:
    """A file that could not be taken at all."""

    source: str
    object: str
    batch_day: date
    size: int
    reason: str | None
    detail: str | None
    seen_at: datetime


def refused_files(catalogue: Catalogue, most: int) -> list[RefusedFile]:
    """The latest refused files, and those of which version 0.1 took only a part."""
    sql = """
        SELECT source, object, batch_day, size, coalesce(reason, 'UNREADABLE'),
               coalesce(detail, format('half taken; {:,} of its records stand in raw', records)),
               make_timestamp(epoch_us(seen_at))
        FROM ops.files AS file
        WHERE state = 'refused' OR (state = 'partial' AND NOT EXISTS (
            FROM ops.files AS whole
            WHERE whole.source = file.source AND whole.fingerprint = file.fingerprint
              AND whole.state IN ('taken', 'repeated')
        ))
        ORDER BY batch_day DESC, source, object LIMIT $most
    """
    return catalogue.ask(RefusedFile, sql, {"most": most})


@dataclass(frozen=True)
class OtherColumn:
    """A column that files have beyond their source's (unknown), or lack (missing)."""

    source: str
    column: str
    kind: str
    files: int
    first_day: date
    latest_day: date


def other_columns(catalogue: Catalogue) -> list[OtherColumn]:
    """The columns of files that were taken, where they are not those of their source."""
    sql = """
        SELECT source, kind, names, count(*), min(batch_day), max(batch_day)
        FROM (
            SELECT source, state, batch_day, 'unknown' AS kind, unknown_columns AS names
            FROM ops.files
            UNION ALL
            SELECT source, state, batch_day, 'missing', missing_columns FROM ops.files
        )
        WHERE names IS NOT NULL AND state = 'taken'
        GROUP BY source, kind, names
    """
    found: dict[tuple[str, str, str], OtherColumn] = {}
    for source, kind, names, files, first, latest in catalogue.ask(lambda *row: row, sql):
        # the ledger has the names as a line of CSV: one may have a comma in it
        for column in next(csv.reader([names])):
            key = (source, kind, column)
            before = found.get(key, OtherColumn(source, column, kind, 0, first, latest))
            found[key] = OtherColumn(
                source,
                column,
                kind,
                before.files + files,
                min(before.first_day, first),
                max(before.latest_day, latest),
            )
    return sorted(found.values(), key=lambda c: (c.source, c.kind == "missing", c.column))


@dataclass(frozen=True)
class TopicPosition:
    """How far a partition of a Kafka topic has been taken."""

    topic: str
    partition: int
    source: str
    next_offset: int
    records: int
    quarantined: int
    latest_day: date | None
    seen_at: datetime


def topic_positions(catalogue: Catalogue) -> list[TopicPosition]:
    """Every partition that messages were taken from."""
    sql = """
        SELECT topic, "partition", source, next_offset, records, quarantined, latest_day,
               make_timestamp(epoch_us(seen_at))
        FROM ops.offsets ORDER BY topic, "partition"
    """
    return catalogue.ask(TopicPosition, sql)


@dataclass(frozen=True)
class ModelMetric:
    """A metric of a model; `passed` is None when nothing is asked of it."""

    model: str
    model_version: int
    metric: str
    value: float | None
    gate: str | None
    passed: bool | None
    trained_as_of: date


def metrics(catalogue: Catalogue) -> list[ModelMetric]:
    """The metrics of the models in effect, those that miss their gate first.

    Windows further back and tenths of the customers are left to SQL: they are hundreds of rows.

    The segment model has versions of its own. The others are parts of the value model: a part
    that was not judged at its latest version has no rows, and what was said before is over.
    """
    source = """
        gold.model_metrics WHERE NOT contains(model, '@') AND NOT contains(metric, '_decile_')
        QUALIFY model_version = max(model_version) OVER (PARTITION BY model = 'segments')
        ORDER BY coalesce(passed, true), passed IS NULL, model, metric
    """
    return catalogue.read(ModelMetric, source)
