"""Counts and sums over sliding windows of days, as running sums of entering and leaving weights.

Belongs here: turning events into one figure per calendar day, in time proportional to the events
and not to days x customers. Does not belong here: the meaning of a KPI (`kpis`).

An interval is a run of days [start, end) with a weight; its weight enters on `start` and leaves on
`end`. Any figure that intervals can express is a cumulative sum over the calendar.
"""

from datetime import date

import polars as pl

WINDOW = 90


def calendar(first: date, last: date) -> pl.DataFrame:
    """Every day from `first` to `last`, in the column `day`.

    >>> calendar(date(2024, 2, 28), date(2024, 3, 1))["day"].dt.to_string().to_list()
    ['2024-02-28', '2024-02-29', '2024-03-01']
    """
    return pl.DataFrame({"day": pl.date_range(first, last, "1d", eager=True)})


def moves(intervals: pl.LazyFrame, *weights: str) -> pl.DataFrame:
    """Per day what enters minus what leaves: `day` and the weights.

    >>> visits = pl.LazyFrame(
    ...     {"start": [date(2024, 1, 1)], "end": [date(2024, 1, 3)], "visitors": [2]}
    ... )
    >>> moves(visits, "visitors").sort("day")["visitors"].to_list()
    [2, -2]
    """
    enters = intervals.select(pl.col("start").alias("day"), *weights)
    leaves = intervals.select(pl.col("end").alias("day"), *(-pl.col(w) for w in weights))
    both = pl.concat([enters, leaves], how="vertical_relaxed")
    return both.group_by("day").agg(pl.sum(*weights)).collect()


def standing(calendar: pl.DataFrame, moves: pl.DataFrame, *weights: str) -> pl.DataFrame:
    """The calendar with the running sums of what entered and left.

    >>> changes = pl.DataFrame({"day": [date(2023, 12, 31), date(2024, 1, 2)], "visitors": [2, -1]})
    >>> standing(calendar(date(2024, 1, 1), date(2024, 1, 3)), changes, "visitors").rows()[0][1:]
    (2,)
    """
    first = calendar["day"].min()
    # What entered before the calendar begins is there on its first day.
    clipped = moves.with_columns(day=pl.max_horizontal("day", pl.lit(first)))
    sums = clipped.group_by("day").agg(pl.sum(*weights))
    return (
        calendar.join(sums, on="day", how="left", maintain_order="left")
        .with_columns(pl.col(weights).fill_null(0).cum_sum())
        .select("day", *weights)
    )


def activity_intervals(
    active: pl.LazyFrame, key: tuple[str, ...], days: int = WINDOW
) -> pl.LazyFrame:
    """Intervals during which a key had an active day within the last `days` days.

    Args:
        active: one row per key and active `day`, any order, no repetition.
        key: the columns of the key.
        days: length of the window (day - days, day].

    Returns:
        Disjoint intervals: the key's columns, start, end, `next` (its next active day) and `one`.

    >>> days = [date(2024, 1, 1), date(2024, 1, 3)]
    >>> active = pl.LazyFrame({"customer_id": "C1", "day": days})
    >>> intervals = activity_intervals(active, ("customer_id",), days=5).collect()
    >>> intervals.select(pl.col("start", "end").dt.to_string()).rows()
    [('2024-01-01', '2024-01-03'), ('2024-01-03', '2024-01-08')]
    """
    # In sorted rows the neighbour is enough: grouping by key costs several times as much.
    is_same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(-1) for name in key)
    following = pl.when(is_same).then(pl.col("day").shift(-1))
    reach = pl.col("day").dt.offset_by(f"{days}d")
    return (
        active.sort(*key, "day")
        .with_columns(next=following)
        .with_columns(
            start=pl.col("day"), end=pl.min_horizontal("next", reach), one=pl.lit(1, pl.Int64)
        )
    )


def shift_intervals(intervals: pl.LazyFrame, days: int) -> pl.LazyFrame:
    """The same intervals, a number of days later.

    >>> intervals = pl.LazyFrame({"start": [date(2024, 1, 1)], "end": [date(2024, 1, 31)]})
    >>> shift_intervals(intervals, 30).select(pl.all().dt.to_string()).collect().rows()
    [('2024-01-31', '2024-03-01')]
    """
    return intervals.with_columns(pl.col("start", "end").dt.offset_by(f"{days}d"))


def merge_adjacent(intervals: pl.LazyFrame, key: str) -> pl.LazyFrame:
    """Intervals of a key that touch become one: the key, start and end.

    >>> intervals = pl.LazyFrame(
    ...     {
    ...         "customer_id": ["C1", "C1"],
    ...         "start": [date(2024, 1, 1), date(2024, 1, 3)],
    ...         "end": [date(2024, 1, 3), date(2024, 1, 8)],
    ...     }
    ... )
    >>> merge_adjacent(intervals, "customer_id").collect().rows()
    [('C1', datetime.date(2024, 1, 1), datetime.date(2024, 1, 8))]
    """
    goes_on = (pl.col(key) == pl.col(key).shift(1)) & (pl.col("start") == pl.col("end").shift(1))
    return (
        intervals.sort(key, "start")
        .with_columns(_run=(~goes_on.fill_null(False)).cum_sum())
        .group_by(key, "_run")
        .agg(pl.min("start"), pl.max("end"))
        .select(key, "start", "end")
    )
