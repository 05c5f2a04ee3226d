"""Commits to Delta tables: whole or not at all, typed, and planned on the version that is there."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from bridge_cart_assets.lake.changes import Change, diff
from bridge_cart_assets.lake.commits import Commit, CommitConflictError, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.tables.raw import raw_table
from bridge_cart_assets.tables.table import SchemaMismatchError, Table
from bridge_cart_tests.lake.rows import BY_MONTH, VISITS, visits

RUN = Commit("run-1", as_of=date(2024, 1, 5))
ANNA, CY = ("anna", "2024-01", 1), ("cy", "2024-02", 2)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def log(lake: Lake, table: Table) -> list[dict[str, Any]]:
    """Every action in the table's log, commit by commit."""
    folder = Path(lake.uri(table)) / "_delta_log"
    return [
        json.loads(line)
        for file in sorted(folder.glob("*.json"))
        for line in file.read_text().splitlines()
    ]


def commits(lake: Lake, table: Table) -> list[dict[str, Any]]:
    return [action["commitInfo"] for action in log(lake, table) if "commitInfo" in action]


def held(lake: Lake, table: Table = VISITS) -> list[tuple[str, str, int]]:
    return lake.snapshot(table).read().select("visitor", "month", "visits").sort("visitor").rows()


def test_a_table_that_is_not_there_yet_is_empty(lake: Lake) -> None:
    snapshot = lake.snapshot(VISITS)
    assert (snapshot.version, snapshot.rows, snapshot.as_of) == (None, 0, None)
    assert dict(snapshot.read().schema) == VISITS.dtypes
    assert snapshot.files.is_empty()
    assert not Path(lake.uri(VISITS)).exists()


def test_rows_come_back_as_they_were_written(lake: Lake) -> None:
    rows = VISITS.conform(visits(ANNA, CY))
    lake.snapshot(VISITS).append(rows, RUN)
    assert lake.snapshot(VISITS).read().sort("visitor").equals(rows)
    assert lake.snapshot(VISITS).rows == 2


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (visits(ANNA).drop("visits"), "visits is missing"),
        (visits(ANNA).with_columns(shoes=pl.lit(1)), "shoes is unknown"),
        (
            visits(ANNA).with_columns(pl.col("visits").cast(pl.Float64)),
            "visits is Float64, declared Int64",
        ),
        (
            visits(ANNA).with_columns(pl.col("visits").cast(pl.String)),
            "visits is String, declared Int64",
        ),
        (
            visits(ANNA).with_columns(pl.col("visits").cast(pl.UInt64)),
            "visits is UInt64, declared Int64",
        ),
        (visits(ANNA).with_columns(spent=pl.lit(12.5)), "spent is Float64, declared Decimal"),
        (
            visits(ANNA).with_columns(pl.col("spent").cast(pl.Decimal(18, 3))),
            "spent is Decimal(precision=18, scale=3), declared Decimal(precision=18, scale=2)",
        ),
        (visits(ANNA, visitor=None), "visitor has 1 nulls"),
        (
            visits(ANNA, CY).with_columns(visits=pl.lit(None, pl.Int64), month=pl.lit(None)),
            "month has 2 nulls; visits has 2 nulls",
        ),
        (visits(ANNA).drop("visits").with_columns(shoes=pl.lit(1)), "shoes is unknown; visits is"),
    ],
)
@pytest.mark.parametrize("write", ["append", "replace", "apply"])
def test_a_frame_that_does_not_fit_is_refused_with_the_difference_and_nothing_is_written(
    lake: Lake, frame: pl.DataFrame, says: str, write: str
) -> None:
    def attempt(snapshot: Snapshot) -> None:
        if write == "apply":
            nothing = VISITS.empty()
            snapshot.apply(Change(inserts=frame, updates=nothing, deletes=nothing), RUN)
        else:
            getattr(snapshot, write)(frame, RUN)

    with pytest.raises(SchemaMismatchError) as refusal:
        attempt(lake.snapshot(VISITS))
    assert says in str(refusal.value)
    assert "gold/visits" in str(refusal.value)
    assert lake.snapshot(VISITS).version is None
    lake.snapshot(VISITS).append(visits(CY), RUN)
    with pytest.raises(SchemaMismatchError):
        attempt(lake.snapshot(VISITS))
    assert lake.snapshot(VISITS).version == 1
    assert held(lake) == [CY]


def test_only_casts_that_cannot_change_a_value_are_made(lake: Lake) -> None:
    frame = visits(ANNA).with_columns(
        pl.col("visits").cast(pl.Int8),
        pl.col("visitor").cast(pl.Categorical),
        pl.col("score").cast(pl.Float32),
        pl.col("spent").cast(pl.Decimal(9, 1)),
        name=pl.lit(None),
    )
    lake.snapshot(VISITS).append(frame, RUN)
    row = lake.snapshot(VISITS).read().row(0, named=True)
    assert (row["visitor"], row["visits"], row["score"], row["spent"]) == (
        "anna",
        1,
        0.5,
        Decimal("12.50"),
    )
    assert row["name"] is None


@pytest.mark.parametrize(
    "write",
    [
        lambda s, commit: s.append(visits(("otto", "2024-01", 9)), commit),
        lambda s, commit: s.replace(visits(("otto", "2024-01", 9)), commit),
        lambda s, commit: s.apply(
            Change(visits(("otto", "2024-01", 9)), visits(ANNA), VISITS.empty()), commit
        ),
    ],
    ids=["append", "replace", "apply"],
)
@pytest.mark.parametrize("there_before", [False, True])
@pytest.mark.parametrize("commit", [RUN, Commit("run-2")], ids=["with as_of", "without"])
def test_a_plan_made_on_an_old_version_is_never_written(
    lake: Lake, write: Callable[[Snapshot, Commit], int], there_before: bool, commit: Commit
) -> None:
    if there_before:
        lake.snapshot(VISITS).append(visits(ANNA), RUN)
    stale = lake.snapshot(VISITS)
    lake.snapshot(VISITS).append(visits(CY), commit)
    version, rows = lake.snapshot(VISITS).version, held(lake)
    with pytest.raises(CommitConflictError, match="gold/visits"):
        write(stale, commit)
    assert lake.snapshot(VISITS).version == version
    assert held(lake) == rows


def test_a_plan_is_made_again_when_another_run_was_faster(lake: Lake) -> None:
    lake.snapshot(VISITS).append(visits(ANNA), RUN)
    others = [lambda: lake.snapshot(VISITS).append(visits(CY), RUN)]

    def count_again() -> int:
        snapshot = lake.snapshot(VISITS)
        total = snapshot.rows
        if others:
            others.pop()()
        return snapshot.append(visits(("sum", "2024-03", total)), RUN)

    retry_on_conflict(count_again)
    assert held(lake) == [ANNA, CY, ("sum", "2024-03", 2)]


def test_a_snapshot_can_write_again_after_its_own_commit(lake: Lake) -> None:
    snapshot = lake.snapshot(VISITS)
    snapshot.append(visits(ANNA), RUN)
    snapshot.append(visits(CY), RUN)
    assert held(lake) == [ANNA, CY]
    assert snapshot.files["num_records"].sum() == 2


def test_a_snapshot_reads_the_version_that_it_looked_at(lake: Lake) -> None:
    lake.snapshot(VISITS).append(visits(ANNA), RUN)
    before = lake.snapshot(VISITS)
    lake.snapshot(VISITS).replace(visits(CY), RUN)
    assert before.read()["visitor"].to_list() == ["anna"]


def test_replacing_rows_by_the_same_rows_makes_no_commit(lake: Lake) -> None:
    lake.snapshot(VISITS).replace(visits(ANNA, CY), RUN)
    version = lake.snapshot(VISITS).version
    assert lake.snapshot(VISITS).replace(visits(CY, ANNA), Commit("run-2", RUN.as_of)) == version
    assert lake.snapshot(VISITS).version == version
    lake.snapshot(VISITS).replace(visits(ANNA), RUN)
    assert held(lake) == [ANNA]


def test_the_same_rows_seen_up_to_a_later_day_are_a_commit(lake: Lake) -> None:
    lake.snapshot(VISITS).replace(visits(ANNA), RUN)
    lake.snapshot(VISITS).replace(visits(ANNA), Commit("run-2", date(2024, 1, 6)))
    assert lake.snapshot(VISITS).as_of == date(2024, 1, 6)


def test_a_table_can_be_emptied_and_stays(lake: Lake) -> None:
    lake.snapshot(VISITS).replace(visits(ANNA), RUN)
    lake.snapshot(VISITS).replace(VISITS.empty(), RUN)
    assert (held(lake), lake.snapshot(VISITS).rows) == ([], 0)


def test_a_change_inserts_updates_and_deletes_in_one_commit(lake: Lake) -> None:
    otto = ("otto", "2024-01", 3)
    lake.snapshot(VISITS).append(visits(ANNA, CY), RUN)
    version = lake.snapshot(VISITS).version
    change = Change(
        inserts=visits(otto),
        updates=visits(("anna", "2024-01", 7)),
        deletes=visits(CY),
    )
    assert lake.snapshot(VISITS).apply(change, RUN) == (version or 0) + 1
    assert held(lake) == [("anna", "2024-01", 7), otto]


def test_very_many_new_rows_beside_changed_ones_are_one_commit_too(lake: Lake) -> None:
    """What the commit records as seen must never stand beside half of the rows."""
    lake.snapshot(VISITS).append(visits(ANNA, CY), RUN)
    before = lake.snapshot(VISITS)
    numbers = pl.int_range(300_000, eager=True)
    new = (
        visits(ANNA)
        .clear()
        .vstack(
            visits(("x", "2024-01", 1))
            .select(pl.all().repeat_by(numbers.len()).explode())
            .with_columns(pl.concat_str(pl.lit("x"), numbers).alias(VISITS.key[0]))
        )
    )
    change = Change(inserts=new, updates=visits(("anna", "2024-01", 7)), deletes=visits(CY))
    assert before.apply(change, RUN) == 2
    assert lake.snapshot(VISITS).rows == 300_001


def test_a_change_without_changes_makes_no_commit(lake: Lake) -> None:
    lake.snapshot(VISITS).append(visits(ANNA), RUN)
    nothing = Change(VISITS.empty(), VISITS.empty(), VISITS.empty())
    assert nothing.is_empty
    lake.snapshot(VISITS).apply(nothing, RUN)
    assert lake.snapshot(VISITS).version == 1


def test_a_row_that_moves_to_another_partition_is_there_once(lake: Lake) -> None:
    lake.snapshot(BY_MONTH).append(visits(ANNA, CY), RUN)
    moved = ("anna", "2024-02", 5)
    before = lake.snapshot(BY_MONTH).read()
    after = visits(moved, CY)
    change = diff(BY_MONTH, before, after)
    assert (change.inserts.height, change.updates.height, change.deletes.height) == (0, 1, 0)
    lake.snapshot(BY_MONTH).apply(change, RUN)
    assert held(lake, BY_MONTH) == [moved, CY]
    folders = {path.split("/")[-2] for path in lake.snapshot(BY_MONTH).file_uris}
    assert folders == {"month=2024-02"}


def test_the_difference_names_only_what_has_to_be_written(lake: Lake) -> None:
    before = BY_MONTH.conform(visits(ANNA, CY, ("otto", "2024-03", 1)))
    after = BY_MONTH.conform(visits(ANNA, ("cy", "2024-02", 9), ("zoë", "2024-04", 1)))
    change = diff(BY_MONTH, before, after)
    assert change.inserts["visitor"].to_list() == ["zoë"]
    assert change.updates["visitor"].to_list() == ["cy"]
    assert change.deletes["visitor"].to_list() == ["otto"]
    assert sorted(change.partitions or ()) == ["2024-01", "2024-02", "2024-03"]
    assert diff(BY_MONTH, before, before).is_empty


def test_a_row_that_differs_only_in_a_null_is_written(lake: Lake) -> None:
    before = VISITS.conform(visits(ANNA))
    after = VISITS.conform(visits(ANNA, score=None))
    assert diff(VISITS, before, after).updates.height == 1
    assert diff(VISITS, after, after).is_empty
    lake.snapshot(VISITS).append(before, RUN)
    lake.snapshot(VISITS).apply(diff(VISITS, before, after), RUN)
    assert lake.snapshot(VISITS).read()["score"].to_list() == [None]


@pytest.mark.parametrize("write", ["append", "replace", "apply"])
def test_as_of_and_the_run_stand_in_the_commit(lake: Lake, write: str) -> None:
    lake.snapshot(VISITS).append(visits(ANNA), Commit("run-0", date(2024, 1, 1)))
    if write == "apply":
        change = Change(VISITS.empty(), visits(("anna", "2024-01", 2)), VISITS.empty())
        lake.snapshot(VISITS).apply(change, RUN)
    else:
        getattr(lake.snapshot(VISITS), write)(visits(CY), RUN)
    last = commits(lake, VISITS)[-1]
    assert last["bridge_cart.run_id"] == "run-1"
    assert last["bridge_cart.as_of"] == "2024-01-05"
    assert lake.snapshot(VISITS).as_of == date(2024, 1, 5)


def test_what_was_taken_in_is_remembered_with_the_rows(lake: Lake) -> None:
    snapshot = lake.snapshot(VISITS)
    snapshot.append(visits(ANNA), Commit("run", transactions={"file:1": 1}))
    snapshot.append(VISITS.empty(), Commit("run", transactions={"topic-0": 41}))
    again = lake.snapshot(VISITS)
    assert [again.transaction(n) for n in ("file:1", "topic-0", "file:2")] == [1, 41, None]


@pytest.mark.parametrize("commits", [1, 19, 21, 45])
def test_many_transactions_are_asked_for_at_once(lake: Lake, commits: int) -> None:
    """With and without a checkpoint; what was written again has its latest version."""
    for number in range(commits):
        names = {f"file:{number}-{n}": number for n in range(3)} | {'odd "name"\\': number}
        lake.snapshot(VISITS).append(VISITS.empty(), Commit("run", transactions=names))
    snapshot = lake.snapshot(VISITS)
    asked = [f"file:{number}-{n}" for number in range(commits + 1) for n in range(4)]
    wanted = {name: snapshot.transaction(name) for name in [*asked, 'odd "name"\\']}
    found = snapshot.transactions(list(wanted))
    assert found == {name: version for name, version in wanted.items() if version is not None}
    assert len(found) == 3 * commits + 1
    assert snapshot.transactions(["file:0-0", "nothing"]) == {"file:0-0": 0}


@pytest.mark.parametrize("table", [VISITS, BY_MONTH], ids=["plain", "partitioned"])
def test_the_log_has_no_statistics_of_what_tells_a_person(lake: Lake, table: Table) -> None:
    lake.snapshot(table).append(visits(ANNA, CY), RUN)
    change = Change(VISITS.empty(), visits(("anna", "2024-01", 2)), VISITS.empty())
    lake.snapshot(table).apply(change, RUN)
    lake.snapshot(table).replace(visits(ANNA), RUN)
    actions = log(lake, table)
    stats = [json.loads(a["add"]["stats"]) for a in actions if "add" in a]
    assert stats
    for one in stats:
        assert {"visitor", "visits", "spent"} <= one["minValues"].keys()
        for kind in ("minValues", "maxValues", "nullCount"):
            assert "name" not in one[kind]
    assert "Name of" not in json.dumps(actions)


def test_the_log_of_raw_counts_rows_and_has_no_other_statistics(lake: Lake) -> None:
    """A file for each day stays there for ever, and no reader asks for its columns."""
    table = raw_table("visits", {"visitor": "Who came"})
    record = {name: "x" for name, dtype in table.dtypes.items() if dtype == pl.String}
    for day in (1, 2):
        received = {**record, "_batch_day": date(2024, 1, day), "_ingested_at": datetime.now(UTC)}
        rows = pl.DataFrame([{**received, "_pos": pos} for pos in (1, 2)], schema=table.dtypes)
        lake.snapshot(table).append(rows, RUN)
    stats = [json.loads(a["add"]["stats"]) for a in log(lake, table) if "add" in a]
    assert stats == [{"numRecords": 2, "minValues": {}, "maxValues": {}, "nullCount": {}}] * 2
    assert lake.snapshot(table).rows == 4


def test_the_files_have_no_statistics_of_what_tells_a_person(lake: Lake) -> None:
    lake.snapshot(BY_MONTH).append(visits(ANNA, CY), RUN)
    lake.snapshot(BY_MONTH).append(visits(("anton", "2024-01", 1)), RUN)
    change = Change(BY_MONTH.empty(), visits(("anna", "2024-01", 2)), BY_MONTH.empty())
    lake.snapshot(BY_MONTH).apply(change, RUN)
    assert lake.snapshot(BY_MONTH).compact(RUN) is not None
    found = duckdb.execute(
        "SELECT path_in_schema, count(stats_min), count(stats_min_value) "
        f"FROM parquet_metadata('{lake.uri(BY_MONTH)}/**/*.parquet') GROUP BY ALL"
    ).fetchall()
    measured = {column for column, *counts in found if any(counts)}
    assert {"visitor", "visits", "spent"} <= measured
    assert "name" not in measured


def test_a_checkpoint_has_no_statistics_of_what_tells_a_person(lake: Lake) -> None:
    for count in range(25):
        lake.snapshot(VISITS).replace(visits(("anna", "2024-01", count)), RUN)
    folder = Path(lake.uri(VISITS)) / "_delta_log"
    [checkpoint] = folder.glob("*.checkpoint.parquet")
    content = pl.read_parquet(checkpoint)
    assert "Name of" not in str(content["add"].struct.json_encode().to_list())
    assert held(lake) == [("anna", "2024-01", 24)]


def test_a_stored_table_with_other_columns_is_refused_with_the_difference(lake: Lake) -> None:
    other = visits(ANNA).drop("score").with_columns(visits=pl.lit("1"), shoes=pl.lit(1))
    write_deltalake(lake.uri(VISITS), other)
    with pytest.raises(SchemaMismatchError) as refusal:
        lake.snapshot(VISITS)
    says = str(refusal.value)
    assert "score is missing, declared" in says
    assert "visits is string, declared long" in says
    assert "declared nowhere" in says
    assert "bridge-cart rebuild" in says
    assert "\n" not in says


def test_a_declared_table_is_there_without_rows_and_says_what_it_is(lake: Lake) -> None:
    lake.snapshot(BY_MONTH).create_if_missing()
    lake.snapshot(BY_MONTH).create_if_missing()
    stored = DeltaTable(lake.uri(BY_MONTH))
    assert (stored.version(), held(lake, BY_MONTH)) == (0, [])
    assert stored.metadata().name == "silver/visits"
    assert stored.metadata().description == "The same by month."
    assert stored.metadata().partition_columns == ["month"]
    comments = {field.name: field.metadata["comment"] for field in stored.schema().fields}
    assert comments == {name: BY_MONTH.meaning(name) for name in BY_MONTH.dtypes}
    nullable = {field.name for field in stored.schema().fields if field.nullable}
    assert nullable == {"spent", "score", "on", "name"}


def test_money_days_and_numbers_are_stored_as_such(lake: Lake) -> None:
    lake.snapshot(VISITS).create_if_missing()
    types = {f.name: str(f.type) for f in DeltaTable(lake.uri(VISITS)).schema().fields}
    assert types == {
        "visitor": 'PrimitiveType("string")',
        "month": 'PrimitiveType("string")',
        "visits": 'PrimitiveType("long")',
        "spent": 'PrimitiveType("decimal(18,2)")',
        "score": 'PrimitiveType("double")',
        "on": 'PrimitiveType("date")',
        "name": 'PrimitiveType("string")',
    }
