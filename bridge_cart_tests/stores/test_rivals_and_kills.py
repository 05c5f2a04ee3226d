"""Writers that meet over a store, and runs that are killed: nothing lost, nothing twice."""

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.commits import Commit, CommitConflictError, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline import chain
from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.faults.command_rounds import random_moments
from bridge_cart_tests.faults.laws import NATIVE
from bridge_cart_tests.lake.rows import BY_MONTH, visits
from bridge_cart_tests.lakehouse.tables import WITHOUT_MODEL, contents, differences
from bridge_cart_tests.stores.deaths import Killed, dies_after
from bridge_cart_tests.stores.servers import Server
from bridge_cart_tests.stores.shops import Command, StoredShop, where_the_secret_stands

KILLS = 8


def append(snapshot: Snapshot, name: str) -> None:
    snapshot.append(visits((name, "2024-01", 1)), Commit(name, transactions={name: 1}))


def merge(snapshot: Snapshot, name: str) -> None:
    """Adds a row, and changes one that is there."""
    change = Change(
        visits((name, "2024-02", 1)),
        visits(("first", "2024-01", 2)),
        BY_MONTH.empty(),
        ("2024-01",),
    )
    snapshot.apply(change, Commit(name, transactions={name: 1}))


def stage(snapshot: Snapshot, name: str) -> None:
    with snapshot.stage() as staged:
        staged.add(visits((name, "2024-03", 1)))
        snapshot.append_staged(staged, Commit(name, transactions={name: 1}))


def compact(snapshot: Snapshot, name: str) -> None:
    snapshot.compact(Commit(name))
    append(snapshot, name)


WAYS: list[Callable[[Snapshot, str], None]] = [append, merge, stage, compact]


@pytest.mark.parametrize("conflicts", [2, pytest.param(50, marks=pytest.mark.engines)])
def test_of_two_writers_at_once_one_plans_again_and_both_are_there_once(
    server: Server, bucket: str, conflicts: int
) -> None:
    """In each round both have planned on the same version before either of them writes."""
    # Each has opened the tables for itself, as two processes have.
    rivals = [
        Lake(f"s3://{bucket}/lake", server.environment() | {"AWS_CONNECT_TIMEOUT": f"{n}s"})
        for n in (4, 5)
    ]
    append(rivals[0].snapshot(BY_MONTH), "first")
    names = ["first"]
    refused: list[str] = []

    def write(lake: Lake, name: str, way: Callable[[Snapshot, str], None]) -> None:
        meeting = iter([both_have_planned])

        def plan() -> None:
            snapshot = lake.snapshot(BY_MONTH)
            if snapshot.transaction(name) is not None:
                raise AssertionError(f"{name} was refused and is there all the same")
            for barrier in meeting:
                barrier.wait(timeout=30)
            try:
                way(snapshot, name)
            except CommitConflictError:
                refused.append(name)
                raise

        retry_on_conflict(plan)

    with ThreadPoolExecutor(2) as pool:
        for number, ways in zip(
            range(conflicts), itertools.cycle(itertools.product(WAYS, WAYS)), strict=False
        ):
            both_have_planned = threading.Barrier(2)
            pair = [f"{number}-{who}" for who in "ab"]
            names += pair
            list(pool.map(write, rivals, pair, ways))
    assert len(refused) >= conflicts
    for lake in rivals:
        snapshot = lake.snapshot(BY_MONTH)
        assert sorted(snapshot.read()["visitor"]) == sorted(names)
        assert snapshot.transactions(names) == dict.fromkeys(names, 1)


@pytest.mark.engines
@pytest.mark.parametrize("deaths", [(5,), (2, 4, 7)])
def test_a_fold_that_dies_between_its_commits_is_done_by_the_next_run(
    server: Server,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    deaths: tuple[int, ...],
) -> None:
    stored = StoredShop(tmp_path, bucket, server)
    stored.land(3)

    def fold(lake: Lake) -> None:
        chain.refresh_silver(lake, stored.landing, sources=NATIVE)

    beside = Lake(str(tmp_path / "local"))
    fold(beside)
    for last in deaths:
        with monkeypatch.context() as patch:
            dies_after(last, patch)
            with pytest.raises(Killed):
                fold(stored.lake)
    fold(stored.lake)
    silver = [table for table in WITHOUT_MODEL if table.layer == "silver"]
    assert differences(contents(beside, silver), contents(stored.lake, silver)) == []
    assert stored.without_doubles() == []


@pytest.mark.engines
def test_the_command_is_killed_at_random_moments_and_the_next_one_heals(
    server: Server, bucket: str, tmp_path: Path, command: Command
) -> None:
    stored = StoredShop(tmp_path / "data", bucket, server)
    days = 5
    stored.land(days)
    began = time.monotonic()
    assert start(stored).wait(300) == 0
    usual = time.monotonic() - began
    killed = 0
    for moment in random_moments(KILLS, 0.9 * usual, seed=9):
        days += 1
        stored.land(days)
        process = start(stored)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
            killed += 1
        process.wait()
    assert killed > KILLS / 2
    done = start(stored)
    assert done.wait(300) == 0
    beside = Lake(str(tmp_path / "local"))
    chain.run(beside, stored.landing, settings=stored.silver)
    assert differences(contents(beside, WITHOUT_MODEL), contents(stored.lake, WITHOUT_MODEL)) == []
    assert stored.without_doubles() == []
    said = [command(verb, **stored.environment) for verb in ("doctor", "check", "rebuild")]
    assert [one.returncode for one in said] == [0, 0, 0], said
    assert differences(contents(beside, WITHOUT_MODEL), contents(stored.lake, WITHOUT_MODEL)) == []
    assert where_the_secret_stands(tmp_path, [one.stdout + one.stderr for one in said]) == []
    print(f"{killed} of {KILLS} runs killed over {usual:.1f} s")


def start(stored: StoredShop) -> "subprocess.Popen[bytes]":
    """The real command, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "bridge_cart_assets", "run"],
        env=environment_of(stored.data, **stored.environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
