"""How far the lake has got in each partition of a topic, and what the brokers still have.

The next offset to take is an application transaction of the raw table, written in the commit that
adds the rows; the group's offsets, which Kafka keeps elsewhere, are never asked. Beside it stands
which topic of that name it was: a topic that was deleted and created again counts from 0 again, and
its offsets would be taken for those of the old one.

Belongs here: positions, what is due, what is gone, and the ledger `ops/offsets`. Does
not belong here: asking the brokers (`kafka_admin`).
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from bridge_cart_assets.ingestion.kafka_admin import Partition
from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.commits import Commit, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.sources import Source
from bridge_cart_assets.tables.ops import OFFSETS

# Where a partition stands that begins again, wherever the brokers begin.
_ANEW = -1


class MessagesLostError(RuntimeError):
    """Messages are gone before they were taken."""


@dataclass(frozen=True)
class Position:
    """How far a partition has been taken.

    Attributes:
        partition: as the brokers have it.
        next: the offset to go on with.
        topic_generation: how many topics of that name there were before, as far as was noticed.
        problem: why it cannot go on; None when it can.
    """

    partition: Partition
    next: int
    topic_generation: int = 0
    problem: str | None = None

    @property
    def lag(self) -> int:
        """Offsets that have not been taken; markers of transactions among them."""
        return max(self.partition.high - self.next, 0)

    @property
    def fingerprint(self) -> str:
        """What a message is known by in raw, together with its offset."""
        return (
            f"{self.partition.name}~{self.topic_generation}"
            if self.topic_generation
            else self.partition.name
        )


@dataclass
class Count:
    """What was taken of a partition.

    Attributes:
        reached: the offset to go on with.
        records: messages that were added to raw.
        quarantined: those of them that are no records.
        latest_day: the latest batch day among them.
    """

    reached: int
    records: int = 0
    quarantined: int = 0
    latest_day: date | None = None

    def add(self, rows: pl.DataFrame, reached: int) -> None:
        """Count rows of raw."""
        self.reached = reached
        self.records += rows.height
        self.quarantined += rows.filter(pl.col("_status") == "quarantined").height
        days = rows["_batch_day"].unique()
        self.latest_day = max(filter(None, (self.latest_day, *days)), default=None)


def positions(raw: Snapshot, topic: str, partitions: Sequence[Partition]) -> list[Position]:
    """How far each partition has been taken, with what stands in the way.

    Args:
        raw: the source's raw table.
        topic: the topic's name.
        partitions: what the brokers have of it now.
    """
    generation = raw.transaction(_generation_transaction(topic))
    known = raw.transaction(_identity(topic))
    found = []
    for partition in partitions:
        stored = raw.transaction(_next(partition.name))
        # A topic is begun where the brokers begin; a partition that comes to it later, at 0.
        begins = stored == _ANEW or (stored is None and generation is None)
        start = partition.low if begins else stored or 0
        problem = None if begins else _problem(partition, start, known)
        found.append(Position(partition, start, generation or 0, problem))
    gone = _gone(raw, topic, len(partitions))
    found += [
        Position(Partition(topic, n, 0, 0), offset, generation or 0, "it is no longer there")
        for n, offset in gone.items()
    ]
    return found


def refuse_lost(found: Iterable[Position]) -> None:
    """Refuse to go on where messages are missing.

    Raises:
        MessagesLostError: with the first of them and what can be done.
    """
    wrong = [position for position in found if position.problem]
    if wrong:
        more = f" ({len(wrong) - 1} more partitions likewise)" if wrong[1:] else ""
        raise MessagesLostError(
            f"{wrong[0].partition.name}: {wrong[0].problem}{more}; nothing was skipped\n"
            "restore them, or go on with what the brokers have: "
            f"bridge-cart topics --accept-loss {wrong[0].partition.topic}"
        )


def transactions_of(position: Position, reached: int) -> dict[str, int]:
    """What a commit writes down when it has got to an offset."""
    topic, identity = position.partition.topic, position.partition.topic_id
    return {
        _next(position.partition.name): reached,
        _generation_transaction(topic): position.topic_generation,
        **({_identity(topic): _as_number(identity)} if identity else {}),
    }


def next_offset(raw: Snapshot, position: Position) -> int | None:
    """The offset to go on with by a version of the raw table; None when it begins.

    Raises:
        MessagesLostError: the topic was given up meanwhile, and its name is another topic's.
    """
    if (
        raw.transaction(_generation_transaction(position.partition.topic)) or 0
    ) != position.topic_generation:
        raise MessagesLostError(
            f"{position.partition.name}: while it was read, the topic was accepted as created "
            "again; nothing was skipped\ntake what the new one has: bridge-cart run"
        )
    stored = raw.transaction(_next(position.partition.name))
    return None if stored == _ANEW else stored


def accept_loss(lake: Lake, source: Source, partitions: Sequence[Partition]) -> list[Position]:
    """Go on with what the brokers have; returns the positions that stood in the way.

    Where only retention was faster, the topic goes on at its first message. A topic that was
    created again begins a new life: its messages get an identity of their own in raw.
    """
    topic = source.topic or ""

    def write() -> list[Position]:
        raw = lake.snapshot(source.raw)
        wrong = [p for p in positions(raw, topic, partitions) if p.problem]
        if not wrong:
            return []
        if all(p.next < p.partition.low and _is_same(raw, p.partition) for p in wrong):
            moves = {_next(p.partition.name): p.partition.low for p in wrong}
        else:
            identity = next((p.topic_id for p in partitions if p.topic_id), None)
            everywhere = [*(p.name for p in partitions), *(p.partition.name for p in wrong)]
            moves = {_next(name): _ANEW for name in everywhere}
            moves |= {
                _generation_transaction(topic): wrong[0].topic_generation + 1,
                _identity(topic): _as_number(identity),
            }
        said = "; ".join(f"{p.partition.name} at {p.next}: {p.problem}" for p in wrong)
        raw.append(raw.table.empty(), Commit(f"accepted: {said}", raw.as_of, moves))
        return wrong

    return retry_on_conflict(write)


def latest_of_topic(lake: Lake, source: Source) -> date | None:
    """The latest batch day of a source's messages; None when there was none."""
    ledger = lake.snapshot(OFFSETS).scan().filter(pl.col("source") == source.name)
    latest: date | None = ledger.select(pl.max("latest_day")).collect().item()
    return latest


def upsert_offsets(
    lake: Lake, source: Source, reached: Mapping[Position, Count], run_id: str, now: datetime
) -> None:
    """Record how far the partitions have been taken, one row per partition.

    A ledger that is not at the offset from which `reached` counts is out of date: a run died before
    it wrote the ledger, or the ledger was lost. The partition's records are then counted in raw,
    also when no message of it was taken now.
    """
    raw = lake.snapshot(source.raw)

    def write() -> int:
        ledger = lake.snapshot(OFFSETS)
        rows = ledger.read()
        known = {(r["topic"], r["partition"]): r for r in rows.iter_rows(named=True)}
        now_true = [
            {
                "topic": position.partition.topic,
                "partition": position.partition.number,
                "source": source.name,
                "next_offset": count.reached,
                **_counted(raw, position, count, known),
                "version": raw.version,
                "seen_at": now,
                "run_id": run_id,
            }
            for position, count in reached.items()
            if count.reached > position.next or _is_behind(raw, position, known)
        ]
        if not now_true:
            return 0
        fresh = pl.DataFrame(now_true, schema=OFFSETS.dtypes)
        key = list(OFFSETS.key)
        change = Change(
            inserts=fresh.join(rows, on=key, how="anti"),
            updates=fresh.join(rows, on=key, how="semi"),
            deletes=OFFSETS.empty(),
        )
        return ledger.apply(change, Commit(run_id))

    if reached:
        retry_on_conflict(write)


def _is_behind(
    raw: Snapshot, position: Position, known: Mapping[tuple[str, int], Mapping[str, Any]]
) -> bool:
    """Whether raw has messages of a partition that the ledger has not counted."""
    row = known.get((position.partition.topic, position.partition.number))
    if row is not None:
        return bool(row["next_offset"] < position.next)
    if position.next == 0:
        # Nothing was ever taken of it; to look for it in raw would cost more with each day.
        return False
    of_it = raw.scan().filter(pl.col("_object") == position.partition.name)
    return not of_it.head(1).collect().is_empty()


def _counted(
    raw: Snapshot,
    position: Position,
    count: Count,
    known: Mapping[tuple[str, int], Mapping[str, Any]],
) -> dict[str, Any]:
    old = known.get((position.partition.topic, position.partition.number))
    if old is not None and old["next_offset"] == position.next:
        days = [day for day in (old["latest_day"], count.latest_day) if day]
        return {
            "records": old["records"] + count.records,
            "quarantined": old["quarantined"] + count.quarantined,
            "latest_day": max(days, default=None),
        }
    mine = raw.scan().filter(pl.col("_object") == position.partition.name)
    is_refused = pl.col("_status") == "quarantined"
    counted = mine.select(
        records=pl.len().cast(pl.Int64),
        quarantined=is_refused.sum().cast(pl.Int64),
        latest_day=pl.max("_batch_day"),
    )
    return counted.collect().row(0, named=True)


def _problem(partition: Partition, start: int, known: int | None) -> str | None:
    if known and partition.topic_id and known != _as_number(partition.topic_id):
        return f"the topic was deleted and created again; {start:,} had been taken of the old one"
    if start > partition.high:
        return (
            f"{start:,} messages had been taken and the brokers have {partition.high:,}: "
            "the topic was created again, or cut back"
        )
    if start < partition.low:
        return (
            f"{partition.low - start:,} messages from offset {start:,} on were deleted before "
            "they were taken (retention)"
        )
    return None


def _is_same(raw: Snapshot, partition: Partition) -> bool:
    known = raw.transaction(_identity(partition.topic))
    return not known or not partition.topic_id or known == _as_number(partition.topic_id)


def _gone(raw: Snapshot, topic: str, number: int) -> dict[int, int]:
    """Partitions of which something was taken and which the brokers do not have."""
    gone = {}
    while (offset := raw.transaction(_next(f"{topic}-{number}"))) is not None:
        if offset > 0:
            gone[number] = offset
        number += 1
    return gone


def _next(partition: str) -> str:
    return f"kafka:{partition}"


def _generation_transaction(topic: str) -> str:
    return f"kafka:{topic}/life"


def _identity(topic: str) -> str:
    return f"kafka:{topic}/id"


def _as_number(identity: uuid.UUID | None) -> int:
    """A transaction's version is a signed number of 64 bits: 63 of the 128 tell topics apart."""
    return identity.int >> 65 if identity else 0
