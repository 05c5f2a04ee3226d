"""The DuckDB file: what is in it, and that readers never see half of it."""

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from bridge_cart_assets.lake.catalogue import build_catalogue
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.query import query, reading
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_assets.tables.gold import SEGMENT_MODEL
from bridge_cart_assets.tables.meta import QUARANTINE, TIMES
from bridge_cart_assets.tables.silver import CUSTOMERS as PROFILES
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_assets.tables.table import SchemaMismatchError, Table
from bridge_cart_tests.lake.rows import BY_MONTH, VISITS, visits
from bridge_cart_tests.transforms.shops import line, purchases

AT = datetime(2024, 1, 6, 3, tzinfo=UTC)
ANNA, CY = ("anna", "2024-01", 1), ("cy", "2024-02", 2)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def build(lake: Lake, path: Path, run_id: str = "run-1") -> int:
    return build_catalogue(
        path,
        lake,
        copied=[VISITS, SEGMENT_MODEL],
        viewed=[BY_MONTH, PURCHASES],
        others=[CUSTOMERS.raw],
        run_id=run_id,
        finished_at=AT,
    )


def fill(lake: Lake) -> None:
    commit = Commit("run-1", date(2024, 1, 5))
    lake.snapshot(VISITS).replace(visits(CY, ANNA), commit)
    lake.snapshot(BY_MONTH).replace(visits(CY, ANNA), commit)
    lines = purchases([line(date(2024, 1, 5)), line(date(2024, 2, 5), "C2")]).collect()
    lake.snapshot(PURCHASES).replace(lines, commit)


@pytest.fixture
def catalogue(lake: Lake, tmp_path: Path) -> Path:
    fill(lake)
    path = tmp_path / "new" / "bridge_cart.duckdb"
    assert build(lake, path) == 2
    return path


def ask(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_gold_is_copied_with_its_types_and_in_the_order_of_its_key(catalogue: Path) -> None:
    assert ask(catalogue, 'SELECT visitor, visits, spent, "on" FROM gold.visits') == [
        ("anna", 1, Decimal("12.50"), date(2024, 1, 5)),
        ("cy", 2, Decimal("12.50"), date(2024, 1, 5)),
    ]
    types: dict[str, str] = dict(
        ask(catalogue, "SELECT column_name, column_type FROM (DESCRIBE gold.visits)")
    )
    assert types["spent"] == "DECIMAL(18,2)"
    assert types["on"] == "DATE"


def test_silver_is_seen_through_views_with_the_partition_column(catalogue: Path) -> None:
    assert ask(catalogue, "SELECT month, visitor FROM silver.visits ORDER BY 1") == [
        ("2024-01", "anna"),
        ("2024-02", "cy"),
    ]
    assert ask(catalogue, "SELECT sum(net_amount), min(purchase_month) FROM silver.purchases") == [
        (Decimal("20.00"), "2024-01")
    ]


def test_tables_without_rows_are_there_too(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "bridge_cart.duckdb"
    assert build(lake, path) == 0
    for table in ("gold.visits", "gold.segment_model", "silver.visits", "silver.purchases"):
        assert ask(path, f"SELECT count(*) FROM {table}") == [(0,)]


def test_tables_views_and_columns_say_what_they_mean(catalogue: Path) -> None:
    assert ask(catalogue, "SELECT comment FROM duckdb_tables() WHERE schema_name = 'gold'") == [
        (SEGMENT_MODEL.description,),
        (VISITS.description,),
    ]
    views = "SELECT comment FROM duckdb_views() WHERE schema_name = 'silver' ORDER BY view_name"
    assert ask(catalogue, views) == [(PURCHASES.description,), (BY_MONTH.description,)]
    for schema, table in (("gold", VISITS), ("silver", BY_MONTH), ("silver", PURCHASES)):
        columns = ask(
            catalogue,
            "SELECT column_name, comment FROM duckdb_columns()"
            f" WHERE schema_name = '{schema}' AND table_name = '{table.name}'",
        )
        assert dict(columns) == {name: table.meaning(name) for name in table.columns}


def test_meta_says_what_every_table_has_seen_and_which_run_it_was(catalogue: Path) -> None:
    assert ask(catalogue, "SELECT layer, name, rows, as_of FROM meta.tables ORDER BY 1, 2") == [
        ("gold", "segment_model", 0, None),
        ("gold", "visits", 2, date(2024, 1, 5)),
        ("raw", "customers", 0, None),
        ("silver", "purchases", 2, date(2024, 1, 5)),
        ("silver", "visits", 2, date(2024, 1, 5)),
    ]
    assert ask(catalogue, "SELECT * FROM meta.run") == [
        ("run-1", AT.replace(tzinfo=None), date(2024, 1, 5), "UTC")
    ]


def test_a_run_notes_more_in_meta_with_types_and_meanings(lake: Lake, tmp_path: Path) -> None:
    seen = {"source": "purchases", "reason": "BAD_DATE", "column": "", "records": 2}
    days = {"first_seen": date(2024, 1, 5), "last_seen": date(2024, 1, 6)}
    refused = pl.DataFrame([{**seen, **days, "examples": ["9999", "a"]}], schema=QUARANTINE.dtypes)
    path = tmp_path / "bridge_cart.duckdb"
    run_metadata = [(QUARANTINE, refused), (TIMES, TIMES.empty())]
    build_catalogue(path, lake, [VISITS], [], [], "run-1", AT, run_metadata)
    assert ask(path, "SELECT * FROM meta.quarantine") == [
        (*seen.values(), *days.values(), ["9999", "a"])
    ]
    assert ask(path, "SELECT count(*) FROM meta.times") == [(0,)]
    comments = ask(
        path, "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'quarantine'"
    )
    assert dict(comments) == {name: QUARANTINE.meaning(name) for name in QUARANTINE.columns}
    assert ask(path, "SELECT count(*) FROM meta.tables") == [(1,)]


def test_what_does_not_fit_is_refused_and_the_old_file_stays(catalogue: Path, lake: Lake) -> None:
    wrong = [(QUARANTINE, QUARANTINE.empty().drop("reason"))]
    with pytest.raises(SchemaMismatchError, match="reason is missing"):
        build_catalogue(catalogue, lake, [VISITS], [], [], "run-2", AT, wrong)
    assert ask(catalogue, "SELECT run_id FROM meta.run") == [("run-1",)]


def test_duckdb_from_1_1_on_can_open_it(catalogue: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{catalogue}' AS c (READ_ONLY)")
        [(tags,)] = connection.execute(
            "SELECT tags FROM duckdb_databases() WHERE database_name = 'c'"
        ).fetchall()
    assert str(tags["storage_version"]).startswith("v1.0.0")
    # Storage version 64 is that of DuckDB 0.9 to 1.1, in the main header behind the checksum
    # and the magic bytes (duckdb.org/docs/stable/internals/storage).
    header = catalogue.read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:20], "little") == 64


def test_a_reader_keeps_what_it_has_opened_while_the_file_is_replaced(
    catalogue: Path, lake: Lake
) -> None:
    before = catalogue.read_bytes()
    with duckdb.connect(str(catalogue), read_only=True) as reader, catalogue.open("rb") as opened:
        lake.snapshot(VISITS).replace(visits(ANNA), Commit("run-2", date(2024, 1, 6)))
        assert build(lake, catalogue, "run-2") == 1
        assert reader.execute("SELECT count(*) FROM gold.visits").fetchall() == [(2,)]
        assert opened.read() == before
    assert ask(catalogue, "SELECT run_id, count(*) FROM meta.run, gold.visits GROUP BY 1") == [
        ("run-2", 1)
    ]


def test_the_old_file_stays_when_the_new_one_cannot_be_built(catalogue: Path, lake: Lake) -> None:
    def no_space() -> Iterator[tuple[Table, pl.DataFrame]]:
        yield TIMES, TIMES.empty()
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        build_catalogue(catalogue, lake, [VISITS], [BY_MONTH], [], "run-2", AT, no_space())
    assert ask(catalogue, "SELECT run_id FROM meta.run") == [("run-1",)]
    assert files(catalogue.parent.iterdir()) == ["bridge_cart.duckdb"]


def test_nothing_but_the_catalogue_is_left_behind(catalogue: Path) -> None:
    assert files(catalogue.parent.iterdir()) == ["bridge_cart.duckdb"]


@pytest.mark.parametrize("folder", ["Anna's lake", "100% ours", "Łódź"])
def test_the_lake_may_lie_in_any_folder(tmp_path: Path, folder: str) -> None:
    lake = Lake(str(tmp_path / folder / "lake"))
    fill(lake)
    path = tmp_path / folder / "bridge_cart.duckdb"
    assert lake.snapshot(VISITS).read().height == 2
    assert build(lake, path) == 2
    assert ask(path, "SELECT count(*) FROM silver.visits") == [(2,)]


def files(paths: Iterable[Path]) -> list[str]:
    return sorted(path.name for path in paths)


def test_a_new_catalogue_and_its_name_are_forced_to_disk(
    lake: Lake, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run says it has done stays after a power cut; what strace sees is in `faults`."""
    forced: list[tuple[str, bool]] = []
    inode = catalogue.stat().st_ino

    def fsync(opened: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{opened}"))
        forced.append((path.name, catalogue.stat().st_ino != inode))

    monkeypatch.setattr(os, "fsync", fsync)
    build(lake, catalogue, "run-2")
    assert forced == [(catalogue.name, False), (catalogue.parent.name, True)]


def test_personal_columns_of_silver_are_masked_unless_asked_for(lake: Lake, tmp_path: Path) -> None:
    rows = (
        PROFILES.empty()
        .clear(1)
        .with_columns(
            name=pl.Series(["Ada"]), city=pl.Series([None], dtype=pl.String), country=pl.lit("Chad")
        )
    )
    filled = rows.with_columns(
        pl.lit("?" if dtype == pl.String() else 0).cast(dtype).alias(name)
        for name, dtype in PROFILES.dtypes.items()
        if name in PROFILES.not_null
    )
    lake.snapshot(PROFILES).replace(filled, Commit("run-1"))
    path = tmp_path / "bridge_cart.duckdb"
    build_catalogue(path, lake, [], [PROFILES], [], "run-1", AT)
    asked = "SELECT name, city, country FROM silver.customers"
    masked, clear = [("…", None, "Chad")], [("Ada", None, "Chad")]
    assert ask(path, asked) == masked
    assert query(path, asked).rows == masked
    with reading(path, asked, is_unmasked=True) as answer:
        assert [row for batch in answer.batches for row in batch] == clear
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET VARIABLE bridge_cart_unmasked = true")
        assert connection.execute(asked).fetchall() == clear
    # Nor is it found by what it is compared with.
    assert ask(path, "SELECT count(*) FROM silver.customers WHERE name = 'Ada'") == [(0,)]
