"""The whole lakehouse in an object store: the same tables, the same commands, the same answers."""

import json
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from bridge_cart_assets.lake import local_copies
from bridge_cart_assets.lake.catalogue import COPIES, build_catalogue
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import heal
from bridge_cart_assets.lake.maintenance import maintain
from bridge_cart_assets.pipeline import chain
from bridge_cart_assets.pipeline.gold import recipes, update_table
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_assets.sources.purchases import PURCHASES as SOURCE
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES
from bridge_cart_assets.tables.silver import ACCOUNTING, PURCHASES
from bridge_cart_assets.tables.silver import TABLES as SILVER_TABLES
from bridge_cart_tests.lake.rows import BY_MONTH, VISITS, visits
from bridge_cart_tests.lake.test_maintenance import RUN_AT
from bridge_cart_tests.lakehouse.tables import WITHOUT_MODEL, contents, differences
from bridge_cart_tests.reports.conftest import browse
from bridge_cart_tests.stores.deaths import Killed, dies_after
from bridge_cart_tests.stores.servers import Server
from bridge_cart_tests.stores.shops import Command, StoredShop, where_the_secret_stands

FEATURES = next(recipe for recipe in recipes(0.0) if recipe.table is CUSTOMER_FEATURES)
COUNT = "SELECT count(*) AS n FROM silver.purchases"


def test_a_fold_that_dies_over_a_store_is_ended_by_the_next_one(
    server: Server,
    bucket: str,
    tmp_path: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The short form of the next test, and of those of kills: order lines, one table of gold."""
    stored = StoredShop(tmp_path / "data", bucket, server)
    stored.land(2)

    def fold(lake: Lake) -> None:
        chain.refresh_silver(lake, stored.landing, sources=[SOURCE], settings=stored.silver)

    with monkeypatch.context() as patch:
        dies_after(5, patch)
        with pytest.raises(Killed):
            fold(stored.lake)
    assert stored.lake.snapshot(ACCOUNTING).version is None
    beside = Lake(str(tmp_path / "local"))
    for lake in (stored.lake, beside):
        fold(lake)
        update_table(lake, FEATURES, "run")
    tables = (*SILVER_TABLES, CUSTOMER_FEATURES)
    assert differences(contents(beside, tables), contents(stored.lake, tables)) == []
    assert stored.without_doubles() == []

    catalogue = stored.data / "bridge_cart.duckdb"
    build_catalogue(catalogue, stored.lake, [CUSTOMER_FEATURES], SILVER_TABLES, [], "run", RUN_AT)
    lines = beside.snapshot(PURCHASES).rows
    asked = command("sql", COUNT, "--format", "json", **stored.environment)
    assert json.loads(asked.stdout) == [{"n": lines}]
    assert where_the_secret_stands(tmp_path, [asked.stdout, asked.stderr]) == []


@pytest.mark.slow
def test_the_command_over_a_store_does_what_it_does_over_a_folder(
    server: Server, bucket: str, tmp_path: Path, command: Command
) -> None:
    data = tmp_path / "data"
    stored = StoredShop(data, bucket, server)
    stored.land(8)
    ran = command("run", **stored.environment)
    assert ran.returncode == 0, ran.stderr

    beside = Lake(str(tmp_path / "local"))
    chain.run(beside, data / "landing", settings=stored.silver)
    assert differences(contents(beside, WITHOUT_MODEL), contents(stored.lake, WITHOUT_MODEL)) == []
    assert not (data / "lake").exists()

    lines = beside.snapshot(PURCHASES).rows
    asked = command("sql", COUNT, "--format", "json", **stored.environment)
    assert json.loads(asked.stdout) == [{"n": lines}]
    told = command("status", "--json", **stored.environment)
    assert json.loads(told.stdout)["tables"]["silver/purchases"]["rows"] == lines
    again = command("run", **stored.environment)
    assert "nothing new" in again.stdout
    sound = command("--debug", "doctor", **stored.environment)
    assert sound.stdout.endswith("the lake is sound\n"), sound

    customer = stored.lake.snapshot(CUSTOMER_FEATURES).read()["customer_id"][0]
    page = browse(data / "bridge_cart.duckdb").get(f"/customers/{customer}")
    assert page.status_code == 200
    orders = stored.lake.snapshot(PURCHASES).scan().filter(pl.col("customer_id") == customer)
    assert all(order in page.text for order in orders.collect()["order_id"].unique())

    said = [
        text for done in (ran, asked, told, again, sound) for text in (done.stdout, done.stderr)
    ]
    assert where_the_secret_stands(tmp_path, said) == []


@pytest.fixture
def lake(server: Server, bucket: str) -> Lake:
    return Lake(f"s3://{bucket}/lake", server.environment())


def fill(lake: Lake, files: int) -> None:
    for n in range(files):
        lake.snapshot(BY_MONTH).append(
            visits((f"v{n}", f"2024-0{n % 2 + 1}", n)), Commit("run", transactions={f"file:{n}": n})
        )


def stage_and_die(lake: Lake) -> None:
    """What is no `Exception` leaves its files, as the death of the process does."""
    with lake.snapshot(BY_MONTH).stage() as staged:
        staged.add(visits(("killed", "2024-01", 1)))
        raise KeyboardInterrupt


def test_maintenance_leaves_no_small_file_no_orphan_and_the_same_rows(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(lake, 6)
    before = lake.snapshot(BY_MONTH).read().sort("visitor")
    monkeypatch.setattr("bridge_cart_assets.lake.vacuum.LONGEST_WRITE", timedelta(0))
    with pytest.raises(KeyboardInterrupt):
        stage_and_die(lake)
    (done,) = maintain(lake, [BY_MONTH], "upkeep", timedelta(0))
    # Of the six one stays for the doctor; the orphan and the log of its folder go.
    assert (done.files_before, done.files_after, done.removed) == (6, 2, 5 + 3)
    now = lake.snapshot(BY_MONTH)
    assert now.read().sort("visitor").equals(before)
    assert now.transactions([f"file:{n}" for n in range(6)]) == {f"file:{n}": n for n in range(6)}
    assert now.version == 7, "removing files makes no commit"
    assert heal(lake, [BY_MONTH]) == []


def test_an_old_log_is_checkpointed_and_transactions_are_read_from_it(lake: Lake) -> None:
    fill(lake, 7)
    wanted = {f"file:{n}": n for n in range(7)}
    elsewhere = Lake(lake.root, {**lake.options, "AWS_CONNECT_TIMEOUT": "3s"})
    assert elsewhere.snapshot(BY_MONTH).transactions([*wanted, "nothing"]) == wanted
    assert any("checkpoint" in name for name in lake.files(BY_MONTH).checkpoints())


def test_a_commit_whose_files_are_missing_is_taken_back(lake: Lake) -> None:
    """As in the copy of a lake that was cut off: the log was copied first."""
    lake.snapshot(VISITS).append(visits(("anna", "2024-01", 1)), Commit("run"))
    lake.snapshot(VISITS).append(visits(("bo", "2024-01", 2)), Commit("run"))
    last = lake.snapshot(VISITS).files.sort("modification_time")["path"].to_list()
    first = Lake(lake.root, {**lake.options, "AWS_TIMEOUT": "20s"}).snapshot(VISITS)
    kept = first.read().filter(pl.col("visitor") == "anna")
    gone = next(
        path
        for path in last
        if pl.read_parquet(  # the file of the second commit
            lake.files(VISITS).read(path)
        )["visitor"].to_list()
        == ["bo"]
    )
    lake.files(VISITS).remove([gone])
    (found,) = heal(lake, [VISITS])
    assert found.mended
    assert "is gone" in found.problem
    assert lake.snapshot(VISITS).read().equals(kept)
    assert heal(lake, [VISITS]) == []


def test_what_a_table_is_asked_again_costs_one_request(lake: Lake, server: Server) -> None:
    fill(lake, 4)
    lake.snapshot(BY_MONTH).transaction("file:1")
    before = server.requests()
    for _ in range(5):
        snapshot = lake.snapshot(BY_MONTH)
        assert (snapshot.rows, snapshot.transaction("file:3")) == (4, 3)
    asked = server.requests() - before
    assert asked == {"LIST": 5}
    other = Lake(lake.root, {**lake.options, "AWS_CONNECT_TIMEOUT": "4s"})
    other.snapshot(BY_MONTH).append(visits(("new", "2024-01", 9)), Commit("other"))
    assert lake.snapshot(BY_MONTH).rows == 5


def test_the_catalogue_fetches_a_file_once_and_lets_old_ones_go(
    lake: Lake, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "catalogue.duckdb"

    def build() -> dict[str, int]:
        before = server.requests()
        build_catalogue(path, lake, [VISITS], [BY_MONTH], [], "run", RUN_AT)
        return dict(server.requests() - before)

    def copies() -> set[str]:
        return {file.name for file in (tmp_path / COPIES).rglob("*.parquet")}

    fill(lake, 4)
    lake.snapshot(VISITS).append(visits(("anna", "2024-01", 1)), Commit("run"))
    assert build()["GET"] == 5
    assert build()["GET"] == 1, "gold's file; silver's are there"
    fetched = copies()
    lake.snapshot(BY_MONTH).replace(visits(("bo", "2024-02", 2)), Commit("run"))
    build()
    assert len(copies()) == len(fetched) + 1, "a reader of the last hour may want them"
    monkeypatch.setattr(local_copies, "SPARED_SECONDS", -1.0)
    build()
    assert len(copies()) == 1
    with duckdb.connect(str(path), read_only=True) as reader:
        assert reader.sql("SELECT visitor FROM silver.visits").fetchall() == [("bo",)]


def test_every_stored_table_can_be_asked_for_in_an_empty_bucket(lake: Lake) -> None:
    assert {lake.snapshot(table).version for table in STORED_TABLES} == {None}
