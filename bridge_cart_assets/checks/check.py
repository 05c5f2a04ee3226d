"""What a check is, what it may look at, and what comes of it.

Belongs here: the words that all checks share. Does not belong here: which checks a table has
(`registry`), or how a result is computed (`integrity`, `anomalies`, `model_quality`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeVar

import polars as pl

from bridge_cart_assets.batch_days import DayRange, today
from bridge_cart_assets.lake.catalogue_base import changed_since_checked
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.findings import findings_in, findings_of_days
from bridge_cart_assets.pipeline.persons import with_keys
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.changes import Rows

T = TypeVar("T")
MetadataValue = int | float | str | bool
# The days that a gold table is about, by the first of these columns that it has.
# Fewer rows are looked at as quickly as one finds out which of them have changed.
WORTH_ROWS = 100_000
_INTERVAL = ("valid_from", "valid_to", "is_current")
_DAYS = (
    "day",
    "as_of",
    "valid_from",
    "period_end",
    "trained_as_of",
    "forecast_from",
    "cohort_month",
)


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
        last_catalogue: the catalogue of the last run that came to an end, in a run: what it has was
            checked then. None for whole tables.
        currency: the shop's currency; empty when it was not set.
        zone: the shop's time zone.
    """

    lake: Lake
    days: DayRange | None = None
    frames: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    currency: str = ""
    zone: str = "UTC"
    last_catalogue: Path | None = None
    _days: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)
    _known: dict[object, object] = field(default_factory=dict, repr=False)

    @property
    def today(self) -> date:
        """The shop's day that it is now."""
        return today(self.zone)

    def rows(self, table: Table) -> pl.LazyFrame:
        """All rows of a table."""
        frame = self.frames.get(table.path)
        return self.lake.snapshot(table).scan() if frame is None else frame.lazy()

    def once(self, name: object, compute: Callable[[], T]) -> T:
        """What several checks ask for, computed once.

        Args:
            name: says what it is, with the versions of the tables that it is of.
            compute: computes it.
        """
        if name not in self._known:
            self._known[name] = compute()
        return self._known[name]  # type: ignore[return-value]

    def days_of(self, table: Table) -> dict[str, str]:
        """The first and the last day that a table is about; none of a table without days."""
        if table.path not in self._days:
            column = next((name for name in _DAYS if name in table.dtypes), None)
            if column is None:  # of all days up to as_of
                return self._days.setdefault(table.path, {})
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

    def changed(self, table: Table) -> Rows | None:
        """The rows that came and went since the last run that came to an end.

        None when all rows are to be looked at: outside of a run, when they are in memory or few, or
        when it is unknown what has changed.
        """
        path = self.last_catalogue
        if path is None or table.path in self.frames:
            return None
        snapshot = self.lake.snapshot(table)
        if snapshot.rows < WORTH_ROWS:
            return None
        since = self.once(
            ("changed", table.path, snapshot.version), lambda: changed_since_checked(path, snapshot)
        )
        return None if since is None else Rows(*since)

    def touched(self, table: Table) -> pl.LazyFrame:
        """Rows whose key, or that of the thing whose versions they are, the run has touched.

        In a table with batch days these are the keys of the run's days, in another one those of
        rows that changed, without further columns. Outside of a run it is the whole table.
        """
        rows = self.rows(table)
        owner = list(table.interval_of or table.key)
        day = next((c for c in ("batch_day", "_batch_day") if c in table.dtypes), None)
        if day is None:
            changed = self.changed(table)
            if changed is None:
                return rows
            further = _INTERVAL if table.interval_of else ()
            columns = list(dict.fromkeys((*table.key, *owner, *further)))
            mine = with_keys(rows.select(columns), _of(changed, owner))
            version = self.lake.snapshot(table).version

            def read() -> pl.DataFrame:
                return mine.collect(engine="streaming")

            return self.once(("touched", table.path, version), read).lazy()
        if self.days is None:
            return rows
        mine = rows.filter(pl.col(day).is_between(self.days.first, self.days.last))
        if day in table.partition_by:
            return mine
        keys = mine.select(owner).collect(engine="streaming")
        return rows if keys.height == self._height(table) else with_keys(rows, keys.unique())

    def _height(self, table: Table) -> int:
        frame = self.frames.get(table.path)
        return self.lake.snapshot(table).rows if frame is None else frame.height


def _of(rows: Rows, columns: list[str]) -> pl.DataFrame:
    return pl.concat([rows.came.select(columns), rows.gone.select(columns)]).unique()


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
