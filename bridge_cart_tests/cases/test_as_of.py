"""as_of when some sources go on and others do not: orders say what day it is in the shop."""

import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline import run
from bridge_cart_assets.pipeline.pending import latest_day
from bridge_cart_assets.tables.gold import (
    CUSTOMER_FEATURES,
    CUSTOMER_VALUE,
    KPIS_DAILY,
    MODEL_METRICS,
    SEGMENT_MODEL,
)
from bridge_cart_assets.tables.silver import ACCOUNTING, CUSTOMERS, PURCHASES
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.lakehouse.tables import ALL, contents, stale_tables
from bridge_cart_tests.reports.conftest import browse

CASES = Path(__file__).parent / "as-of"
LAST = date(2024, 5, 31)
PROFILES = date(2024, 10, 20)
STOPPED = (
    "no orders since 2024-05-31, while customers go on to 2024-10-20: all figures are of 2024-05-31"
)


def land(landing: Path, source: str, day: date, header: str, *lines: str) -> None:
    folder = landing / source
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{day}.csv").write_text("\n".join([header, *lines, ""]))


def orders(landing: Path, day: date, *lines: str) -> None:
    land(landing, "purchases", day, "order_id,customer_id,purchase_date,purchase_amount", *lines)


def profiles(landing: Path, day: date, *lines: str) -> None:
    land(landing, "customers", day, "customer_id,country,age,updated_at", *lines)


def a_shop(landing: Path) -> None:
    """Enough customers for a segment model, all of them with orders on three days."""
    lines = [
        f"o{n}-{order},c{n},{LAST - timedelta(days=(n * 7 + order * 31) % 150)},{5 + n % 40}.00"
        for n in range(60)
        for order in range(1 + n % 5)
    ]
    orders(landing, LAST, *lines)


def test_orders_that_stopped_are_said_and_no_customer_has_left_for_it(
    tmp_path: Path, command: Command
) -> None:
    shutil.copytree(CASES, tmp_path / "landing")
    done = command("run")
    assert done.returncode == 0, done.stderr
    assert f"{STOPPED}:" in done.stdout
    assert "nothing stands out" not in done.stdout
    assert "KPIs  on 2024-05-31" in done.stdout
    [warned] = [line for line in done.stderr.splitlines() if "orders_keep_up" in line]
    assert STOPPED in warned
    [fresh] = [line for line in done.stderr.splitlines() if "sources_are_fresh" in line]
    assert "purchases up to 2024-05-31, customers up to 2024-10-20" in fresh

    found = json.loads(command("status", "--json").stdout)
    assert found["as_of"] == "2024-05-31"
    # A raw table says up to when it goes itself.
    assert {
        table["as_of"]
        for name, table in found["tables"].items()
        if name.startswith(("silver/", "gold/"))
    } == {"2024-05-31"}
    assert found["tables"]["raw/customers"]["as_of"] == "2024-10-20"
    assert {name: of["last_day"] for name, of in found["freshness"].items()} == {
        "customers": "2024-10-20",
        "purchases": "2024-05-31",
    }
    assert found["orders_stopped"] == STOPPED
    shown = " ".join(command("status").stdout.split())
    assert f"orders {STOPPED}" in shown
    assert "sources purchases up to 2024-05-31, " in shown
    assert "; customers up to 2024-10-20, " in shown

    lake = Lake(str(tmp_path / "lake"))
    assert lake.snapshot(KPIS_DAILY).read()["day"].max() == LAST
    features = lake.snapshot(CUSTOMER_FEATURES).read()
    assert set(features.select("as_of", "country").rows()) == {(LAST, "Spain")}
    assert lake.snapshot(CUSTOMER_VALUE).read()["is_churned"].to_list() == [False] * 4

    client = browse(tmp_path / "bridge_cart.duckdb")
    assert client.get("/healthz").json()["as_of"] == "2024-05-31"
    said = f"N{STOPPED[1:]}."
    assert said in client.get("/").text
    pipeline = client.get("/pipeline").text
    assert said in pipeline
    assert "By source: purchases up to 2024-05-31, customers up to 2024-10-20." in pipeline


def test_sources_that_keep_up_are_not_warned_of(tmp_path: Path, command: Command) -> None:
    orders(tmp_path / "landing", LAST, f"o1,c1,{LAST},5.00")
    profiles(tmp_path / "landing", LAST + timedelta(days=3), "c1,Spain,30,")
    done = command("run")
    assert "orders_keep_up" not in done.stderr
    assert "no orders since" not in done.stdout
    assert json.loads(command("status", "--json").stdout)["orders_stopped"] is None
    client = browse(tmp_path / "bridge_cart.duckdb")
    pages = [client.get(path) for path in ("/", "/pipeline")]
    assert [page.status_code for page in pages] == [200, 200]
    assert not any("No orders since" in page.text for page in pages)


def test_without_orders_the_other_sources_say_what_day_it_is(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    profiles(tmp_path / "landing", PROFILES, "c1,Spain,30,")
    run(lake, tmp_path / "landing")
    assert latest_day(lake) == PROFILES
    assert lake.snapshot(CUSTOMERS).as_of == PROFILES


@pytest.mark.parametrize("profiles_first", [True, False])
def test_profiles_beyond_as_of_give_the_same_tables_first_or_last(
    tmp_path: Path, profiles_first: bool
) -> None:
    """as_of goes back to the orders' day when they come after profiles of a later one."""

    def bring_profiles(landing: Path) -> None:
        profiles(landing, LAST - timedelta(days=9), *(f"c{n},Italy,40," for n in range(20)))
        profiles(landing, PROFILES, *(f"c{n},Spain,41,{PROFILES}" for n in range(40)))

    whole, lake = Lake(str(tmp_path / "whole")), Lake(str(tmp_path / "lake"))
    a_shop(tmp_path / "all")
    bring_profiles(tmp_path / "all")
    run(whole, tmp_path / "all")
    steps = [bring_profiles, a_shop] if profiles_first else [a_shop, bring_profiles]
    for step in steps:
        step(tmp_path / "landing")
        run(lake, tmp_path / "landing")
    assert latest_day(lake) == LAST
    wanted, found = contents(whole, ALL), contents(lake, ALL)
    assert [name for name in wanted if not wanted[name].equals(found[name])] == []
    assert {lake.snapshot(table).as_of for table in ALL} == {LAST}
    assert stale_tables(lake) == []
    for table in (SEGMENT_MODEL, MODEL_METRICS):
        assert set(lake.snapshot(table).read()["trained_as_of"]) == {LAST}


def test_a_customer_has_the_current_profile_also_when_it_begins_after_as_of(
    tmp_path: Path,
) -> None:
    """The profile is what is known of a person, not a figure of a day."""
    lake, landing = Lake(str(tmp_path / "lake")), tmp_path / "landing"
    orders(landing, LAST, f"o1,c1,{LAST},5.00", f"o2,c2,{LAST},5.00")
    profiles(landing, LAST, "c1,Italy,40,2024-01-01", "c2,Italy,40,2024-01-01")
    run(lake, landing)
    profiles(landing, PROFILES, f"c1,Spain,41,{PROFILES}")
    run(lake, landing)
    features = lake.snapshot(CUSTOMER_FEATURES).read().sort("customer_id")
    assert features.select("as_of", "country").rows() == [(LAST, "Spain"), (LAST, "Italy")]
    assert stale_tables(lake) == []


def test_an_order_of_tomorrow_waits_for_the_orders_of_tomorrow(tmp_path: Path) -> None:
    """A record may be dated one day ahead of its batch: profiles do not bring its day about."""
    lake, landing = Lake(str(tmp_path / "lake")), tmp_path / "landing"
    tomorrow = LAST + timedelta(days=1)
    orders(landing, LAST, f"o1,c1,{LAST},5.00", f"o2,c1,{tomorrow},7.00")
    run(lake, landing)
    profiles(landing, PROFILES, "c1,Spain,40,")
    run(lake, landing)
    assert lake.snapshot(PURCHASES).rows == 2
    assert lake.snapshot(KPIS_DAILY).read()["revenue"].to_list() == [5]
    orders(landing, tomorrow, f"o3,c1,{tomorrow},1.00")
    run(lake, landing)
    kpis = lake.snapshot(KPIS_DAILY).read().sort("day")
    assert kpis.select("day", "revenue").rows() == [(LAST, 5), (tomorrow, 8)]
    assert stale_tables(lake) == []


def test_orders_of_any_source_move_as_of_on(tmp_path: Path) -> None:
    lake, landing = Lake(str(tmp_path / "lake")), tmp_path / "landing"
    orders(landing, LAST, f"o1,c1,{LAST},5.00")
    later = LAST + timedelta(days=10)
    order = {
        "name": "#1",
        "created_at": f"{later}T10:00:00Z",
        "financial_status": "paid",
        "line_items": [],
    }
    (landing / "shopify_api_orders").mkdir()
    (landing / "shopify_api_orders" / f"{later}.ndjson").write_text(json.dumps(order))
    run(lake, landing)
    assert latest_day(lake) == later
    accounting = lake.snapshot(ACCOUNTING).read().filter(pl.col("source") == "shopify_api_orders")
    assert accounting["blank"].to_list() == [1]
