"""A late record rewrites what it touches, and nothing else."""

from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from bridge_cart_assets.generator.shop import Shop, generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_gold, refresh_silver
from bridge_cart_assets.tables.gold import CUSTOMER_HISTORY, SEGMENT_METRICS, SEGMENT_MODEL

HEADER = "order_id,customer_id,purchase_date,purchase_amount"
LATE = "2024-02-10"


def changed(lake: Lake, path: str, since: int) -> pl.DataFrame:
    """The rows of a table's change feed after a version."""
    table = DeltaTable(f"{lake.root}/{path}")
    if table.version() == since:
        return pl.DataFrame()
    return pl.DataFrame(table.load_cdf(starting_version=since + 1).read_all())


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Three months of a shop, then an order that lands in the last batch and is two months old."""
    root = tmp_path_factory.mktemp("late")
    generate(Shop(customers=150, days=100, dirt=0.0), root)
    lake = Lake(str(root / "lake"))
    refresh_silver(lake, root / "landing")
    refresh_gold(lake)
    return lake


def test_a_late_order_changes_the_history_of_its_customer_from_its_day_on(lake: Lake) -> None:
    history, metrics = lake.snapshot(CUSTOMER_HISTORY), lake.snapshot(SEGMENT_METRICS)
    before, models = history.read(), lake.snapshot(SEGMENT_MODEL).read()
    late = before.select(pl.min("customer_id")).item()
    landing = Path(lake.root).parent / "landing" / "purchases"
    # The same batch day as the last one's: as_of stays, so nothing else has a reason to change.
    (landing / "2024-04-09").mkdir()
    (landing / "2024-04-09" / "late.csv").write_text(f"{HEADER}\nlate-1,{late},{LATE},500.00\n")

    refresh_silver(lake, landing.parent)
    refresh_gold(lake)

    assert lake.snapshot(SEGMENT_MODEL).read().equals(models)
    rows = changed(lake, CUSTOMER_HISTORY.path, history.version or 0)
    assert set(rows["customer_id"]) == {late}
    untouched = before.filter(
        (pl.col("customer_id") != late)
        | (pl.col("valid_to").is_not_null() & (pl.col("valid_to").cast(pl.String) <= LATE))
    )
    now = lake.snapshot(CUSTOMER_HISTORY).read()
    assert untouched.join(now, on=untouched.columns, how="anti", nulls_equal=True).is_empty()
    figures = changed(lake, SEGMENT_METRICS.path, metrics.version or 0)
    assert figures.height
    assert (figures["valid_to"].fill_null(pl.date(9999, 1, 1)).cast(pl.String) > LATE).all()


def test_nothing_new_writes_nothing(lake: Lake) -> None:
    versions = [lake.snapshot(table).version for table in (CUSTOMER_HISTORY, SEGMENT_METRICS)]
    refresh_gold(lake)
    assert versions == [lake.snapshot(t).version for t in (CUSTOMER_HISTORY, SEGMENT_METRICS)]
