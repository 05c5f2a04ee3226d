"""Files that land in an object store: the same names, days, refusals and memory as in a folder."""

import gzip
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.ingestion import files
from bridge_cart_assets.ingestion.files import FileRefusedError, open_file, read_file
from bridge_cart_assets.ingestion.ingest_files import ingest_files
from bridge_cart_assets.ingestion.landing import list_landing, unknown_folders
from bridge_cart_assets.ingestion.ledger import new_files
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.object_store import ObjectStore, object_store
from bridge_cart_assets.pipeline.intake import take_in_source
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_tests.stores.servers import Server
from bridge_cart_tests.stores.shops import Command, StoredShop, where_the_secret_stands

HEADER = b"customer_id,name,updated_at\n"


@pytest.fixture
def landing(server: Server, bucket: str) -> ObjectStore:
    return object_store(f"s3://{bucket}/landed", server.environment())


def test_names_days_and_order_are_those_of_a_folder(landing: ObjectStore, tmp_path: Path) -> None:
    names = [
        *("2024-01-02.csv", "late/2024-01-01/x.csv", "orders_2024-01-01_2024-01-31.csv"),
        *("c b.csv", "back\\slash.csv", "ümlaut %41.csv", ".hidden.csv", "_folder/a.csv"),
        *("a.csv.tmp", "b.partial", ".folder/b.csv", "deep/er/c.csv"),
    ]
    folder = tmp_path / "landing"
    for name in names:
        landing.write(f"customers/{name}", HEADER)
        path = folder / "customers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(HEADER)
    landing.write("orders of mine/a.csv", HEADER)
    listed = list_landing(landing, "customers")
    assert [(f.object, f.batch_day, f.size) for f in listed] == [
        (f.object, f.batch_day, f.size) for f in list_landing(folder, "customers")
    ]
    assert [read_file(f).data for f in listed] == [HEADER] * len(listed)
    assert list_landing(landing, "custom") == []
    assert unknown_folders(landing, ["customers"]) == ["orders of mine"]


def test_an_object_is_known_until_its_content_changes(landing: ObjectStore, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    landing.write("customers/2024-01-01.csv", HEADER + b"C1,Ann,2024-01-01\n")
    assert take_in_source(lake, CUSTOMERS, landing, "run").files
    assert new_files(lake, list_landing(landing, "customers")) == []
    landing.write("customers/2024-01-01.csv", HEADER + b"C1,Bob,2024-01-01\n")
    (changed,) = new_files(lake, list_landing(landing, "customers"))
    assert changed.batch_day == date(2024, 1, 1)


def test_what_was_taken_from_a_folder_is_not_taken_again_from_a_store(
    landing: ObjectStore, tmp_path: Path
) -> None:
    lake, folder = Lake(str(tmp_path / "lake")), tmp_path / "landing"
    for day in range(1, 4):
        path = folder / "customers" / f"2024-01-0{day}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(HEADER + b"C%d,Ann,2024-01-01\n" % day)
        landing.write(f"customers/{path.name}", path.read_bytes())
    take_in_source(lake, CUSTOMERS, folder, "first")
    landing.write("customers/2024-01-04.csv", HEADER + b"C4,Ann,2024-01-01\n")
    moved = take_in_source(lake, CUSTOMERS, landing, "moved")
    assert moved.files is not None
    assert (moved.files.files, moved.files.records) == (1, 1)
    assert moved.repeated == []
    assert lake.snapshot(CUSTOMERS.raw).rows == 4
    assert new_files(lake, list_landing(landing, "customers")) == []


def test_a_large_object_is_fetched_once_and_read_in_parts(
    landing: ObjectStore, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PART_BYTES", 10_000)
    lines = b"".join(b"C%d,Ann,2024-01-01\n" % n for n in range(3_000))
    landing.write("customers/2024-01-01.csv.gz", gzip.compress(HEADER + lines))
    pl.DataFrame({"customer_id": [f"P{n}" for n in range(3_000)]}).write_parquet(
        parquet := tmp_path / "2024-01-02.parquet"
    )
    landing.write("customers/2024-01-02.parquet", parquet.read_bytes())
    lake = Lake(str(tmp_path / "lake"))
    listed = list_landing(landing, "customers")
    before = server.requests()
    taken = ingest_files(lake, CUSTOMERS, listed, "run")
    assert (taken.files, taken.records, taken.refused) == (2, 6_000, [])
    assert server.requests() - before == {"GET": 2}
    assert lake.snapshot(CUSTOMERS.raw).read()["customer_id"].n_unique() == 6_000


def test_an_object_that_went_or_changed_meanwhile_is_refused_by_its_name(
    landing: ObjectStore, tmp_path: Path
) -> None:
    for name in ("gone.csv", "changed.csv"):
        landing.write(f"customers/{name}", HEADER)
    changed, gone = list_landing(landing, "customers")
    landing.delete(["customers/gone.csv"])
    landing.write("customers/changed.csv", HEADER + b"C1,Ann,2024-01-01\n")
    for file in (changed, gone):
        with pytest.raises(FileRefusedError, match="land it again") as refused, open_file(file):
            pass
        assert refused.value.reason == "UNREADABLE"
    taken = ingest_files(Lake(str(tmp_path / "lake")), CUSTOMERS, [changed, gone], "run")
    assert [seen.file.object for seen in taken.refused] == ["changed.csv", "gone.csv"]


@pytest.mark.engines
def test_the_command_over_files_in_a_store(
    server: Server, bucket: str, tmp_path: Path, command: Command
) -> None:
    stored = StoredShop(tmp_path / "data", bucket, server, is_landed_there=True)
    stored.land(8)
    landing = stored.landing
    assert isinstance(landing, ObjectStore)
    landing.write("purchases/2024-01-02.html", b"<html>")
    landing.write("nothing of ours/x.csv", HEADER)
    for path in (tmp_path / "data" / "landing").rglob("*.csv"):
        path.unlink()
    ran = command("run", **stored.environment)
    assert ran.returncode == 0, ran.stderr
    assert "purchases/2024-01-02.html was refused: UNREADABLE" in ran.stderr
    assert "landing/nothing of ours is no source" in ran.stderr
    again = command("run", **stored.environment)
    assert (again.returncode, "nothing new among" in again.stdout) == (0, True)
    for verb in (["check"], ["retrain"], ["rebuild"], ["status"], ["doctor"]):
        done = command(*verb, **stored.environment)
        assert done.returncode == 0, (verb, done.stderr)
        assert where_the_secret_stands(tmp_path, [done.stdout, done.stderr]) == []
    assert stored.without_doubles() == []


def test_generate_says_that_it_lands_in_folders_only(
    server: Server, bucket: str, tmp_path: Path, command: Command
) -> None:
    stored = StoredShop(tmp_path, bucket, server, is_landed_there=True)
    refused = command("generate", "--customers", "3", "--days", "2", **stored.environment)
    assert refused.returncode == 2
    assert f"BRIDGE_CART_LANDING is {stored.landing_uri}" in refused.stderr
    assert list(list_landing(stored.landing, "customers")) == []


def test_files_may_land_in_another_folder(tmp_path: Path, command: Command) -> None:
    elsewhere = str(tmp_path / "dropped here")
    made = command("generate", "--customers", "3", "--days", "2", BRIDGE_CART_LANDING=elsewhere)
    assert made.returncode == 0, made.stderr
    assert elsewhere in made.stdout
    assert not (tmp_path / "landing").exists()
    assert list_landing(Path(elsewhere), "customers")
