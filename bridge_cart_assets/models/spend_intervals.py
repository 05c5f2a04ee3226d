"""Between what a customer's spend, and the shop's, will lie in four of five cases.

Belongs here: the interval of a forecast from the errors of forecasts like it, as rows of
gold/value_model. Does not belong here: making these forecasts (`models.past_windows`), or how many
of them held (`models.spend_judgement`).

Two things make a forecast wrong. Each customer has luck of their own, and the shop as a whole
does better or worse than its past, for all customers at once.

- The shop: ln(spent / expected) of each past window. They vary about 0, so the half width is a
  quantile of Student's t times their root mean square. One more window with an error of a fifth is
  taken as seen, about the root mean square on the records in docs/models.md: with few windows,
  whose errors may have been small by luck, the interval is wide.
- A customer: spent / expected of the customers of past windows, in ten bands by the chance of an
  order, for on that depends how many spend nothing. In a band where at least nine of ten spent
  something the interval lies between the tenths at both ends. In any other its low end is 0 and a
  fifth spent more than its high end; it is 0 too where four of five spent nothing. Both ends are
  moved by the interval of the shop.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from bridge_cart_assets.models.likelihood import Floats
from bridge_cart_assets.models.past_windows import PastWindow

LEVEL = 0.80
_TAIL = (1 - LEVEL) / 2
_BANDS = 10
# A past window that every shop is taken to have had, and its error.
_PRIOR_WINDOWS, _PRIOR_ERROR = 1, 0.20
# The parts of gold/value_model.
FROM, LOW, HIGH, COUNTED = (
    f"spend_band_{name}" for name in ("chance_from", "low", "high", "counted")
)
_EDGES = (FROM, LOW, HIGH, COUNTED)


def total_part(horizon: int) -> str:
    """The part of gold/value_model with the half width of the shop's interval.

    >>> total_part(90)
    'spend_total_90d'
    """
    return f"spend_total_{horizon}d"


def past_parts(horizon: int) -> tuple[str, str]:
    """The parts of gold/value_model with what past windows expected, and what was spent in them.

    >>> past_parts(90)
    ('past_expected_90d', 'past_spent_90d')
    """
    return f"past_expected_{horizon}d", f"past_spent_{horizon}d"


def half_width(errors: Sequence[float]) -> float:
    """Half the width of the 80 % interval of ln(spent / expected), from errors of past windows.

    Args:
        errors: ln(spent / expected) of each of them.

    A window that was right counts for something, and eight for more:

    >>> [round(half_width([0.0] * windows), 3) for windows in (1, 8)]
    [0.267, 0.092]
    """
    from scipy.special import stdtrit

    freedom = _PRIOR_WINDOWS + len(errors)
    squares = _PRIOR_WINDOWS * _PRIOR_ERROR**2 + sum(error**2 for error in errors)
    return float(stdtrit(freedom, 1 - _TAIL)) * float(np.sqrt(squares / freedom))


@dataclass(frozen=True)
class CustomerBands:
    """The interval of a customer's spend, by the chance of an order.

    Attributes:
        chance_from: least chance of an order in each band, ascending, the first 0.
        low, high: ends of the interval, as multiples of the expected spend.
        counted: where both ends are 0, the share of those who spend nothing that makes four of
            five of the band; 1 elsewhere.
        half_width: of the shop's interval, by which both ends are moved.

    >>> bands = CustomerBands(*(np.array([one]) for one in (0.0, 0.5, 2.0, 1.0)), half_width=0.0)
    >>> chance, spend = np.array([0.9]), np.array([50.0])
    >>> [end.tolist() for end in bands.ends(chance, spend)]
    [[25.0], [100.0]]
    >>> [bands.covered(chance, spend, np.array([came])).item() for came in (60.0, 0.0)]
    [1.0, 0.0]
    >>> CustomerBands.of_rows(bands.rows(), half_width=0.0).high.tolist()
    [2.0]
    """

    chance_from: Floats
    low: Floats
    high: Floats
    counted: Floats
    half_width: float

    def ends(self, chance: Floats, spend: Floats) -> tuple[Floats, Floats]:
        """Both ends of the interval of each customer.

        Args:
            chance: of an order in the days that are forecast.
            spend: expected in them.
        """
        band, factor = self._band(chance), np.exp(self.half_width)
        return self.low[band] * spend / factor, self.high[band] * spend * factor

    def covered(self, chance: Floats, spend: Floats, came: Floats) -> Floats:
        """How far each customer's spend lies within the interval: 1, 0, or the share `counted`.

        Where more than four of five spend nothing an interval cannot hold four of five: 0 to 0
        holds all of those. Each of them counts then as a part, so that it comes to 80 % where as
        many spend nothing as expected, and to less where more spend something.

        Args:
            chance, spend: as `ends` takes them.
            came: what each spent.
        """
        low, high = self.ends(chance, spend)
        counted: Floats = lies_within(low, high, came) * self.counted[self._band(chance)]
        return counted

    def rows(self) -> dict[str, dict[str, float]]:
        """By part and parameter of gold/value_model."""
        values = (self.chance_from, self.low, self.high, self.counted)
        return {
            part: {f"{band:02}": value for band, value in enumerate(of_part.tolist(), 1)}
            for part, of_part in zip(_EDGES, values, strict=True)
        }

    @classmethod
    def of_rows(cls, parts: Mapping[str, Mapping[str, float]], half_width: float) -> Self | None:
        """What `rows` has written down; None when there is none."""
        if FROM not in parts:
            return None
        chance_from, low, high, counted = (
            np.array([parts[part][name] for name in sorted(parts[part])]) for part in _EDGES
        )
        return cls(chance_from, low, high, counted, half_width)

    def _band(self, chance: Floats) -> npt.NDArray[np.intp]:
        return np.searchsorted(self.chance_from, chance, side="right").clip(min=1) - 1


def lies_within(low: Floats, high: Floats, came: Floats) -> Floats:
    """1 where a spend lies between both ends as money shows them, to the cent; else 0.

    >>> lies_within(np.array([0.0]), np.array([9.994]), np.array([9.99])).tolist()
    [1.0]
    """
    cents = np.round(came, 2)
    inside: Floats = ((cents >= np.round(low, 2)) & (cents <= np.round(high, 2))).astype(np.float64)
    return inside


def fit_bands(chance: Floats, spend: Floats, came: Floats, half_width: float) -> CustomerBands:
    """The bands of the customers of past windows.

    Args:
        chance: of an order, one entry per customer and window; at least one.
        spend: expected of each.
        came: what each spent.
        half_width: as `CustomerBands` has it.

    Nine of ten spent nothing, which is more than four of five:

    >>> nobody = np.array([0.0] * 9 + [50.0])
    >>> bands = fit_bands(np.full(10, 0.1), np.full(10, 5.0), nobody, half_width=0.0)
    >>> bands.high.tolist(), bands.counted.round(3).tolist()
    ([0.0], [0.889])
    """
    edges = np.unique(np.quantile(chance, np.arange(1, _BANDS) / _BANDS))
    chance_from = np.concatenate([[0.0], edges[edges > 0]])
    band = np.searchsorted(chance_from, chance, side="right") - 1
    multiples = came / np.maximum(spend, 1e-9)
    filled = [number for number in range(chance_from.size) if (band == number).any()]
    ends = np.array([_ends(np.sort(multiples[band == number])) for number in filled])
    low, high, counted = ends.T
    return CustomerBands(chance_from[filled], low, high, counted, half_width)


def _ends(ascending: Floats) -> tuple[float, float, float]:
    """Low end, high end and what counts of those at it, of the multiples of one band.

    The ends are order statistics with one more customer in mind: the one that is forecast.
    """
    count = ascending.size

    def at(share: float) -> float:
        return float(ascending[min(count, int(np.ceil(share * (count + 1)))) - 1])

    idle = float((ascending <= 0).mean())
    if idle < _TAIL:
        lowest = int(np.floor(_TAIL * (count + 1)))
        return max(float(ascending[max(lowest, 1) - 1]), 0.0), at(1 - _TAIL), 1.0
    high = max(at(LEVEL), 0.0)
    if high > 0:
        return 0.0, high, 1.0
    nothing = float((ascending == 0).mean())
    return 0.0, 0.0, min(1.0, LEVEL / nothing) if nothing > 0 else 1.0


@dataclass(frozen=True)
class SpendIntervals:
    """The intervals of a shop and of its customers.

    Attributes:
        customers: of a customer's next 90 days; None without a past window.
        totals: half width of ln(spent / expected) of the shop, by days of the forecast.
        past: windows behind them, by days: last known day, expected, spent.

    >>> SpendIntervals(None, {90: 0.3}, {90: [("2024-01-31", 10.0, 12.0)]}).rows()["past_spent_90d"]
    {'2024-01-31': 12.0}
    """

    customers: CustomerBands | None
    totals: Mapping[int, float]
    past: Mapping[int, Sequence[tuple[str, float, float]]]

    def rows(self) -> dict[str, dict[str, float]]:
        """By part and parameter of gold/value_model."""
        found = {} if self.customers is None else self.customers.rows()
        for horizon, windows in self.past.items():
            found[total_part(horizon)] = {"windows": float(len(windows))}
            if windows:
                expected_part, spent_part = past_parts(horizon)
                found[total_part(horizon)]["half_width"] = self.totals[horizon]
                found[expected_part] = {cut: expected for cut, expected, _ in windows}
                found[spent_part] = {cut: spent for cut, _, spent in windows}
        return found


def fit_intervals(windows: Mapping[int, Sequence[PastWindow]], of_customers: int) -> SpendIntervals:
    """The intervals by the errors of past forecasts.

    Args:
        windows: past windows, by how many days they have.
        of_customers: the days of the customers' forecast.

    >>> fit_intervals({90: []}, of_customers=90)
    SpendIntervals(customers=None, totals={}, past={90: []})
    """
    totals = {
        horizon: half_width([window.log_error for window in past])
        for horizon, past in windows.items()
        if past
    }
    own = windows.get(of_customers, ())
    bands = (
        fit_bands(
            np.concatenate([1 - window.used.no_order for window in own]),
            np.concatenate([window.spend for window in own]),
            np.concatenate([window.came for window in own]),
            totals[of_customers],
        )
        if own
        else None
    )
    past = {
        horizon: [(one.cut.isoformat(), one.expected, one.actual) for one in found]
        for horizon, found in windows.items()
    }
    return SpendIntervals(bands, totals, past)
