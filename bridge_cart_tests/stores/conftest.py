"""One S3 server for all tests of a process; each test has a bucket of its own."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge_cart_tests.stores.servers import Proxy, Server, failing_proxy, s3_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    for package in ("moto", "obstore"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: object stores are not tested")
    with s3_server(tmp_path_factory.mktemp("moto")) as running:
        yield running


@pytest.fixture
def bucket(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    name = f"shop-{abs(hash((request.node.nodeid, str(tmp_path)))):x}"
    server.make_bucket(name)
    return name


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with failing_proxy(server) as before:
        yield before
