"""Files as shops really write them: what each case must give, from the landing zone to silver.

The inputs lie beside this file, `<kind>/<source>/<file>`, as they are landed: values of our own,
each in a form that a public report describes.
"""

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.ingestion.repeated import repeated_files
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline import run
from bridge_cart_assets.sources.purchases import PURCHASES as SOURCE
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.tables.silver import PURCHASES, QUARANTINE

CASES = Path(__file__).parent
DAY = "2024-03-01-"


@dataclass(frozen=True)
class Shop:
    """A lake that has taken in the cases of a kind."""

    landing: Path
    lake: Lake

    def purchases(self, name: str) -> pl.DataFrame:
        """What of a file stands in silver, in the order of the orders' ids."""
        rows = self.lake.snapshot(PURCHASES).scan()
        places = self.lake.snapshot(SOURCE.raw).scan().filter(pl.col("_object") == name)
        ids = places.select(order_id="order_id").collect()["order_id"].to_list()
        return rows.filter(pl.col("order_id").is_in(ids)).sort("order_id").collect()

    def file(self, name: str) -> dict[str, object]:
        """What the ledger has of a file."""
        [row] = self.lake.snapshot(FILES).read().filter(pl.col("object") == name).to_dicts()
        return row

    def quarantined(self, name: str) -> list[tuple[int, str]]:
        """Position and reason of a file's records that were refused."""
        rows = self.lake.snapshot(QUARANTINE).read().filter(pl.col("object") == name)
        return rows.sort("pos").select("pos", "reason").rows()


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shop]:
    """One data folder for each kind."""
    made = {}
    for kind in ("file-forms", "parquet", "batch-day-of-a-period"):
        root = tmp_path_factory.mktemp(kind)
        shutil.copytree(CASES / kind, root / "landing")
        made[kind] = Shop(root / "landing", Lake(str(root / "lake")))
        run(made[kind].lake, made[kind].landing)
    return made


TAKEN = [
    ("file-forms", f"{DAY}{name}", orders, amounts)
    for name, orders, amounts in [
        ("sep.csv", ["sep-1", "sep-2"], "10.00 20.00"),
        ("preamble.csv", ["pre-1", "pre-2"], "10.00 20.00"),
        ("blank-line.csv", ["blank-1", "blank-2"], "10.00 20.00"),
        ("spelt.csv", ["spelt-1", "spelt-2"], "10.00 20.00"),
        ("trailing.csv", ["tc-1", "tc-2"], "10.00 20.00"),
        ("tabs.tsv", ["tsv-1", "tsv-2"], "10.00 20.00"),
        ("report.txt", ["txt-1", "txt-2"], "10.00 20.00"),
        ("array.json", ["ja-1", "ja-2"], "10.00 20.00"),
        ("one.json", ["jo-1"], "10.00"),
        ("book.xlsx", ["xl-1", "xl-2"], "10.00 20.00"),
        ("array.ndjson", ["nd-1", "nd-2"], "10.00 20.00"),
    ]
] + [
    ("parquet", f"{DAY}{name}", orders, "10.50 20.25")
    for name, orders in [
        ("binary.parquet", ["imp1", "imp2"]),
        ("float-id.parquet", ["fid1", "fid2"]),
    ]
]


@pytest.mark.parametrize(("kind", "name", "orders", "amounts"), TAKEN)
def test_a_file_is_taken_whatever_its_form(
    shops: dict[str, Shop], kind: str, name: str, orders: list[str], amounts: str
) -> None:
    shop = shops[kind]
    row = shop.file(name)
    assert (row["state"], row["records"], row["quarantined"]) == ("taken", len(orders), 0)
    assert row["unknown_columns"] is None
    found = shop.purchases(name)
    assert found["order_id"].to_list() == orders
    assert found["net_amount"].to_list() == [Decimal(amount) for amount in amounts.split()]
    assert shop.quarantined(name) == []
    raw = shop.lake.snapshot(SOURCE.raw).read().filter(pl.col("_object") == name).sort("_pos")
    assert raw["_pos"].to_list() == list(range(1, len(orders) + 1))
    assert raw["_rescued"].to_list() == [None] * len(orders)


REFUSED = [
    ("file-forms", "zipped.csv", "UNREADABLE", ["zip"]),
    ("file-forms", "login.csv", "UNREADABLE", ["a web page (HTML)"]),
    ("file-forms", "utf16.csv", "UNREADABLE", ["UTF-16 without a mark"]),
    ("file-forms", "squeezed.csv", "UNREADABLE", ["gzip"]),
    (
        "file-forms",
        "other.csv",
        "HEADER_MISMATCH",
        ["required column order_id", "it has order_no, client, when, total"],
    ),
    ("parquet", "decimal256.parquet", "UNREADABLE", ["purchase_amount", "48 digits"]),
]


@pytest.mark.parametrize(("kind", "name", "reason", "words"), REFUSED)
def test_a_file_is_refused_by_what_it_is(
    shops: dict[str, Shop], kind: str, name: str, reason: str, words: list[str]
) -> None:
    row = shops[kind].file(f"{DAY}{name}")
    assert (row["state"], row["reason"]) == ("refused", reason)
    assert [word for word in words if word not in str(row["detail"])] == []
    assert "not a Parquet file" not in str(row["detail"])


def test_a_cell_with_a_date_format_is_a_date(shops: dict[str, Shop]) -> None:
    found = shops["file-forms"].purchases(f"{DAY}book.xlsx")
    assert found["purchase_date"].to_list() == [
        datetime(2024, 2, 1, 10, 30, tzinfo=UTC),
        datetime(2024, 2, 2, tzinfo=UTC),
    ]


def test_ids_that_are_whole_floats_are_whole_numbers(shops: dict[str, Shop]) -> None:
    found = shops["parquet"].purchases(f"{DAY}float-id.parquet")
    assert found["customer_id"].to_list() == ["12345", "5012345678901"]


def test_bytes_that_are_no_text_and_lists_reach_the_cleaning_as_what_they_are(
    shops: dict[str, Shop],
) -> None:
    raw = shops["parquet"].lake.snapshot(SOURCE.raw).read().sort("_object", "_pos")
    ids = {
        name: raw.filter(pl.col("_object") == f"{DAY}{name}.parquet")
        .select("order_id", "customer_id")
        .rows()
        for name in ("no-text", "list")
    }
    assert ids == {
        "no-text": [("\ufffdfffe01", "C1"), ("bn2", "C2")],
        "list": [("lst1", '["C1"]'), ("lst2", '["C2"]')],
    }


def test_a_file_of_a_period_is_of_its_last_day(shops: dict[str, Shop]) -> None:
    shop = shops["batch-day-of-a-period"]
    period, folders = (
        "orders_2024-01-01_2024-01-31.csv",
        "from=2024-02-01/to=2024-02-29/part-0.csv",
    )
    january = shop.purchases(period)
    assert (january.height, january["net_amount"].sum()) == (31, Decimal("310.00"))
    assert set(january["batch_day"]) == {date(2024, 1, 31)}
    assert shop.file(folders)["batch_day"] == date(2024, 2, 29)
    assert shop.quarantined(period) + shop.quarantined(folders) == []


def test_the_period_landed_again_adds_nothing_and_is_named(
    shops: dict[str, Shop], tmp_path: Path
) -> None:
    landing, lake = tmp_path / "landing", Lake(str(tmp_path / "lake"))
    folder = landing / "purchases"
    folder.mkdir(parents=True)
    period = "orders_2024-01-01_2024-01-31.csv"
    shutil.copy(shops["batch-day-of-a-period"].landing / "purchases" / period, folder)
    run(lake, landing, run_id="first")
    before = lake.snapshot(PURCHASES).read()
    shutil.copy(folder / period, folder / "until_2024-02-01.csv")
    run(lake, landing, run_id="second")
    assert lake.snapshot(PURCHASES).read().equals(before)
    assert [str(file) for file in repeated_files(lake, SOURCE, "second")] == [
        "purchases/until_2024-02-01.csv adds nothing: its content was taken as "
        "orders_2024-01-01_2024-01-31.csv of 2024-01-31"
    ]
