"""A small chart as an image that fits into a metadata entry: bars, drawn by hand as SVG.

Belongs here: from labels and values to Markdown. Does not belong here: which figures are drawn
(see `shown`). Dagster renders Markdown, lets its images be data URIs, and shows an entry at once
when it has less than a thousand characters; a longer one is a link. Hence short words, whole
pixels and no plotting library.
"""

from collections.abc import Sequence
from html import escape

Point = tuple[str, float]

SHOWN_AT_ONCE = 1000
# As much as the value's column has on a laptop.
_WIDTH = 400
_LONGEST = 20
# Names of colours: on the light and on the dark ground of Dagster's pages; # would be encoded.
_BAR, _TEXT = "cornflowerblue", "gray"


def markdown(title: str, drawing: str) -> str:
    """A title and under it an image, as Markdown."""
    data = "".join(f"%{ord(c):02X}" if c in '%<>#"\\\n' else c for c in drawing)
    return f"{title}\n\n![{title}](<data:image/svg+xml,{data}>)"


def columns(points: Sequence[Point]) -> str:
    """Standing bars from left to right, with the first and the last label and the highest value.

    For what follows each other: days, months, versions. Values below zero are drawn as none.
    """
    top, base, height = 18, 96, 114
    highest = _highest(points)
    edges = [round(_WIDTH * i / max(len(points), 1)) for i in range(len(points) + 1)]
    heights = [round(max(value, 0.0) / highest * (base - top)) for _, value in points]
    bars = "".join(f"V{base - size}H{edge}" for size, edge in zip(heights, edges[1:], strict=True))
    words = _text(12, f"highest {_short(max((v for _, v in points), default=0))}")
    if points:
        words += _text(height - 4, points[0][0])
    if len(points) > 1:
        words += _text(height - 4, points[-1][0], f"x='{_WIDTH}' text-anchor='end' ")
    return _svg(height, f"M0 {base}{bars}V{base}z", words)


def rows(points: Sequence[Point]) -> str:
    """Lying bars from the top down, each with its name and value: for what stands side by side."""
    line, left = 20, 200
    highest = _highest(points)
    bars, words = "", ""
    for i, (label, value) in enumerate(points):
        size = round(max(value, 0.0) / highest * (_WIDTH - left))
        name = label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"
        bars += f"M{left} {i * line + 4}h{size}v12h-{size}z"
        words += _text(i * line + 14, f"{name} {_short(value)}")
    return _svg(max(len(points), 1) * line, bars, words)


def _highest(points: Sequence[Point]) -> float:
    return max((value for _, value in points), default=0.0) or 1.0


def _short(value: float) -> str:
    """A value in at most three digits behind the point; thousands are grouped."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _text(y: int, words: str, placed: str = "") -> str:
    return f"<text {placed}y='{y}'>{escape(words)}</text>"


def _svg(height: int, path: str, words: str) -> str:
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{height}' "
        f"font-family='sans-serif' font-size='12' fill='{_TEXT}'>"
        f"<path fill='{_BAR}' d='{path}'/>{words}</svg>"
    )
