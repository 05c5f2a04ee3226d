"""The shop's local time: from its clock to UTC, and from UTC to its days.

Belongs here: time zones. Does not belong here: how moments are written (`dates`).

With the zone UTC nothing is converted.
"""

from datetime import timedelta

import polars as pl

from bridge_cart_assets.tables.columns import TIMESTAMP

_DAY = timedelta(days=1)


def from_clock(local: pl.Expr, zone: str) -> pl.Expr:
    """Moments in UTC, of times on the clock of a zone.

    A time that the clock skipped moves forward by the gap; of one that it had twice, the first.

    >>> from datetime import datetime
    >>> clock = [datetime(2024, 3, 10, 2, 15), datetime(2024, 11, 3, 1, 15)]
    >>> moments = pl.DataFrame({"clock": clock}, schema={"clock": pl.Datetime("us")})
    >>> found = moments.select(from_clock(pl.col("clock"), "America/New_York"))["clock"]
    >>> found.dt.strftime("%d %b %H:%M").to_list()
    ['10 Mar 07:15', '03 Nov 05:15']
    """
    if zone == "UTC":
        return local.dt.replace_time_zone("UTC")
    return local.map_batches(lambda clock: _from_clock(clock, zone), return_dtype=TIMESTAMP)


def on_clock(moment: pl.Expr, zone: str) -> pl.Expr:
    """Moments as the clock of a zone shows them; its days and months are the shop's.

    >>> from datetime import UTC, datetime
    >>> moments = pl.DataFrame({"at": [datetime(2024, 2, 1, 3, 30, tzinfo=UTC)]})
    >>> moments.select(on_clock(pl.col("at"), "America/New_York").dt.date())["at"].item()
    datetime.date(2024, 1, 31)
    """
    return moment if zone == "UTC" else moment.dt.convert_time_zone(zone)


def start_of_day(day: pl.Expr, zone: str) -> pl.Expr:
    """The first moment of a day.

    >>> from datetime import date
    >>> days = pl.DataFrame({"day": [date(2024, 4, 1)]})
    >>> days.select(start_of_day(pl.col("day"), "America/New_York"))["day"].item()
    datetime.datetime(2024, 4, 1, 4, 0, tzinfo=zoneinfo.ZoneInfo(key='UTC'))
    """
    return from_clock(day.cast(pl.Datetime("us")), zone)


def end_of_day(day: pl.Expr, zone: str) -> pl.Expr:
    """The last microsecond of a day.

    >>> from datetime import date
    >>> days = pl.DataFrame({"day": [date(2024, 3, 31)]})
    >>> days.select(end_of_day(pl.col("day"), "America/New_York"))["day"].item()
    datetime.datetime(2024, 4, 1, 3, 59, 59, 999999, tzinfo=zoneinfo.ZoneInfo(key='UTC'))
    """
    return start_of_day(day + pl.duration(days=1), zone) - pl.duration(microseconds=1)


def _from_clock(clock: pl.Series, zone: str) -> pl.Series:
    moment = _existing(clock, zone)
    if moment.null_count() == clock.null_count():
        return moment
    # What the clock skipped is read by the offset before the gap, which is the day before's: no
    # gap is longer than a day, and none follows another within a day.
    by_offset_before = _existing(clock - _DAY, zone) + _DAY
    return moment.zip_with(moment.is_not_null(), by_offset_before)


def _existing(clock: pl.Series, zone: str) -> pl.Series:
    """In UTC; null where the clock skipped the time."""
    there = clock.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return there.dt.convert_time_zone("UTC")
