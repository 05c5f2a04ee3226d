"""The days on which a customer moves from one segment to another.

Belongs here: following one model through time. Does not belong here: the model (`segments`), which
model decides on a day (`segment_history`), or the history that follows (`transforms.history`).
"""

import numpy as np
import polars as pl

from bridge_cart_assets.models.segments import Floats, Ints, SegmentModel, squared


def trajectory(model: SegmentModel, states: pl.DataFrame) -> pl.DataFrame:
    """The days on which customers are in each segment.

    Between two purchases only recency moves, and the difference of two squared distances is
    linear in log1p(recency): so the day on which another segment comes nearer is solved for, and
    the cost follows the purchases and not customers x days.

    Args:
        model: the model.
        states: customer_id, last (day of the latest purchase), start, end (exclusive), and the
            columns that `FEATURES` are made from besides recency_days, with their values on the
            days [start, end).

    Returns:
        customer_id, start, end, segment_id, segment_name; intervals may be equal to their
        neighbour.

    The boundary of these two segments is at log1p(recency) = 2, between 6 and 7 days:

    >>> from datetime import date
    >>> from bridge_cart_assets.models.segments import FEATURES, from_rows
    >>> from bridge_cart_assets.tables.gold import SEGMENT_MODEL
    >>> scaling = {"features": list(FEATURES), "means": [0.0] * 4, "scales": [1.0] * 4}
    >>> segments = [
    ...     {**scaling, "segment_id": 1, "centroid": [0.0, 0.0, 0.0, 0.0]},
    ...     {**scaling, "segment_id": 2, "centroid": [4.0, 0.0, 0.0, 0.0]},
    ... ]
    >>> [model] = from_rows(pl.DataFrame(segments, schema=SEGMENT_MODEL.dtypes))
    >>> first, end = date(2024, 1, 1), date(2024, 2, 1)
    >>> days = {"customer_id": ["C1"], "last": first, "start": first, "end": end}
    >>> features = {"frequency": 0, "revenue": 10, "coupon_rate": 0.0, "orders": 1}
    >>> intervals = trajectory(model, pl.DataFrame({**days, **features}))
    >>> intervals.select(pl.col("start", "end").dt.to_string(), "segment_id").rows()
    [('2024-01-01', '2024-01-08', 1), ('2024-01-08', '2024-02-01', 2)]
    """
    offset = (states["start"] - states["last"]).dt.total_days().to_numpy().astype(np.int64)
    days = (states["end"] - states["last"]).dt.total_days().to_numpy().astype(np.int64)
    probe = states.with_columns(recency_days=pl.lit(0.0))
    others = squared(model.scaled(probe)[:, 1:], model.centroids[:, 1:])
    row, recency = np.arange(states.height), offset
    segment = _nearest(model, recency, others)
    pieces = [(row, recency, segment)]
    while row.size:
        following = _next_change(model, recency, segment, others[row])
        goes_on = following < days[row]
        row, recency, segment = row[goes_on], following[goes_on], segment[goes_on]
        moved = _nearest(model, recency, others[row])
        changed = moved != segment
        pieces.append((row[changed], recency[changed], moved[changed]))
        segment = moved
    rows, starts, segments = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return _as_spells(model, states, rows, starts, segments)


def _as_spells(
    model: SegmentModel, states: pl.DataFrame, rows: Ints, starts: Ints, segments: Ints
) -> pl.DataFrame:
    order = np.lexsort((starts, rows))
    taken = states.select("customer_id", "last", "end")[rows[order]]
    following = pl.when(pl.col("_row") == pl.col("_row").shift(-1)).then(pl.col("start").shift(-1))
    return (
        taken.with_columns(
            _row=pl.Series(rows[order]),
            _recency=pl.Series(starts[order]),
            segment_id=pl.Series(np.array(model.ids, dtype=np.int64)[segments[order]]),
            segment_name=pl.Series(model.names, dtype=pl.String).gather(segments[order]),
        )
        .with_columns(start=pl.col("last") + pl.duration(days="_recency"))
        .with_columns(end=pl.coalesce(following, "end"))
        .select("customer_id", "start", "end", "segment_id", "segment_name")
    )


def _nearest(model: SegmentModel, recency: Ints, others: Floats) -> Ints:
    # The logarithm of `scored`: NumPy's may differ in the last bit.
    logs = pl.Series(recency).cast(pl.Float64).log1p().to_numpy()
    scaled = (logs - model.means[0]) / model.scales[0]
    squared = (scaled[:, None] - model.centroids[None, :, 0]) ** 2 + others
    nearest: Ints = squared.argmin(axis=1)
    return nearest


def _next_change(model: SegmentModel, recency: Ints, segment: Ints, others: Floats) -> Ints:
    """The first recency after this one at which another segment may be nearer."""
    centre = model.centroids[:, 0]
    gap = centre[None, :] - centre[segment][:, None]
    own = np.take_along_axis(others, segment[:, None], axis=1)
    bottom = centre[None, :] ** 2 - centre[segment][:, None] ** 2 + others - own
    # As recency grows only segments of higher recency can come nearer.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        crossing = np.where(gap > 0, bottom / (2 * gap), np.inf)
        days = np.expm1(crossing * model.scales[0] + model.means[0])
    soonest = np.nan_to_num(days.min(axis=1), nan=np.inf, posinf=2.0**40)
    # Rounding may put the crossing just behind a whole day: that day is looked at as well.
    first: Ints = np.ceil(np.minimum(soonest, 2.0**40) - 1e-6).astype(np.int64)
    later: Ints = np.maximum(recency + 1, first)
    return later
