"""The asset checks of every table, most of them derived from its declaration.

Belongs here: which checks a table has, how serious they are and what they look at. Does not
belong here: how a finding is computed (`findings`) or its bounds (`thresholds`).

A blocking check that fails stops everything downstream. In a run the checks of silver cover what
the run touched; on their own, or when they failed the last time, they cover whole tables: what
was found wrong yesterday is not forgotten because today's rows are right.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import dagster as dg
import polars as pl
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from bridge_cart_assets.checks import findings
from bridge_cart_assets.checks.findings import Finding
from bridge_cart_assets.thresholds import THRESHOLDS
from bridge_cart_assets.ingestion.ledger import drift
from bridge_cart_assets.ingestion.pending import latest_day
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.partitions import DayRange
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.tables.gold import (
    COHORT_RETENTION,
    CUSTOMER_FEATURES,
    KPIS_DAILY,
    SEGMENT_METRICS,
)
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.tables.silver import ACCOUNTING, CUSTOMERS, PURCHASES
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.features import known, sales

_FINISHED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}


@dataclass(frozen=True)
class Evidence:
    """What a check may look at.

    Attributes:
        lake: the tables.
        days: the batch days that the run touched; None for whole tables.
        frames: rows that the run has in memory, by table path.
    """

    lake: Lake
    days: DayRange | None = None
    frames: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    def rows(self, table: Table) -> pl.LazyFrame:
        """All rows of a table."""
        frame = self.frames.get(table.path)
        return self.lake.look(table).scan() if frame is None else frame.lazy()

    def touched(self, table: Table) -> pl.LazyFrame:
        """The rows of keys that have a row in the run's days; all rows without days."""
        rows = self.rows(table)
        day = next((c for c in ("batch_day", "_batch_day") if c in table.dtypes), None)
        if self.days is None or day is None:
            return rows
        mine = rows.filter(pl.col(day).is_between(self.days.first, self.days.last))
        if day in table.partition_by:
            return mine
        owner = list(table.interval_of or table.key)
        return rows.join(mine.select(owner).unique(), on=owner, how="semi")


@dataclass(frozen=True)
class Check:
    """One check of one table.

    Attributes:
        name: readable, unique for the table.
        meaning: what it asks, in one sentence.
        look: computes the finding.
        blocking: an ERROR that stops what is downstream, else a WARN.
    """

    name: str
    meaning: str
    look: Callable[[Evidence], Finding]
    blocking: bool = True


def checks_of(table: Table) -> tuple[Check, ...]:
    """The checks of a table: schema, keys and intervals by its declaration, then its own."""
    derived = [
        Check(
            "schema_as_declared",
            "The stored table has the declared columns and types.",
            lambda evidence: _schema(table, evidence),
        ),
        Check(
            "keys_unique",
            f"({', '.join(table.key)}) is unique and never null.",
            lambda evidence: findings.keys(table, evidence.touched(table)),
        ),
    ]
    if table.interval_of:
        derived.append(
            Check(
                "intervals_touch",
                "Versions touch, do not overlap, and one is current.",
                lambda evidence: findings.intervals(table, evidence.touched(table)),
            )
        )
    return (*derived, *_OWN.get(table.path, ()))


def check_specs(table: Table) -> list[dg.AssetCheckSpec]:
    """What Dagster is told of a table's checks."""
    return [
        dg.AssetCheckSpec(
            check.name,
            asset=dg.AssetKey(table.path.split("/")),
            description=check.meaning,
            blocking=check.blocking,
        )
        for check in checks_of(table)
    ]


def evaluate(
    context: dg.AssetExecutionContext, evidence: Evidence, tables: tuple[Table, ...]
) -> Iterator[dg.AssetCheckResult]:
    """Run the selected checks of some tables."""
    selected = context.selected_asset_check_keys
    for table in tables:
        key = dg.AssetKey(table.path.split("/"))
        for check in checks_of(table):
            check_key = dg.AssetCheckKey(key, check.name)
            if check_key not in selected:
                continue
            scope = evidence
            if evidence.days is not None and _failed_last_time(context.instance, check_key):
                scope = Evidence(evidence.lake, None, evidence.frames)
            finding = check.look(scope)
            yield dg.AssetCheckResult(
                asset_key=key,
                check_name=check.name,
                passed=finding.passed,
                severity=(
                    dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN
                ),
                description=finding.says,
                metadata={**finding.figures, "covers": _covers(scope)},
            )


def _failed_last_time(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> bool:
    record = next(
        iter(
            instance.event_log_storage.get_asset_check_execution_history(
                key, limit=1, status=_FINISHED
            )
        ),
        None,
    )
    return record is not None and record.status == AssetCheckExecutionRecordStatus.FAILED


def _covers(evidence: Evidence) -> str:
    if evidence.days is None:
        return "whole tables"
    return f"batch days {evidence.days.first} to {evidence.days.last}"


def _schema(table: Table, evidence: Evidence) -> Finding:
    # A table whose stored schema differs is refused when it is opened, with the differences.
    stored = evidence.lake.look(table).scan().collect_schema()
    same = dict(stored) == table.dtypes
    return Finding(same, f"{len(stored)} columns, as declared: {same}", {"columns": len(stored)})


def _accepted_stand(table: Table, evidence: Evidence) -> Finding:
    feeding = [source.name for source in SOURCES if source.feeds is table]
    accounting = evidence.rows(ACCOUNTING).filter(pl.col("source").is_in(feeding))
    standing = evidence.rows(table).filter(pl.col("source").is_in(feeding))
    if evidence.days is not None:
        of_days = pl.col("batch_day").is_between(evidence.days.first, evidence.days.last)
        accounting, standing = accounting.filter(of_days), standing.filter(of_days)
    accepted = accounting.select(pl.sum("accepted")).collect().item()
    return findings.counts_agree(
        table.path, accepted or 0, standing.select(pl.len()).collect().item()
    )


def _balance(evidence: Evidence) -> Finding:
    return findings.balance(evidence.touched(ACCOUNTING).collect())


def _raw_is_accounted(evidence: Evidence) -> Finding:
    """Every record of raw is in accounting, counted from both sides."""
    accounting = evidence.touched(ACCOUNTING).select(pl.sum("records")).collect().item() or 0
    arrived = sum(
        evidence.touched(source.raw).select(pl.len()).collect().item() for source in SOURCES
    )
    return Finding(
        accounting == arrived,
        f"{arrived:,} records in raw, {accounting:,} accounted for",
        {"raw": arrived, "accounted": accounting},
    )


def _revenue_from(place: Table) -> Callable[[Evidence], Finding]:
    def look(evidence: Evidence) -> Finding:
        as_of = latest_day(evidence.lake)
        if as_of is None:
            return Finding(True, "no batch day yet")
        sold = sales(known(evidence.rows(PURCHASES), as_of)).select(pl.sum("net_amount"))
        here = evidence.rows(place).select(pl.sum("revenue"))
        sums = {"silver/purchases": sold.collect().item(), place.path: here.collect().item()}
        return findings.sums_agree({k: Decimal(v or 0) for k, v in sums.items()})

    return look


def _in_range(
    table: Table, *columns: str, high: float | None = 1.0
) -> Callable[[Evidence], Finding]:
    return lambda evidence: findings.within(
        evidence.rows(table).select(columns).collect(), columns, 0.0, high
    )


def _kpi(column: str, low: float | None, high: float) -> Callable[[Evidence], Finding]:
    return lambda evidence: findings.against_trailing(
        evidence.rows(KPIS_DAILY).collect(), column, low, high, THRESHOLDS
    )


def _columns(source: Source) -> Callable[[Evidence], Finding]:
    def look(evidence: Evidence) -> Finding:
        files = evidence.rows(FILES).filter(
            (pl.col("source") == source.name) & pl.col("state").is_in(["taken", "partial"])
        )
        first, latest = (
            files.select(pl.min("batch_day"), latest=pl.max("batch_day")).collect().row(0)
        )
        if first is None:
            return Finding(True, "no file was taken")
        days = evidence.days or DayRange(latest, latest)
        mine = drift(evidence.lake).filter(pl.col("source") == source.name)
        return findings.columns_as_before(mine, first, days)

    return look


_SHARES = (
    *("repeat_purchase_rate", "churn_rate_90d", "retention_rate_90d", "coupon_rate_90d"),
    *("discount_rate_90d", "top_decile_share", "gini"),
)
_REVENUE_AGREES = "Its revenue is the net amount of the sales in silver up to as_of, to the cent."
_OWN: Mapping[str, tuple[Check, ...]] = {
    **{
        source.raw.path: (
            Check(
                "columns_as_before",
                "Files have no column that the source does not know, and lack none that files "
                "before them had. On its own it looks at the latest batch day.",
                _columns(source),
                blocking=False,
            ),
        )
        for source in SOURCES
    },
    PURCHASES.path: (
        Check(
            "rows_are_accepted_records",
            "As many rows as records that accounting calls accepted.",
            lambda evidence: _accepted_stand(PURCHASES, evidence),
        ),
    ),
    CUSTOMERS.path: (
        Check(
            "rows_are_accepted_records",
            "As many versions of native profiles as records that accounting calls accepted.",
            lambda evidence: _accepted_stand(CUSTOMERS, evidence),
        ),
    ),
    ACCOUNTING.path: (
        Check(
            "every_record_accounted",
            "records = blank + quarantined + accepted + duplicate + superseded, every day.",
            _balance,
        ),
        Check(
            "records_are_raw_records",
            "As many records as raw has.",
            _raw_is_accounted,
        ),
    ),
    CUSTOMER_FEATURES.path: (
        Check("revenue_agrees", _REVENUE_AGREES, _revenue_from(CUSTOMER_FEATURES)),
        Check(
            "rates_in_range",
            "coupon_rate and discount_rate lie in [0, 1].",
            _in_range(CUSTOMER_FEATURES, "coupon_rate", "discount_rate"),
        ),
        Check(
            "refund_rate_not_negative",
            "refund_rate is not below 0.",
            _in_range(CUSTOMER_FEATURES, "refund_rate", high=None),
        ),
    ),
    COHORT_RETENTION.path: (
        Check(
            "rates_in_range",
            "retention lies in [0, 1].",
            _in_range(COHORT_RETENTION, "retention"),
        ),
    ),
    KPIS_DAILY.path: (
        Check("revenue_agrees", _REVENUE_AGREES, _revenue_from(KPIS_DAILY)),
        Check(
            "revenue_parts_add_up",
            "revenue_new + revenue_returning = revenue on every day.",
            lambda evidence: findings.parts_add_up(evidence.rows(KPIS_DAILY).collect()),
        ),
        Check("rates_in_range", "Shares lie in [0, 1].", _in_range(KPIS_DAILY, *_SHARES)),
        Check(
            "ratios_not_negative",
            "refund_rate_90d and nrr_90d are not below 0.",
            _in_range(KPIS_DAILY, "refund_rate_90d", "nrr_90d", high=None),
        ),
        Check(
            "churn_rate_90d_as_usual",
            f"churn_rate_90d is at most {THRESHOLDS.churn_rate_rise:.0%} above the mean of the "
            f"{THRESHOLDS.trailing_days} days before.",
            _kpi("churn_rate_90d", None, THRESHOLDS.churn_rate_rise),
            blocking=False,
        ),
        Check(
            "aov_90d_as_usual",
            f"aov_90d is within {THRESHOLDS.aov_change:.0%} of the mean of the "
            f"{THRESHOLDS.trailing_days} days before.",
            _kpi("aov_90d", THRESHOLDS.aov_change, THRESHOLDS.aov_change),
            blocking=False,
        ),
        Check(
            "as_of_is_fresh",
            f"as_of is at most {THRESHOLDS.as_of_age.days} days behind the clock.",
            lambda evidence: findings.fresh(
                latest_day(evidence.lake), datetime.now(UTC).date(), THRESHOLDS.as_of_age
            ),
            blocking=False,
        ),
    ),
    SEGMENT_METRICS.path: (
        Check(
            "contributions_add_up",
            "The current segments' shares of all revenue add up to 1.",
            lambda evidence: findings.shares_add_up(
                evidence.rows(SEGMENT_METRICS).collect(), THRESHOLDS
            ),
        ),
        Check(
            "rates_in_range",
            "churn_rate and segment_contribution lie in [0, 1].",
            _in_range(SEGMENT_METRICS, "churn_rate", "segment_contribution"),
        ),
    ),
}
