"""Restore, then run: it never happened."""

import json
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest
from _pytest.mark import ParameterSet

from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.commits import WRITER, Commit
from bridge_cart_assets.lake.maintenance import maintain
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline import restoring
from bridge_cart_assets.pipeline.lake_states import RestoreRefusedError, table_logs
from bridge_cart_assets.pipeline.open_operations import RESTORE
from bridge_cart_assets.pipeline.open_restore import open_restore
from bridge_cart_assets.pipeline.pending import pending_days
from bridge_cart_assets.pipeline.plan import plan
from bridge_cart_assets.pipeline.retraction import take_out_records
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_assets.pipeline.taken_objects import find_object
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.ops import ERASED, FILES
from bridge_cart_assets.tables.silver import ACCOUNTING, CUSTOMERS, PURCHASES, SETTINGS
from bridge_cart_assets.tables.silver import TABLES as SILVER
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.lakehouse.tables import contents, differences, stale_tables
from bridge_cart_tests.restore.shop import SmallShop, now

RAW = next(source.raw for source in SOURCES if source.name == "purchases")


def slow(*values: object) -> "ParameterSet":
    return pytest.param(*values, marks=pytest.mark.slow)


class KilledError(BaseException):
    """As if the process had been killed."""


@dataclass
class Story:
    """A shop that took three deliveries.

    Attributes:
        shop: as it is in the end; tests take a copy.
        moments: after each delivery.
        rows: of all tables then.
        recorded: the transactions of all tables then.
    """

    shop: SmallShop
    moments: list[datetime] = field(default_factory=list)
    rows: list[dict[str, pl.DataFrame]] = field(default_factory=list)
    recorded: list[dict[str, dict[str, int]]] = field(default_factory=list)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    shop = SmallShop(tmp_path_factory.mktemp("story") / "data")
    told = Story(shop)
    for number in range(3):
        shop.land(number)
        shop.run()
        told.moments.append(now())
        told.rows.append(contents(shop.lake, STORED_TABLES))
        told.recorded.append(transactions(shop))
    return told


@pytest.fixture
def shop(story: Story, tmp_path: Path) -> SmallShop:
    return story.shop.copy(tmp_path / "data")


@pytest.fixture
def moments(story: Story) -> list[datetime]:
    return story.moments


def transactions(shop: SmallShop) -> dict[str, dict[str, int]]:
    """What each table has recorded, but for numbers of versions, which go on."""
    logs = table_logs(shop.lake)
    return {
        path: {
            name: version
            for name, version in log.at(log.latest).transactions.items()
            if name != WRITER and not name.startswith(("bridge-cart/seen", "bridge-cart/followed"))
        }
        for path, log in logs.items()
    }


def versions(shop: SmallShop) -> dict[str, int | None]:
    return {table.path: shop.lake.snapshot(table).version for table in STORED_TABLES}


def test_all_tables_become_what_they_were_with_their_transactions(
    shop: SmallShop, story: Story
) -> None:
    latest = versions(shop)
    for moment, rows, recorded in zip(story.moments, story.rows, story.recorded, strict=True):
        shop.restore(moment)
        assert differences(rows, contents(shop.lake, STORED_TABLES)) == []
        assert transactions(shop) == recorded
        assert shop.restore(moment) == 0, "it is what it was then"
        # No number of a version comes again, whatever remembers a table by it.
        again = versions(shop)
        assert all((again[path] or 0) >= (number or 0) for path, number in latest.items())
        latest = again


@pytest.mark.slow
def test_restore_then_run_gives_the_tables_from_before_the_restore(
    shop: SmallShop, moments: list[datetime]
) -> None:
    before, taken = shop.contents(), shop.taken()
    for moment in (moments[1], moments[0]):
        shop.restore(moment)
        assert shop.taken() != taken
        assert shop.lake.snapshot(FILES).rows == (4 if moment == moments[1] else 2)
        shop.run()
        assert differences(before, shop.contents()) == []
        assert shop.taken() == taken
        assert stale_tables(shop.lake) == []


@pytest.mark.slow
def test_restored_and_given_other_files_it_is_a_lake_that_never_saw_the_others(
    shop: SmallShop, moments: list[datetime], tmp_path: Path
) -> None:
    shop.restore(moments[0])
    for name in ("purchases/2024-01-03.csv", "customers/2024-01-03.csv"):
        (shop.data / "landing" / name).unlink()
    shop.put(
        "purchases/2024-01-04.csv",
        "order_id,customer_id,purchase_date,purchase_amount\n"
        "O1,C1,2024-01-04,12\nO9,C9,2024-01-04,1\n",
    )
    shop.run()
    other = shop.like_new(tmp_path / "other")
    assert differences(other.contents(), shop.contents()) == []
    assert shop.taken() == other.taken()
    assert stale_tables(shop.lake) == []


def test_what_was_undone_can_be_restored(shop: SmallShop, moments: list[datetime]) -> None:
    before = contents(shop.lake, STORED_TABLES)
    undone = now()
    shop.restore(moments[0])
    shop.restore(undone)
    assert differences(before, contents(shop.lake, STORED_TABLES)) == []
    assert shop.lake.snapshot(FILES).rows == 5


def test_a_moment_between_two_commits_of_a_retraction_is_refused(shop: SmallShop) -> None:
    """What heals that after a kill is `retracting.json`, which no restore brings back."""
    [source] = [source for source in SOURCES if source.raw is RAW]
    taken = find_object(shop.lake, shop.settings, "purchases/2024-01-03.csv")
    before = now()
    take_out_records(shop.lake, source, taken)
    within, latest = now(), versions(shop)
    with pytest.raises(RestoreRefusedError, match="a file was being taken back"):
        shop.restore(within)
    assert versions(shop) == latest
    assert shop.restore(before) > 0


def test_gold_follows_a_restore_from_the_change_feed(
    shop: SmallShop, moments: list[datetime]
) -> None:
    """What has seen a version between, as a run that died leaves it, sees the difference."""
    silver = shop.lake.snapshot(PURCHASES)
    feed_begins = silver.version or 0
    before = silver.read()
    shop.restore(moments[1])
    now_there = shop.lake.snapshot(PURCHASES)
    feed = now_there.change_feed(feed_begins)
    columns = list(PURCHASES.dtypes)
    came = feed.filter(pl.col("_change_type") == "insert").select(columns)
    gone = feed.filter(pl.col("_change_type") == "delete").select(columns)
    key = list(PURCHASES.key)
    expected = now_there.read().join(before, on=columns, how="anti", nulls_equal=True)
    assert (
        came.join(gone, on=columns, how="anti", nulls_equal=True)
        .sort(key)
        .equals(expected.sort(key))
    )


@pytest.mark.slow
def test_any_moment_within_a_run_is_healed_by_the_next_one(
    shop: SmallShop, moments: list[datetime]
) -> None:
    commits = [c.committed_at for log in table_logs(shop.lake).values() for c in log.commits]
    within = sorted({at for at in commits if moments[0] < at <= moments[1]})
    before, taken = shop.contents(), shop.taken()
    for moment in within[:: max(1, len(within) // 8)]:
        shop.restore(moment)
        shop.run()
        assert differences(before, shop.contents()) == [], moment
        assert shop.taken() == taken
        assert stale_tables(shop.lake) == [], moment


def path_of_table(table: Table) -> str:
    return table.path


def cut_off_after(times: int):  # type: ignore[no-untyped-def]
    """A commit of a restore that dies after so many."""
    done = 0

    def write(self: Snapshot, *arguments: object) -> int:
        nonlocal done
        if done == times:
            raise KilledError
        done += 1
        return exchange(self, *arguments)  # type: ignore[arg-type]

    exchange = Snapshot.exchange_files
    return patch.object(Snapshot, "exchange_files", write)


@pytest.mark.parametrize("times", [slow(0), slow(1), 9, slow(25)])
def test_cut_off_it_is_completed_by_doing_it_again(
    shop: SmallShop, moments: list[datetime], tmp_path: Path, times: int
) -> None:
    whole = shop.copy(tmp_path / "whole")
    whole.restore(moments[0])
    with cut_off_after(times), pytest.raises(KilledError):
        shop.restore(moments[0])
    begun = open_restore(shop.settings)
    assert begun is not None
    assert begun.moment == moments[0]
    restoring.restore_tables(shop.lake, begun)
    assert (
        differences(contents(whole.lake, STORED_TABLES), contents(shop.lake, STORED_TABLES)) == []
    )
    assert transactions(shop) == transactions(whole)
    assert versions(shop) == versions(whole)


@pytest.mark.parametrize("times", [slow(1), slow(2), slow(5), slow(12), slow(25), slow(26)])
def test_cut_off_and_forgotten_a_run_heals_it(
    shop: SmallShop, moments: list[datetime], times: int
) -> None:
    """Somebody has removed the file that says what is to be done."""
    # A copied file has another entry in its folder: the ledger gets to know it.
    shop.fold()
    before, taken = shop.contents(), shop.taken()
    with cut_off_after(times), pytest.raises(KilledError):
        shop.restore(moments[0])
    RESTORE.close(shop.settings)
    shop.run()
    assert differences(before, shop.contents()) == []
    assert shop.taken() == taken
    assert not any(pending_days(shop.lake, SOURCES).values())
    assert stale_tables(shop.lake) == []


def test_the_settings_that_the_lake_remembers_go_back_too(tmp_path: Path) -> None:
    shop = SmallShop(tmp_path)
    shop.land(0)
    shop.fold()
    remembered = shop.lake.snapshot(SETTINGS).read()
    moment = now()
    other = remembered.with_columns(value=pl.lit("other"))
    shop.lake.snapshot(SETTINGS).replace(other, Commit("rebuild"))
    shop.restore(moment)
    assert shop.lake.snapshot(SETTINGS).read().equals(remembered)


def test_maintenance_leaves_the_files_that_came_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log has them as removed, and then as added again."""
    shop = SmallShop(tmp_path)
    shop.land(0)
    shop.fold()
    moment, rows = now(), contents(shop.lake, STORED_TABLES)
    shop.land(1)
    shop.fold()
    silver = contents(shop.lake, SILVER)
    shop.restore(moment)
    monkeypatch.setattr("bridge_cart_assets.lake.vacuum.LONGEST_WRITE", timedelta(0))
    done = maintain(shop.lake, STORED_TABLES, "upkeep", timedelta(0))
    assert sum(one.removed for one in done)
    assert differences(rows, contents(shop.lake, STORED_TABLES)) == []
    shop.fold()
    assert differences(silver, contents(shop.lake, SILVER)) == []


@pytest.mark.slow
def test_a_moment_before_files_were_put_together_can_be_had(
    shop: SmallShop, moments: list[datetime]
) -> None:
    before = contents(shop.lake, STORED_TABLES)
    maintain(shop.lake, STORED_TABLES, "upkeep")
    shop.restore(moments[2])
    assert differences(before, contents(shop.lake, STORED_TABLES)) == []
    shop.restore(moments[0])
    shop.run()
    assert stale_tables(shop.lake) == []


def test_what_maintenance_has_removed_is_refused_before_anything_is_changed(
    shop: SmallShop, moments: list[datetime]
) -> None:
    maintain(shop.lake, STORED_TABLES, "upkeep", keep=timedelta(0))
    before = versions(shop)
    with pytest.raises(
        RestoreRefusedError, match=r"(?s)earlier files of .* removed.*the earliest"
    ) as refused:
        shop.restore(moments[0])
    assert versions(shop) == before
    assert open_restore(shop.settings) is None
    earliest = datetime.fromisoformat(str(refused.value).split("moment is ")[1].split(": see")[0])
    assert moments[0] < earliest <= now()
    # Milliseconds are written: the moment itself can be had.
    shop.restore(earliest + timedelta(milliseconds=1))


def test_no_moment_before_an_erasure_can_be_had(shop: SmallShop, moments: list[datetime]) -> None:
    began = now()
    row = {"kind": "account", "name_key": "x", "erased_at": began}
    shop.lake.snapshot(ERASED).append(pl.DataFrame([row], schema=ERASED.dtypes), Commit("erase"))
    with pytest.raises(RestoreRefusedError, match="persons were erased"):
        shop.restore(moments[2])
    shop.land(0)
    assert shop.restore(now()) == 0


def test_a_file_that_is_gone_is_named_before_anything_is_changed(
    shop: SmallShop, moments: list[datetime]
) -> None:
    logs = table_logs(shop.lake)
    target = logs[PURCHASES.path].version_at(moments[0])
    assert target is not None
    path = next(iter(logs[PURCHASES.path].at(target).files))
    data = shop.data / "lake" / PURCHASES.path / path
    data.write_bytes(data.read_bytes()[:-1])
    before = versions(shop)
    with pytest.raises(RestoreRefusedError, match=f"{PURCHASES.path} cannot go back"):
        shop.restore(moments[0])
    assert versions(shop) == before


@pytest.mark.parametrize("table", [RAW, slow(PURCHASES), slow(CUSTOMERS)], ids=path_of_table)
def test_a_table_that_was_made_again_since_is_named(
    shop: SmallShop, moments: list[datetime], table: Table
) -> None:
    path = shop.data / "lake" / table.path
    shutil.rmtree(path)
    if table is not RAW:
        accounting = shop.lake.snapshot(ACCOUNTING)
        accounting.replace(ACCOUNTING.empty(), Commit("test"))
    shop.run()
    with pytest.raises(RestoreRefusedError, match="was removed and made again"):
        shop.restore(moments[0])


@pytest.mark.slow
def test_the_ledger_may_have_been_made_again(shop: SmallShop, moments: list[datetime]) -> None:
    """It is a hint: raw knows which files it has."""
    shutil.rmtree(shop.data / "lake" / FILES.path)
    shop.run()
    before, taken = shop.contents(), shop.taken()
    shop.restore(moments[0])
    shop.run()
    assert differences(before, shop.contents()) == []
    assert shop.taken() == taken


def test_a_writer_that_is_faster_is_not_overwritten(
    shop: SmallShop, moments: list[datetime]
) -> None:
    """The plan of a table holds for one version of it; another one is planned again."""
    targets = restoring.targets_of(shop.lake, moments[0])
    changes = restoring.changes_to

    def late(*arguments: object) -> object:
        found = changes(*arguments)  # type: ignore[arg-type]
        if not done:
            done.append(True)
            row = shop.lake.snapshot(SETTINGS).read().head(1).with_columns(variable=pl.lit("X"))
            change = Change(row, SETTINGS.empty(), SETTINGS.empty().select(SETTINGS.key))
            shop.lake.snapshot(SETTINGS).apply(change, Commit("other"))
        return found

    done: list[bool] = []
    expected = json.dumps(targets)
    with patch.object(restoring, "changes_to", late):
        shop.restore(moments[0])
    assert json.dumps(targets) == expected
    assert "X" not in shop.lake.snapshot(SETTINGS).read()["variable"]


def test_versions_of_another_day_can_be_read_from_a_checkpoint(shop: SmallShop) -> None:
    """Entries that a checkpoint stands for may be gone."""
    log = table_logs(shop.lake)[ACCOUNTING.path]
    latest = log.latest
    then = log.at(latest)
    shop.lake.snapshot(ACCOUNTING).forget_history()
    again = table_logs(shop.lake)[ACCOUNTING.path]
    assert [commit.version for commit in again.commits] == [latest]
    assert again.earliest.version == latest
    assert again.at(latest).files.keys() == then.files.keys()
    assert again.at(latest).transactions == then.transactions
    assert again.at(latest).columns == then.columns
    assert again.at(latest).rows == then.rows
    assert again.version_at(datetime.now(UTC)) == latest


@pytest.mark.slow
def test_dagster_is_asked_for_another_run_than_the_one_that_was_undone(
    shop: SmallShop, moments: list[datetime]
) -> None:
    """It starts no second run under one key."""
    keys = set()
    for _ in range(2):
        shop.restore(moments[1])
        keys.add(plan(shop.settings, shop.lake).run_key)
        shop.run()
    assert len(keys) == 2
