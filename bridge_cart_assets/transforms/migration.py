"""From which segment to which customers move between the ends of two months.

Belongs here: gold/segment_migration, and counting moves between any states. Does not belong here:
in which segment a customer is on a day (`history`), or the figures of a segment.
"""

from datetime import date, timedelta

import polars as pl

from bridge_cart_assets.tables.gold import SEGMENT_MIGRATION
from bridge_cart_assets.transforms.changes import Changes, Rows, is_among

_PAIR = ("period_end", "from_segment_id", "to_segment_id")
_COUNTS = ("customers", "lost", "won_back")


def segment_migration(states: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """One row per month's end up to `as_of` and pair of segments with a customer.

    A customer's state on a day is the row of the history whose days hold it. Of each customer,
    the state at the end of a month's last day is compared with the one a month before. A customer
    without a sale by then comes from segment 0. A month that is still going on has no rows.

    Most customers stay where they are, so no customer is looked up month by month: a state that
    outlasts several month ends is counted as one interval of staying, and only the first month end
    of a state can be a move. The cost follows the states and not customers x months.

    Args:
        states: rows of gold/customer_history.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/segment_migration, ordered by its key: customers, and of them lost
        (lapsed now and not a month before) and won_back (lapsed then and not any more). The
        customers of a month add up to all who had a sale by its end; those who left a segment
        or stayed in it add up to the customers that it had a month before.

    >>> states = pl.LazyFrame(
    ...     {
    ...         "customer_id": "C1",
    ...         "segment_id": [1, 2],
    ...         "lifecycle": ["new", "lapsed"],
    ...         "valid_from": [date(2024, 1, 10), date(2024, 2, 20)],
    ...         "valid_to": [date(2024, 2, 20), None],
    ...     }
    ... )
    >>> moves = segment_migration(states, as_of=date(2024, 3, 30))
    >>> moves.select(pl.col("period_end").dt.to_string(), pl.exclude("period_end")).rows()
    [('2024-01-31', 0, 1, 1, 0, 0), ('2024-02-29', 1, 2, 1, 1, 0)]
    """
    intervals = _spells(states, as_of).collect()
    if not intervals.height:
        return SEGMENT_MIGRATION.empty()
    moves = month_moves(intervals, nowhere=0)
    return moves.rename({"from": "from_segment_id", "to": "to_segment_id"})


def month_moves(intervals: pl.DataFrame, nowhere: int | str) -> pl.DataFrame:
    """How many customers moved from state to state, or stayed, from one month's end to the next.

    Args:
        intervals: customer_id, state, lapsed, start and stop: the months [start, stop) at whose
            end the customer is in the state, as `month_number` counts them. Those of a customer
            follow each other without a gap, sorted by customer and start.
        nowhere: the state that customers come from at first.

    Returns:
        period_end, from, to, customers, lost and won_back, ordered by the first three.

    >>> months = {"start": [24288, 24290], "stop": [24290, 24291]}
    >>> intervals = pl.DataFrame(
    ...     {"customer_id": "C1", "state": ["a", "b"], "lapsed": False, **months}
    ... )
    >>> moves = month_moves(intervals, nowhere="")
    >>> moves.select(pl.col("period_end").dt.to_string(), "from", "to", "customers").rows()
    [('2024-01-31', '', 'a', 1), ('2024-02-29', 'a', 'a', 1), ('2024-03-31', 'a', 'b', 1)]
    """
    return (
        pl.concat([_moves(intervals, nowhere), _stays(intervals)])
        .group_by("month", "from", "to")
        .agg(pl.sum(*_COUNTS))
        .filter(pl.col("customers") > 0)
        .select(month_end(pl.col("month")).alias("period_end"), "from", "to", *_COUNTS)
        .sort("period_end", "from", "to")
    )


def updated_migration(
    earlier: pl.LazyFrame, changes: Changes, states: pl.LazyFrame, moved: Rows
) -> pl.DataFrame:
    """The rows of gold/segment_migration once the changed customers are as they are now.

    When another month has ended, everybody is looked at.

    Args:
        earlier: rows of gold/segment_migration.
        changes: what has changed since.
        states: rows of gold/customer_history as they are now.
        moved: rows of gold/customer_history that came and went since.
    """
    if _open_month(changes.seen_as_of) != _open_month(changes.as_of):
        return segment_migration(states, changes.as_of)
    # Most that moves does so in the month that is still going on.
    came, gone = (
        _spells(rows.lazy(), changes.as_of).collect() for rows in (moved.came, moved.gone)
    )
    differ = pl.concat(
        one.join(other, on=one.columns, how="anti").select("customer_id")
        for one, other in ((came, gone), (gone, came))
    )
    now = states.filter(is_among(differ["customer_id"])).collect()
    of_them = moved.filtered(lambda rows: rows.filter(is_among(differ["customer_id"])))
    before = of_them.before(now, ("customer_id", "valid_from"))
    sums = [segment_migration(rows.lazy(), changes.as_of) for rows in (now, before)]
    return (
        pl.concat([earlier.collect(), sums[0], sums[1].with_columns(-pl.col(_COUNTS))])
        .group_by(_PAIR)
        .agg(pl.sum(*_COUNTS))
        .filter(pl.col("customers") > 0)
        .sort(_PAIR)
    )


def _open_month(as_of: date) -> tuple[int, int]:
    """The month that has not ended by the end of a day."""
    tomorrow = as_of + timedelta(days=1)
    return tomorrow.year, tomorrow.month


def _spells(states: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """The states that hold at a month's end: customer, segment, lapsed, months [start, stop).

    The last day of a month is in [valid_from, valid_to) exactly when valid_from lies in that
    month or before and valid_to in a later one.
    """
    end = pl.min_horizontal("valid_to", pl.lit(as_of + timedelta(days=1)))
    return (
        states.select(
            "customer_id",
            state="segment_id",
            lapsed=pl.col("lifecycle") == "lapsed",
            start=month_number(pl.col("valid_from")),
            stop=month_number(end),
        )
        .filter(pl.col("start") < pl.col("stop"))
        .sort("customer_id", "start")
    )


def _moves(intervals: pl.DataFrame, nowhere: int | str) -> pl.DataFrame:
    """Each state at its first month end against the state at the month end before."""
    # In sorted rows the neighbour is enough: windows over customers cost several times as much.
    is_first = pl.col("customer_id").ne_missing(pl.col("customer_id").shift(1))
    first = pl.lit(nowhere, intervals.schema["state"])
    before = intervals.select(
        pl.when(is_first).then(first).otherwise(pl.col("state").shift(1)).alias("from"),
        was_lapsed=~is_first & pl.col("lapsed").shift(1),
    )
    is_lapsed, was_lapsed = pl.col("lapsed"), pl.col("was_lapsed")
    return (
        intervals.hstack(before)
        .group_by("from", month="start", to="state")
        .agg(
            customers=pl.len().cast(pl.Int64),
            lost=(is_lapsed & ~was_lapsed).sum().cast(pl.Int64),
            won_back=(was_lapsed & ~is_lapsed).sum().cast(pl.Int64),
        )
        .select("month", "from", "to", *_COUNTS)
    )


def _stays(intervals: pl.DataFrame) -> pl.DataFrame:
    """Customers whose state at a month's end is the same row as at the month end before."""
    one = pl.lit(1, pl.Int64)
    changes = pl.concat(
        [
            intervals.select("state", month=pl.col("start") + 1, customers=one),
            intervals.select("state", month="stop", customers=-one),
        ]
    )
    months = intervals.select(month=pl.int_range(pl.min("start"), pl.max("stop"), dtype=pl.Int64))
    grid = changes.select(pl.col("state").unique()).join(months, how="cross")
    sums = changes.group_by("state", "month").agg(pl.sum("customers"))
    return (
        grid.join(sums, on=["state", "month"], how="left")
        .sort("state", "month")
        .with_columns(customers=pl.col("customers").fill_null(0).cum_sum().over("state"))
        .select(
            "month",
            pl.col("state").alias("from"),
            to="state",
            customers="customers",
            lost=pl.lit(0, pl.Int64),
            won_back=pl.lit(0, pl.Int64),
        )
    )


def month_number(day: pl.Expr) -> pl.Expr:
    """Months since the year 0: neighbours differ by one, over the turn of a year too.

    >>> days = pl.DataFrame({"day": [date(2023, 12, 31), date(2024, 1, 1)]})
    >>> days.select(month_number(pl.col("day"))).to_series().to_list()
    [24287, 24288]
    """
    return day.dt.year().cast(pl.Int64) * 12 + day.dt.month().cast(pl.Int64) - 1


def month_end(month: pl.Expr) -> pl.Expr:
    """The last day of a month that `month_number` counts.

    >>> pl.DataFrame({"month": [24289]}).select(month_end(pl.col("month"))).item()
    datetime.date(2024, 2, 29)
    """
    return pl.date(month // 12, month % 12 + 1, 1).dt.month_end()
