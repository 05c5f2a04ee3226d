"""A shop on the west coast of America: its days, its midnights, and the hour its clock skips."""

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bridge_cart_assets import pipeline
from bridge_cart_assets.ingestion.landing import batch_day_of
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.settings import SilverSettings
from bridge_cart_assets.tables.gold import KPIS_DAILY
from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES, QUARANTINE
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.lakehouse.tables import contents, differences

CASES = Path(__file__).parent
HERE = "America/Los_Angeles"


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(str(tmp_path_factory.mktemp("time-zone")))
    pipeline.run(lake, CASES / "time-zone", settings=SilverSettings(timezone=HERE))
    return lake


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_days_and_months_are_local_and_times_are_stored_in_utc(taken: Lake) -> None:
    lines = taken.snapshot(PURCHASES).read()
    columns = ("order_id", "purchase_month", "purchase_day", "purchase_date")
    found = {order: rest for order, *rest in lines.select(columns).rows()}
    assert found == {
        order: [day[:7], date.fromisoformat(day), utc(moment)]
        for order, day, moment in (
            ("L1", "2024-09-30", "2024-10-01 06:40"),
            ("L2", "2024-09-30", "2024-10-01 06:40"),
            ("L3", "2024-09-30", "2024-10-01 06:40"),
            ("L4", "2024-09-30", "2024-10-01 06:40"),
            # 31 December, below, does not decide: it names its month.
            ("L5", "2024-03-10", "2024-03-10 10:10"),
            ("L6", "2023-11-05", "2023-11-05 08:20"),
            ("L7", "2024-07-04", "2024-07-04 07:00"),
            ("L8", "2023-12-31", "2023-12-31 08:00"),
            ("L9", "2024-12-01", "2024-12-02 07:30"),
            ("L11", "2024-11-29", "2024-11-29 18:00"),
            ("L12", "2024-11-29", "2024-11-29 18:00"),
            ("L13", "2024-09-30", "2024-09-30 21:10"),
        )
    }


def test_the_future_begins_two_local_days_after_the_batch_day(taken: Lake) -> None:
    quarantine = taken.snapshot(QUARANTINE).read()
    assert quarantine.select("value", "reason").rows() == [("2024-12-02T08:30:00Z", "FUTURE_DATE")]
    assert quarantine["quarantined_at"].to_list() == [utc("2024-11-30 08:00")]


def test_a_version_without_a_time_is_of_the_end_of_its_local_day(taken: Lake) -> None:
    lines = taken.snapshot(PURCHASES).read()
    versions = dict(lines.select("order_id", "version_at").rows())
    end = utc("2024-12-01 07:59:59.999999")
    assert versions.pop("L11") == utc("2024-12-02 07:30")
    assert set(versions.values()) == {end}
    unreadable = dict(lines.select("order_id", "unreadable").rows())
    assert {order for order, columns in unreadable.items() if columns} == {"L12"}


def test_a_profile_is_valid_from_local_midnight_and_signed_up_on_a_local_day(taken: Lake) -> None:
    profiles = taken.snapshot(CUSTOMERS).read().sort("customer_id")
    assert profiles.select("customer_id", "valid_from", "signup_date").rows() == [
        ("K1", utc("2024-11-30 08:00"), date(2024, 9, 30)),
        ("K2", utc("2024-11-30 02:00"), date(2024, 7, 4)),
        ("K3", utc("2024-11-30 02:00"), date(2024, 9, 30)),
    ]


def test_figures_of_a_day_are_those_of_the_local_day(taken: Lake) -> None:
    kpis = taken.snapshot(KPIS_DAILY).read()
    orders = dict(kpis.select("day", "orders").rows())
    assert kpis["day"].max() == date(2024, 11, 30)
    assert orders[date(2024, 9, 30)] == 5
    assert orders[date(2024, 10, 1)] == 0


@pytest.mark.parametrize("zone", [HERE, "Pacific/Auckland"])
@pytest.mark.parametrize("kind", ["shopify-export", "shopify-api", "woocommerce"])
def test_exports_with_offsets_keep_their_moments_and_get_local_days(
    tmp_path: Path, kind: str, zone: str
) -> None:
    moments = {}
    for name in ("UTC", zone):
        lake = Lake(str(tmp_path / name.replace("/", "-")))
        pipeline.run(lake, CASES / kind, settings=SilverSettings(timezone=name))
        lines = lake.snapshot(PURCHASES).read().sort("source", "order_id", "line_number")
        moments[name] = dict(
            zip(
                lines.select("source", "order_id", "line_number").rows(),
                lines["purchase_date"],
                strict=True,
            )
        )
        days = [at.astimezone(ZoneInfo(name)).date() for at in lines["purchase_date"]]
        assert lines["purchase_day"].to_list() == days
        assert lines["purchase_month"].to_list() == [f"{day:%Y-%m}" for day in days]
    assert len(moments[zone]) > 4
    assert moments[zone] == moments["UTC"]


def test_online_retail_is_on_the_shops_clock(tmp_path: Path) -> None:
    lines = {}
    for name in ("UTC", "Europe/London"):
        lake = Lake(str(tmp_path / name.replace("/", "-")))
        pipeline.run(lake, CASES / "online-retail", settings=SilverSettings(timezone=name))
        lines[name] = lake.snapshot(PURCHASES).read().sort("source", "order_id", "line_number")
    here, utc = lines["Europe/London"], lines["UTC"]
    assert here.height > 4
    assert here["purchase_day"].equals(utc["purchase_day"])
    there = ZoneInfo("Europe/London")
    assert here["purchase_date"].to_list() == [
        at.replace(tzinfo=there).astimezone(UTC) for at in utc["purchase_date"]
    ]


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        (HERE, "2024-05-11 06:59:59", "2024-05-10"),
        (HERE, "2024-05-11 07:00:00", "2024-05-11"),
        ("Pacific/Auckland", "2024-05-10 12:00:00", "2024-05-11"),
        ("Asia/Kolkata", "2024-05-10 18:29:59", "2024-05-10"),
        ("Asia/Kolkata", "2024-05-10 18:30:00", "2024-05-11"),
        ("Europe/London", "2024-05-10 23:00:00", "2024-05-11"),
        ("Australia/Lord_Howe", "2024-05-10 13:30:00", "2024-05-11"),
        ("UTC", "2024-05-10 23:59:59", "2024-05-10"),
    ],
)
def test_a_file_without_a_day_in_its_name_is_of_the_local_day_of_its_time(
    tmp_path: Path, zone: str, moment: str, day: str
) -> None:
    seconds = int(utc(moment).timestamp())
    assert batch_day_of("orders.csv", seconds * 10**9, zone) == date.fromisoformat(day)
    assert batch_day_of("orders_2024-02-03.csv", seconds * 10**9, zone) == date(2024, 2, 3)
    landed = tmp_path / "landing" / "purchases" / "orders.csv"
    landed.parent.mkdir(parents=True)
    landed.write_text("order_id,purchase_date,purchase_amount\nO1,2024-05-01,1\n")
    os.utime(landed, (seconds, seconds))
    lake = Lake(str(tmp_path / "lake"))
    pipeline.run(lake, tmp_path / "landing", settings=SilverSettings(timezone=zone))
    assert lake.snapshot(PURCHASES).read()["batch_day"].to_list() == [date.fromisoformat(day)]


@pytest.mark.slow
def test_another_zone_is_refused_and_a_rebuild_adopts_it(tmp_path: Path, command: Command) -> None:
    (tmp_path / "landing").symlink_to(CASES / "time-zone")
    here = {"BRIDGE_CART_TIMEZONE": HERE, "BRIDGE_CART_START_DATE": "2023-01-01"}
    there = here | {"BRIDGE_CART_TIMEZONE": "Europe/Berlin"}
    assert command("run", **here).returncode == 0
    for verb in (("run",), ("check",), ("retrain",)):
        refused = command(*verb, **there)
        assert refused.returncode == 2
        assert refused.stderr == (
            "error: BRIDGE_CART_TIMEZONE='Europe/Berlin' is not accepted: the tables were made "
            f"with {HERE!r}; set that, or make them again with this one: bridge-cart rebuild\n"
        )
    assert json.loads(command("status", "--json", **there).stdout)["timezone"] == HERE
    rebuilt = command("rebuild", **there)
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert command("run", **there).returncode == 0
    assert command("check", **there).returncode == 0
    assert command("run", **here).returncode == 2
    assert " in Europe/Berlin, " in command("status", **here).stdout.splitlines()[0]
    fresh = Lake(str(tmp_path / "fresh"))
    zone = SilverSettings(timezone="Europe/Berlin")
    pipeline.run(fresh, CASES / "time-zone", settings=zone)
    assert differences(contents(fresh), contents(Lake(str(tmp_path / "lake")))) == []
