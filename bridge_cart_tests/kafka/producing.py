"""Messages into a topic, each acknowledged before the test goes on."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import confluent_kafka as ck

# How librdkafka writes "none given".
ANY_PARTITION, NOW = -1, 0


class Message(NamedTuple):
    """What a producer decides; a plain tuple in this order does as well.

    A value of None is a tombstone. Without a partition, the key's hash decides as in Java's
    producers; without a timestamp, the clock does.
    """

    value: bytes | None
    timestamp_ms: int | None = None
    partition: int | None = None
    key: bytes | None = None


def produce(
    bootstrap: str,
    topic: str,
    messages: Iterable[tuple[bytes | None, int | None, int | None, bytes | None]],
    settings: Mapping[str, Any] | None = None,
) -> list[tuple[int, int]]:
    """Send the messages in their order and return each one's (partition, offset)."""
    producer = ck.Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "message.timeout.ms": 15_000,
            "linger.ms": 1,
            **(settings or {}),
        }
    )
    places: dict[int, tuple[int, int]] = {}
    refused: list[str] = []

    def report(number: int, error: ck.KafkaError | None, delivered: Any) -> None:
        if error is None:
            places[number] = (delivered.partition(), delivered.offset())
        else:
            refused.append(f"message {number}: {error}")

    def send(number: int, message: Message) -> None:
        producer.produce(
            topic,
            message.value,
            key=message.key,
            partition=ANY_PARTITION if message.partition is None else message.partition,
            timestamp=NOW if message.timestamp_ms is None else message.timestamp_ms,
            on_delivery=partial(report, number),
        )

    sent = 0
    for sent, plain in enumerate(messages, start=1):
        message = Message(*plain)
        try:
            send(sent, message)
        except BufferError:
            # The queue of 100,000 is full: let it run dry.
            producer.flush(20)
            send(sent, message)
    producer.flush(20)
    if len(places) != sent:
        raise AssertionError(f"{topic} took {len(places)} of {sent} messages; {refused[:3]}")
    return [places[number] for number in sorted(places)]
