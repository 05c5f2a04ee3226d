"""RFM groups through the command: by cut points that stay until a training, whatever comes late."""

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.tables.gold import CUSTOMER_RFM, RFM_MODEL
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.lakehouse.tables import stale_tables
from bridge_cart_tests.models.rfm_in_sql import COLUMNS, groups_in_sql

HEADER = "order_id,line_number,customer_id,purchase_date,purchase_amount,status,updated_at\n"
MODES = "SELECT name, mode FROM meta.gold_builds WHERE name LIKE '%rfm%' ORDER BY name"


def assert_as_in_sql(lake: Lake, *, is_trained_today: bool) -> None:
    """The table is what SQL makes of silver, by the cut points of the latest version."""
    groups = lake.snapshot(CUSTOMER_RFM).read().sort("customer_id")
    found, [as_of] = groups.select(COLUMNS).rows(), groups["as_of"].unique()
    models, lines = lake.snapshot(RFM_MODEL).read(), lake.snapshot(PURCHASES).read()
    latest = models.filter(pl.col("model_version") == pl.max("model_version"))
    assert groups["model_version"].unique().to_list() == latest["model_version"].unique().to_list()
    assert found == groups_in_sql(lines, as_of, latest)
    assert (found == groups_in_sql(lines, as_of)) == is_trained_today
    assert stale_tables(lake) == []


@pytest.mark.slow
def test_groups_follow_the_customers_and_cut_points_follow_the_trainings(
    tmp_path: Path, command: Command
) -> None:
    def run(*arguments: str) -> str:
        done = command(*arguments)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    lake = Lake(str(tmp_path / "lake"))
    run("generate", "--customers", "120", "--days", "90", "--start", "2024-01-01", "--dirt", "0")
    run("run")
    assert_as_in_sql(lake, is_trained_today=True)
    first = lake.snapshot(RFM_MODEL).read()

    # Two days later, in another month: an order of January twice as large, and a new customer.
    old = lake.snapshot(PURCHASES).read().filter(pl.col("kind") == "sale").sort("purchase_date")
    line = old.row(0, named=True)
    late = (
        f"{line['order_id']},{line['line_number']},{line['customer_id']},{line['purchase_day']},"
        f"{2 * line['purchase_amount']},completed,2024-04-01T00:00:00Z\n"
    )
    new = "N1,1,Newcomer,2024-04-01,30,completed,2024-04-01T00:00:00Z\n"
    (tmp_path / "landing" / "purchases" / "2024-04-01.csv").write_text(HEADER + late + new)
    run("run")
    assert lake.snapshot(RFM_MODEL).read().equals(first)
    assert_as_in_sql(lake, is_trained_today=False)
    modes = json.loads(run("sql", MODES, "--format", "json"))
    assert {row["name"]: row["mode"] for row in modes}["rfm_migration"] == "incremental"

    run("retrain")
    both = lake.snapshot(RFM_MODEL).read()
    assert both.filter(model_version=1).sort(first.columns).equals(first.sort(first.columns))
    second = both.filter(model_version=2)
    assert set(second["effective_from"]) == set(second["trained_as_of"]) == {date(2024, 4, 1)}
    assert set(second["trained_because"]) == {"asked"}
    assert_as_in_sql(lake, is_trained_today=True)

    run("rebuild")
    assert set(lake.snapshot(RFM_MODEL).read()["model_version"]) == {1}
    assert_as_in_sql(lake, is_trained_today=True)
    assert "failed" not in run("check").splitlines()[-1]
    shown = "SELECT rfm_group FROM gold.customer_rfm WHERE customer_id = 'Newcomer'"
    assert run("sql", shown, "--format", "csv").splitlines()[1] in {"NEW", "PROMISING"}
