"""The shop's clock, against Python's zoneinfo: an implementation and tables of zones of its own."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.transforms.local_time import (
    end_of_day,
    from_clock,
    on_clock,
    start_of_day,
)

# Beside the usual ones: half an hour of summer time (Lord Howe), two hours (Troll), a change at
# midnight (Havana, São Paulo, Beirut) or a minute after it (St. John's), winter time that is the
# one that deviates (Dublin), quarters of an hour (Kathmandu, Chatham), and days that were skipped
# whole (Apia 2011-12-30, Kwajalein 1993-08-21).
ZONES = (
    *("America/Los_Angeles", "America/New_York", "Europe/London", "Europe/Berlin"),
    *("Pacific/Auckland", "Asia/Kolkata", "Australia/Lord_Howe", "Antarctica/Troll"),
    *("America/Havana", "America/Sao_Paulo", "Asia/Beirut", "America/St_Johns"),
    *("Europe/Dublin", "Asia/Kathmandu", "Pacific/Chatham", "Pacific/Apia"),
    *("Pacific/Kwajalein", "Africa/Casablanca", "Africa/Cairo", "Asia/Pyongyang"),
)
# Polars' tables of summer time end with this century.
FIRST, LAST = datetime(1970, 1, 1), datetime(2099, 12, 31)
clocks = st.datetimes(FIRST, LAST)
zones = st.sampled_from(ZONES)
unhurried = settings(deadline=None)


def by_zoneinfo(clock: datetime, zone: str) -> datetime:
    """`fold=0` is the first of two times, and takes a skipped one by the offset before the gap."""
    return clock.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def by_us(clocks: list[datetime], zone: str) -> list[datetime]:
    frame = pl.DataFrame({"clock": pl.Series(clocks, dtype=pl.Datetime("us"))})
    return frame.select(from_clock(pl.col("clock"), zone))["clock"].to_list()


def transitions(zone: str) -> Iterator[tuple[datetime, datetime]]:
    """What the zone's clock shows at each change, before it and after it."""
    there = ZoneInfo(zone)

    def offset(moment: datetime) -> timedelta:
        return moment.astimezone(there).utcoffset() or timedelta()

    moment, step = FIRST.replace(tzinfo=UTC), timedelta(days=7)
    while moment.year <= LAST.year:
        if offset(moment) != offset(moment + step):
            low, high = moment, moment + step
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) / 2).replace(microsecond=0)
                low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
            both = (high + offset(low), high + offset(high))
            yield both[0].replace(tzinfo=None), both[1].replace(tzinfo=None)
        moment += step


@unhurried
@given(st.lists(clocks, min_size=1), zones)
def test_any_time_on_the_clock_is_the_moment_that_python_says(
    clocks: list[datetime], zone: str
) -> None:
    assert by_us(clocks, zone) == [by_zoneinfo(clock, zone) for clock in clocks]


@pytest.mark.parametrize("zone", ZONES)
def test_so_it_is_around_every_change_of_the_clock(zone: str) -> None:
    around = [
        clock + timedelta(seconds=seconds)
        for before, after in transitions(zone)
        for clock in (before, after, before + (after - before) / 2)
        for seconds in (-3601, -1, 0, 1, 3599)
    ]
    assert len(around) > 10 or zone == "Asia/Kolkata"
    wrong = [
        (clock, found, by_zoneinfo(clock, zone))
        for clock, found in zip(around, by_us(around, zone), strict=True)
        if found != by_zoneinfo(clock, zone)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("zone", "clock", "moment"),
    [
        ("America/New_York", "2024-03-10 02:15", "2024-03-10 07:15"),
        ("America/New_York", "2024-11-03 01:15", "2024-11-03 05:15"),
        ("Europe/London", "2024-03-31 01:30", "2024-03-31 01:30"),
        ("Europe/London", "2024-10-27 01:30", "2024-10-27 00:30"),
        ("Australia/Lord_Howe", "2024-10-06 02:10", "2024-10-05 15:40"),
        ("Australia/Lord_Howe", "2024-04-07 01:45", "2024-04-06 14:45"),
        ("Pacific/Auckland", "2024-09-29 02:30", "2024-09-28 14:30"),
        ("Pacific/Auckland", "2024-04-07 02:30", "2024-04-06 13:30"),
        ("Asia/Kolkata", "2024-03-10 02:15", "2024-03-09 20:45"),
        ("Asia/Beirut", "2024-03-31 00:00", "2024-03-30 22:00"),
        ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 22:00"),
    ],
)
def test_skipped_times_move_by_the_gap_and_doubled_ones_are_the_first(
    zone: str, clock: str, moment: str
) -> None:
    found = by_us([datetime.fromisoformat(clock)], zone)
    assert found == [datetime.fromisoformat(moment).replace(tzinfo=UTC)]


@unhurried
@given(st.lists(st.datetimes(FIRST, LAST, timezones=st.just(UTC)), min_size=1), zones)
def test_a_moment_is_on_the_day_that_python_says(moments: list[datetime], zone: str) -> None:
    frame = pl.DataFrame({"at": pl.Series(moments, dtype=pl.Datetime("us", "UTC"))})
    days = frame.select(on_clock(pl.col("at"), zone).dt.date())["at"].to_list()
    assert days == [moment.astimezone(ZoneInfo(zone)).date() for moment in moments]


@unhurried
@given(st.dates(FIRST.date(), date(2099, 12, 30)), zones)
def test_a_day_begins_where_the_one_before_ends(day: date, zone: str) -> None:
    days = pl.DataFrame({"day": [day, day + timedelta(days=1)]})
    bounds = days.select(
        start=start_of_day(pl.col("day"), zone), end=end_of_day(pl.col("day"), zone)
    )
    assert bounds["end"][0] + timedelta(microseconds=1) == bounds["start"][1]
    midnight = datetime(day.year, day.month, day.day)
    assert bounds["start"][0] == by_zoneinfo(midnight, zone)


@unhurried
@given(st.lists(clocks | st.none()))
def test_in_utc_the_clock_is_the_moment(clocks: list[datetime | None]) -> None:
    frame = pl.DataFrame({"clock": pl.Series(clocks, dtype=pl.Datetime("us"))})
    found = frame.select(from_clock(pl.col("clock"), "UTC"))["clock"].to_list()
    assert found == [clock and clock.replace(tzinfo=UTC) for clock in clocks]


@pytest.mark.parametrize("zone", ZONES)
def test_no_time_is_no_moment_in_any_zone(zone: str) -> None:
    clocks = pl.Series([None, datetime(2024, 3, 10, 2, 15)], dtype=pl.Datetime("us"))
    found = pl.DataFrame({"clock": clocks}).select(from_clock(pl.col("clock"), zone))
    assert found["clock"].is_null().to_list() == [True, False]
