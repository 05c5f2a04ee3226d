"""`bridge-cart try`: what would become of a file, shown before it is landed; nothing is written."""

import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bridge_cart_assets.ingestion import files
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.pipeline.dry_run import DryRun, dry_run
from bridge_cart_assets.sources import SOURCES, Conformed
from bridge_cart_assets.tables.silver import ACCOUNTING, PURCHASES, QUARANTINE
from bridge_cart_assets.terminal.dry_run import show_dry_run
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.terminal.consoles import lines, recorded

CASES = Path(__file__).parents[1] / "cases"
BY_NAME = {source.name: source for source in SOURCES}
FILES = sorted(path for path in CASES.glob("*/*/*.*") if path.suffix not in (".py", ".pyc"))
COUNTS = ("records", "raw_records", "blank", "quarantined", "accepted", "duplicate", "superseded")
DIRTY = """order_id,customer_id,purchase_date,purchase_amount,quantity,coupon_used,colour
O1,C1,03/02/2024,10.00,1,perhaps,red
O2,C2,05/02/2024,7.50,few,no,
O3,C3,soon,20.00,1,no,
"""


def tried(path: Path, source: str, lake: Path) -> DryRun:
    return dry_run(path, BY_NAME[source], Lake(str(lake)), lake / "landing")


def shown(path: Path, source: str, lake: Path, records: int = 9) -> list[str]:
    console = recorded()
    show_dry_run(tried(path, source, lake), BY_NAME[source], records, console)
    return lines(console)


def everything(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    path = tmp_path / "export-2024-02-29.csv"
    path.write_text(DIRTY)
    return path


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.parts[-3:]))
def test_a_dry_run_counts_as_a_run_does(path: Path, tmp_path: Path) -> None:
    source = path.parent.name
    if source not in BY_NAME:
        pytest.skip("a file in folders of its own")
    landing = tmp_path / "landing"
    (landing / source).mkdir(parents=True)
    shutil.copy2(path, landing / source)
    lake = Lake(str(tmp_path / "lake"))
    refresh_silver(lake, landing)
    counted = lake.snapshot(ACCOUNTING).read()
    try:
        found = dry_run(path, BY_NAME[source], Lake(str(tmp_path / "other")), landing)
    except files.FileRefusedError:
        assert counted.is_empty()
        return
    assert counted.select(COUNTS).row(0) == tuple(found.counts[name] for name in COUNTS)
    assert counted["batch_day"].to_list() == [found.batch_day]
    refused = lake.snapshot(QUARANTINE).read().sort("pos", "item")
    wanted = found.refused.sort("pos", "item").select("pos", "reason", "value", "raw")
    assert refused.select("pos", "reason", "value", "raw").equals(wanted)
    if "net_amount" in found.accepted.columns:
        sums = lake.snapshot(PURCHASES).read()["net_amount"].sum()
        current = found.accepted.head(found.counts["accepted"])
        assert found.counts["superseded"] or current["net_amount"].sum() == sums


def test_a_large_file_is_tried_part_by_part_with_the_same_result(
    tmp_path: Path, dirty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tried(dirty, "purchases", tmp_path / "lake")
    monkeypatch.setattr(files, "PART_BYTES", 60)
    parts = tried(dirty, "purchases", tmp_path / "lake")
    assert parts.raw.drop("_ingested_at").equals(whole.raw.drop("_ingested_at"))
    assert (parts.counts, parts.unknown) == (whole.counts, ["colour"])


def test_what_is_refused_guessed_unreadable_unknown_and_missing_is_summed(
    tmp_path: Path, dirty: Path
) -> None:
    found = tried(dirty, "purchases", tmp_path / "lake")
    assert found.refusals().rows() == [
        ("BAD_QUANTITY", "quantity", 1, Decimal("7.50"), ["few"]),
        ("BAD_DATE", "purchase_date", 1, Decimal("20.00"), ["soon"]),
    ]
    assert found.named_in("guessed").rows() == [("purchase_date", 1, Decimal("10.00"))]
    assert found.named_in("unreadable").rows() == [("coupon_used", 1, Decimal("10.00"))]
    assert found.unknown == ["colour"]
    assert "status" in found.missing


def test_records_are_shown_as_received_conformed_and_in_silver(tmp_path: Path, dirty: Path) -> None:
    text = "\n".join(shown(dirty, "purchases", tmp_path / "lake"))
    for words in (
        "batch day 2024-02-29, 3 records",
        "record 1  as received; columns without a value left out",
        '_rescued         {"colour":"red"}',
        "purchase_date    03/02/2024",
        "purchase_date     03/02/2024  2024-02-03 00:00:00",
        "refused: BAD_QUANTITY, quantity: few",
        "sale  not named      1       10.00",
        "BAD_DATE      purchase_date      1   20.00  soon",
        "unknown columns, kept in _rescued: colour",
    ):
        assert words in text, words


def test_only_the_first_records_are_shown(tmp_path: Path, dirty: Path) -> None:
    some = shown(dirty, "purchases", tmp_path / "lake", records=1)
    assert [line for line in some if line.startswith("record ")] == [
        "record 1  as received; columns without a value left out",
        "record 1, line 1  conformed, and in silver/purchases",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.parts[-3:]))
def test_all_is_readable_in_80_columns(path: Path, tmp_path: Path) -> None:
    source = path.parent.name
    if source not in BY_NAME:
        pytest.skip("a file in folders of its own")
    try:
        text = shown(path, source, tmp_path / "lake")
    except files.FileRefusedError:
        return
    assert max(len(line) for line in text) <= 80
    # A table that does not fit shortens its cells with this mark; values are cut before.
    assert not [line for line in text if line.endswith("…") and len(line) == 80]


def test_a_screen_obeys_nothing_that_a_file_says(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("order_id,purchase_date,purchase_amount\n\x1b[31m[bold]O1,2024-01-01,5\n")
    text = "\n".join(shown(path, "purchases", tmp_path / "lake"))
    assert "\x1b" not in text
    assert "\\x1b[31m[bold]O1" in text


def test_lines_of_one_record_are_shown_below_it(tmp_path: Path) -> None:
    path = CASES / "shopify-api" / "shopify_api_orders" / "2024-02-29.ndjson"
    titles = [
        line.split("  ")[0]
        for line in shown(path, "shopify_api_orders", tmp_path / "lake")
        if line.startswith(("record", "no line"))
    ]
    assert titles[:4] == ["record 1", *(f"record 1, line {n}" for n in (1, 2, 3))]
    assert titles[-2:] == ["record 6", "no line: counted as blank"]


def test_the_command_tries_a_file_and_writes_nothing(
    command: Command, tmp_path: Path, dirty: Path
) -> None:
    before = everything(tmp_path)
    done = command("try", "purchases", str(dirty), "--records", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "BAD_QUANTITY" in done.stdout
    assert "nothing was written" in done.stdout
    assert everything(tmp_path) == before


def test_the_command_says_that_a_content_was_taken(
    command: Command, tmp_path: Path, dirty: Path
) -> None:
    landed = tmp_path / "landing" / "purchases" / "2024-02-28.csv"
    landed.parent.mkdir(parents=True)
    landed.write_bytes(dirty.read_bytes())
    refresh_silver(Lake(str(tmp_path / "lake")), tmp_path / "landing")
    before = everything(tmp_path)
    done = command("try", "purchases", str(dirty), BRIDGE_CART_IDENTITY="off")
    assert "its content was taken as 2024-02-28.csv of 2024-02-28" in done.stdout
    assert everything(tmp_path) == before


def test_a_landed_file_is_tried_under_the_name_that_it_has_there(tmp_path: Path) -> None:
    path = tmp_path / "lake" / "landing" / "purchases" / "2024-02-28" / "part.csv"
    path.parent.mkdir(parents=True)
    path.write_text(DIRTY)
    found = tried(path, "purchases", tmp_path / "lake")
    assert (found.file.object, f"{found.batch_day}") == ("2024-02-28/part.csv", "2024-02-28")


def test_a_header_alone_has_no_records(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("order_id,purchase_date,purchase_amount\n")
    found = tried(path, "purchases", tmp_path / "lake")
    assert set(found.counts.values()) == {0}
    assert "0 records" in shown(path, "purchases", tmp_path / "lake")[2]


def test_a_file_that_cannot_be_taken_says_why(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("order_no,total\n1,2\n")
    done = command("try", "purchases", str(path))
    assert done.returncode == 1
    assert "would be refused: HEADER_MISMATCH" in done.stderr
    assert "it has order_no, total" in done.stderr


def test_a_source_that_does_not_conform_to_what_it_feeds_is_told(
    tmp_path: Path, dirty: Path
) -> None:
    source = replace(BY_NAME["purchases"], conform=lambda raw: Conformed())
    with pytest.raises(ValueError, match="conform of purchases returns nothing for silver/purch"):
        dry_run(dirty, source, Lake(str(tmp_path / "lake")), tmp_path)


def test_an_unknown_source_is_wrong_use_and_the_names_are_told(
    command: Command, dirty: Path
) -> None:
    done = command("try", "orders", str(dirty))
    assert done.returncode == 2
    assert "there are customers, purchases, online_retail" in done.stderr


def test_the_settings_count_in_a_dry_run_too(command: Command, dirty: Path) -> None:
    done = command("try", "purchases", str(dirty), BRIDGE_CART_DATES="purchases=month_first")
    assert "FUTURE_DATE" in done.stdout
