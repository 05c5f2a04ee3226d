"""The servers do what they say, so that a later test's failure is not theirs."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing

import confluent_kafka as ck
import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from bridge_cart_tests.kafka.broker import Broker, wait_until
from bridge_cart_tests.kafka.mock import MockCluster, Request
from bridge_cart_tests.kafka.producing import Message, produce

LONG_AGO = 1_262_304_000_000  # 2010-01-01 UTC in milliseconds
SECONDS = 10.0


@pytest.fixture(params=["mock_cluster", pytest.param("broker", marks=pytest.mark.slow)])
def server(request: pytest.FixtureRequest) -> MockCluster | Broker:
    """What both do alike."""
    found: MockCluster | Broker = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> Iterator[str]:
    """A name that an existing broker does not have yet, and does not keep."""
    name = f"bridge-cart-test-{uuid.uuid4().hex[:8]}"
    yield name
    if "broker" in request.fixturenames:
        request.getfixturevalue("broker").delete_topic(name)


def consumer(bootstrap: str, **settings: str) -> ck.Consumer:
    return ck.Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "any",
            "auto.offset.reset": "error",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
    )


def watermarks(bootstrap: str, topic: str, partition: int = 0) -> tuple[int, int]:
    with closing(consumer(bootstrap)) as opened:
        low, high = opened.get_watermark_offsets(
            ck.TopicPartition(topic, partition), timeout=SECONDS
        )
    return low, high


def read(
    bootstrap: str, topic: str, offset: int = 0, partition: int = 0
) -> tuple[list[ck.Message], str]:
    """The messages from an offset on, and the name of the error that ended the reading."""
    messages: list[ck.Message] = []
    deadline = time.monotonic() + SECONDS
    with closing(consumer(bootstrap)) as opened:
        opened.assign([ck.TopicPartition(topic, partition, offset)])
        while time.monotonic() < deadline:
            message = opened.poll(0.1)
            if message is None:
                continue
            error = message.error()
            if error is not None:
                return messages, error.name()
            messages.append(message)
    return messages, "silence"


def topic_id(bootstrap: str, topic: str) -> str:
    # It needs a name: an AdminClient without a reference fails the requests it was given.
    admin = AdminClient({"bootstrap.servers": bootstrap})
    asked = admin.describe_topics(ck.TopicCollection([topic]))
    return str(asked[topic].result(SECONDS).topic_id)


def failure(ask: Callable[[], object]) -> str:
    with pytest.raises(ck.KafkaException) as raised:
        ask()
    name: str = raised.value.args[0].name()
    return name


def test_messages_come_back_as_they_were_sent(server: MockCluster | Broker, topic: str) -> None:
    server.create_topic(topic, partitions=2)

    places = produce(
        server.bootstrap,
        topic,
        [
            Message(b"first", LONG_AGO, 1, b"key"),
            Message(None, LONG_AGO + 1, 1, b"key"),
            Message(b"elsewhere", None, 0),
        ],
    )

    assert places == [(1, 0), (1, 1), (0, 0)]
    messages, ended = read(server.bootstrap, topic, partition=1)
    assert ended == "_PARTITION_EOF"
    assert [(one.key(), one.value(), one.timestamp()) for one in messages] == [
        (b"key", b"first", (ck.TIMESTAMP_CREATE_TIME, LONG_AGO)),
        (b"key", None, (ck.TIMESTAMP_CREATE_TIME, LONG_AGO + 1)),
    ]


def test_a_topic_created_again_is_empty_and_has_another_id(
    server: MockCluster | Broker, topic: str
) -> None:
    server.create_topic(topic)
    produce(server.bootstrap, topic, [Message(b"old")])
    before = topic_id(server.bootstrap, topic)

    server.delete_topic(topic)
    server.create_topic(topic)

    assert topic_id(server.bootstrap, topic) != before
    assert watermarks(server.bootstrap, topic) == (0, 0)


@pytest.mark.parametrize("offset", [1, 9])
def test_an_offset_out_of_range_is_an_error_and_no_message(
    server: MockCluster | Broker, topic: str, offset: int
) -> None:
    server.create_topic(topic)
    produce(server.bootstrap, topic, [Message(b"%d" % number) for number in range(5)])

    server.delete_records(topic, 0, 3)

    assert watermarks(server.bootstrap, topic) == (3, 5)
    assert read(server.bootstrap, topic, offset) == ([], "_AUTO_OFFSET_RESET")
    kept, _ = read(server.bootstrap, topic, 3)
    assert [one.value() for one in kept] == [b"3", b"4"]


def test_another_process_reaches_the_mock(mock_cluster: MockCluster) -> None:
    mock_cluster.create_topic("seen", partitions=3)
    script = (
        "import sys; from confluent_kafka.admin import AdminClient;"
        "found = AdminClient({'bootstrap.servers': sys.argv[1]}).list_topics(timeout=10);"
        "print(len(found.topics['seen'].partitions))"
    )

    said = subprocess.run(
        [sys.executable, "-c", script, mock_cluster.bootstrap],
        check=True,
        capture_output=True,
        text=True,
    )

    assert said.stdout.strip() == "3"


def test_the_mock_forgets_what_is_beyond_its_five_megabytes(mock_cluster: MockCluster) -> None:
    mock_cluster.create_topic("full")
    produce(mock_cluster.bootstrap, "full", [Message(os.urandom(100_000))] * 60)

    low, high = watermarks(mock_cluster.bootstrap, "full")

    assert high == 60
    assert 0 < low < high
    assert read(mock_cluster.bootstrap, "full", low - 1) == ([], "_AUTO_OFFSET_RESET")


def test_the_mock_goes_down_and_comes_back_with_its_messages(mock_cluster: MockCluster) -> None:
    mock_cluster.create_topic("here")
    produce(mock_cluster.bootstrap, "here", [Message(b"kept")])

    mock_cluster.take_down()
    with closing(consumer(mock_cluster.bootstrap)) as opened:
        assert failure(lambda: opened.list_topics(timeout=0.5)) == "_TRANSPORT"
    mock_cluster.bring_up()

    messages, _ = read(mock_cluster.bootstrap, "here")
    assert [one.value() for one in messages] == [b"kept"]


def test_the_mock_fails_requests_one_by_one(mock_cluster: MockCluster) -> None:
    mock_cluster.create_topic("kept")
    # Two, for the two watermarks: with one, librdkafka mostly answers (high, high) and no error.
    refusals = [KafkaError.TOPIC_AUTHORIZATION_FAILED] * 2
    mock_cluster.fail_requests(Request.LIST_OFFSETS, refusals)

    refused = failure(lambda: watermarks(mock_cluster.bootstrap, "kept"))

    assert refused == "TOPIC_AUTHORIZATION_FAILED"
    assert watermarks(mock_cluster.bootstrap, "kept") == (0, 0)


def test_the_mock_fails_one_broker_and_takes_its_time() -> None:
    with MockCluster(brokers=2) as cluster:
        cluster.create_topic("led")
        cluster.lead("led", 0, broker=2)
        slowly = (0, 400)
        cluster.fail_broker(2, Request.LIST_OFFSETS, [slowly, slowly])

        began = time.monotonic()
        assert watermarks(cluster.bootstrap, "led") == (0, 0)
        assert time.monotonic() - began >= 0.4
        cluster.take_down(2)
        assert failure(lambda: watermarks(cluster.bootstrap, "led")) == "_UNKNOWN_PARTITION"


def test_retention_overtakes_between_the_mocks_watermarks_and_the_fetch() -> None:
    with MockCluster(brokers=2) as cluster:
        cluster.create_topic("lost")
        cluster.lead("lost", 0, broker=1)
        produce(cluster.bootstrap, "lost", [Message(b"%d" % number) for number in range(5)])
        cluster.follow("lost", 0, broker=2, low=3)

        assert watermarks(cluster.bootstrap, "lost") == (0, 5)
        assert read(cluster.bootstrap, "lost", 1) == ([], "_AUTO_OFFSET_RESET")


def test_the_mock_speaks_an_older_protocol_without_topic_ids(mock_cluster: MockCluster) -> None:
    mock_cluster.create_topic("nameless")
    mock_cluster.limit_version(Request.METADATA, 9)

    assert set(topic_id(mock_cluster.bootstrap, "nameless")) == {"A"}


@pytest.mark.slow
def test_kafka_keeps_old_times_unless_the_topic_asks_for_retention(
    broker: Broker, topic: str
) -> None:
    old = [Message(b"old", LONG_AGO)] * 3
    broker.create_topic(topic)
    produce(broker.bootstrap, topic, old)
    time.sleep(0.5)
    assert watermarks(broker.bootstrap, topic) == (0, 3)

    broker.create_topic(topic, config={"retention.ms": "1000"})
    produce(broker.bootstrap, topic, old)

    wait_until(lambda: watermarks(broker.bootstrap, topic) == (3, 3), "retention has begun")


@pytest.mark.slow
def test_kafka_lets_in_who_has_the_password(broker: Broker) -> None:
    if broker.secure_bootstrap is None:
        pytest.skip("the existing broker's secured listener, if any, is not known")

    def topics(security: dict[str, str]) -> object:
        with closing(consumer(str(broker.secure_bootstrap), **security)) as opened:
            return opened.list_topics(timeout=1).brokers

    assert topics(broker.security)
    # Why it is refused goes to error_cb; the question itself only runs out of time or brokers.
    for security in ({**broker.security, "sasl.password": "guess"}, {}):
        with pytest.raises(ck.KafkaException):
            topics(security)
