"""The tables of a run on two executors are those of a run without an engine.

The short form is one task of Spark at a time, which reads, groups, adds up and writes. The long
form (`make test-engines`) has whole runs: further days, executors and drivers that die, a rival.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from bridge_cart_assets.engine.cluster import Cluster
from bridge_cart_assets.engine.engine import EngineError, Frames, InProcess, Keyed
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.gold_inputs import GoldInputs
from bridge_cart_assets.pipeline.spread_gold import build_by
from bridge_cart_assets.tables.gold import COHORT_RETENTION, CUSTOMER_FEATURES, TRAINING_STATES
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_assets.transforms.folding import ORDER_KEY
from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.engine.engine_shop import LATER, SHOP, fold_in, land, take_in, unequal

TWO_EXECUTORS = "local-cluster[2,1,2048]"
# The session ignores it from its begin on, which for pytest is within one test.
pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")


def begun(address: str) -> Iterator[Cluster]:
    engine = Cluster(address)
    try:
        engine.check()
    except EngineError as missing:
        pytest.skip(str(missing).splitlines()[0])
    yield engine
    engine.stop()


@pytest.fixture
def one_task() -> Iterator[Cluster]:
    """Spark in one process."""
    yield from begun("local[1]")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two executors, for all tests of this module."""
    yield from begun(TWO_EXECUTORS)


def executors() -> list[int]:
    """The executors that this process has started, by their process numbers."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
            if b"CoarseGrainedExecutorBackend" in words and is_ours(int(folder.name)):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def is_ours(pid: int, ancestor: int | None = None) -> bool:
    """Whether a process descends from another one, this one without."""
    while pid > 1:
        if pid == (ancestor or os.getpid()):
            return True
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return False


def unequal_but_training(one: Lake, other: Lake) -> list[str]:
    """The tables that differ. A second run looks at the training of the model of the first."""
    return [table for table in unequal(one, other) if not table.startswith(TRAINING_STATES.path)]


def as_they_are(lines: pl.LazyFrame) -> Frames:
    return (lines.collect(),)


def as_it_is(rows: pl.DataFrame) -> pl.DataFrame:
    return rows


@pytest.mark.slow
def test_spark_reads_groups_adds_up_and_writes_as_one_process_does(
    one_task: Cluster, tmp_path: Path
) -> None:
    land(tmp_path, days=20)
    inputs = GoldInputs.now(take_in(tmp_path, None))
    for table in (CUSTOMER_FEATURES, COHORT_RETENTION):
        found, expected = (build_by(by, table, inputs) for by in (one_task, InProcess(3)))
        assert found is not None
        assert expected is not None
        assert_frame_equal(found.sort(table.key), expected.sort(table.key))
    lines = inputs.snapshot(PURCHASES)
    (rows,) = one_task.per_key(as_they_are, Keyed(lines.row_files(), ORDER_KEY))
    written = Lake(str(tmp_path / "written"))
    files = one_task.stage(rows, as_it_is, PURCHASES, written.root, written.options)
    written.snapshot(PURCHASES).append_files(files, Commit("run"))
    found = written.snapshot(PURCHASES).read()
    assert_frame_equal(found.sort(PURCHASES.key), lines.read().sort(PURCHASES.key))


@pytest.mark.engines
def test_a_run_on_two_executors_gives_the_tables_of_one_without(
    cluster: Cluster, tmp_path: Path
) -> None:
    land(tmp_path, days=20)
    assert unequal(take_in(tmp_path, None), take_in(tmp_path, cluster, "other")) == []


@pytest.mark.engines
def test_further_days_too(cluster: Cluster, tmp_path: Path) -> None:
    for days in (SHOP.days, *LATER):
        land(tmp_path, days=days)
        assert unequal(take_in(tmp_path, None), take_in(tmp_path, cluster, "other")) == []


@pytest.mark.engines
def test_online_retail_in_two_runs_too(
    cluster: Cluster, online_retail: Path, tmp_path: Path
) -> None:
    """Half a million real lines in 305 files; the second run brings the last three."""
    landing = tmp_path / "landing" / "online_retail"
    landing.mkdir(parents=True)
    files = sorted(online_retail.glob("*.csv"))
    for arriving in (files[:-3], files[-3:]):
        for file in arriving:
            shutil.copy(file, landing)
        assert unequal(take_in(tmp_path, None), take_in(tmp_path, cluster, "other")) == []


@pytest.mark.engines
def test_a_run_goes_on_when_an_executor_is_killed(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(tmp_path, days=20)
    expected = take_in(tmp_path, None)
    stage = cluster.stage
    killed: list[int] = []

    def kill_and_stage(*arguments: Any) -> list[str]:
        # Half of what has been folded is lost with it: it is to be written now.
        if not killed:
            killed.append(executors()[0])
            os.kill(killed[0], signal.SIGKILL)
        return stage(*arguments)

    monkeypatch.setattr(cluster, "stage", kill_and_stage)
    lake = take_in(tmp_path, cluster, "other")
    assert killed
    assert killed[0] not in executors()
    assert unequal(expected, lake) == []


DRIVER = """
import sys
from pathlib import Path
from bridge_cart_assets.engine.cluster import Cluster
from bridge_cart_tests.engine.engine_shop import take_in
take_in(Path(sys.argv[1]), Cluster(sys.argv[2]), "other")
"""


@pytest.mark.engines
@pytest.mark.parametrize("after", ["silver/purchase_repeats", "gold/customer_features"])
def test_a_killed_driver_leaves_what_the_next_run_ends(
    cluster: Cluster, tmp_path: Path, after: str
) -> None:
    land(tmp_path, days=20)
    expected = take_in(tmp_path, None)
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path), TWO_EXECUTORS],
        env=environment_of(tmp_path),
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 600
    while not any((tmp_path / "other" / after / "_delta_log").glob("*1.json")):
        assert driver.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    driver.kill()
    driver.wait()
    assert unequal_but_training(expected, take_in(tmp_path, cluster, "other")) == []


@pytest.mark.engines
def test_another_writer_meanwhile_doubles_nothing(cluster: Cluster, tmp_path: Path) -> None:
    land(tmp_path, days=20)
    expected = take_in(tmp_path, None)
    rival = threading.Thread(target=fold_in, args=(tmp_path, "other"))
    rival.start()
    take_in(tmp_path, cluster, "other")
    rival.join()
    found = take_in(tmp_path, None, "other")
    assert unequal_but_training(expected, found) == []
