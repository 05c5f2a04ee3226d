"""Lakehouses at the edge: no sale yet, profiles of two sources, a raw table that was moved away."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.checks.check import CheckContext
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_gold, refresh_silver
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, KPIS_DAILY
from bridge_cart_assets.tables.silver import ACCOUNTING, CUSTOMERS, PURCHASES, QUARANTINE
from bridge_cart_tests.lakehouse.tables import ALL


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def land(folder: Path, source: str, name: str, *lines: str) -> None:
    path = folder / "landing" / source / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, ""]))


def run(lake: Lake, folder: Path) -> None:
    refresh_silver(lake, folder / "landing")
    refresh_gold(lake)


def failed(lake: Lake) -> list[str]:
    evidence = CheckContext(lake)
    checks = [(table, check) for table in ALL for check in checks_of(table) if check.blocking]
    return [f"{t.path} {c.name}" for t, c in checks if not c.compute(evidence).passed]


def test_profiles_without_a_sale_leave_gold_empty_and_every_check_passed(
    tmp_path: Path, lake: Lake
) -> None:
    land(tmp_path, "customers", "2024-01-01.csv", "customer_id,name", "C1,Anna")

    run(lake, tmp_path)

    assert lake.snapshot(CUSTOMERS).rows == 1
    assert lake.snapshot(CUSTOMER_FEATURES).rows == lake.snapshot(KPIS_DAILY).rows == 0
    assert failed(lake) == []


def test_a_profile_displaced_by_another_source_is_counted_again(tmp_path: Path, lake: Lake) -> None:
    profile = "customer_id,country,updated_at"
    land(tmp_path, "customers", "2024-01-02.csv", profile, "C1,France,2024-01-02")
    run(lake, tmp_path)
    land(
        tmp_path,
        "online_retail",
        "2024-01-01.csv",
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
        "1,A,Cup,1,2024-01-01 10:00:00,2.50,C1,France",
    )

    run(lake, tmp_path)

    accounting = lake.snapshot(ACCOUNTING).read().filter(pl.col("source") == "customers")
    assert accounting.select("accepted", "duplicate").rows() == [(0, 1)]
    assert failed(lake) == []


def test_a_raw_table_that_was_moved_away_is_made_again_from_the_landed_files(
    tmp_path: Path, lake: Lake
) -> None:
    header = "order_id,customer_id,purchase_date,purchase_amount"
    land(tmp_path, "purchases", "2024-01-01.csv", header, "O1,C1,2024-01-01,10")
    run(lake, tmp_path)
    shutil.move(tmp_path / "lake" / "raw" / "purchases", tmp_path / "away")

    run(lake, tmp_path)

    assert (tmp_path / "lake" / "raw" / "purchases").is_dir()
    assert lake.snapshot(PURCHASES).rows == 1
    assert failed(lake) == []


def test_quarantine_has_the_whole_record_its_unknown_columns_too(
    tmp_path: Path, lake: Lake
) -> None:
    header = "order_id,customer_id,purchase_date,purchase_amount"
    name = "2024-01-01.csv"
    land(tmp_path, "purchases", name, f'{header},channel,"a ""b"""', "1,C1,never,10,app,x")
    land(tmp_path, "purchases", "2024-01-02.csv", header, "2,C1,never,10")

    run(lake, tmp_path)

    refused = lake.snapshot(QUARANTINE).read().sort("batch_day")["raw"].to_list()
    records = [{k: v for k, v in json.loads(text).items() if v is not None} for text in refused]
    common = {"customer_id": "C1", "purchase_date": "never", "purchase_amount": "10"}
    assert records == [
        {"order_id": "1", **common, "channel": "app", 'a "b"': "x"},
        {"order_id": "2", **common},
    ]
