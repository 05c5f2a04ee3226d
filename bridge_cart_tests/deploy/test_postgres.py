"""The instance of deploy/dagster.yaml on a real Postgres, when this machine has one."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg2
import pytest

from bridge_cart_assets.automation.liveness import end_dead_runs, under_way
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_tests.automation.dead_runs import (
    LONG_SILENT,
    elsewhere,
    gone,
    started,
    state,
)

INSTANCE = Path(__file__).parents[2] / "deploy" / "dagster.yaml"
USER = "somebody"
DATABASE = "dagster"


@dataclass(frozen=True)
class Server:
    """A Postgres of this test alone."""

    port: int
    password: str

    def connect(self, database: str = DATABASE) -> "psycopg2.extensions.connection":
        return psycopg2.connect(
            host="127.0.0.1", port=self.port, user=USER, password=self.password, dbname=database
        )

    def ask(self, sql: str, *values: str) -> list[tuple[object, ...]]:
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql, values)
            rows: list[tuple[object, ...]] = cursor.fetchall()
            return rows


def binaries() -> Path | None:
    """The folder of initdb and postgres: the newest of Debian's, or what PATH has."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda initdb: float(initdb.parts[-3]),
    )
    found = str(debian[-1]) if debian else shutil.which("initdb")
    return Path(found).parent if found else None


def owner() -> int:
    """The user that runs the server: this one, unless it is root, which Postgres refuses."""
    if os.getuid() != 0:
        return os.getuid()
    users = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            server.connect("postgres").close()
        except psycopg2.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(log.read_text()) from error
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    """A server in a folder of its own, on a free port of the loopback, stopped at the end."""
    folder = binaries()
    if folder is None:
        pytest.skip("no Postgres server on this machine (Debian's package: postgresql)")
    # Not pytest's folder: its parents are closed to other users.
    home = Path(tempfile.mkdtemp(prefix="bridge-cart-postgres-"))
    uid = owner()
    # Characters that a URL has to quote are part of the test.
    server = Server(port=free_port(), password="p@:/%" + secrets.token_hex(8))
    (home / "password").write_text(server.password)
    for path in (home, home / "password"):
        os.chown(path, uid, -1)
    as_owner: Any = {"user": uid, "extra_groups": []} if os.getuid() == 0 else {}
    log = home / "log"
    process = None
    try:
        subprocess.run(
            [
                *(folder / "initdb", "--pgdata", home / "data", "--username", USER),
                *("--pwfile", home / "password", "--auth", "scram-sha-256"),
                *("--encoding", "UTF8", "--no-locale", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            cwd=home,
            **as_owner,
        )
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    *(folder / "postgres", "-D", home / "data", "-p", str(server.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
                    *("-c", f"unix_socket_directories={home}"),
                ],
                stdout=output,
                stderr=output,
                cwd=home,
                **as_owner,
            )
        wait_until_ready(server, process, log)
        with closing(server.connect("postgres")) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE DATABASE {DATABASE}")
        yield server
    finally:
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def instance(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance that docker-compose.yml would have, on that server."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(INSTANCE, home)
    for name, value in {
        "DAGSTER_HOME": str(home),
        "DAGSTER_STORAGE": str(tmp_path / "storage"),
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(postgres.port),
        "POSTGRES_DB": DATABASE,
        "POSTGRES_USER": USER,
        "POSTGRES_PASSWORD": postgres.password,
    }.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.get() as opened:
        yield opened


@dg.asset
def till() -> dg.MaterializeResult[None]:
    """A trivial asset."""
    print("counted")
    return dg.MaterializeResult(metadata={"rows": 7})


def test_a_run_and_its_materialization_are_stored_in_postgres(
    instance: dg.DagsterInstance, postgres: Server, tmp_path: Path
) -> None:
    job = dg.Definitions(assets=[till]).resolve_implicit_global_asset_job_def()

    run = job.execute_in_process(instance=instance)

    assert postgres.ask("SELECT status FROM runs WHERE run_id = %s", run.run_id) == [("SUCCESS",)]
    assert postgres.ask(
        "SELECT asset_key FROM event_logs WHERE run_id = %s"
        " AND dagster_event_type = 'ASSET_MATERIALIZATION'",
        run.run_id,
    ) == [('["till"]',)]
    latest = instance.get_latest_materialization_event(dg.AssetKey("till"))
    assert latest is not None
    assert latest.run_id == run.run_id
    home = {path.name for path in (tmp_path / "home").iterdir()}
    assert home == {"dagster.yaml"}, "nothing is written beside the configuration"


def test_a_dead_run_is_ended_and_a_slot_that_it_held_is_free(
    instance: dg.DagsterInstance,
) -> None:
    """As an earlier version could leave it, which had pools."""
    instance.event_log_storage.set_concurrency_slots("till", 1)
    dead = started(instance, gone())
    instance.event_log_storage.claim_concurrency_slot("till", dead, "till")
    assert instance.event_log_storage.get_concurrency_info("till").active_slot_count == 1

    ended = end_dead_runs(instance)

    assert [run.run_id for run in ended] == [dead]
    assert state(instance, dead) == "FAILURE"
    assert instance.event_log_storage.get_concurrency_info("till").active_slot_count == 0


def test_a_run_of_another_machine_is_judged_by_its_heartbeat(
    instance: dg.DagsterInstance,
) -> None:
    alive = started(instance, elsewhere(), silent=timedelta(seconds=30))
    dead = started(instance, elsewhere(), silent=LONG_SILENT)
    assert [run.run_id for run in end_dead_runs(instance)] == [dead]
    assert (state(instance, alive), state(instance, dead)) == ("STARTED", "FAILURE")
    record = under_way(instance, "refresh")
    assert record is not None
    assert record.dagster_run.run_id == alive


def test_the_instance_has_the_launcher_that_knows_dead_runs(instance: dg.DagsterInstance) -> None:
    assert instance.run_launcher.supports_check_run_worker_health
    assert instance.run_monitoring_enabled


@pytest.mark.slow
def test_the_command_after_a_killed_one_ends_its_run_and_goes_on(
    instance: dg.DagsterInstance, postgres: Server, tmp_path: Path
) -> None:
    """The real command, killed while it writes silver."""
    instance.wipe()
    landed = tmp_path / "landing" / "purchases" / "2024-01-01.csv"
    landed.parent.mkdir(parents=True)
    landed.write_text("order_id,customer_id,purchase_date,purchase_amount\nO1,C1,2024-01-01,10\n")
    command = [sys.executable, "-m", "bridge_cart_assets", "run"]
    environment = {**os.environ, "BRIDGE_CART_DATA": str(tmp_path)}
    states = "SELECT status FROM runs WHERE pipeline_name = %s ORDER BY id"
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as first:
        deadline = time.monotonic() + 60
        while not (tmp_path / "lake/silver/purchases/_delta_log").exists():
            assert first.poll() is None, "it ended before silver"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        first.kill()
    assert postgres.ask(states, "refresh") == [("STARTED",)]

    second = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=120
    )

    assert second.returncode == 0, second.stderr
    assert "its process is gone" in " ".join(second.stderr.split())
    assert postgres.ask(states, "refresh") == [("FAILURE",), ("SUCCESS",)]
    assert Lake(str(tmp_path / "lake")).snapshot(PURCHASES).rows == 1
