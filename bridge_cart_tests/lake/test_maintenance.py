"""Compaction changes files and no row; vacuum removes unused files; both run beside writers."""

import json
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable

from bridge_cart_assets.lake import commits, compaction, fsync
from bridge_cart_assets.lake.catalogue import build_catalogue
from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.commits import Commit, CommitConflictError
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import heal, refuse_torn
from bridge_cart_assets.lake.fsync import actions, entry_of
from bridge_cart_assets.lake.maintenance import maintain, versions_served
from bridge_cart_assets.lake.snapshot import DamagedTableError, Snapshot
from bridge_cart_assets.lake.staging import StagedFiles
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.lake.rows import BY_MONTH, VISITS, visits

RUN = Commit("run-1", date(2024, 1, 5), {"file:1": 1})
UPKEEP = Commit("upkeep")
NOW = timedelta(0)
RUN_AT = datetime(2024, 1, 5, tzinfo=UTC)
TABLES = pytest.mark.parametrize("table", [VISITS, BY_MONTH], ids=["plain", "partitioned"])
NEW = visits(("new", "2024-01", 1))
WRITES: dict[str, Callable[[Snapshot], int | None]] = {
    "append": lambda s: s.append(NEW, RUN),
    "replace": lambda s: s.replace(NEW, RUN),
    "replace by the same": lambda s: s.replace(s.read(), Commit("r", date(2024, 1, 9))),
    "apply": lambda s: s.apply(
        Change(VISITS.empty(), visits(("v1", "2024-02", 7)), VISITS.empty()), RUN
    ),
    "compact": lambda s: s.compact(UPKEEP),
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "the lake"))


def fill(lake: Lake, table: Table, files: int = 4) -> pl.DataFrame:
    """As many files of one row each, in two months."""
    for n in range(files):
        lake.snapshot(table).append(visits((f"v{n}", f"2024-0{n % 2 + 1}", n)), RUN)
    return rows(lake, table)


def rows(lake: Lake, table: Table) -> pl.DataFrame:
    return lake.snapshot(table).read().sort("visitor")


def folder(lake: Lake, table: Table) -> Path:
    return Path(lake.uri(table))


def stored(lake: Lake, table: Table) -> set[str]:
    """Files of the table on the disk, but for its log."""
    top = folder(lake, table)
    paths = (path.relative_to(top) for path in top.rglob("*") if path.is_file())
    return {str(path) for path in paths if path.parts[0] != fsync.LOG}


def let_pass(path: Path, days: float) -> None:
    then = time.time() - days * 86_400
    os.utime(path, (then, then))


@TABLES
def test_small_files_become_one_for_each_partition_and_no_row_changes(
    lake: Lake, table: Table
) -> None:
    before = fill(lake, table, files=6)
    version = lake.snapshot(table).version or 0

    assert lake.snapshot(table).compact(UPKEEP) == version + 1

    after = lake.snapshot(table)
    months = 2 if table.partition_by else 1
    assert (after.version, after.files.height, after.rows) == (version + 1, months, 6)
    assert rows(lake, table).equals(before)
    assert set(after.scan().collect_schema().items()) == set(table.dtypes.items())


@TABLES
def test_a_second_compaction_finds_nothing_to_do_and_makes_no_commit(
    lake: Lake, table: Table
) -> None:
    assert lake.snapshot(table).compact(UPKEEP) is None
    fill(lake, table)
    version = lake.snapshot(table).compact(UPKEEP)
    assert lake.snapshot(table).compact(UPKEEP) is None
    assert lake.snapshot(table).version == version


def test_the_same_snapshot_goes_on_after_its_compaction(lake: Lake) -> None:
    fill(lake, VISITS)
    snapshot = lake.snapshot(VISITS)
    snapshot.compact(UPKEEP)
    assert snapshot.files.height == 1
    snapshot.append(NEW, RUN)
    assert lake.snapshot(VISITS).rows == 5


def test_large_files_are_left_alone_and_piles_stay_below_the_target(lake: Lake) -> None:
    fill(lake, VISITS, files=6)
    (size,) = set(lake.snapshot(VISITS).files["size_bytes"])
    assert lake.snapshot(VISITS).compact(UPKEEP, target=2 * size) is None
    lake.snapshot(VISITS).compact(UPKEEP, target=3 * size)
    assert lake.snapshot(VISITS).files.sort("num_records")["num_records"].to_list() == [3, 3]


@TABLES
def test_what_is_remembered_stays_and_the_run_is_written_down(lake: Lake, table: Table) -> None:
    fill(lake, table)
    version = lake.snapshot(table).compact(UPKEEP) or 0
    after = lake.snapshot(table)
    assert (after.as_of, after.transaction("file:1")) == (date(2024, 1, 5), 1)
    (commit_info,) = actions(entry_of(folder(lake, table), version), "commitInfo")
    assert commit_info["bridge_cart.run_id"] == "upkeep"
    transactions = [
        action["appId"] for action in actions(entry_of(folder(lake, table), version), "txn")
    ]
    assert transactions == ["bridge-cart/writer"]
    assert commit_info[commits.TRANSACTIONS] == "1"


def test_records_by_day_are_counted_by_the_log_as_before(lake: Lake) -> None:
    fill(lake, BY_MONTH, files=5)
    lake.snapshot(BY_MONTH).compact(UPKEEP)
    counted = lake.snapshot(BY_MONTH).files.select("partition.month", "num_records")
    assert set(counted.rows()) == {("2024-01", 3), ("2024-02", 2)}


@TABLES
@pytest.mark.parametrize("write", WRITES)
def test_what_was_planned_before_a_compaction_is_refused(
    lake: Lake, table: Table, write: str
) -> None:
    before = fill(lake, table)
    stale = lake.snapshot(table)
    version = lake.snapshot(table).compact(UPKEEP)
    with pytest.raises(CommitConflictError, match=table.path):
        WRITES[write](stale)
    assert lake.snapshot(table).version == version
    assert rows(lake, table).equals(before)


@TABLES
@pytest.mark.parametrize("write", WRITES)
def test_a_compaction_that_another_write_was_faster_than_is_refused_and_leaves_nothing(
    lake: Lake, table: Table, write: str
) -> None:
    fill(lake, table)
    stale = lake.snapshot(table)
    WRITES[write](lake.snapshot(table))
    version, there, files = lake.snapshot(table).version, rows(lake, table), stored(lake, table)
    with pytest.raises(CommitConflictError, match=table.path):
        stale.compact(UPKEEP)
    assert lake.snapshot(table).version == version
    assert rows(lake, table).equals(there)
    assert stored(lake, table) == files


@pytest.mark.parametrize("first", ["write", "compaction"])
def test_the_second_writer_plans_again(lake: Lake, first: str) -> None:
    fill(lake, VISITS)
    plans = {
        "write": lambda s: s.append(visits(("sum", "2024-03", s.rows)), RUN),
        "compaction": lambda s: s.compact(UPKEEP),
    }
    second = next(name for name in plans if name != first)
    meanwhile = [lambda: plans[first](lake.snapshot(VISITS))]

    def planned() -> None:
        snapshot = lake.snapshot(VISITS)
        if meanwhile:
            meanwhile.pop()()
        plans[second](snapshot)

    commits.retry_on_conflict(planned)
    assert rows(lake, VISITS)["visits"].to_list() == [4, 0, 1, 2, 3]
    assert lake.snapshot(VISITS).files.height == (1 if first == "write" else 2)


@TABLES
def test_readers_of_change_data_see_nothing_of_it(tmp_path: Path, table: Table) -> None:
    lake = Lake(str(tmp_path / "lake"))
    fill(lake, table)
    compacted = lake.snapshot(table).compact(UPKEEP) or 0
    added = lake.snapshot(table).append(NEW, RUN)
    changes = pl.DataFrame(DeltaTable(lake.uri(table)).load_cdf(starting_version=compacted))
    assert changes.select("visitor", "_change_type", "_commit_version").rows() == [
        ("new", "insert", added)
    ]


@TABLES
def test_there_are_no_statistics_of_what_tells_a_person(lake: Lake, table: Table) -> None:
    fill(lake, table)
    version = lake.snapshot(table).compact(UPKEEP) or 0
    entry = entry_of(folder(lake, table), version)
    assert "Name of" not in entry.read_text()
    for one in actions(entry, "add"):
        assert "name" not in json.loads(one["stats"])["nullCount"]
        assert {"visitor", "visits", "spent"} <= json.loads(one["stats"])["minValues"].keys()


def test_a_compaction_is_forced_before_it_counts(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(lake, BY_MONTH)
    forced: list[Path] = []
    monkeypatch.setattr(fsync, "fsync_path", forced.append)
    version = lake.snapshot(BY_MONTH).compact(UPKEEP) or 0
    top = folder(lake, BY_MONTH)
    entry = entry_of(top, version)
    for path in fsync.added(entry):
        assert top / path in forced[: forced.index(entry)]
        assert (top / path).parent in forced[forced.index(entry) :]
        assert (top / path).parent.parent in forced[forced.index(entry) :]


@pytest.mark.parametrize("keep_lines", range(7))
def test_a_torn_compaction_is_found_and_taken_back(lake: Lake, keep_lines: int) -> None:
    before = fill(lake, BY_MONTH)
    version = lake.snapshot(BY_MONTH).compact(UPKEEP) or 0
    refuse_torn(lake, [BY_MONTH])
    entry = entry_of(folder(lake, BY_MONTH), version)
    lines = entry.read_text().splitlines(keepends=True)
    assert len(lines) == 8  # commitInfo, two larger, four small, one transaction
    entry.write_text("".join(lines[:keep_lines]))
    with pytest.raises(DamagedTableError, match="bridge-cart doctor"):
        refuse_torn(lake, [BY_MONTH])
    assert all(finding.mended for finding in heal(lake, [BY_MONTH]))
    assert rows(lake, BY_MONTH).equals(before)


@TABLES
def test_superfluous_files_go_and_needed_ones_stay(lake: Lake, table: Table) -> None:
    before = fill(lake, table)
    lake.snapshot(table).compact(UPKEEP)
    version = lake.snapshot(table).append(visits(("w", "2024-01", 1)), RUN)
    lake.snapshot(table).append(visits(("x", "2024-01", 1)), RUN)
    small = 4
    everything = stored(lake, table)

    assert lake.snapshot(table).vacuum() == []
    assert DeltaTable(folder(lake, table), version=version - 2).count() == before.height
    gone = lake.snapshot(table).vacuum(NOW)

    assert len(gone) == small
    assert stored(lake, table) == everything - set(gone)
    assert lake.snapshot(table).version == version + 1
    assert rows(lake, table).height == before.height + 2
    refuse_torn(lake, [table])


def test_what_a_compaction_made_goes_with_its_folder(lake: Lake) -> None:
    fill(lake, BY_MONTH)
    lake.snapshot(BY_MONTH).compact(UPKEEP)
    for n in range(3):
        lake.snapshot(BY_MONTH).replace(visits(("v", "2024-01", n)), RUN)
    lake.snapshot(BY_MONTH).vacuum(NOW)
    assert not list(folder(lake, BY_MONTH).glob("compacted-*"))
    assert (folder(lake, BY_MONTH) / "month=2024-02").is_dir()


def test_a_file_that_is_not_committed_yet_stays_for_a_day(lake: Lake) -> None:
    fill(lake, BY_MONTH)
    written = folder(lake, BY_MONTH) / "month=2024-01" / "part-00000-on-its-way.parquet"
    written.write_bytes(b"PAR1PAR1")
    lake.snapshot(BY_MONTH).vacuum(NOW)
    assert written.exists()
    let_pass(written, days=1.1)
    lake.snapshot(BY_MONTH).vacuum()
    assert written.exists()
    lake.snapshot(BY_MONTH).vacuum(NOW)
    assert not written.exists()


def test_what_a_killed_compaction_left_goes_after_a_while(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fill(lake, BY_MONTH)
    there = stored(lake, BY_MONTH)

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for owner, point in ((StagedFiles, "additions"), (compaction, "removals")):
        monkeypatch.setattr(owner, point, die)
        with pytest.raises(KeyboardInterrupt):
            lake.snapshot(BY_MONTH).compact(UPKEEP)
        monkeypatch.undo()
    left = stored(lake, BY_MONTH) - there
    assert len(left) >= 4
    for path in left:
        let_pass(folder(lake, BY_MONTH) / path, days=8)
    assert set(lake.snapshot(BY_MONTH).vacuum()) == left
    assert rows(lake, BY_MONTH).equals(before)


def test_the_change_data_of_an_old_last_commit_stay_or_it_would_look_torn(lake: Lake) -> None:
    fill(lake, BY_MONTH)
    for count in (7, 8, 9):
        changed = visits(("v1", "2024-02", count))
        lake.snapshot(BY_MONTH).apply(Change(VISITS.empty(), changed, VISITS.empty()), RUN)
    change_data = sorted((folder(lake, BY_MONTH) / "_change_data").rglob("*.parquet"))
    for path in folder(lake, BY_MONTH).rglob("*.parquet"):
        let_pass(path, days=30)
    lake.snapshot(BY_MONTH).vacuum()
    left = sorted((folder(lake, BY_MONTH) / "_change_data").rglob("*.parquet"))
    assert (len(change_data), len(left)) == (3, 2)
    refuse_torn(lake, [BY_MONTH])


def test_nothing_is_kept_for_longer_than_delta_remembers(lake: Lake) -> None:
    fill(lake, VISITS)
    with pytest.raises(ValueError, match="name 7 days at most"):
        lake.snapshot(VISITS).vacuum(timedelta(days=8))


def test_the_files_of_a_version_that_is_served_stay(lake: Lake, tmp_path: Path) -> None:
    before = fill(lake, BY_MONTH)
    path = tmp_path / "catalogue.duckdb"
    build_catalogue(path, lake, [], [BY_MONTH], [], "run", RUN_AT)
    served = versions_served(path)
    assert served == {"silver/visits": lake.snapshot(BY_MONTH).version}
    lake.snapshot(BY_MONTH).compact(UPKEEP)
    lake.snapshot(BY_MONTH).append(NEW, RUN)
    lake.snapshot(BY_MONTH).append(NEW, RUN)

    assert lake.snapshot(BY_MONTH).vacuum(NOW, spare=served["silver/visits"]) == []
    with duckdb.connect(str(path), read_only=True) as reader:
        reader.execute("SET VARIABLE bridge_cart_unmasked = true")
        assert reader.sql("FROM silver.visits").fetchall()[0] in before.rows()
    assert len(lake.snapshot(BY_MONTH).vacuum(NOW, spare=1_000)) == before.height


def test_an_old_log_is_cleared_and_what_follows_can_be_read(lake: Lake) -> None:
    """Delta does it with each checkpoint; nothing of ours is lost by it."""
    fill(lake, VISITS, files=50)
    log = folder(lake, VISITS) / fsync.LOG
    for entry in log.glob("0*"):
        if int(entry.name[:20]) <= 30:
            let_pass(entry, days=31)
    for n in range(10):
        lake.snapshot(VISITS).append(visits((f"w{n}", "2024-01", n)), Commit("run-2"))
    there = {int(entry.stem) for entry in log.glob("0*.json")}
    assert 0 not in there
    for version in range(30, 61):
        assert DeltaTable(folder(lake, VISITS), version=version).version() == version
    after = lake.snapshot(VISITS)
    assert (after.rows, after.as_of, after.transaction("file:1")) == (60, date(2024, 1, 5), 1)
    assert heal(lake, [VISITS]) == []


def test_a_lake_elsewhere_is_maintained_too(tmp_path: Path) -> None:
    """What is not a folder by its name is treated as an object store."""
    lake = Lake(f"file://{tmp_path}/lake")
    for table in (VISITS, BY_MONTH):
        before = fill(lake, table)
        done = maintain(lake, [table], "upkeep", NOW)
        # The last commit had one of the four: its file stays for the doctor.
        assert (done[0].files_after, done[0].removed) == (2 if table.partition_by else 1, 3)
        assert rows(lake, table).equals(before)


def test_all_tables_are_maintained_and_each_has_a_report(lake: Lake) -> None:
    fill(lake, VISITS, files=6)
    lake.snapshot(BY_MONTH).create_if_missing()
    absent = Table(path="gold/absent", schema=VISITS.schema, description="Not there.")

    visited, by_month = maintain(lake, [VISITS, absent, BY_MONTH], "upkeep", NOW)

    assert (visited.table, visited.files_before, visited.files_after) == ("gold/visits", 6, 1)
    # The last commit before the compaction had one of the six: it stays for the doctor.
    assert (visited.removed, visited.postponed) == (5, False)
    assert visited.bytes_before > visited.bytes_after > 0
    assert (by_month.files_before, by_month.files_after, by_month.removed) == (0, 0, 0)
    assert lake.snapshot(absent).version is None


def test_a_table_that_others_keep_writing_to_waits_and_the_others_do_not(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(lake, VISITS)
    fill(lake, BY_MONTH)
    monkeypatch.setattr(commits, "RETRY_SECONDS", 0)
    stage = Snapshot.stage

    def disturbed(snapshot: Snapshot, prefix: str) -> AbstractContextManager[StagedFiles]:
        if snapshot.table is VISITS:
            lake.snapshot(VISITS).append(NEW, RUN)
        return stage(snapshot, prefix)

    monkeypatch.setattr(Snapshot, "stage", disturbed)
    visited, by_month = maintain(lake, [VISITS, BY_MONTH], "upkeep")
    assert (visited.postponed, visited.files_after) == (True, 12)
    assert (by_month.postponed, by_month.files_after) == (False, 2)


def test_a_torn_lake_is_not_touched(lake: Lake) -> None:
    fill(lake, VISITS)
    fill(lake, BY_MONTH)
    entry = entry_of(folder(lake, BY_MONTH), lake.snapshot(BY_MONTH).version or 0)
    entry.write_text(entry.read_text()[:-20])
    there = stored(lake, VISITS)
    with pytest.raises(DamagedTableError):
        maintain(lake, [VISITS, BY_MONTH], "upkeep", NOW)
    assert stored(lake, VISITS) == there
