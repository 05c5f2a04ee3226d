"""The tables of a page: declared once, shown as HTML and written as CSV.

Belongs here: columns and cells. Does not belong here: whole gold tables (see `export`), number
formats (see `formatting`), or HTML (see templates/tables.html).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any, Generic, Literal, TypeVar

from bridge_cart_assets.reports.export import cell, csv_text
from bridge_cart_assets.reports.formatting import Cell, day, grouped, words
from bridge_cart_assets.tables.table import Table

T = TypeVar("T")

Kind = Literal["number", "text", "day"]
_KINDS: dict[object, Kind] = {words: "text", day: "day"}
_ROWS_AT_A_TIME = 500


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column of a sheet: its heading, and how its cell is made of what the row is about.

    Attributes:
        name: its heading in the CSV, as gold would call it.
        title: its heading on the page.
        cell: makes the cell of a row.
        kind: number (to the right), text or day (to the left).
        meaning: what it counts, shown on hover.
        bar: whether a small bar stands before each figure, which then is a share from 0 to 1.
    """

    name: str
    title: str
    cell: Callable[[T], Cell]
    kind: Kind = "number"
    meaning: str = ""
    bar: bool = False


def column(
    name: str,
    title: str,
    show: Callable[..., Cell],
    meaning: str | Table = "",
    missing: str = "not known",
    *,
    of: str | Callable[[Any], object] = "",
    bar: bool = False,
) -> Column[Any]:
    """A column of what the items have as an attribute, or of what is made of them.

    Args:
        name, title, bar: see `Column`.
        show: how a value is written, one of `formatting`; `words` makes it text, `day` days.
        meaning: what it counts, or the table that has a column of this name and says so.
        missing: why there may be no value.
        of: the attribute, when it is not called like the column, or what makes the value.
    """
    value = of if callable(of) else attrgetter(of or name)
    return Column(
        name,
        title,
        lambda item: show(value(item), why=missing),
        _KINDS.get(show, "number"),
        meaning.meaning(name) if isinstance(meaning, Table) else meaning,
        bar,
    )


def _nothing(item: object) -> str:
    return ""


class Sheet:
    """A table of a page: a row for each item, with a cell for each column.

    Cells are made when they are looked at: a long list never is in memory as cells.

    Attributes:
        name: part of its address as CSV and of its id in the page.
        title: what it says; its caption.
        columns: the first of them names the row.
        items: what each row is about.
        colour: a dot and bars in a colour: seg-1 to seg-10 of a segment, or is-passed,
            is-warning, is-failed, is-open of a verdict (which a cell says in words).
        href: where the name of the row leads.
        dagster: where it leads below the address of Dagster's pages, when there are any.
        empty: the sentence that stands in its place when it has no rows.
        only_in_csv: names of columns that a long table has in its CSV alone.
    """

    def __init__(
        self,
        name: str,
        title: str,
        columns: Sequence[Column[T]],
        items: Sequence[T],
        *,
        colour: Callable[[T], str] = _nothing,
        href: Callable[[T], str] = _nothing,
        dagster: Callable[[T], str] = _nothing,
        empty: str = "There is nothing here yet.",
        only_in_csv: Collection[str] = (),
    ) -> None:
        self.name, self.title, self.empty = name, title, empty
        self.columns: Sequence[Column[Any]] = columns
        self.items: Sequence[Any] = items
        self.colour: Callable[[Any], str] = colour
        self.href: Callable[[Any], str] = href
        self.dagster: Callable[[Any], str] = dagster
        self.shown_columns = [one for one in self.columns if one.name not in only_in_csv]

    def csv_lines(self) -> Iterator[str]:
        """The sheet as CSV: full values, empty where there is none."""
        yield csv_text([[cell(column.name) for column in self.columns]])
        for start in range(0, len(self.items), _ROWS_AT_A_TIME):
            items = self.items[start : start + _ROWS_AT_A_TIME]
            yield csv_text([[cell(c.cell(item).value) for c in self.columns] for item in items])


def left_out(which: str, shown: int, there_are: int) -> str:
    """The sentence on the rows that are in the CSV alone: which of them are shown; '' if all are.

    >>> left_out("latest", 100, 120), left_out("latest", 3, 3)
    ('The latest 100 of 120; the CSV has all of them.', '')
    """
    if shown == there_are:
        return ""
    return f"The {which} {grouped(shown)} of {grouped(there_are)}; the CSV has all of them."


def bar_width(shown: Cell) -> str:
    """The length of the small bar of a share, from 0.0% to 100.0%.

    >>> [bar_width(Cell("", "", value)) for value in ("0.471", "1.5", None)]
    ['47.1%', '100.0%', '0.0%']
    """
    share = 100 * Decimal(shown.value or 0)
    return f"{min(max(share, Decimal(0)), Decimal(100)):.1f}%"
