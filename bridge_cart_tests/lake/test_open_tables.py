"""A table that was opened is read again as it is, as long as nothing was committed to it."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from deltalake import DeltaTable

from bridge_cart_assets.lake import snapshot
from bridge_cart_assets.lake.commits import Commit, CommitConflictError
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import DamagedTableError
from bridge_cart_tests.lake.rows import VISITS, visits

ANNA, BO, CY = ("anna", "2024-01", 1), ("bo", "2024-01", 2), ("cy", "2024-02", 2)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    lake.snapshot(VISITS).append(visits(ANNA), Commit("first"))
    return lake


@pytest.fixture
def opened() -> Iterator[mock.Mock]:
    """Counts how often delta-rs opens a table."""
    with mock.patch.object(snapshot, "DeltaTable", wraps=DeltaTable) as opening:
        yield opening


def visitors(lake: Lake) -> list[str]:
    return sorted(lake.snapshot(VISITS).read()["visitor"])


def test_a_table_is_opened_once_until_somebody_commits(lake: Lake, opened: mock.Mock) -> None:
    assert [visitors(lake), visitors(lake), visitors(Lake(lake.root))] == [["anna"]] * 3
    opened.assert_not_called()
    elsewhere = DeltaTable(lake.uri(VISITS))
    elsewhere.delete()
    assert visitors(lake) == []
    opened.assert_called_once()


def test_of_two_that_planned_on_the_same_version_one_is_refused(lake: Lake) -> None:
    first, second = lake.snapshot(VISITS), lake.snapshot(VISITS)
    reader = lake.snapshot(VISITS)
    first.append(visits(BO), Commit("faster"))
    assert reader.read()["visitor"].to_list() == ["anna"]
    with pytest.raises(CommitConflictError):
        second.append(visits(CY), Commit("slower"))
    first.append(visits(CY), Commit("again"))
    assert visitors(lake) == ["anna", "bo", "cy"]


def test_a_table_that_was_removed_and_made_again_is_another_one(lake: Lake, tmp_path: Path) -> None:
    planned = lake.snapshot(VISITS)
    shutil.rmtree(lake.uri(VISITS))
    assert lake.snapshot(VISITS).version is None
    other = Lake(str(tmp_path / "other"))
    other.snapshot(VISITS).append(visits(CY), Commit("other"))
    shutil.copytree(other.uri(VISITS), lake.uri(VISITS))
    assert visitors(lake) == ["cy"]
    with pytest.raises(CommitConflictError):
        planned.append(visits(BO), Commit("late"))


def test_a_commit_that_is_torn_is_seen(lake: Lake) -> None:
    assert visitors(lake) == ["anna"]
    log = Path(lake.uri(VISITS)) / "_delta_log"
    (log / f"{2:020}.json").write_text('{"commitInfo"')
    with pytest.raises(DamagedTableError):
        lake.snapshot(VISITS)


def test_each_declaration_is_compared_with_what_is_stored(lake: Lake, opened: mock.Mock) -> None:
    lake.snapshot(replace(VISITS, description="declared again"))
    opened.assert_called_once()
