"""A standalone cluster, reached by `spark://`: a master and a worker, and the real command."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.engine.engine_shop import land, take_in, unequal
from bridge_cart_tests.engine.spark_servers import (
    free_port,
    spark_program,
    spark_server,
    wait_for_words,
)

MASTER = "org.apache.spark.deploy.master.Master"
WORKER = "org.apache.spark.deploy.worker.Worker"
HERE = ("--host", "127.0.0.1", "--webui-port", "0")
LONGEST_SECONDS = 1_800


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A master with one worker of one core, as the `spark://` that reaches it."""
    program, port = spark_program("spark-class"), free_port()
    master = f"spark://127.0.0.1:{port}"
    size = ("--cores", "1", "--memory", "1g", "--work-dir", str(tmp_path / "work"))
    with spark_server([program, MASTER, *HERE, "--port", str(port)], tmp_path, "master") as said:
        wait_for_words("New state: ALIVE", said)
        with spark_server([program, WORKER, *HERE, *size, master], tmp_path, "worker") as works:
            wait_for_words("Successfully registered with master", works)
            yield master


@pytest.mark.engines
def test_the_command_on_a_standalone_cluster_gives_the_tables_of_one_without(
    address: str, tmp_path: Path
) -> None:
    land(tmp_path, days=20)
    done = subprocess.run(
        [sys.executable, "-m", "bridge_cart_assets", "run"],
        env=environment_of(tmp_path, BRIDGE_CART_ENGINE=address, SPARK_LOCAL_IP="127.0.0.1"),
        check=False,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    work = list((tmp_path / "work").glob("app-*/*/stderr"))
    assert work, "no executor of the worker has done anything"
    assert unequal(take_in(tmp_path, None, "other"), Lake(str(tmp_path / "lake"))) == []
