"""Gold follows a change of silver to the rows that it would have as a whole, and says how."""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge_cart_assets.generator.shop import Shop, generate
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline import gold_inputs
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.pipeline.gold import GOLD_TABLES, Built, recipes, update_table
from bridge_cart_assets.pipeline.gold_builds import recorded_builds
from bridge_cart_assets.pipeline.gold_inputs import GoldInputs
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.tables.gold import (
    CUSTOMER_FEATURES,
    CUSTOMER_HISTORY,
    KPI_MOVES,
    KPIS_DAILY,
    SEGMENT_EVENTS,
    SEGMENT_MODEL,
)
from bridge_cart_assets.tables.ops import REBUILDS
from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES
from bridge_cart_tests.faults.extent import EXAMPLES
from bridge_cart_tests.lakehouse.tables import stale_tables

PURCHASE_HEADER = (
    "order_id,line_number,customer_id,purchase_date,purchase_amount,discount_amount,"
    "status,coupon_used,payment_method,product_category,updated_at"
)
CUSTOMER_HEADER = "customer_id,country,age,income,updated_at"
FIRST = date(2024, 1, 1)
# The tables that follow, and why they may be built whole all the same.
FOLLOWING = {r.table.path for r in recipes(0.0) if r.follow is not None}
ALLOWED = ("it has no rows yet", "another segment model has come", "another rfm model has come")


@pytest.fixture(autouse=True)
def small_shops_follow_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a shop of ten lines nearly all lines change."""
    monkeypatch.setattr(gold_inputs, "MOST_LINES", 100)


purchases = st.tuples(
    st.integers(1, 6),  # order
    st.integers(1, 2),  # line
    st.integers(0, 4),  # customer: an order may move to another one, have two, or none (0)
    st.integers(0, 130),  # days before the batch
    st.integers(1, 5),  # amount
    st.sampled_from(["completed", "completed", "completed", "refunded", "cancelled"]),
    st.booleans(),  # coupon
    st.sampled_from(["upi", "cash"]),
    st.sampled_from(["Toys", "Books", "Games", ""]),
)
profiles = st.tuples(
    st.integers(1, 4),
    st.sampled_from(["GB", "FR", ""]),
    st.sampled_from(["30", "50", ""]),
    st.sampled_from(["1000.00", ""]),
)
steps = st.tuples(
    st.integers(0, 4),  # days since the last batch
    st.lists(purchases, max_size=4),
    st.lists(profiles, max_size=2),
    st.none() | st.integers(0, len(recipes(0.0))),  # the tables before a crash
    st.sampled_from([False] * 5 + [True]),  # models are trained
)


def land(landing: Path, day: date, n: int, lines: list[str], header: str, source: str) -> None:
    folder = landing / source / day.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{n}.csv").write_text("\n".join([header, *lines, ""]))


def refresh(lake: Lake, tables: int | None = None, retrain: bool = False) -> dict[str, Built]:
    """Bring the first tables of gold up to date, or all."""
    inputs = GoldInputs.now(lake)
    built = {
        recipe.table.path: update_table(lake, recipe, "run", inputs)
        for recipe in recipes(Settings.discount_rate, retrain)[:tables]
    }
    return {path: one for path, one in built.items() if one is not None}


def built_whole(built: dict[str, Built]) -> Iterator[str]:
    """The tables that could have followed and did not, but for reasons that must be."""
    for path in FOLLOWING & built.keys():
        why = built[path].why
        if why is not None and not why.startswith(ALLOWED):
            yield f"{path}: {why}"


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES or 12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=st.lists(steps, min_size=2, max_size=6))
def test_any_sequence_of_changes_gives_the_tables_of_the_whole(
    sequence: list[tuple[int, list[tuple], list[tuple], int | None, bool]],  # type: ignore[type-arg]
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("follows")
    lake, landing, numbers = Lake(str(folder / "lake")), folder / "landing", count(1)
    start = ["O9,1,C9,2023-11-01,5.00,0,completed,false,upi,Toys,2024-01-01T00:00:00Z"]
    land(landing, FIRST, 0, start, PURCHASE_HEADER, "purchases")
    refresh_silver(lake, landing)
    refresh(lake)
    day = FIRST
    for gap, orders, people, crash_after, retrain in sequence:
        day += timedelta(days=gap)
        for source, header, records in (
            ("purchases", PURCHASE_HEADER, orders),
            ("customers", CUSTOMER_HEADER, people),
        ):
            lines = []
            for record in records:
                n = next(numbers)
                version = f"2024-01-01T{n // 60:02}:{n % 60:02}:00Z"
                if source == "purchases":
                    order, line, customer, ago, amount, status, coupon, paid, goods = record
                    bought = day - timedelta(days=ago - 1)  # dated a day ahead at most
                    buyer = f"C{customer}" if customer else ""
                    lines.append(
                        f"O{order},{line},{buyer},{bought},{amount}.00,0.50,{status},"
                        f"{str(coupon).lower()},{paid},{goods},{version}"
                    )
                else:
                    customer, country, age, income = record
                    lines.append(f"C{customer},{country},{age},{income},{version}")
            land(landing, day, next(numbers), lines, header, source)
        refresh_silver(lake, landing)
        refresh(lake, crash_after, retrain)
    built = refresh(lake)
    assert stale_tables(lake) == []
    assert list(built_whole(built)) == []
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of 40 days."""
    folder = tmp_path_factory.mktemp("begun")
    generate(Shop(customers=80, days=40, dirt=0.05), folder)
    lake = Lake(str(folder / "lake"))
    refresh_silver(lake, folder / "landing")
    refresh(lake)
    refresh(lake)  # the model's training is looked at from the run after it on
    return folder


@pytest.fixture
def shop(begun: Path, tmp_path: Path) -> Lake:
    """A copy of it."""
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    return Lake(str(tmp_path / "lake"))


def next_days(lake: Lake, until: date) -> None:
    folder = Path(lake.root).parent
    generate(Shop.asked_for(folder, until), folder)
    refresh_silver(lake, folder / "landing")


def test_one_more_day_is_followed_by_every_table_that_can(shop: Lake) -> None:
    next_days(shop, FIRST + timedelta(days=40))
    built = refresh(shop)
    assert stale_tables(shop) == []
    assert {path: built[path].mode for path in FOLLOWING} == dict.fromkeys(FOLLOWING, "incremental")


def test_a_table_that_cannot_follow_says_why(shop: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def why(path: str = CUSTOMER_FEATURES.path) -> str | None:
        return refresh(shop)[path].why

    monkeypatch.setattr(gold_inputs, "MOST_LINES", 0)
    next_days(shop, FIRST + timedelta(days=40))
    assert (why() or "").endswith(f"changed lines of {shop.snapshot(PURCHASES).rows:,}")
    monkeypatch.setattr(gold_inputs, "MOST_LINES", 100)
    # A correction, whose change data a vacuum removes in time.
    before = shop.snapshot(PURCHASES)
    line = before.read().row(0, named=True)
    correction = (
        f"{line['order_id']},{line['line_number']},{line['customer_id']},{line['purchase_day']},"
        "1.00,0,completed,false,upi,Toys,2025-01-01T00:00:00Z"
    )
    landing, day = Path(shop.root).parent / "landing", FIRST + timedelta(days=40)
    land(landing, day, 99, [correction], PURCHASE_HEADER, "purchases")
    refresh_silver(shop, landing)
    files = list((Path(shop.root) / PURCHASES.path / "_change_data").rglob("*.parquet"))
    # The files of the last commits always stay.
    for later in (41, 42):
        next_days(shop, FIRST + timedelta(days=later))
    for file in files:
        file.unlink()
    assert why() == (
        f"the change feed of silver/purchases does not reach back to version {before.version}"
    )
    next_days(shop, FIRST + timedelta(days=80))
    assert (why() or "").endswith(" days at once")
    assert stale_tables(shop) == []


def test_the_lake_remembers_how_each_table_was_built(shop: Lake) -> None:
    """Without Dagster: whoever reads the tables can read it from their commits."""
    next_days(shop, FIRST + timedelta(days=40))
    built = refresh(shop)
    recorded = {row["name"]: row for row in recorded_builds(shop).iter_rows(named=True)}
    assert list(recorded) == [table.name for table in GOLD_TABLES]
    for name, row in recorded.items():
        one = built[f"gold/{name}"]
        assert row["rows_changed"] == one.changed
        assert row["seconds"] >= 0
        assert row["run_id"] == "run"
    follows = {name: row["mode"] for name, row in recorded.items()}
    # Of kpis_daily the internal tables follow.
    following = ("customer_features", "sales_daily", "kpis_daily", "first_category")
    assert {follows[n] for n in (*following, "category_pairs")} == {"incremental"}
    assert (follows["customer_value"], recorded["customer_value"]["why"]) == ("full", None)

    shutil.rmtree(Path(shop.root) / KPI_MOVES.path)
    next_days(shop, FIRST + timedelta(days=41))
    refresh(shop)
    [row] = recorded_builds(shop).filter(pl.col("name") == "kpis_daily").iter_rows(named=True)
    assert (row["mode"], row["why"]) == ("full", "it has no rows yet")
    assert recorded_builds(Lake(f"{shop.root}-of-nobody")).is_empty()

    next_days(shop, FIRST + timedelta(days=42))
    recipe = next(r for r in recipes(Settings.discount_rate) if r.table is KPIS_DAILY)
    update_table(shop, recipe, "by hand")
    [row] = recorded_builds(shop).filter(pl.col("name") == "kpis_daily").iter_rows(named=True)
    assert (row["run_id"], row["why"]) == ("by hand", None), "its sums are of another run"


def test_what_another_run_has_seen_later_is_not_undone(shop: Lake) -> None:
    earlier = GoldInputs.now(shop)
    next_days(shop, FIRST + timedelta(days=40))
    refresh(shop)
    for recipe in recipes(Settings.discount_rate):
        if recipe.table in (CUSTOMER_FEATURES, KPI_MOVES):
            built = update_table(shop, recipe, "slow", earlier)
            assert built is not None
            assert built.why == "it has seen a later state of what it is made from"
    refresh(shop)
    assert stale_tables(shop) == []


def test_a_line_that_gets_a_customer_is_followed(shop: Lake) -> None:
    """And one that loses its customer: each moves from one sum to another."""
    landing, day = Path(shop.root).parent / "landing", FIRST + timedelta(days=39)
    buyer = shop.snapshot(CUSTOMER_FEATURES).read()["customer_id"][0]
    line = "{order},1,{customer},2024-02-08,7.00,0,completed,false,upi,Toys,{version}"
    for n, (known, unknown) in enumerate((("N1", "N2"), ("N2", "N1")), 1):
        version = f"2024-02-09T0{n}:00:00Z"
        lines = [
            line.format(order=known, customer=buyer, version=version),
            line.format(order=unknown, customer="", version=version),
        ]
        land(landing, day, 100 + n, lines, PURCHASE_HEADER, "purchases")
        refresh_silver(shop, landing)
        built = refresh(shop)
        assert list(built_whole(built)) == []
        assert stale_tables(shop) == []
    kpis = shop.snapshot(KPIS_DAILY).read().filter(pl.col("day") == date(2024, 2, 8))
    assert kpis["anonymous_revenue"].item() >= 7


def test_a_change_of_the_country_alone_reaches_the_sales(shop: Lake) -> None:
    folder = Path(shop.root).parent
    customer = shop.snapshot(CUSTOMERS).read().filter("is_current").row(0, named=True)
    day = FIRST + timedelta(days=39)
    line = f"{customer['customer_id']},IS,,,2025-01-01T00:00:00Z"
    land(folder / "landing", day, 99, [line], CUSTOMER_HEADER, "customers")
    refresh_silver(shop, folder / "landing")
    assert list(built_whole(refresh(shop))) == []
    assert stale_tables(shop) == []


def test_a_segment_model_of_the_same_number_is_another_one(shop: Lake) -> None:
    shutil.rmtree(Path(shop.root) / SEGMENT_MODEL.path)
    next_days(shop, FIRST + timedelta(days=41))
    assert refresh(shop)[CUSTOMER_HISTORY.path].why == "another segment model has come"
    assert stale_tables(shop) == []


def test_a_history_that_was_moved_away_leaves_no_sums_of_it(shop: Lake) -> None:
    shutil.rmtree(Path(shop.root) / CUSTOMER_HISTORY.path)
    next_days(shop, FIRST + timedelta(days=41))
    built = refresh(shop)
    reason = "a table that it is made from was removed and made again"
    assert built[SEGMENT_EVENTS.path].why == reason
    assert stale_tables(shop) == []


def test_the_history_does_not_follow_features_of_another_day(shop: Lake) -> None:
    next_days(shop, FIRST + timedelta(days=41))
    recipe = next(r for r in recipes(Settings.discount_rate) if r.table is CUSTOMER_HISTORY)
    built = update_table(shop, recipe, "by hand")
    assert built is not None
    assert built.why == "gold/customer_features has not seen this state of silver"
    refresh(shop)
    assert stale_tables(shop) == []


def test_what_completes_a_rebuild_builds_whole(shop: Lake) -> None:
    row = {"started_at": datetime.now(UTC), "raw_records": 1, "finished_at": None, "run_id": None}
    begun = pl.DataFrame([row], schema=REBUILDS.dtypes)
    shop.snapshot(REBUILDS).append(begun, Commit("rebuild"))
    built = refresh(shop)
    assert {built[path].why for path in FOLLOWING} == {"a rebuild is not complete"}
