"""The shop's files as messages: a message per record, dated in the day of its file.

Belongs here: sending to a topic. Does not belong here: what the records say, or how they would lie
in the landing zone (`landing`).
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

# Seconds that the brokers may take to answer, and to acknowledge the messages of a file.
DELIVERY_SECONDS = 30.0
# What names the order or the customer of a record, spoilt or not: its messages keep together.
_KEY = re.compile(rb'"(?:order_id|customer_id)"\s*:\s*"?([^",}]+)')


class NotSentError(RuntimeError):
    """The brokers did not take the messages."""


class Topics:
    """The brokers as a place for the shop's records to go to."""

    def __init__(self, brokers: Mapping[str, str]) -> None:
        self._where = brokers["bootstrap.servers"]
        self._failure: KafkaError | None = None
        self._heard: list[KafkaError] = []
        quiet: dict[str, str | int | float | bool] = {**brokers, "log_level": 0}
        self._admin = AdminClient(quiet)
        self._producer = Producer(
            {
                **quiet,
                # Each message once and in order, whatever has to be sent again on the way.
                "enable.idempotence": True,
                "partitioner": "murmur2",
                "compression.type": "zstd",
                "linger.ms": 20,
                "delivery.timeout.ms": int(DELIVERY_SECONDS * 1000),
                "error_cb": self._heard.append,
            }
        )

    def create(self, topic: str) -> None:
        """Create a topic, unless it is there; its messages stay however old they are.

        Retention goes by the messages' timestamps, and the shop's days may be years ago.

        Raises:
            NotSentError: the brokers cannot be reached, or refuse it.
        """
        with self._in_words():
            # To ask for one by its name could create it, with retention.
            if topic not in self._producer.list_topics(timeout=DELIVERY_SECONDS).topics:
                wanted = NewTopic(
                    topic,
                    num_partitions=-1,  # as the brokers do by default
                    replication_factor=-1,
                    config={"retention.ms": "-1"},
                )
                self._admin.create_topics([wanted])[topic].result(DELIVERY_SECONDS)

    def send(self, topic: str, day: date, content: bytes, zone: str = "UTC") -> None:
        """Send the lines of a file, each as a message, spread over the zone's day in their order.

        Raises:
            NotSentError: the brokers did not acknowledge all of them.
        """
        begin, end = (_midnight(one, zone) for one in (day, day + timedelta(days=1)))
        lines = content.removesuffix(b"\n").split(b"\n")
        with self._in_words():
            for number, line in enumerate(lines):
                key = _KEY.search(line)
                self._produce(
                    topic,
                    value=line,
                    key=key[1] if key else b"",
                    timestamp=begin + number * (end - begin) // len(lines),
                    on_delivery=self._note,
                )
            left = self._producer.flush(DELIVERY_SECONDS)
            if self._failure is not None or left:
                raise KafkaException(self._failure or KafkaError(KafkaError._TIMED_OUT))

    def _produce(self, topic: str, **message: object) -> None:
        while True:
            try:
                self._producer.produce(topic, **message)  # type: ignore[arg-type]
            except BufferError:
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return

    def _note(self, error: KafkaError | None, _: Message) -> None:
        self._failure = self._failure or error

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            self._producer.poll(0)  # lets it say what it has heard
            refused = [e for e in self._heard if e.code() == KafkaError._AUTHENTICATION]
            cause: KafkaError = (refused or error.args)[0]
            raise NotSentError(
                f"Kafka at {self._where}: {cause.str()}\n"
                "see that the brokers run and that the BRIDGE_CART_KAFKA_* variables fit them"
            ) from error


def _midnight(day: date, zone: str) -> int:
    """When a day begins, in milliseconds since 1970."""
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp() * 1000)
