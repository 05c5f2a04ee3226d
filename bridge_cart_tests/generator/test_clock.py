"""A shop in another time zone: the same hours on its clock, other moments."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.clock import in_utc
from bridge_cart_assets.generator.shop import generate
from bridge_cart_tests.generator.shop_factory import make

TIDY = Shop(customers=80, days=20, start=date(2024, 3, 1), dirt=0.0)
ZONES = ("America/Los_Angeles", "Pacific/Auckland", "Australia/Lord_Howe", "Asia/Kolkata")


def moments(clocks: list[str], zone: str) -> list[str]:
    at = [datetime.fromisoformat(clock).replace(tzinfo=UTC) for clock in clocks]
    records = pl.DataFrame({"at": pl.Series(at, dtype=pl.Datetime("us", "UTC"))})
    return [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in in_utc(records, zone)["at"]]


def test_what_would_happen_in_a_skipped_hour_happens_at_its_end() -> None:
    clocks = ["2024-03-10 01:59:59", "2024-03-10 02:00:00", "2024-03-10 02:59:59"]
    assert moments([*clocks, "2024-03-10 03:00:00"], "America/New_York") == [
        "2024-03-10 06:59:59",
        *["2024-03-10 07:00:00"] * 3,
    ]
    assert moments(["2024-10-06 02:10:05"], "Australia/Lord_Howe") == ["2024-10-05 15:30:00"]


def test_of_an_hour_that_comes_twice_the_first_is_meant() -> None:
    assert moments(["2024-11-03 01:15:07"], "America/New_York") == ["2024-11-03 05:15:07"]


def test_nothing_has_no_moment() -> None:
    assert moments([], "America/New_York") == []


@pytest.mark.parametrize("zone", ZONES)
def test_files_have_the_clocks_times_and_the_truth_has_their_moments(
    tmp_path: Path, zone: str
) -> None:
    here = make(replace(TIDY, zone=zone), tmp_path / "here")
    utc = make(TIDY, tmp_path / "utc")
    there = ZoneInfo(zone)
    same = 0
    for row in here.truth("purchases").iter_rows(named=True):
        written = here.record(row["file"], row["record"])
        clock = datetime.fromisoformat(written["purchase_date"])
        assert row["purchase_date"] == clock.replace(tzinfo=there)
        assert row["batch_day"] >= clock.date()
        elsewhere = utc.record(row["file"], row["record"])
        assert {**written, "purchase_date": "", "updated_at": ""} == {
            **elsewhere,
            "purchase_date": "",
            "updated_at": "",
        }
        same += written["purchase_date"] == elsewhere["purchase_date"]
    # But for the hour that one of the clocks skips.
    assert 0.9 * here.truth("purchases").height < same


def test_a_shop_goes_on_in_its_zone(tmp_path: Path) -> None:
    shop = replace(TIDY, zone="Pacific/Auckland")
    generate(shop, tmp_path)
    assert Shop.asked_for(tmp_path, date(2024, 3, 31)) == replace(shop, days=31)
