"""The tables of a page: declared once, shown as HTML and written as CSV.

Belongs here: columns, rows and cells. Does not belong here: whole gold tables (see `export`),
number formats (see `formatting`), or HTML (see templates/tables.html).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from bridge_cart_assets.reports.export import cell, written
from bridge_cart_assets.reports.formatting import Shown

Kind = Literal["number", "text", "day"]


@dataclass(frozen=True)
class Column:
    """A column of a sheet.

    Attributes:
        name: its heading in the CSV, as gold would call it.
        title: its heading on the page.
        kind: number (to the right), text or day (to the left).
        meaning: what it counts, shown on hover.
        bar: whether a small bar stands before each figure, which then is a share from 0 to 1.
    """

    name: str
    title: str
    kind: Kind = "number"
    meaning: str = ""
    bar: bool = False


@dataclass(frozen=True)
class Row:
    """A row of a sheet: one cell per column, the first of them names the row.

    Attributes:
        cells: the figures.
        colour: seg-1 to seg-10: a dot and bars in the colour of a segment.
        href: where the name of the row leads.
    """

    cells: tuple[Shown, ...]
    colour: str = ""
    href: str = ""


@dataclass(frozen=True)
class Sheet:
    """A table of a page.

    Attributes:
        name: part of its address as CSV and of its id in the page.
        title: what it says; its caption.
        columns, rows: the figures.
        empty: the sentence that stands in its place when it has no rows.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    empty: str = "There is nothing here yet."

    def csv_lines(self) -> Iterator[str]:
        """The sheet as CSV: full values, empty where there is none."""
        yield written([[cell(column.name) for column in self.columns]])
        for row in self.rows:
            yield written([[cell(shown.value) for shown in row.cells]])


def bar_width(shown: Shown) -> str:
    """The length of the small bar of a share, from 0.0% to 100.0%.

    >>> [bar_width(Shown("", "", value)) for value in ("0.471", "1.5", None)]
    ['47.1%', '100.0%', '0.0%']
    """
    share = 100 * Decimal(shown.value or 0)
    return f"{min(max(share, Decimal(0)), Decimal(100)):.1f}%"
