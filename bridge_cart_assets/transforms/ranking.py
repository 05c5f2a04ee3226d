"""Values in their order, of which a few at a time are replaced.

Belongs here: sums over ranks that follow such a change exactly, in time that grows with what is
replaced. Does not belong here: what the values are (`concentration`).
"""

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.int64]
# The largest product of a value and a rank that leaves room for what is added to it in 64 bits.
_MOST = 2**61


class Ranking:
    """A collection of whole numbers, equal ones too, by their ranks.

    Their sum has to be below 2^60, as amounts of money in the tables always are. What was taken out
    and put in lies beside the sorted values until it is an eighth of them: to move all values costs
    as much as some twenty days of a shop.

    Attributes:
        total: their sum.
        differences: the sum of the differences of all pairs.

    >>> ranking = Ranking(np.array([3, 1, 8]))
    >>> ranking.size, ranking.total, ranking.differences, ranking.sum_of_largest(2)
    (3, 12, 14, 11)
    >>> ranking.replace(np.array([8]), np.array([3, 4]))
    >>> ranking.size, ranking.total, ranking.differences, ranking.sum_of_largest(2)
    (4, 11, 9, 7)
    """

    def __init__(self, values: Values) -> None:
        self._sorted = _Sorted(values)
        self._gone, self._come = _Sorted(values[:0]), _Sorted(values[:0])
        self.total = self._sorted.total
        self.differences = self._sorted.differences()

    @property
    def size(self) -> int:
        """How many values there are."""
        return self._sorted.size - self._gone.size + self._come.size

    def replace(self, gone: Values, come: Values) -> None:
        """Take some values out, each of which is there, and put others in."""
        left, added = _Sorted(gone), _Sorted(come)
        # A pair of two that go is in the distances of both, and a pair of two that come in neither.
        self.differences -= self._distances(left) - left.differences()
        self._gone = self._gone.with_more(left)
        self.differences += self._distances(added) + added.differences()
        self._come = self._come.with_more(added)
        self.total += added.total - left.total
        if 8 * (self._gone.size + self._come.size) > self._sorted.size:
            self._settle()

    def sum_of_largest(self, count: int) -> int:
        """The sum of so many largest values; of all when there are fewer."""
        others = self.size - count
        if others <= 0:
            return self.total
        # The largest of the others, by halves.
        low, high = self._sorted.bounds(self._come)
        while low < high:
            middle = (low + high) // 2
            if self._up_to(middle)[0] >= others:
                high = middle
            else:
                low = middle + 1
        number, theirs = self._up_to(low)
        return self.total - (theirs - (number - others) * low)

    def _distances(self, values: "_Sorted") -> int:
        """The differences between each of these values and each that is there."""
        parts = (self._sorted, self._come, self._gone)
        of_all, of_come, of_gone = (part.distances(values) for part in parts)
        return of_all + of_come - of_gone

    def _up_to(self, value: int) -> tuple[int, int]:
        """How many values are not above this one, and their sum."""
        parts = (self._sorted, self._come, self._gone)
        (n, s), (n_come, s_come), (n_gone, s_gone) = (part.up_to(value) for part in parts)
        return n + n_come - n_gone, s + s_come - s_gone

    def _settle(self) -> None:
        # What has gone may be what had come.
        kept = self._sorted.with_more(self._come).without(self._gone)
        none = kept.values[:0]
        self._sorted, self._gone, self._come = kept, _Sorted(none), _Sorted(none)


class _Sorted:
    """Sorted values with their running sums."""

    def __init__(self, values: Values, *, is_sorted: bool = False) -> None:
        self.values = values if is_sorted else np.sort(values)
        self._sums = np.zeros(values.size + 1, dtype=np.int64)
        np.cumsum(self.values, out=self._sums[1:])
        self.size = int(values.size)
        self.total = int(self._sums[-1])

    def differences(self) -> int:
        """The sum of the differences of all pairs: a value is above i others and below the rest."""
        ranks = np.arange(1, self.size + 1)
        return _exact_sum((2 * ranks - self.size - 1) * self.times(self.size))

    def distances(self, values: "_Sorted") -> int:
        """The sum of the differences between each of some values and each of these."""
        if not (self.size and values.size):
            return 0
        below = np.searchsorted(self.values, values.values, side="right")
        above = self.total - 2 * self._sums[below]
        return _exact_sum((2 * below - self.size) * values.times(self.size) + above)

    def times(self, most: int) -> Values:
        """The values in a type that has room for so many times each of them."""
        largest = max((abs(int(v)) for v in self.values[[0, -1]]), default=0) if self.size else 0
        # Whole numbers of Python are slow and have no end.
        return self.values if largest * most < _MOST else self.values.astype(object)

    def up_to(self, value: int) -> tuple[int, int]:
        """How many values are not above this one, and their sum."""
        number = int(np.searchsorted(self.values, value, side="right"))
        return number, int(self._sums[number])

    def bounds(self, other: "_Sorted") -> tuple[int, int]:
        """The least and the largest value of both."""
        both = [part.values for part in (self, other) if part.size]
        return min(int(v[0]) for v in both), max(int(v[-1]) for v in both)

    def with_more(self, other: "_Sorted") -> "_Sorted":
        """These and others."""
        if not other.size:
            return self
        places = np.searchsorted(self.values, other.values)
        return _Sorted(np.insert(self.values, places, other.values), is_sorted=True)

    def without(self, other: "_Sorted") -> "_Sorted":
        """These without others, each of which is there."""
        # Equal values: the i-th of a run of equals is taken out at the i-th place.
        runs = np.arange(other.size) - np.searchsorted(other.values, other.values)
        places = np.searchsorted(self.values, other.values) + runs
        return _Sorted(np.delete(self.values, places), is_sorted=True)


def _exact_sum(values: Values) -> int:
    """The sum of values each of which has 64 bits, while the sum may need more."""
    if values.dtype == object:
        return int(values.sum())
    high, low = values >> 32, values & 0xFFFFFFFF
    return (int(high.sum()) << 32) + int(low.sum())
