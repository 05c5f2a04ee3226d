"""The harness of `make bench`: answers are compared to the cent, and the figures are the process's.

Programs here are tiny or stand-ins; how fast the real ones are is what `make bench` says.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.generator.shop import Shop as ShopArguments
from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline import chain
from bridge_cart_tests.benchmarks.side_by_side.__main__ import history
from bridge_cart_tests.benchmarks.side_by_side.answers import (
    Answers,
    difference,
    from_lake,
    normalised,
    verdicts,
)
from bridge_cart_tests.benchmarks.side_by_side.measuring import CommandError, Measured, measure
from bridge_cart_tests.benchmarks.side_by_side.programs import Program, script
from bridge_cart_tests.benchmarks.side_by_side.report import (
    BEGIN,
    END,
    STEPS,
    Row,
    exit_code,
    growth,
    side_by_side,
    write_between_marks,
)
from bridge_cart_tests.benchmarks.side_by_side.shop import DEFECTS, Shop, land, read

DAYS = 20


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    data = tmp_path_factory.mktemp("shop")
    generate(ShopArguments(customers=150, newcomers=2.0, days=30, dirt=0.0, rates=DEFECTS), data)
    return Shop.of(data / "landing")


@pytest.mark.slow
def test_the_product_and_a_peer_give_equal_answers_after_late_corrections_too(
    shop: Shop, tmp_path: Path
) -> None:
    peer = script("peer", "polars_shop.py", tmp_path / "peer", Path(sys.executable))
    ours = tmp_path / "ours"
    peer.folder.mkdir()
    for files in (shop.history(DAYS), [*shop.one_more_day(), *shop.correction(DAYS)]):
        land(files, ours / "landing")
        chain.run(Lake(str(ours / "lake")), ours / "landing")
        peer.take(files)
        assert difference(from_lake(ours / "lake"), peer.answer()) is None
    customers = from_lake(ours / "lake").customers
    assert customers.height > 30
    assert customers["refunds"].sum() > 0

    features = ours / "lake" / "gold" / "customer_features"
    stored = pl.read_delta(str(features))
    is_one = pl.col("customer_id") == customers["customer_id"][3]
    one_cent = pl.when(is_one).then(Decimal("0.01")).otherwise(Decimal(0))
    refunds = (pl.col("refunds") + one_cent).cast(pl.Decimal(18, 2))
    wrong = stored.with_columns(refunds)
    wrong.write_delta(str(features), mode="overwrite")
    found = difference(from_lake(ours / "lake"), peer.answer())
    assert found is not None
    assert found.startswith(f"customers: {customers['customer_id'][3]}: refunds is ")


def test_a_history_ends_before_the_last_day_and_knows_its_customers(shop: Shop) -> None:
    files = shop.history(DAYS)
    days = {path.name[:10] for path in files}
    assert (len(days), min(days), max(days)) == (DAYS, shop.days[-1 - DAYS], shop.days[-2])
    profiles = pl.concat(read(path) for path in files if path.parent.name == "customers")
    landed = sorted((shop.held / "customers").iterdir())
    known = pl.concat(read(path) for path in landed if path.name[:10] < shop.days[-1])
    assert set(profiles["customer_id"]) == set(known["customer_id"])
    assert profiles.height == known.height
    with pytest.raises(ValueError, match="29 days before its last, not 30"):
        shop.history(30)


def test_a_correction_is_of_the_first_day_and_arrives_on_the_last(shop: Shop) -> None:
    (path,) = shop.correction(DAYS)
    assert path.name == f"{shop.days[-1]}.correction.csv"
    lines = read(path)
    before = read(min((shop.held / "purchases").glob(f"{shop.days[-1 - DAYS]}*")))
    both = lines.join(before, on=["order_id", "line_number"], suffix="_before")
    amount = pl.col("purchase_amount").cast(pl.Float64)
    paid_more = (amount - pl.col("purchase_amount_before").cast(pl.Float64)).round(2)
    assert set(both.select(paid_more).to_series()) == {1.0}
    assert set(lines["updated_at"]) == {f"{shop.days[-1]}T23:59:59"}


def answers(revenue: int = 1_000, country: str | None = "France") -> Answers:
    """One customer who has bought once."""
    day = date(2024, 1, 1)
    kpis = {"day": day, "orders": 1, "lines": 2, "active_customers": 1, "new_customers": 1}
    money = {"revenue": revenue, "refunds": 0}
    days = {"first_purchase_day": day, "last_purchase_day": day, "recency_days": 0}
    counts = {"orders": 1, "lines": 2, "tenure_days": 0, "frequency": 0, "active_months": 1}
    words = {"customer_id": "C1", "top_category": "Toys", "country": country, "gender": "male"}
    value = {"historic_clv": revenue, "is_churned": False}
    return normalised(
        kpis=pl.DataFrame([kpis | money | {"discounts": 0, "net_revenue": revenue}]),
        customers=pl.DataFrame([words | days | counts | money | value]),
        segments=pl.DataFrame([{"customer_id": "C1", "segment": 0}]),
    )


def test_a_difference_is_told_by_table_key_column_and_both_values() -> None:
    assert difference(answers(), answers()) is None
    told = difference(answers(revenue=1_001), answers())
    assert told == "kpis: 2024-01-01: revenue is 10.01, not 10.00 (1 rows)"
    told = difference(answers(country=None), answers())
    assert told == "customers: C1: country is None, not France (1 rows)"
    told = difference(replace(answers(), kpis=answers().kpis.clear()), answers())
    assert told == "kpis: 0 rows, not 1"


def test_a_customer_without_a_segment_is_a_difference() -> None:
    segments = pl.DataFrame([{"customer_id": "C1", "segment": None}])
    kpis, customers = answers().kpis, answers().customers
    told = difference(normalised(kpis, customers, segments), answers())
    assert told == "segments: 0: customers is 0, not 1 (1 rows)"


def test_decimals_and_whole_cents_are_the_same_money() -> None:
    decimal = pl.col("revenue", "discounts", "refunds", "net_revenue").cast(pl.Decimal(18, 2)) / 100
    kpis = answers().kpis.with_columns(decimal.cast(pl.Decimal(18, 2)))
    assert kpis["revenue"].to_list() == [10]
    given = normalised(
        kpis=kpis,
        customers=answers().customers,
        segments=pl.DataFrame([{"customer_id": "C1", "segment": 0}]),
    )
    assert difference(given, answers()) is None


def test_most_programs_are_right_and_without_a_majority_none_is() -> None:
    right, wrong = answers(), answers(revenue=999)
    cent = "kpis: 2024-01-01: revenue is 9.99, not 10.00 (1 rows)"
    assert verdicts({"a": right, "b": right}) == {"a": None, "b": None}
    assert verdicts({"a": right, "b": wrong, "c": right}) == {
        "a": None,
        "b": f"not what a says: {cent}",
        "c": None,
    }
    assert all(verdicts({"a": right, "b": wrong}).values())


def program(name: str, given: Answers, code: str = "") -> Callable[[Path], Program]:
    """A program that does what some code does and answers what it is told to."""
    command = [sys.executable, "-I", "-S", "-c", code]
    return lambda folder: Program(name, folder, command, {}, lambda _: given, folder)


def test_the_programs_take_turns_and_a_wrong_answer_is_marked(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    makers = {
        "one": program("one", answers()),
        "two": program("two", answers(revenue=999)),
        "three": program("three", answers()),
    }
    rows = history(tmp_path / "runs", makers, shop, DAYS, repeats=2, alone=None)
    turns = [line.split(": ")[1].split(", ")[0] for line in capsys.readouterr().err.splitlines()]
    assert turns[:: len(STEPS)] == ["one", "two", "three", "one", "two", "three"]
    assert [len(row.steps[step]) for row in rows for step in STEPS] == [2] * 9
    assert [row.wrong is None for row in rows] == [True, False, True]
    assert rows[1].wrong == (
        "full build: not what one says: kpis: 2024-01-01: revenue is 9.99, not 10.00 (1 rows)"
    )
    assert exit_code(rows) == 1
    assert exit_code([rows[0], rows[2]]) == 0
    sheet = side_by_side(rows, lines=10)
    assert sheet.wrong == {1}
    assert "| **two** |" in sheet.markdown()
    assert sheet.markdown().endswith(f"two, {rows[1].wrong}")


def test_a_program_that_fails_is_marked_and_the_others_go_on(shop: Shop, tmp_path: Path) -> None:
    fails = program("fails", answers(), "print('no room'); raise SystemExit(3)")
    makers = {"fails": fails, "works": program("works", answers())}
    failed, worked = history(tmp_path / "runs", makers, shop, DAYS, repeats=1, alone=None)
    assert (failed.wrong or "").endswith("ended with 3: no room")
    assert worked.wrong is None
    assert exit_code([failed, worked]) == 1


def test_memory_and_cpu_are_those_of_the_process_and_its_children(tmp_path: Path) -> None:
    large = bytearray(200_000_000)
    small = measure([sys.executable, "-I", "-S", "-c", ""], {}, tmp_path)
    assert small.memory < 100
    assert len(large) > 0
    busy = "import time\nwhile time.process_time() < .3: pass"
    child = (
        f"import subprocess, sys; b = bytearray(150_000_000)\n"
        f"subprocess.run([sys.executable, '-I', '-S', '-c', {busy!r}])\nprint('done')"
    )
    measured = measure([sys.executable, "-I", "-S", "-c", child], {}, tmp_path)
    assert measured.memory > 150
    assert measured.cpu > 0.3
    assert measured.output == "done\n"


def test_a_command_that_fails_is_an_error_with_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"ended with 1: .*ValueError: why"):
        measure([sys.executable, "-c", "raise ValueError('why')"], {}, tmp_path)


def test_growth_compares_the_longest_history_with_the_shortest() -> None:
    rows = [Row("one", 30), Row("one", 90), Row("one", 365)]
    for row, wall in zip(rows, (2.0, 9.0, 3.0), strict=True):
        row.steps["one more day"].append(Measured(wall=wall, cpu=1.0, memory=100.0))
    sheet = growth(rows)
    assert sheet.title == "After 365 days against after 30"
    assert sheet.lines == [["one", "× 1.50, × 1.00, × 1.00", "–"]]


def test_figures_are_medians() -> None:
    row = Row("one", 30)
    row.steps["full build"] += [Measured(wall, cpu=1, memory=1) for wall in (1.0, 9.0, 2.0)]
    assert row.figure("full build", "wall") == 2
    assert row.figure("full build", "job") is None


def test_a_page_is_written_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_between_marks(page, "new")
    write_between_marks(page, "newer")
    assert page.read_text() == f"before\n{BEGIN}\n\nnewer\n\n{END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="has not the lines"):
        write_between_marks(page, "new")


def test_files_that_one_program_took_do_not_change_when_they_land_for_another(
    tmp_path: Path,
) -> None:
    """The product looks again at a file whose times have changed, and a link changes them."""
    held = tmp_path / "purchases" / "2024-01-01.csv"
    held.parent.mkdir()
    held.write_text("order_id\nO1\n")
    land([held], tmp_path / "one")
    taken = (tmp_path / "one" / "purchases" / held.name).stat()
    land([held], tmp_path / "other")
    assert (tmp_path / "one" / "purchases" / held.name).stat() == taken
