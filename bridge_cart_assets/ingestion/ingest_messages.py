"""Messages become raw records, each once, rows and offsets in one commit.

Belongs here: the protocol for topics, as `ingest_files` has the one for files. Partitions are
assigned by hand from the offsets in the raw table; before a commit they are looked up again on the
very handle that writes, so that messages which another run was faster with are left out.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import polars as pl

from bridge_cart_assets.batch_days import last_batch_day, local_day, today
from bridge_cart_assets.ingestion.erased_records import ErasedNames
from bridge_cart_assets.ingestion.kafka_admin import (
    consumer,
    days_at,
    days_of,
    partitions_of,
    timestamp_of,
)
from bridge_cart_assets.ingestion.offsets import (
    Count,
    MessagesLostError,
    Position,
    next_offset,
    positions,
    refuse_lost,
    transactions_of,
    upsert_offsets,
)
from bridge_cart_assets.ingestion.readers import read_objects
from bridge_cart_assets.lake.commits import Commit, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.sources import Source

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message

# A commit has at most so many messages, or about so many bytes of them: what a run holds in memory.
COMMIT_MESSAGES = 100_000
COMMIT_BYTES = 64 * 1024**2
# Messages that the consumer is asked for at once.
FETCH_MESSAGES = 20_000
# Leaders move and brokers restart; librdkafka tries again by itself for so long.
PATIENCE_SECONDS = 60.0


@dataclass
class MessagesTaken:
    """What was taken of a source's topic.

    Attributes:
        records: messages added to raw, of every status.
        quarantined: those of them that are no records.
        unknown: columns that the source does not declare, which are in `_rescued`.
        days: batch days that got records.
    """

    records: int = 0
    quarantined: int = 0
    unknown: set[str] = field(default_factory=set)
    days: set[date] = field(default_factory=set)


@dataclass
class _Batch:
    """Messages in the order of their offsets, column by column, and how far has been read.

    Attributes:
        numbers: partition of each message.
        offsets: its offset.
        timestamps: milliseconds since 1970, None where there is no timestamp.
        values: its value, None of a tombstone.
        bytes: of all values.
        reached: by partition, the offset to go on with.
    """

    numbers: list[int | None] = field(default_factory=list)
    offsets: list[int | None] = field(default_factory=list)
    timestamps: list[int | None] = field(default_factory=list)
    values: list[bytes | str | None] = field(default_factory=list)
    bytes: int = 0
    reached: dict[int, int] = field(default_factory=dict)

    def add(self, messages: "Sequence[Message]") -> None:
        """Add messages; without a loop of our own for each."""
        self.numbers += [message.partition() for message in messages]
        self.offsets += [message.offset() for message in messages]
        self.timestamps += [timestamp_of(message) for message in messages]
        values = [message.value() for message in messages]
        self.values += values
        self.bytes += sum(map(len, filter(None, values)))

    @property
    def is_full(self) -> bool:
        """Whether it is as much as a commit should have."""
        return len(self.values) >= COMMIT_MESSAGES or self.bytes >= COMMIT_BYTES


def lagging_partitions(lake: Lake, source: Source, brokers: Mapping[str, str]) -> list[Position]:
    """The partitions of a source's topic that have messages which raw does not have.

    Raises:
        BrokersUnreachableError: the brokers do not answer, or refuse us.
        MessagesLostError: messages that were not taken are gone.
    """
    return [position for position in _positions_of(lake, source, brokers) if position.lag]


def _positions_of(lake: Lake, source: Source, brokers: Mapping[str, str]) -> list[Position]:
    if not brokers or source.topic is None:
        return []
    found = positions(lake.snapshot(source.raw), source.topic, partitions_of(brokers, source.topic))
    refuse_lost(found)
    return found


def estimated_batch_days(
    brokers: Mapping[str, str], due: Sequence[Position], zone: str = "UTC"
) -> set[date]:
    """The batch days of the first and the last message of each partition.

    A hint for the range of a run: in between there may be others.
    """
    first = days_at(brokers, {p.partition: p.next for p in due}, zone)
    last = days_at(brokers, {p.partition: p.partition.high - 1 for p in due}, zone)
    return first | last or {today(zone)}


def ingest_messages(
    lake: Lake,
    source: Source,
    brokers: Mapping[str, str],
    run_id: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
    zone: str = "UTC",
    hash_key: bytes | None = None,
) -> MessagesTaken:
    """Take in the messages that the topic has now; those that come meanwhile are the next run's.

    Args:
        lake: where the raw table lies.
        source: the source; without a topic there is nothing to take.
        brokers: how to reach them; empty when there are none.
        run_id: Dagster run that takes them.
        progress: gets the number of messages done and of all.
        zone: the shop's time zone, whose days batch days are.
        hash_key: by which records of erased persons are recognised.

    Raises:
        BrokersUnreachableError: the brokers do not answer, or refuse us.
        MessagesLostError: messages that were not taken are gone. What was taken before stays.
    """
    consumed = MessagesTaken()
    standing = _positions_of(lake, source, brokers)
    due = [position for position in standing if position.lag]
    if not due:
        upsert_offsets(
            lake, source, {p: Count(p.next) for p in standing}, run_id, datetime.now(UTC)
        )
        return consumed
    # Written down too: what retention removes of them from now on is a loss.
    idle = {position: position.next for position in standing if not position.lag}
    by_number = {position.partition.number: position for position in due}
    counts = {position: Count(position.next) for position in due}
    total = sum(position.lag for position in due)
    try:
        with consumer(brokers) as opened:
            for batch in _batches(opened, by_number):
                now = datetime.now(UTC)
                rows, unknown = _rows(batch, by_number, source, run_id, now, zone)
                reached = {by_number[n]: offset for n, offset in batch.reached.items()}
                written = retry_on_conflict(
                    lambda rows=rows, all_=idle | reached: _commit(
                        lake, source, rows, all_, run_id, zone, hash_key
                    )  # type: ignore[misc]
                )
                for position, offset in reached.items():
                    mine = written.filter(pl.col("_object") == position.partition.name)
                    counts[position].add(mine, offset)
                _count(consumed, written, unknown)
                progress(sum(c.reached - p.next for p, c in counts.items()), total)
    finally:
        counts |= {position: Count(position.next) for position in idle}
        upsert_offsets(lake, source, counts, run_id, datetime.now(UTC))
    return consumed


def _batches(opened: "Consumer", due: Mapping[int, Position]) -> Iterator[_Batch]:
    """Read the partitions up to where they end now, a batch at a time."""
    reading = _Reading(opened, due)
    try:
        while reading.unfinished:
            reading.take(opened.consume(FETCH_MESSAGES, timeout=0.1))
            reading.lose_patience()
            if reading.batch.is_full:
                yield reading.next_batch()
                reading.be_patient()
    except MessagesLostError:
        # What has been read may be gone from the brokers as well.
        yield reading.next_batch()
        raise
    yield reading.next_batch()


class _Reading:
    """The partitions on their way to their ends."""

    def __init__(self, opened: "Consumer", due: Mapping[int, Position]) -> None:
        from confluent_kafka import KafkaError, TopicPartition

        self._opened = opened
        self._due = due
        self._at = {n: TopicPartition(p.partition.topic, n, p.next) for n, p in due.items()}
        self._reached = {number: position.next for number, position in due.items()}
        self._trouble = KafkaError(KafkaError._TIMED_OUT, "no message came")
        self.unfinished = set(due)
        self.batch = _Batch()
        self.be_patient()
        opened.assign(list(self._at.values()))

    def next_batch(self) -> _Batch:
        """What has been read since the last batch."""
        read, self.batch = self.batch, _Batch()
        read.reached = dict(self._reached)
        return read

    def take(self, got: "Sequence[Message]") -> None:
        """Take what the consumer returned: messages, ends of partitions, errors."""
        messages = [message for message in got if message.error() is None]
        # The last one of each partition, since each comes in its order.
        last = {message.partition(): message.offset() for message in messages}
        for number, offset in last.items():
            self._move(number, (offset or 0) + 1)
        if any((offset or 0) >= self._end(number) for number, offset in last.items()):
            messages = [m for m in messages if (m.offset() or 0) < self._end(m.partition())]
        self.batch.add(messages)
        for message in got if len(messages) < len(got) else ():
            self._note(message)
        if got:
            self._pause()

    def _note(self, message: "Message") -> None:
        """The end of a partition, or an error."""
        from confluent_kafka import KafkaError

        error = message.error()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:
            # From the last message to here there are only markers of transactions.
            self._move(message.partition(), message.offset() or 0)
        elif error is not None:
            self._fail(message.partition(), error)

    def _end(self, number: int | None) -> int:
        """What comes from there on is the next run's."""
        return self._due[number or 0].partition.high

    def _move(self, number: int | None, offset: int) -> None:
        self.be_patient()
        reached = min(offset, self._end(number))
        self._reached[number or 0] = max(self._reached[number or 0], reached)

    def _pause(self) -> None:
        """Fetch nothing more of partitions that are at their ends."""
        for number in [n for n in self.unfinished if self._reached[n] >= self._end(n)]:
            self._opened.pause([self._at[number]])
            self.unfinished.remove(number)

    def be_patient(self) -> None:
        """Begin to wait: now something was heard, or a commit kept it from listening."""
        self._heard_at = time.monotonic()

    def lose_patience(self) -> None:
        """Give up when nothing was heard for too long."""
        from confluent_kafka import KafkaException

        if self.unfinished and time.monotonic() - self._heard_at > PATIENCE_SECONDS:
            raise KafkaException(self._trouble)

    def _fail(self, number: int | None, error: "KafkaError") -> None:
        """Errors that pass by themselves are only kept in mind."""
        from confluent_kafka import KafkaError, KafkaException

        if error.code() == KafkaError._AUTO_OFFSET_RESET and number is not None:
            refuse_lost([_overtaken(self._due[number], self._reached[number])])
        lasting = {
            KafkaError._AUTHENTICATION,
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            KafkaError.UNKNOWN_TOPIC_OR_PART,
            KafkaError._UNKNOWN_PARTITION,
            KafkaError._UNKNOWN_TOPIC,
        }
        if error.code() in lasting:
            raise KafkaException(error)
        self._trouble = error


def _overtaken(position: Position, reached: int) -> Position:
    problem = f"messages from offset {reached:,} on were deleted while they were to be taken"
    return Position(position.partition, reached, position.topic_generation, problem)


def _rows(
    batch: _Batch,
    due: Mapping[int, Position],
    source: Source,
    run_id: str,
    now: datetime,
    zone: str,
) -> tuple[pl.DataFrame, list[str]]:
    """Messages as rows of the raw table, and the columns that the source does not declare."""
    numbers = pl.Series(batch.numbers, dtype=pl.Int64)
    read = read_objects(pl.Series(batch.values, dtype=pl.Binary), source)
    names = {number: position.partition.name for number, position in due.items()}
    fingerprints = {number: position.fingerprint for number, position in due.items()}
    rows = read.records.with_columns(
        _source=pl.lit(source.name),
        _pos=pl.Series(batch.offsets, dtype=pl.Int64),
        _object=numbers.replace_strict(names, return_dtype=pl.String),
        _fingerprint=numbers.replace_strict(fingerprints, return_dtype=pl.String),
        _ingested_at=pl.lit(now, dtype=pl.Datetime("us", "UTC")),
        _batch_day=days_of(batch.timestamps, local_day(now, zone), zone),
        _batch_id=pl.lit(run_id),
    )
    return rows, read.unknown


def _commit(
    lake: Lake,
    source: Source,
    rows: pl.DataFrame,
    reached: Mapping[Position, int],
    run_id: str,
    zone: str,
    hash_key: bytes | None,
) -> pl.DataFrame:
    """Add the rows that raw does not have yet; returns them."""
    raw = lake.snapshot(source.raw)
    transactions: dict[str, int] = {}
    is_new = pl.lit(True)
    for position, offset in reached.items():
        stored = next_offset(raw, position)
        if stored is not None and stored > position.next:
            of_it = pl.col("_fingerprint") == position.fingerprint
            is_new &= ~of_it | (pl.col("_pos") >= stored)
        transactions |= transactions_of(position, max(offset, stored or 0))
    new = ErasedNames.of(lake, hash_key).emptied(rows.filter(is_new), source)
    latest = last_batch_day(zone)
    days = [day for day in new["_batch_day"].unique() if day <= latest]
    as_of = max(filter(None, (raw.as_of, *days)), default=None)
    if new.height or raw.transactions(transactions) != transactions:
        raw.append(new, Commit(run_id, as_of, transactions))
    return new


def _count(consumed: MessagesTaken, rows: pl.DataFrame, unknown: Sequence[str]) -> None:
    consumed.records += rows.height
    consumed.quarantined += rows.filter(pl.col("_status") == "quarantined").height
    consumed.unknown |= set(unknown)
    consumed.days |= set(rows["_batch_day"].unique())
