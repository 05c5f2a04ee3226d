"""The customer's history as two strips of time: segments and lifecycle, a part per state.

Belongs here: where each part begins and ends on a scale of 0 to 100. Does not belong here:
queries, or SVG (see templates/customer.html).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from bridge_cart_assets.reports.charts import segment_colour
from bridge_cart_assets.reports.customer.queries import State

_MOST_MARKS = 6


@dataclass(frozen=True)
class StateBar:
    """A stretch of days in one state.

    Attributes:
        x, width: of 100, as SVG writes them.
        look: a class of the style sheet: the segment's colour, or a lifecycle.
        title: the state and its days in words.
    """

    x: str
    width: str
    look: str
    title: str


@dataclass(frozen=True)
class Strip:
    """One line of the timeline, and what its looks stand for."""

    name: str
    parts: tuple[StateBar, ...]
    legend: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Mark:
    """A day named under the strips; x is of 100."""

    x: str
    day: date


@dataclass(frozen=True)
class Timeline:
    """The strips from the customer's first sale to the latest day."""

    first: date
    last: date
    strips: tuple[Strip, ...]
    marks: tuple[Mark, ...]


def timeline(states: Sequence[State], last: date) -> Timeline | None:
    """The timeline of states, oldest first; None without any."""
    if not states:
        return None
    first = states[0].valid_from
    end = last + timedelta(days=1)
    segments = [
        (segment_colour(s.segment_id), s.segment_name, s.valid_from, s.valid_to or end)
        for s in states
    ]
    lives = [(f"life-{s.lifecycle}", s.lifecycle, s.valid_from, s.valid_to or end) for s in states]
    return Timeline(
        first=first,
        last=last,
        strips=(_strip("Segment", segments, first, end), _strip("State", lives, first, end)),
        marks=_marks(first, end),
    )


def _strip(name: str, stretches: Sequence[tuple[str, str, date, date]], a: date, b: date) -> Strip:
    parts = []
    for (look, named), group in groupby(stretches, key=lambda stretch: stretch[:2]):
        days = [(begin, until) for _, _, begin, until in group]
        begin, until = days[0][0], days[-1][1]
        length = (until - begin).days
        title = f"{named}: {begin} to {until - timedelta(days=1)}, {length} " + (
            "day" if length == 1 else "days"
        )
        parts.append(StateBar(_place(begin, a, b), _place(a + (until - begin), a, b), look, title))
    return Strip(name, tuple(parts), tuple(dict.fromkeys(s[:2] for s in stretches)))


def _marks(first: date, end: date) -> tuple[Mark, ...]:
    """Beginnings of months, as many as fit."""
    months = [
        date(n // 12, n % 12 + 1, 1)
        for n in range(first.year * 12 + first.month, end.year * 12 + end.month)
    ]
    every = -(-len(months) // _MOST_MARKS) or 1
    return tuple(Mark(_place(month, first, end), month) for month in months[::every])


def _place(day: date, first: date, end: date) -> str:
    return f"{100 * (day - first).days / (end - first).days:.3f}"
