"""Each figure on the retention page is what SQL says, and each missing one says why."""

import csv
import io
import json
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.reports.retention.cohorts import SHADES
from bridge_cart_assets.tables.gold import KPIS_DAILY
from bridge_cart_tests.reports.catalogues import AS_OF, shop, write_catalogue
from bridge_cart_tests.reports.conftest import browse
from bridge_cart_tests.reports.markup import Markup, first_of, text, values
from bridge_cart_tests.reports.test_look import CSS, contrast, themes

KPIS = ("retention_rate_90d", "nrr_90d", "repeat_purchase_rate")
SHOWN = {"customers": "retention", "revenue": "round(revenue / cohort_size, 2)"}
MEAN = {
    "customers": "sum(active_customers) / sum(cohort_size)",
    "revenue": "round(sum(revenue) / sum(cohort_size), 2)",
}


def month_after(month: str, months: int) -> str:
    number = int(month[:4]) * 12 + int(month[5:]) - 1 + months
    return f"{number // 12}-{number % 12 + 1:02}"


def cohorts(first: str, number: int, last: str = f"{AS_OF:%Y-%m}") -> list[dict[str, Any]]:
    """So many cohorts from a month on, each with its months up to `last`, which goes on."""
    return [
        {
            "cohort_month": (month := month_after(first, cohort)),
            "month_index": index,
            "cohort_size": (size := 100 + 10 * cohort),
            "active_customers": (active := size if not index else 40 + 3 * cohort - 4 * index),
            "retention": active / size,
            "revenue": Decimal(active * 4711 + cohort) / 100,
            "is_complete": month_after(month, index) < last,
        }
        for cohort in range(number)
        for index in range(40)
        if month_after(month_after(first, cohort), index) <= last
    ]


def gold(rows: Sequence[dict[str, Any]], days: int = 211) -> dict[str, Any]:
    tables: dict[str, Any] = shop(days=days)
    for number, row in enumerate(tables["kpis_daily"]):
        base = number >= 90
        row["retention_rate_90d"] = 0.5 - number / 3000 if base else None
        row["nrr_90d"] = 0.6 + number / 1000 if base else None
    return {**tables, "cohort_retention": rows}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retention")
    return write_catalogue(folder / "c.duckdb", gold(cohorts("2024-01", 7)))


@pytest.fixture(scope="module")
def client(path: Path) -> TestClient:
    return browse(path)


def asked(path: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql, list(parameters)).fetchall()


def opened(client: TestClient, query: str = "") -> Markup:
    response = client.get(f"/retention{query}")
    assert response.status_code == 200
    assert len(response.content) < 150_000
    return Markup(response.text)


def of(folder: Path, rows: Sequence[dict[str, Any]], query: str = "", days: int = 211) -> Markup:
    path = write_catalogue(folder / "other.duckdb", gold(rows, days))
    return opened(browse(path), query)


def table(page: Markup, name: str) -> list[list[str | None]]:
    return [
        [text(first_of(row, "th")), *values(row)]
        for row in page[f"{name}-table"].findall("tbody/tr")
    ]


def exported(client: TestClient, name: str, query: str = "") -> list[dict[str, str]]:
    response = client.get(f"/export/retention/{name}.csv{query}")
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.text.removeprefix("\ufeff"))))


@pytest.mark.parametrize("name", KPIS)
def test_a_kpi_is_the_value_of_the_latest_day_and_of_28_days_before(
    client: TestClient, path: Path, name: str
) -> None:
    page = opened(client)
    ((now,),) = asked(path, f"SELECT {name} FROM gold.kpis_daily WHERE day = $1", AS_OF)
    ((then,),) = asked(path, f"SELECT {name} FROM gold.kpis_daily WHERE day = $1 - 28", AS_OF)
    assert values(page[f"kpi-{name}"]) == [str(now), str(then)]
    said = text(first_of(page[f"kpi-{name}"], "./p[@class='change']/span"))
    verdict = "up {} points better" if now > then else "down {} points worse"
    assert said == verdict.format(f"{abs(100 * (now - then)):.1f}")
    assert KPIS_DAILY.meaning(name) in text(page["meanings"])


@pytest.mark.parametrize("measure", SHOWN)
def test_the_table_has_every_cohort_of_the_period_month_by_month(
    client: TestClient, path: Path, measure: str
) -> None:
    expected = asked(
        path,
        f"""
        SELECT cohort_month, any_value(cohort_size), list({SHOWN[measure]} ORDER BY month_index)
        FROM gold.cohort_retention WHERE cohort_month >= '2024-01'
        GROUP BY cohort_month ORDER BY cohort_month
        """,
    )
    found = table(opened(client, f"?of={measure}&period=all"), "cohorts")
    assert [(row[0], row[1]) for row in found] == [(month, str(n)) for month, n, _ in expected]
    for (_, _, *shown), (_, _, computed) in zip(found, expected, strict=True):
        assert [float(value or "nan") for value in shown] == pytest.approx(computed, abs=1e-9)


def test_the_period_decides_which_cohorts_there_are(client: TestClient) -> None:
    assert [row[0] for row in table(opened(client, "?period=30d"), "cohorts")] == [
        "2024-06",
        "2024-07",
    ]
    assert len(table(opened(client, "?period=90d"), "cohorts")) == 4


@pytest.mark.parametrize("measure", SHOWN)
def test_the_heatmap_draws_the_table_from_month_1_on(client: TestClient, measure: str) -> None:
    page = opened(client, f"?of={measure}&period=all")
    figures = json.loads(page["cohorts-figures"].text or "")
    rows = table(page, "cohorts")
    assert figures["rows"] == [row[0] for row in rows][:-1]  # the latest has only its month 0
    assert figures["columns"] == ["1", "2", "3", "4", "5", "6"]
    for drawn, (_, _, _, *shown) in zip(figures["values"], rows, strict=False):
        assert drawn == [*(float(v or "nan") for v in shown), *[None] * (6 - len(shown))]


def test_a_month_that_goes_on_has_an_asterisk_and_the_page_says_what_it_means(
    client: TestClient,
) -> None:
    page = opened(client, "?period=all")
    assert "* 2024-07 has not ended: these figures still grow." in text(page.root)
    marked = [
        [text(cell).endswith("*") for cell in row.findall("td")[1:] if text(cell)]
        for row in page["cohorts-table"].findall("tbody/tr")
    ]
    assert [row.index(True) for row in marked] == [6, 5, 4, 3, 2, 1, 0]
    assert all(row.count(True) == 1 for row in marked)
    unfinished = json.loads(page["cohorts-figures"].text or "")["unfinished"]
    assert unfinished == [[row, 5 - row] for row in range(6)]


def test_fields_are_shaded_in_equal_steps_up_to_the_highest(client: TestClient) -> None:
    page = opened(client, "?period=all")
    cells = [
        (float(values(cell)[0] or "nan"), cell.get("class"))
        for row in page["cohorts-table"].findall("tbody/tr")
        for cell in row.findall("td")[2:]
        if values(cell)
    ]
    most = max(value for value, _ in cells)
    for value, shade in cells:
        assert shade == f"shade-{min(int(SHADES * value / most), SHADES - 1)}"
    firsts = [row.findall("td")[1] for row in page["cohorts-table"].findall("tbody/tr")]
    assert {cell.get("class") for cell in firsts} == {None}
    assert " style=" not in client.get("/retention").text


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_figures_stand_out_from_every_shade(theme: str) -> None:
    colours = themes()[theme]
    rules = re.findall(r"\.cohorts \.shade-(\d) \{(.*?)\}", CSS)
    assert [int(shade) for shade, _ in rules] == list(range(SHADES))
    wash, accent = (
        [int(colours[name][i : i + 2], 16) for i in (1, 3, 5)] for name in ("accent-wash", "accent")
    )
    for _, rule in rules:
        mixed = re.search(r"(\d+)%", rule)
        share = int(mixed[1]) if mixed else 100 * ("accent-wash" not in rule)
        ground = "#" + "".join(
            f"{round(low + (high - low) * share / 100):02x}"
            for low, high in zip(wash, accent, strict=True)
        )
        ink = colours["surface" if "color: var(--surface)" in rule else "ink"]
        assert contrast(ground, ink) >= 4.5


@pytest.mark.parametrize("measure", MEAN)
@pytest.mark.parametrize("period", ["all", "90d"])
def test_the_curve_is_the_weighted_mean_of_months_that_have_ended(
    client: TestClient, path: Path, measure: str, period: str
) -> None:
    page = opened(client, f"?of={measure}&period={period}")
    expected = asked(
        path,
        f"""
        SELECT month_index, {MEAN[measure]}, sum(cohort_size), count(*)
        FROM gold.cohort_retention
        WHERE is_complete AND month_index > 0 AND cohort_month >= $1
        GROUP BY month_index ORDER BY month_index
        """,
        {"all": "2024-01", "90d": "2024-04"}[period],
    )
    found = [
        [float(value or "nan") for value in values(row)]
        for row in page["curve-table"].findall("tbody/tr")
    ]
    assert [[index, mean, n, many] for index, mean, _, n, many in found] == [
        pytest.approx([float(value) for value in row]) for row in expected
    ]
    figures = json.loads(page["curve-figures"].text or "")
    assert figures["steps"] == [row[0] for row in expected]
    assert figures["series"][0]["values"] == [mean for _, mean, *_ in found]


def test_the_sentences_are_made_of_the_figures(client: TestClient, path: Path) -> None:
    page = opened(client, "?period=all")
    mean = "SELECT 100 * sum(active_customers) / sum(cohort_size) FROM gold.cohort_retention"
    one, three = (
        asked(path, f"{mean} WHERE is_complete AND month_index = $1", index)[0][0]
        for index in (1, 3)
    )
    assert text(page["curve-title"]) == (
        f"{one:.1f}% of new customers buy in the month after their first purchase, "
        f"{three:.1f}% in month 3"
    )
    ((latest,),) = asked(
        path,
        "SELECT 100 * retention FROM gold.cohort_retention "
        "WHERE cohort_month = '2024-05' AND month_index = 1",
    )
    assert (
        f"Of those new in 2024-05, {latest:.1f}% bought in the month after: "
        f"{one - latest:.1f} points below all cohorts together."
    ) in text(page.root)
    assert text(page["cohorts-title"]) == (
        f"One month later: best cohort 2024-01 (36.0%), weakest 2024-05 ({latest:.1f}%)"
    )
    revenue = opened(client, "?period=all&of=revenue")
    ((brought,),) = asked(
        path,
        "SELECT sum(revenue) / sum(cohort_size) FROM gold.cohort_retention "
        "WHERE is_complete AND month_index = 1",
    )
    assert text(revenue["curve-title"]).startswith(f"A new customer brings {brought:.1f} in the")


def test_at_most_24_cohorts_are_shown_and_all_are_in_the_csv(tmp_path: Path) -> None:
    rows = cohorts("2021-07", 37)
    path = write_catalogue(tmp_path / "c.duckdb", gold(rows, days=1100))
    client = browse(path)
    page = opened(client, "?period=all")
    shown = [row[0] for row in table(page, "cohorts")]
    assert shown == [month_after("2022-08", n) for n in range(24)]
    assert "The latest 24 cohorts of the period; 13 older ones are in the CSV." in text(page.root)
    lines = exported(client, "cohorts", "?period=all")
    assert [line["cohort_month"] for line in lines] == [
        month_after("2021-07", n) for n in range(37)
    ]


def test_each_table_is_exported_as_csv(client: TestClient, path: Path) -> None:
    page = opened(client, "?period=all&of=revenue")
    links = [a.get("href") for a in page.all(".//a[@class='csv']")]
    assert links == [
        "/export/retention/cohorts.csv?period=all&of=revenue",
        "/export/retention/curve.csv?period=all&of=revenue",
    ]
    lines = exported(client, "cohorts", "?period=all&of=revenue")
    assert list(lines[0]) == [
        *("cohort_month", "cohort_size", "complete_months"),
        *(f"month_{n}" for n in range(7)),
    ]
    for line, (month, size, *figures) in zip(lines, table(page, "cohorts"), strict=True):
        assert [line["cohort_month"], line["cohort_size"]] == [month, size]
        assert list(line.values())[3:] == [*figures, *[""] * (7 - len(figures))]
        assert line["complete_months"] == str(len(figures) - 1)
    curve = exported(client, "curve", "?period=all&of=revenue")
    assert [list(line.values()) for line in curve] == [
        values(row) for row in page["curve-table"].findall("tbody/tr")
    ]


def test_filters_that_change_nothing_are_named(tmp_path: Path) -> None:
    tables = gold(cohorts("2024-05", 3))
    tables["customer_features"] = [
        {"customer_id": "C1", "country": "DE", "top_category": "Toys"},
    ]
    client = browse(write_catalogue(tmp_path / "c.duckdb", tables))
    page = opened(client, "?country=DE&category=Toys&segment=1&period=all")
    (note,) = page.all(".//div[@class='notes']/p")
    assert text(note) == (
        "Segment, Country and Top category do not apply here: "
        "cohorts and rates are those of the whole shop."
    )
    assert table(page, "cohorts") == table(opened(client, "?period=all"), "cohorts")


@pytest.mark.parametrize("value", ["nope", "<script>alert(1)</script>", "customers'--", "x" * 900])
def test_a_measure_that_is_not_there_changes_nothing_and_is_named(
    client: TestClient, value: str
) -> None:
    response = client.get("/retention", params={"of": value})
    page = Markup(response.text)
    (warning,) = page.all(".//p[@class='warning']")
    assert "There are: customers (Customers who buy), revenue (Revenue per customer)." in text(
        warning
    )
    assert "<script>alert" not in response.text
    assert table(page, "cohorts") == table(opened(client), "cohorts")
    assert client.get("/export/retention/curve.csv", params={"of": value}).status_code == 400


def test_one_cohort_in_its_own_month_has_nothing_to_draw(tmp_path: Path) -> None:
    page = of(tmp_path, cohorts("2024-07", 1), days=20)
    assert table(page, "cohorts") == [["2024-07", "100", "1.0"]]
    assert "Who comes back can be counted from the month after" in text(page.root)
    assert "A curve needs a cohort with two months" in text(page.root)
    assert page.all(".//div[@class='chart']") == []
    missing = first_of(page["kpi-retention_rate_90d"], ".//span[@class='nothing']")
    assert missing.get("title") == (
        "no customer bought from 180 to 90 days before: none could have stayed"
    )


def test_one_cohort_alone_has_plain_headlines(tmp_path: Path) -> None:
    page = of(tmp_path, cohorts("2024-04", 1))
    assert text(page["cohorts-title"]) == "Customers who buy by cohort"
    assert text(page["curve-title"]).startswith("36.0% of new customers buy")
    assert "Of those new in" not in text(page.root)
    assert len(json.loads(page["curve-figures"].text or "")["steps"]) == 2


def test_without_a_cohort_in_the_period_the_page_says_so(tmp_path: Path) -> None:
    page = of(tmp_path, cohorts("2023-01", 2), "?period=30d")
    assert "There are no cohorts in this period." in text(page.root)
    assert page.all(".//table") == []


def test_when_all_months_have_ended_there_is_no_asterisk(tmp_path: Path) -> None:
    rows = [{**row, "is_complete": True} for row in cohorts("2024-05", 3)]
    page = of(tmp_path, rows)
    assert "*" not in text(page["main"])


def test_a_cohort_without_anybody_who_comes_back_is_shown(tmp_path: Path) -> None:
    rows = cohorts("2024-05", 3)
    for row in rows:
        if row["month_index"]:
            row |= {"active_customers": 0, "retention": 0.0, "revenue": Decimal(0)}
    page = of(tmp_path, rows)
    assert table(page, "cohorts")[0] == ["2024-05", "100", "1.0", "0.0", "0.0"]
    assert text(page["cohorts-title"]) == "Customers who buy by cohort"


def test_a_catalogue_without_sales_says_so(tmp_path: Path) -> None:
    response = browse(write_catalogue(tmp_path / "c.duckdb", {})).get("/retention")
    assert response.status_code == 200
    assert "No sales yet" in response.text


def test_months_are_those_of_the_calendar() -> None:
    assert month_after("2023-11", 3) == "2024-02"
    assert date.fromisoformat(f"{month_after('2024-12', 1)}-01") == date(2025, 1, 1)
