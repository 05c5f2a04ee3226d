"""The services of docker-compose.yml as processes of this machine, without containers.

Belongs here: what a container engine would do: environment, command, health, restart. Our own
services run the commands that the file gives them, with the environment that it gives them. In the
place of others' images stand Debian's Postgres, Apache Kafka out of Maven, with the settings of the
file, and moto's server for MinIO.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bridge_cart_tests.deploy.postgres_server import DATABASE, USER, Server, postgres_server
from bridge_cart_tests.kafka.broker import (
    JAVA,
    QUIET,
    Broker,
    check_java,
    class_path,
    free_ports,
    wait_until,
)

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SECONDS_TO_START, SECONDS_TO_END = 180, 30
_DEFAULT = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
# What the containers listen on.
_CODE, _UI, _PAGE, _STORE, _BROKER, _QUORUM = 4000, 3000, 5010, 9000, 9092, 9093


def interpolated(text: str, env: Mapping[str, str]) -> str:
    """`${NAME}`, `${NAME:-default}` and `${NAME:?word}` as the engine reads them.

    Raises:
        KeyError: a variable that has to be set is not.
    """

    def value(match: "re.Match[str]") -> str:
        name, kind, rest = match.groups()
        found = env.get(name, "")
        if kind == "?" and not found:
            raise KeyError(f"{name}: {rest}")
        return found or (rest if kind == "-" else "")

    return _DEFAULT.sub(value, text)


def environment_of(service: str, env: Mapping[str, str]) -> dict[str, str]:
    """What a service's container would have: of the image, then of the file."""
    text = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    (block,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", text, re.M)
    made = dict(pair.split("=", 1) for pair in block.replace("\\\n", " ").split())
    for name, value in SERVICES[service].get("environment", {}).items():
        if value is not None:
            made[name] = interpolated(str(value), env)
        elif name in env:
            made[name] = env[name]
    return made


@dataclass
class Process:
    """A service of ours; it is started again when it ends by itself, as the file says."""

    name: str
    command: Sequence[str]
    check: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    log: Path
    restarts: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    _wanted: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        with self._lock:
            self._wanted = True
            self._launch()

    def _launch(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                env=dict(self.env),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def look_after(self) -> None:
        """`restart: unless-stopped`."""
        with self._lock:
            if self._wanted and self.process is not None and self.process.poll() is not None:
                # What it had started ends with a container.
                self._signal(signal.SIGKILL)
                self.restarts += 1
                self._launch()

    def kill(self) -> None:
        """The container, at once; it is started again."""
        with self._lock:
            self._signal(signal.SIGKILL)
            if self.process is not None:
                self.process.wait(SECONDS_TO_END)

    def stop(self) -> None:
        """As `docker compose stop` does, with TINI_KILL_PROCESS_GROUP for all of them."""
        with self._lock:
            self._wanted = False
            self._signal(signal.SIGTERM)
            if self.process is not None:
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(SECONDS_TO_END)
            self._signal(signal.SIGKILL)
            if self.process is not None:
                self.process.wait(SECONDS_TO_END)

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def is_healthy(self) -> bool:
        done = subprocess.run(
            self.check, env=dict(self.env), cwd=self.folder, check=False, capture_output=True
        )
        return done.returncode == 0

    def wait_until_healthy(self) -> None:
        wait_until(self.is_healthy, f"{self.name} is healthy: see {self.log}", SECONDS_TO_START)


@dataclass
class Kafka:
    """The broker with the settings that the file gives its image."""

    folder: Path
    env: Mapping[str, str]
    plain: int
    control: int
    process: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        check_java()
        self.jars = class_path(self.folder)
        self.broker = Broker(f"127.0.0.1:{self.plain}")
        ports = {f":{_BROKER}": f":{self.plain}", f":{_QUORUM}": f":{self.control}"}
        lines = {}
        for name, value in self.env.items():
            if name.startswith("KAFKA_") and name != "KAFKA_HEAP_OPTS":
                text = re.sub("kafka(?=:)|localhost", "127.0.0.1", value).replace(
                    "//:", "//127.0.0.1:"
                )
                for port, here in ports.items():
                    text = text.replace(port, here)
                lines[name.removeprefix("KAFKA_").lower().replace("_", ".")] = text
        lines["log.dirs"] = str(self.folder / "data")
        self.properties = self.folder / "server.properties"
        self.properties.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        self._java(
            "kafka.tools.StorageTool",
            "format",
            "--config",
            str(self.properties),
            "--cluster-id=bridgecartbridgecart00",
        ).wait(SECONDS_TO_START)

    def _java(self, *arguments: str) -> "subprocess.Popen[bytes]":
        with (self.folder / "log").open("ab") as output:
            return subprocess.Popen(
                [*JAVA, *QUIET, "-cp", self.jars, *arguments],
                stdout=output,
                stderr=output,
                cwd=self.folder,
            )

    def start(self) -> None:
        self.process = self._java("kafka.Kafka", str(self.properties))
        wait_until(self.broker.answers, "Kafka answers", SECONDS_TO_START)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@dataclass
class Stack:
    """All of it.

    Attributes:
        data: the folder that the containers see as /data.
        store: where the object store is, with the profile minio; else None.
        ours: the services that run our image, by name.
        page, ui: where the report page and Dagster's are.
    """

    data: Path
    postgres: Server
    kafka: Kafka
    store: str | None
    ours: Mapping[str, Process]
    page: str
    ui: str

    def produce(self, *arguments: str) -> str:
        """The service `shop`, with its own command or with that of `docker compose run`."""
        shop = self.ours["shop"]
        done = subprocess.run(
            [*shop.command[:1], *arguments] if arguments else shop.command,
            env=dict(shop.env),
            cwd=shop.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_START,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def stack(folder: Path, **settings: str) -> Iterator[Stack]:
    """Everything up and healthy; `settings` are further lines of the file .env.

    Raises:
        PostgresMissingError, BrokerMissingError: this machine has no such server.
    """
    with ExitStack() as held:
        postgres = held.enter_context(postgres_server())
        code, ui, page, plain, control = free_ports(5)
        data, image = folder / "data", folder / "image"
        data.mkdir(parents=True)
        (folder / "kafka").mkdir()
        (folder / "log").mkdir()
        (folder / "home").mkdir()
        shutil.copytree(ROOT / "deploy", image)
        workspace = (image / "workspace.yaml").read_text()
        (image / "workspace.yaml").write_text(
            workspace.replace("host: code", "host: 127.0.0.1").replace(str(_CODE), str(code))
        )
        env = {
            "POSTGRES_USER": USER,
            "POSTGRES_PASSWORD": postgres.password,
            "BRIDGE_CART_UID": str(os.getuid()),
            "BRIDGE_CART_GID": str(os.getgid()),
            **settings,
        }
        assert SERVICES["postgres"]["environment"]["POSTGRES_DB"] == DATABASE
        here = {
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(postgres.port),
            "BRIDGE_CART_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{plain}",
            "BRIDGE_CART_DATA": str(data),
            "DAGSTER_HOME": str(image),
            "DAGSTER_STORAGE": str(data / "dagster" / "storage"),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(folder / "home"),
            "PYTHONPATH": str(ROOT),
        }
        kafka = Kafka(folder / "kafka", environment_of("kafka", env), plain, control)
        held.callback(kafka.stop)
        kafka.start()

        endpoint = held.enter_context(object_store(folder, env)) if _is_in_store(env) else None
        if endpoint:
            assert env["AWS_ENDPOINT_URL"] == f"http://minio:{_STORE}"
            here["AWS_ENDPOINT_URL"] = endpoint

        def of(name: str) -> Process:
            service = SERVICES[name]
            given = environment_of(name, env)
            made = given | {key: value for key, value in here.items() if key in given}
            made |= {"PATH": here["PATH"], "PYTHONPATH": here["PYTHONPATH"]}

            def words(command: Sequence[str]) -> list[str]:
                ports = {str(_CODE): str(code), str(_UI): str(ui), str(_PAGE): str(page)}
                found = []
                for word in command:
                    text = re.sub(r"\b0(\.0){3}\b", "127.0.0.1", word)
                    for port, other in ports.items():
                        text = re.sub(rf"\b{port}\b", other, text)
                    found.append(text)
                program = Path(sys.executable).parent / found[0]
                return [str(program) if program.exists() else found[0], *found[1:]]

            check = service.get("healthcheck", {}).get("test", ["CMD", "true"])
            return Process(
                name,
                words(service["command"]),
                words(check[1:]),
                made,
                image,
                folder / "log" / name,
            )

        ours = {name: of(name) for name in ("code", "webserver", "daemon", "report", "shop")}
        running = [ours[name] for name in ("code", "webserver", "daemon", "report")]
        over = threading.Event()

        def look_after_all() -> None:
            while not over.wait(0.5):
                for service in running:
                    service.look_after()

        keeper = threading.Thread(target=look_after_all, daemon=True)
        for service in running:
            held.callback(service.stop)
        held.callback(keeper.join)
        held.callback(over.set)
        keeper.start()
        for service in running:
            service.start()
            service.wait_until_healthy()
        yield Stack(
            data,
            postgres,
            kafka,
            endpoint,
            ours,
            f"http://127.0.0.1:{page}",
            f"http://127.0.0.1:{ui}",
        )


def _is_in_store(env: Mapping[str, str]) -> bool:
    return env.get("BRIDGE_CART_LAKE", "").startswith("s3://")


@contextmanager
def object_store(folder: Path, env: Mapping[str, str]) -> Iterator[str]:
    """moto's server in the place of `minio`, with the bucket that `bucket` makes; its address."""
    import boto3  # type: ignore[import-untyped]

    (port,) = free_ports(1)
    endpoint = f"http://127.0.0.1:{port}"
    with (folder / "log" / "minio").open("ab") as output:
        server = subprocess.Popen(
            [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)],
            stdout=output,
            stderr=output,
        )
    try:
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        )
        bucket = env["BRIDGE_CART_LAKE"].removeprefix("s3://").partition("/")[0]
        eventually(lambda: bool(client.list_buckets()), "the object store answers", 60)
        client.create_bucket(Bucket=bucket)
        yield endpoint
    finally:
        server.terminate()
        server.wait(SECONDS_TO_END)


def eventually(holds: Callable[[], bool], what: str, seconds: float = 300) -> None:
    """Until something holds; what raises meanwhile (a service is down) does not hold yet."""

    def quietly() -> bool:
        try:
            return holds()
        except Exception:  # noqa: BLE001 (a server that is down says so in many ways)
            time.sleep(0.5)
            return False

    wait_until(quietly, what, seconds)
