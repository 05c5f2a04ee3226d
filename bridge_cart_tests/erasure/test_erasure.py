"""A person who was erased is nowhere, whatever was interrupted and whatever comes later."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest

from bridge_cart_assets.ingestion import ingest_messages, rewriting
from bridge_cart_assets.ingestion.erased_records import ErasedNames
from bridge_cart_assets.lake import history
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import heal
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline import erasure, silver
from bridge_cart_assets.pipeline.chain import refresh_gold, refresh_silver
from bridge_cart_assets.pipeline.hash_key import HashKeyError, hash_key_in
from bridge_cart_assets.pipeline.losses import lost_files, missing_records
from bridge_cart_assets.pipeline.open_erasure import Erasure, begin_erasure, open_erasure
from bridge_cart_assets.pipeline.open_operations import (
    OperationOpenError,
    lake_alone,
    lake_shared,
    refuse_while_open,
)
from bridge_cart_assets.pipeline.open_retraction import begin_retraction
from bridge_cart_assets.pipeline.person_data import counts_about, data_of, files_of
from bridge_cart_assets.pipeline.person_index import UnknownPersonError, find_persons
from bridge_cart_assets.pipeline.plan import plan
from bridge_cart_assets.pipeline.rebuild import clear
from bridge_cart_assets.pipeline.retraction import take_back
from bridge_cart_assets.pipeline.stored_tables import PERSONAL_TABLES, STORED_TABLES
from bridge_cart_assets.pipeline.taken_objects import find_object
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.ops import ERASED, FILES
from bridge_cart_assets.tables.silver import (
    ACCOUNTING,
    IDENTITIES,
    INTERNAL,
    PURCHASE_REPEATS,
    PURCHASES,
    QUARANTINE,
)
from bridge_cart_tests.erasure.byte_search import found_in
from bridge_cart_tests.erasure.shop import PERSON, WORDS, land, land_later, write
from bridge_cart_tests.lakehouse.tables import WITHOUT_MODEL, contents, differences, stale_tables

EVERY_TABLE = (*WITHOUT_MODEL, *INTERNAL)
BEGAN = datetime(2024, 2, 1, tzinfo=UTC)


class KilledError(BaseException):
    """As if the process had been killed."""


def lake_of(settings: Settings) -> Lake:
    return Lake(settings.lake)


def refresh(settings: Settings) -> None:
    lake = lake_of(settings)
    refresh_silver(lake, settings.landing, settings=settings.silver)
    refresh_gold(lake)


def erase(settings: Settings, *ids: str) -> Erasure:
    """As the command does it, without Dagster; goes on with what was cut off."""
    lake = lake_of(settings)
    begun = open_erasure(settings) or begin_erasure(settings, ids)
    is_resumed = begun.index is not None
    if begun.index is None:
        key = hash_key_in(settings.hash_key) or b""
        begun.index = find_persons(lake, begun.ids, key, landing=settings.landing)
        begun.counts = counts_about(lake, begun.index)
        begun.save(settings)
    erasure.erase_rows(lake, settings, begun.index, BEGAN, is_resumed=is_resumed)
    refresh_gold(lake)
    erasure.forget_versions(lake, settings)
    begun.close(settings)
    return begun


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The shop before anybody was erased; tests take a copy."""
    root = tmp_path_factory.mktemp("shop")
    settings = Settings(data=root, lake=str(root / "lake"), start_date=date(2024, 1, 1))
    for source in SOURCES:
        (settings.landing / source.name).mkdir(parents=True)
    land(settings.landing)
    refresh(settings)
    return settings


@pytest.fixture
def copied(shop: Settings, tmp_path: Path) -> Settings:
    """A copy of the shop that a test may change."""
    root = tmp_path / "data"
    shutil.copytree(shop.data, root)
    return Settings(data=root, lake=str(root / "lake"), start_date=shop.start_date)


@pytest.fixture(scope="module")
def erased(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The shop without the person, erased in one go."""
    root = tmp_path_factory.mktemp("erased") / "data"
    shutil.copytree(shop.data, root)
    settings = Settings(data=root, lake=str(root / "lake"), start_date=shop.start_date)
    erase(settings, PERSON[1])
    return settings


def test_the_shop_has_every_word_somewhere(shop: Settings) -> None:
    words = {word for _, word in found_in(shop.data, WORDS)}
    assert words == {*WORDS} - {"OX-8", "OX-9", "OX-10", "OX-11"}


def test_no_byte_below_the_data_folder_names_the_person(erased: Settings) -> None:
    assert found_in(erased.data, WORDS) == []


def test_tables_are_those_of_a_rebuild(erased: Settings, tmp_path: Path) -> None:
    lake = lake_of(erased)
    before = contents(lake, EVERY_TABLE)
    again = Settings(data=tmp_path, lake=str(tmp_path / "lake"))
    shutil.copytree(erased.data, tmp_path, dirs_exist_ok=True)
    clear(lake_of(again))
    refresh(again)
    assert differences(before, contents(lake_of(again), EVERY_TABLE)) == []
    assert stale_tables(lake) == []


def test_what_is_left_is_what_was_never_theirs(shop: Settings, erased: Settings) -> None:
    before, after = lake_of(shop), lake_of(erased)
    theirs = pl.col("customer_id").is_in(PERSON)
    kept = before.snapshot(PURCHASES).read().filter(~theirs.fill_null(False))
    left = after.snapshot(PURCHASES).read()
    orders = sorted(left["order_id"])
    # O6 had been another's before it was theirs.
    assert orders == sorted([*kept["order_id"], "O6"])
    assert left.filter(pl.col("order_id") == "O6")["customer_id"].to_list() == ["C2"]


def test_every_record_is_still_counted(shop: Settings, erased: Settings) -> None:
    before, after = (
        lake_of(settings).snapshot(ACCOUNTING).read().sum()["raw_records"].item()
        for settings in (shop, erased)
    )
    assert before == after
    counts = lake_of(erased).snapshot(ACCOUNTING).read()
    parts = pl.sum_horizontal("blank", "quarantined", "accepted", "duplicate", "superseded")
    assert counts.select((pl.col("records") == parts).all()).item()
    refused = lake_of(erased).snapshot(QUARANTINE).read().filter(pl.col("reason") == "ERASED")
    assert refused.height > 10
    assert refused.select(pl.all_horizontal(pl.col("raw", "value").is_null()).all()).item()


def test_nothing_is_due_and_nothing_is_broken_afterwards(erased: Settings) -> None:
    lake = lake_of(erased)
    listed = plan(erased, lake).listed
    assert plan(erased, lake).files == ()
    assert heal(lake, STORED_TABLES) == []
    assert missing_records(lake) == []
    assert lost_files(lake, listed).height == 0


def test_a_lost_ledger_brings_nobody_back(erased: Settings, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(erased.data, root)
    settings = Settings(data=root, lake=str(root / "lake"), start_date=erased.start_date)
    before = contents(lake_of(settings), EVERY_TABLE)
    shutil.rmtree(root / "lake" / FILES.path)
    refresh(settings)
    assert differences(before, contents(lake_of(settings), EVERY_TABLE)) == []


def test_later_deliveries_and_corrections_keep_their_place_only(
    erased: Settings, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    shutil.copytree(erased.data, root)
    settings = Settings(data=root, lake=str(root / "lake"), start_date=erased.start_date)
    land_later(settings.landing)
    # The files as they were before, under other names.
    land(tmp_path / "again")
    for path in sorted((tmp_path / "again").rglob("*.*")):
        name = path.relative_to(tmp_path / "again")
        shutil.copy(path, settings.landing / name.parent / f"again-{name.name}")
    refresh(settings)
    lake = lake_of(settings)
    assert found_in(root / "lake", WORDS) == []
    assert lake.snapshot(PURCHASES).read().filter(pl.col("order_id") == "O9").height == 1
    assert not {*PERSON} & {*lake.snapshot(IDENTITIES).read()["identity"]}
    assert stale_tables(lake) == []


@pytest.mark.slow
def test_a_large_file_brings_nobody_back(erased: Settings, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(erased.data, root)
    settings = Settings(data=root, lake=str(root / "lake"), start_date=erased.start_date)
    land_later(settings.landing)
    with patch("bridge_cart_assets.ingestion.files.PART_BYTES", 100):
        refresh(settings)
    assert found_in(root / "lake", WORDS) == []


def test_messages_bring_nobody_back(erased: Settings) -> None:
    names = ErasedNames.of(lake_of(erased), hash_key_in(erased.hash_key))
    source = next(source for source in SOURCES if source.name == "purchases")
    values = [b'{"order_id":"OX-1","customer_id":"PX-100"}', b'{"order_id":"O1"}', b"PX-100 {"]
    read = ingest_messages.read_objects(pl.Series(values), source)
    rows = read.records.with_columns(
        _fingerprint=pl.lit("topic-0"), _source=pl.lit("purchases"), _object=pl.lit("topic-0"),
        _batch_day=pl.lit(date(2024, 1, 7)),
    )  # fmt: skip
    emptied = names.emptied(rows, source)
    assert emptied["_error_code"].to_list() == ["ERASED", None, "ERASED"]
    assert emptied.filter(pl.col("_error_code") == "ERASED")["_raw"].null_count() == 2


def test_without_the_key_nothing_is_taken_in(erased: Settings, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(erased.data, root)
    settings = Settings(data=root, lake=str(root / "lake"), start_date=erased.start_date)
    land_later(settings.landing)
    settings.hash_key.write_text("0a" * 32)
    with pytest.raises(HashKeyError, match=r"identity\.key"):
        refresh(settings)


# What is cut off there, and after how many calls.
POINTS: dict[str, tuple[Any, str, int]] = {
    "names remembered": (erasure, "remember_names", 1),
    "raw knows a new file": (erasure, "announce", 1),
    "a file replaced": (rewriting.os, "replace", 2),
    "landing rewritten": (erasure, "rewrite_landing", 3),
    "raw of one source emptied": (erasure, "empty_records", 1),
    "identities written": (silver, "fold_records", 1),
    "one source folded": (silver, "fold_days", 1),
    "a merge": (Snapshot, "apply", 4),
    "another merge": (Snapshot, "apply", 9),
    "silver done": (erasure, "fold_due_days", 1),
    "gold begun": (Snapshot, "replace", 2),
    "a checkpoint written": (history, "shorten_entry", 1),
    "some versions gone": (Snapshot, "forget_history", 5),
    "all versions gone": (erasure, "forget_versions", 1),
}


def cut_off_after(function: Callable[..., Any], times: int) -> Callable[..., Any]:
    left = [times]

    def call(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        left[0] -= 1
        if not left[0]:
            raise KilledError
        return result

    return call


QUICK = ("a file replaced", "identities written", "some versions gone")


@pytest.mark.parametrize(
    "point",
    [pytest.param(p, marks=() if p in QUICK else pytest.mark.slow) for p in POINTS],
)
def test_cut_off_anywhere_the_next_call_completes_it(
    copied: Settings, erased: Settings, point: str
) -> None:
    owner, name, times = POINTS[point]
    disturbed = cut_off_after(getattr(owner, name), times)
    with patch.object(owner, name, disturbed), pytest.raises(KilledError):
        erase(copied, PERSON[0])
    assert open_erasure(copied) is not None
    erase(copied)
    assert found_in(copied.data, WORDS) == []
    wanted = contents(lake_of(erased), EVERY_TABLE)
    assert differences(wanted, contents(lake_of(copied), EVERY_TABLE)) == []
    assert stale_tables(lake_of(copied)) == []
    assert plan(copied, lake_of(copied)).files == ()


@pytest.mark.slow
def test_a_file_that_was_taken_back_is_rewritten_too(copied: Settings) -> None:
    names = ("purchases/2024-01-05.parquet", "purchases/2024-01-03.csv.gz")
    for name in names:
        begun = begin_retraction(copied, name)
        begun.taken = find_object(lake_of(copied), copied, name)
        take_back(lake_of(copied), copied, begun)
        begun.close(copied)
    index = find_persons(lake_of(copied), [PERSON[0]], b"key")
    shown = data_of(lake_of(copied), copied.landing, index, b"key")["landing"]
    assert {f"_retracted/{name}" for name in names} <= set(shown)
    erase(copied, PERSON[0])
    assert found_in(copied.data, WORDS) == []
    # What others have in it can be landed again.
    away = copied.landing / "_retracted" / names[0]
    away.rename(copied.landing / names[0])
    refresh(copied)
    assert "O8" in set(lake_of(copied).snapshot(PURCHASES).read()["order_id"])


def test_a_person_of_whom_only_a_file_knows_that_was_taken_back(copied: Settings) -> None:
    lake, key = lake_of(copied), hash_key_in(copied.hash_key) or b""
    folder = copied.landing / "_retracted"
    profiles = "customer_id,name,email,mobile,updated_at\n"
    write(
        folder / "customers/2024-01-09.csv",
        f"{profiles}RX-1,Rita Retracted,rita@example.org,,2024-01-09\nC8,Otto,o@example.org,,\n",
    )
    line = "order_id,customer_id,email,purchase_date,purchase_amount"
    write(
        folder / "purchases/2024-01-09.csv",
        f"{line}\nRO-1,RX-1,two@example.org,2024-01-09,5\nRO-1,,,2024-01-09,6\n"
        "RO-2,,rita@example.org,2024-01-09,7\nO2,RX-1,,2024-01-09,1\nO20,C8,,2024-01-09,8\n",
    )
    with pytest.raises(UnknownPersonError, match="RX-1"):
        find_persons(lake, ["RX-1"], key)
    with pytest.raises(UnknownPersonError, match="'RX-3'"):
        find_persons(lake, ["RX-1", "RX-3"], key, landing=copied.landing)
    # Another one, whom the tables know, at the same time.
    index = find_persons(lake, ["RX-1", PERSON[0]], key, landing=copied.landing)
    assert {"RX-1", *PERSON} <= index.identities
    assert "rita@example.org" in index.addresses
    # That one and that order are another's, too.
    assert "two@example.org" not in index.addresses
    assert ("purchases", "O2") not in index.orders
    shown = data_of(lake, copied.landing, index, key)["retracted"]
    assert shown["_retracted/customers/2024-01-09.csv"][0]["name"] == "Rita Retracted"
    assert len(shown["_retracted/purchases/2024-01-09.csv"]) == 4
    erase(copied, "RX-1")
    words = ("RX-1", "Rita Retracted", "rita@example.org", "RO-1", "RO-2")
    assert found_in(copied.data, words) == []
    assert found_in(copied.data, ("O20", "Otto"))
    with pytest.raises(UnknownPersonError):
        find_persons(lake, ["RX-1"], key, landing=copied.landing)


def test_cut_off_between_two_commits_the_other_record_stands_once(tmp_path: Path) -> None:
    """Of an order that was first another's: their record stands again, and is counted once."""
    settings = Settings(data=tmp_path, lake=str(tmp_path / "lake"), start_date=date(2024, 1, 1))
    line = "order_id,customer_id,purchase_date,purchase_amount"
    write(settings.landing / "purchases/2024-01-02.csv", f"{line}\nO1,C2,2024-01-02,5\n")
    write(settings.landing / "purchases/2024-01-03.csv", f"{line}\nO1,PX-100,2024-01-02,5\n")
    lake = lake_of(settings)
    refresh_silver(lake, settings.landing, settings=settings.silver)
    index = find_persons(lake, [PERSON[0]], hash_key_in(settings.hash_key) or b"")
    # The order stands as it was, and is among the superseded ones still.
    disturbed = cut_off_after(Snapshot.apply, 5)
    with patch.object(Snapshot, "apply", disturbed), pytest.raises(KilledError):
        erasure.erase_rows(lake, settings, index, BEGAN)
    assert lake.snapshot(PURCHASE_REPEATS).rows == 1
    erasure.erase_rows(lake, settings, index, BEGAN, is_resumed=True)
    assert lake.snapshot(PURCHASES).read()["customer_id"].to_list() == ["C2"]
    assert lake.snapshot(PURCHASE_REPEATS).rows == 0
    counts = lake.snapshot(ACCOUNTING).read().sort("batch_day")
    assert counts.select("quarantined", "accepted", "superseded").rows() == [(0, 1, 0), (1, 0, 0)]


def test_an_address_that_others_have_too_stays_theirs(copied: Settings) -> None:
    # Six accounts have it, so it is no person's; five of them would be one.
    erase(copied, "S1")
    lake = lake_of(copied)
    persons = dict(lake.snapshot(IDENTITIES).read().select("identity", "person_id").iter_rows())
    assert "S1" not in persons
    assert {persons[f"S{n}"] for n in (0, 2, 3, 4, 5)} == {"S0"}
    before = contents(lake, EVERY_TABLE)
    clear(lake)
    refresh(copied)
    assert differences(before, contents(lake, EVERY_TABLE)) == []


def test_an_export_has_all_that_erasing_would_remove(shop: Settings) -> None:
    lake, key = lake_of(shop), hash_key_in(shop.hash_key) or b""
    index = find_persons(lake, [PERSON[0]], key)
    found = data_of(lake, shop.landing, index, key)
    assert set(found["identities"]) >= {*PERSON}
    assert len(found["identities"]) == 3  # and the guest who has their address
    counts = counts_about(lake, index)
    assert {path: len(rows) for path, rows in found["tables"].items()} == counts
    assert {path.partition("/")[0] for path in found["landing"]} == {
        "customers",
        "purchases",
        "shopify_orders",
    }
    assert len(files_of(lake, shop.landing, index)) == 6


def test_nobody_is_erased_when_one_of_them_is_unknown(shop: Settings) -> None:
    with pytest.raises(UnknownPersonError, match="'nobody'"):
        find_persons(lake_of(shop), ["C2", "nobody"], b"key")


def test_tables_about_persons_are_found_by_their_columns() -> None:
    paths = {table.path for table in PERSONAL_TABLES}
    assert {"silver/quarantine", "gold/customer_history", "gold/training_states"} <= paths
    assert {"raw/purchases", "silver/purchase_repeats", ERASED.path} <= paths
    assert not {"gold/kpis_daily", "silver/accounting", "silver/settings"} & paths


def test_what_is_to_be_erased_is_written_down_for_its_owner_only(copied: Settings) -> None:
    begun = begin_erasure(copied, ["C2"])
    begun.index = find_persons(lake_of(copied), ["C2"], hash_key_in(copied.hash_key) or b"")
    begun.save(copied)
    again = open_erasure(copied)
    assert again is not None
    assert again.index is not None
    assert again.index.words == begun.index.words
    assert again.index.days == begun.index.days
    assert (copied.data / "erasing.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(OperationOpenError):
        refuse_while_open(copied, {})
    begun.close(copied)
    refuse_while_open(copied, {})


def test_runs_and_erasures_keep_out_of_each_others_way(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    shared, alone = (partial(lock, settings, 0, print) for lock in (lake_shared, lake_alone))
    with shared(), shared(), pytest.raises(OperationOpenError), alone():
        pass
    with alone(), pytest.raises(OperationOpenError), shared():
        pass
