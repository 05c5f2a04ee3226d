"""A Kafka cluster without Java: the one inside librdkafka, which breaks on request."""

import ctypes
from collections.abc import Iterable
from enum import IntEnum
from types import TracebackType
from typing import Any

import confluent_kafka.cimpl
from confluent_kafka import KafkaError, KafkaException

CLIENT = 0  # RD_KAFKA_PRODUCER: the handle that keeps the cluster's books sends nothing itself.
ALL_BROKERS = -1
TEXT, NUMBER, OFFSET = ctypes.c_char_p, ctypes.c_int32, ctypes.c_int64
API_KEY, COUNT, HANDLE = ctypes.c_int16, ctypes.c_size_t, ctypes.c_void_p

# What each function takes after the cluster itself. Without it ctypes would cut a pointer to 32
# bits, and pass what follows as "..." wrongly on some processors.
TAKES: dict[str, tuple[Any, ...]] = {
    "topic_create": (TEXT, ctypes.c_int, ctypes.c_int),
    "topic_delete": (TEXT,),
    "topic_set_error": (TEXT, ctypes.c_int),
    "partition_delete_records": (TEXT, NUMBER, OFFSET),
    "partition_set_leader": (TEXT, NUMBER, NUMBER),
    "partition_set_follower": (TEXT, NUMBER, NUMBER),
    "partition_set_follower_wmarks": (TEXT, NUMBER, OFFSET, OFFSET),
    "broker_set_down": (NUMBER,),
    "broker_set_up": (NUMBER,),
    "broker_set_rtt": (NUMBER, ctypes.c_int),
    "set_controller_id": (NUMBER,),
    "set_apiversion": (API_KEY, API_KEY, API_KEY),
    "push_request_errors_array": (API_KEY, COUNT, ctypes.POINTER(ctypes.c_int)),
    "broker_push_request_error_rtts": (NUMBER, API_KEY, COUNT),
    "clear_request_errors": (API_KEY,),
    "cluster_destroy": (),
}
WITHOUT_RESULT = {
    *("topic_set_error", "push_request_errors_array", "clear_request_errors"),
    *("set_controller_id", "cluster_destroy"),
}


class Request(IntEnum):
    """The protocol's number for a kind of request."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    API_VERSIONS = 18
    INIT_PRODUCER_ID = 22


def library() -> ctypes.CDLL:
    """The librdkafka that confluent_kafka itself has loaded, wherever its wheel keeps it."""
    # Symbols are looked for in a module's dependencies as well.
    loaded = ctypes.CDLL(confluent_kafka.cimpl.__file__)
    loaded.rd_kafka_conf_new.restype = HANDLE
    loaded.rd_kafka_conf_set.argtypes = [HANDLE, TEXT, TEXT, TEXT, COUNT]
    loaded.rd_kafka_new.restype = HANDLE
    loaded.rd_kafka_new.argtypes = [ctypes.c_int, HANDLE, ctypes.c_char_p, COUNT]
    loaded.rd_kafka_destroy.restype = None
    loaded.rd_kafka_destroy.argtypes = [HANDLE]
    loaded.rd_kafka_mock_cluster_new.restype = HANDLE
    loaded.rd_kafka_mock_cluster_new.argtypes = [HANDLE, ctypes.c_int]
    loaded.rd_kafka_mock_cluster_bootstraps.restype = TEXT
    loaded.rd_kafka_mock_cluster_bootstraps.argtypes = [HANDLE]
    for name, takes in TAKES.items():
        function = getattr(loaded, f"rd_kafka_mock_{name}")
        function.argtypes = [HANDLE, *takes]
        function.restype = None if name in WITHOUT_RESULT else ctypes.c_int
    return loaded


class MockCluster:
    """Brokers 1 to `brokers` on the loopback, for this and other processes, until closed.

    >>> with MockCluster() as cluster:
    ...     cluster.create_topic("bridge-cart.customers", partitions=2)
    ...     consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "any"})

    Seen with librdkafka 2.16.1, and held by test_servers.py where a test could lean on it:

    As Kafka does it: the producer's timestamps, keys, headers and tombstones; offsets and
    watermarks; a cluster id of its own for each cluster; topic ids (`AdminClient.describe_topics`),
    a new one for a topic created again; offsets out of range: a consumer with
    `auto.offset.reset=error` gets one message with the error `_AUTO_OFFSET_RESET` and the offset it
    wanted, and then nothing more of that partition. Retention: a partition keeps 5 MB or
    100,000 batches, drops its oldest batches at once, and the low watermark rises.

    Otherwise than Kafka: metadata requests that may create topics (a producer's, an AdminClient's
    `list_topics(name)`; not a consumer's) make an unknown topic with 4 partitions. `read_committed`
    gets aborted and open transactions too, the control records take their offsets.
    `offsets_for_times` knows no times: -1 always. What a broker that is down leads is at once
    `_UNKNOWN_PARTITION` to who asks for watermarks.

    Not at all: AdminClient's create_topics, delete_topics, delete_records and describe_configs
    (`_UNSUPPORTED_FEATURE`; the methods below instead), topic configuration, compaction, SASL, TLS.

    Of the client, met with `fail_requests`: when only one of the two requests behind
    `get_watermark_offsets` fails, it mostly returns the other's offset as both, without an error.

    A consumer that is already assigned gets no message with an error about a broker that is down or
    a deleted topic: `poll` goes on returning None, and only its `error_cb` is called
    (`_ALL_BROKERS_DOWN`; `UNKNOWN_TOPIC_OR_PART` after up to 30 s).
    """

    def __init__(self, brokers: int = 1) -> None:
        self._library = library()
        why = ctypes.create_string_buffer(512)
        settings = self._library.rd_kafka_conf_new()
        # Without the notice that this client has no bootstrap servers: it connects to none.
        self._library.rd_kafka_conf_set(settings, b"log_level", b"4", why, len(why))
        self._client = self._library.rd_kafka_new(CLIENT, settings, why, len(why))
        if not self._client:
            raise RuntimeError(f"librdkafka has no client for a mock cluster: {why.value!r}")
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, brokers)
        if not self._cluster:
            self._library.rd_kafka_destroy(self._client)
            raise RuntimeError(f"librdkafka has no mock cluster of {brokers} brokers")
        self.bootstrap: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        # As it starts, no broker is the controller, and an AdminClient waits for one in vain.
        self._ask("set_controller_id", 1)

    def __enter__(self) -> "MockCluster":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._cluster:
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._library.rd_kafka_destroy(self._client)
            self._cluster = None

    def _ask(self, name: str, *values: object) -> None:
        if not self._cluster:
            raise RuntimeError("this mock cluster is closed")
        # Not library[…], which forgets the types.
        code = getattr(self._library, f"rd_kafka_mock_{name}")(
            self._cluster,
            *(value.encode() if isinstance(value, str) else value for value in values),
        )
        if code:
            raise KafkaException(KafkaError(code, f"rd_kafka_mock_{name}{values}"))

    def create_topic(self, name: str, partitions: int = 1) -> None:
        self._ask("topic_create", name, partitions, 1)

    def delete_topic(self, name: str) -> None:
        self._ask("topic_delete", name)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """What retention does: the low watermark rises to `before`."""
        self._ask("partition_delete_records", topic, partition, before)

    def take_down(self, broker: int = ALL_BROKERS) -> None:
        """Its connections are cut and new ones refused; what it leads stays with it."""
        self._ask("broker_set_down", broker)

    def bring_up(self, broker: int = ALL_BROKERS) -> None:
        self._ask("broker_set_up", broker)

    def slow_down(self, milliseconds: int, broker: int = ALL_BROKERS) -> None:
        """Every answer of the broker takes that long; 0 is as before."""
        self._ask("broker_set_rtt", broker, milliseconds)

    def lead(self, topic: str, partition: int, broker: int) -> None:
        """Make the broker the partition's leader.

        Not -1, for none: the next fetch would be a segmentation fault of this process. Taking down
        a broker that leads looks the same to a consumer.
        """
        if broker < 1:
            raise ValueError(f"broker {broker} cannot lead {topic}: they are numbered from 1")
        self._ask("partition_set_leader", topic, partition, broker)

    def follow(
        self, topic: str, partition: int, broker: int, low: int = -1, high: int = -1
    ) -> None:
        """Send consumers to this broker, as if it held other watermarks (-1: the leader's)."""
        self._ask("partition_set_follower", topic, partition, broker)
        self._ask("partition_set_follower_wmarks", topic, partition, low, high)

    def fail_topic(self, topic: str, error: int) -> None:
        """Answer metadata requests about the topic with this error; 0 ends it."""
        self._ask("topic_set_error", topic, error)

    def fail_requests(self, request: Request, errors: Iterable[int]) -> None:
        """Answer the next requests of this kind with these errors (`KafkaError.…`), one each.

        `KafkaError._TRANSPORT` cuts the connection instead, 0 lets one request pass.
        """
        codes = list(errors)
        self._ask(
            "push_request_errors_array", request, len(codes), (ctypes.c_int * len(codes))(*codes)
        )

    def fail_broker(
        self, broker: int, request: Request, answers: Iterable[tuple[int, int]]
    ) -> None:
        """The same for one broker, as (error or 0, milliseconds until the answer)."""
        answers = list(answers)
        flat = [ctypes.c_int(number) for answer in answers for number in answer]
        self._ask("broker_push_request_error_rtts", broker, request, len(answers), *flat)

    def forgive(self, request: Request) -> None:
        """Forget what is left of `fail_requests`."""
        self._ask("clear_request_errors", request)

    def limit_version(self, request: Request, newest: int, oldest: int = 0) -> None:
        """Speak the protocol of older brokers; `newest=-1, oldest=-1` is not to know it at all."""
        self._ask("set_apiversion", request, oldest, newest)
