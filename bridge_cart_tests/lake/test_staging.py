"""Staged rows become part of their table by one commit, or leave nothing behind."""

import os
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable

from bridge_cart_assets.lake import fsync
from bridge_cart_assets.lake.commits import Commit, CommitConflictError, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import heal, refuse_torn
from bridge_cart_assets.lake.fsync import entry_of
from bridge_cart_assets.lake.snapshot import DamagedTableError
from bridge_cart_assets.lake.staging import StagedFiles
from bridge_cart_assets.tables.table import SchemaMismatchError, Table
from bridge_cart_tests.lake.rows import BY_MONTH, VISITS, visits

RUN = Commit("run-1", date(2024, 1, 5), {"file:1": 1})
OTHER = Commit("run-2", date(2024, 1, 4))
ONE, TWO = visits(("a", "2024-01", 1), ("b", "2024-02", 2)), visits(("c", "2024-01", 3))
TABLES = pytest.mark.parametrize("table", [VISITS, BY_MONTH], ids=["plain", "partitioned"])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "the lake"))


def rows(lake: Lake, table: Table) -> pl.DataFrame:
    return lake.snapshot(table).read().sort("visitor")


def folders(lake: Lake, table: Table) -> list[Path]:
    return list(Path(lake.uri(table)).glob("staged-*"))


@TABLES
@pytest.mark.parametrize("before", ["no table", "rows"])
def test_all_frames_are_one_commit(lake: Lake, table: Table, before: str) -> None:
    others = visits(("z", "2024-01", 9)) if before == "rows" else table.empty()
    if before == "rows":
        lake.snapshot(table).append(others, OTHER)
    first = (lake.snapshot(table).version or 0) + 1
    with lake.snapshot(table).stage() as staged:
        for frame in (ONE, TWO, table.empty()):
            staged.add(frame)
        assert rows(lake, table).equals(others)
        assert staged.height == 3
        assert lake.snapshot(table).append_staged(staged, RUN) == first
    after = lake.snapshot(table)
    assert rows(lake, table).equals(pl.concat([ONE, TWO, others]))
    assert (after.version, after.as_of, after.transaction("file:1")) == (first, RUN.as_of, 1)
    assert after.rows == 3 + others.height
    # Of the small table nothing is left but the files.
    [folder] = folders(lake, table)
    assert all(path.suffix == ".parquet" for path in folder.rglob("*") if path.is_file())
    assert lake.snapshot(table).unreferenced_files(timedelta(0)) == []
    changes = pl.DataFrame(DeltaTable(lake.uri(table)).load_cdf(starting_version=first))
    assert sorted(changes["visitor"]) == ["a", "b", "c"]
    assert set(changes["_change_type"]) == {"insert"}


def test_without_rows_the_transactions_are_committed(lake: Lake) -> None:
    with lake.snapshot(VISITS).stage() as staged:
        assert lake.snapshot(VISITS).append_staged(staged, RUN) == 1
    assert (lake.snapshot(VISITS).rows, lake.snapshot(VISITS).transaction("file:1")) == (0, 1)


def test_a_commit_that_was_refused_writes_nothing_and_can_be_made_again(lake: Lake) -> None:
    old = lake.snapshot(VISITS)
    with old.stage() as staged:
        staged.add(ONE)
        lake.snapshot(VISITS).append(TWO, OTHER)
        with pytest.raises(CommitConflictError):
            old.append_staged(staged, RUN)
        assert rows(lake, VISITS).equals(TWO)
        later = lake.snapshot(VISITS)
        lake.snapshot(VISITS).append(visits(("d", "2024-01", 4)), OTHER)
        with pytest.raises(CommitConflictError):
            later.append_staged(staged, RUN)
        retry_on_conflict(lambda: lake.snapshot(VISITS).append_staged(staged, RUN))
    assert rows(lake, VISITS)["visitor"].to_list() == ["a", "b", "c", "d"]


@TABLES
@pytest.mark.parametrize("end", ["nothing committed", "refused", "failed"])
def test_what_was_not_committed_is_removed(lake: Lake, table: Table, end: str) -> None:
    def work() -> None:
        old = lake.snapshot(table)
        with old.stage() as staged:
            staged.add(ONE)
            if end == "refused":
                lake.snapshot(table).append(TWO, OTHER)
                old.append_staged(staged, RUN)
            if end == "failed":
                raise OSError("no room")

    if end == "nothing committed":
        work()
    else:
        with pytest.raises((CommitConflictError, OSError)):
            work()
    assert folders(lake, table) == []
    assert rows(lake, table).height == (end == "refused")


def test_what_a_commit_may_have_named_stays(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError("no answer")

    def work() -> None:
        with lake.snapshot(VISITS).stage() as staged:
            staged.add(ONE)
            lake.snapshot(VISITS).append_staged(staged, RUN)

    lake.snapshot(VISITS).create_if_missing()
    monkeypatch.setattr(fsync, "fsync_path", fails)
    with pytest.raises(OSError, match="no answer"):
        work()
    assert rows(lake, VISITS).equals(ONE)


def test_what_a_killed_writer_leaves_goes_when_it_is_a_day_old(lake: Lake) -> None:
    def work() -> None:
        with lake.snapshot(BY_MONTH).stage() as staged:
            staged.add(ONE)
            raise KeyboardInterrupt

    lake.snapshot(BY_MONTH).append(TWO, OTHER)
    with pytest.raises(KeyboardInterrupt):
        work()
    [folder] = folders(lake, BY_MONTH)
    left = [path for path in folder.rglob("*") if path.is_file()]
    assert len(left) > 2
    assert lake.snapshot(BY_MONTH).vacuum(timedelta(0)) == []
    then = time.time() - 1.1 * 86_400
    for path in left:
        os.utime(path, (then, then))
    assert len(lake.snapshot(BY_MONTH).vacuum(timedelta(0))) == len(left)
    assert folders(lake, BY_MONTH) == []
    assert rows(lake, BY_MONTH).equals(TWO)


def test_a_frame_that_does_not_fit_is_refused(lake: Lake) -> None:
    with lake.snapshot(VISITS).stage() as staged:
        with pytest.raises(SchemaMismatchError):
            staged.add(ONE.rename({"visits": "visit"}))
        assert staged.height == 0


@TABLES
def test_the_files_are_forced_before_they_count(
    lake: Lake, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.snapshot(table).create_if_missing()
    forced: list[Path] = []
    monkeypatch.setattr(fsync, "fsync_path", forced.append)
    with lake.snapshot(table).stage() as staged:
        for frame in (ONE, TWO):
            staged.add(frame)
        version = lake.snapshot(table).append_staged(staged, RUN)
    top = Path(lake.uri(table))
    entry = entry_of(top, version)
    added = fsync.added(entry)
    assert len(added) == (2 if table is VISITS else 3)
    for path in added:
        file = top / path
        assert file in forced[: forced.index(entry)]
        assert {file.parent, file.parent.parent, top} <= set(forced[forced.index(entry) :])


@pytest.mark.parametrize("keep_lines", range(7))
def test_a_torn_commit_is_found_and_taken_back(lake: Lake, keep_lines: int) -> None:
    lake.snapshot(BY_MONTH).append(TWO, OTHER)
    with lake.snapshot(BY_MONTH).stage() as staged:
        for frame in (ONE, TWO):
            staged.add(frame)
        version = lake.snapshot(BY_MONTH).append_staged(staged, RUN)
    refuse_torn(lake, [BY_MONTH])
    entry = entry_of(Path(lake.uri(BY_MONTH)), version)
    lines = entry.read_text().splitlines(keepends=True)
    assert len(lines) == 7  # commitInfo, three files, three transactions
    entry.write_text("".join(lines[:keep_lines]))
    with pytest.raises(DamagedTableError, match="bridge-cart doctor"):
        refuse_torn(lake, [BY_MONTH])
    assert all(finding.mended for finding in heal(lake, [BY_MONTH]))
    assert rows(lake, BY_MONTH).equals(TWO)


def test_a_lake_elsewhere_gets_staged_rows_too(tmp_path: Path) -> None:
    """What is not a folder by its name is treated as an object store."""
    lake = Lake(f"file://{tmp_path}/lake")
    for _ in range(2):
        with lake.snapshot(BY_MONTH).stage() as staged:
            for frame in (ONE, TWO):
                staged.add(frame)
            lake.snapshot(BY_MONTH).append_staged(staged, RUN)
    assert lake.snapshot(BY_MONTH).rows == 6
    assert not set(Path(tmp_path, "lake").rglob("staged-*/_delta_log/*"))
    assert lake.snapshot(BY_MONTH).read().height == 6


def test_rows_of_very_many_partitions_are_one_commit_of_few_files_at_a_time(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All files of a write are open until its end, and memory with them."""
    months = [f"{2000 + n // 12}-{n % 12 + 1:02}" for n in range(230)]
    written: list[int] = []
    add = StagedFiles.add

    def counted(self: StagedFiles, frame: pl.DataFrame) -> None:
        written.append(frame["month"].n_unique())
        add(self, frame)

    monkeypatch.setattr(StagedFiles, "add", counted)
    many = visits(*((f"v{n:03}", month, n) for n, month in enumerate(months)))
    version = lake.snapshot(BY_MONTH).append(many, RUN)
    assert written == [100, 100, 30]
    assert (rows(lake, BY_MONTH).equals(many), version) == (True, 1)


@pytest.mark.parametrize(("count", "codec"), [(10, "SNAPPY"), (6_000, "ZSTD")])
def test_only_files_with_many_rows_are_worth_zstd(lake: Lake, count: int, codec: str) -> None:
    lake.snapshot(VISITS).append(visits(*((f"v{n}", "2024-01", n) for n in range(count))), RUN)
    [file] = lake.snapshot(VISITS).file_uris
    query = "SELECT DISTINCT compression FROM parquet_metadata(?)"
    assert duckdb.connect().execute(query, [file]).fetchall() == [(codec,)]
