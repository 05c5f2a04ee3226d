"""Spark's own servers as processes of this machine: of Connect, and a master with a worker.

Belongs here: starting and ending them. Does not belong here: what a test expects of the product.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge_cart_assets.engine.cluster import Cluster
from bridge_cart_assets.engine.engine import EngineError, python_path

LONGEST_SECONDS = 300
_ENDS_WITHIN_SECONDS = 60


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def spark_program(name: str) -> str:
    """A program of the installed pyspark; without it or Java the test is skipped."""
    pyspark = pytest.importorskip("pyspark")
    try:
        Cluster("local[1]").check()
    except EngineError as missing:
        pytest.skip(str(missing).splitlines()[0])
    return str(Path(pyspark.__file__).parent / "bin" / name)


@contextmanager
def spark_server(arguments: Sequence[str], folder: Path, name: str) -> Iterator[Path]:
    """A server of Spark for as long as it is used; gives the file of what it says."""
    said = folder / f"{name}.log"
    with said.open("wb") as log:
        server = subprocess.Popen(
            arguments,
            env={
                **os.environ,
                "PYTHONPATH": python_path(),
                "PYSPARK_PYTHON": sys.executable,
                "SPARK_LOCAL_IP": "127.0.0.1",
            },
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        yield said
    finally:
        server.terminate()
        server.wait(timeout=_ENDS_WITHIN_SECONDS)


def wait_for_port(port: int, said: Path) -> None:
    """Until something listens on a port."""
    end = time.monotonic() + LONGEST_SECONDS
    while True:
        assert time.monotonic() < end, said.read_text()[-2000:]
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.5)


def wait_for_words(words: str, said: Path) -> None:
    """Until a server says something."""
    end = time.monotonic() + LONGEST_SECONDS
    while words not in said.read_text():
        assert time.monotonic() < end, said.read_text()[-2000:]
        time.sleep(0.5)
