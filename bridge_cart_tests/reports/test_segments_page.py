"""Each figure on the segments page is what SQL says, and each missing one says why."""

import csv
import io
import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from starlette.testclient import TestClient

from bridge_cart_tests.reports.catalogues import AS_OF, NAMES, shop, write_catalogue
from bridge_cart_tests.reports.conftest import browse
from bridge_cart_tests.reports.markup import Markup, first_of, text, values

JUNE, JULY = date(2024, 6, 30), date(2024, 7, 31)
SEGMENTS = (1, 2, 3)
NOT_FITTED = "not_fitted: 60 customers, at least 500 are needed"
SQL_NOW = """
    SELECT segment_name, customers, segment_contribution, avg_clv, aov, churn_rate
    FROM gold.segment_metrics WHERE is_current ORDER BY segment_contribution DESC
"""
SQL_TYPICAL = """
    SELECT any_value(s.segment_name), count(*), avg(CAST(v.historic_clv AS DOUBLE)),
           avg(CAST(v.predicted_clv_365d AS DOUBLE)), median(f.recency_days), median(f.frequency),
           median(f.revenue), median(f.coupon_rate)
    FROM gold.customer_segments s JOIN gold.customer_features f USING (customer_id)
    JOIN gold.customer_value v USING (customer_id)
    WHERE f.country LIKE $1 AND f.top_category LIKE $2 GROUP BY s.segment_id ORDER BY s.segment_id
"""
MOVES = [  # from, to, customers, lost, won back
    (1, 1, 80, 4, 0),
    (1, 3, 11, 11, 0),
    (2, 1, 7, 0, 2),
    (2, 2, 150, 9, 1),
    (3, 3, 400, 30, 5),
    (0, 1, 6, 0, 0),
    (0, 3, 14, 0, 0),
]


def gold(**changes: Any) -> dict[str, Any]:
    """A shop of three segments with sixty customers, two months of moves, and two models."""
    numbers = range(60)
    return {
        **shop(days=120, segments=SEGMENTS),
        "customer_features": [
            {
                "customer_id": f"C{n:02}",
                "country": ("DE", "FR", "AT")[n // 3 % 3],
                "top_category": ("Books", "Toys")[n // 9 % 2],
                "recency_days": 3 * n,
                "frequency": n % 7,
                "revenue": Decimal(1000 + 37 * n) / 100,
                "coupon_rate": (n % 5) / 4,
            }
            for n in numbers
        ],
        "customer_value": [
            {
                "customer_id": f"C{n:02}",
                "historic_clv": Decimal(900 + 31 * n) / 100,
                "predicted_clv_365d": Decimal(400 + 17 * n) / 100,
                "model_status": "fitted",
            }
            for n in numbers
        ],
        "customer_segments": [
            {"customer_id": f"C{n:02}", "segment_id": i, "segment_name": NAMES[i]}
            for n in numbers
            for i in [n % 3 + 1]
        ],
        "segment_migration": [
            dict(
                zip(
                    ("from_segment_id", "to_segment_id", "customers", "lost", "won_back"),
                    (start, end, n + (month == JUNE), lost, back),
                    strict=True,
                ),
                period_end=month,
            )
            for month in (JUNE, JULY)
            for start, end, n, lost, back in MOVES
        ],
        "segment_model": [model(version, i) for version in (1, 2) for i in SEGMENTS],
        "model_metrics": [
            {
                "model": "segments",
                "model_version": 2,
                "metric": "stability",
                "gate": ">= 0.8",
                "passed": True,
            },
            *(
                {
                    "model": "segments",
                    "model_version": 2,
                    "metric": f"flickering_{name}",
                    "value": n,
                }
                for name, n in (("customers", 13.0), ("share", 13 / 648))
            ),
        ],
        "model_drift": [
            {"subject": "revenue", "psi": 0.31, "bound": 0.25, "has_drifted": True},
            {"subject": "coupon_habit", "psi": None, "bound": 0.25},
            {"subject": "segment_shares", "psi": 0.02, "bound": 0.25},
        ],
        **changes,
    }


def model(version: int, segment: int) -> dict[str, Any]:
    return {
        "model_version": version,
        "segment_id": segment,
        "segment_name": NAMES[segment],
        "trained_as_of": AS_OF - timedelta(days=60 - 30 * version),
        "trained_on": 40 + version,
        "trained_because": ("first", "drift")[version - 1],
        "description": f"Who {segment} is, by model {version}.",
        "action": f"What to do with {segment}.",
        "stability": 0.9 + version / 100,
        "silhouette": None if version == 1 else 0.34567,
    }


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalogue(tmp_path_factory.mktemp("segments") / "c.duckdb", gold())


@pytest.fixture(scope="module")
def client(path: Path) -> TestClient:
    return browse(path)


def asked(path: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql, list(parameters)).fetchall()


def opened(client: TestClient, query: str = "") -> Markup:
    response = client.get(f"/segments{query}")
    assert response.status_code == 200
    return Markup(response.text)


def of(folder: Path, **changes: Any) -> Markup:
    """The page over a catalogue with other tables."""
    return opened(browse(write_catalogue(folder / "other.duckdb", gold(**changes))))


def rows(page: Markup, name: str) -> list[tuple[str | None, ...]]:
    return [
        (text(first_of(row, "th")), *values(row))
        for row in page[f"{name}-table"].findall("tbody/tr")
    ]


def exported(client: TestClient, name: str, query: str = "") -> list[dict[str, str]]:
    response = client.get(f"/export/segments/{name}.csv{query}")
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.text.removeprefix("\ufeff"))))


def test_each_living_segment_is_described_by_the_latest_model(client: TestClient) -> None:
    cards = opened(client).all(".//li[@class]")
    assert [card.get("class") for card in cards] == [f"card profile seg-{i}" for i in SEGMENTS]
    assert text(first_of(cards[1], "h3")) == "Growth"
    assert "Who 2 is, by model 2." in text(cards[1])
    assert text(cards[1]).endswith("What to do What to do with 2.")


def test_the_figures_of_whole_segments_are_the_current_versions(
    client: TestClient, path: Path
) -> None:
    expected = [(name, *map(str, figures)) for name, *figures in asked(path, SQL_NOW)]
    assert rows(opened(client), "segments") == expected
    assert rows(opened(client, "?country=DE"), "segments") == expected


@pytest.mark.parametrize(
    ("query", "country", "category"),
    [
        ("", "%", "%"),
        ("?country=DE", "DE", "%"),
        ("?category=Toys", "%", "Toys"),
        ("?country=FR&category=Books", "FR", "Books"),
    ],
)
def test_typical_customers_are_averages_and_medians_of_those_in_the_filter(
    client: TestClient, path: Path, query: str, country: str, category: str
) -> None:
    expected = asked(path, SQL_TYPICAL, country, category)
    found = rows(opened(client, query), "typical")
    assert [(name, customers) for name, customers, *_ in found] == [
        (name, str(customers)) for name, customers, *_ in expected
    ]
    for (_, *shown), (_, *computed) in zip(found, expected, strict=True):
        assert [float(value or "nan") for value in shown] == pytest.approx(
            [float(value) for value in computed], abs=1e-9
        )


def test_what_the_filters_reach_is_said(client: TestClient) -> None:
    said = text(opened(client, "?country=DE").root)
    assert "Whole segments: country change" in said
    assert "Customers in the filter (DE)" in said
    assert "All customers:" in text(opened(client).root)


def test_a_segment_without_customers_in_the_filter_has_dashes(tmp_path: Path) -> None:
    features = gold()["customer_features"]
    for n, row in enumerate(features):
        row["country"] = "CH" if n == 1 else "DE"
    catalogue = write_catalogue(tmp_path / "c.duckdb", gold(customer_features=features))
    found = rows(opened(browse(catalogue), "?country=CH"), "typical")
    assert [row[1] for row in found] == ["0", "1", "0"]
    assert set(found[0][2:]) == {None}


def test_a_filter_without_customers_says_so(tmp_path: Path) -> None:
    features = gold()["customer_features"]
    for row in features:
        row["top_category"] = "Toys" if row["country"] == "DE" else "Books"
    catalogue = write_catalogue(tmp_path / "c.duckdb", gold(customer_features=features))
    page = opened(browse(catalogue), "?country=DE&category=Books")
    assert "No customer is in this filter" in text(page.root)
    assert page.all(".//table[@id='typical-table']") == []
    assert len(rows(page, "segments")) == 3


def test_empty_segments_are_not_blamed_on_a_filter(tmp_path: Path) -> None:
    assert "No customer has a segment on the latest day." in text(
        of(tmp_path, customer_segments=()).root
    )


def test_a_missing_prediction_says_why(tmp_path: Path) -> None:
    value = [
        {**row, "predicted_clv_365d": None, "model_status": NOT_FITTED}
        for row in gold()["customer_value"]
    ]
    page = of(tmp_path, customer_value=value)
    (missing, *_) = page["typical-table"].findall(".//span[@class='nothing']")
    assert missing.get("title") == NOT_FITTED
    assert f"Predictions: {NOT_FITTED}." in text(page.root)


def test_the_segment_filter_leaves_one_segment(client: TestClient) -> None:
    page = opened(client, "?segment=2")
    assert [row[0] for row in rows(page, "segments")] == ["Growth"]
    assert [row[0] for row in rows(page, "typical")] == ["Growth"]
    assert len(json.loads(page["history-figures"].text or "")["series"]) == 1
    moves = page["migration-table"].findall("tbody/tr")
    assert [text(first_of(row, "th")) for row in moves] == ["Growth", "Growth"]
    assert text(page["migration-title"]) == (
        "2024-07: 0 came to Growth from other segments, 7 went to others"
    )


def test_the_latest_month_is_shown_unless_another_is_asked_for(client: TestClient) -> None:
    (latest,) = opened(client).all(".//select[@id='choose-month']")
    assert [option.get("value") for option in latest] == ["2024-07", "2024-06"]
    assert [option.get("selected") for option in latest] == ["", None]
    page = opened(client, "?month=2024-06")
    assert text(page["migration-title"]).startswith("2024-06: ")


def test_the_moves_are_those_of_the_table(client: TestClient, path: Path) -> None:
    page = opened(client)
    expected = asked(
        path,
        """
        SELECT customers, customers / sum(customers) OVER (PARTITION BY from_segment_id), lost,
               won_back
        FROM gold.segment_migration WHERE period_end = $1
        ORDER BY from_segment_id = 0, from_segment_id, to_segment_id
        """,
        JULY,
    )
    found = page["migration-table"].findall("tbody/tr")
    assert [text(first_of(row, "th")) for row in found] == [
        *("High-Value", "High-Value", "Growth", "Growth", "Regular"),
        *("New customers", "New customers"),
    ]
    assert [row.get("class") for row in found][-3:] == ["seg-3", None, None]
    for row, computed in zip(found, expected, strict=True):
        assert [float(value or "nan") for value in values(row)] == pytest.approx(computed)


def test_the_diagram_draws_the_moves_from_left_to_right(client: TestClient) -> None:
    figures = json.loads(opened(client)["migration-figures"].text or "")
    nodes = [(node["name"], node["colour"], node["side"]) for node in figures["nodes"]]
    assert nodes == [
        ("High-Value", "seg-1", 0),
        ("Growth", "seg-2", 0),
        ("Regular", "seg-3", 0),
        ("New customers", "quiet", 0),
        ("High-Value", "seg-1", 1),
        ("Growth", "seg-2", 1),
        ("Regular", "seg-3", 1),
    ]
    flows = [[0, 4, 80], [0, 6, 11], [1, 4, 7], [1, 5, 150], [2, 6, 400], [3, 4, 6], [3, 6, 14]]
    assert figures["flows"] == flows


def test_the_moves_are_sentences(client: TestClient) -> None:
    page = opened(client)
    assert text(page["migration-title"]) == "2024-07: 18 of 648 customers changed their segment"
    said = [text(li) for li in page.all(".//ul[@class='said']/li")]
    assert said == [
        "The greatest move: 11 from High-Value to Regular.",
        "20 customers bought for the first time.",
        "54 lapsed (90 days without a sale), 8 who had lapsed were won back.",
    ]


def test_who_left_a_segment_and_was_back_soon_is_one_line(client: TestClient) -> None:
    assert text(opened(client)["flicker"]) == (
        "Of all customers 13 (2.0%) were back in a segment within 30 days of leaving it, in the "
        "last 90 days. Filters do not apply."
    )


@pytest.mark.parametrize("month", ["2024-05", "2024-7", "'; DROP TABLE x--", "<script>", "٢٠٢٤-٠٧"])
def test_a_month_that_is_not_there_changes_nothing_and_is_named(
    client: TestClient, month: str
) -> None:
    response = client.get("/segments", params={"month": month})
    page = Markup(response.text)
    assert text(page["migration-title"]).startswith("2024-07: ")
    assert f"There are no moves for the month “{month}”" in text(page.root)
    assert "from 2024-06 to 2024-07" in text(page.root)
    assert "<script>alert" not in response.text
    export = client.get("/export/segments/migration.csv", params={"month": month})
    assert export.status_code == 404


@pytest.mark.parametrize("query", ["?metric=nope", "?month=" + "x" * 200, "?metric=customers;--"])
def test_a_parameter_that_cannot_be_is_named_and_changes_nothing(
    client: TestClient, query: str
) -> None:
    page = opened(client, query)
    assert page.all(".//p[@class='warning']")
    assert text(page["history-title"]).startswith("Customers: ")
    assert client.get(f"/export/segments/history.csv{query}").status_code == 400


@pytest.mark.parametrize(
    "metric", ["customers", "churn_rate", "segment_contribution", "avg_clv", "aov"]
)
def test_the_history_is_read_from_the_version_that_was_valid_on_each_day(
    client: TestClient, path: Path, metric: str
) -> None:
    page = opened(client, f"?metric={metric}&period=90d")
    (chosen,) = page.all(".//select[@id='choose-metric']/option[@selected]")
    assert chosen.get("value") == metric
    found = rows(page, "history")
    assert [row[0] for row in found] == [f"{AS_OF - timedelta(weeks=w)}" for w in range(14)]
    names = [text(th) for th in page["history-table"].findall("thead/tr/th")][1:]
    for day, *shown in found:
        expected = dict(
            asked(
                path,
                f"SELECT segment_name, {metric} FROM gold.segment_metrics "
                "WHERE valid_from <= $1 AND coalesce(valid_to, DATE '9999-12-31') > $1",
                day,
            )
        )
        assert shown == [str(expected[name]) for name in names]
    figures = json.loads(page["history-figures"].text or "")
    assert [series["name"] for series in figures["series"]] == names
    assert figures["series"][0]["values"] == [float(row[1] or "nan") for row in found[::-1]]


def test_the_headline_names_the_segment_that_moved_most(client: TestClient, path: Path) -> None:
    sql = "SELECT customers FROM gold.segment_metrics WHERE segment_id = 1 AND valid_from <= $1"
    first, last = (
        asked(path, f"{sql} ORDER BY valid_from DESC", day)[0][0]
        for day in (AS_OF - timedelta(weeks=17), AS_OF)
    )
    assert text(opened(client)["history-title"]) == (
        f"Customers: High-Value moved most, from {first} to {last}"
    )


def test_the_model_is_shown_with_its_versions_and_drift(client: TestClient) -> None:
    page = opened(client)
    assert (
        "Version 2, trained as of 2024-07-28 on 42 customers because the customers had changed. "
        "Its stability has to be at least 0.8: it is."
    ) in text(page.root)
    versions = page["model-table"].findall("tbody/tr")
    assert [text(first_of(row, "th")) for row in versions] == ["2", "1"]
    assert values(versions[0]) == ["2", "42", "3", "0.92", "0.34567"]
    assert values(versions[1])[-1] is None
    assert text(page["drift-title"]) == "1 of 3 distributions have drifted"
    drift = [[text(cell) for cell in row] for row in page["drift-table"].findall("tbody/tr")]
    assert drift[0] == ["Revenue", "0.310", "0.250", "has drifted"]
    assert drift[1] == ["Sizes of the segments", "0.020", "0.250", "within the bound"]
    assert drift[2][0] == "Coupon habit"


def test_the_question_about_a_past_day_can_be_asked_as_it_stands(tmp_path: Path) -> None:
    history = [
        {
            "customer_id": "O'Neil",
            "segment_id": 1,
            "segment_name": name,
            "lifecycle": "active",
            "valid_from": begin,
            "valid_to": end,
            "is_current": end is None,
        }
        for name, begin, end in (
            ("Growth", date(2024, 4, 1), date(2024, 6, 30)),
            ("Regular", date(2024, 6, 30), date(2024, 7, 1)),
            ("High-Value", date(2024, 7, 1), None),
        )
    ]
    segments = [{"customer_id": "O'Neil", "segment_id": 1, "segment_name": "High-Value"}]
    catalogue = write_catalogue(
        tmp_path / "c.duckdb", gold(customer_segments=segments, customer_history=history)
    )
    sql = opened(browse(catalogue))["time-travel"].text or ""
    assert [row[0] for row in asked(catalogue, sql)] == ["Regular"]
    assert "DATE '2024-06-30'" in sql


@pytest.mark.parametrize("name", ["segments", "typical", "migration", "history", "model", "drift"])
def test_each_table_is_exported_as_csv_under_the_filters(client: TestClient, name: str) -> None:
    query = "?segment=1&country=DE&month=2024-06&metric=avg_clv"
    page = opened(client, query)
    (link,) = [
        a.get("href", "")
        for a in page.all(".//a[@class='csv']")
        if f"/segments/{name}.csv" in a.get("href", "")
    ]
    found = [list(row.values()) for row in exported(client, name, link.partition("?")[2] and query)]
    assert set(link.partition("?")[2].split("&")) == set(query[1:].split("&"))
    table = page[f"{name}-table"].findall("tbody/tr")
    assert len(found) == len(table) > 0
    for cells, row in zip(found, table, strict=True):
        figures = [value for value in values(row) if value is not None]
        assert set(figures) <= set(cells)


def test_before_the_first_model_there_are_sentences_instead_of_figures(tmp_path: Path) -> None:
    empty = ("segment_metrics", "customer_segments", "segment_migration", "segment_model")
    page = of(tmp_path, **dict.fromkeys((*empty, "model_metrics", "model_drift"), ()))
    said = text(page.root)
    for sentence in (
        "No segments yet: they begin with the first segment model.",
        "No month has ended since the first segment",
        "No history yet: it begins with the first segment model.",
        "No segment model yet",
        "Drift is measured as soon as there is a segment model.",
    ):
        assert sentence in said
    assert page.all(".//table") == []
    assert page.all(".//div[@class='chart']") == []
    assert page.all(".//pre") == []


def test_one_segment_is_a_page_too(tmp_path: Path) -> None:
    one = {
        name: [row for row in table if row.get("segment_id", 1) == 1]
        for name, table in gold().items()
        if name in {"segment_metrics", "customer_segments", "segment_model"}
    }
    stay = [{"period_end": JULY, "from_segment_id": 1, "to_segment_id": 1, "customers": 9}]
    page = of(tmp_path, **one, segment_migration=stay)
    assert [row[0] for row in rows(page, "segments")] == ["High-Value"]
    assert text(page["migration-title"]) == "2024-07: 0 of 9 customers changed their segment"
    assert " moved most" not in text(page["history-title"])


def test_before_a_month_has_ended_there_are_no_moves(tmp_path: Path) -> None:
    page = of(tmp_path, segment_migration=())
    assert "No month has ended since the first segment" in text(page.root)
    assert page.all(".//select[@id='choose-month']") == []
    assert len(rows(page, "segments")) == 3


def test_in_the_first_month_everybody_is_new(tmp_path: Path) -> None:
    new = [{"period_end": JULY, "from_segment_id": 0, "to_segment_id": 1, "customers": 1}]
    page = of(tmp_path, segment_migration=new)
    assert text(page["migration-title"]) == "2024-07: all customers are new"
    assert "1 customer bought for the first time." in text(page.root)


def test_a_catalogue_without_sales_says_so(tmp_path: Path) -> None:
    response = browse(write_catalogue(tmp_path / "c.duckdb", {})).get("/segments")
    assert response.status_code == 200
    assert "No sales yet" in response.text


def test_names_from_the_data_are_text_and_never_markup(tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    metrics = [{**row, "segment_name": evil} for row in gold()["segment_metrics"]]
    models = [{**row, "description": evil, "action": evil} for row in gold()["segment_model"]]
    catalogue = write_catalogue(
        tmp_path / "c.duckdb", gold(segment_metrics=metrics, segment_model=models)
    )
    assert "<img" not in browse(catalogue).get("/segments").text
