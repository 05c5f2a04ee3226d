"""Customers who leave a segment and are back within a month: they move, and nothing has changed.

Belongs here: finding them in the history. Does not belong here: the history itself (`history`), or
what their number says of a model (`models.metrics`).
"""

from datetime import date, timedelta

import polars as pl

from bridge_cart_assets.transforms.changes import is_among

# So soon somebody is back whose way there and back was none.
BACK_WITHIN = timedelta(days=30)
# Returns of so many days up to as_of count.
WINDOW = timedelta(days=90)
_MOVED = pl.col("change_reason").is_in(["segment_changed", "model_retrained"])


def flickering(states: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """The customers who came back, in the 90 days up to `as_of`, within 30 days of leaving.

    They went from one segment into another and from there into the first again, for whatever
    reason: a purchase, time that passed, or a new model.

    Args:
        states: rows of gold/customer_history.
        as_of: latest batch day in silver.

    Returns:
        customer_id, distinct.

    >>> day = date(2024, 1, 1)
    >>> days = [day, date(2024, 2, 1), date(2024, 2, 20)]
    >>> reasons = ["first_seen", "segment_changed", "segment_changed"]
    >>> states = {"customer_id": "C1", "segment_id": [1, 2, 1], "change_reason": reasons}
    >>> rows = pl.LazyFrame({**states, "valid_from": days, "valid_to": [*days[1:], None]})
    >>> [flickering(rows, date(2024, month, 28)).height for month in (3, 6)]
    [1, 0]
    """
    begin = as_of - WINDOW - BACK_WITHIN
    columns = ("customer_id", "segment_id", "valid_from")
    moves = states.filter(_MOVED & (pl.col("valid_from") > begin)).select(columns).collect()
    # Who has moved once has not come back: few are left to look at.
    often = moves.group_by("customer_id").len().filter(pl.col("len") > 1)["customer_id"]
    lasted = pl.col("valid_to").is_null() | (pl.col("valid_to") > begin)
    before = pl.col("segment_id").shift(1).over("customer_id")
    return (
        states.filter(lasted, is_among(often))
        .select(columns)
        .collect()
        .sort("customer_id", "valid_from")
        # A state that differs from the last one in lifecycle or name only is no move.
        .filter(pl.col("segment_id").ne_missing(before))
        .with_columns(
            _first=pl.col("segment_id").shift(2).over("customer_id"),
            _left=pl.col("valid_from").shift(1).over("customer_id"),
        )
        .filter(
            pl.col("segment_id") == pl.col("_first"),
            pl.col("valid_from") - pl.col("_left") <= BACK_WITHIN,
            pl.col("valid_from") > as_of - WINDOW,
        )
        .select("customer_id")
        .unique()
    )
