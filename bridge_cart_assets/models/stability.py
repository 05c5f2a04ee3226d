"""The number of segments: the one that comes out the same for other customers of the kind.

Belongs here: K-Means for each number of segments, how stable and how clear the outcome is, and the
choice. Does not belong here: the features of a point, or the name of a segment (`segment_names`).
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bridge_cart_assets.thresholds import THRESHOLDS, Thresholds

# So much less stable is as good as the most stable: the estimate over eight resamples is not finer.
TOLERANCE = 0.05
# So much worse the current number may be measured to be: on a sample in the place of all customers.
SLACK = 0.01
_SEED = 20_101_201
_SAMPLE = 5_000
_SILHOUETTE_SAMPLE = 2_000
_RESAMPLES = 8
# The fit that the others are compared with is worth more starts than each of them.
_STARTS, _STARTS_OF_RESAMPLES = 10, 3
_MOST_STEPS = 2_000
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Candidate:
    """One number of segments.

    Attributes:
        segments: the number.
        stability: mean adjusted Rand index over resamples.
        silhouette: mean silhouette; None where it is not defined.
        smallest, largest: shares of the points in the smallest and the largest segment.
        of_each: per segment its mean Jaccard index over resamples.

    >>> one_is_too_small = Candidate(3, stability=0.9, silhouette=0.4, smallest=0.01, largest=0.5)
    >>> round(one_is_too_small.violation(Thresholds(segment_smallest=0.03)), 6)
    0.02
    """

    segments: int
    stability: float
    silhouette: float | None
    smallest: float
    largest: float
    of_each: tuple[float, ...] = ()

    def violation(self, bounds: Thresholds) -> float:
        """By how much, in shares of the points, the sizes are out of bounds."""
        too_small = max(0.0, bounds.segment_smallest - self.smallest)
        return too_small + max(0.0, self.largest - bounds.segment_largest)


@dataclass(frozen=True)
class Clustering:
    """The chosen segments: centroids (segments x features), and how good the choice is.

    Attributes:
        centroids: segments x features.
        stability: mean adjusted Rand index over resamples.
        silhouette: mean silhouette; None where it is not defined.
        of_each: per segment its mean Jaccard index over resamples.
    """

    centroids: Floats
    stability: float
    silhouette: float | None
    of_each: tuple[float, ...]


def cluster(
    points: Floats, current: Floats | None = None, bounds: Thresholds = THRESHOLDS
) -> Clustering:
    """The most stable K-Means segments of the points.

    Each number of segments within the bounds (fewer where fewer points differ) is fitted to at
    most 5,000 points and then to eight resamples of them, drawn with replacement. Its stability is
    the mean adjusted Rand index (Hubert and Arabie 1985) between how the one and the others label
    all of these points (the bootstrap of Hennig 2007, with labels for whole partitions). `pick`
    chooses; the chosen fit goes on with all points. The same points in the same order give the
    same segments, also when they are the current ones: to train again on the same customers moves
    nobody.

    Args:
        points: points x features, scaled.
        current: centroids of the segments so far. A fit with as many segments starts there, with
            all points, and that many has an advantage.
        bounds: how many segments there may be, and how large.

    Points at two places make two segments, although three are the fewest by `bounds`:

    >>> clustering = cluster(np.array([[0.0], [0.0], [0.0], [5.0], [5.0], [5.0]]))
    >>> sorted(clustering.centroids.tolist()), clustering.stability
    ([[0.0], [5.0]], 1.0)
    """
    sample = _some(points, _SAMPLE)
    distinct = len(np.unique(sample, axis=0))
    numbers = sorted(
        {min(n, distinct) for n in range(bounds.segments_fewest, bounds.segments_most + 1)}
    )
    with _one_thread():
        tried = [
            _try(sample, n, points if _count(current) == n else None, current) for n in numbers
        ]
        chosen = pick([candidate for candidate, _ in tried], _count(current), bounds)
        [centroids] = [fitted for candidate, fitted in tried if candidate is chosen]
        if _count(current) != len(centroids):
            centroids = _fit(points, len(centroids), 1, centroids).cluster_centers_
    return Clustering(centroids, chosen.stability, chosen.silhouette, chosen.of_each)


def pick(candidates: Sequence[Candidate], current: int | None, bounds: Thresholds) -> Candidate:
    """The number of segments to take.

    Of those whose segments are neither too small nor too large, the ones within `TOLERANCE` of the
    most stable are equally good: the current number stays if it is among them, else the one with
    the clearest segments (silhouette) is taken. When the sizes of none are within the bounds, it
    is the one that violates them least, then the most stable, then the one with the fewest. The
    current number is allowed `SLACK` more in both: it was measured on other resamples when it was
    chosen, and must not be given up for that.

    Args:
        candidates: at least one.
        current: the number of segments so far.
        bounds: how large segments may be.

    >>> sizes = {"smallest": 0.1, "largest": 0.5}
    >>> candidates = [
    ...     Candidate(3, stability=0.92, silhouette=0.3, **sizes),
    ...     Candidate(4, stability=0.90, silhouette=0.5, **sizes),
    ...     Candidate(5, stability=0.80, silhouette=0.6, **sizes),
    ... ]
    >>> pick(candidates, None, THRESHOLDS).segments, pick(candidates, 3, THRESHOLDS).segments
    (4, 3)
    """
    fitting = [one for one in candidates if one.violation(bounds) == 0]
    best = max((one.stability for one in fitting), default=0.0)
    least = min(one.violation(bounds) for one in candidates)
    for one in candidates:
        is_current = one.segments == current and one.violation(bounds) <= least + SLACK
        if is_current and one.stability >= best - TOLERANCE - SLACK:
            return one
    if not fitting:
        return min(candidates, key=lambda c: (c.violation(bounds), -c.stability, c.segments))
    stable = [one for one in fitting if one.stability >= best - TOLERANCE]
    return max(stable, key=lambda c: (-1.0 if c.silhouette is None else c.silhouette, -c.segments))


def _try(
    sample: Floats, segments: int, everyone: Floats | None, current: Floats | None
) -> tuple[Candidate, Floats]:
    """A number of segments; from the current centroids to those of everyone where it is theirs."""
    from sklearn.metrics import adjusted_rand_score

    points = sample if everyone is None else everyone
    fitted = _fit(points, segments, _STARTS, None if everyone is None else current)
    labels = fitted.predict(sample)
    # The same resamples for each number, so that the numbers differ and not their luck.
    random = np.random.default_rng(_SEED)
    others = [
        _fit(
            sample[random.integers(0, len(sample), len(sample))], segments, _STARTS_OF_RESAMPLES
        ).predict(sample)
        for _ in range(_RESAMPLES)
    ]
    shares = np.bincount(labels, minlength=segments) / len(labels)
    candidate = Candidate(
        segments=segments,
        stability=float(np.mean([adjusted_rand_score(labels, other) for other in others])),
        silhouette=_silhouette(sample, labels),
        smallest=float(shares.min()),
        largest=float(shares.max()),
        of_each=tuple(np.mean([jaccards(labels, other, segments) for other in others], axis=0)),
    )
    return candidate, fitted.cluster_centers_


def jaccards(labels: Ints, others: Ints, segments: int) -> Floats:
    """How much of each segment one of other segments holds: the largest Jaccard index of it.

    The Jaccard index of two sets is the size of what they share over that of both together. A
    segment without points has 0.

    Args:
        labels: number of each point's segment, from 0.
        others: the same by another clustering.
        segments: how many there are in both.

    >>> jaccards(np.array([0, 0, 0, 1, 1]), np.array([1, 1, 0, 0, 0]), segments=2).round(3).tolist()
    [0.667, 0.667]
    """
    shared = np.zeros((segments, segments))
    np.add.at(shared, (labels, others), 1)
    together = shared.sum(axis=1)[:, None] + shared.sum(axis=0)[None, :] - shared
    best: Floats = (shared / np.maximum(together, 1)).max(axis=1)
    return best


def _fit(points: Floats, segments: int, starts: int, warm: Floats | None = None) -> Any:
    """K-Means from the given centroids if they are as many, else the best of some starts."""
    from sklearn.cluster import KMeans

    begin: dict[str, Any] = {"init": "k-means++", "n_init": starts}
    if _count(warm) == segments:
        # To the end: with a tolerance every fit from the last one's centroids would move on.
        begin = {"init": warm, "n_init": 1, "tol": 0, "max_iter": _MOST_STEPS}
    return KMeans(segments, random_state=_SEED, **begin).fit(points)


def _silhouette(sample: Floats, labels: Ints) -> float | None:
    """Mean silhouette (Rousseeuw 1987) of a part of the sample, whose cost grows with its square.

    None with a single segment, and when every point is one of its own.
    """
    from sklearn.metrics import silhouette_score

    some = _some(np.column_stack([sample, labels]), _SILHOUETTE_SAMPLE)
    found = len(np.unique(some[:, -1]))
    if not 1 < found < len(some):
        return None
    return float(silhouette_score(some[:, :-1], some[:, -1]))


def _some(points: Floats, most: int) -> Floats:
    if len(points) <= most:
        return points
    chosen = np.random.default_rng(_SEED).choice(len(points), most, replace=False)
    some: Floats = points[np.sort(chosen)]
    return some


def _count(centroids: Floats | None) -> int | None:
    return None if centroids is None else len(centroids)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread, and silence about resamples with fewer kinds of points than segments."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    # Two OpenMP threads on busy cores are several times slower than one.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
