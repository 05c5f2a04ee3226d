"""What the brokers have: topics, their partitions, the offsets that can still be read.

Belongs here: asking Kafka, and errors that say what to do. Does not belong here: how far the lake
has got (`offsets`), or reading messages into raw (`consume`).
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from bridge_cart_assets.batch_days import today

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message
    from confluent_kafka.admin import AdminClient, OffsetSpec

# How long the brokers may take to answer a question.
SECONDS = 15.0
_MILLISECONDS_OF_A_DAY = 86_400_000
# 0001-01-01 and 9999-12-31 in days since 1970.
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896

T = TypeVar("T")


class BrokersUnreachableError(RuntimeError):
    """The brokers do not answer, or refuse us."""


@dataclass(frozen=True)
class Partition:
    """One partition of a source's topic, as the brokers have it now.

    Attributes:
        topic: its topic.
        number: its number in the topic.
        low: the first offset that can still be read.
        high: the offset behind the last one that can be read.
        topic_id: what tells a topic from one of the same name that was there before; None when
            the brokers have none (before Kafka 2.8).
    """

    topic: str
    number: int
    low: int
    high: int
    topic_id: uuid.UUID | None = None

    @property
    def name(self) -> str:
        """`topic-number`, as Kafka writes it."""
        return f"{self.topic}-{self.number}"


@contextmanager
def consumer(
    brokers: Mapping[str, str], heard: "list[KafkaError] | None" = None
) -> Iterator["Consumer"]:
    """A consumer that decides nothing by itself: no group's offsets, no reset, no commits.

    Args:
        brokers: how to reach them, in librdkafka's names.
        heard: gets what goes wrong beside the answers, a refused password for instance.

    Raises:
        BrokersUnreachableError: confluent-kafka is missing, or the brokers cannot be reached or
            refuse us.
    """
    try:
        from confluent_kafka import Consumer, KafkaException
    except ImportError as error:
        raise BrokersUnreachableError(
            "Kafka is configured and the package confluent-kafka is not installed\n"
            "pip install 'bridge-cart[kafka]', or unset BRIDGE_CART_KAFKA_BOOTSTRAP_SERVERS"
        ) from error
    heard = [] if heard is None else heard
    settings = {
        **brokers,
        # A name is demanded; no group is joined, and nothing is committed to it.
        "group.id": "bridge-cart",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # With earliest or latest, messages that retention removed are passed over without a word.
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "allow.auto.create.topics": False,
        # At the end of a partition there is nothing to wait for.
        "fetch.wait.max.ms": 50,
        # Its log says the same as the errors, in more words.
        "log_level": 0,
        "error_cb": heard.append,
    }
    opened = None
    try:
        opened = Consumer(settings)
        yield opened
    except KafkaException as error:
        if opened is not None:
            opened.poll(0)  # lets it say what it has heard
        raise BrokersUnreachableError(_in_words(brokers, [*heard, error.args[0]])) from error
    finally:
        if opened is not None:
            opened.close()


def partitions_of(brokers: Mapping[str, str], topic: str) -> list[Partition]:
    """The partitions of a topic; none when there is no such topic.

    Raises:
        BrokersUnreachableError: the brokers do not answer, or refuse us.
    """
    heard: list[KafkaError] = []
    with consumer(brokers, heard) as opened:
        from confluent_kafka.admin import AdminClient, OffsetSpec

        def hear() -> "Sequence[KafkaError]":
            opened.poll(0)
            return heard

        numbers = ask_until_answered(lambda seconds: _numbers_of(opened, topic, seconds), hear)
        if not numbers:
            return []
        admin = AdminClient({**brokers, "log_level": 0})
        # First, as it makes the connection: a question for offsets that has to wait for one waits
        # up to three seconds for nothing.
        topic_id = ask_until_answered(lambda seconds: _id_of(admin, topic, seconds), hear)
        earliest, latest = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
        low = _offsets(admin, topic, numbers, earliest)
        high = _offsets(admin, topic, numbers, latest)
    return [Partition(topic, n, low[n], high[n], topic_id) for n in numbers]


def days_at(
    brokers: Mapping[str, str], offsets: Mapping[Partition, int], zone: str = "UTC"
) -> set[date]:
    """The batch days of one message of each partition; of a marker, or a gap at the end, none.

    Raises:
        BrokersUnreachableError: the brokers do not answer, or refuse us.
    """
    found: set[date] = set()
    now = today(zone)
    waiting = {(partition.topic, partition.number) for partition in offsets}
    with consumer(brokers) as opened:
        from confluent_kafka import TopicPartition

        opened.assign([TopicPartition(p.topic, p.number, offset) for p, offset in offsets.items()])
        until = time.monotonic() + SECONDS
        while waiting and time.monotonic() < until:
            message = opened.poll(1.0)
            place = message and (message.topic(), message.partition())
            if message is not None and place in waiting:
                waiting.discard(place)
                if message.error() is None:
                    found |= set(days_of([timestamp_of(message)], now, zone))
    return found


def timestamp_of(message: "Message") -> int | None:
    """Milliseconds since 1970, if the message has a timestamp."""
    kind, milliseconds = message.timestamp()
    return milliseconds if kind else None


def days_of(timestamps: Sequence[int | None], now: date, zone: str = "UTC") -> pl.Series:
    """The batch days of messages: the days of their timestamps in a time zone.

    Args:
        timestamps: milliseconds since 1970.
        now: the day of messages without a timestamp, or with one that no calendar has.
        zone: the shop's.
    """
    moment = pl.Series("moment", timestamps, dtype=pl.Int64)
    days = moment // _MILLISECONDS_OF_A_DAY
    if zone != "UTC":
        # Neither end of the calendar may be left by going to another zone.
        moment = moment.set(~days.is_between(_FIRST_DAY + 1, _LAST_DAY - 1), None)
        there = moment.cast(pl.Datetime("ms", "UTC")).dt.convert_time_zone(zone)
        return there.dt.date().fill_null(pl.lit(now))
    known = pl.when(days.is_between(_FIRST_DAY, _LAST_DAY)).then(days)
    return pl.select(known.cast(pl.Int32).cast(pl.Date).fill_null(now)).to_series()


def _numbers_of(opened: "Consumer", topic: str, seconds: float) -> list[int]:
    from confluent_kafka import KafkaError, KafkaException

    known = opened.list_topics(topic, timeout=seconds).topics[topic]
    if known.error is not None and known.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise KafkaException(known.error)
    return sorted(known.partitions)


def ask_until_answered(ask: Callable[[float], T], hear: "Callable[[], Sequence[KafkaError]]") -> T:
    """Ask the brokers until they answer or there is no hope; a cut connection is made again.

    Brokers that refuse a password give no answer at all. So after each failure the errors that
    came beside the answers count too.

    Args:
        ask: the question; it gets the seconds that the brokers may take for it.
        hear: the errors that came beside the answers.

    Raises:
        KafkaException: the last failure; after SECONDS, or at once if it will not pass.
    """
    from confluent_kafka import KafkaError, KafkaException

    lasting = {
        KafkaError._AUTHENTICATION,
        KafkaError._SSL,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    }
    until = time.monotonic() + SECONDS
    patience = 1.0
    while True:
        try:
            return ask(max(min(patience, until - time.monotonic()), 0.1))
        except KafkaException as error:
            is_hopeless = any(one.code() in lasting for one in (error.args[0], *hear()))
            if is_hopeless or time.monotonic() > until:
                raise
        patience *= 2
        time.sleep(0.1)


def _offsets(
    admin: "AdminClient", topic: str, numbers: Iterable[int], which: "OffsetSpec"
) -> dict[int, int]:
    """An end of each partition; asked again for a while, since leaders move.

    A consumer's own question for its watermarks asks twice and can take one answer for both, which
    would make a topic look empty.
    """
    from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition

    places = [TopicPartition(topic, number) for number in numbers]
    found: dict[int, int] = {}
    until = time.monotonic() + SECONDS
    while True:
        trouble = KafkaError(KafkaError._TIMED_OUT, "the brokers do not tell the offsets")
        asked = admin.list_offsets(
            {place: which for place in places if place.partition not in found},
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=max(until - time.monotonic(), 0.1),
        )
        for place, answer in asked.items():
            try:
                offset = answer.result().offset
            except KafkaException as error:
                trouble = error.args[0]
            else:
                # After a cut connection it can be negative, and there is no error.
                if offset >= 0:
                    found[place.partition] = offset
        if len(found) == len(places):
            return found
        if time.monotonic() > until:
            raise KafkaException(trouble)
        time.sleep(0.1)


def _id_of(admin: "AdminClient", topic: str, seconds: float) -> uuid.UUID | None:
    from confluent_kafka import TopicCollection

    asked = admin.describe_topics(TopicCollection([topic]), request_timeout=seconds)
    topic_id = asked[topic].result().topic_id
    halves = (topic_id.get_most_significant_bits(), topic_id.get_least_significant_bits())
    high, low = (half & 0xFFFFFFFFFFFFFFFF for half in halves)
    return uuid.UUID(int=high << 64 | low) if high or low else None


def _in_words(brokers: Mapping[str, str], errors: "Sequence[KafkaError]") -> str:
    """Where, what and what to do; of several errors the one that is a cause and not a symptom."""
    from confluent_kafka import KafkaError

    # What tells least comes last.
    symptoms = [KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN]
    causes = sorted(errors, key=lambda e: e.code() in symptoms and symptoms.index(e.code()) + 1)
    return (
        f"Kafka at {brokers['bootstrap.servers']}: {causes[0].str()}\n"
        "see that the brokers run and that the BRIDGE_CART_KAFKA_* variables fit them; "
        "what has been taken is safe"
    )
