"""The pipeline page says what the catalogue has, names no person, and copes with old files."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx2
import polars as pl
import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.reports import create_app
from bridge_cart_assets.reports.formatting import THIN
from bridge_cart_assets.reports.pipeline import reasons
from bridge_cart_assets.tables import meta, ops
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.reports.catalogues import AS_OF, FINISHED, shop, write_catalogue
from bridge_cart_tests.reports.conftest import browse
from bridge_cart_tests.reports.markup import Markup, first_of, text, values

Row = Mapping[str, Any]
DAGSTER = "http://127.0.0.1:3000"
AT = datetime(2024, 7, 29, 10, 47, tzinfo=UTC)


def check(name: str, passed: bool | None, table: str = "gold/kpis_daily", **own: Any) -> Row:
    layer, bare = table.split("/")
    return {
        "layer": layer,
        "name": bare,
        "check_name": name,
        "meaning": f"what {name} asks",
        "severity": "blocking",
        "passed": passed,
        "says": None if passed is None else f"what {name} found",
        "evaluated_at": AT,
        **own,
    }


CHECKS = [
    check("keys_unique", True, value=0.0, bound=0.0, covers="whole tables"),
    check(
        "rates_in_range",
        False,
        value=3.0,
        bound=0.0,
        first_day=AS_OF - timedelta(9),
        last_day=AS_OF,
    ),
    check(
        "aov_as_usual",
        False,
        severity="warning",
        value=0.25,
        lower_bound=-3.5,
        upper_bound=3.5,
        covers="whole tables",
    ),
    check("columns_as_before", None, "raw/purchases", severity="warning"),
]


def fates(source: str, records: int, refused: int, **own: Any) -> Row:
    return {
        "source": source,
        "records": records,
        "blank": 0,
        "quarantined": refused,
        "accepted": records - refused - 7,
        "duplicate": 4,
        "superseded": 3,
        **own,
    }


DAYS = [
    fates(source, 100 * n + back, back, batch_day=AS_OF - timedelta(days=back))
    for n, source in enumerate(("customers", "purchases"), 1)
    for back in range(5)
]
TOTALS = [
    fates(s, n, 30, days=5, first_day=AS_OF - timedelta(4), last_day=AS_OF, brings_orders=is_sold)
    for s, n, is_sold in (("customers", 4_050, False), ("purchases", 18_163, True))
]
REFUSALS = [
    {
        "source": "purchases",
        "reason": "BAD_DATE",
        "column": "purchase_date",
        "records": 50,
        "first_seen": AS_OF - timedelta(4),
        "last_seen": AS_OF,
        "examples": ["9999-99-99", "<b>aaa</b>"],
    },
    {
        "source": "customers",
        "reason": "TOO_FEW_FIELDS",
        "column": "",
        "records": 10,
        "first_seen": AS_OF,
        "last_seen": AS_OF,
        "examples": [],
    },
]


def finding(name: str, kind: str, subject: str, n: int, of: int, amount: str | None) -> Row:
    return {
        "source": "purchases",
        "batch_day": AS_OF,
        "object": name,
        "fingerprint": name,
        "kind": kind,
        "subject": subject,
        "records": n,
        "of_records": of,
        "amount": amount,
    }


FINDINGS = [
    finding("a.csv", "unreadable", "currency", 1, 10, "5.00"),
    finding("a.csv", "guessed", "purchase_date", 2, 10, "1234.50"),
    finding("b.csv", "refused", "BAD_DATE", 3, 10, "20.00"),
    finding("b.csv", "superseded_in_file", "", 1, 10, "11.11"),
    finding("c.csv", "refused", "BAD_AMOUNT", 4, 4, None),
]


def file(name: str, state: str = "taken", **own: Any) -> Row:
    return {
        "source": "purchases",
        "object": name,
        "size": 1_234,
        "modified_ns": 0,
        "changed_ns": 0,
        "batch_day": AS_OF,
        "state": state,
        "records": 10 if state == "taken" else None,
        "seen_at": AT,
        "run_id": "run-0001",
        **own,
    }


FILES = [
    file("a.csv"),
    file("b.csv", unknown_columns='campaign,"one, two"', missing_columns="status"),
    file("c.csv", unknown_columns="campaign", batch_day=AS_OF - timedelta(3)),
    file("d.csv.gz", "refused", reason="TRUNCATED", detail="the gzip stream ends too early"),
]
OFFSETS = [
    {
        "topic": "bridge-cart.purchases",
        "partition": 0,
        "source": "purchases",
        "next_offset": 4_711,
        "records": 4_700,
        "quarantined": 2,
        "latest_day": AS_OF,
        "version": 1,
        "seen_at": AT,
        "run_id": "run-0001",
    }
]
METRICS = [
    ("segments", 1, "stability", 0.7, ">= 0.8", False),
    ("segments", 2, "stability", 0.97, ">= 0.8", True),
    ("bg_nbd", 20240601, "auc", 0.5, ">= 0.6", False),
    ("bg_nbd", 20240728, "auc", 0.44, ">= 0.6", False),
    ("value_data", 20240728, "customers", 2_331.0, None, None),
]


def build(name: str, mode: str, why: str | None, seconds: float, run_id: str = "run-0001") -> Row:
    return {
        "name": name,
        "mode": mode,
        "why": why,
        "rows_changed": 1_200,
        "seconds": seconds,
        "built_at": AT,
        "run_id": run_id,
    }


BUILDS = [
    build("customer_features", "incremental", None, 0.5),
    build("sales_daily", "incremental", None, 0.25),
    build("customer_value", "full", None, 0.125),
    build("customer_history", "full", "another segment model has come", 1.5),
    build("value_model", "full", None, 2.0, "run-0000"),
]
ALL: Mapping[Table, Iterable[Row]] = {
    meta.TIMES: [{"run_id": "run-0001", "started_at": AT, "seconds": 8.24}],
    meta.CHECKS: CHECKS,
    meta.GOLD_BUILDS: BUILDS,
    meta.ACCOUNTING: TOTALS,
    meta.ACCOUNTING_DAYS: DAYS,
    meta.QUARANTINE: REFUSALS,
    meta.INTAKE_FINDINGS: FINDINGS,
    ops.FILES: FILES,
    ops.OFFSETS: OFFSETS,
}
SQL: dict[type[pl.DataType], str] = {
    pl.Int64: "BIGINT",
    pl.Float64: "DOUBLE",
    pl.Date: "DATE",
    pl.String: "VARCHAR",
    pl.Decimal: "DECIMAL(18,2)",
}
SQL |= {pl.Boolean: "BOOLEAN", pl.Datetime: "TIMESTAMPTZ", pl.List: "VARCHAR[]"}


def with_pipeline(path: Path, tables: Mapping[Table, Iterable[Row]] = ALL) -> Path:
    """A shop's catalogue, with these tables besides."""
    named = ("model", "model_version", "metric", "value", "gate", "passed")
    gold = shop(days=40) | {
        "model_metrics": [dict(zip(named, m, strict=True)) for m in METRICS],
        "model_drift": [{"subject": "revenue", "psi": 0.3, "bound": 0.25, "has_drifted": True}],
    }
    write_catalogue(path, gold)
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA ops")
        connection.execute(
            "INSERT INTO meta.tables VALUES ('raw', 'purchases', 3, ?, 18163, 'As received'), "
            "('raw', 'online_retail', NULL, NULL, 0, 'As published')",
            [AS_OF],
        )
        for table, rows in tables.items():
            columns = ", ".join(f'"{n}" {SQL[type(t)]}' for n, t in table.dtypes.items())
            name = table.path.replace("/", ".")
            connection.execute(f"CREATE TABLE {name} ({columns})")
            for row in rows:
                marks = ", ".join("?" * len(table.dtypes))
                given = [row.get(column) for column in table.dtypes]
                connection.execute(f"INSERT INTO {name} VALUES ({marks})", given)
    return path


def client_of(path: Path, dagster: str = DAGSTER) -> TestClient:
    return TestClient(create_app(path, dagster=dagster), base_url="http://localhost:5010")


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_pipeline(tmp_path_factory.mktemp("pipeline") / "bridge_cart.duckdb")


@pytest.fixture(scope="module")
def html(catalogue: Path) -> str:
    response: httpx2.Response = client_of(catalogue).get("/pipeline")
    assert response.status_code == 200
    return response.text


@pytest.fixture(scope="module")
def page(html: str) -> Markup:
    return Markup(html)


def state(page: Markup) -> list[str]:
    (section,) = page.all(".//section[@aria-labelledby='state-title']")
    return [text(li).replace(THIN, " ") for li in section.iter("li")]


def rows(page: Markup, name: str) -> list[list[str]]:
    found = page[f"{name}-table"].findall("tbody/tr")
    return [[text(cell).replace(THIN, " ") for cell in row] for row in found]


def test_the_state_is_sentences(page: Markup) -> None:
    assert state(page) == [
        "The last run built this catalogue on 2024-07-29 10:48 UTC after 8.2 seconds.",
        "The data end on 2024-07-28, one day before that run.",
        "By source: purchases up to 2024-07-28, customers up to 2024-07-28.",
        "Of 5 tables of gold 2 followed the change, one is made in one pass each time, one could "
        "not follow and was built whole and one did not change.",
        "Of 4 checks one blocking one failed, one gave a warning, one passed and one was never "
        "evaluated.",
        "Every one of 22 213 records is accounted for: 22 139 stand in silver, 8 repeat one that "
        "stands, 6 were overtaken by a newer version and 60 were refused.",
        "One file was refused as a whole; see below for what to do.",
        "Of the files of the latest batch days, 7 records were refused (20.00), 1 record was "
        "superseded within the file (11.11), 2 records were read by a guess (1 234.50) and "
        "1 record was kept with a value that could not be read (5.00).",
    ]


def test_findings_begin_with_whole_files_and_then_the_most_money(page: Markup) -> None:
    none, replaced = (
        "none: no amount could be read",
        ("b.csv", "purchases", "superseded within the file"),
    )
    shown = [[*row[:2], *row[3:8]] for row in rows(page, "findings")]
    assert shown == [
        ["c.csv", "purchases", "refused", "BAD_AMOUNT", "4", "4", f"–{none}"],
        ["a.csv", "purchases", "read by a guess", "purchase_date", "2", "10", "1 234.50"],
        ["b.csv", "purchases", "refused", "BAD_DATE", "3", "10", "20.00"],
        [*replaced, "–none: the whole record", "1", "10", "11.11"],
        [
            *("a.csv", "purchases", "with a value that could not be read", "currency"),
            *("1", "10", "5.00"),
        ],
    ]
    remedies = [row[9] for row in rows(page, "findings")]
    assert "BRIDGE_CART_DATES" in remedies[1]
    assert all(remedies)


def test_failed_checks_come_first_with_figure_bound_and_days(page: Markup) -> None:
    assert [row[:7] for row in rows(page, "alerts")] == [
        [
            *("rates_in_range", "gold/kpis_daily", "failed", "what rates_in_range found"),
            *("3", "0", "2024-07-19 to 2024-07-28"),
        ],
        [
            *("aov_as_usual", "gold/kpis_daily", "warning", "what aov_as_usual found"),
            *("0.25", "−3.5 to 3.5", "whole tables"),
        ],
    ]
    assert [row[0] for row in rows(page, "checks")] == [
        *("rates_in_range", "aov_as_usual", "keys_unique", "columns_as_before"),
    ]
    assert rows(page, "checks")[3][2] == "not evaluated yet"


def test_records_are_those_of_the_accounting(page: Markup) -> None:
    for shown, row in zip(rows(page, "accounting"), TOTALS, strict=True):
        counts = [int(cell.replace(" ", "")) for cell in shown[1:6]]
        wanted = ("records", "accepted", "duplicate", "superseded", "quarantined")
        assert counts == [row[name] for name in wanted]
        assert shown[8] == "0"


def test_a_record_that_is_not_accounted_for_is_named(tmp_path: Path) -> None:
    lost = [{**TOTALS[0], "records": TOTALS[0]["records"] + 2}, TOTALS[1]]
    path = with_pipeline(tmp_path / "c.duckdb", {**ALL, meta.ACCOUNTING: lost})
    sentences = state(Markup(client_of(path).get("/pipeline").text))
    assert (
        "Records are not accounted for: customers (2). This must not be; see the checks."
        in sentences
    )


def test_the_chart_adds_up_the_sources_and_draws_what_its_table_says(page: Markup) -> None:
    figures = json.loads(page["fates-figures"].text or "")
    table = page["fates-table"].findall("tbody/tr")[::-1]
    assert figures["days"] == [text(first_of(row, "th")) for row in table]
    assert [s["name"] for s in figures["series"]] == [
        *("Accepted", "Duplicate", "Superseded", "Refused"),
    ]
    for n, row in enumerate(table):
        records, *parts = [int(value or 0) for value in values(row)]
        of_day = [d for d in DAYS if str(d["batch_day"]) == text(first_of(row, "th"))]
        assert records == sum(d["records"] for d in of_day) == sum(parts)
        assert [s["values"][n] for s in figures["series"]] == parts[:4]


def test_refused_records_say_what_to_do_and_show_no_value_of_a_person(page: Markup) -> None:
    bad, few = rows(page, "refusals")
    assert bad[:4] == ["BAD_DATE", "purchases", "purchase_date", "50"]
    assert bad[5] == "9999-99-99 · <b>aaa</b>"
    assert bad[6:] == [reasons.of_record("BAD_DATE").means, reasons.of_record("BAD_DATE").remedy]
    assert few[2] == "–none: the whole record"


def test_files_and_topics_are_those_of_the_ledgers(page: Markup) -> None:
    assert [row[:4] for row in rows(page, "files")] == [
        ["purchases", "taken", "3", "30"],
        ["purchases", "refused", "1", "–none: they could not be read"],
    ]
    assert [(row[0], row[4], row[5]) for row in rows(page, "refused-files")] == [
        ("d.csv.gz", "TRUNCATED", "the gzip stream ends too early")
    ]
    assert [row[:6] for row in rows(page, "columns")] == [
        ["campaign", "purchases", "unknown", "2", "2024-07-25", "2024-07-28"],
        ["one, two", "purchases", "unknown", "1", "2024-07-28", "2024-07-28"],
        ["status", "purchases", "missing", "1", "2024-07-28", "2024-07-28"],
    ]
    assert [row[:4] for row in rows(page, "topics")] == [
        ["bridge-cart.purchases", "0", "purchases", "4 711"]
    ]


def test_models_are_those_in_effect_with_what_misses_its_gate_first(page: Markup) -> None:
    assert [(r[1], r[0], r[2], r[3], r[5]) for r in rows(page, "models")] == [
        ("bg_nbd", "auc", "0.44", ">= 0.6", "20240728"),
        ("segments", "stability", "0.97", ">= 0.8", "2"),
        ("value_data", "customers", "2 331", "–none: nothing is asked of it", "20240728"),
    ]
    assert rows(page, "drift")[0][:4] == ["revenue", "0.300", "0.250", "moved"]


def test_how_gold_was_built_is_shown_with_what_could_not_follow_first(page: Markup) -> None:
    passed = "made in one pass each time"
    assert [[*row[:5], row[6]] for row in rows(page, "gold-builds")] == [
        [
            *("customer_history", "full", "another segment model has come"),
            *("1 200", "1.500", "yes"),
        ],
        ["value_model", "full", passed, "1 200", "2.000", "no change since"],
        [
            *("customer_features", "incremental", "–none: it followed the change"),
            *("1 200", "0.500", "yes"),
        ],
        ["sales_daily", "incremental", "–none: it followed the change", "1 200", "0.250", "yes"],
        ["customer_value", "full", passed, "1 200", "0.125", "yes"],
    ]


def test_every_table_of_the_lake_is_listed(page: Markup, catalogue: Path) -> None:
    with duckdb.connect(str(catalogue), read_only=True) as connection:
        stored = connection.execute("SELECT count(*) FROM meta.tables").fetchone()
    shown = rows(page, "tables")
    assert stored == (len(shown),)
    assert shown[0][:3] == [
        *("raw/online_retail", "0", "–none: nothing was ever written"),
    ]
    assert shown[1][:4] == ["raw/purchases", "18 163", "3", "2024-07-28"]


def test_links_lead_into_dagster(html: str) -> None:
    links = {a.get("href") for a in Markup(html).all(".//a")}
    assert {
        f"{DAGSTER}/runs/run-0001",
        f"{DAGSTER}/assets/gold/kpis_daily",
        f"{DAGSTER}/assets/gold/kpis_daily?view=checks&checkDetail=rates_in_range",
        f"{DAGSTER}/assets/raw/purchases",
    } <= links


def test_without_an_address_of_dagster_there_are_no_such_links(catalogue: Path) -> None:
    page = Markup(client_of(catalogue, dagster="").get("/pipeline").text)
    links = [a.get("href") or "" for a in page.all(".//a")]
    assert not [link for link in links if "assets/" in link or "runs/" in link]


def test_every_table_of_the_page_is_there_as_csv_too(page: Markup, catalogue: Path) -> None:
    client = client_of(catalogue)
    links = [a.get("href") for a in page.all(".//a[@class='csv']") if a.get("download") == ""]
    assert len(links) == 14
    for link in links:
        name = str(link).removeprefix("/export/pipeline/").split(".")[0]
        lines = list(csv.reader(io.StringIO(client.get(str(link)).text)))
        assert len(lines) == 1 + len(page[f"{name}-table"].findall("tbody/tr")), name


def test_ids_are_unique_and_labels_lead_somewhere(page: Markup) -> None:
    ids = [e.get("id") for e in page.root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    labels = {e.get("aria-labelledby") for e in page.root.iter() if e.get("aria-labelledby")}
    assert labels <= set(ids)


def test_an_older_catalogue_says_that_the_next_run_brings_the_rest(tmp_path: Path) -> None:
    path = write_catalogue(tmp_path / "c.duckdb", shop(days=3))
    response = browse(path).get("/pipeline")
    assert response.status_code == 200
    page = Markup(response.text)
    assert "the next run brings them" in state(page)[-1]
    assert text(page["alerts-title"]) == "What the checks found"
    assert "the next run brings it" in text(page.root)
    assert rows(page, "tables")


def test_before_the_first_sale_the_page_is_there(tmp_path: Path) -> None:
    path = write_catalogue(tmp_path / "c.duckdb", {}, run=("run-1", FINISHED, None))
    page = Markup(browse(path).get("/pipeline").text)
    assert state(page)[1] == "Silver has no batch day yet: land files and run."
    path = write_catalogue(tmp_path / "d.duckdb", {}, tables=(), run=None)
    assert browse(path).get("/pipeline").status_code == 200


def test_filters_change_nothing_and_the_page_says_so(catalogue: Path, html: str) -> None:
    filtered = client_of(catalogue).get("/pipeline?period=30d").text
    assert "Period does not apply here: this page is about all records" in filtered
    assert rows(Markup(filtered), "accounting") == rows(Markup(html), "accounting")
    assert "The filters of the other pages change nothing here." in html


@pytest.mark.parametrize("code", [*reasons.OF_RECORDS, *reasons.OF_FILES])
def test_every_reason_is_explained_in_sentences(code: str) -> None:
    reason = (reasons.OF_RECORDS | reasons.OF_FILES)[code]
    assert reason.means.endswith(".")
    assert reason.remedy.endswith(".")


def test_the_reasons_are_those_of_the_documentation() -> None:
    docs = Path(__file__).parents[2] / "docs"
    documentation = (docs / "silver.md").read_text() + (docs / "landing.md").read_text()
    assert not [
        code for code in reasons.OF_RECORDS | reasons.OF_FILES if f"`{code}`" not in documentation
    ]
    assert "does not know" in reasons.of_record("NEW_CODE").means
    assert "does not know" in reasons.of_file("NEW_CODE").means


def test_a_long_time_between_data_and_run_is_given_in_days(tmp_path: Path) -> None:
    run = ("run-1", datetime(2026, 11, 24, 4, 23), date(2024, 9, 26))
    path = write_catalogue(tmp_path / "c.duckdb", shop(days=3), run=run)
    sentences = state(Markup(browse(path).get("/pipeline").text))
    assert sentences[1] == "The data end on 2024-09-26, 789 days before that run."


def test_days_between_data_and_run_are_those_of_the_shop(tmp_path: Path) -> None:
    """At half past four in the morning of UTC it is still the evening before in Los Angeles."""
    run = ("run-1", datetime(2024, 5, 11, 4, 30), date(2024, 5, 10))
    path = write_catalogue(tmp_path / "c.duckdb", shop(days=3), run=run)
    in_utc = Markup(browse(path).get("/pipeline").text)
    assert state(in_utc)[1] == "The data end on 2024-05-10, one day before that run."
    assert "days of" not in text(in_utc.all(".//footer")[-1])
    path = write_catalogue(tmp_path / "d.duckdb", shop(days=3), run=run)
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE meta.run SET timezone = 'America/Los_Angeles'")
    here = Markup(browse(path).get("/pipeline").text)
    assert state(here)[1] == "The data end on 2024-05-10, the day of that run."
    assert "days of America/Los_Angeles" in text(here.all(".//footer")[-1])
    assert "2024-05-11 04:30 UTC" in state(here)[0]


def test_a_catalogue_that_does_not_say_its_zone_has_days_of_utc(tmp_path: Path) -> None:
    path = write_catalogue(tmp_path / "c.duckdb", shop(days=3))
    with duckdb.connect(str(path)) as connection:
        connection.execute("ALTER TABLE meta.run DROP COLUMN timezone")
    page = Markup(browse(path).get("/pipeline").text)
    assert state(page)[1] == "The data end on 2024-07-28, one day before that run."
