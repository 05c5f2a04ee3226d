"""K-Means segments of customers: fit, keep as rows, and score.

Belongs here: the features of a customer, the model on them, and the identity of its segments. Does
not belong here: the number of segments (`stability`), their names (`segment_names`), the days on
which a customer moves from one to another (`trajectory`), or reading and writing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import add

import numpy as np
import numpy.typing as npt
import polars as pl

from bridge_cart_assets.models.segment_contrasts import contrasts
from bridge_cart_assets.models.segment_names import figures, name_segments
from bridge_cart_assets.models.stability import cluster

# Each from columns of gold/customer_features. Recency is the first, and the only one that moves
# between two purchases: `trajectory` relies on both. The coupon habit is the share of orders with
# a coupon as if there had been one more order without, so that a first order does not say all;
# where a shop has no coupons it is zero for everybody and decides nothing.
FEATURES: Mapping[str, pl.Expr] = {
    "recency_days": pl.col("recency_days"),
    "frequency": pl.col("frequency"),
    "revenue": pl.col("revenue"),
    "coupon_habit": pl.col("coupon_rate") * pl.col("orders") / (pl.col("orders") + 1),
}
_REVENUE = list(FEATURES).index("revenue")
_NULLABLE = ("stability", "silhouette", "segment_stability", "moved_share")
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
        trained_because: first, asked, age or drift.
        means, scales: per feature, of log1p.
        ids, names: per segment; both keep their meaning through retrainings.
        descriptions, actions: per segment: its customers, and the advice for them.
        centroids: segments x features, in scaled space.
        stability: mean adjusted Rand index over resamples of the customers.
        silhouette: mean silhouette; None where it is not defined.
        of_each: per segment its mean Jaccard index over resamples; none where it is not known.
        moved: share of the customers whom this version alone put into another segment than the
            last one, by the same figures; None where it is not known.

    >>> columns = ["recency_days", "frequency", "revenue", "orders"]
    >>> customers = pl.DataFrame([(3, 9, 900, 10), (90, 0, 40, 1)], columns, orient="row")
    >>> customers = customers.with_columns(
    ...     customer_id=pl.format("C{}", pl.int_range(2)),
    ...     coupon_rate=0.0,
    ...     first_purchase_day=date(2024, 1, 1),
    ... )
    >>> model = fit(customers, as_of=date(2024, 6, 30))
    >>> model.scaled(customers).round(6).tolist()
    [[-1.0, 1.0, 1.0, 0.0], [1.0, -1.0, -1.0, 0.0]]
    >>> model.rows().select("segment_id", "segment_name").rows()
    [(1, 'Champions'), (2, 'Dormant')]
    """

    version: int
    trained_as_of: date
    effective_from: date
    trained_on: int
    trained_because: str
    means: Floats
    scales: Floats
    ids: tuple[int, ...]
    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    actions: tuple[str, ...]
    centroids: Floats
    stability: float | None
    silhouette: float | None
    of_each: tuple[float | None, ...] = ()
    moved: float | None = None

    def scaled(self, features: pl.DataFrame) -> Floats:
        """Customers x features in the model's space."""
        scaled: Floats = (_logs(features) - self.means) / self.scales
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
                "description": list(self.descriptions),
                "action": list(self.actions),
                "stability": [self.stability] * count,
                "silhouette": [self.silhouette] * count,
                "trained_because": [self.trained_because] * count,
                "segment_stability": list(self.of_each) or [None] * count,
                "moved_share": [self.moved] * count,
            },
            schema_overrides=dict.fromkeys(_NULLABLE, pl.Float64),
        )


def from_rows(rows: pl.DataFrame) -> list[SegmentModel]:
    """The models in rows of gold/segment_model, by version.

    Raises:
        ValueError: a model was trained on other features than these.

    >>> from bridge_cart_assets.tables.gold import SEGMENT_MODEL
    >>> rows = [
    ...     {"model_version": 2, "segment_id": 1, "features": list(FEATURES)},
    ...     {"model_version": 1, "segment_id": 2, "features": list(FEATURES)},
    ...     {"model_version": 1, "segment_id": 1, "features": list(FEATURES)},
    ... ]
    >>> models = from_rows(pl.DataFrame(rows, schema=SEGMENT_MODEL.dtypes))
    >>> [(model.version, model.ids) for model in models]
    [(1, (1, 2)), (2, (1,))]
    """
    return [
        _from_rows(part)
        for _, part in rows.sort("model_version", "segment_id").group_by(
            "model_version", maintain_order=True
        )
    ]


def _from_rows(part: pl.DataFrame) -> SegmentModel:
    first = part.row(0, named=True)
    if first["features"] != list(FEATURES):
        raise ValueError(
            f"segment model {first['model_version']} was trained on {first['features']}, and this "
            f"version scores {list(FEATURES)}: delete the table gold/segment_model and run again"
        )
    return SegmentModel(
        version=first["model_version"],
        trained_as_of=first["trained_as_of"],
        effective_from=first["effective_from"],
        trained_on=first["trained_on"],
        trained_because=first["trained_because"],
        means=np.array(first["means"]),
        scales=np.array(first["scales"]),
        ids=tuple(part["segment_id"]),
        names=tuple(part["segment_name"]),
        descriptions=tuple(part["description"]),
        actions=tuple(part["action"]),
        centroids=np.array(part["centroid"].to_list()),
        stability=first["stability"],
        silhouette=first["silhouette"],
        of_each=tuple(part["segment_stability"]),
        moved=first["moved_share"],
    )


def fit(
    features: pl.DataFrame,
    as_of: date,
    earlier: Sequence[SegmentModel] = (),
    because: str = "first",
) -> SegmentModel:
    """Train a model on customers' features.

    Args:
        features: rows of gold/customer_features, at least one.
        as_of: latest batch day in silver; later models are applied from this day on.
        earlier: the models before, by version; the last one lends its segments' identities.
        because: first, asked, age or drift.

    A refit starts at the last model's centroids. Segments are then matched to the last model's
    (assignment problem, Kuhn 1955, by distance in its space); one further than one standard
    deviation from its match is a new segment with a new id. A segment keeps its name while that
    is true of its customers. The segments of a first model are numbered by revenue, the highest
    first:

    >>> columns = ["customer_id", "recency_days", "frequency", "revenue", "orders"]
    >>> rows = [("C1", 90, 1, 40, 2), ("C2", 15, 2, 90, 3), ("C3", 3, 9, 900, 10)]
    >>> customers = pl.DataFrame(rows, columns, orient="row")
    >>> customers = customers.with_columns(coupon_rate=0.0, first_purchase_day=date(2024, 1, 1))
    >>> model = fit(customers, as_of=date(2024, 6, 30))
    >>> list(zip(model.ids, model.names, strict=True))
    [(1, 'Champions'), (2, 'Middle ground'), (3, 'Dormant')]
    """
    sample = _sample(features)
    logs = _logs(sample)
    means, deviations = logs.mean(axis=0), logs.std(axis=0)
    scales = np.where(deviations > 1e-9, deviations, 1.0)
    last = earlier[-1] if earlier else None
    moved = None if last is None else _moved(last.centroids, last.means, last.scales, means, scales)
    found = cluster((logs - means) / scales, moved)
    # A new model's segments are numbered by revenue, the highest first.
    order = np.lexsort((*found.centroids.T, -found.centroids[:, _REVENUE]))
    centroids = found.centroids[order]
    ids, known = _identify(centroids, means, scales, earlier)
    nearest = squared((logs - means) / scales, centroids).argmin(axis=1)
    differences = contrasts(sample, nearest, len(centroids))
    kinds = name_segments(ids, centroids, differences, known)
    natural = np.expm1(centroids * scales + means)
    return SegmentModel(
        version=last.version + 1 if last else 1,
        trained_as_of=as_of,
        effective_from=as_of if last else features["first_purchase_day"].min(),  # type: ignore[arg-type]
        trained_on=sample.height,
        trained_because=because,
        means=means,
        scales=scales,
        ids=ids,
        names=tuple(kind.name for kind in kinds),
        descriptions=tuple(
            f"{kind.description} {figures(*centre)}"
            for kind, centre in zip(kinds, natural.tolist(), strict=True)
        ),
        actions=tuple(kind.action for kind in kinds),
        centroids=centroids,
        stability=found.stability,
        silhouette=found.silhouette,
        of_each=tuple(found.of_each[place] for place in order),
    )


def scored(model: SegmentModel, customers: pl.LazyFrame) -> pl.LazyFrame:
    """The nearest segment of each row, as expressions: it streams over any number of customers.

    Args:
        model: the model.
        customers: at least the columns that `FEATURES` are made from.

    Returns:
        The rows with segment_id, segment_name, distance and margin (to the next segment; null
        with one). Of segments that are equally near it is the first in the model.

    >>> from bridge_cart_assets.tables.gold import SEGMENT_MODEL
    >>> scaling = {"features": list(FEATURES), "means": [0.0] * 4, "scales": [1.0] * 4}
    >>> segments = [
    ...     {**scaling, "segment_id": 1, "centroid": [-1.0, 0.0, 0.0, 0.0]},
    ...     {**scaling, "segment_id": 2, "centroid": [1.0, 0.0, 0.0, 0.0]},
    ... ]
    >>> [model] = from_rows(pl.DataFrame(segments, schema=SEGMENT_MODEL.dtypes))
    >>> columns = {"frequency": 0, "revenue": 0, "coupon_rate": 0.0, "orders": 1}
    >>> customers = pl.LazyFrame({"recency_days": [0, 1], **columns})
    >>> scored(model, customers).select("segment_id", pl.col("margin").round(3)).collect().rows()
    [(1, 0.0), (2, 1.386)]
    """
    squares = [f"_squared_{place}" for place in range(len(model.ids))]
    nearest = pl.min_horizontal(squares)
    place = pl.coalesce(pl.when(pl.col(name) == nearest).then(pl.lit(name)) for name in squares)
    next_square = pl.min_horizontal(
        pl.when(pl.col("_nearest") != name).then(name) for name in squares
    )
    distance = nearest.sqrt()
    return (
        customers.with_columns(_scaled(model))
        .with_columns(**dict(zip(squares, _squares(model), strict=True)))
        .with_columns(_nearest=place)
        .with_columns(
            segment_id=pl.col("_nearest").replace_strict(
                squares, list(model.ids), return_dtype=pl.Int64
            ),
            segment_name=pl.col("_nearest").replace_strict(
                squares, list(model.names), return_dtype=pl.String
            ),
            distance=distance,
            margin=next_square.sqrt() - distance,
        )
        .drop("_nearest", *squares, *(f"_scaled_{name}" for name in FEATURES))
    )


def assign(model: SegmentModel, features: pl.DataFrame) -> pl.DataFrame:
    """segment_id, segment_name, distance and margin of each row, in the order of the rows.

    >>> from bridge_cart_assets.tables.gold import SEGMENT_MODEL
    >>> scaling = {"features": list(FEATURES), "means": [0.0] * 4, "scales": [1.0] * 4}
    >>> segment = {"segment_id": 1, "segment_name": "Dormant", "centroid": [0.0, 3.0, 4.0, 0.0]}
    >>> [model] = from_rows(pl.DataFrame([{**segment, **scaling}], schema=SEGMENT_MODEL.dtypes))
    >>> columns = {"frequency": 0, "revenue": 0, "coupon_rate": 0.0, "orders": 1}
    >>> assign(model, pl.DataFrame({"recency_days": [0], **columns})).rows()
    [(1, 'Dormant', 5.0, None)]
    """
    columns = ("segment_id", "segment_name", "distance", "margin")
    return scored(model, features.lazy()).select(columns).collect()


def _scaled(model: SegmentModel) -> list[pl.Expr]:
    return [
        ((_log(name) - mean) / scale).alias(f"_scaled_{name}")
        for name, mean, scale in zip(
            FEATURES, model.means.tolist(), model.scales.tolist(), strict=True
        )
    ]


def _squares(model: SegmentModel) -> list[pl.Expr]:
    """Squared distance to each centroid, added up as `trajectory` does: recency to the rest."""
    parts = (
        [(pl.col(f"_scaled_{name}") - x) ** 2 for name, x in zip(FEATURES, centre, strict=True)]
        for centre in model.centroids.tolist()
    )
    return [recency + reduce(add, others) for recency, *others in parts]


def _log(name: str) -> pl.Expr:
    return FEATURES[name].cast(pl.Float64).clip(lower_bound=0.0).log1p()


def _logs(customers: pl.DataFrame) -> Floats:
    """Customers x features: log1p, with values below zero as zero."""
    return customers.select(_log(name).alias(name) for name in FEATURES).to_numpy()


def squared(points: Floats, centroids: Floats) -> Floats:
    """Squared distances, points x centroids, without a cube in between.

    >>> squared(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 1.0]])).tolist()
    [[25.0, 1.0]]
    """
    columns = [reduce(add, ((points - centre) ** 2).T) for centre in centroids]
    result: Floats = np.column_stack(columns)
    return result


def _moved(
    centroids: Floats, means: Floats, scales: Floats, to_means: Floats, to_scales: Floats
) -> Floats:
    """The same places in the space of another scaling."""
    moved: Floats = (centroids * scales + means - to_means) / to_scales
    return moved


def _sample(features: pl.DataFrame) -> pl.DataFrame:
    ordered = features.sort("customer_id")
    return ordered if ordered.height <= _SAMPLE else ordered.sample(_SAMPLE, seed=_SEED)


def _identify(
    centroids: Floats, means: Floats, scales: Floats, earlier: Sequence[SegmentModel]
) -> tuple[tuple[int, ...], dict[int, str]]:
    """Id of each segment, the last model's where one lies near, else new; names of these by id."""
    known = _known(centroids, means, scales, earlier[-1]) if earlier else {}
    new = [place for place in range(len(centroids)) if place not in known]
    first = 1 + max((i for model in earlier for i in model.ids), default=0)
    fresh = {place: first + n for n, place in enumerate(new)}
    of_known = {place: segment for place, (segment, _) in known.items()}
    ids = tuple((of_known | fresh)[place] for place in range(len(centroids)))
    return ids, dict(known.values())


def _known(
    centroids: Floats, means: Floats, scales: Floats, last: SegmentModel
) -> dict[int, tuple[int, str]]:
    """Id and name of the segments that the last model has too, by their place."""
    from scipy.optimize import linear_sum_assignment

    seen = _moved(centroids, means, scales, last.means, last.scales)
    distances = np.sqrt(squared(seen, last.centroids))
    return {
        int(mine): (last.ids[theirs], last.names[theirs])
        for mine, theirs in zip(*linear_sum_assignment(distances), strict=True)
        if distances[mine, theirs] <= _NEW_SEGMENT_DISTANCE
    }
