"""What a run adds to the catalogue: verdicts as Dagster has them, and no personal data."""

from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.assets.run_metadata import run_metadata, times, verdicts
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.generator.shop import Shop, generate
from bridge_cart_assets.lake.catalogue import build_catalogue
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.reports import create_app
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables import meta, ops, silver
from bridge_cart_assets.tables.gold import KPIS_DAILY, TABLES
from bridge_cart_assets.tables.silver import ACCOUNTING, QUARANTINE

NOW = datetime(2024, 1, 12, 3, tzinfo=UTC)
KPIS = dg.AssetKey(["gold", "kpis_daily"])
ANNA = ("Anna Karenina", "anna.karenina@example.org", "+49 151 23456789")


def evaluation(name: str, passed: bool, **figures: float | str) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=KPIS,
        check_name=name,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{name}: {passed}",
        metadata={
            k: dg.MetadataValue.text(v) if isinstance(v, str) else v for k, v in figures.items()
        },
    )


def test_the_latest_verdict_of_each_check_counts_and_others_have_none() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for check_evaluation in (
            evaluation("rates_in_range", passed=True),
            evaluation("rates_in_range", passed=False, value=3, bound=0, covers="whole tables"),
            evaluation(
                "aov_90d_as_usual", True, value=0.5, upper_bound=2.0, first_day="2024-01-02"
            ),
            evaluation("orders_usual_for_the_weekday", False, value=12.0, z=-4.5, lower_bound=-3.5),
        ):
            instance.report_runless_asset_event(check_evaluation)
        rows = verdicts(instance, [KPIS_DAILY])
    assert rows.schema == meta.CHECKS.dtypes
    assert rows["check_name"].to_list() == [check.name for check in checks_of(KPIS_DAILY)]
    by_name = {row["check_name"]: row for row in rows.iter_rows(named=True)}
    failed = by_name["rates_in_range"]
    assert (failed["passed"], failed["value"], failed["bound"]) == (False, 3.0, 0.0)
    assert (failed["severity"], failed["says"]) == ("blocking", "rates_in_range: False")
    assert failed["covers"] == "whole tables"
    usual = by_name["aov_90d_as_usual"]
    assert (usual["passed"], usual["upper_bound"]) == (True, 2.0)
    assert (usual["first_day"], usual["last_day"]) == (date(2024, 1, 2), None)
    assert by_name["orders_usual_for_the_weekday"]["value"] == -4.5  # the bounds are of the score
    assert by_name["keys_unique"]["passed"] is None
    assert by_name["keys_unique"]["evaluated_at"] is None


def test_a_run_that_dagster_does_not_know_has_no_times() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert times(instance, "no such run", NOW).equals(meta.TIMES.empty())


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Path]:
    """A dirty shop's lake, with a person in places where none should be, and its catalogue."""
    root = tmp_path_factory.mktemp("run_metadata")
    generate(Shop(customers=200, days=8, dirt=0.5), root)
    name, mail, mobile = ANNA
    wrong = root / "landing" / "purchases" / "2024-01-09.persons.csv"
    wrong.write_text(
        "order_id,customer_id,purchase_date,purchase_amount\n"
        f"{name},C1,{mail},{mobile}\n,{name},2024-01-09,4\n{name},{mail},{mobile}\n"
        f"O1,C1,2024-01-09,{mobile}\n"
    )
    lake = Lake(str(root / "lake"))
    refresh_silver(lake, root / "landing")
    path = root / "bridge_cart.duckdb"
    with dg.DagsterInstance.ephemeral() as instance:
        raw = [source.raw for source in SOURCES]
        tables = (*raw, *silver.TABLES, *TABLES)
        build_catalogue(
            path,
            lake,
            copied=(*TABLES, *ops.TABLES),
            viewed=silver.TABLES,
            others=raw,
            run_id="run-1",
            finished_at=NOW,
            run_metadata=run_metadata(lake, instance, "run-1", NOW, tables),
        )
    return lake, path


def ask(path: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_the_records_of_meta_are_those_of_silver(shop: tuple[Lake, Path]) -> None:
    lake, path = shop
    accounting = lake.snapshot(ACCOUNTING).read()
    for name in ("records", "accepted", "quarantined", "duplicate", "superseded", "blank"):
        assert ask(path, f"SELECT sum({name}) FROM meta.accounting") == [(accounting[name].sum(),)]
        assert ask(path, f"SELECT sum({name}) FROM meta.accounting_days") == [
            (accounting[name].sum(),)
        ]
    refused = lake.snapshot(QUARANTINE).read()
    assert ask(path, "SELECT sum(records) FROM meta.quarantine") == [(refused.height,)]
    assert refused.height > 12


def test_no_person_is_named_in_meta_or_on_the_page(shop: tuple[Lake, Path]) -> None:
    lake, path = shop
    profiles = lake.snapshot(next(s.raw for s in SOURCES if s.name == "customers")).read()
    people = {
        value.strip()
        for column in ("name", "email", "mobile")
        for value in profiles[column].drop_nulls()
        if len(value.strip()) > 4
    } | {*ANNA, "Karenina", "23456789"}
    assert len(people) > 100
    meta_rows = [
        str(row)
        for (table,) in ask(
            path, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'meta'"
        )
        for row in ask(path, f"SELECT * FROM meta.{table}")
    ]
    page = TestClient(create_app(path), base_url="http://localhost").get("/pipeline")
    assert page.status_code == 200
    everything = "\n".join([*meta_rows, page.text])
    assert "aaaa.aaaaaaaa@aaaaaaa.aaa" in everything
    assert not [person for person in people if person in everything]


def test_the_run_has_no_part_in_the_figures(shop: tuple[Lake, Path]) -> None:
    _, path = shop
    assert ask(path, "SELECT count(*) FROM meta.times") == [(0,)]
    assert ask(path, "SELECT count(*) > 60, count(passed) FROM meta.checks") == [(True, 0)]


def test_the_tables_of_meta_are_declared_with_their_meanings(shop: tuple[Lake, Path]) -> None:
    _, path = shop
    for table in meta.TABLES:
        sql = f"SELECT * FROM meta.{table.name} LIMIT 0"
        columns = ask(path, f"SELECT column_name FROM (DESCRIBE {sql})")
        assert [name for (name,) in columns] == list(table.columns)
    assert pl.DataFrame(schema=meta.CHECKS.dtypes).width == 17
