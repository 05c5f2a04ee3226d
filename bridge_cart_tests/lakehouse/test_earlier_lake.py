"""A lake that version 0.1 wrote: a rebuild renews it, and never makes less of it."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.batch_days import DayRange
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.pipeline.rebuild import RebuildRefusedError, begin_rebuild, refuse_to_lose
from bridge_cart_assets.tables.silver import ACCOUNTING, ACCOUNTING_0_1, PURCHASES
from bridge_cart_assets.tables.table import SchemaMismatchError

DAY = date(2024, 1, 1)
PARTITIONS = DayRange(DAY, date(2024, 12, 31))
LINES = "order_id,customer_id,purchase_date,purchase_amount\nO1,C1,2024-01-01,10\n"


def earlier_lake(root: Path, counted: int) -> Lake:
    """A lake with one record in raw, of which silver of version 0.1 has counted so many."""
    landed = root / "landing" / "purchases" / f"{DAY}.csv"
    landed.parent.mkdir(parents=True)
    landed.write_text(LINES)
    made = Lake(str(root / "made"))
    refresh_silver(made, root / "landing")
    lake = Lake(str(root / "lake"))
    (root / "lake").mkdir()
    for name in ("raw", "ops"):
        (root / "made" / name).rename(root / "lake" / name)
    counts = {"source": "purchases", "batch_day": DAY, "records": counted, "accepted": counted}
    nothing = {"blank": 0, "quarantined": 0, "duplicate": 0, "superseded": 0}
    rows = pl.DataFrame([counts | nothing], schema=ACCOUNTING_0_1.dtypes)
    lake.snapshot(ACCOUNTING_0_1).append(rows, Commit("0.1"))
    return lake


def test_a_rebuild_renews_the_tables_and_fills_them(tmp_path: Path) -> None:
    lake = earlier_lake(tmp_path, counted=1)
    with pytest.raises(SchemaMismatchError, match="bridge-cart rebuild"):
        lake.snapshot(ACCOUNTING)
    refuse_to_lose(lake, PARTITIONS)
    begin_rebuild(lake, datetime.now(UTC))
    refresh_silver(lake, tmp_path / "landing")
    assert lake.snapshot(ACCOUNTING).read()["raw_records"].to_list() == [1]
    assert lake.snapshot(PURCHASES).read()["order_id"].to_list() == ["O1"]


def test_a_rebuild_that_would_lose_is_refused_and_touches_nothing(tmp_path: Path) -> None:
    lake = earlier_lake(tmp_path, counted=5)
    before = lake.snapshot(ACCOUNTING_0_1).read()
    with pytest.raises(RebuildRefusedError, match="4 of 5 records that silver has counted"):
        refuse_to_lose(lake, PARTITIONS)
    assert lake.snapshot(ACCOUNTING_0_1).read().equals(before)
