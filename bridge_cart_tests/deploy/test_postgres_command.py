"""The real command on a real Postgres: when the server is away, and two commands at once."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import psycopg2
import pytest
from polars.testing import assert_frame_equal

from bridge_cart_assets.automation.instance import unusable
from bridge_cart_assets.generator.shop import Shop, generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.stored_tables import PUBLISHED_TABLES
from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.deploy.postgres_server import Server

# Columns that name a run or a moment of it.
OF_RUN = ("run_id", "quarantined_at", "made_at")
KEY = b"00" * 32
STATES = "SELECT status FROM runs WHERE pipeline_name = 'refresh' ORDER BY id"
LAST_WRITTEN_FIRST = "silver/purchases/_delta_log"


class Desk:
    """A data folder, and commands on it that keep Dagster's history on a server."""

    def __init__(self, data: Path, server: Server, home: Path) -> None:
        self.data, self.server = data, server
        self.environment = {
            **environment_of(data),
            **server.environment,
            "DAGSTER_HOME": str(home),
            "DAGSTER_STORAGE": str(data / "storage"),
        }

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "bridge_cart_assets", *arguments],
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return ended(self.start(*arguments, **environment))

    def wait_for(self, path: str, process: "subprocess.Popen[str]") -> None:
        deadline = time.monotonic() + 120
        while not (self.data / "lake" / path).exists():
            assert process.poll() is None, "it ended before"
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def states(self) -> list[object]:
        return [status for (status,) in self.server.ask(STATES)]


def ended(process: "subprocess.Popen[str]") -> "subprocess.CompletedProcess[str]":
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def tables(data: Path) -> dict[str, pl.DataFrame]:
    lake = Lake(str(data / "lake"))
    frames = {table.path: lake.snapshot(table).read() for table in PUBLISHED_TABLES}
    return {
        path: frame.drop(*OF_RUN, strict=False).pipe(lambda f: f.sort(f.columns))
        for path, frame in frames.items()
    }


def shop(data: Path) -> None:
    """A small shop, whose addresses have the same hashes wherever it lies."""
    generate(Shop(customers=60, days=20), data)
    (data / "identity.key").write_bytes(KEY)


@pytest.fixture
def desk(tmp_path: Path, postgres: Server, home: Path) -> Desk:
    shop(tmp_path / "data")
    return Desk(tmp_path / "data", postgres, home)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """The tables of the same shop, made with SQLite and without anything in between."""
    data = tmp_path_factory.mktemp("undisturbed")
    shop(data)
    done = subprocess.run(
        [sys.executable, "-m", "bridge_cart_assets", "run"],
        env=environment_of(data),
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return tables(data)


def assert_undisturbed(desk: Desk, undisturbed: dict[str, pl.DataFrame]) -> None:
    made = tables(desk.data)
    assert set(made) == set(undisturbed)
    for path, frame in undisturbed.items():
        assert_frame_equal(made[path], frame), path


def test_what_the_driver_said_is_two_lines_without_the_statement() -> None:
    refused = psycopg2.OperationalError("FATAL:  password authentication\n failed for user")
    from dagster_postgres.utils import DagsterPostgresException
    from sqlalchemy.exc import OperationalError

    def failing() -> None:
        try:
            raise OperationalError("SELECT 1", {}, refused)
        except OperationalError as error:
            raise DagsterPostgresException("too many retries for DB connection") from error

    with pytest.raises(DagsterPostgresException) as raised:
        failing()
    said = str(unusable("home", raised.value)).splitlines()
    assert len(said) == 2
    assert said[0].endswith("used: FATAL: password authentication failed for user")
    assert "POSTGRES_HOST" in said[1]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("POSTGRES_PORT", "1", "Connection refused"),
        ("POSTGRES_PASSWORD", "guessed-wrongly", "password authentication failed"),
        ("POSTGRES_DB", "nowhere", 'database "nowhere" does not exist'),
        ("POSTGRES_PORT", "abc", "POSTGRES_PORT"),
    ],
)
@pytest.mark.engines
def test_a_server_that_cannot_be_used_is_said_in_two_lines_before_the_lake_is_touched(
    desk: Desk, variable: str, value: str, said: str
) -> None:
    done = desk.run("run", **{variable: value})

    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2, done.stderr
    assert said in lines[0]
    assert desk.server.password not in done.stderr
    assert "guessed-wrongly" not in done.stderr
    assert not (desk.data / "lake").exists()
    assert desk.run("status", **{variable: value}).returncode == 1


@pytest.mark.engines
def test_a_server_that_goes_away_in_mid_run_ends_it_and_the_next_one_heals(
    desk: Desk, undisturbed: dict[str, pl.DataFrame]
) -> None:
    first = desk.start("run")
    desk.wait_for(LAST_WRITTEN_FIRST, first)
    desk.server.stop(signal.SIGQUIT)
    try:
        done = ended(first)
    finally:
        desk.server.start()

    assert done.returncode == 1
    assert desk.server.password not in done.stderr
    error = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(error) == 1
    assert done.stderr.strip().splitlines()[-2] == error[0]
    again = desk.run("run")
    assert again.returncode == 0, again.stderr
    assert "its process is gone" in " ".join(again.stderr.split())
    assert desk.states() == ["FAILURE", "SUCCESS"]
    assert_undisturbed(desk, undisturbed)


@pytest.mark.engines
def test_a_server_that_starts_again_in_mid_run_is_waited_for(
    desk: Desk, undisturbed: dict[str, pl.DataFrame]
) -> None:
    first = desk.start("run")
    desk.wait_for(LAST_WRITTEN_FIRST, first)
    desk.server.stop(signal.SIGQUIT)
    desk.server.start()
    done = ended(first)
    assert done.returncode in (0, 1), done.stderr
    if done.returncode:
        assert desk.run("run").returncode == 0
    assert desk.states()[-1] == "SUCCESS"
    assert_undisturbed(desk, undisturbed)


@pytest.mark.engines
def test_two_commands_at_once_do_the_work_once(
    desk: Desk, undisturbed: dict[str, pl.DataFrame]
) -> None:
    both = [desk.start("run"), desk.start("run")]
    done = [ended(process) for process in both]
    assert [one.returncode for one in done] == [0, 0], [one.stderr for one in done]
    assert set(desk.states()) == {"SUCCESS"}
    assert_undisturbed(desk, undisturbed)
    latest = desk.run("status", "--json")
    assert '"success": true' in latest.stdout


@pytest.mark.engines
def test_a_killed_command_frees_what_it_held(
    desk: Desk, undisturbed: dict[str, pl.DataFrame]
) -> None:
    first = desk.start("run")
    desk.wait_for(LAST_WRITTEN_FIRST, first)
    first.kill()
    ended(first)
    open_connections = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'dagster'"
    wait_until_zero(lambda: desk.server.ask(open_connections, database="postgres"))
    assert desk.run("run").returncode == 0
    assert desk.states() == ["FAILURE", "SUCCESS"]
    assert_undisturbed(desk, undisturbed)


def wait_until_zero(count: Callable[[], list[tuple[object, ...]]]) -> None:
    deadline = time.monotonic() + 30
    while count() != [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
