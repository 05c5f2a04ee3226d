"""The published Online Retail files through the command, against the reference figures.

The figures and their derivation: Chen, Sain and Guo (2012), UCI; duplicates, lines without a
customer, cancellations and lines that are not above zero (in cents) left out.
"""

import random
import shutil
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.query import query
from bridge_cart_assets.pipeline.chain import refresh_gold, refresh_silver
from bridge_cart_assets.pipeline.rebuild import clear
from bridge_cart_assets.tables.gold import CUSTOMER_RFM, RFM_MODEL
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.lakehouse.tables import WITHOUT_MODEL, contents, differences
from bridge_cart_tests.models.rfm_in_sql import COLUMNS, groups_in_sql

START = {"BRIDGE_CART_START_DATE": "2010-12-01"}


@pytest.fixture(scope="module")
def whole(online_retail: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake after one intake of all the files."""
    root = tmp_path_factory.mktemp("whole")
    lake = Lake(str(root / "lake"))
    refresh_silver(lake, online_retail.parent)
    refresh_gold(lake)
    return lake


@pytest.mark.slow
def test_one_run_over_all_files_gives_the_reference_figures(
    online_retail: Path, tmp_path: Path, command: Command
) -> None:
    shutil.copytree(online_retail, tmp_path / "landing" / "online_retail")

    done = command("run", **START)

    assert done.returncode == 0, done.stderr

    def ask(sql: str) -> Sequence[object]:
        return query(tmp_path / "bridge_cart.duckdb", sql).rows[0]

    assert ask(
        "SELECT count(*), count(DISTINCT customer_id), count(DISTINCT order_id), sum(net_amount)"
        " FROM silver.purchases WHERE kind = 'sale' AND customer_id IS NOT NULL"
    ) == (392_688, 4_338, 18_532, Decimal("8887208.89"))
    assert ask(
        "SELECT round(sum(revenue) / sum(orders), 2), sum(revenue) FROM gold.customer_features"
    ) == (479.56, Decimal("8887208.89"))
    # The best tenth are ceil(4338 / 10) = 434 customers; 433 would have 61.41 %.
    assert ask(
        "SELECT round(100 * repeat_purchase_rate, 2), round(100 * top_decile_share, 2) AS share,"
        " round(gini, 4) FROM gold.kpis_daily ORDER BY day DESC LIMIT 1"
    ) == (65.58, 61.45, 0.7158)
    assert ask(
        "SELECT churned_90d, churn_base_90d, round(100 * churn_rate_90d, 2),"
        " round(100 * nrr_90d, 2) FROM gold.kpis_daily WHERE day = '2011-11-29'"
    ) == (613, 1923, 31.88, 117.75)
    assert ask(
        "SELECT list(active_customers ORDER BY month_index) FROM gold.cohort_retention"
        " WHERE cohort_month = '2010-12'"
    ) == ([885, 324, 286, 340, 321, 352, 321, 309, 313, 350, 331, 445, 235],)
    assert ask(
        "SELECT sum(records), sum(quarantined), sum(accepted), sum(duplicate), sum(superseded)"
        " FROM silver.accounting"
    ) == (541_909, 2, 536_639, 5_268, 0)

    # The lines without a customer, a quarter of all, are anonymous.
    assert ask(
        "SELECT sum(revenue), sum(anonymous_revenue), sum(revenue_all) FROM gold.kpis_daily"
    ) == (Decimal("8887208.89"), Decimal("1754901.91"), Decimal("10642110.80"))

    assert ask(
        "SELECT sum(revenue), sum(refunds), sum(anonymous_revenue), sum(anonymous_refunds)"
        " FROM gold.kpis_daily"
    ) == sums_of_the_files(online_retail)
    assert "and 1,754,901.91 of anonymous orders: 16.5 % of revenue" in done.stdout

    # Its customers hardly leave within the year: BG/NBD has nothing to hold on to, and says so.
    status, nulls = ask(
        "SELECT any_value(model_status), count(*) FILTER (clv IS NULL OR churn_band IS NULL)"
        " FROM gold.customer_value GROUP BY model_status"
    )
    assert str(status).startswith("fallback: no drop-out is visible (mean chance 0.00")
    assert nulls == 0
    assert "value_is_predicted: " in done.stderr

    again = command("run", **START)
    assert (again.returncode, again.stdout.strip()) == (0, "nothing new among 305 files")


@pytest.mark.slow
def test_the_rfm_groups_are_those_of_sql_over_silver(whole: Lake) -> None:
    groups = whole.snapshot(CUSTOMER_RFM).read().sort("customer_id")
    [as_of] = groups["as_of"].unique()
    lines = whole.snapshot(PURCHASES).read()
    assert groups.height == 4_338
    assert groups["rfm_group"].n_unique() == 10
    found = groups.select(COLUMNS).rows()
    assert found == groups_in_sql(lines, as_of), "scored among the customers of the training"
    assert found == groups_in_sql(lines, as_of, whole.snapshot(RFM_MODEL).read())
    # A third ordered once: these have few orders, and no more than these.
    once = groups.filter(pl.col("orders") == 1)
    assert (once.height, set(once["f_score"])) == (1_493, {1})
    assert set(groups.filter(pl.col("orders") > 1)["f_score"]) == {2, 3, 4, 5}


def sums_of_the_files(folder: Path) -> tuple[Decimal, ...]:
    """Sales and refunds with and without a customer, in SQL over the published files alone.

    A line is the same as another of its invoice when all of its columns are: it counts once. What
    comes to nothing in cents is neither sold nor given back.
    """
    found = duckdb.connect().execute(
        f"""
        WITH lines AS (
          SELECT DISTINCT InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice,
            CustomerID, Country
          FROM read_csv('{folder}/*.csv', all_varchar = true, header = true)
        ), amounts AS (
          SELECT nullif(trim(CustomerID), '') AS customer, InvoiceNo[1] = 'C' AS is_returned,
            round(CAST(Quantity AS DECIMAL(18, 0)) * CAST(UnitPrice AS DECIMAL(18, 3)), 2) AS net
          FROM lines
          WHERE try_cast(UnitPrice AS DECIMAL(18, 3)) >= 0
        )
        SELECT sum(net) FILTER (customer IS NOT NULL AND net > 0),
          -sum(net) FILTER (customer IS NOT NULL AND net < 0),
          sum(net) FILTER (customer IS NULL AND net > 0),
          -sum(net) FILTER (customer IS NULL AND net < 0)
        FROM amounts
        """
    )
    return found.fetchall()[0]


@pytest.mark.slow
def test_shuffled_files_in_a_few_batches_give_the_same_tables(
    whole: Lake, online_retail: Path, tmp_path: Path
) -> None:
    files = sorted(online_retail.glob("*.csv"))
    random.Random(7).shuffle(files)  # noqa: S311 (an order, not a secret)

    lake = _land_in_batches(tmp_path, [files[i::3] for i in range(3)])

    assert differences(contents(whole, WITHOUT_MODEL), contents(lake, WITHOUT_MODEL)) == []
    _rebuild(lake)
    assert differences(contents(whole), contents(lake)) == []


@pytest.mark.long
@pytest.mark.parametrize("shuffled", [False, True])
def test_305_increments_give_the_same_tables(
    whole: Lake, online_retail: Path, tmp_path: Path, shuffled: bool
) -> None:
    files = sorted(online_retail.glob("*.csv"))
    if shuffled:
        random.Random(305).shuffle(files)  # noqa: S311 (an order, not a secret)

    lake = _land_in_batches(tmp_path, [[file] for file in files])

    assert differences(contents(whole, WITHOUT_MODEL), contents(lake, WITHOUT_MODEL)) == []
    _rebuild(lake)
    assert differences(contents(whole), contents(lake)) == []


def _land_in_batches(folder: Path, batches: Sequence[Sequence[Path]]) -> Lake:
    lake = Lake(str(folder / "lake"))
    landing = folder / "landing" / "online_retail"
    landing.mkdir(parents=True)
    for batch in batches:
        for file in batch:
            shutil.copy(file, landing / file.name)
        refresh_silver(lake, folder / "landing")
        refresh_gold(lake)
    return lake


def _rebuild(lake: Lake) -> None:
    clear(lake)
    refresh_silver(lake, Path("nowhere"))
    refresh_gold(lake)


@pytest.mark.slow
def test_the_history_says_for_every_day_what_the_features_of_that_day_say(whole: Lake) -> None:
    from bridge_cart_assets.models.segments import assign, from_rows
    from bridge_cart_assets.tables.gold import CUSTOMER_HISTORY, SEGMENT_MODEL
    from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES
    from bridge_cart_assets.transforms.features import customer_features, of_customers

    model = from_rows(whole.snapshot(SEGMENT_MODEL).read())[-1]
    history = whole.snapshot(CUSTOMER_HISTORY).read()
    customers = whole.snapshot(CUSTOMERS).scan()
    for day in (date(2010, 12, 5), date(2011, 3, 1), date(2011, 7, 15), date(2011, 12, 9)):
        lines = of_customers(whole.snapshot(PURCHASES).scan())
        then = customer_features(lines, customers, day)
        expected = then.select("customer_id").with_columns(assign(model, then)["segment_id"])
        holds = (pl.col("valid_from") <= day) & (
            pl.col("valid_to").is_null() | (pl.col("valid_to") > day)
        )
        states = history.filter(holds).select("customer_id", "segment_id").sort("customer_id")
        assert states.equals(expected.sort("customer_id"))
