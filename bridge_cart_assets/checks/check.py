"""What a check is, what it may look at, and what comes of it.

Belongs here: the words that all checks share. Does not belong here: which checks a table has
(`registry`), or how a result is computed (`integrity`, `anomalies`, `model_quality`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from bridge_cart_assets.batch_days import DayRange, today
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.findings import findings_in, findings_of_days
from bridge_cart_assets.tables.table import Table

MetadataValue = int | float | str | bool
# The days that a gold table is about, by the first of these columns that it has.
_DAYS = ("day", "as_of", "valid_from", "period_end", "trained_as_of", "cohort_month")


@dataclass(frozen=True)
class CheckResult:
    """The verdict of one check.

    Attributes:
        passed: whether all is well.
        message: one sentence with the figures.
        metadata: the figures by name.
    """

    passed: bool
    message: str
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)


def nothing_off(off: int, message: str, **metadata: MetadataValue) -> CheckResult:
    """The verdict of a check that counts what is wrong: it passes when nothing is."""
    return CheckResult(not off, message, {"value": off, "bound": 0, **metadata})


def day_span(first: date, last: date) -> dict[str, MetadataValue]:
    """The days that a result is about, as metadata."""
    return {"first_day": first.isoformat(), "last_day": last.isoformat()}


@dataclass(frozen=True)
class CheckContext:
    """What a check may look at.

    Attributes:
        lake: the tables.
        days: the batch days that the run touched; None for whole tables.
        frames: rows that the run has in memory, by table path.
        currency: the shop's currency; empty when it was not set.
        zone: the shop's time zone.
    """

    lake: Lake
    days: DayRange | None = None
    frames: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    currency: str = ""
    zone: str = "UTC"
    _days: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)

    @property
    def today(self) -> date:
        """The shop's day that it is now."""
        return today(self.zone)

    def rows(self, table: Table) -> pl.LazyFrame:
        """All rows of a table."""
        frame = self.frames.get(table.path)
        return self.lake.snapshot(table).scan() if frame is None else frame.lazy()

    def days_of(self, table: Table) -> dict[str, str]:
        """The first and the last day that a table is about."""
        if table.path not in self._days:
            column = next(name for name in _DAYS if name in table.dtypes)
            span = self.rows(table).select(pl.min(column), last=pl.max(column)).collect().row(0)
            self._days[table.path] = {
                name: day.isoformat() if isinstance(day, date) else f"{day}-01"
                for name, day in zip(("first_day", "last_day"), span, strict=True)
                if day is not None
            }
        return self._days[table.path]

    def of_days(self, table: Table) -> pl.LazyFrame:
        """Rows of the run's batch days; the whole table when `days` is None."""
        rows = self.rows(table)
        if self.days is None:
            return rows
        return rows.filter(pl.col("batch_day").is_between(self.days.first, self.days.last))

    def findings(self) -> pl.DataFrame:
        """What of the files of the run's batch days is not in silver as they say."""
        if self.frames:
            return findings_of_days(self.rows, self.days)
        return findings_in(self.lake, self.days)

    def touched(self, table: Table) -> pl.LazyFrame:
        """Rows whose key occurs in the run's batch days; the whole table when `days` is None."""
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
        compute: computes the result.
        blocking: an ERROR that stops what is downstream, else a WARN.
        remembered: whether, once failed, it covers whole tables in the next run, until it passes.
            The run that takes a file says what it brought; later runs do not say it again.
    """

    name: str
    meaning: str
    compute: Callable[[CheckContext], CheckResult]
    blocking: bool = True
    remembered: bool = True
