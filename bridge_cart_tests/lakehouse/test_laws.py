"""The laws: order, batching and repetition do not matter; a run again changes nothing."""

import shutil
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge_cart_assets.checks.check import CheckContext
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.generator.shop import Shop, generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline.chain import refresh_gold, refresh_silver
from bridge_cart_assets.pipeline.rebuild import clear
from bridge_cart_assets.tables.silver import TABLES as SILVER
from bridge_cart_tests.faults.extent import EXAMPLES
from bridge_cart_tests.lakehouse.tables import ALL, WITHOUT_MODEL, contents, differences

HEADER = "order_id,line_number,customer_id,purchase_date,purchase_amount,status,updated_at"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dirty shop with corrections, duplicates and refused records."""
    folder = tmp_path_factory.mktemp("shop")
    # Of equal bytes under two names the name that was taken first is kept: see the test below.
    generate(Shop(customers=60, days=12, dirt=0.3, rates={"renamed_file": 0}), folder)
    _write(folder, "purchases", "2024-01-13/late.csv", ["O1,1,C1,2024-01-02,10.00,completed,"])
    _write(
        folder,
        "purchases",
        "2024-01-14/corrections.csv",
        [
            "O1,1,C1,2024-02-02,12.00,completed,",  # of the next month, but a day too far
            "O1,1,C1,2024-01-15,12.00,completed,2024-01-14",
            "O1,1,C1,2024-01-15,12.00,completed,2024-01-14",
        ],
    )
    return folder


@pytest.fixture(scope="module")
def whole(shop: Path) -> dict[str, pl.DataFrame]:
    """The tables after one intake of everything."""
    lake = Lake(str(shop / "lake"))
    refresh_silver(lake, shop / "landing")
    refresh_gold(lake)
    return contents(lake)


def _write(folder: Path, source: str, name: str, lines: list[str]) -> None:
    path = folder / "landing" / source / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *lines, ""]))


@settings(
    max_examples=EXAMPLES or 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_order_batching_and_repetition_give_equal_tables(
    shop: Path,
    whole: dict[str, pl.DataFrame],
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    files = sorted(p for p in (shop / "landing").rglob("*.csv"))
    order = data.draw(st.permutations(files))
    cuts = data.draw(st.sets(st.integers(1, len(files) - 1), max_size=4))
    again = data.draw(st.lists(st.sampled_from(files), max_size=5))
    folder = tmp_path_factory.mktemp("any")
    lake = Lake(str(folder / "lake"))

    edges = [0, *sorted(cuts), len(order)]
    for first, last in pairwise(edges):
        for file in order[first:last]:
            _copy(file, shop, folder)
        refresh_silver(lake, folder / "landing")
        refresh_gold(lake)
    for file in again:
        _copy(file, shop, folder)
        refresh_silver(lake, folder / "landing")
    refresh_gold(lake)

    assert differences(_of(whole, WITHOUT_MODEL), contents(lake, WITHOUT_MODEL)) == []
    clear(lake)
    refresh_silver(lake, Path("nowhere"))
    refresh_gold(lake)
    assert differences(whole, contents(lake)) == []
    shutil.rmtree(folder)


def _copy(file: Path, shop: Path, folder: Path) -> None:
    target = folder / file.relative_to(shop)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, target)


def _of(tables: dict[str, pl.DataFrame], wanted: tuple[object, ...]) -> dict[str, pl.DataFrame]:
    paths = {table.path for table in wanted}  # type: ignore[attr-defined]
    return {path: rows for path, rows in tables.items() if path in paths}


@pytest.mark.slow
def test_of_equal_bytes_under_two_names_only_the_name_depends_on_the_order(
    shop: Path, tmp_path: Path
) -> None:
    names = ("2024-01-01.csv", "2024-01-01.twice.csv")
    tables = []
    for first, second in (names, names[::-1]):
        folder = tmp_path / first
        for name in (first, second):
            _copy(shop / "landing/purchases/2024-01-01.csv", shop, folder)
            landed = folder / "landing/purchases/2024-01-01.csv"
            landed.rename(landed.with_name(name))
            refresh_silver(Lake(str(folder / "lake")), folder / "landing")
        refresh_gold(Lake(str(folder / "lake")))
        tables.append(contents(Lake(str(folder / "lake"))))
    for path, rows in tables[0].items():
        but_for_name = pl.exclude("object")
        assert rows.select(but_for_name).equals(tables[1][path].select(but_for_name)), path
    assert tables[0]["silver/purchases"]["object"][0] == names[0]


def test_the_shop_exercises_every_count(whole: dict[str, pl.DataFrame]) -> None:
    sums = whole["silver/accounting"].sum()
    assert all(sums[name][0] > 0 for name in ("quarantined", "accepted", "duplicate", "superseded"))


def test_a_correction_of_another_month_moves_the_line_and_leaves_no_second(
    whole: dict[str, pl.DataFrame],
) -> None:
    line = whole["silver/purchases"].filter(pl.col("order_id") == "O1")
    assert line.select("purchase_day", "batch_day").rows() == [
        (date(2024, 1, 15), date(2024, 1, 14))
    ]


def test_the_invariants_hold_in_every_table(shop: Path, whole: dict[str, pl.DataFrame]) -> None:
    assert whole
    evidence = CheckContext(Lake(str(shop / "lake")))
    failed = [
        f"{table.path} {check.name}: {finding.message}"
        for table in ALL
        for check in checks_of(table)
        if check.blocking and not (finding := check.compute(evidence)).passed
    ]
    assert failed == []


def test_running_again_makes_no_commit_and_no_row(
    shop: Path, whole: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    shutil.copytree(shop / "lake", tmp_path / "lake")
    lake = Lake(str(tmp_path / "lake"))
    before = {table.path: lake.snapshot(table).version for table in ALL}

    from bridge_cart_assets.pipeline.silver import fold_days, record_as_of
    from bridge_cart_assets.sources import SOURCES

    days = [date(2024, 1, 1) + timedelta(days=i) for i in range(14)]
    for source in SOURCES:
        fold_days(lake, source, days, "again")
    record_as_of(lake, "again")
    refresh_gold(lake)

    assert {table.path: lake.snapshot(table).version for table in ALL} == before
    assert differences(whole, contents(lake)) == []


def test_silver_killed_between_two_of_its_commits_converges(
    shop: Path, whole: dict[str, pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """As if the process had died."""

    commit = Snapshot.apply
    lake = Lake(str(tmp_path / "lake"))
    for allowed in range(20):
        left = allowed

        def dies_after_some(self: Snapshot, change: object, to: object, **options: bool) -> int:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return commit(self, change, to, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(Snapshot, "apply", dies_after_some)
        try:
            refresh_silver(lake, shop / "landing")
        except Killed:
            continue
        break
    monkeypatch.setattr(Snapshot, "apply", commit)
    refresh_silver(lake, shop / "landing")

    assert differences(_of(whole, SILVER), contents(lake, SILVER)) == []
