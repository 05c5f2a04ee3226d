"""Moments as people and programs write them; each column of a file has day or month first.

Belongs here: the accepted spellings of days and times, and the order of day and month. Does not
belong here: which moments a record may have (`cleaning`).

`03/04/2024` is 3 April or 4 March. A value with a number above 12 in one place decides for the
whole column of its file.
"""

from datetime import UTC, datetime
from typing import Literal

import polars as pl

from bridge_cart_assets.tables.columns import TIMESTAMP
from bridge_cart_assets.transforms.local_time import from_clock
from bridge_cart_assets.transforms.parsing import in_places, present

Order = Literal["day_first", "month_first"]
MOMENT = pl.Struct({"value": TIMESTAMP, "guessed": pl.Boolean})

_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_LOCAL = pl.Datetime("us")
# Two-digit years from here on are of the 1900s, as in POSIX.
_PIVOT = 69
# The spellings of most programs, which are read without taking them apart: shape and format.
_DAY_SHAPE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME_SHAPE = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_COMMON = (
    (f"^{_DAY_SHAPE}$", "%Y-%m-%d"),
    (f"^{_DAY_SHAPE} {_TIME_SHAPE}$", "%Y-%m-%d %H:%M:%S"),
    (f"^{_DAY_SHAPE}T{_TIME_SHAPE}$", "%Y-%m-%dT%H:%M:%S"),
    (rf"^{_DAY_SHAPE}T{_TIME_SHAPE}(\.[0-9]{{1,9}})?Z$", "%Y-%m-%dT%H:%M:%S%.f%#z"),
    (f"^{_DAY_SHAPE}T{_TIME_SHAPE}[+-](0[0-9]|1[0-8]):[0-5][0-9]$", "%Y-%m-%dT%H:%M:%S%:z"),
)
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "january"),
            ("feb", "february"),
            ("mar", "march"),
            ("apr", "april"),
            ("may",),
            ("jun", "june"),
            ("jul", "july"),
            ("aug", "august"),
            ("sep", "sept", "september"),
            ("oct", "october"),
            ("nov", "november"),
            ("dec", "december"),
        ),
        start=1,
    )
    for name in names
}
_NAME = "(?<name>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + ")"
_DAY = r"(?<day>[0-9]{1,2})(?:st|nd|rd|th)?"
_BETWEEN = r"(?: of |[ ./,-]*)"
_APART = r"[ ./,-]+"
_YEAR = r"(?<year>[0-9]{4}|[0-9]{2})"
_DASHES = "[‐‑‒–—−]"
_WEEKDAY = r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[.,]* "
_REST = r"(?<rest>(?:[^0-9].*)?)$"
_YEAR_FIRST = rf"^(?<year>[0-9]{{4}})[-/.](?<month>[0-9]{{1,2}})[-/.](?<day>[0-9]{{1,2}}){_REST}"
_NAMED = (
    rf"^{_DAY}{_BETWEEN}{_NAME}{_BETWEEN}{_YEAR}{_REST}",
    rf"^{_NAME}{_BETWEEN}{_DAY}{_APART}{_YEAR}{_REST}",
    rf"^(?<year>[0-9]{{4}}){_BETWEEN}{_NAME}{_BETWEEN}{_DAY}{_REST}",
)
_NAMED_PARTS = rf"^@{_YEAR} {_NAME} (?<day>[0-9]{{1,2}}){_REST}"
_NUMERIC = rf"^(?<first>[0-9]{{1,2}})[-/.] ?(?<second>[0-9]{{1,2}})[-/.] ?{_YEAR}{_REST}"
_TIME = (
    r"^(?:t|,? at |, ?| )(?<hour>[0-9]{1,2})"
    r"(?::(?<minute>[0-9]{2})(?::(?<second>[0-9]{2})(?:[.,](?<fraction>[0-9]{1,18}))?)?)?"
    r" ?(?<half>[ap]\.?m\.?)?"
    r" ?(?:z|utc|gmt)?"
    r"(?:(?<sign>[+-])(?<ahead_hours>0[0-9]|1[0-8]):?(?<ahead_minutes>[0-5][0-9])?)?$"
)
_IN_UTC = r"(?:z|utc|gmt)$"
# Seconds, milliseconds and microseconds since 1970: fewest and most digits, units in a second.
_UNITS = ((9, 10, 1), (12, 13, 1_000), (15, 16, 1_000_000))


def read_moments(
    text: pl.Expr, file: pl.Expr, default: Order | None = None, zone: str = "UTC"
) -> pl.Expr:
    """Moments in UTC.

    ISO 8601, day, month and year with `/`, `.` or `-`, months by their English names, AM and PM,
    two-digit years, YYYYMMDD, and seconds, milliseconds or microseconds since 1970.

    A file's values with a number above 12 in one place decide whether the day or the month comes
    first in the others. In a file that has it both ways, what leaves a doubt is null.

    Args:
        text: the column of moments.
        file: what tells the files apart; null or empty for a value by itself (a message).
        default: the order where a file leaves it open; day_first, as a guess, when it is not set.
        zone: the time zone of times that name none.

    Returns:
        A struct. value: the moment. guessed: neither the file nor the default decided about it.

    >>> days = ["03/04/2024", "03/31/2024", "03/04/2024", "5 January 24, 3:15 PM"]
    >>> rows = pl.DataFrame({"text": days, "file": ["a", "a", "b", "b"]})
    >>> moments = rows.select(moment=read_moments(pl.col("text"), pl.col("file")))
    >>> for moment, guessed in moments.unnest("moment").rows():
    ...     print(f"{moment:%Y-%m-%d %H:%M}", guessed)
    2024-03-04 00:00 False
    2024-03-31 00:00 False
    2024-04-03 00:00 True
    2024-01-05 15:15 False
    """
    columns = pl.struct(present(text).alias("text"), file.cast(pl.String).alias("file"))
    return columns.map_batches(lambda rows: _moments(rows, default, zone), return_dtype=MOMENT)


def _moments(rows: pl.Series, default: Order | None, zone: str) -> pl.Series:
    frame = rows.struct.unnest()
    value = _common(frame["text"], zone)
    found = pl.select(value=_plausible(pl.lit(value)), guessed=False)
    odd = frame.with_row_index("row").filter(value.is_null() & frame["text"].is_not_null())
    if not odd.height:
        return found.to_struct(rows.name)
    odd = odd.with_columns(file=pl.when(pl.col("file") != "").then("file"))
    rare = _read_odd(odd, default, zone)
    return found.with_columns(
        found[name].scatter(rare["row"], rare[name]) for name in found.columns
    ).to_struct(rows.name)


def _common(text: pl.Series, zone: str) -> pl.Series:
    """The moments in a common spelling; of each spelling only what no other was is looked at."""
    value = text.clear(text.len()).cast(TIMESTAMP)
    rest = text.is_not_null()
    for shape, form in _COMMON:
        spelt = text.filter(rest)
        fits = spelt.str.contains(shape)
        if fits.any():
            read = spelt.filter(fits).str.to_datetime(form, strict=False, time_unit="us")
            if read.dtype != TIMESTAMP:
                read = pl.select(from_clock(pl.lit(read), zone)).to_series()
            if read.len() == text.len():
                return read
            value = value.scatter(rest.arg_true().filter(fits), read)
            rest = rest & value.is_null()
        if not rest.any():
            return value
    return in_places(
        value, rest, lambda _: pl.select(_ticks(pl.lit(text.filter(rest)))).to_series()
    )


def _read_odd(odd: pl.DataFrame, default: Order | None, zone: str) -> pl.DataFrame:
    """row, value and guessed of the rows that are not in a common spelling."""
    odd = odd.join(_spellings(odd["text"].unique(), zone), on="text", how="left")
    decided = (
        odd.filter(pl.col("shows").is_not_null())
        .group_by("file")
        .agg(
            day=(pl.col("shows") == "day_first").any(),
            month=(pl.col("shows") == "month_first").any(),
        )
    )
    day, month = pl.col("day").fill_null(False), pl.col("month").fill_null(False)
    is_open = pl.col("is_open").fill_null(False)
    preferred = "by_month" if default == "month_first" else "by_day"
    value = (
        pl.when(~is_open)
        .then(pl.coalesce("by_day", "by_month"))
        .when(day & month)
        .then(None)
        .when(day)
        .then("by_day")
        .when(month)
        .then("by_month")
        .otherwise(preferred)
    )
    guessed = is_open & ~day & ~month & value.is_not_null() & (default is None)
    return odd.join(decided, on="file", how="left").select("row", value=value, guessed=guessed)


def _spellings(texts: pl.Series, zone: str) -> pl.DataFrame:
    """What each distinct text may mean.

    Returns:
        text; by_day, by_month: the moment with the day, or the month, first (by_day alone where
        the order does not matter); is_open: whether both are days; shows: the order that the
        text itself shows.
    """
    written = (
        pl.col("text")
        .str.to_lowercase()
        .str.replace_all(r"\s+", " ")
        .str.replace_all(_DASHES, "-")
        .str.replace(_WEEKDAY, "")
        .str.replace(r" ?\([^()]*\)$", "")
        .str.replace(r"^([0-9]{8}t[0-9]{4})([^0-9].*)?$", "${1}00$2")
        .str.replace(r"^([0-9]{8})t([0-9]{2})([0-9]{2})([0-9]{2})(.*)$", "$1 $2:$3:$4$5")
        .str.replace(r"^([0-9]{4})([0-9]{2})([0-9]{2})([ ,t].*)?$", "$1-$2-$3$4")
        .str.replace(r"^([0-9]{4}-[0-9]{1,2}-[0-9]{1,2}) ?(?:z|utc|gmt)$", "$1")
    )
    for form in _NAMED:
        written = written.str.replace(form, "@$year $name $day$rest")
    forms = pl.DataFrame({"text": texts}).with_columns(written=written)
    parts = forms.select(
        "text",
        "written",
        iso=pl.col("written").str.extract_groups(_YEAR_FIRST),
        named=pl.col("written").str.extract_groups(_NAMED_PARTS),
        numeric=pl.col("written").str.extract_groups(_NUMERIC),
    )
    iso, named, numeric = (pl.col(name).struct for name in ("iso", "named", "numeric"))
    clock = pl.coalesce(part.field("rest") for part in (iso, named, numeric))
    month = named.field("name").replace_strict(_MONTHS, default=None, return_dtype=pl.Int32)
    read = parts.select(
        "text",
        "written",
        year=_full_year(pl.coalesce(part.field("year") for part in (iso, named, numeric))),
        month=pl.coalesce(_number(iso.field("month")), month),
        day=_number(pl.coalesce(iso.field("day"), named.field("day"))),
        first=_number(numeric.field("first")),
        second=_number(numeric.field("second")),
        clock=clock,
    )
    read = read.join(_clocks(read["clock"].unique()), on="clock", how="left")
    first, second = pl.col("first"), pl.col("second")
    is_month = [place.is_between(1, 12) for place in (first, second)]
    is_only_day = [place.is_between(13, 31) for place in (first, second)]
    by_day = _local(pl.coalesce("month", "second"), pl.coalesce("day", "first"))
    by_month = _local(first, second)
    return (
        read.with_columns(by_day=by_day, by_month=by_month)
        .select(
            "text",
            by_day=_instant(pl.col("by_day"), pl.col("ahead"), zone),
            by_month=_instant(pl.col("by_month"), pl.col("ahead"), zone),
            is_open=(pl.all_horizontal(is_month) & (first != second)).fill_null(False),
            shows=pl.when(is_only_day[0] & is_month[1])
            .then(pl.lit("day_first"))
            .when(is_month[0] & is_only_day[1])
            .then(pl.lit("month_first")),
        )
        .with_columns(_plausible(pl.col("by_day")), _plausible(pl.col("by_month")))
    )


def _number(digits: pl.Expr) -> pl.Expr:
    return digits.cast(pl.Int32, strict=False)


def _full_year(digits: pl.Expr) -> pl.Expr:
    number = _number(digits)
    century = pl.when(number < _PIVOT).then(2000).otherwise(1900)
    return pl.when(digits.str.len_chars() == 2).then(number + century).otherwise(number)


def _clocks(texts: pl.Series) -> pl.DataFrame:
    """What stands behind the day: clock, time (since midnight), ahead (of UTC, where it says so).

    time is null where it cannot be read.
    """
    parts = pl.DataFrame({"clock": texts}).select(
        "clock", parts=pl.col("clock").str.extract_groups(_TIME)
    )
    part = pl.col("parts").struct.field
    hour, minute = _number(part("hour")), _number(part("minute"))
    second, half = _number(part("second")), part("half").str.slice(0, 1)
    is_pm = half == "p"
    of_day = (
        pl.when(half.is_null() & minute.is_not_null() & (hour < 24))
        .then(hour)
        .when(is_pm & hour.is_between(1, 12))
        .then(hour % 12 + 12)
        .when(~is_pm & hour.is_between(0, 12))
        .then(hour % 12)
    )
    fraction = _number(part("fraction").str.slice(0, 6).str.pad_end(6, "0"))
    time = pl.duration(
        hours=of_day,
        minutes=pl.when(minute.fill_null(0) < 60).then(minute.fill_null(0)),
        seconds=pl.when(second.fill_null(0) < 60).then(second.fill_null(0)),
        microseconds=fraction.fill_null(0),
    )
    away = pl.duration(
        hours=_number(part("ahead_hours")), minutes=_number(part("ahead_minutes")).fill_null(0)
    )
    return parts.select(
        "clock",
        time=pl.when(pl.col("clock") == "").then(pl.duration()).otherwise(time),
        ahead=pl.coalesce(
            pl.when(part("sign") == "-").then(-away).when(part("sign") == "+").then(away),
            pl.when(pl.col("clock").str.contains(_IN_UTC)).then(pl.duration()),
        ),
    )


def _local(month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """The moment on the clock; null where there is no such day or time."""
    start = pl.date(pl.col("year"), pl.when(month.is_between(1, 12)).then(month), 1)
    days = start.cast(_LOCAL) + pl.duration(days=day - 1)
    is_there = days.dt.month() == month
    return pl.when(is_there).then(days + pl.col("time"))


def _ticks(text: pl.Expr) -> pl.Expr:
    """Moments that are counted since 1970; null where the text is no such number."""
    number = text.str.extract(r"^([0-9]{9,16})(?:\.[0-9]{1,18})?$")
    digits = number.str.len_bytes()
    whole = number.cast(pl.Int64)
    decimals = pl.when(text.str.len_bytes() > digits).then(text.str.extract(r"\.([0-9]{1,18})$"))
    millionths = decimals.str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64).fill_null(0)
    ticks = pl.coalesce(
        pl.when(digits.is_between(fewest, most)).then(
            whole * (1_000_000 // unit) + millionths // unit
        )
        for fewest, most, unit in _UNITS
    )
    return ticks.cast(TIMESTAMP)


def _instant(local: pl.Expr, ahead: pl.Expr, zone: str) -> pl.Expr:
    """The moment in UTC; a time that does not say how far ahead of UTC it is, is the zone's."""
    there = local.dt.replace_time_zone("UTC") - ahead
    return pl.when(ahead.is_null()).then(from_clock(local, zone)).otherwise(there)


def _plausible(moment: pl.Expr) -> pl.Expr:
    inside = (moment >= _EARLIEST) & (moment < _LATEST)
    return pl.when(inside).then(moment)
