"""Tables that an earlier version of the package wrote, with fewer columns."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.delta_schema import delta_schema
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
    declared = {field.name: field for field in delta_schema(later).fields}
    assert {field.name: field for field in stored} == declared


def test_files_without_the_column_are_compacted_with_those_that_have_it(tmp_path: Path) -> None:
    lake, (earlier, later) = Lake(str(tmp_path)), tables("raw")
    lake.snapshot(earlier).append(rows(1).drop("note"), Commit("r"))
    lake.snapshot(later).append(rows(2, "new"), Commit("r"))
    assert lake.snapshot(later).compact(Commit("r")) is not None
    assert lake.snapshot(later).files.height == 1
    assert lake.snapshot(later).read().sort("n")["note"].to_list() == [None, "new"]


def test_a_table_of_silver_is_refused_until_it_is_renewed(tmp_path: Path) -> None:
    lake, (earlier, later) = Lake(str(tmp_path)), tables("silver")
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
