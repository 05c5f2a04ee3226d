"""The ledger of files: what it says of each, that it can be lost, and which columns drift."""

import gzip
import io
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from bridge_cart_assets.ingestion import ingest_files as module
from bridge_cart_assets.ingestion.ingest_files import ingest_files
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import (
    FileRecord,
    forget,
    new_files,
    not_in_raw,
    upsert_files,
)
from bridge_cart_assets.ingestion.schema_drift import drift_of_files
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_assets.sources.purchases import PURCHASES
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.tables.table import SchemaMismatchError
from bridge_cart_tests.ingestion.test_ingest_files import Shop

HEADER = "customer_id,name"
ANNA = f"{HEADER}\n1,Anna\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def ledger(shop: Shop) -> pl.DataFrame:
    return shop.lake.snapshot(FILES).read().drop("seen_at", "run_id").sort("source", "object")


def lose(shop: Shop) -> None:
    folder = Path(shop.lake.uri(FILES))
    folder.rename(folder.with_name("lost"))


def a_year_of_everything(shop: Shop) -> None:
    """Files of every state, in several commits."""
    parquet = io.BytesIO()
    pl.DataFrame({"customer_id": ["1"], "x": [1]}).write_parquet(parquet)
    shop.land("2024-01-01.csv", ANNA)
    shop.land("2024-01-02.csv", f"{HEADER},tier\n1\n2,b,c\n\n")
    shop.land("2024-01-03.ndjson", '{"customer_id": "1", "ö,": 1}\nnope\n{"customer_id": "2"}\n')
    shop.run()
    shop.land("2024-01-04.parquet", parquet.getvalue())
    shop.land("2024-01-05.csv", f"{HEADER}\n")
    shop.land("2024-01-06.csv.gz", gzip.compress(b"customer_id\n9\n"))
    shop.run()
    shop.land("2024-01-07.csv", "nope\n1\n")
    shop.land("2024-01-08.csv", ANNA)
    shop.land("2024-01-09.csv", f"{HEADER}\n")
    shop.run()


def test_a_file_is_written_down_with_what_became_of_its_records_and_columns(shop: Shop) -> None:
    a_year_of_everything(shop)
    columns = ["state", "records", "quarantined", "version", "unknown_columns", "missing_columns"]
    entries = {row[0]: row[1:] for row in ledger(shop).select("object", *columns).iter_rows()}
    missing = {name: set((text or "").split(",")) for name, (*_, text) in entries.items()}
    assert {name: row[:-1] for name, row in entries.items()} == {
        "2024-01-01.csv": ("taken", 1, 0, 1, None),
        "2024-01-02.csv": ("taken", 3, 1, 1, "tier"),
        "2024-01-03.ndjson": ("taken", 3, 1, 1, '"ö,"'),
        "2024-01-04.parquet": ("taken", 1, 0, 2, "x"),
        "2024-01-05.csv": ("taken", 0, 0, 2, None),
        "2024-01-06.csv.gz": ("taken", 1, 0, 2, None),
        "2024-01-07.csv": ("refused", None, None, None, None),
        "2024-01-08.csv": ("repeated", 1, 0, 1, None),
        "2024-01-09.csv": ("repeated", 0, 0, 2, None),
    }
    optional = set(CUSTOMERS.columns) - {"customer_id"}
    assert missing["2024-01-01.csv"] == missing["2024-01-02.csv"] == optional - {"name"}
    assert missing["2024-01-03.ndjson"] == missing["2024-01-04.parquet"] == optional
    assert missing["2024-01-07.csv"] == {""}
    # The commit is the one that has the records.
    raw = shop.lake.snapshot(CUSTOMERS.raw)
    assert raw.version == 2


def test_a_ledger_that_was_lost_is_written_again_as_it_was(shop: Shop) -> None:
    a_year_of_everything(shop)
    before, raw = ledger(shop), shop.lake.snapshot(CUSTOMERS.raw).version
    lose(shop)
    taken = shop.run("later")
    assert (taken.files, taken.repeated, taken.records, taken.days) == (0, 8, 0, set())
    assert_frame_equal(ledger(shop), before)
    assert shop.lake.snapshot(CUSTOMERS.raw).version == raw


def test_a_ledger_is_found_again_file_by_file_too(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_year_of_everything(shop)
    before = ledger(shop)
    lose(shop)
    monkeypatch.setattr(module, "COMMIT_BYTES", 1)
    shop.run("later")
    assert_frame_equal(ledger(shop), before)


def test_a_file_that_was_only_touched_stays_taken(shop: Shop) -> None:
    path = shop.land("2024-01-01.csv", ANNA)
    shop.run()
    before = ledger(shop)
    path.touch()
    assert shop.run().repeated == 1
    times = ["modified_ns", "changed_ns"]
    assert_frame_equal(ledger(shop).drop(times), before.drop(times))


def test_a_file_that_is_there_in_part_is_looked_at_again_and_not_forgotten(shop: Shop) -> None:
    shop.land("2024-01-01.csv", ANNA)
    shop.run()
    shop.land("2024-01-02.csv", f"{HEADER}\n2,Cy\n")
    [half] = new_files(shop.lake, list_landing(shop.landing, "customers"))
    seen = FileRecord(half, "partial", "f" * 64, 1, quarantined=0)
    upsert_files(shop.lake, [seen], "run", shop.lake.snapshot(FILES).read()["seen_at"][0])
    assert new_files(shop.lake, list_landing(shop.landing, "customers")) == [half]
    lost = not_in_raw(shop.lake)
    assert lost.is_empty()
    forget(shop.lake, lost, "doctor")
    assert ledger(shop)["state"].to_list() == ["taken", "partial"]


def test_columns_that_drift_are_listed_with_their_days(shop: Shop) -> None:
    for day, header in enumerate(("customer_id", 'customer_id,"a,b"', 'customer_id,"a,b",x'), 1):
        shop.land(f"2024-01-0{day}.csv", f"{header}\n")
    shop.land("2024-01-04.csv", "nope\n")
    shop.land("2024-01-05/copy.csv", "customer_id\n")
    shop.run()
    purchases = "order_id,customer_id,purchase_date,purchase_amount,x\n"
    path = shop.landing / "purchases" / "2024-02-01.csv"
    path.parent.mkdir()
    path.write_text(purchases)
    ingest_files(shop.lake, PURCHASES, list_landing(shop.landing, "purchases"), "run")
    found = drift_of_files(shop.lake)
    assert found.columns == ["source", "column", "kind", "files", "first_day", "latest_day"]
    assert found.filter(pl.col("kind") == "unknown").rows() == [
        ("customers", "a,b", "unknown", 2, date(2024, 1, 2), date(2024, 1, 3)),
        ("customers", "x", "unknown", 1, date(2024, 1, 3), date(2024, 1, 3)),
        ("purchases", "x", "unknown", 1, date(2024, 2, 1), date(2024, 2, 1)),
    ]
    assert found.filter(source="customers", column="name").rows() == [
        ("customers", "name", "missing", 3, date(2024, 1, 1), date(2024, 1, 3))
    ]
    assert "customer_id" not in found["column"]


def test_without_files_nothing_drifts(tmp_path: Path) -> None:
    assert drift_of_files(Lake(str(tmp_path))).height == 0


def test_of_very_many_unknown_columns_a_hundred_are_listed(shop: Shop) -> None:
    lines = "".join(f'{{"customer_id": "1", "x{n:04}": 1}}\n' for n in range(1000))
    shop.land("2024-01-01.ndjson", lines)
    shop.run()
    assert len(ledger(shop)["unknown_columns"][0].split(",")) == 100
    assert drift_of_files(shop.lake).filter(kind="unknown")["column"].to_list()[-1] == "x0099"


def test_a_ledger_of_other_columns_is_to_be_moved_away(shop: Shop) -> None:
    old = pl.DataFrame({"source": ["customers"], "object": ["a"]})
    old.write_delta(shop.lake.uri(FILES))
    with pytest.raises(SchemaMismatchError, match="move it away: it is written again"):
        shop.lake.snapshot(FILES)
