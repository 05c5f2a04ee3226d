"""What a new catalogue takes over from the old one: whatever lies there, it equals the tables."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from bridge_cart_assets.lake import catalogue_base
from bridge_cart_assets.lake.catalogue import build_catalogue
from bridge_cart_assets.lake.catalogue_base import write_ahead_of
from bridge_cart_assets.lake.changes import diff
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.fsync import LOG
from bridge_cart_tests.lake.rows import VISITS, visits

MANY = 40
OTHERS = [(f"v{n:02}", "2024-01", n) for n in range(MANY)]


@pytest.fixture(autouse=True)
def small_tables_are_taken_over_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_base, "WORTH_ROWS", 1)


class Shop:
    """A lake with one table, and its catalogue."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.path = Lake(str(folder / "lake")), folder / "bridge_cart.duckdb"
        self.clock = datetime(2024, 1, 6, tzinfo=UTC)

    def begin(self) -> "Shop":
        self.write(*OTHERS)
        assert self.build() == MANY
        return self

    def write(self, *rows: tuple[str, str, int]) -> None:
        """The table replaced."""
        commit = Commit("run", date(2024, 1, 5))
        self.lake.snapshot(VISITS).replace(visits(*rows), commit)

    def change(self, *rows: tuple[str, str, int]) -> None:
        """Only the rows that differ, as a table that follows a change is written."""
        snapshot = self.lake.snapshot(VISITS)
        change = diff(VISITS, snapshot.read(), visits(*rows))
        snapshot.apply(change, Commit("run", date(2024, 1, 5)))

    def build(self) -> int:
        """The rows that were written."""
        self.clock += timedelta(days=1)
        return build_catalogue(self.path, self.lake, [VISITS], [], [], "run", self.clock)

    def is_right(self) -> bool:
        """Whether the catalogue has the rows of the table, each as often, and says so."""
        snapshot = self.lake.snapshot(VISITS)
        with duckdb.connect(str(self.path), read_only=True) as connection:
            rows = connection.execute("SELECT * FROM gold.visits").fetchall()
            said = connection.execute("SELECT version, rows FROM meta.tables").fetchall()
            comments = connection.execute(
                "SELECT count(*) FROM duckdb_columns()"
                " WHERE comment <> '' AND table_name = 'visits'"
            ).fetchall()
        assert said == [(snapshot.version, snapshot.rows)]
        assert comments == [(len(VISITS.columns),)]
        return sorted(rows) == sorted(snapshot.read().rows())


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path).begin()


def test_a_few_changed_rows_are_all_that_is_written(shop: Shop) -> None:
    shop.change(("v00", "2024-01", 99), *OTHERS[2:], ("w", "2024-02", 1))
    assert (shop.build(), shop.is_right()) == (2, True)
    assert (shop.build(), shop.is_right()) == (0, True)
    shop.change(*OTHERS)
    assert (shop.build(), shop.is_right()) == (2, True)


def test_commits_between_two_catalogues_count_together(shop: Shop) -> None:
    shop.change(("v00", "2024-01", 99), *OTHERS[1:])
    shop.change(*OTHERS[1:])
    shop.change(*OTHERS[1:], ("w", "2024-02", 1))
    assert (shop.build(), shop.is_right()) == (1, True)


def test_a_table_is_copied_whole_once_many_of_its_rows_have_changed(shop: Shop) -> None:
    """Else rows out of order would pile up at its end."""
    written = []
    for visits_of_one in range(100, 106):
        shop.change(("v00", "2024-01", visits_of_one), *OTHERS[1:])
        written.append(shop.build())
        assert shop.is_right()
    assert written == [1, 1, 1, 1, MANY, 1]


def test_a_table_of_which_much_changed_is_copied_whole(shop: Shop) -> None:
    shop.change(*((name, month, n + 1) for name, month, n in OTHERS))
    assert (shop.build(), shop.is_right()) == (MANY, True)


def test_a_table_that_was_replaced_is_copied_whole(shop: Shop) -> None:
    shop.write(*OTHERS[1:])
    assert (shop.build(), shop.is_right()) == (MANY - 1, True)


def an_older_file(shop: Shop) -> int:
    older = shop.path.with_suffix(".older")
    shutil.copy2(shop.path, older)
    shop.change(("v00", "2024-01", 7), *OTHERS[1:])
    shop.build()
    shutil.copy2(older, shop.path)
    return 1


def a_file_of_another_lake(shop: Shop) -> int:
    other = Shop(shop.path.parent / "other").begin()
    other.change(*OTHERS[1:])
    other.build()
    shutil.copy2(other.path, shop.path)
    return MANY


def a_file_of_a_copy_that_went_its_own_way(shop: Shop) -> int:
    folder = shop.path.parent / "copy"
    shutil.copytree(shop.path.parent / "lake", folder / "lake")
    copy = Shop(folder)
    copy.change(OTHERS[0], ("v01", "2024-01", 9), *OTHERS[2:])
    copy.build()
    shop.change(("v02", "2024-01", 9), *OTHERS[:2], *OTHERS[3:])
    shutil.copy2(copy.path, shop.path)
    return MANY


def a_file_that_somebody_wrote_to(shop: Shop) -> int:
    with duckdb.connect(str(shop.path)) as connection:
        connection.execute("UPDATE gold.visits SET visits = 1000 WHERE visitor = 'v05'")
    return MANY


def a_file_that_lacks_rows(shop: Shop) -> int:
    """As if it were the one that was left: the number of rows gives it away."""
    with duckdb.connect(str(shop.path)) as connection:
        connection.execute("DELETE FROM gold.visits WHERE visitor = 'v05'")
    catalogue_base.mark_as_built(shop.path, shop.clock)
    return MANY


def half_a_file(shop: Shop) -> int:
    os.truncate(shop.path, shop.path.stat().st_size // 2)
    catalogue_base.mark_as_built(shop.path, shop.clock)
    return MANY


def no_database(shop: Shop) -> int:
    shop.path.write_text("no database")
    return MANY


def no_file(shop: Shop) -> int:
    shop.path.unlink()
    return MANY


def a_copied_folder(shop: Shop) -> int:
    content = shop.path.read_bytes()
    shop.path.write_bytes(content)
    return MANY


def the_table_made_again(shop: Shop) -> int:
    shutil.rmtree(shop.lake.uri(VISITS))
    shop.write(*OTHERS[:20])
    return 20


def the_log_cleaned_away(shop: Shop) -> int:
    version = shop.lake.snapshot(VISITS).version
    shop.change(("v00", "2024-01", 7), *OTHERS[1:])
    Path(shop.lake.uri(VISITS), LOG, f"{version:020}.json").unlink()
    return MANY


def the_change_feed_removed(shop: Shop) -> int:
    shop.change(("v00", "2024-01", 7), *OTHERS[1:])
    shutil.rmtree(Path(shop.lake.uri(VISITS), "_change_data"))
    return MANY


@pytest.mark.parametrize(
    "in_its_place",
    [
        *(an_older_file, a_file_of_another_lake, a_file_of_a_copy_that_went_its_own_way),
        *(a_file_that_somebody_wrote_to, a_file_that_lacks_rows, half_a_file, no_database),
        *(no_file, a_copied_folder, the_table_made_again, the_log_cleaned_away),
        the_change_feed_removed,
    ],
)
def test_whatever_lies_in_its_place_the_new_one_has_the_rows_of_the_tables(
    shop: Shop, in_its_place: Callable[[Shop], int]
) -> None:
    written = in_its_place(shop)
    assert (shop.build(), shop.is_right()) == (written, True)
    assert sorted(p.name for p in shop.path.parent.glob("*duckdb*")) == ["bridge_cart.duckdb"]


def test_what_another_program_left_half_done_is_not_done_to_the_new_file(shop: Shop) -> None:
    """DuckDB replays what lies beside a file of that name, whichever file it is by then."""
    path = str(shop.path)
    edited = f"duckdb.connect({path!r}).execute('DELETE FROM gold.visits WHERE rowid = 5')"
    program = f"import duckdb, os; c = {edited}; os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", program], check=False)
    assert write_ahead_of(shop.path).exists()
    shop.change(("v00", "2024-01", 99))
    shop.build()
    assert not write_ahead_of(shop.path).exists()
    assert shop.is_right()


def test_a_table_with_other_columns_than_before_is_copied_whole(shop: Shop) -> None:
    with duckdb.connect(str(shop.path)) as connection:
        connection.execute("ALTER TABLE gold.visits DROP COLUMN score")
    catalogue_base.mark_as_built(shop.path, shop.clock)
    assert (shop.build(), shop.is_right()) == (MANY, True)


def test_a_table_that_is_copied_no_more_is_gone(shop: Shop) -> None:
    with duckdb.connect(str(shop.path)) as connection:
        connection.execute("CREATE TABLE gold.earlier (n BIGINT)")
        connection.execute("CREATE VIEW silver.earlier AS SELECT 1")
    catalogue_base.mark_as_built(shop.path, shop.clock)
    assert shop.build() == 0
    with duckdb.connect(str(shop.path), read_only=True) as connection:
        assert connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema <> 'meta'"
        ).fetchall() == [("visits",)]


def test_rows_in_the_order_of_the_key_are_not_sorted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    names = pl.Series([f"v{n:06}" for n in range(60_000)])
    for rows in (names, names.reverse()):
        frame = (
            visits(*[("v", "2024-01", 1)])
            .drop("visitor")
            .join(pl.DataFrame({"visitor": rows}), how="cross")
        )
        lake.snapshot(VISITS).replace(frame.select(VISITS.dtypes.keys()), Commit("run"))
        path = tmp_path / "bridge_cart.duckdb"
        build_catalogue(path, lake, [VISITS], [], [], "run", datetime(2024, 1, 6, tzinfo=UTC))
        with duckdb.connect(str(path), read_only=True) as connection:
            found = connection.execute("SELECT visitor FROM gold.visits").fetchall()
        assert [name for (name,) in found] == names.to_list()
