"""Tables that an earlier version of the package wrote, with fewer columns."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from bridge_cart_assets.lake.catalogue import build_catalogue
from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.delta_schema import delta_schema
from bridge_cart_assets.lake.query import query
from bridge_cart_assets.tables.columns import Schema, day, integer, text
from bridge_cart_assets.tables.table import SchemaMismatchError, Table

DAY = date(2024, 1, 1)


class Earlier(Schema):
    """As it was."""

    n = integer("A number", key=True)
    on = day("Partition")


class Later(Earlier):
    """As it is."""

    note = text("What was added", nullable=True)


def tables(layer: str) -> tuple[Table, Table]:
    earlier = Table(f"{layer}/things", Earlier, "Things.", partition_by=("on",))
    return earlier, Table(f"{layer}/things", Later, "Things.", partition_by=("on",))


def rows(n: int, note: str | None = None) -> pl.DataFrame:
    return pl.DataFrame({"note": [note], "n": [n], "on": [DAY]}, schema=tables("raw")[1].dtypes)


@pytest.mark.parametrize("folder", ["lake", "a lake"])
def test_raw_gets_the_columns_that_it_lacks_with_the_next_rows(tmp_path: Path, folder: str) -> None:
    lake, (earlier, later) = Lake(str(tmp_path / folder)), tables("raw")
    for n in (1, 2):
        lake.snapshot(earlier).append(rows(n).drop("note"), Commit("r"))
    before = lake.snapshot(later)
    assert before.read().sort("n")["note"].to_list() == [None, None]
    # Looking writes nothing.
    assert before.version == lake.snapshot(earlier).version
    lake.snapshot(later).append(rows(3, "new"), Commit("r"))
    assert lake.snapshot(later).read().sort("n")["note"].to_list() == [None, None, "new"]
    stored = DeltaTable(lake.uri(later)).schema().fields
    declared = {field.name: (field.type, field.metadata) for field in delta_schema(later).fields}
    # By this the catalogue knows that there are files without it.
    declared["note"][1]["bridge_cart.added"] = "true"
    assert {field.name: (field.type, field.metadata) for field in stored} == declared


def test_files_without_the_column_are_compacted_with_those_that_have_it(tmp_path: Path) -> None:
    lake, (earlier, later) = Lake(str(tmp_path)), tables("raw")
    lake.snapshot(earlier).append(rows(1).drop("note"), Commit("r"))
    lake.snapshot(later).append(rows(2, "new"), Commit("r"))
    assert lake.snapshot(later).compact(Commit("r")) is not None
    assert lake.snapshot(later).files.height == 1
    assert lake.snapshot(later).read().sort("n")["note"].to_list() == [None, "new"]


def test_a_table_of_silver_gets_columns_that_can_be_null(tmp_path: Path) -> None:
    lake, (earlier, later) = Lake(str(tmp_path)), tables("silver")
    lake.snapshot(earlier).append(rows(1).drop("note"), Commit("r"))
    seen = lake.snapshot(later).version
    assert lake.snapshot(later).read()["note"].to_list() == [None]
    assert lake.snapshot(later).absent_columns == ("note",)
    change = Change(rows(2, "new"), rows(1, "now"), rows(0)[:0])
    lake.snapshot(later).apply(change, Commit("r"))
    assert lake.snapshot(later).read().sort("n")["note"].to_list() == ["now", "new"]
    # What follows by the change feed sees both, from before the column was there.
    assert seen is not None
    feed = lake.snapshot(later).change_feed(seen)
    assert dict(feed.group_by("_change_type").len().iter_rows()) == {
        "insert": 1,
        "update_preimage": 1,
        "update_postimage": 1,
    }


def test_a_table_of_gold_gets_columns_with_the_commit_that_fills_them(tmp_path: Path) -> None:
    class Fuller(Earlier):
        note = text("What was added")

    lake, (earlier, _) = Lake(str(tmp_path)), tables("gold")
    fuller = Table("gold/things", Fuller, "Things.", partition_by=("on",))
    lake.snapshot(earlier).append(rows(1).drop("note"), Commit("r"))
    before = lake.snapshot(earlier).version
    assert before is not None
    lake.snapshot(fuller).replace(rows(1, "made again"), Commit("r"))
    after = lake.snapshot(fuller)
    assert after.read()["note"].to_list() == ["made again"]
    # No reader ever sees the column without its values.
    assert after.version == before + 1
    assert not after.absent_columns


def test_the_catalogue_reads_files_with_and_without_the_column(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    earlier, later = (Table("silver/things", schema, "Things.") for schema in (Earlier, Later))
    lake.snapshot(earlier).append(rows(1).drop("note"), Commit("r"))
    catalogue = tmp_path / "catalogue.duckdb"

    def notes() -> list[tuple[object, ...]]:
        build_catalogue(catalogue, lake, (), (later,), (), "r", datetime.now(UTC))
        return query(catalogue, "SELECT n, note FROM silver.things ORDER BY n").rows

    assert notes() == [(1, None)]
    lake.snapshot(later).append(rows(2, "new"), Commit("r"))
    assert notes() == [(1, None), (2, "new")]


def test_a_table_of_silver_that_differs_is_refused_until_it_is_renewed(tmp_path: Path) -> None:
    class Stricter(Earlier):
        note = text("What was added")

    lake, (earlier, _) = Lake(str(tmp_path)), tables("silver")
    later = Table("silver/things", Stricter, "Things.", partition_by=("on",))
    assert not lake.renew(later)
    lake.snapshot(earlier).append(rows(1).drop("note"), Commit("r"))
    with pytest.raises(
        SchemaMismatchError, match=r"note is missing, declared string\. bridge-cart rebuild"
    ):
        lake.snapshot(later)
    assert lake.renew(later)
    assert lake.snapshot(later).read().is_empty()
    lake.snapshot(later).append(rows(2, "new"), Commit("r"))
    assert lake.snapshot(later).read()["note"].to_list() == ["new"]
    assert not lake.renew(later)


def test_a_column_that_must_have_a_value_cannot_be_added(tmp_path: Path) -> None:
    class Stricter(Earlier):
        note = text("What was added")

    lake, (earlier, _) = Lake(str(tmp_path)), tables("raw")
    lake.snapshot(earlier).append(rows(1).drop("note"), Commit("r"))
    with pytest.raises(SchemaMismatchError, match=r"note is missing.*move it away"):
        lake.snapshot(Table("raw/things", Stricter, "Things.", partition_by=("on",)))
