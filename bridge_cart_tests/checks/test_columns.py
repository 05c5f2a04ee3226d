"""Columns that come and go are told, once, on the day on which they do."""

from datetime import date

import polars as pl
import pytest

from bridge_cart_assets.checks.declared import Evidence, checks_of
from bridge_cart_assets.checks.findings import Finding
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import drift, not_seen
from bridge_cart_assets.ingestion.take import take_in
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.partitions import DayRange
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources.purchases import PURCHASES

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
    take_in(lake, PURCHASES, not_seen(lake, list_landing(settings.landing, "purchases")), "run")
    return lake


def look(lake: Lake, *days: int) -> Finding:
    (check,) = [c for c in checks_of(PURCHASES.raw) if c.name == "columns_as_before"]
    assert not check.blocking
    wanted = DayRange.around(date(2024, 1, day) for day in days) if days else None
    return check.look(Evidence(lake, wanted))


def test_what_the_first_files_lack_is_no_news(lake: Lake) -> None:
    assert look(lake, 1) == Finding(True, "as before", {"unknown": 0, "missing": 0})


def test_a_new_column_is_told_on_its_day_and_kept(lake: Lake) -> None:
    found = look(lake, 2)
    assert (found.passed, found.says) == (False, "unknown, kept in _rescued: gift")
    rescued = lake.look(PURCHASES.raw).scan().filter(_batch_day=date(2024, 1, 2)).collect()
    assert rescued["_rescued"].to_list() == ['{"gift":"yes"}']


def test_a_column_that_is_missing_from_a_day_on_is_told_and_null(lake: Lake) -> None:
    found = look(lake, 3)
    assert (found.passed, found.says) == (False, "missing, null from now on: quantity")
    missing = lake.look(PURCHASES.raw).scan().filter(_batch_day=date(2024, 1, 3)).collect()
    assert missing["quantity"].to_list() == [None]


def test_over_several_days_and_on_its_own(lake: Lake) -> None:
    assert look(lake, 1, 3).figures == {"unknown": 1, "missing": 1}
    assert look(lake) == look(lake, 3)
    gift = drift(lake).row(by_predicate=pl.col("column") == "gift", named=True)
    assert (gift["kind"], gift["files"]) == ("unknown", 2)
    assert (gift["first_day"], gift["latest_day"]) == (date(2024, 1, 2), date(2024, 1, 3))


def test_without_a_file_there_is_nothing_to_say(settings: Settings) -> None:
    assert look(Lake(settings.lake)) == Finding(True, "no file was taken")
