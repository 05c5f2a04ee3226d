"""The shop's clock: what happens in a shop happens at a time on it.

Belongs here: from the clock to UTC. Does not belong here: when something happens (`behaviour`).

Python's tables of zones, not Polars', so that one can judge the other.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

_MOMENT = pl.Datetime("us", "UTC")
_MINUTE = timedelta(minutes=1)


def in_utc(records: pl.DataFrame, zone: str) -> pl.DataFrame:
    """The records with moments in UTC, from records whose moments are times on the clock.

    No clock shows a time that it skips: what would happen then happens at the end of the gap. Of a
    time that it shows twice, the first is meant.
    """
    if zone == "UTC":
        return records
    names = [name for name, dtype in records.schema.items() if dtype == _MOMENT]
    return records.with_columns(_in_utc(records[name], zone) for name in names)


def seconds_ahead_of(records: pl.DataFrame, zone: str) -> list[pl.Expr]:
    """By how much the clock is ahead of UTC at each moment of the records: `_ahead_<column>`."""
    names = [name for name, dtype in records.schema.items() if dtype == _MOMENT]
    if zone == "UTC":
        return [pl.lit(0, pl.Int64).alias(f"_ahead_{name}") for name in names]
    there = {name: pl.col(name).dt.convert_time_zone(zone).dt for name in names}
    return [
        (at.base_utc_offset() + at.dst_offset()).dt.total_seconds().alias(f"_ahead_{name}")
        for name, at in there.items()
    ]


def _in_utc(clock: pl.Series, zone: str) -> pl.Series:
    if clock.is_empty():
        return clock
    minute = clock.dt.truncate("1m")
    there = ZoneInfo(zone)
    minutes = minute.unique().to_list()
    begins = {at: _first_moment(at, there) for at in minutes}
    skipped = [at for at in minutes if not _is_shown(at, there)]
    within = (clock - minute).set(minute.is_in(skipped), timedelta())
    return minute.replace_strict(begins, return_dtype=_MOMENT) + within


def _first_moment(minute: datetime, zone: ZoneInfo) -> datetime:
    """When the clock first shows a minute; of one that it skips, when the gap ends."""
    while not _is_shown(minute, zone):
        minute += _MINUTE
    return minute.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _is_shown(minute: datetime, zone: ZoneInfo) -> bool:
    local = minute.replace(tzinfo=zone, fold=0)
    return local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None)
