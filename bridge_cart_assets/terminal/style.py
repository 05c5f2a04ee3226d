"""How things look in a terminal: the console, headings, figures, changes, marks, ages.

Belongs here: what a value looks like, wherever it stands, and that it reads the same without
colours: each colour has its word. Does not belong here: which values are shown (`status`,
`summary`), or how the report page writes them (`reports.formatting`).
"""

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from bridge_cart_assets.terminal.escaping import EscapingConsole
from bridge_cart_assets.thresholds import THRESHOLDS

Number = int | float | Decimal
Good = Literal["up", "down", "neither"]

NOTHING = "–"
# What would be written as 0.0 %.
_SMALLEST_SHARE = Decimal("0.0005")
GOOD, WARN, BAD, QUIET = "green", "yellow", "bold red", "dim"
# Where no terminal is there, rows keep their full width: their reader cuts them.
_ENDLESS = 10_000


def console() -> Console:
    """The console of stdout. Colours only in a terminal, and none with NO_COLOR."""
    there = EscapingConsole(highlight=False)
    return there if there.is_terminal else EscapingConsole(width=_ENDLESS, highlight=False)


def heading(on: Console, title: str, remark: str = "") -> None:
    """A title above a table, and a remark beside it."""
    line = Text.assemble("\n", (title, "bold"), (f"  {remark}" if remark else "", QUIET))
    on.print(line, soft_wrap=True)


def grid(*columns: str, words: Sequence[str] = ()) -> Table:
    """An empty table: the first column and those of `words` to the left, figures to the right."""
    table = Table(box=None, pad_edge=False, header_style=Style(dim=True))
    for index, name in enumerate(columns):
        is_words = not index or name in words
        table.add_column(
            name, justify="left" if is_words else "right", no_wrap=True, vertical="bottom"
        )
    return table


def format_count(value: Number | None) -> str:
    """A whole number: 1,234,567."""
    return NOTHING if value is None else f"{value:,.0f}"


def format_money(value: Number | None) -> str:
    """An amount to the cent: 1,234.50."""
    return NOTHING if value is None else f"{_rounded(value, 2):,}"


def format_percent(value: Number | None) -> str:
    """A share with one decimal: 0.4391 is 43.9 %, and 0.0001 is not nothing."""
    if value is not None and 0 < value < _SMALLEST_SHARE:
        return "under 0.1 %"
    return NOTHING if value is None else f"{_rounded(Decimal(str(value)) * 100, 1):,} %"


def relative_change(now: Number | None, before: Number | None, good: Good) -> Text:
    """By how many per cent a figure has moved: ↑ up 4.2 %, better."""
    if now is None or before is None:
        return Text("no figure to compare with", QUIET)
    if not before:
        return Text("there was nothing before" if now else "unchanged", QUIET)
    moved = _rounded((Decimal(str(now)) / Decimal(str(before)) - 1) * 100, 1)
    return _change(moved, "%", good)


def change_in_points(now: Number | None, before: Number | None, good: Good) -> Text:
    """By how many points a share has moved: ↓ down 1.5 points, worse."""
    if now is None or before is None:
        return Text("no figure to compare with", QUIET)
    moved = _rounded((Decimal(str(now)) - Decimal(str(before))) * 100, 1)
    return _change(moved, "points", good)


def _change(moved: Decimal, unit: str, good: Good) -> Text:
    if not moved:
        return Text("→ unchanged", QUIET)
    way = "up" if moved > 0 else "down"
    said = f"{'↑' if moved > 0 else '↓'} {way} {abs(moved):,} {unit}"
    if good == "neither":
        return Text(said)
    return (
        Text(f"{said}, better", style=GOOD) if way == good else Text(f"{said}, worse", style=WARN)
    )


def age(days: int | None) -> Text:
    """How old a day is, in words; green while there is no need to worry."""
    if days is None:
        return Text(NOTHING, QUIET)
    return Text(_age(days), style=GOOD if days <= THRESHOLDS.as_of_age.days else WARN)


def _age(days: int) -> str:
    # The batch day of an eastern time zone may be tomorrow's.
    if days <= 0:
        return "today"
    if days == 1:
        return "yesterday"
    if days < 60:
        return f"{days} days old"
    if days < 730:
        return f"{days // 30} months old"
    return f"{days // 365} years old"


def mark(passed: int, warned: int, failed: int) -> Text:
    """What the checks of a table said: ok 5, warn 1 of 12, FAIL 1 of 5."""
    total = passed + warned + failed
    if not total:
        return Text("not checked", QUIET)
    if failed:
        return Text(f"FAIL {failed} of {total}", style=BAD)
    if warned:
        return Text(f"warn {warned} of {total}", style=WARN)
    return Text(f"ok {total}", style=GOOD)


def _rounded(value: Number, decimals: int) -> Decimal:
    if isinstance(value, float) and not math.isfinite(value):
        return Decimal(str(value))
    number = Decimal(str(value)).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    return number or abs(number)  # no "-0.0"
