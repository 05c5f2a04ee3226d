"""The batch days: the daily partitions of raw and silver, and a run's range of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
_SINGLE = "dagster/partition"


def batch_days(start: date) -> dg.DailyPartitionsDefinition:
    """Daily partitions from the first batch day to tomorrow (UTC): clocks differ by a day."""
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), end_offset=2)


def last_batch_day() -> date:
    """The last day that has a partition now."""
    return datetime.now(UTC).date() + timedelta(days=1)


@dataclass(frozen=True)
class DayRange:
    """A run's batch days, both ends included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        """Whether a day is in the range."""
        return self.first <= day <= self.last

    @classmethod
    def around(cls, days: Iterable[date]) -> "DayRange":
        """The smallest range that holds all the days (at least one)."""
        ordered = sorted(days)
        return cls(ordered[0], ordered[-1])

    @classmethod
    def of_run(cls, tags: Mapping[str, str]) -> "DayRange | None":
        """The range that a run was asked for; None when it has no partitions."""
        single = tags.get(_SINGLE)
        first, last = tags.get(RANGE_START, single), tags.get(RANGE_END, single)
        if first is None or last is None:
            return None
        return cls(date.fromisoformat(first), date.fromisoformat(last))

    def __str__(self) -> str:
        """Both ends, `2024-01-01/2024-01-31`."""
        return f"{self.first}/{self.last}"

    @classmethod
    def parse(cls, text: str) -> "DayRange":
        """The range that is written so."""
        first, _, last = text.partition("/")
        return cls(date.fromisoformat(first), date.fromisoformat(last))

    def with_days(self, days: Iterable[date]) -> "DayRange":
        """The smallest range that holds this one and the days."""
        return DayRange.around((self.first, self.last, *days))

    @property
    def tags(self) -> dict[str, str]:
        """The tags by which Dagster runs the range as one run."""
        return {RANGE_START: self.first.isoformat(), RANGE_END: self.last.isoformat()}
