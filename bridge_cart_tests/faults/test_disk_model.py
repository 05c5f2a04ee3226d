"""The model of a disk: what an fsync covers stays, and the rest may go in any part."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from bridge_cart_tests.faults.disk_model import PAGE, Disk, Effect, Fate, left_after, write_folder
from bridge_cart_tests.faults.system_calls import SystemCall, system_calls

CHANCE = random.Random(1)  # noqa: S311 (pages, not secrets)
Files = dict[str, bytes | None]


def hexed(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


def log_of(lines: Sequence[str], folder: Path, log: Path) -> list[SystemCall]:
    """Calls as strace writes them: what stands between ' and ' is a path or data."""
    text = []
    for line in lines:
        parts = line.replace("@", str(folder)).split("'")
        text.append("".join(hexed(part) if at % 2 else part for at, part in enumerate(parts)))
    log.write_text("\n".join(text) + "\n")
    return list(system_calls(log, folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one file, which lies on disk."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "old").write_text("before")
    return tmp_path / "data"


def played(folder: Path, *lines: str) -> Disk:
    calls = log_of(lines, folder, folder.parent / "log")
    return Disk(folder, folder).play(calls)


def left(disk: Disk, fate: Fate, of_names: Fate | None = None) -> Files:
    """What is left at the end when all that is not sure has one fate, or names another one."""

    def fate_of(effect: Effect) -> Fate:
        return fate if effect.name is None or of_names is None else of_names

    return left_after(disk, 10_000, fate_of, CHANCE)


WRITTEN = (
    "1 openat(AT_FDCWD<'@'>, \"'@/new'\", O_WRONLY|O_CREAT|O_CLOEXEC, 0600) = 3<'@/new'>",
    "1 write(3<'@/new'>, \"'some'\", 4) = 4",
    "1 write(3<'@/new'>, \"'thing'\", 5) = 5",
)
FORCED = "1 fsync(3<'@/new'>) = 0"
FOLDER_FORCED = "1 fsync(4<'@'>) = 0"


def test_what_was_not_forced_may_be_there_or_not(folder: Path) -> None:
    disk = played(folder, *WRITTEN)
    assert left(disk, Fate.WHOLE) == {"old": b"before", "new": b"something"}
    assert left(disk, Fate.GONE) == {"old": b"before"}
    assert left(disk, Fate.GONE, of_names=Fate.WHOLE) == {"old": b"before", "new": b""}
    assert left(disk, Fate.ZEROES)["new"] == bytes(9)
    assert left(disk, Fate.WHOLE, of_names=Fate.GONE) == {"old": b"before"}


def test_an_fsync_of_the_file_covers_its_content_and_one_of_the_folder_its_name(
    folder: Path,
) -> None:
    assert left(played(folder, *WRITTEN, FORCED), Fate.GONE) == {"old": b"before"}
    assert left(played(folder, *WRITTEN, FOLDER_FORCED), Fate.GONE)["new"] == b""
    assert left(played(folder, *WRITTEN, FORCED, FOLDER_FORCED), Fate.GONE)["new"] == b"something"


def test_an_fsync_covers_nothing_that_came_after_its_beginning(folder: Path) -> None:
    disk = played(
        folder,
        *WRITTEN[:2],
        "2 fsync(3<'@/new'> <unfinished ...>",
        WRITTEN[2],
        "2 <... fsync resumed>) = 0",
        FOLDER_FORCED,
    )
    assert left(disk, Fate.GONE)["new"] == b"some"
    assert left(disk, Fate.WHOLE)["new"] == b"something"


def test_before_its_end_an_fsync_covers_nothing(folder: Path) -> None:
    disk = played(folder, *WRITTEN, FORCED, FOLDER_FORCED)
    end = max(effect.sure for effect in disk.effects)
    assert left_after(disk, end - 1, lambda _: Fate.GONE, CHANCE) == {"old": b"before"}
    assert left_after(disk, end, lambda _: Fate.GONE, CHANCE)["new"] == b"something"


def test_a_rename_and_a_removal_may_be_undone(folder: Path) -> None:
    disk = played(
        folder,
        *WRITTEN,
        FORCED,
        FOLDER_FORCED,
        "1 rename(\"'@/new'\", \"'@/old'\") = 0",
        "1 mkdir(\"'@/below'\", 0700) = 0",
        "1 link(\"'@/old'\", \"'@/below/too'\") = 0",
        "1 unlink(\"'@/old'\") = 0",
    )
    assert left(disk, Fate.WHOLE) == {"below": None, "below/too": b"something"}
    assert left(disk, Fate.GONE) == {"old": b"before", "new": b"something"}


def test_a_call_that_failed_has_no_effect(folder: Path) -> None:
    disk = played(folder, "1 unlink(\"'@/old'\") = -1 EACCES (Permission denied)")
    assert left(disk, Fate.WHOLE) == {"old": b"before"}


def test_a_write_in_place_is_torn_between_pages(folder: Path) -> None:
    (folder / "old").write_bytes(b"a" * 3 * PAGE)
    disk = played(
        folder,
        "1 openat(AT_FDCWD<'@'>, \"'@/old'\", O_RDWR) = 3<'@/old'>",
        f"1 pwrite64(3<'@/old'>, \"'{'b' * 2 * PAGE}'\", {2 * PAGE}, {PAGE}) = {2 * PAGE}",
        "1 ftruncate(3<'@/old'>, 0) = 0",
    )
    cut = disk.effects[0].at
    seen = {
        (content or b"")[::PAGE]
        for content in (
            left_after(disk, cut, lambda _: Fate.PAGES, CHANCE)["old"] for _ in range(40)
        )
    }
    assert seen == {b"aaa", b"aab", b"aba", b"abb"}
    assert left(disk, Fate.WHOLE)["old"] == b""


def test_what_is_not_modelled_is_refused(folder: Path) -> None:
    with pytest.raises(NotImplementedError, match="sendfile"):
        played(folder, "1 sendfile(3<'@/old'>, 4<'@/old'>, NULL, 6) = 6")


def test_a_folder_that_was_left_can_be_made(folder: Path) -> None:
    files: Files = {"a": None, "a/b": b"c", "d": b""}
    write_folder(files, folder.parent / "made")
    assert (folder.parent / "made/a/b").read_bytes() == b"c"
    assert (folder.parent / "made/d").read_bytes() == b""
