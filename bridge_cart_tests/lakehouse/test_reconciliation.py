"""Net revenue by line, by day and by customer is one sum, and what is in two of them is stated."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.checks.check import CheckContext, CheckResult
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline import gold_inputs, run
from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, CUSTOMER_VALUE, KPIS_DAILY
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.lakehouse.tables import stale_tables

HEADER = "order_id,customer_id,purchase_date,purchase_amount"
# A buys and gives back, also before the shop's first sale; B never buys; one is anonymous.
FILES = {
    date(2024, 1, 5): [
        *("r1,A,2024-01-01,-4.00", "r2,B,2024-01-02,-3.00", "r3,,2024-01-02,-1.00"),
        *("s1,A,2024-01-04,50.00", "r4,A,2024-01-05,-7.00", "r5,B,2024-01-05,-2.00"),
    ],
    date(2024, 1, 6): ["s2,,2024-01-06,9.00", "r6,,2024-01-06,-5.00"],
    # Another one who gave back before, and buys now.
    date(2024, 1, 7): ["r7,C,2024-01-06,-6.00"],
    date(2024, 1, 8): ["s3,C,2024-01-08,30.00"],
}
CHECKS = (
    (KPIS_DAILY, "revenue_agrees"),
    (KPIS_DAILY, "net_revenue_agrees"),
    (KPIS_DAILY, "anonymous_refunds_agree"),
    (CUSTOMER_VALUE, "historic_clv_agrees"),
)


@pytest.fixture(autouse=True)
def small_shops_follow_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gold_inputs, "MOST_LINES", 100)


def land(landing: Path, day: date) -> None:
    (landing / "purchases").mkdir(parents=True, exist_ok=True)
    (landing / "purchases" / f"{day}.csv").write_text("\n".join([HEADER, *FILES[day], ""]))


def look(context: CheckContext, table: Table, name: str) -> CheckResult:
    [check] = [check for check in checks_of(table) if check.name == name]
    assert check.blocking
    return check.compute(context)


def sums(lake: Lake) -> tuple[str, ...]:
    """Net revenue of days and customers, and what was given back to people without a sale."""
    days, customers = lake.snapshot(KPIS_DAILY).read(), lake.snapshot(CUSTOMER_FEATURES).read()
    found = days["net_revenue"].sum(), customers["net_revenue"].sum()
    return tuple(f"{one}" for one in (*found, days["refunds_without_sale"].sum()))


@pytest.mark.slow
def test_each_day_agrees_with_the_customers_but_for_people_without_a_sale(tmp_path: Path) -> None:
    lake, landing = Lake(str(tmp_path / "lake")), tmp_path / "landing"
    # 4.00 of A were given back before the days begin.
    wanted = iter(
        [
            ("41.00", "39.00", "2.00"),
            ("41.00", "39.00", "2.00"),
            ("35.00", "39.00", "8.00"),
            ("65.00", "63.00", "2.00"),
        ]
    )
    for day in FILES:
        land(landing, day)
        run(lake, landing)
        assert sums(lake) == next(wanted)
        assert stale_tables(lake) == []
        context = CheckContext(lake)
        assert [name for t, name in CHECKS if not look(context, t, name).passed] == []
    said = look(context, KPIS_DAILY, "net_revenue_agrees").message
    assert "people without a sale: 2.00, before the first sale: 7.00" in said


def test_without_any_sale_all_of_it_was_given_back_before(tmp_path: Path) -> None:
    lake, landing = Lake(str(tmp_path / "lake")), tmp_path / "landing"
    land(landing, date(2024, 1, 7))
    run(lake, landing)
    assert all(look(CheckContext(lake), *check).passed for check in CHECKS)


@pytest.mark.parametrize(
    ("table", "column", "check"),
    [
        (KPIS_DAILY, "net_revenue", "net_revenue_agrees"),
        (KPIS_DAILY, "refunds_without_sale", "net_revenue_agrees"),
        (CUSTOMER_FEATURES, "net_revenue", "net_revenue_agrees"),
        (KPIS_DAILY, "anonymous_refunds", "anonymous_refunds_agree"),
        (CUSTOMER_VALUE, "historic_clv", "historic_clv_agrees"),
    ],
)
def test_a_cent_too_many_is_found(tmp_path: Path, table: Table, column: str, check: str) -> None:
    lake, landing = Lake(str(tmp_path / "lake")), tmp_path / "landing"
    land(landing, date(2024, 1, 5))
    run(lake, landing)
    row = pl.int_range(pl.len()) == 0
    cent = pl.when(row).then(pl.lit(Decimal("0.01"))).otherwise(pl.lit(Decimal("0.00")))
    off = lake.snapshot(table).read().with_columns((pl.col(column) + cent).cast(MONEY))
    where = KPIS_DAILY if check.startswith("net") else table
    assert not look(CheckContext(lake, frames={table.path: off}), where, check).passed
