"""The server and its Dagster instance as fixtures."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from bridge_cart_tests.deploy.postgres_server import (
    PostgresMissingError,
    Server,
    postgres_server,
)

INSTANCE = Path(__file__).parents[2] / "deploy" / "dagster.yaml"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Postgres; one per worker."""
    try:
        with postgres_server() as started:
            yield started
    except PostgresMissingError as reason:
        pytest.skip(str(reason))


@pytest.fixture
def postgres(server: Server) -> Server:
    """The server with an empty database."""
    server.empty()
    return server


@pytest.fixture
def home(tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """DAGSTER_HOME with deploy/dagster.yaml, as the image has it; its variables are set."""
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy(INSTANCE, folder)
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    monkeypatch.setenv("DAGSTER_STORAGE", str(tmp_path / "storage"))
    for name, value in postgres.environment.items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance that docker-compose.yml would have, on that server."""
    with dg.DagsterInstance.get() as opened:
        yield opened
