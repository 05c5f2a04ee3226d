"""Questions are answered; whatever would write is refused."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from bridge_cart_assets.lake.query import QueryRefusedError, query


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "bridge_cart.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA gold; CREATE TABLE gold.kpis (day DATE, orders BIGINT)")
        connection.execute("INSERT INTO gold.kpis VALUES ('2024-01-01', 3), ('2024-01-02', NULL)")
    return path


@pytest.mark.parametrize(
    ("statement", "columns", "rows"),
    [
        ("SELECT orders FROM gold.kpis ORDER BY day", ["orders"], [(3,), (None,)]),
        ("SELECT sum(orders) AS n FROM gold.kpis;", ["n"], [(3,)]),
        ("FROM gold.kpis SELECT count(*) AS n", ["n"], [(2,)]),
        ("WITH k AS (SELECT 1 AS one) SELECT one FROM k", ["one"], [(1,)]),
        ("VALUES (1)", ["col0"], [(1,)]),
        ("-- how many?\nSELECT 1 AS copy", ["copy"], [(1,)]),
        ("SELECT 'COPY x TO y; INSERT' AS said", ["said"], [("COPY x TO y; INSERT",)]),
        ("SELECT orders FROM gold.kpis WHERE false", ["orders"], []),
        (
            "SELECT count(*) AS n FROM range(100) a(i) JOIN range(100) b(j) ON i < j",
            ["n"],
            [(4950,)],
        ),
    ],
)
def test_a_question_is_answered(
    catalogue: Path, statement: str, columns: list[str], rows: list[tuple[object, ...]]
) -> None:
    answer = query(catalogue, statement)
    assert (answer.columns, answer.rows) == (columns, rows)


@pytest.mark.parametrize(
    "statement",
    ["DESCRIBE gold.kpis", "SUMMARIZE gold.kpis", "SHOW ALL TABLES", "EXPLAIN SELECT 1"],
)
def test_one_may_ask_what_there_is_and_how_it_is_found(catalogue: Path, statement: str) -> None:
    assert query(catalogue, statement).rows


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO gold.kpis VALUES ('2024-01-03', 1)",
        "UPDATE gold.kpis SET orders = 0",
        "DELETE FROM gold.kpis",
        "CREATE TABLE gold.mine (a INT)",
        "CREATE TEMP TABLE mine (a INT)",
        "DROP TABLE gold.kpis",
        "COPY gold.kpis TO '{out}'",
        "COPY (SELECT 1) TO '{out}' (FORMAT parquet)",
        "EXPORT DATABASE '{out}'",
        "ATTACH '{out}'",
        "SET threads = 1",
        "PRAGMA database_size",
        "CALL pragma_version()",
        "INSTALL httpfs",
        "BEGIN",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY gold.kpis TO '{out}'",
        "EXPLAIN ANALYZE COPY gold.kpis TO '{out}'",
        "EXPLAIN (ANALYZE) COPY gold.kpis TO '{out}'",
        "EXPLAIN /* quietly */ analyze COPY gold.kpis TO '{out}'",
        "WITH k AS (COPY gold.kpis TO '{out}') SELECT 1",
        "WITH k AS MATERIALIZED (/* quietly */ copy gold.kpis TO '{out}') SELECT 1",
        "WITH k AS (INSERT INTO gold.kpis VALUES ('2024-01-03', 1) RETURNING day) FROM k",
        "",
        "-- nothing",
    ],
)
def test_whatever_is_not_one_question_is_refused_and_nothing_is_written(
    catalogue: Path, tmp_path: Path, statement: str
) -> None:
    before = catalogue.read_bytes()
    with pytest.raises(QueryRefusedError) as refusal:
        query(catalogue, statement.format(out=tmp_path / "out"))
    assert "\n" not in str(refusal.value)
    assert catalogue.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [catalogue.name]


def test_wrong_sql_is_refused_in_one_line_that_names_what_is_wrong(catalogue: Path) -> None:
    with pytest.raises(QueryRefusedError, match="kpi_dayly") as refusal:
        query(catalogue, "SELECT *\nFROM gold.kpi_dayly")
    assert "\n" not in str(refusal.value)
    with pytest.raises(QueryRefusedError, match=r"(?i)syntax error"):
        query(catalogue, "SELEKT 1")


def test_without_a_catalogue_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(QueryRefusedError, match="bridge-cart run"):
        query(tmp_path / "bridge_cart.duckdb", "SELECT 1")
    assert list(tmp_path.iterdir()) == []


def test_moments_are_in_utc_on_a_machine_in_any_zone(catalogue: Path) -> None:
    question = "SELECT TIMESTAMPTZ '2024-02-01 03:30:00+00' AS at"
    code = (
        "from pathlib import Path; from bridge_cart_assets.lake.query import query\n"
        f"print(query(Path({str(catalogue)!r}), {question!r}).rows[0][0])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TZ": "America/Los_Angeles"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "2024-02-01 03:30:00+00:00"
