"""The small line beside a figure, as the paths of an SVG that is 100 wide and 28 high."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

WIDTH, HEIGHT, EDGE = 100.0, 28.0, 3.0


@dataclass(frozen=True)
class Sparkline:
    """SVG path data: the line, the area below it, and a dot on the latest value."""

    line: str
    area: str
    dot: str


def sparkline(values: Sequence[float | None]) -> Sparkline | None:
    """Draw evenly spaced values, oldest first; a missing one is a gap.

    None with fewer than two values, which make no line.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    low, high = min(known), max(known)
    points = [
        None if value is None else (WIDTH * i / (len(values) - 1), _height(value, low, high))
        for i, value in enumerate(values)
    ]
    runs = [
        [point for point in run if point is not None]
        for is_gap, run in groupby(points, key=lambda point: point is None)
        if not is_gap
    ]
    x, y = runs[-1][-1]
    return Sparkline(
        line=" ".join(_path(run) for run in runs),
        area=" ".join(
            f"{_path(run)}L{run[-1][0]:.1f},{HEIGHT:.0f}L{run[0][0]:.1f},{HEIGHT:.0f}Z"
            for run in runs
        ),
        dot=f"M{x:.1f},{y:.1f}h0",
    )


def _height(value: float, low: float, high: float) -> float:
    if high == low:
        return HEIGHT / 2
    return HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (value - low) / (high - low)


def _path(run: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in run)
