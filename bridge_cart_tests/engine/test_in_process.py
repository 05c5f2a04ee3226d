"""What is equal bucket by bucket in one process is equal on many machines."""

from functools import partial
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.engine.engine import Engine, Frames, InProcess, Keyed, engine_at
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline import spread_gold
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.gold import TRAINING_STATES
from bridge_cart_assets.tables.silver import PURCHASE_REPEATS, PURCHASES
from bridge_cart_tests.engine.engine_shop import LATER, Sending, fold_in, land, take_in, unequal

LINES = st.lists(st.tuples(st.sampled_from([*"abcdefgh", None]), st.integers(-9, 9)), max_size=40)


def total(lines: pl.LazyFrame) -> Frames:
    return (lines.group_by("customer").agg(pl.sum("cents")).sort("customer").collect(),)


def by_day(lines: pl.LazyFrame) -> pl.DataFrame:
    return lines.group_by(day=pl.col("cents") % 3).agg(pl.sum("cents")).collect()


@settings(deadline=None, max_examples=30)
@given(rows=LINES, buckets=st.integers(1, 7))
def test_a_per_key_function_gives_the_same_for_any_number_of_buckets(
    rows: list[tuple[str | None, int]], buckets: int
) -> None:
    lines = pl.DataFrame(rows, schema={"customer": pl.String, "cents": pl.Int64}, orient="row")
    keyed = Keyed(lines, ("customer",))
    (totals,) = InProcess(buckets).per_key(total, keyed)
    assert totals.collect().sort("customer").equals(total(lines.lazy())[0])
    sums = InProcess(buckets).sums(by_day, keyed, by=["day"]).sort("day")
    assert sums.equals(by_day(lines.lazy()).sort("day"))


def test_rows_of_two_inputs_with_one_key_come_together() -> None:
    lines = pl.DataFrame({"customer": ["a", "b", "a"], "cents": [1, 2, 3]})
    names = pl.DataFrame({"id": ["b", "a"], "name": ["Bea", "Ada"]})

    def named(lines: pl.LazyFrame, names: pl.LazyFrame) -> Frames:
        both = lines.join(names, left_on="customer", right_on="id")
        return (both.select("name", "cents").collect(),)

    inputs = Keyed(lines, ("customer",)), Keyed(names, ("id",))
    (found,) = InProcess(buckets=9).per_key(named, *inputs)
    assert sorted(found.collect().rows()) == [("Ada", 1), ("Ada", 3), ("Bea", 2)]


def test_local_is_no_engine() -> None:
    assert engine_at("local") is None


@pytest.mark.slow
def test_full_and_incremental_runs_give_the_tables_of_a_run_without_an_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []

    def noted(path: str, given: spread_gold.SpreadInputs) -> pl.DataFrame:
        built.append(path)
        return originals[path](given)

    originals = spread_gold.BUILDS
    builds = {path: partial(noted, path) for path in originals}
    monkeypatch.setattr(spread_gold, "BUILDS", builds)
    engine = Sending(buckets=5)
    land(tmp_path)
    assert unequal(take_in(tmp_path, None), take_in(tmp_path, engine, "other")) == []
    assert sorted(built) == sorted(builds)
    for days in LATER:
        land(tmp_path, days=days)
        assert unequal(take_in(tmp_path, None), take_in(tmp_path, engine, "other")) == []
    # What follows a change looks at the change. The model came after its training was looked at.
    assert built[len(builds) :] == [TRAINING_STATES.path]


class Rival(InProcess):
    """An engine during whose work another run folds the same files."""

    def __init__(self, data: Path) -> None:
        super().__init__(buckets=3)
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "has_met", False)

    def stage(self, output, finish, table, root, options):  # type: ignore[no-untyped-def]
        if not self.has_met:  # type: ignore[attr-defined]
            object.__setattr__(self, "has_met", True)
            fold_in(self.data, "other")  # type: ignore[attr-defined]
        return super().stage(output, finish, table, root, options)


@pytest.mark.slow
def test_another_writer_in_the_middle_of_an_engines_fold_doubles_nothing(tmp_path: Path) -> None:
    land(tmp_path)
    rival: Engine = Rival(tmp_path)
    assert unequal(take_in(tmp_path, None), take_in(tmp_path, rival, "other")) == []
    assert rival.has_met  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("table", [PURCHASE_REPEATS, PURCHASES], ids=lambda table: table.name)
def test_a_crash_between_the_commits_of_an_engines_fold_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: object
) -> None:
    engine = InProcess(buckets=3)
    land(tmp_path, days=60)
    append = Snapshot.append_files

    def dies(self: Snapshot, actions: list[str], commit: Commit) -> int:
        version = append(self, actions, commit)
        if self.table is table:
            raise KeyboardInterrupt
        return version

    with monkeypatch.context() as patch:
        patch.setattr(Snapshot, "append_files", dies)
        with pytest.raises(KeyboardInterrupt):
            take_in(tmp_path, engine, "other")
    lake = take_in(tmp_path, engine, "other")
    assert unequal(take_in(tmp_path, None), lake) == []


def test_the_files_of_a_days_records_can_be_read_apart(tmp_path: Path) -> None:
    land(tmp_path, days=20)
    lake = take_in(tmp_path, None)
    (source,) = (source for source in SOURCES if source.name == "purchases")
    raw = lake.snapshot(source.raw)
    days = raw.read()["_batch_day"].unique().sort().to_list()[:3]
    of_days = raw.scan().filter(pl.col("_batch_day").is_in(days)).collect()
    files = raw.row_files(days)
    assert sum(files.rows) == of_days.height
    key = ["_fingerprint", "_pos"]
    assert files.scan().collect().sort(key).equals(of_days.sort(key))
    groups = files.groups(most_rows=1)
    assert [len(group.uris) for group in groups] == [1] * len(files.uris)
    assert pl.concat([group.scan().collect() for group in groups]).height == of_days.height
