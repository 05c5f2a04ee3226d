"""Gold tables as CSV that a spreadsheet may open."""

import csv
import io
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.reports.export import cell
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, KPIS_DAILY, SEGMENT_MODEL, TABLES
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.reports.catalogues import AS_OF, write_catalogue
from bridge_cart_tests.reports.conftest import Ask, browse


def rows_of(response: httpx2.Response) -> list[list[str]]:
    assert response.status_code == 200
    return list(csv.reader(io.StringIO(response.text, newline="")))


def test_a_table_comes_as_a_csv_file_in_the_order_of_its_key(client: TestClient, ask: Ask) -> None:
    response = client.get("/export/kpis_daily.csv")
    header, *rows = rows_of(response)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="kpis_daily.csv"'
    assert response.headers["cache-control"] == "no-store"
    assert header == list(KPIS_DAILY.dtypes)
    expected = ask("SELECT day, revenue, churn_rate_90d FROM gold.kpis_daily ORDER BY day")
    places = [header.index(name) for name in ("day", "revenue", "churn_rate_90d")]
    assert [tuple(row[i] for i in places) for row in rows] == [
        (str(day), str(revenue), "" if churn is None else repr(churn))
        for day, revenue, churn in expected
    ]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_gold_table_can_be_exported_even_when_empty(tmp_path: Path, table: Table) -> None:
    client = browse(write_catalogue(tmp_path / "c.duckdb", {}))
    assert rows_of(client.get(f"/export/{table.name}.csv")) == [list(table.dtypes)]


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "kpis",
        "KPIS_DAILY",
        "gold.kpis_daily",
        "kpis_daily;drop",
        "kpis_daily%20",
        "..%2F..%2Fetc%2Fpasswd",
        "%22%20UNION%20SELECT",
        "meta.run",
        "purchases",
    ],
)
def test_other_names_are_not_found(client: TestClient, name: str) -> None:
    response = client.get(f"/export/{name}.csv")
    assert response.status_code == 404
    assert "There is no such page" in response.text or "etc" in name


def test_before_the_first_run_an_export_is_unavailable(tmp_path: Path) -> None:
    response = browse(tmp_path / "none.duckdb").get("/export/kpis_daily.csv")
    assert response.status_code == 503
    assert "bridge-cart run" in response.text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30 123", "'+49 30 123"),
        ("-cmd", "'-cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("-inf", "'-inf"),
        ("-1_000", "'-1_000"),
        ("-5\n=1+1", "'-5\n=1+1"),
        ("-12.50", "-12.50"),
        ("+.5", "+.5"),
        ("-1e-3", "-1e-3"),
        ("a=1", "a=1"),
        ("", ""),
        (-3, "-3"),
        (-2.5, "-2.5"),
    ],
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(value: object, written: str) -> None:
    assert cell(value) == written


def test_dangerous_names_in_the_data_are_defused_in_the_file(tmp_path: Path) -> None:
    dangerous = ["=HYPERLINK(0)", '@x,"y"\n', "+1 2", "harmless"]
    path = write_catalogue(
        tmp_path / "c.duckdb", {"customer_features": [{"customer_id": d} for d in dangerous]}
    )
    header, *rows = rows_of(browse(path).get("/export/customer_features.csv"))
    assert sorted(row[0] for row in rows) == sorted(
        ["'=HYPERLINK(0)", '\'@x,"y"\n', "'+1 2", "harmless"]
    )
    assert all(len(row) == len(header) == len(CUSTOMER_FEATURES.dtypes) for row in rows)


def test_vectors_are_json_and_flags_are_words(tmp_path: Path) -> None:
    model = {"model_version": 1, "segment_id": 1, "features": ["a", "b"], "means": [0.5, 1.0]}
    metric = {"model": "segments", "model_version": 1, "metric": "m", "passed": True}
    path = write_catalogue(
        tmp_path / "c.duckdb", {"segment_model": [model], "model_metrics": [metric]}
    )
    client = browse(path)
    header, row = rows_of(client.get("/export/segment_model.csv"))
    assert header == list(SEGMENT_MODEL.dtypes)
    written = dict(zip(header, row, strict=True))
    assert (written["features"], written["means"]) == ('["a", "b"]', "[0.5, 1.0]")
    assert written["trained_as_of"] == AS_OF.isoformat()
    header, row = rows_of(client.get("/export/model_metrics.csv"))
    written = dict(zip(header, row, strict=True))
    assert (written["passed"], written["value"]) == ("true", "")


def test_more_rows_than_one_piece_holds_come_complete(tmp_path: Path) -> None:
    customers = [{"customer_id": f"{n:05}", "segment_id": n} for n in range(1, 31)]
    path = write_catalogue(tmp_path / "c.duckdb", {"customer_segments": customers})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bridge_cart_assets.reports.export.FETCH_ROWS", 7)
        _, *rows = rows_of(browse(path).get("/export/customer_segments.csv"))
    assert [row[0] for row in rows] == [customer["customer_id"] for customer in customers]
