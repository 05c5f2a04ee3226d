"""What counts as a landed file, and of which day it is."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from bridge_cart_assets.ingestion.landing import batch_day_of, list_landing

NEW_YEAR = int(datetime(2024, 1, 1, 0, 30, tzinfo=UTC).timestamp()) * 10**9


def landed(landing: Path, *names: str) -> list[str]:
    """The names that are listed after files were landed for purchases."""
    for name in names:
        path = landing / "purchases" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return [file.object for file in list_landing(landing, "purchases")]


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("2024-03-10.csv", date(2024, 3, 10)),
        ("2024-03-10/part-1.csv", date(2024, 3, 10)),
        ("a/b=2024-03-10/c.csv", date(2024, 3, 10)),
        ("2024-03-10/export_2024-03-11.csv", date(2024, 3, 11)),
        ("2024-03-11/export_2024-03-10.csv", date(2024, 3, 11)),
        ("orders_2024-01-01_2024-01-31.csv", date(2024, 1, 31)),
        ("from=2024-02-01/to=2024-02-29/part-0.csv", date(2024, 2, 29)),
        ("from=2024-02-01/to=2024-02-31/part-0.csv", date(2024, 2, 1)),
        ("shop_2024-03-10T12.csv", date(2024, 3, 10)),
        ("2024-13-45/2024-03-10.csv", date(2024, 3, 10)),
        ("2023-02-29.csv", date(2024, 1, 1)),
        ("12024-03-10.csv", date(2024, 1, 1)),
        ("2024-03-101.csv", date(2024, 1, 1)),
        ("20240310.csv", date(2024, 1, 1)),
        ("march.csv", date(2024, 1, 1)),
    ],
)
def test_the_batch_day_is_the_latest_iso_date_in_the_path_or_else_the_files_utc_day(
    name: str, day: date
) -> None:
    assert batch_day_of(name, NEW_YEAR) == day


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock is nine hours ahead of UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
def test_the_day_of_a_file_without_a_date_is_that_of_its_time_in_utc(tmp_path: Path) -> None:
    landed(tmp_path, "march.csv")
    os.utime(tmp_path / "purchases" / "march.csv", ns=(0, NEW_YEAR - 3600 * 10**9))
    [file] = list_landing(tmp_path, "purchases")
    assert file.batch_day == date(2023, 12, 31)


def test_a_date_above_the_sources_folder_is_no_batch_day(tmp_path: Path) -> None:
    root = tmp_path / "2020-01-01"
    landed(root, "march.csv")
    [file] = list_landing(root, "purchases")
    assert file.batch_day > date(2020, 1, 1)


def test_files_come_by_day_and_then_by_name(tmp_path: Path) -> None:
    names = ("2024-01-02/a.csv", "z/2024-01-01.csv", "2024-01-01.csv", "2024-01-02/B.csv")
    assert landed(tmp_path, *names) == [
        "2024-01-01.csv",
        "z/2024-01-01.csv",
        "2024-01-02/B.csv",
        "2024-01-02/a.csv",
    ]


def test_names_of_unfinished_files_and_folders_are_not_there_yet(tmp_path: Path) -> None:
    names = (
        *(".hidden.csv", "_SUCCESS", "_draft.csv", "up.csv.tmp", "up.csv.partial"),
        *(".spool/a.csv", "_temporary/a.csv", "batch.tmp/a.csv", "batch.partial/a.csv"),
    )
    assert landed(tmp_path, *names, "done/a.csv") == ["done/a.csv"]


def test_a_source_without_a_folder_has_no_files(tmp_path: Path) -> None:
    assert list_landing(tmp_path, "purchases") == []


def test_files_of_other_sources_are_not_listed(tmp_path: Path) -> None:
    landed(tmp_path, "a.csv")
    assert list_landing(tmp_path, "customers") == []


def test_links_and_pipes_are_listed_as_no_regular_files(tmp_path: Path) -> None:
    landed(tmp_path, "real.csv")
    folder = tmp_path / "purchases"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.csv").write_text("x")
    (folder / "link.csv").symlink_to(tmp_path / "elsewhere" / "secret.csv")
    (folder / "dangling.csv").symlink_to(tmp_path / "nowhere")
    (folder / "folder").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    os.mkfifo(folder / "pipe.csv")
    listed = {file.object: file.is_regular for file in list_landing(tmp_path, "purchases")}
    assert listed == {
        "real.csv": True,
        "link.csv": False,
        "dangling.csv": False,
        "folder": False,
        "pipe.csv": False,
    }


def test_a_sources_folder_that_is_a_link_is_listed_and_not_followed(tmp_path: Path) -> None:
    landed(tmp_path / "elsewhere", "secret.csv")
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "purchases").symlink_to(tmp_path / "elsewhere" / "purchases")
    [link] = list_landing(tmp_path / "landing", "purchases")
    assert (link.object, link.is_regular) == ("purchases", False)


def test_a_signature_moves_when_other_bytes_of_equal_size_and_time_take_a_files_place(
    tmp_path: Path,
) -> None:
    landed(tmp_path, "a.csv")
    [before] = list_landing(tmp_path, "purchases")
    other = tmp_path / "other"
    other.write_text("y")
    os.utime(other, ns=(before.modified_ns, before.modified_ns))
    other.replace(before.path)
    [after] = list_landing(tmp_path, "purchases")
    assert (after.size, after.modified_ns) == (before.size, before.modified_ns)
    assert after.signature != before.signature


def test_looking_again_gives_the_same_signature(tmp_path: Path) -> None:
    landed(tmp_path, "a.csv")
    one, other = list_landing(tmp_path, "purchases"), list_landing(tmp_path, "purchases")
    assert one == other
