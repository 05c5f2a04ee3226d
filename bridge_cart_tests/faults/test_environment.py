"""No disk, no file handles, no permission to write: an error in two lines, and then it goes on."""

import contextlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import refuse_torn
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_tests.faults import kill_target
from bridge_cart_tests.faults.test_killed import half_done, is_as_if_nothing_had_happened

KILOBYTE = 1024


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As in test_killed: the first delivery has been taken in, the second lies in landing."""
    root = tmp_path_factory.mktemp("environment")
    generate(Shop(customers=150, days=20, dirt=0.2), root / "first")
    kill_target.run(root / "first")
    shutil.copytree(root / "first", root / "whole")
    generate(Shop(customers=150, days=34, dirt=0.2), root / "whole")
    kill_target.run(root / "whole")
    return root


def limited(kind: int, most: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))


def versions(data: Path) -> dict[str, int | None]:
    lake = Lake(str(data / "lake"))
    return {table.path: lake.snapshot(table).version for table in STORED_TABLES}


@pytest.mark.slow
@pytest.mark.parametrize("most", [1, 6])
def test_files_that_cannot_grow_stop_the_run_and_the_next_completes_it(
    shop: Path, tmp_path: Path, most: int
) -> None:
    """RLIMIT_FSIZE: the disk is full in the middle of a file."""
    data = half_done(shop, tmp_path)
    limit = limited(resource.RLIMIT_FSIZE, most * KILOBYTE)
    command = [sys.executable, "-m", kill_target.__name__, str(data), "never", "0"]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=False)
    assert done.returncode == 1, "the limit was not felt"
    assert "File too large" in done.stderr
    refuse_torn(Lake(str(data / "lake")), STORED_TABLES)
    kill_target.run(data)
    is_as_if_nothing_had_happened(data, shop)


def in_two_lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The error of a command that failed as it should: its cause, perhaps its remedy."""
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    errors = done.stderr[done.stderr.index("error:") :].strip().splitlines()
    assert len(errors) <= 2
    assert not [line for line in errors if "[SQL" in line or "sqlalche.me" in line]
    return errors


@pytest.mark.slow
def test_the_command_says_in_two_lines_that_files_cannot_grow(shop: Path, tmp_path: Path) -> None:
    data = half_done(shop, tmp_path)
    before = versions(data)
    errors = in_two_lines(bridge_cart(data, limited(resource.RLIMIT_FSIZE, 10 * KILOBYTE)))
    assert f"Dagster's state in {data / 'dagster'} cannot be used: " in errors[0]
    assert "move the folder away" in errors[1]
    assert versions(data) == before
    kill_target.run(data)
    is_as_if_nothing_had_happened(data, shop)


@pytest.mark.slow
@pytest.mark.parametrize("most", [14, 28])
def test_too_few_file_handles_are_named_and_no_change_is_partial(
    shop: Path, tmp_path: Path, most: int
) -> None:
    data = half_done(shop, tmp_path)
    before = versions(data)
    errors = in_two_lines(bridge_cart(data, limited(resource.RLIMIT_NOFILE, most)))
    assert "open" in errors[0]
    assert versions(data) == before
    refuse_torn(Lake(str(data / "lake")), STORED_TABLES)
    kill_target.run(data)
    is_as_if_nothing_had_happened(data, shop)


def bridge_cart(
    data: Path, limit: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bridge_cart_assets", "run"]
    environment = {**os.environ, "BRIDGE_CART_DATA": str(data), "NO_COLOR": "1"}
    environment.pop("BRIDGE_CART_LAKE", None)
    return subprocess.run(
        command, preexec_fn=limit, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of sixteen megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=16m", "none", str(disk)]
    if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted by root only")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_a_full_disk_stops_the_run_in_two_lines_and_room_lets_it_go_on(
    shop: Path, small_disk: Path
) -> None:
    half_done(shop, small_disk)
    before = versions(small_disk)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4 * KILOBYTE)
    in_two_lines(bridge_cart(small_disk))
    assert versions(small_disk) == before
    filler.unlink()
    remount = ["mount", "-o", "remount,size=64m", str(small_disk)]
    subprocess.run(remount, check=True)
    kill_target.run(small_disk)
    is_as_if_nothing_had_happened(small_disk, shop)


@pytest.mark.slow
def test_a_lake_that_is_mounted_read_only_is_named_and_left_alone(
    shop: Path, small_disk: Path
) -> None:
    half_done(shop, small_disk)
    before = versions(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    errors = in_two_lines(bridge_cart(small_disk))
    assert "read-only" in errors[0].lower().replace("readonly", "read-only")
    subprocess.run(["mount", "-o", "remount,rw,size=64m", str(small_disk)], check=True)
    assert versions(small_disk) == before
    kill_target.run(small_disk)
    is_as_if_nothing_had_happened(small_disk, shop)
