"""A page's tables: the same figures as HTML and as CSV."""

import csv
import doctest
import io
from datetime import date
from types import SimpleNamespace

import httpx2
import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.reports import tables
from bridge_cart_assets.reports.formatting import Cell, count, day, nothing, percent, words
from bridge_cart_assets.reports.tables import Column, Sheet, column
from bridge_cart_assets.tables.gold import SALES_DAILY
from bridge_cart_tests.reports.markup import Markup, first_of, text, values


def rows_of(response: httpx2.Response) -> list[list[str]]:
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(response.text, newline="")))


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(tables).failed == 0


def test_csv_has_full_values_and_defused_texts() -> None:
    columns: tuple[Column[tuple[Cell, ...]], ...] = (
        Column("name", "Name", lambda row: row[0], "text"),
        Column("n", "N", lambda row: row[1]),
        Column("share", "Share", lambda row: row[2]),
    )
    rows = (
        (words("=1+1"), count(12_345), percent(0.123456789)),
        (words('a,"b"'), count(-3), nothing("no sale")),
    )
    lines = "".join(Sheet("s", "S", columns, rows).csv_lines())
    assert list(csv.reader(io.StringIO(lines, newline=""))) == [
        ["name", "n", "share"],
        ["'=1+1", "12345", "0.123456789"],
        ['a,"b"', "-3", ""],
    ]


def test_a_column_shows_an_attribute_or_what_is_made_of_the_item() -> None:
    sold = SimpleNamespace(day=date(2024, 5, 1), revenue=None, part=SimpleNamespace(lines=3))
    columns = (
        column("day", "Day", day),
        column("revenue", "Revenue", percent, SALES_DAILY, "nothing was sold"),
        column("lines", "Lines", count, "How many", of="part.lines"),
        column("twice", "Twice", words, of=lambda item: f"2 x {item.part.lines}"),
    )
    assert [c.kind for c in columns] == ["day", "number", "number", "text"]
    assert [c.meaning for c in columns] == ["", SALES_DAILY.meaning("revenue"), "How many", ""]
    cells = [c.cell(sold) for c in columns]
    assert cells == [
        day(date(2024, 5, 1)),
        nothing("nothing was sold"),
        count(3),
        words("2 x 3"),
    ]


def test_cells_are_made_when_they_are_looked_at() -> None:
    made: list[int] = []

    def cell(n: int) -> Cell:
        made.append(n)
        return count(n)

    sheet = Sheet("s", "S", [Column("n", "N", cell)], range(1200))
    lines = sheet.csv_lines()
    assert len(sheet.items) == 1200
    assert next(lines) == "n\r\n"
    assert made == []
    assert next(lines).splitlines() == [str(n) for n in range(500)]
    assert made == list(range(500))


@pytest.mark.parametrize("name", ["segments", "churn", "revenue"])
def test_every_table_of_a_page_comes_as_csv_with_the_same_figures(
    site: TestClient, name: str
) -> None:
    page = Markup(site.get("/?period=30d").text)
    table = page[f"{name}-table"]
    (link,) = [
        a.get("href", "")
        for a in page.all(".//a[@class='csv']")
        if a.get("href", "").startswith(f"/export/overview/{name}.csv")
    ]
    assert link.endswith("?period=30d")
    response = site.get(link)
    _, *rows = rows_of(response)
    assert response.headers["content-disposition"] == (
        f'attachment; filename="overview-{name}.csv"'
    )
    assert [row[0] for row in rows] == [
        text(first_of(tr, "th")) for tr in table.findall("tbody/tr")
    ]
    shown = [[value or "" for value in values(tr)] for tr in table.findall("tbody/tr")]
    assert [row[1:] for row in rows] == shown


def test_filters_and_the_variable_part_of_the_address_reach_the_csv(site: TestClient) -> None:
    assert rows_of(site.get("/export/countries/countries.csv?category=Toys&country=DE")) == [
        ["country", "customers"],
        ["DE", "2"],
    ]
    page = Markup(site.get("/customers/C1").text)
    link = page.all(".//a[@class='csv']")[0].get("href", "")
    assert link == "/export/customer/countries.csv?customer_id=C1"
    assert rows_of(site.get(link))[1] == ["'=US", "4"]
    assert site.get("/export/customer/countries.csv?customer_id=C2").status_code == 404
    assert site.get("/export/customer/countries.csv").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/export/overview/nothing.csv", 404),
        ("/export/nowhere/segments.csv", 404),
        ("/export/overview/SEGMENTS.csv", 404),
        ("/export/overview/..%2Fsegments.csv", 404),
        ("/export/overview/segments.csv?country='--", 400),
        ("/export/overview/segments.csv?wat=1", 400),
    ],
)
def test_other_tables_are_not_found_and_unknown_filters_refused(
    site: TestClient, path: str, status: int
) -> None:
    assert site.get(path).status_code == status


def test_tables_have_captions_and_charts_have_tables(site: TestClient) -> None:
    page = Markup(site.get("/flows").text)
    tables = [table for table in page.all(".//table") if table.get("id") != "export-table"]
    # Of the two charts, of the segments, and of what was sold to whom.
    assert len(tables) == 4
    assert all(text(first_of(table, "caption")) for table in tables)
    assert len(page.all(".//div[@class='chart']")) == 2
