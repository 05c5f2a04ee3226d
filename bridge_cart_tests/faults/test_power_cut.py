"""What has been acknowledged survives a power cut; what was not is taken back and done again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.assets.asset_specs import asset_key
from bridge_cart_assets.definitions import build_defs
from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.lake import fsync
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import heal, refuse_torn
from bridge_cart_assets.lake.snapshot import DamagedTableError
from bridge_cart_assets.pipeline.chain import refresh_gold, refresh_silver
from bridge_cart_assets.pipeline.recovery import reopen
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.gold import KPIS_DAILY
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.tables.silver import ACCOUNTING, PURCHASES
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.faults.landed_files import landed
from bridge_cart_tests.lakehouse.tables import contents, differences

RAW = next(source.raw for source in SOURCES if source.name == "purchases")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop, taken in in two deliveries; its last commits are those of the second."""
    data = tmp_path_factory.mktemp("whole")
    for days in (8, 12):
        generate(Shop(customers=60, days=days, dirt=0.2), data)
        lake = Lake(str(data / "lake"))
        refresh_silver(lake, data / "landing")
        refresh_gold(lake)
    return data


def last_entry(folder: Path) -> Path:
    return max((folder / "_delta_log").glob("[0-9]*.json"))


def cut_within_a_line(folder: Path) -> None:
    entry = last_entry(folder)
    entry.write_bytes(entry.read_bytes()[:-30])


def cut_behind_a_line(folder: Path) -> None:
    entry = last_entry(folder)
    lines = entry.read_text().splitlines()
    entry.write_text("\n".join(lines[:-1]))


def cut_behind_the_first_line(folder: Path) -> None:
    entry = last_entry(folder)
    entry.write_text(entry.read_text().splitlines()[0])


def emptied(folder: Path) -> None:
    last_entry(folder).write_bytes(b"")


def zeroed(folder: Path) -> None:
    entry = last_entry(folder)
    entry.write_bytes(b"\0" * entry.stat().st_size)


def a_file_that_it_adds(folder: Path) -> Path:
    while not (added := fsync.added(last_entry(folder))):
        last_entry(folder).unlink()  # a commit without rows adds none
    return folder / added[0]


def data_gone(folder: Path) -> None:
    a_file_that_it_adds(folder).unlink()


def data_cut(folder: Path) -> None:
    file = a_file_that_it_adds(folder)
    file.write_bytes(file.read_bytes()[:-100])


def data_zeroed(folder: Path) -> None:
    file = a_file_that_it_adds(folder)
    file.write_bytes(b"\0" * file.stat().st_size)


DAMAGES = (
    cut_within_a_line,
    cut_behind_a_line,
    cut_behind_the_first_line,
    emptied,
    zeroed,
    data_gone,
    data_cut,
    data_zeroed,
)


def path_of_table(table: Table) -> str:
    return table.path


TORN = (RAW, PURCHASES, ACCOUNTING, KPIS_DAILY, FILES)
# In make test each table once, in CI each damage too; all of them by make test-faults.
CASES = [
    pytest.param(
        damage,
        table,
        marks=pytest.mark.long
        if (at - place) % len(TORN)
        else (pytest.mark.slow if at >= len(TORN) else ()),
        id=f"{damage.__name__}-{table.path}",
    )
    for at, damage in enumerate(DAMAGES)
    for place, table in enumerate(TORN)
]


@pytest.mark.parametrize(("damage", "table"), CASES)
def test_a_torn_last_commit_is_named_taken_back_and_done_again(
    whole: Path, tmp_path: Path, damage: Callable[[Path], None], table: Table
) -> None:
    shutil.copytree(whole, tmp_path / "shop")
    lake = Lake(str(tmp_path / "shop/lake"))
    damage(Path(lake.uri(table)))

    with pytest.raises(
        DamagedTableError, match=f"(?s){table.path}: commit .* is torn.*bridge-cart doctor"
    ):
        refuse_torn(lake, STORED_TABLES)
    findings = heal(lake, STORED_TABLES)
    assert findings
    assert all(finding.mended and finding.table == table.path for finding in findings)
    list(reopen(lake, findings, landed(tmp_path / "shop/landing")))
    refuse_torn(lake, STORED_TABLES)
    assert heal(lake, STORED_TABLES) == []

    refresh_silver(lake, tmp_path / "shop/landing")
    refresh_gold(lake)
    assert differences(contents(Lake(str(whole / "lake"))), contents(lake)) == []
    assert lake.snapshot(RAW).rows == Lake(str(whole / "lake")).snapshot(RAW).rows


@pytest.mark.parametrize("table", [RAW, PURCHASES, KPIS_DAILY], ids=path_of_table)
def test_a_run_that_somebody_starts_in_the_ui_refuses_it_too(
    whole: Path, tmp_path: Path, table: Table
) -> None:
    shutil.copytree(whole / "lake", tmp_path / "lake")
    settings = Settings(data=tmp_path, lake=str(tmp_path / "lake"), identity="off")
    cut_behind_a_line(tmp_path / "lake" / table.path)

    result = (
        build_defs(settings)
        .resolve_implicit_global_asset_job_def()
        .execute_in_process(
            asset_selection=[asset_key(table)],
            partition_key=None if table is KPIS_DAILY else "2024-01-05",
            raise_on_error=False,
        )
    )

    assert not result.success
    causes = [
        str(event.step_failure_data.error) for event in result.all_events if event.is_step_failure
    ]
    assert any("is torn" in cause for cause in causes)


@pytest.mark.parametrize("bytes_left", [b"", b'{"version"', b'{"version": 999}'])
def test_a_torn_pointer_to_a_checkpoint_is_removed(
    whole: Path, tmp_path: Path, bytes_left: bytes
) -> None:
    shutil.copytree(whole / "lake", tmp_path / "lake")
    lake = Lake(str(tmp_path / "lake"))
    (tmp_path / "lake/raw/purchases/_delta_log/_last_checkpoint").write_bytes(bytes_left)
    (finding,) = heal(lake, STORED_TABLES)
    assert (finding.table, finding.mended) == ("raw/purchases", True)
    assert heal(lake, STORED_TABLES) == []


def test_a_torn_checkpoint_is_removed(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    for day in range(22):
        lake.snapshot(KPIS_DAILY).append(KPIS_DAILY.empty(), Commit(f"run {day}"))
    (checkpoint,) = (tmp_path / "gold/kpis_daily/_delta_log").glob("*.checkpoint.parquet")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-20])
    assert [finding.mended for finding in heal(lake, STORED_TABLES)] == [True, True]
    assert lake.snapshot(KPIS_DAILY).version == 22


def test_a_file_that_was_acknowledged_long_ago_is_not_talked_away(
    whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole / "lake", tmp_path / "lake")
    lake = Lake(str(tmp_path / "lake"))
    first = fsync.added(fsync.entry_of(tmp_path / "lake/raw/purchases", 1))[0]
    (tmp_path / "lake/raw/purchases" / first).unlink()
    (finding,) = heal(lake, STORED_TABLES)
    assert not finding.mended
    assert Path(first).name in finding.problem
    assert "backup" in finding.remedy


def test_a_commit_is_forced_to_disk_before_it_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[Path] = []
    monkeypatch.setattr(fsync.os, "fsync", lambda opened: forced.append(path_of(opened)))
    lake = Lake(str(tmp_path / "data/lake"))
    folder = Path(lake.uri(RAW))
    rows = pl.DataFrame([raw_row("a", "2024-01-01"), raw_row("b", "2024-01-02")], schema=RAW.dtypes)
    lake.snapshot(RAW).append(rows, Commit("run", None, {"file:a": 1}))

    data = sorted(folder.rglob("*.parquet"))
    entry = fsync.entry_of(folder, 1)
    assert len(data) == 2
    position = {path: len(forced) - 1 - forced[::-1].index(path) for path in set(forced)}
    assert max(position[file] for file in data) < position[entry] < position[folder / "_delta_log"]
    created = {path.parent for path in (*data, entry)} | {folder, folder.parent, tmp_path / "data"}
    assert created <= set(forced)


def raw_row(order: str, day: str) -> dict[str, object]:
    from datetime import UTC, date, datetime

    values = dict.fromkeys(RAW.dtypes, "x") | {
        "order_id": order,
        "_pos": 1,
        "_ingested_at": datetime.now(UTC),
        "_batch_day": date.fromisoformat(day),
    }
    return values


def path_of(opened: int) -> Path:
    import os

    return Path(os.readlink(f"/proc/self/fd/{opened}"))


def test_the_count_of_transactions_stands_in_every_commit(whole: Path) -> None:
    for table in (RAW, PURCHASES, KPIS_DAILY):
        entry = last_entry(Path(Lake(str(whole / "lake")).uri(table)))
        kinds = [next(iter(json.loads(line))) for line in entry.read_text().splitlines()]
        assert kinds[-1] == "txn"
