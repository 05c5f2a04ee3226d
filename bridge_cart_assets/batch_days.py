"""Batch days: the shop's days, a range of them, and the last one that a run may have."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo


def local_day(moment: datetime, zone: str) -> date:
    """The day of a moment in a time zone.

    >>> local_day(datetime(2024, 2, 1, 3, 30, tzinfo=UTC), "America/New_York")
    datetime.date(2024, 1, 31)
    """
    return moment.astimezone(UTC if zone == "UTC" else ZoneInfo(zone)).date()


def today(zone: str) -> date:
    """The day that it is now in a time zone."""
    return local_day(datetime.now(UTC), zone)


def last_batch_day(zone: str) -> date:
    """The last day that has a partition now: the zone's tomorrow, as clocks differ by a day."""
    return today(zone) + timedelta(days=1)


@dataclass(frozen=True)
class DayRange:
    """Batch days in a row, both ends included.

    >>> days = DayRange.parse("2024-01-30/2024-02-02")
    >>> date(2024, 2, 2) in days
    True
    >>> str(days.with_days([date(2024, 2, 5)]))
    '2024-01-30/2024-02-05'
    """

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        """Whether a day is in the range."""
        return self.first <= day <= self.last

    def __str__(self) -> str:
        """Both ends, `2024-01-01/2024-01-31`."""
        return f"{self.first}/{self.last}"

    @property
    def days(self) -> list[date]:
        """All days of the range, in order."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    @classmethod
    def around(cls, days: Iterable[date]) -> "DayRange":
        """The smallest range that holds all the days (at least one)."""
        ordered = sorted(days)
        return cls(ordered[0], ordered[-1])

    @classmethod
    def parse(cls, text: str) -> "DayRange":
        """The range whose `str` this is."""
        first, _, last = text.partition("/")
        return cls(date.fromisoformat(first), date.fromisoformat(last))

    def with_days(self, days: Iterable[date]) -> "DayRange":
        """The smallest range that holds this one and the days."""
        return DayRange.around((self.first, self.last, *days))
