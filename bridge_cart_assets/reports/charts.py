"""Charts: what the script draws, always beside a table that says the same.

Belongs here: the kinds of charts and what each needs. Does not belong here: particular charts
(see the pages), or drawing (see static/report.js).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from bridge_cart_assets.reports.formatting import Cell, compact_money, count, money, percent
from bridge_cart_assets.reports.tables import Sheet

COLOURS = 10

Unit = Literal["count", "money", "percent", "number"]
Value = float | int | None
Figures = Mapping[str, object]
# how a figure is written: in a table, and in a sentence
FULL: Mapping[Unit, Callable[..., Cell]] = {"count": count, "money": money, "percent": percent}
SHORT: Mapping[Unit, Callable[..., Cell]] = {**FULL, "money": compact_money}


@dataclass(frozen=True)
class Chart:
    """A chart and its twin, a table of the same figures.

    Attributes:
        title, subtitle: what it says and what it shows.
        figures: what the script draws; None when there is too little to draw.
        too_little: the sentence that stands there then.
        sheet: the table; its name is the chart's.
        names_amounts: whether the names of the bars are amounts of money.
    """

    title: str
    subtitle: str
    figures: Figures | None
    too_little: str
    sheet: Sheet
    names_amounts: bool = False

    @property
    def name(self) -> str:
        """Part of the ids in the page, and the name of the file when it is saved."""
        return self.sheet.name

    @property
    def has_amounts(self) -> bool:
        """Whether it shows money, so that the page says in which currency."""
        return bool(self.figures and (self.names_amounts or self.figures["unit"] == "money"))


@dataclass(frozen=True)
class Series:
    """One line, or one part of each bar; None is a gap.

    Attributes:
        colour: name of a custom property of report.css: accent, quiet, seg-1 to seg-10.
    """

    name: str
    values: Sequence[Value]
    colour: str = "accent"


def segment_colour(segment_id: int | None) -> str:
    """The segment's colour by its id, which stays; the eleventh id takes the first again.

    '' for no segment: None, or 0 for customers who were in none before.
    """
    return f"seg-{(segment_id - 1) % COLOURS + 1}" if segment_id else ""


def lines(days: Sequence[date], series: Sequence[Series], unit: Unit) -> Figures:
    """One line per series over days, named at its end."""
    return {"kind": "lines", "unit": unit, "days": _iso(days), "series": _series(series)}


def bars(days: Sequence[date], series: Sequence[Series], unit: Unit, step: int = 7) -> Figures:
    """One bar per day (each stands for `step` days), the series upon each other."""
    parts = _series(series)
    return {"kind": "bars", "unit": unit, "days": _iso(days), "step": step, "series": parts}


def hbars(
    names: Sequence[str],
    series: Sequence[Series],
    unit: Unit,
    colours: Sequence[str] = (),
) -> Figures:
    """One lying bar per name from the top down, the series one after the other.

    Args:
        names: what each bar is.
        series: the parts of the bars; with one, its figure is written at the end of each bar.
        unit: of the figures.
        colours: one per bar instead of one per series.
    """
    parts = _series(series)
    return {
        "kind": "hbars",
        "unit": unit,
        "names": list(names),
        "series": parts,
        "colours": list(colours),
    }


def curve(steps: Sequence[int], label: str, series: Series, unit: Unit) -> Figures:
    """One line over whole numbers, such as months since something; `label` says which."""
    parts = _series([series])
    return {"kind": "curve", "unit": unit, "steps": list(steps), "label": label, "series": parts}


def heatmap(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[Value]],
    unit: Unit,
    unfinished: Sequence[tuple[int, int]] = (),
) -> Figures:
    """A field per row (from the top down) and column, the darker the higher; None is blank.

    Args:
        rows, columns: their names.
        values: by row, then by column.
        unit: of the values.
        unfinished: fields (row, column) with an asterisk, whose figure may still change.
    """
    return {
        "kind": "heatmap",
        "unit": unit,
        "rows": list(rows),
        "columns": list(columns),
        "values": [list(row) for row in values],
        "unfinished": [list(place) for place in unfinished],
    }


@dataclass(frozen=True)
class Node:
    """One end of a flow, on the left (0) or on the right (1)."""

    name: str
    colour: str
    side: Literal[0, 1]


def sankey(
    nodes: Sequence[Node], flows: Sequence[tuple[int, int, float]], unit: Unit = "count"
) -> Figures:
    """Flows from the left to the right: (place of the source in nodes, of the target, how much)."""
    return {
        "kind": "sankey",
        "unit": unit,
        "nodes": [{"name": n.name, "colour": n.colour, "side": n.side} for n in nodes],
        "flows": [list(flow) for flow in flows],
    }


def _iso(days: Sequence[date]) -> list[str]:
    return [day.isoformat() for day in days]


def _series(series: Sequence[Series]) -> list[dict[str, object]]:
    return [{"name": s.name, "colour": s.colour, "values": list(s.values)} for s in series]
