"""A server of Spark Connect, reached by `sc://`, gives the tables of a run without an engine."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge_cart_assets.engine.cluster import Cluster
from bridge_cart_assets.engine.engine import EngineError, python_path
from bridge_cart_tests.engine.engine_shop import land, take_in, unequal

SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server with one task at a time, as the `sc://` that reaches it."""
    pyspark = pytest.importorskip("pyspark")
    try:
        Cluster("local[1]").check()
    except EngineError as missing:
        pytest.skip(str(missing).splitlines()[0])
    port = free_port()
    conf = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
        "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }
    told = [word for name, value in conf.items() for word in ("--conf", f"{name}={value}")]
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    said = tmp_path / "server.log"
    with said.open("wb") as log:
        server = subprocess.Popen(
            [submit, "--master", "local[1]", "--class", SERVER, *told, "spark-internal"],
            env={
                **os.environ,
                "PYTHONPATH": python_path(),
                "PYSPARK_PYTHON": sys.executable,
                "SPARK_LOCAL_IP": "127.0.0.1",
            },
            cwd=tmp_path,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(port, server, said)
        yield f"sc://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=60)


def wait_for(port: int, server: "subprocess.Popen[bytes]", said: Path) -> None:
    deadline = time.monotonic() + 300
    while True:
        assert server.poll() is None, said.read_text()[-2000:]
        assert time.monotonic() < deadline, said.read_text()[-2000:]
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.5)


@pytest.mark.engines
def test_a_run_on_a_connect_server_gives_the_tables_of_one_without(
    address: str, tmp_path: Path
) -> None:
    land(tmp_path, days=20)
    engine = Cluster(address)
    try:
        assert unequal(take_in(tmp_path, None), take_in(tmp_path, engine, "other")) == []
    finally:
        engine.stop()
