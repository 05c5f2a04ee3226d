"""Apache Kafka itself, when this machine has Java and Maven: what the mock only pretends to be."""

import base64
import fcntl
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

EXISTING = "BRIDGE_CART_TEST_KAFKA"
KAFKA = "4.1.0"
OLDEST_JAVA = 17
SECONDS_TO_START, SECONDS_TO_END, SECONDS_TO_FETCH = 60, 15, 300
SECONDS_TO_ANSWER = 15
JAVA = ("java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
# The mock is C inside this process: after a crash of it only the kernel can end the server.
WITH_US = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()
QUIET = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",)

# Kafka logs to nowhere unless it is given something to log with.
POM = f"""\
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>bridge-cart</groupId><artifactId>test-broker</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{KAFKA}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""

# Messages bear the shop's times, which may be years ago: only a topic that asks for retention has
# it, and then within a second. The other small numbers make one node start fast and stay small.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{control}
listeners=PLAINTEXT://127.0.0.1:{plain},SECURE://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{control}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SECURE://127.0.0.1:{secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SECURE:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.secure.plain.sasl.jaas.config={module} required user_{user}="{password}";
log.dirs={data}
auto.create.topics.enable=false
log.retention.ms=-1
log.retention.check.interval.ms=200
log.initial.task.delay.ms=100
log.segment.delete.delay.ms=0
log.cleaner.backoff.ms=200
log.cleaner.dedupe.buffer.size=2097152
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=1
num.io.threads=2
"""
LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


class BrokerMissingError(Exception):
    """Why this machine has no broker to test against, in one line."""


class Broker:
    """One broker, and what a test does to its topics.

    Attributes:
        bootstrap: host:port, without any security.
        secure_bootstrap: host:port of the same broker with SASL_PLAINTEXT and PLAIN; None for an
            existing broker, of which we know nothing.
        user: who may come in there.
        password: another one at each start, with characters that a URL has to quote.
    """

    def __init__(
        self,
        bootstrap: str,
        secure_bootstrap: str | None = None,
        user: str = "",
        password: str = "",
    ) -> None:
        self.bootstrap = bootstrap
        self.secure_bootstrap = secure_bootstrap
        self.user = user
        self.password = password
        self._admin = AdminClient(
            # The reconnecting is quick and silent while the server starts.
            {"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 200}
        )

    @property
    def security(self) -> dict[str, str]:
        """The client's settings for `secure_bootstrap`."""
        return {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": self.user,
            "sasl.password": self.password,
        }

    def answers(self) -> bool:
        try:
            return bool(self._admin.list_topics(timeout=0.5).brokers)
        except KafkaException:
            return False

    def partitions(self, topic: str) -> list[int]:
        """Those that have a leader; none when there is no such topic."""
        found = self._admin.list_topics(timeout=SECONDS_TO_ANSWER).topics.get(topic)
        if found is None or found.error:
            return []
        return sorted(number for number, one in found.partitions.items() if one.leader >= 0)

    def create_topic(
        self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None
    ) -> None:
        """An empty topic; one that has the name already is deleted first."""
        self.delete_topic(name)
        new = NewTopic(name, partitions, 1, config=dict(config or {}))
        self._admin.create_topics([new])[name].result(SECONDS_TO_ANSWER)
        wait_until(lambda: len(self.partitions(name)) == partitions, f"topic {name} is led")

    def delete_topic(self, name: str) -> None:
        try:
            self._admin.delete_topics([name])[name].result(SECONDS_TO_ANSWER)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
        wait_until(lambda: not self.partitions(name), f"topic {name} is gone")

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """What retention does: the low watermark rises to `before`."""
        asked = self._admin.delete_records([TopicPartition(topic, partition, before)])
        for answer in asked.values():
            answer.result(SECONDS_TO_ANSWER)


def wait_until(holds: Callable[[], bool], what: str, seconds: float = SECONDS_TO_ANSWER) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain until {what}")
        time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Different ones: all are held until the last is found."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def check_java() -> None:
    if shutil.which("java") is None:
        raise BrokerMissingError(f"no Java on this machine (Kafka {KAFKA} wants {OLDEST_JAVA})")
    said = subprocess.run(["java", "-version"], check=False, capture_output=True, text=True).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise BrokerMissingError(
            f"Kafka {KAFKA} wants Java {OLDEST_JAVA}, here is: {said.partition('(')[0]}"
        )


def class_path(folder: Path) -> str:
    """Kafka's jars out of Maven's local repository, fetched (43 MB) when they are not there."""
    if shutil.which("mvn") is None:
        raise BrokerMissingError("no Maven on this machine (Debian's package: maven)")
    (folder / "pom.xml").write_text(POM)
    output = folder / "class-path"
    # Two test workers do not fetch into the same repository at once.
    with (Path(tempfile.gettempdir()) / f"bridge-cart-jars-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            subprocess.run(
                ["mvn", "-q", "-B", "dependency:build-classpath", f"-Dmdep.outputFile={output}"],
                check=True,
                capture_output=True,
                text=True,
                timeout=SECONDS_TO_FETCH,
                cwd=folder,
            )
        except subprocess.TimeoutExpired:
            raise BrokerMissingError(
                f"Maven did not bring Kafka within {SECONDS_TO_FETCH} s"
            ) from None
        except subprocess.CalledProcessError as error:
            first = next(iter(error.stdout.strip().splitlines()), "it does not say why")
            raise BrokerMissingError(
                f"Maven could not bring Kafka {KAFKA}: {first[:300]}"
            ) from None
    return output.read_text().strip()


def start(
    folder: Path, plain: int, secure: int, control: int, broker: Broker
) -> "subprocess.Popen[bytes]":
    jars = class_path(folder)
    properties = folder / "server.properties"
    properties.write_text(
        PROPERTIES.format(
            plain=plain,
            secure=secure,
            control=control,
            data=folder / "data",
            module=LOGIN,
            user=broker.user,
            password=broker.password,
        )
    )
    command = [*JAVA, *QUIET, "-cp", jars]
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    with (folder / "log").open("wb") as output:
        # When this fails, so does the server, and the log says why.
        subprocess.run(
            [
                *(*command, "kafka.tools.StorageTool", "format"),
                *("--config", properties, f"--cluster-id={cluster}"),
            ],
            check=False,
            stdout=output,
            stderr=output,
            cwd=folder,
        )
        return subprocess.Popen(
            [*WITH_US, *command, "kafka.Kafka", properties],
            stdout=output,
            stderr=output,
            cwd=folder,
        )


def wait_until_ready(broker: Broker, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not broker.answers():
        if process.poll() is not None or time.monotonic() > deadline:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
            raise AssertionError(f"Kafka did not start; the end of its log:\n{last}")


def end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def kafka_broker() -> Iterator[Broker]:
    """A single node in a folder of its own, on free ports of the loopback, ended after the block.

    With the environment variable BRIDGE_CART_TEST_KAFKA=host:port it is that broker instead, which
    has to be one without security and for these tests only: the product's topic names are fixed, so
    the topics bridge-cart.customers and bridge-cart.purchases are DELETED there and created again.

    Times a producer gives may lie in the past without limit, but Kafka refuses messages from more
    than an hour in the future (INVALID_TIMESTAMP) unless the topic has a larger
    message.timestamp.after.max.ms.

    Raises:
        BrokerMissingError: when Java, Maven, or the jars and the network to fetch them, are
            missing.
    """
    existing = os.environ.get(EXISTING)
    if existing:
        broker = Broker(existing)
        wait_until(broker.answers, f"the broker of {EXISTING} answers")
        yield broker
        return
    check_java()
    folder = Path(tempfile.mkdtemp(prefix="bridge-cart-kafka-"))
    process = None
    try:
        plain, secure, control = free_ports(3)
        broker = Broker(
            bootstrap=f"127.0.0.1:{plain}",
            secure_bootstrap=f"127.0.0.1:{secure}",
            user="bridge",
            password="p@:/%" + secrets.token_hex(8),
        )
        process = start(folder, plain, secure, control, broker)
        wait_until_ready(broker, process, folder / "log")
        yield broker
    finally:
        if process is not None:
            end(process)
        shutil.rmtree(folder, ignore_errors=True)
