"""The tables of a page: declared once, shown as HTML and written as CSV.

Belongs here: columns, rows and cells. Does not belong here: whole gold tables (see `export`),
number formats (see `formatting`), or HTML (see templates/tables.html).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar, overload

from bridge_cart_assets.reports.export import cell, csv_text
from bridge_cart_assets.reports.formatting import Cell, count, day, words

T = TypeVar("T")

Kind = Literal["number", "text", "day"]
_ROWS_AT_A_TIME = 500


@dataclass(frozen=True)
class Heading:
    """What stands above a column of a sheet.

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
class Column(Generic[T]):
    """A column of a sheet: its heading, and how its cell is made of what the row is about.

    Attributes:
        name, title, kind, meaning, bar: see `Heading`.
        cell: makes the cell of a row.
    """

    name: str
    title: str
    cell: Callable[[T], Cell]
    kind: Kind = "number"
    meaning: str = ""
    bar: bool = False

    @property
    def heading(self) -> Heading:
        """The heading."""
        return Heading(self.name, self.title, self.kind, self.meaning, self.bar)


def text_column(name: str, title: str, meaning: str = "") -> Column[Any]:
    """A column of the texts that the items have as the attribute `name`."""
    return Column(name, title, lambda item: words(getattr(item, name)), "text", meaning)


def count_column(name: str, title: str, meaning: str = "") -> Column[Any]:
    """A column of the counts that the items have as the attribute `name`."""
    return Column(name, title, lambda item: count(getattr(item, name)), "number", meaning)


def day_column(name: str, title: str, meaning: str = "") -> Column[Any]:
    """A column of the days that the items have as the attribute `name`."""
    return Column(name, title, lambda item: day(getattr(item, name)), "day", meaning)


@dataclass(frozen=True)
class Row:
    """A row of a sheet: one cell per column, the first of them names the row.

    Attributes:
        cells: the figures.
        colour: a dot and bars in a colour: seg-1 to seg-10 of a segment, or is-passed,
            is-warning, is-failed, is-open of a verdict (which a cell says in words).
        href: where the name of the row leads.
        dagster: where it leads below the address of Dagster's pages, when there are any.
    """

    cells: tuple[Cell, ...]
    colour: str = ""
    href: str = ""
    dagster: str = ""


class MadeRows(Sequence[Row]):
    """Rows that are made when they are looked at: a long list never is in memory as cells."""

    def __init__(self, items: Sequence[T], make: Callable[[T], Row]) -> None:
        """Take what each row is made of, and how."""
        self._rows: Callable[[int], Row] = lambda index: make(items[index])
        self._length = len(items)

    def __len__(self) -> int:
        """How many rows there are."""
        return self._length

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        """One row, or some of them."""
        if isinstance(index, slice):
            return tuple(self._rows(i) for i in range(*index.indices(self._length)))
        return self._rows(index)


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
    columns: tuple[Heading, ...]
    rows: Sequence[Row]
    empty: str = "There is nothing here yet."

    def csv_lines(self) -> Iterator[str]:
        """The sheet as CSV: full values, empty where there is none."""
        yield csv_text([[cell(column.name) for column in self.columns]])
        for start in range(0, len(self.rows), _ROWS_AT_A_TIME):
            rows = self.rows[start : start + _ROWS_AT_A_TIME]
            yield csv_text([[cell(shown.value) for shown in row.cells] for row in rows])


def sheet_of(
    name: str,
    title: str,
    columns: Sequence[Column[T]],
    items: Sequence[T],
    *,
    colour: Callable[[T], str] = lambda item: "",
    href: Callable[[T], str] = lambda item: "",
    dagster: Callable[[T], str] = lambda item: "",
    empty: str = Sheet.empty,
) -> Sheet:
    """A sheet with a row for each item; see `Row` for what colour, href and dagster are."""
    return Sheet(
        name,
        title,
        tuple(column.heading for column in columns),
        tuple(
            Row(
                tuple(column.cell(item) for column in columns),
                colour(item),
                href(item),
                dagster(item),
            )
            for item in items
        ),
        empty,
    )


def bar_width(shown: Cell) -> str:
    """The length of the small bar of a share, from 0.0% to 100.0%.

    >>> [bar_width(Cell("", "", value)) for value in ("0.471", "1.5", None)]
    ['47.1%', '100.0%', '0.0%']
    """
    share = 100 * Decimal(shown.value or 0)
    return f"{min(max(share, Decimal(0)), Decimal(100)):.1f}%"
