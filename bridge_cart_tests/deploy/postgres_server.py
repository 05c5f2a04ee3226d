"""A Postgres server of Debian's package, in a folder of its own, on the loopback."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from bridge_cart_tests.kafka.broker import free_ports

USER = "somebody"
DATABASE = "dagster"
SECONDS_TO_START, SECONDS_TO_END = 30, 20


class PostgresMissingError(Exception):
    """Why this machine has no server to test against, in one line."""


@dataclass
class Server:
    """A server; `stop` and `start` as often as a test wants.

    Attributes:
        home: its folder.
        port: on the loopback.
        password: another one for each server, with characters that a URL has to quote.
    """

    home: Path
    port: int
    password: str = field(repr=False)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that deploy/dagster.yaml names."""
        return {
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(self.port),
            "POSTGRES_DB": DATABASE,
            "POSTGRES_USER": USER,
            "POSTGRES_PASSWORD": self.password,
        }

    def connect(self, database: str = DATABASE) -> "psycopg2.extensions.connection":
        return psycopg2.connect(
            host="127.0.0.1", port=self.port, user=USER, password=self.password, dbname=database
        )

    def ask(self, sql: str, *values: str, database: str = DATABASE) -> list[tuple[object, ...]]:
        with closing(self.connect(database)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(sql, values)
            rows: list[tuple[object, ...]] = cursor.fetchall() if cursor.description else []
            return rows

    def empty(self) -> None:
        """A database without tables."""
        self.ask(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)", database="postgres")
        self.ask(f"CREATE DATABASE {DATABASE}", database="postgres")

    def start(self) -> None:
        log = self.home / "log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *(binaries() / "postgres", "-D", self.home / "data", "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
                    *("-c", f"unix_socket_directories={self.home}"),
                ],
                stdout=output,
                stderr=output,
                cwd=self.home,
                **as_owner(),
            )
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                self.connect("postgres").close()
            except psycopg2.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(log.read_text()) from error
                time.sleep(0.05)
            else:
                return

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT in order, SIGQUIT as a crash does."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def binaries() -> Path:
    """The folder of initdb and postgres: the newest of Debian's, or what PATH has."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda initdb: float(initdb.parts[-3]),
    )
    found = str(debian[-1]) if debian else shutil.which("initdb")
    if found is None:
        raise PostgresMissingError(
            "no Postgres server on this machine (Debian's package: postgresql)"
        )
    return Path(found).parent


def as_owner() -> dict[str, Any]:
    """How to run it as another user than root, which Postgres refuses."""
    return {"user": owner(), "extra_groups": []} if os.getuid() == 0 else {}


def owner() -> int:
    """The user that runs the server."""
    if os.getuid() != 0:
        return os.getuid()
    users = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]


@contextmanager
def postgres_server() -> Iterator[Server]:
    """A server with an empty database, on a free port, ended after the block.

    Raises:
        PostgresMissingError: this machine has none.
    """
    initdb = binaries() / "initdb"
    # Not pytest's folder: its parents are closed to other users.
    home = Path(tempfile.mkdtemp(prefix="bridge-cart-postgres-"))
    (port,) = free_ports(1)
    server = Server(home, port, "p@:/%" + secrets.token_hex(8))
    (home / "password").write_text(server.password)
    for path in (home, home / "password"):
        os.chown(path, owner(), -1)
    try:
        subprocess.run(
            [
                *(initdb, "--pgdata", home / "data", "--username", USER),
                *("--pwfile", home / "password", "--auth", "scram-sha-256"),
                *("--encoding", "UTF8", "--no-locale", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            cwd=home,
            **as_owner(),
        )
        server.start()
        server.empty()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
