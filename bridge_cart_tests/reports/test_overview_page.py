"""Each figure on the overview is what SQL says, and each missing one says why."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.reports.overview.charts import revenue_chart
from bridge_cart_assets.reports.overview.queries import RevenueWeek
from bridge_cart_assets.tables.gold import KPIS_DAILY, SEGMENT_METRICS, TABLES
from bridge_cart_tests.reports.catalogues import (
    AS_OF,
    Row,
    kpi_day,
    segment_versions,
    shop,
    write_catalogue,
)
from bridge_cart_tests.reports.conftest import Ask, browse
from bridge_cart_tests.reports.markup import Markup, first_of, text, values

KPIS = ["customers_total", "revenue_90d", "aov_90d", "churn_rate_90d", "repeat_purchase_rate"]
RATES = {"churn_rate_90d", "repeat_purchase_rate"}
CLV_ON = """
    SELECT sum(customers * CAST(avg_clv AS DOUBLE)) / sum(customers) FROM gold.segment_metrics
    WHERE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)
"""


def opened(path: Path, gold: Mapping[str, Iterable[Row]]) -> Markup:
    response = browse(write_catalogue(path / "c.duckdb", gold)).get("/")
    assert response.status_code == 200
    return Markup(response.text)


def test_the_header_says_how_fresh_the_data_is(page: Markup) -> None:
    (fresh,) = page.all(".//p[@class='fresh']")
    assert [text(span) for span in fresh.findall("span")] == [
        "Data up to 2024-07-28",
        "Last run 2024-07-29 10:48 UTC",
    ]
    times = [time.get("datetime") for time in fresh.iter("time")]
    assert times == ["2024-07-28", "2024-07-29T10:48:12Z"]


@pytest.mark.parametrize("name", KPIS)
def test_a_kpi_is_the_value_of_the_latest_day(page: Markup, ask: Ask, name: str) -> None:
    ((now,),) = ask(f"SELECT {name} FROM gold.kpis_daily WHERE day = $1", AS_OF)
    ((before,),) = ask(f"SELECT {name} FROM gold.kpis_daily WHERE day = $1 - 28", AS_OF)
    assert values(page[f"kpi-{name}"]) == [str(now), str(before)]


def test_the_average_clv_is_that_of_customer_value(page: Markup, ask: Ask) -> None:
    ((now,),) = ask("SELECT CAST(avg(historic_clv) AS DOUBLE) FROM gold.customer_value")
    ((before,),) = ask(CLV_ON, AS_OF - timedelta(days=28))
    assert values(page["kpi-historic_clv"]) == [str(now), str(before)]


@pytest.mark.parametrize("name", [*KPIS, "historic_clv"])
def test_a_change_is_the_difference_to_28_days_before(page: Markup, name: str) -> None:
    now, before = (Decimal(value or "") for value in values(page[f"kpi-{name}"]))
    points = name in RATES
    change = 100 * (now - before) if points else 100 * (now / before - 1)
    verdict = "better" if (change > 0) != (name == "churn_rate_90d") else "worse"
    unit = " points" if points else "%"
    direction = "up" if change > 0 else "down"
    said = text(first_of(page[f"kpi-{name}"], "./p[@class='change']/span"))
    assert said == f"{direction} {abs(change):.1f}{unit} {verdict}"


def test_a_rise_of_churn_is_worse_in_word_and_colour(tmp_path: Path) -> None:
    gold = shop()
    gold["kpis_daily"][-1] = {**gold["kpis_daily"][-1], "churn_rate_90d": 0.9}
    kpi = opened(tmp_path, gold)["kpi-churn_rate_90d"]
    said = first_of(kpi, "./p[@class='change']/span")
    assert said.get("class") == "worse"
    assert text(said).startswith("up ")
    assert text(said).endswith(" worse")


def test_every_kpi_has_a_sparkline_of_the_period_with_every_second_day(page: Markup) -> None:
    for name in [*KPIS, "historic_clv"]:
        (spark,) = page[f"kpi-{name}"].findall("svg")
        assert "over the last 180 days" in spark.get("aria-label", "")
        line = first_of(spark, "path[@class='line']").get("d", "")
        assert line.count(",") == (61 if name == "churn_rate_90d" else 90)  # none before day 90


def test_the_segment_table_has_the_current_versions_biggest_share_first(
    page: Markup, ask: Ask
) -> None:
    rows = [
        (text(first_of(row, "th")), *values(row))
        for row in page["segments-table"].findall("tbody/tr")
    ]
    expected = ask(
        "SELECT segment_name, customers, segment_contribution, avg_clv, aov, churn_rate "
        "FROM gold.segment_metrics WHERE is_current ORDER BY segment_contribution DESC"
    )
    assert rows == [(name, *map(str, figures)) for name, *figures in expected]
    assert len(rows) == 4


def test_share_bars_are_as_long_as_the_shares(page: Markup) -> None:
    for row in page["segments-table"].findall("tbody/tr"):
        share = Decimal(values(row)[1] or "")
        bar = first_of(row, ".//rect[@class='fill']").get("width")
        assert bar == f"{100 * share:.1f}%"


def test_a_segment_has_the_colour_of_its_id_whatever_its_rank(tmp_path: Path) -> None:
    gold = shop(segments=(3, 1))
    colours = [
        row.get("class") for row in opened(tmp_path, gold)["segments-table"].findall("tbody/tr")
    ]
    assert colours == ["seg-1", "seg-3"]


def test_churn_is_read_from_the_version_that_was_valid_on_each_day(page: Markup, ask: Ask) -> None:
    table = page["churn-table"]
    names = [text(th) for th in table.findall("thead/tr/th")][1:]
    assert names == ["Occasional", "Regular", "Growth", "High-Value"]
    rows = table.findall("tbody/tr")
    days = [date.fromisoformat(text(first_of(row, "th"))) for row in rows]
    assert days == [AS_OF - timedelta(weeks=week) for week in range(27)]
    for day, row in zip(days, rows, strict=True):
        expected: dict[str, float] = dict(
            ask(
                "SELECT segment_name, churn_rate FROM gold.segment_metrics "
                "WHERE valid_from <= $1 AND coalesce(valid_to, DATE '9999-12-31') > $1",
                day,
            )
        )
        assert values(row) == [str(expected[name]) for name in names]


def test_revenue_is_summed_over_full_weeks_counted_back_from_as_of(page: Markup, ask: Ask) -> None:
    rows = page["revenue-table"].findall("tbody/tr")
    assert len(rows) == 26
    for week, row in enumerate(rows):
        end = AS_OF - timedelta(weeks=week)
        assert text(first_of(row, "th")) == end.isoformat()
        (sums,) = ask(
            "SELECT sum(revenue_returning), sum(revenue_new), sum(revenue) FROM gold.kpis_daily "
            "WHERE day BETWEEN $1 - 6 AND $1",
            end,
        )
        assert values(row) == list(map(str, sums))


@pytest.mark.parametrize("name", ["churn", "revenue"])
def test_a_chart_draws_what_its_table_says(page: Markup, name: str) -> None:
    figures = json.loads(page[f"{name}-figures"].text or "")
    rows = page[f"{name}-table"].findall("tbody/tr")[::-1]
    assert figures["days"] == [text(first_of(row, "th")) for row in rows]
    for i, series in enumerate(figures["series"]):
        assert series["values"] == [float(values(row)[i] or "nan") for row in rows]
    assert page[f"{name}-chart"].get("data-figures") == f"{name}-figures"


def test_a_long_history_has_bars_of_some_weeks_that_add_up(tmp_path: Path) -> None:
    path = write_catalogue(tmp_path / "c.duckdb", shop(days=1500))
    html = browse(path).get("/?period=all").text
    assert len(html) < 150_000
    page = Markup(html)
    assert text(page["revenue-title"]) == "Revenue by 3 weeks"
    rows = page["revenue-table"].findall("tbody/tr")
    assert len(rows) == 71
    assert [text(first_of(row, "th")) for row in rows[:2]] == ["2024-07-28", "2024-07-07"]
    expected = sum(kpi_day(AS_OF, 1499 - back)["revenue"] for back in range(21))
    assert values(rows[0])[-1] == str(expected)


def test_the_week_is_three_sentences(page: Markup, ask: Ask) -> None:
    week = [text(li) for li in page.all(".//section[@aria-labelledby='week-title']/ul/li")]
    sums = (
        "SELECT CAST(sum(revenue) AS DOUBLE) FROM gold.kpis_daily WHERE day BETWEEN $1 - 6 AND $1"
    )
    ((now,),), ((before,),) = ask(sums, AS_OF), ask(sums, AS_OF - timedelta(days=7))
    churn = "SELECT 100 * churn_rate_90d FROM gold.kpis_daily WHERE day = $1"
    ((rate,),), ((rate_before,),) = ask(churn, AS_OF), ask(churn, AS_OF - timedelta(days=7))
    ((size,),) = ask(
        "SELECT customers FROM gold.segment_metrics WHERE is_current AND segment_id = 1"
    )
    assert week == [
        f"The last seven days brought {now / 1000:.1f}k in revenue, "
        f"{100 * abs(now / before - 1):.1f}% {'more' if now > before else 'less'} "
        f"than the seven before ({before / 1000:.1f}k).",
        f"Churn {'rose' if rate > rate_before else 'fell'} by {abs(rate - rate_before):.1f} "
        f"points to {rate:.1f}%.",
        f"High-Value gained most: 7 customers, now {size}.",
    ]


def forecast_row(back: int, spent: str | None, held: bool | None, interval: str = "80 %") -> Row:
    day = AS_OF - timedelta(days=back)
    return {
        "forecast_from": day,
        "horizon_days": 90,
        "until": day + timedelta(days=90),
        "expected": Decimal("25200.00"),
        "low": None if interval != "80 %" else Decimal("19800.00"),
        "high": None if interval != "80 %" else Decimal("31400.00"),
        "spent": None if spent is None else Decimal(spent),
        "is_within": held,
        "interval": interval,
    }


def test_the_next_90_days_stand_beside_what_earlier_forecasts_said(tmp_path: Path) -> None:
    rows = [
        forecast_row(0, None, None),
        {**forecast_row(0, None, None), "horizon_days": 365},
        forecast_row(90, "26000.00", True),
        forecast_row(180, "17000.00", False),
        forecast_row(270, "25000.00", None, "none: why"),
    ]
    page = opened(tmp_path, {**shop(), "spend_forecast": rows})
    (card,) = page.all(".//section[@aria-labelledby='spend-title']")
    until = AS_OF + timedelta(days=90)
    assert text(first_of(card, ".//p[@class='sub']")) == (
        f"Those who have bought so far are expected to spend 25.2k up to {until}. Four of five "
        "such forecasts come true between 19.8k and 31.4k. So did 1 of the 2 earlier ones that "
        "can be judged."
    )
    verdicts = [text(row.findall("td")[-1]) for row in card.iter("tr") if row.findall("td")]
    assert len(verdicts) == 4
    assert verdicts[1:3] == ["yes", "no"]
    assert "these days are still to come" in verdicts[0]
    assert "there was no earlier forecast" in verdicts[3]


def test_a_forecast_without_an_interval_says_why(tmp_path: Path) -> None:
    rows = [forecast_row(0, None, None, "none: no forecast can be judged")]
    page = opened(tmp_path, {**shop(), "spend_forecast": rows})
    (card,) = page.all(".//section[@aria-labelledby='spend-title']")
    said = text(first_of(card, ".//p[@class='sub']"))
    assert said.endswith("may be off is not known: no forecast can be judged.")


def test_every_table_of_the_catalogue_can_be_downloaded(page: Markup, client: TestClient) -> None:
    links = [a.get("href", "") for a in page["export-table"].iter("a")]
    assert links == [f"/export/{table.name}.csv" for table in TABLES]
    assert {client.get(link).status_code for link in links} == {200}


def test_before_the_first_run_the_page_says_what_to_run(tmp_path: Path) -> None:
    response = browse(tmp_path / "none.duckdb").get("/")
    assert response.status_code == 200
    assert "make demo" in response.text
    assert "bridge-cart run" in response.text


def test_a_catalogue_without_sales_says_so(tmp_path: Path) -> None:
    page = opened(tmp_path, {})
    (heading,) = page.all(".//h1")
    assert text(heading) == "No sales yet"


def test_a_catalogue_without_the_tables_of_the_page_counts_as_without_sales(tmp_path: Path) -> None:
    path = write_catalogue(tmp_path / "c.duckdb", {}, tables=(), run=None)
    response = browse(path).get("/")
    assert response.status_code == 200
    assert "No sales yet" in response.text


def test_one_day_has_figures_but_nothing_to_compare_them_with(tmp_path: Path) -> None:
    page = opened(tmp_path, shop(days=1, segments=(1,)))
    assert values(page["kpi-customers_total"]) == ["1200", None]
    assert "no figure for 28 days before" in text(page["kpi-customers_total"])
    assert page["kpi-customers_total"].findall("svg") == []
    assert page.all(".//div[@class='chart']") == []
    assert page.all(".//section[@aria-labelledby='week-title']") == []
    assert len(page["churn-table"].findall("tbody/tr")) == 1
    assert len(page["segments-table"].findall("tbody/tr")) == 1


def test_a_missing_rate_is_a_dash_that_says_why(tmp_path: Path) -> None:
    kpi = opened(tmp_path, shop(days=60))["kpi-churn_rate_90d"]
    missing = first_of(kpi, "./p[@class='now']/span[@class='nothing']")
    assert text(missing).startswith("–")
    assert missing.get("title") == (
        "no customer bought from 180 to 90 days before: none could have left"
    )


def test_customers_without_segments_are_shown_without_segments(tmp_path: Path) -> None:
    page = opened(tmp_path, shop(segments=()))
    assert page.all(".//table[@class='segments']") == []
    assert "No segments yet" in text(page.root)
    assert values(page["kpi-historic_clv"])[0] is not None
    assert values(page["kpi-historic_clv"])[1] is None


def test_one_segment_has_a_plain_headline(tmp_path: Path) -> None:
    assert text(opened(tmp_path, shop(segments=(1,)))["churn-title"]) == "Churn by segment"


def test_a_retired_segment_ends_in_the_chart_and_is_not_in_the_table(tmp_path: Path) -> None:
    gold = shop()
    days = [AS_OF - timedelta(days=back) for back in range(210, 34, -1)]
    retired = [dict(version) for version in segment_versions(5, days)]
    retired[-1] |= {"valid_to": AS_OF - timedelta(days=34), "is_current": False}
    gold["segment_metrics"] = [*gold["segment_metrics"], *retired]
    page = opened(tmp_path, gold)
    assert len(page["segments-table"].findall("tbody/tr")) == 4
    figures = json.loads(page["churn-figures"].text or "")
    (line,) = [series for series in figures["series"] if series["name"] == "Segment 5"]
    assert line["values"][-5:] == [None] * 5
    assert None not in line["values"][:-5]


def test_a_renamed_segment_has_its_latest_name_all_along(tmp_path: Path) -> None:
    gold = shop()
    gold["segment_metrics"] = [
        row if row["is_current"] else {**row, "segment_name": f"old {row['segment_name']}"}
        for row in gold["segment_metrics"]
    ]
    columns = opened(tmp_path, gold)["churn-table"].findall("thead/tr/th")
    assert [text(th) for th in columns[1:]] == ["Occasional", "Regular", "Growth", "High-Value"]


def test_an_unchanged_kpi_is_neither_better_nor_worse(tmp_path: Path) -> None:
    gold = shop(days=40)
    for number, row in enumerate(gold["kpis_daily"]):
        gold["kpis_daily"][number] = {**row, "customers_total": 500}
    kpi = opened(tmp_path, gold)["kpi-customers_total"]
    assert text(first_of(kpi, "./p[@class='change']/span")) == "level 0.0% unchanged"


def test_names_from_the_data_are_text_and_never_markup(tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    gold = shop(days=30)
    gold["segment_metrics"] = [{**row, "segment_name": evil} for row in gold["segment_metrics"]]
    path = write_catalogue(tmp_path / "c.duckdb", gold)
    html = browse(path).get("/").text
    assert "<img" not in html
    figures = json.loads(Markup(html)["churn-figures"].text or "")
    assert {series["name"] for series in figures["series"]} == {evil}


def test_the_latest_day_is_that_of_the_kpis(tmp_path: Path) -> None:
    gold = shop(days=3)
    gold["kpis_daily"] = gold["kpis_daily"][::-1]
    number = kpi_day(AS_OF, 2)["customers_total"]
    assert values(opened(tmp_path, gold)["kpi-customers_total"])[0] == str(number)


def test_the_figures_are_explained_as_their_tables_declare_them(page: Markup) -> None:
    terms = [text(dt) for dt in page["meanings"].findall("dt")]
    meanings = [text(dd) for dd in page["meanings"].findall("dd")]
    assert len(terms) == len(meanings) == 10
    explained = dict(zip(terms, meanings, strict=True))
    assert explained["Churn rate, 90 days"] == KPIS_DAILY.meaning("churn_rate_90d")
    assert explained["AOV of a segment"] == SEGMENT_METRICS.meaning("aov")


def test_weeks_without_revenue_are_a_sentence_and_no_empty_axis() -> None:
    weeks = [
        RevenueWeek(AS_OF - timedelta(days=7 * n), Decimal(0), Decimal(0), 0) for n in range(3)
    ]
    chart = revenue_chart(weeks)
    assert chart.figures is None
    assert chart.too_little == "Nothing was sold in this period: choose a longer one."
    assert len(chart.sheet.items) == 3
