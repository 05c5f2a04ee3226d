"""Columns that come and go are reported once, on the day on which they do."""

import json
from datetime import UTC, date, datetime

import polars as pl
import pytest

from bridge_cart_assets.batch_days import DayRange
from bridge_cart_assets.checks.check import CheckContext, CheckResult
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.ingestion.ingest_files import ingest_files
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import new_files
from bridge_cart_assets.ingestion.readers import read_objects
from bridge_cart_assets.ingestion.schema_drift import drift_of_files, drift_of_messages
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_assets.sources.purchases import PURCHASES
from bridge_cart_assets.tables.ops import OFFSETS

REQUIRED = "order_id,customer_id,purchase_date,purchase_amount"
ROW = "O1,C1,2024-01-01,10"
FILES = {
    "2024-01-01": (f"{REQUIRED},quantity", f"{ROW},1"),
    "2024-01-02": (f"{REQUIRED},quantity,gift", f"{ROW},1,yes"),
    "2024-01-03": (f"{REQUIRED},gift", f"{ROW},no"),
}


@pytest.fixture
def lake(settings: Settings) -> Lake:
    folder = settings.landing / "purchases"
    folder.mkdir()
    for day, (header, row) in FILES.items():
        (folder / f"{day}.csv").write_text(f"{header}\n{row}\n")
    lake = Lake(settings.lake)
    ingest_files(
        lake, PURCHASES, new_files(lake, list_landing(settings.landing, "purchases")), "run"
    )
    return lake


def look(lake: Lake, *days: int) -> CheckResult:
    (check,) = [c for c in checks_of(PURCHASES.raw) if c.name == "columns_as_before"]
    assert not check.blocking
    wanted = DayRange.around(date(2024, 1, day) for day in days) if days else None
    return check.compute(CheckContext(lake, wanted))


def test_what_the_first_files_lack_is_no_news(lake: Lake) -> None:
    found = look(lake, 1)
    assert (found.passed, found.message) == (True, "as before")
    assert (found.metadata["unknown"], found.metadata["missing"]) == (0, 0)


def test_a_new_column_is_reported_on_its_day_and_kept(lake: Lake) -> None:
    found = look(lake, 2)
    assert (found.passed, found.message) == (False, "unknown, kept in _rescued: gift")
    rescued = lake.snapshot(PURCHASES.raw).scan().filter(_batch_day=date(2024, 1, 2)).collect()
    assert rescued["_rescued"].to_list() == ['{"gift":"yes"}']


def test_a_column_that_is_missing_from_a_day_on_is_reported_and_null(lake: Lake) -> None:
    found = look(lake, 3)
    assert (found.passed, found.message) == (False, "missing, null from now on: quantity")
    missing = lake.snapshot(PURCHASES.raw).scan().filter(_batch_day=date(2024, 1, 3)).collect()
    assert missing["quantity"].to_list() == [None]


def test_over_several_days_and_on_its_own(lake: Lake) -> None:
    assert look(lake, 1, 3).metadata == {
        **{"value": 2, "bound": 0, "unknown": 1, "missing": 1},
        **{"first_day": "2024-01-01", "last_day": "2024-01-03"},
    }
    assert look(lake) == look(lake, 3)
    gift = drift_of_files(lake).row(by_predicate=pl.col("column") == "gift", named=True)
    assert (gift["kind"], gift["files"]) == ("unknown", 2)
    assert (gift["first_day"], gift["latest_day"]) == (date(2024, 1, 2), date(2024, 1, 3))


def test_without_a_file_there_is_nothing_to_say(settings: Settings) -> None:
    assert look(Lake(settings.lake)) == CheckResult(True, "nothing was taken")


def messages(lake: Lake, day: int, *rows: dict[str, str]) -> None:
    """Messages in raw as they are after a run, and where the ledger says they are."""
    read = read_objects(pl.Series([json.dumps(row) for row in rows]), PURCHASES)
    frame = read.records.with_columns(
        _source=pl.lit("purchases"),
        _object=pl.lit(f"{PURCHASES.topic}-0"),
        _fingerprint=pl.lit(f"{PURCHASES.topic}-0"),
        _pos=pl.col("_pos") + day * 100,
        _ingested_at=pl.lit(datetime(2024, 1, day, tzinfo=UTC)),
        _batch_day=pl.lit(date(2024, 1, day)),
        _batch_id=pl.lit("run"),
    )
    lake.snapshot(PURCHASES.raw).append(frame, Commit("run"))
    ledger = {
        **{"topic": PURCHASES.topic, "partition": day, "source": "purchases", "next_offset": 1},
        **{"records": 1, "quarantined": 0, "latest_day": date(2024, 1, day), "version": 0},
        **{"seen_at": datetime(2024, 1, day, tzinfo=UTC), "run_id": "run"},
    }
    lake.snapshot(OFFSETS).append(pl.DataFrame([ledger], schema=OFFSETS.dtypes), Commit("run"))


def test_columns_of_messages_are_reported_when_they_come_and_go(settings: Settings) -> None:
    lake = Lake(settings.lake)
    order = {"order_id": "1", "customer_id": "2", "purchase_date": "3", "purchase_amount": "4"}
    messages(lake, 1, {**order, "quantity": "1"}, {"order_id": "5", "old": "x"})
    messages(lake, 2, {**order, "quantity": "1", "old": "y", 'new "one"': "z"})
    messages(lake, 3, {**order, "old": "y", 'new "one"': "z"})

    assert look(lake, 1).message == "unknown, kept in _rescued: old"
    assert look(lake, 2).message == 'unknown, kept in _rescued: new "one"'
    assert look(lake, 3).message == "missing, null from now on: quantity"
    assert look(lake) == look(lake, 3)
    assert not look(lake).passed
    drift = drift_of_messages(lake, PURCHASES, date(2024, 1, 2), date(2024, 1, 3))
    assert drift.rows() == [
        ("purchases", 'new "one"', "unknown", 1, date(2024, 1, 2), date(2024, 1, 3))
    ]
    assert drift_of_messages(lake, CUSTOMERS, date(2024, 1, 1), date(2024, 1, 3)).height == 0
