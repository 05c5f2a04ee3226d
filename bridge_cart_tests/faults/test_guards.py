"""The protocol with one guard taken away at a time: each time the damage is there to be seen.

Each guard has one scenario. With the guard it leaves nothing wrong, without it something is. A
guard without an effect is none, and a test that sees no damage tests nothing. When the second half
of a test fails, either the guard has become superfluous or the tests have become blind.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from bridge_cart_assets.ingestion import files
from bridge_cart_assets.lake import commits, fsync, snapshot
from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import heal, refuse_torn
from bridge_cart_assets.lake.snapshot import DamagedTableError, Snapshot
from bridge_cart_assets.pipeline import silver
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.pipeline.recovery import reopen
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_assets.tables.silver import ACCOUNTING, PURCHASE_REPEATS, PURCHASES
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.faults.fault_injection import CRASHES, Crash, Once, at, die, of
from bridge_cart_tests.faults.kill_target import after, before
from bridge_cart_tests.faults.landed_files import landed
from bridge_cart_tests.faults.laws import NATIVE, held, hold_after_a_run, hold_at_any_moment
from bridge_cart_tests.faults.test_power_cut import path_of

HEADER = "order_id,customer_id,purchase_date,purchase_amount,updated_at"
RAW = next(source.raw for source in NATIVE if source.name == "purchases")


class Shop:
    """A lake and its landing zone."""

    def __init__(self, root: Path) -> None:
        self.root, self.landing, self.lake = root, root / "landing", Lake(str(root / "lake"))

    def land(self, day: str, *lines: str) -> None:
        path = self.landing / "purchases" / f"{day}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([HEADER, *lines, ""]))

    def run(self) -> None:
        refresh_silver(self.lake, self.landing, sources=NATIVE)

    def dies(self, place: str) -> None:
        with suppress(Crash), at(CRASHES[place], Once(1, die)):
            self.run()

    def damage(self) -> list[str]:
        """What is wrong after one more run."""
        self.run()
        found = []
        for law in (held, hold_at_any_moment, hold_after_a_run):
            try:
                law(self.lake)
            except AssertionError as broken:
                found.append(str(broken))
        return found


@pytest.fixture(params=["with the guard", "without"])
def without(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "without")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """One order line, which has been taken in; a correction and another line have landed."""
    made = Shop(tmp_path)
    made.land("2024-01-01", "O1,C1,2024-01-01,10.00,2024-01-01")
    made.run()
    made.land("2024-01-02", "O1,C1,2024-01-01,12.00,2024-01-02", "O2,C1,2024-01-02,5.00,")
    return made


@contextmanager
def a_rival(shop: Shop, table: Table) -> Iterator[None]:
    """When a run is about to write a table's rows, another run comes in between, as a whole."""
    arrived = False

    def write(handle: DeltaTable, *args: Any, **kwargs: Any) -> None:
        nonlocal arrived
        if not arrived and handle.table_uri.rstrip("/").endswith(table.path):
            arrived = True
            shop.run()
        beneath(handle, *args, **kwargs)

    beneath = commits.write_deltalake
    with patch.object(commits, "write_deltalake", write):
        yield
    assert arrived


def through_a_fresh_handle(handle: DeltaTable, *args: Any, **kwargs: Any) -> None:
    """A write that sees the table as it is, and not as it was when it was planned."""
    write_deltalake(DeltaTable(handle.table_uri), *args, **kwargs)


def test_writing_through_the_handle_that_was_looked_at(shop: Shop, without: bool) -> None:
    with ExitStack() as stack:
        if without:
            stack.enter_context(patch.object(commits, "write_deltalake", through_a_fresh_handle))
        stack.enter_context(a_rival(shop, RAW))
        shop.run()
    assert shop.lake.snapshot(RAW).rows == (5 if without else 3)
    assert bool(shop.damage()) == without


def test_committing_a_large_file_through_the_handle_that_was_looked_at(
    shop: Shop, without: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = DeltaTable.create_write_transaction
    rival = [shop.run]

    def overtaken(handle: DeltaTable, *args: Any, **kwargs: Any) -> None:
        if rival and handle.table_uri.rstrip("/").endswith(RAW.path):
            rival.pop()()
        commit(DeltaTable(handle.table_uri) if without else handle, *args, **kwargs)

    monkeypatch.setattr(files, "PART_BYTES", 40)
    monkeypatch.setattr(DeltaTable, "create_write_transaction", overtaken)
    shop.run()
    assert rival == []
    assert shop.lake.snapshot(RAW).rows == (5 if without else 3)
    assert bool(shop.damage()) == without


@pytest.mark.parametrize("size", ["small", "large"])
def test_the_transaction_of_a_file(
    shop: Shop, without: bool, size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = "append" if size == "small" else "append_staged"
    append = getattr(Snapshot, method)

    def forgetful(snapshot: Snapshot, rows: Any, commit: Commit) -> int:
        kept = {n: v for n, v in commit.transactions.items() if not n.startswith("file:")}
        return int(append(snapshot, rows, replace(commit, transactions=kept)))

    if size == "large":
        monkeypatch.setattr(files, "PART_BYTES", 40)
    with patch.object(Snapshot, method, forgetful) if without else nullcontext():
        shop.dies("before remembering")
        shop.run()
    assert shop.lake.snapshot(RAW).rows == (5 if without else 3)
    assert bool(shop.damage()) == without


def properties_but(leave_out: str) -> Callable[..., CommitProperties]:
    """Properties of a commit, less one transaction or one entry of the metadata."""

    def make(custom_metadata: Mapping[str, str], app_transactions: list[Any]) -> CommitProperties:
        kept = [t for t in app_transactions if t.app_id != leave_out]
        metadata = dict(custom_metadata) | {commits.TRANSACTIONS: str(len(kept))}
        metadata.pop(leave_out, None)
        return CommitProperties(custom_metadata=metadata, app_transactions=kept)

    return make


def test_the_writer_transaction(shop: Shop, without: bool) -> None:
    """Two runs fold the same new line; Delta itself lets both append it."""
    shop.land("2024-01-02", "O2,C1,2024-01-02,5.00,")
    with ExitStack() as stack:
        if without:
            blind = properties_but(commits.WRITER)
            stack.enter_context(patch.object(commits, "CommitProperties", blind))
        stack.enter_context(a_rival(shop, PURCHASES))
        shop.run()
    assert shop.lake.snapshot(PURCHASES).rows == (3 if without else 2)
    assert bool(shop.damage()) == without


def test_forcing_to_disk(shop: Shop, without: bool) -> None:
    """After a power cut whatever was not forced is empty; a run had said that it was done."""
    forced: set[Path] = set()

    def watch(opened: int) -> None:
        forced.add(path_of(opened))

    before_it = {path for path in shop.root.rglob("*") if path.is_file()}
    with ExitStack() as stack:
        stack.enter_context(patch.object(fsync.os, "fsync", watch))
        if without:
            stack.enter_context(patch.object(snapshot, "fsync_commit", lambda *_: None))
        shop.run()
    for path in (shop.root / "lake").rglob("*"):
        if path.is_file() and path not in before_it | forced:
            path.write_bytes(b"")
    assert bool(forced) != without
    with pytest.raises(DamagedTableError, match="torn") if without else nullcontext():
        refuse_torn(shop.lake, STORED_TABLES)
    if not without:
        assert shop.damage() == []


def test_among_the_same_files_the_memory_of_a_file_stands_in_for_the_writer(shop: Shop) -> None:
    """In raw the writer's transaction is a second lock: that of a file conflicts by itself."""
    blind = patch.object(commits, "CommitProperties", properties_but(commits.WRITER))
    with blind, a_rival(shop, RAW):
        shop.run()
    assert shop.lake.snapshot(RAW).rows == 3
    assert shop.damage() == []


def cut_behind_the_data(entry: Path) -> None:
    """As if the log entry had reached the disk up to its transactions."""
    lines = entry.read_text().splitlines()
    entry.write_text("\n".join(line for line in lines if not line.startswith('{"txn"')))


def test_the_count_of_transactions(shop: Shop, without: bool) -> None:
    """A commit of raw lacks its end: its rows are there, the memory of its file is not."""
    blind = properties_but(commits.TRANSACTIONS)
    with patch.object(commits, "CommitProperties", blind) if without else nullcontext():
        shop.dies("before fsync")
    entries = Path(shop.lake.uri(RAW), fsync.LOG).glob("[0-9]*.json")
    cut_behind_the_data(max(entries))

    with nullcontext() if without else pytest.raises(DamagedTableError, match="lacks its end"):
        refuse_torn(shop.lake, STORED_TABLES)
    list(reopen(shop.lake, heal(shop.lake, STORED_TABLES), landed(shop.landing)))
    shop.run()
    assert shop.lake.snapshot(RAW).rows == (5 if without else 3)
    assert bool(shop.damage()) == without


def test_accounting_comes_last(shop: Shop, without: bool, tmp_path: Path) -> None:
    """A run dies before it has written its rows; if it had counted first, none would be missed."""
    whole = Shop(tmp_path / "whole")
    for path in (shop.landing / "purchases").iterdir():
        whole.land(path.stem, *path.read_text().splitlines()[1:])
    whole.run()
    fold = silver.fold_records

    def counted_first(lake: Lake, *args: Any) -> Any:
        lake.snapshot(ACCOUNTING).replace(whole.lake.snapshot(ACCOUNTING).read(), Commit("early"))
        return fold(lake, *args)

    with ExitStack() as stack:
        if without:
            stack.enter_context(patch.object(silver, "fold_records", counted_first))
        place = (Snapshot, "apply", of([PURCHASES], before))
        stack.enter_context(at(place, Once(1, die)))
        stack.enter_context(suppress(Crash))
        shop.run()
    assert bool(shop.damage()) == without
    assert shop.lake.snapshot(PURCHASES).rows == (1 if without else 2)


def test_what_no_longer_stands_is_written_before_what_does(shop: Shop, without: bool) -> None:
    """A run dies between the two; the record that was corrected must not be gone."""
    apply = Snapshot.apply

    def the_other_way_round(
        snapshot: Snapshot, change: Change, commit: Commit, **options: Any
    ) -> int:
        if snapshot.table is PURCHASE_REPEATS:
            return 0  # its turn would have come behind the other, and does not
        version = apply(snapshot, change, commit, **options)
        if snapshot.table is PURCHASES:
            die()
        return version

    with ExitStack() as stack:
        stack.enter_context(suppress(Crash))
        if without:
            stack.enter_context(patch.object(Snapshot, "apply", the_other_way_round))
        else:
            place = (Snapshot, "apply", of([PURCHASE_REPEATS], after))
            stack.enter_context(at(place, Once(1, die)))
        shop.run()
    assert bool(shop.damage()) == without
    assert shop.lake.snapshot(PURCHASE_REPEATS).rows == (0 if without else 1)
