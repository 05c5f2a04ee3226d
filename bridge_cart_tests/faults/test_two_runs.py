"""Silver when a run dies between two of its tables, or another run comes in there."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest

from bridge_cart_assets.ingestion.ingest_files import ingest_files
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import new_files
from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline import silver
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.tables.silver import (
    ACCOUNTING,
    CUSTOMER_REPEATS,
    CUSTOMERS,
    PURCHASE_REPEATS,
    PURCHASES,
    QUARANTINE,
)
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.faults.fault_injection import Crash, die
from bridge_cart_tests.faults.laws import NATIVE

PROFILE = "customer_id,name,updated_at"
LINE = "order_id,customer_id,purchase_date,purchase_amount,updated_at"


class Shop:
    """A lake and its landing zone."""

    def __init__(self, root: Path) -> None:
        self.landing, self.lake = root / "landing", Lake(str(root / "lake"))

    def land(self, source: str, name: str, *lines: str) -> None:
        path = self.landing / source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*lines, ""]))

    def run(self) -> None:
        refresh_silver(self.lake, self.landing, sources=NATIVE)

    def read(self, table: Table) -> pl.DataFrame:
        return self.lake.snapshot(table).read()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def behind(table: Table, act: Callable[[], Any]) -> Any:
    """While this holds, something happens once, when changes of a table have been written."""
    apply = Snapshot.apply
    due = [act]

    def call(snapshot: Snapshot, change: Change, commit: Commit, **options: Any) -> int:
        version = apply(snapshot, change, commit, **options)
        if snapshot.table is table and due:
            due.pop()()
        return version

    return patch.object(Snapshot, "apply", call)


@pytest.fixture
def returning(shop: Shop) -> Shop:
    """The profile of the 3rd repeats that of the 1st; one of the 2nd arrives, and it stands."""
    shop.land("customers", "2024-01-01.csv", PROFILE, "C1,Ann,2024-01-01")
    shop.land("customers", "2024-01-03.csv", PROFILE, "C1,Ann,2024-01-03")
    shop.run()
    shop.land("customers", "2024-01-02.csv", PROFILE, "C1,Bob,2024-01-02")
    return shop


def test_a_profile_that_stands_again_outlives_a_crash(returning: Shop) -> None:
    """It is written to what stands before it is taken from the repeats."""
    with suppress(Crash), behind(CUSTOMER_REPEATS, die):
        returning.run()
    returning.run()
    assert returning.read(CUSTOMERS).sort("valid_from")["name"].to_list() == ["Ann", "Bob", "Ann"]


def test_a_profile_that_stands_again_outlives_another_run(returning: Shop) -> None:
    """The first attempt, which is refused, must not have taken away what the second one needs."""

    def another() -> None:
        returning.land("customers", "2024-01-04.csv", PROFILE, "C9,Zoe,2024-01-04")
        returning.run()

    with behind(CUSTOMER_REPEATS, another):
        returning.run()
    returning.run()
    names = returning.read(CUSTOMERS).sort("customer_id", "valid_from")["name"].to_list()
    assert names == ["Ann", "Bob", "Ann", "Zoe"]


@pytest.mark.slow
def test_a_replaced_line_outlives_a_run_over_another_day(shop: Shop) -> None:
    """Between the two writes of a fold a rival takes the first for a copy, and clears it away.

    It has nothing to write to what stands, and must turn the first run away all the same. It is one
    over one day (`run --from --to`), or one whose plan is older than the first run's intake.
    """
    shop.land("purchases", "2024-01-01.csv", LINE, "O1,C1,2024-01-01,10,2024-01-02")
    shop.run()
    shop.land("purchases", "2024-01-02.csv", LINE, "O1,C1,2024-01-01,20,2024-01-03")

    def another() -> None:
        shop.land("purchases", "2024-01-03.csv", LINE, "O1,C1,2024-01-01,5,2024-01-01")
        source = NATIVE[1]
        new = new_files(shop.lake, list_landing(shop.landing, source.name))
        ingest_files(shop.lake, source, new, "another")
        silver.fold_days(shop.lake, source, [date(2024, 1, 3)], "another")

    with behind(PURCHASE_REPEATS, another):
        shop.run()
    shop.run()
    assert shop.read(PURCHASES)["purchase_amount"].to_list() == [20]
    assert sorted(shop.read(PURCHASE_REPEATS)["purchase_amount"]) == [5, 10]


def a_rival_before(shop: Shop, step: str, *line: str) -> Any:
    """While this holds, another run brings a record of the same day before a step of silver."""
    beneath = getattr(silver, step)
    due = [line]

    def call(*args: Any) -> Any:
        if due:
            shop.land("purchases", "2024-01-01/b.csv", LINE, *due.pop())
            shop.run()
        return beneath(*args)

    return patch.object(silver, step, call)


def test_what_another_run_quarantined_outlives_a_crash(shop: Shop) -> None:
    """Quarantine is made to agree with raw as it was before the other run; then comes the crash."""
    shop.land("purchases", "2024-01-01/a.csv", LINE, "O1,C1,soon,10,")
    with (
        suppress(Crash),
        a_rival_before(shop, "update_quarantine", "O2,C1,soon,10,"),
        patch.object(silver, "update_accounting", dies_if_quarantine_shrank(shop)),
    ):
        shop.run()
    shop.run()
    assert shop.read(QUARANTINE).height == 2


def dies_if_quarantine_shrank(shop: Shop) -> Callable[..., Any]:
    """The rival comes to its end; the run that it came between dies before it counts."""
    account, highest = silver.update_accounting, 0

    def call(*args: Any) -> Any:
        nonlocal highest
        rows = shop.lake.snapshot(QUARANTINE).rows
        if rows < highest:
            die()
        highest = rows
        return account(*args)

    return call


def test_accounting_is_in_balance_after_a_run_beside_another(shop: Shop) -> None:
    """Raw as it was must not be counted against silver as it is."""
    shop.land("purchases", "2024-01-01/a.csv", LINE, "O1,C1,2024-01-01,10,")
    with a_rival_before(shop, "update_accounting", "O2,C1,2024-01-01,10,"):
        shop.run()
    (counted,) = shop.read(ACCOUNTING).iter_rows(named=True)
    assert counted["records"] == counted["accepted"]


def test_equal_bytes_in_two_sources_are_two_refused_records(shop: Shop) -> None:
    for source in ("customers", "purchases"):
        shop.land(source, "2024-01-01.csv", LINE, ",,2024-01-01,10,")
    shop.run()
    refused = shop.read(QUARANTINE)
    assert refused.height == 2
    assert not refused.select(QUARANTINE.key).is_duplicated().any()
