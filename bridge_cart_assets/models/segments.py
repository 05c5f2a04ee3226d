"""K-Means segments of customers: fit, keep as rows, score, and follow through time.

Belongs here: the model on log1p-scaled recency, frequency and revenue, the identity and names of
its segments, and the days on which a customer moves from one to another. Does not belong here:
reading or writing, or what follows from the segments (`transforms.history`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

FEATURES = ("recency_days", "frequency", "revenue")
SEGMENTS = 4
_SEED = 20_101_201
_SAMPLE = 100_000
_NEW_SEGMENT_DISTANCE = 1.0
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SegmentModel:
    """One trained model.

    Attributes:
        version: counted from 1.
        trained_as_of: as_of of the training.
        effective_from: first day that it is applied to; the first model applies to every day.
        trained_on: number of customers.
        means, scales: per feature, of log1p.
        ids, names: per segment; an id keeps its meaning through retrainings.
        centroids: segments x features, in scaled space.
    """

    version: int
    trained_as_of: date
    effective_from: date
    trained_on: int
    means: Floats
    scales: Floats
    ids: tuple[int, ...]
    names: tuple[str, ...]
    centroids: Floats

    def scaled(self, features: pl.DataFrame) -> Floats:
        """Customers x features in the model's space."""
        raw = features.select(pl.col(FEATURES).cast(pl.Float64)).to_numpy()
        scaled: Floats = (np.log1p(np.maximum(raw, 0.0)) - self.means) / self.scales
        return scaled

    def rows(self) -> pl.DataFrame:
        """The model as rows of gold/segment_model."""
        count = len(self.ids)
        return pl.DataFrame(
            {
                "model_version": [self.version] * count,
                "segment_id": list(self.ids),
                "segment_name": list(self.names),
                "trained_as_of": [self.trained_as_of] * count,
                "effective_from": [self.effective_from] * count,
                "trained_on": [self.trained_on] * count,
                "features": [list(FEATURES)] * count,
                "means": [self.means.tolist()] * count,
                "scales": [self.scales.tolist()] * count,
                "centroid": self.centroids.tolist(),
            }
        )


def from_rows(rows: pl.DataFrame) -> list[SegmentModel]:
    """The models in rows of gold/segment_model, by version."""
    return [
        SegmentModel(
            version=version,
            trained_as_of=part["trained_as_of"][0],
            effective_from=part["effective_from"][0],
            trained_on=part["trained_on"][0],
            means=np.array(part["means"][0].to_list()),
            scales=np.array(part["scales"][0].to_list()),
            ids=tuple(part["segment_id"]),
            names=tuple(part["segment_name"]),
            centroids=np.array(part["centroid"].to_list()),
        )
        for (version,), part in rows.sort("model_version", "segment_id").group_by(
            "model_version", maintain_order=True
        )
    ]


def fit(features: pl.DataFrame, as_of: date, earlier: Sequence[SegmentModel] = ()) -> SegmentModel:
    """Train a model on customers' features.

    Args:
        features: rows of gold/customer_features, at least one.
        as_of: latest batch day in silver; later models are applied from this day on.
        earlier: the models before, by version; the last one lends its segments' identities.

    A refit starts at the last model's centroids. Segments are then matched to the last model's
    (Hungarian method, in its space); one further than one standard deviation from its match
    is a new segment with a new id.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    sample = _sample(features)
    logs = np.log1p(np.maximum(sample.select(pl.col(FEATURES).cast(pl.Float64)).to_numpy(), 0.0))
    means, deviations = logs.mean(axis=0), logs.std(axis=0)
    scales = np.where(deviations > 1e-9, deviations, 1.0)
    points = (logs - means) / scales
    count = min(SEGMENTS, len(np.unique(points, axis=0)))
    last = earlier[-1] if earlier else None
    start: Any = {"init": "k-means++", "n_init": 10}
    if last is not None and len(last.ids) == count:
        moved = (last.centroids * last.scales + last.means - means) / scales
        start = {"init": moved, "n_init": 1}
    # Two OpenMP threads on busy cores are several times slower than one.
    with threadpool_limits(limits=1, user_api="openmp"):
        centroids = KMeans(count, random_state=_SEED, **start).fit(points).cluster_centers_
    centroids = centroids[np.lexsort(centroids.T)[::-1]]
    ids, names = _identify(centroids, means, scales, last, earlier)
    return SegmentModel(
        version=last.version + 1 if last else 1,
        trained_as_of=as_of,
        effective_from=as_of if last else features["first_purchase_day"].min(),  # type: ignore[arg-type]
        trained_on=sample.height,
        means=means,
        scales=scales,
        ids=ids,
        names=names,
        centroids=centroids,
    )


def assign(model: SegmentModel, features: pl.DataFrame) -> pl.DataFrame:
    """The nearest segment of each row.

    Args:
        model: the model.
        features: at least the columns of `FEATURES`.

    Returns:
        segment_id, segment_name, distance and margin (to the next segment; null with one), in
        the order of the rows.
    """
    distances = np.sqrt(_squared(model.scaled(features), model.centroids))
    nearest = distances.argmin(axis=1)
    ordered = np.sort(distances, axis=1)
    margin = ordered[:, 1] - ordered[:, 0] if len(model.ids) > 1 else None
    return pl.DataFrame(
        {
            "segment_id": np.array(model.ids, dtype=np.int64)[nearest],
            "segment_name": [model.names[i] for i in nearest],
            "distance": ordered[:, 0],
            "margin": margin if margin is not None else [None] * len(nearest),
        },
        schema_overrides={"segment_name": pl.String, "margin": pl.Float64},
    )


def trajectory(model: SegmentModel, states: pl.DataFrame) -> pl.DataFrame:
    """The days on which customers are in each segment.

    Between two purchases only recency moves, and the difference of two squared distances is
    linear in log1p(recency): so the day on which another segment comes nearer is solved for, and
    the cost follows the purchases and not customers x days.

    Args:
        model: the model.
        states: customer_id, last (day of the latest purchase), start, end (exclusive),
            frequency and revenue: what holds on the days [start, end).

    Returns:
        customer_id, start, end, segment_id, segment_name; spells may be equal to their neighbour.
    """
    offset = (states["start"] - states["last"]).dt.total_days().to_numpy().astype(np.int64)
    days = (states["end"] - states["last"]).dt.total_days().to_numpy().astype(np.int64)
    probe = states.select(recency_days=pl.lit(0.0), frequency="frequency", revenue="revenue")
    others = _squared(model.scaled(probe)[:, 1:], model.centroids[:, 1:])
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
    following = pl.col("start").shift(-1).over("_row")
    return (
        taken.with_columns(
            _row=pl.Series(rows[order]),
            _recency=pl.Series(starts[order]),
            segment_id=pl.Series(np.array(model.ids, dtype=np.int64)[segments[order]]),
            segment_name=pl.Series([model.names[i] for i in segments[order]], dtype=pl.String),
        )
        .with_columns(start=pl.col("last") + pl.duration(days="_recency"))
        .with_columns(end=pl.coalesce(following, "end"))
        .select("customer_id", "start", "end", "segment_id", "segment_name")
    )


def _nearest(model: SegmentModel, recency: Ints, others: Floats) -> Ints:
    scaled = (np.log1p(recency) - model.means[0]) / model.scales[0]
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


def _squared(points: Floats, centroids: Floats) -> Floats:
    result: Floats = ((points[:, None, :] - centroids[None, :, :]) ** 2).sum(axis=2)
    return result


def _sample(features: pl.DataFrame) -> pl.DataFrame:
    ordered = features.sort("customer_id")
    return ordered if ordered.height <= _SAMPLE else ordered.sample(_SAMPLE, seed=_SEED)


def _identify(
    centroids: Floats,
    means: Floats,
    scales: Floats,
    last: SegmentModel | None,
    earlier: Sequence[SegmentModel],
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    from scipy.optimize import linear_sum_assignment

    ids: list[int | None] = [None] * len(centroids)
    names: list[str | None] = [None] * len(centroids)
    if last is not None:
        seen = (centroids * scales + means - last.means) / last.scales
        distances = np.sqrt(_squared(seen, last.centroids))
        for mine, theirs in zip(*linear_sum_assignment(distances), strict=True):
            if distances[mine, theirs] <= _NEW_SEGMENT_DISTANCE:
                ids[mine], names[mine] = last.ids[theirs], last.names[theirs]
    unused = max((i for model in earlier for i in model.ids), default=0)
    for index, known in enumerate(ids):
        if known is None:
            unused += 1
            ids[index] = unused
            names[index] = _unique(_profile(centroids[index]), names)
    return tuple(i for i in ids if i is not None), tuple(n for n in names if n is not None)


def _profile(centroid: Floats) -> str:
    """What a centroid's place says, against the average customer (zero in every feature)."""
    recency, frequency, revenue = centroid
    if frequency + revenue > 0:
        return "Loyal" if recency <= 0 else "Slipping away"
    return "Recent" if recency <= 0 else "Dormant"


def _unique(name: str, taken: Sequence[str | None]) -> str:
    numbered = (f"{name} {n}" for n in range(2, len(taken) + 2))
    return next(n for n in (name, *numbered) if n not in taken)
