"""From a topic into raw: every message once, none passed over, whatever the brokers do."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.ingestion import ingest_messages as module
from bridge_cart_assets.ingestion import kafka_admin
from bridge_cart_assets.ingestion.erased_records import ErasedNames, HashKeyMissingError
from bridge_cart_assets.ingestion.ingest_messages import (
    MessagesTaken,
    estimated_batch_days,
    ingest_messages,
)
from bridge_cart_assets.ingestion.kafka_admin import (
    BrokersUnreachableError,
    Partition,
    days_of,
    partitions_of,
    timestamp_of,
)
from bridge_cart_assets.ingestion.offsets import MessagesLostError, Position, accept_loss, positions
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline.erasure import remember_names
from bridge_cart_assets.sources.purchases import PURCHASES
from bridge_cart_assets.tables.ops import OFFSETS
from bridge_cart_assets.transforms.erased_names import ACCOUNT, name_key
from bridge_cart_tests.kafka.broker import Broker
from bridge_cart_tests.kafka.mock import MockCluster, Request
from bridge_cart_tests.kafka.producing import Message, produce

TOPIC = str(PURCHASES.topic)
NOON = 1_704_110_400_000  # 2024-01-01 12:00 UTC in milliseconds
MIDNIGHT = NOON + 43_200_000
DAY = date(2024, 1, 1)
# With these, a consumer fetches one message at a time and does not run ahead.
BIT_BY_BIT = {
    "fetch.message.max.bytes": "1",
    "queued.min.messages": "1",
    "fetch.queue.backoff.ms": "1",
}
LEDGER = ("partition", "next_offset", "records", "quarantined", "latest_day")


@dataclass
class Desk:
    """A topic, a lake, and what a test does with the two."""

    cluster: MockCluster | Broker
    lake: Lake
    settings: dict[str, str] = field(default_factory=dict)
    zone: str = "UTC"

    @property
    def mock(self) -> MockCluster:
        """The cluster, whose faults can be chosen."""
        assert isinstance(self.cluster, MockCluster)
        return self.cluster

    @property
    def brokers(self) -> dict[str, str]:
        return {"bootstrap.servers": self.cluster.bootstrap, **self.settings}

    def send(self, *ids: object, partition: int = 0, at: int = NOON) -> None:
        """Orders by their ids, each in a batch of its own, as retention sees them."""
        for one in ids:
            self.send_bytes(order(one), partition=partition, at=at)

    def send_bytes(self, *values: bytes | None, partition: int = 0, at: int = NOON) -> None:
        produce(self.cluster.bootstrap, TOPIC, [Message(v, at, partition) for v in values])

    def take(self) -> MessagesTaken:
        return ingest_messages(self.lake, PURCHASES, self.brokers, "run", zone=self.zone)

    def raw(self) -> pl.DataFrame:
        rows = self.lake.snapshot(PURCHASES.raw).read()
        return rows.sort("_fingerprint", "_pos")

    def orders(self) -> list[str]:
        """The ids in raw; a list, so that what is there twice is seen."""
        return sorted(self.raw()["order_id"].drop_nulls())

    @property
    def version(self) -> int | None:
        return self.lake.snapshot(PURCHASES.raw).version

    def ledger(self) -> list[tuple[object, ...]]:
        return self.lake.snapshot(OFFSETS).read().select(LEDGER).sort("partition").rows()

    def positions(self) -> list[Position]:
        there = partitions_of(self.brokers, TOPIC)
        return positions(self.lake.snapshot(PURCHASES.raw), TOPIC, there)

    def accept(self) -> list[str | None]:
        there = partitions_of(self.brokers, TOPIC)
        return [p.problem for p in accept_loss(self.lake, PURCHASES, there)]

    def lost(self) -> str:
        """What the refusal says; nothing may have been written."""
        before = self.version
        with pytest.raises(MessagesLostError) as refused:
            self.take()
        assert self.version == before
        cause, remedy = str(refused.value).splitlines()
        assert cause.endswith("; nothing was skipped")
        assert remedy.endswith(f"bridge-cart topics --accept-loss {TOPIC}")
        return cause

    def recreate(self, partitions: int = 1) -> None:
        self.cluster.delete_topic(TOPIC)
        self.cluster.create_topic(TOPIC, partitions)


def order(number: object, **more: object) -> bytes:
    fields = {"order_id": str(number), "customer_id": "C1", "purchase_amount": 10, **more}
    return json.dumps(fields).encode()


@pytest.fixture
def desk(mock_cluster: MockCluster, tmp_path: Path) -> Desk:
    """A topic of two empty partitions and an empty lake."""
    mock_cluster.create_topic(TOPIC, partitions=2)
    return Desk(mock_cluster, Lake(str(tmp_path / "lake")))


@contextmanager
def impatience(seconds: float = 0.5) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka_admin, "SECONDS", seconds)
        patch.setattr(module, "PATIENCE_SECONDS", seconds)
        yield


@pytest.fixture
def after_commit(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], Any]], None]:
    """Something happens after the nth commit; up to then each has one message."""

    def arrange(number: int, happen: Callable[[], Any]) -> None:
        left = [number]
        append = Snapshot.append

        def committed(snapshot: Snapshot, *args: Any) -> int:
            version = append(snapshot, *args)
            left[0] -= snapshot.table is PURCHASES.raw
            if not left[0]:
                monkeypatch.setattr(Snapshot, "append", append)
                monkeypatch.setattr(module, "COMMIT_MESSAGES", 100_000)
                happen()
            return version

        monkeypatch.setattr(module, "COMMIT_MESSAGES", 1)
        monkeypatch.setattr(module, "FETCH_MESSAGES", 1)
        monkeypatch.setattr(Snapshot, "append", committed)

    return arrange


@pytest.fixture
def while_read(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Something happens between the reading of the messages and their first commit."""

    def arrange(happen: Callable[[], Any]) -> None:
        read_objects = module.read_objects

        def read(*args: Any) -> Any:
            monkeypatch.setattr(module, "read_objects", read_objects)
            happen()
            return read_objects(*args)

        monkeypatch.setattr(module, "read_objects", read)

    return arrange


# What becomes of a message


def test_a_message_is_in_raw_by_its_partition_and_offset(desk: Desk) -> None:
    desk.send("A", "B")
    desk.send("C", partition=1)

    taken = desk.take()

    assert (taken.records, taken.quarantined, taken.days) == (3, 0, {DAY})
    columns = ("order_id", "purchase_amount", "_object", "_fingerprint", "_pos", "_source")
    assert desk.raw().select(columns).rows() == [
        ("A", "10", f"{TOPIC}-0", f"{TOPIC}-0", 0, "purchases"),
        ("B", "10", f"{TOPIC}-0", f"{TOPIC}-0", 1, "purchases"),
        ("C", "10", f"{TOPIC}-1", f"{TOPIC}-1", 0, "purchases"),
    ]
    assert set(desk.raw()["_batch_id"]) == {"run"}
    assert desk.ledger() == [(0, 2, 2, 0, DAY), (1, 1, 1, 0, DAY)]


def test_nothing_new_makes_no_commit(desk: Desk) -> None:
    desk.take()
    assert desk.version is None
    desk.send("A")
    desk.take()
    before = desk.version

    assert desk.take() == MessagesTaken()

    assert (desk.version, desk.orders()) == (before, ["A"])


def test_the_batch_day_is_the_utc_day_of_the_timestamp(desk: Desk) -> None:
    moments = {
        MIDNIGHT - 1: "2024-01-01",
        MIDNIGHT: "2024-01-02",
        -1: "1969-12-31",
        253_402_300_799_999: "9999-12-31",
        -62_135_596_800_000: "0001-01-01",
    }
    for moment in moments:
        desk.send(moment, at=moment)

    desk.take()

    days = desk.raw().sort("_pos")["_batch_day"]
    assert [str(day) for day in days] == list(moments.values())
    # What is dated beyond tomorrow has not been seen by anything that counts.
    assert desk.lake.snapshot(PURCHASES.raw).as_of == date(2024, 1, 2)


def test_in_a_zone_it_is_the_local_day(desk: Desk) -> None:
    desk.zone = "America/Los_Angeles"
    hours = {0: "2024-01-01", 7: "2024-01-01", 8: "2024-01-02"}
    for hour in hours:
        desk.send(hour, at=MIDNIGHT + hour * 3_600_000)
    due = [position for position in desk.positions() if position.lag]
    ends = {date(2024, 1, 1), date(2024, 1, 2)}
    assert estimated_batch_days(desk.brokers, due, desk.zone) == ends
    desk.take()
    days = desk.raw().sort("_pos")["_batch_day"]
    assert [str(day) for day in days] == list(hours.values())


def test_without_a_day_that_a_calendar_has_it_is_the_day_of_taking() -> None:
    now = date(2024, 5, 6)
    beyond = (None, 253_402_300_800_000, -62_135_596_800_001, 2**63 - 1, -(2**63))
    assert list(days_of(beyond, now)) == [now] * 5
    assert list(days_of([], now)) == []


@pytest.mark.parametrize(
    "zone",
    [
        *("America/Los_Angeles", "Pacific/Auckland", "Europe/London", "Asia/Kolkata"),
        *("Australia/Lord_Howe", "Pacific/Apia", "UTC"),
    ],
)
@settings(deadline=None)
@given(st.lists(st.integers(0, 4_000_000_000_000)))
def test_in_a_zone_a_message_is_of_the_local_day_of_its_time(
    zone: str, milliseconds: list[int]
) -> None:
    found = days_of(milliseconds, date(2024, 1, 1), zone)
    there = ZoneInfo(zone)
    assert list(found) == [datetime.fromtimestamp(ms / 1000, there).date() for ms in milliseconds]


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Auckland"])
def test_in_a_zone_too_a_time_that_no_calendar_has_is_of_now(zone: str) -> None:
    now = date(2024, 1, 5)
    far = 9_223_372_036_854_775_807
    ends = (-62_135_596_800_000, 253_402_300_799_999)
    assert list(days_of([None, far, -far, *ends], now, zone)) == [now] * 5
    assert list(days_of([], now, zone)) == []


def test_what_is_no_record_is_kept_with_its_bytes_and_the_next_ones_are_taken(desk: Desk) -> None:
    latin = '{"order_id": "é"}'.encode("latin-1")
    bad = {
        b"null": "MALFORMED",
        b"[]": "MALFORMED",
        b'{"order_id": "half': "MALFORMED",
        b'{"order_id": "1", "order_id": "2"}': "MALFORMED",
        b"{}\n{}": "MALFORMED",
        b"\xff\xfe\x00": "BAD_ENCODING",
        latin: "BAD_ENCODING",
    }
    desk.send_bytes(None, *bad, b"", b" \n", order("good"))

    taken = desk.take()

    assert (taken.records, taken.quarantined) == (len(bad) + 4, len(bad) + 1)
    rows = desk.raw()
    statuses = ["quarantined"] * (len(bad) + 1) + ["blank"] * 2 + ["ok"]
    assert rows["_status"].to_list() == statuses
    refused = rows.filter(pl.col("_status") == "quarantined")
    assert refused["_error_code"].to_list() == ["MALFORMED", *bad.values()]
    assert refused["_error"].null_count() == 0
    kept = [
        raw.encode("latin-1" if code == "BAD_ENCODING" else "utf-8")
        for raw, code in refused.select("_raw", "_error_code")[1:].iter_rows()
    ]
    assert kept == list(bad)
    assert desk.orders() == ["good"]
    assert desk.ledger()[0][2:4] == (len(bad) + 4, len(bad) + 1)


def test_unknown_fields_are_kept_and_missing_ones_are_null(desk: Desk) -> None:
    desk.send_bytes(order("A", colour="red", parts=[1, {"x": 2.50}]), b'{"coupon_used": true}')

    taken = desk.take()

    assert taken.unknown == {"colour", "parts"}
    first, second = desk.raw().rows(named=True)
    assert json.loads(first["_rescued"])["colour"] == "red"
    assert "2.5" in first["_rescued"]
    assert (second["_status"], second["order_id"], second["coupon_used"]) == ("ok", None, "true")


# Once


def test_each_run_takes_what_has_come_since(desk: Desk) -> None:
    for number in range(3):
        desk.send(number, number + 10, partition=number % 2)
        desk.take()

    assert desk.orders() == ["0", "1", "10", "11", "12", "2"]
    assert desk.ledger() == [(0, 4, 4, 0, DAY), (1, 2, 2, 0, DAY)]


def test_messages_that_come_while_it_reads_are_the_next_runs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.send("A", "B")
    looked = module.partitions_of

    def then_more_come(*args: Any) -> list[Partition]:
        found = looked(*args)
        desk.send("C", "D")
        desk.send("E", partition=1)
        return found

    monkeypatch.setattr(module, "partitions_of", then_more_come)
    assert desk.take().records == 2
    monkeypatch.undo()
    assert desk.orders() == ["A", "B"]

    assert desk.take().records == 3
    assert desk.orders() == ["A", "B", "C", "D", "E"]


@pytest.mark.parametrize("commits", [1, 2, 4])
def test_after_a_crash_between_two_commits_the_rest_comes_with_the_next_run(
    desk: Desk, after_commit: Callable[[int, Callable[[], Any]], None], commits: int
) -> None:
    desk.send(0)
    desk.take()
    desk.send(1, 2, 3)
    desk.send(4, 5, partition=1)

    def crash() -> None:
        raise ZeroDivisionError

    after_commit(commits, crash)
    with pytest.raises(ZeroDivisionError):
        desk.take()
    assert len(desk.orders()) == 1 + commits

    # The last commit is in raw and was never counted: the ledger has to count again.
    assert desk.take().records == 5 - commits
    assert desk.orders() == ["0", "1", "2", "3", "4", "5"]
    assert desk.ledger() == [(0, 4, 4, 0, DAY), (1, 2, 2, 0, DAY)]


def test_a_ledger_that_a_crash_left_behind_is_mended_although_no_message_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.send(0)
    desk.take()
    desk.send(1)

    with monkeypatch.context() as patch:
        patch.setattr(module, "upsert_offsets", lambda *_: None)
        desk.take()
    assert desk.ledger() == [(0, 1, 1, 0, DAY)]

    assert desk.take().records == 0
    assert desk.ledger() == [(0, 2, 2, 0, DAY)]
    before = desk.lake.snapshot(OFFSETS).version
    assert desk.take().records == 0
    assert desk.lake.snapshot(OFFSETS).version == before


def test_the_ledger_is_written_again_when_it_is_lost(desk: Desk) -> None:
    desk.send("A", at=MIDNIGHT)
    desk.send_bytes(b"no order")
    desk.take()
    shutil.rmtree(Path(desk.lake.root) / OFFSETS.path)
    desk.send("B")

    assert desk.take().records == 1

    assert desk.ledger() == [(0, 3, 3, 1, date(2024, 1, 2))]


def test_two_at_once_take_each_message_once(
    desk: Desk, while_read: Callable[[Callable[[], Any]], None]
) -> None:
    desk.send(1, 2, 3)
    other: list[MessagesTaken] = []

    def the_other_is_faster() -> None:
        other.append(desk.take())
        desk.send(4, partition=1)

    while_read(the_other_is_faster)
    slower = desk.take()

    assert (other[0].records, slower.records) == (3, 0)
    assert desk.orders() == ["1", "2", "3"]
    assert desk.ledger() == [(0, 3, 3, 0, DAY)]
    assert desk.take().records == 1


def test_of_two_at_once_the_one_that_began_later_goes_on(
    desk: Desk, while_read: Callable[[Callable[[], Any]], None]
) -> None:
    """What the faster run took is left out, and what came after it looked is the slower one's."""
    desk.send(1, 2)

    def the_other_took_some() -> None:
        due = module.partitions_of(desk.brokers, TOPIC)
        short = [Partition(TOPIC, p.number, p.low, min(p.high, 1), p.topic_id) for p in due]
        looked, module.partitions_of = module.partitions_of, lambda *_: short
        try:
            desk.take()
        finally:
            module.partitions_of = looked

    while_read(the_other_took_some)
    assert desk.take().records == 1

    assert desk.orders() == ["1", "2"]
    assert desk.ledger() == [(0, 2, 2, 0, DAY)]


def test_no_consumer_groups_offsets_are_written(desk: Desk) -> None:
    desk.send("A")
    desk.take()

    group = Consumer({"bootstrap.servers": desk.cluster.bootstrap, "group.id": "bridge-cart"})
    try:
        (committed,) = group.committed([TopicPartition(TOPIC, 0)], timeout=5)
    finally:
        group.close()
    assert committed.offset < 0


# Topics come and grow


def test_a_topic_that_is_not_there_is_looked_for_again(desk: Desk) -> None:
    desk.cluster.delete_topic(TOPIC)
    assert desk.take() == MessagesTaken()
    assert desk.positions() == []
    assert partitions_of(desk.brokers, TOPIC) == [], "looking has created it"

    desk.cluster.create_topic(TOPIC)
    desk.send("A")
    assert desk.take().records == 1


def test_a_topic_is_begun_where_the_brokers_begin(desk: Desk) -> None:
    desk.send(1, 2, 3)
    desk.cluster.delete_records(TOPIC, 0, 2)

    assert desk.take().records == 1

    assert desk.orders() == ["3"]


def test_a_partition_that_gets_its_first_message_later_is_taken(desk: Desk) -> None:
    desk.send("A")
    desk.take()
    desk.send("B", partition=1)

    assert desk.take().records == 1
    assert desk.orders() == ["A", "B"]


def test_partitions_are_added(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mock cannot add any: at first the second one is hidden."""
    desk.send("A")
    desk.send("B", partition=1)
    looked = module.partitions_of
    monkeypatch.setattr(module, "partitions_of", lambda *args: looked(*args)[:1])
    assert desk.take().records == 1
    monkeypatch.undo()

    assert desk.take().records == 1
    assert desk.orders() == ["A", "B"]


def test_a_partition_that_was_added_has_lost_what_came_before_its_first_offset(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.send("A")
    looked = module.partitions_of
    monkeypatch.setattr(module, "partitions_of", lambda *args: looked(*args)[:1])
    desk.take()
    monkeypatch.undo()
    desk.send(1, 2, 3, partition=1)
    desk.cluster.delete_records(TOPIC, 1, 2)

    assert desk.lost().startswith(f"{TOPIC}-1: 2 messages from offset 0 on were deleted")


# Messages are gone


def test_retention_was_faster(desk: Desk) -> None:
    desk.send(1)
    desk.send("X", partition=1)
    desk.take()
    desk.send(2, 3, 4)
    desk.send("Y", partition=1)
    desk.cluster.delete_records(TOPIC, 0, 3)

    assert desk.lost() == (
        f"{TOPIC}-0: 2 messages from offset 1 on were deleted before they were taken (retention); "
        "nothing was skipped"
    )
    assert desk.orders() == ["1", "X"]

    assert len(desk.accept()) == 1
    assert desk.accept() == []
    desk.take()
    assert desk.orders() == ["1", "4", "X", "Y"]
    history = DeltaTable(desk.lake.uri(PURCHASES.raw)).history()
    said = [str(entry.get("bridge_cart.run_id")) for entry in history]
    assert any(
        text.startswith(f"accepted: {TOPIC}-0 at 1: 2 messages from offset 1 on") for text in said
    )


def test_retention_was_faster_in_a_partition_that_was_empty_so_far(desk: Desk) -> None:
    desk.send("A")
    desk.take()
    desk.send(1, 2, 3, partition=1)
    desk.cluster.delete_records(TOPIC, 1, 2)

    assert desk.lost().startswith(f"{TOPIC}-1: 2 messages from offset 0 on were deleted")
    desk.accept()
    desk.take()
    assert desk.orders() == ["3", "A"]


def test_what_retention_removes_after_it_was_taken_is_no_loss(desk: Desk) -> None:
    desk.send(1, 2, 3)
    desk.take()
    desk.cluster.delete_records(TOPIC, 0, 3)
    assert desk.take() == MessagesTaken()
    desk.send(4)
    assert desk.take().records == 1


def test_an_empty_partition_of_old_is_begun_where_it_stands(desk: Desk) -> None:
    """Its first messages were gone before this lake began: that is no loss, not later either."""
    desk.send("A")
    desk.send(1, 2, partition=1)
    desk.cluster.delete_records(TOPIC, 1, 2)
    desk.take()
    desk.send(3, partition=1)

    assert desk.take().records == 1
    assert desk.orders() == ["3", "A"]


def test_retention_is_faster_while_it_reads(
    desk: Desk, after_commit: Callable[[int, Callable[[], Any]], None]
) -> None:
    desk.settings = BIT_BY_BIT
    desk.send(*range(1, 41))
    after_commit(2, lambda: desk.cluster.delete_records(TOPIC, 0, 38))

    with pytest.raises(MessagesLostError, match="deleted while they were to be taken") as refused:
        desk.take()

    assert len(str(refused.value).splitlines()) == 2
    (first, _) = desk.positions()
    taken = sorted(map(int, desk.orders()))
    assert taken == list(range(1, first.next + 1)), "what was read is safe, without a gap"
    assert 2 <= first.next < 38
    assert f"from offset {first.next} on" in str(refused.value)
    assert f"from offset {first.next} on" in desk.lost()
    assert desk.ledger()[0][1:3] == (first.next, first.next)


def test_what_was_read_before_the_rest_was_deleted_is_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The brokers do not have it any more."""
    desk.settings = BIT_BY_BIT
    desk.send(*range(1, 31))
    offsets = []

    def then_deleted(message: Any) -> int | None:
        offsets.append(message.offset())
        if len(offsets) == 2:
            desk.cluster.delete_records(TOPIC, 0, 29)
        return timestamp_of(message)

    monkeypatch.setattr(module, "FETCH_MESSAGES", 1)
    monkeypatch.setattr(module, "timestamp_of", then_deleted)

    with pytest.raises(MessagesLostError):
        desk.take()

    assert len(desk.orders()) >= 2
    assert desk.positions()[0].next == len(desk.orders())


@pytest.mark.parametrize("messages", [0, 3, 5])
def test_a_topic_of_the_same_name_is_not_taken_for_the_old_one(desk: Desk, messages: int) -> None:
    """With as many messages as were taken, or more, only its id tells."""
    desk.send(1, 2, 3)
    desk.take()
    desk.recreate()
    desk.send(*(f"new {number}" for number in range(messages)))

    assert desk.lost() == (
        f"{TOPIC}-0: the topic was deleted and created again; 3 had been taken of the old one; "
        "nothing was skipped"
    )

    desk.accept()
    assert desk.take().records == messages
    assert desk.take() == MessagesTaken()
    rows = desk.raw()
    assert not rows.select("_fingerprint", "_pos").is_duplicated().any()
    lives = rows.group_by("_fingerprint").len().sort("_fingerprint").rows()
    assert lives == [(f"{TOPIC}-0", 3), *([(f"{TOPIC}-0~1", messages)] if messages else [])]
    if messages:
        assert desk.ledger()[0] == (0, messages, 3 + messages, 0, DAY)


def test_a_topic_can_have_many_lives(desk: Desk) -> None:
    for life in range(3):
        desk.send(life)
        desk.take()
        desk.recreate()
        assert desk.accept() != []
    assert list(desk.raw()["_fingerprint"]) == [f"{TOPIC}-0", f"{TOPIC}-0~1", f"{TOPIC}-0~2"]


@pytest.mark.parametrize("partition", [0, 1])
def test_a_topic_that_is_gone_is_a_loss(desk: Desk, partition: int) -> None:
    """Whichever partition had the messages."""
    desk.send("A", partition=partition)
    desk.take()
    desk.cluster.delete_topic(TOPIC)

    assert desk.lost() == f"{TOPIC}-{partition}: it is no longer there; nothing was skipped"

    desk.accept()
    assert desk.take() == MessagesTaken()
    desk.cluster.create_topic(TOPIC, 2)
    desk.send("B", partition=partition)
    assert desk.take().records == 1
    assert list(desk.raw()["_fingerprint"]) == [
        f"{TOPIC}-{partition}",
        f"{TOPIC}-{partition}~1",
    ]


def test_several_partitions_with_losses_are_one_error(desk: Desk) -> None:
    desk.send(1)
    desk.send(2, partition=1)
    desk.take()
    desk.cluster.delete_topic(TOPIC)

    assert desk.lost() == (
        f"{TOPIC}-0: it is no longer there (1 more partitions likewise); nothing was skipped"
    )


def test_without_topic_ids_a_new_topic_is_known_by_its_offsets(desk: Desk) -> None:
    desk.mock.limit_version(Request.METADATA, 9)
    desk.send(1, 2, 3)
    assert desk.take().records == 3
    assert desk.positions()[0].partition.topic_id is None
    desk.recreate()
    desk.send(4)

    assert desk.lost() == (
        f"{TOPIC}-0: 3 messages had been taken and the brokers have 1: "
        "the topic was created again, or cut back; nothing was skipped"
    )
    desk.accept()
    assert desk.take().records == 1
    assert desk.raw()["_fingerprint"][-1] == f"{TOPIC}-0~1"


def test_brokers_that_learn_topic_ids_are_no_loss(desk: Desk) -> None:
    desk.mock.limit_version(Request.METADATA, 9)
    desk.send(1)
    desk.take()
    desk.mock.limit_version(Request.METADATA, 12)
    desk.send(2)
    assert desk.take().records == 1
    desk.recreate()
    desk.send(3, 4, 5)
    assert "created again" in desk.lost()


def test_a_topic_whose_id_does_not_come_in_time_is_not_trusted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could be another one of the same name, with more messages."""
    desk.send(1)
    desk.take()
    desk.recreate()
    desk.send(2, 3)

    silence: Future[object] = Future()
    silence.set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
    monkeypatch.setattr(AdminClient, "describe_topics", lambda *_, **__: {TOPIC: silence})
    with impatience(), pytest.raises(BrokersUnreachableError):
        desk.take()
    assert desk.orders() == ["1"]


def test_a_topic_is_accepted_while_its_last_messages_are_being_written(
    desk: Desk, while_read: Callable[[Callable[[], Any]], None]
) -> None:
    """A run that has read the old topic must not undo the start of the new one."""
    desk.send(1)
    desk.take()
    desk.send(2, 3)

    def created_again() -> None:
        desk.recreate()
        desk.send(4)
        desk.accept()
        desk.take()

    while_read(created_again)
    with pytest.raises(MessagesLostError):
        desk.take()

    desk.send(5)
    assert desk.take().records == 1
    assert not desk.raw().select("_fingerprint", "_pos").is_duplicated().any()
    assert desk.orders() == ["1", "4", "5"]


# Brokers fail


def test_brokers_that_are_away_are_said_so_soon_and_in_two_lines(desk: Desk) -> None:
    desk.send(1)
    desk.mock.take_down()

    began = time.monotonic()
    with impatience(), pytest.raises(BrokersUnreachableError) as refused:
        desk.take()

    assert time.monotonic() - began < 2
    cause, remedy = str(refused.value).splitlines()
    assert cause.startswith(f"Kafka at {desk.cluster.bootstrap}: ")
    assert "BRIDGE_CART_KAFKA_" in remedy
    assert desk.version is None

    desk.mock.bring_up()
    assert desk.take().records == 1


def test_brokers_that_restart_while_it_reads_cost_time_and_nothing_else(
    desk: Desk, after_commit: Callable[[int, Callable[[], Any]], None]
) -> None:
    desk.settings = BIT_BY_BIT
    desk.send(*range(20))

    def restart() -> None:
        desk.mock.take_down()
        threading.Timer(0.3, desk.mock.bring_up).start()

    after_commit(2, restart)
    assert desk.take().records == 20
    assert len(set(desk.orders())) == 20


def test_brokers_that_do_not_come_back_end_the_run_and_what_was_taken_stays(
    desk: Desk, after_commit: Callable[[int, Callable[[], Any]], None]
) -> None:
    desk.settings = BIT_BY_BIT
    desk.send(*range(20))
    after_commit(2, desk.mock.take_down)

    began = time.monotonic()
    with impatience(), pytest.raises(BrokersUnreachableError) as refused:
        desk.take()

    assert time.monotonic() - began < 3
    assert len(str(refused.value).splitlines()) == 2
    stayed = len(desk.orders())
    assert 2 <= stayed < 20
    assert desk.ledger()[0][1:3] == (stayed, stayed)

    desk.mock.bring_up()
    assert desk.take().records == 20 - stayed
    assert len(set(desk.orders())) == 20


class Scripted:
    """A consumer that has these answers, and then none any more."""

    def __init__(self, *answers: list[Any]) -> None:
        self.answers = list(answers)

    def consume(self, *_: int, **__: float) -> list[Any]:
        return self.answers.pop(0) if self.answers else []

    def assign(self, _: object) -> None: ...

    def pause(self, _: object) -> None: ...


def heard(offset: int) -> SimpleNamespace:
    said = {"partition": 0, "offset": offset, "error": None, "timestamp": (1, NOON), "value": b"{}"}
    return SimpleNamespace(**{name: lambda value=value: value for name, value in said.items()})


def script(monkeypatch: pytest.MonkeyPatch, *answers: list[Any]) -> None:
    """Let a consumer with these answers read a partition of two messages."""
    consumer = Scripted(*answers)
    monkeypatch.setattr(module, "partitions_of", lambda *_: [Partition(TOPIC, 0, 0, 2)])
    monkeypatch.setattr(module, "consumer", lambda _: nullcontext(consumer))


def test_a_commit_may_take_longer_than_the_brokers_may_be_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMIT_MESSAGES", 1)
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    script(monkeypatch, [heard(0)], [], [heard(1)])

    def slow(done: int, total: int) -> None:
        now[0] += module.PATIENCE_SECONDS + 1

    lake = Lake(str(tmp_path / "lake"))
    taken = ingest_messages(lake, PURCHASES, {"bootstrap.servers": ""}, "run", slow)

    assert taken.records == 2
    assert sorted(lake.snapshot(PURCHASES.raw).read()["_pos"]) == [0, 1]


def test_silence_is_not_waited_out_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(range(1_000))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(now)))
    script(monkeypatch, [heard(0)])

    lake = Lake(str(tmp_path / "lake"))
    with pytest.raises(KafkaException, match="no message came"):
        ingest_messages(lake, PURCHASES, {"bootstrap.servers": ""}, "run")


def test_leaders_move_while_it_reads(
    tmp_path: Path, after_commit: Callable[[int, Callable[[], Any]], None]
) -> None:
    with MockCluster(brokers=2) as cluster:
        desk = Desk(cluster, Lake(str(tmp_path / "lake")), BIT_BY_BIT)
        cluster.create_topic(TOPIC)
        cluster.lead(TOPIC, 0, broker=1)
        desk.send(*range(20))
        after_commit(2, lambda: cluster.lead(TOPIC, 0, broker=2))

        assert desk.take().records == 20
        assert len(set(desk.orders())) == 20


def test_one_of_two_brokers_leads_and_the_other_is_away(tmp_path: Path) -> None:
    with MockCluster(brokers=2) as cluster:
        desk = Desk(cluster, Lake(str(tmp_path / "lake")))
        cluster.create_topic(TOPIC)
        cluster.lead(TOPIC, 0, broker=1)
        desk.send(1, 2)
        cluster.take_down(2)

        assert desk.take().records == 2


@pytest.mark.parametrize(
    ("request_kind", "errors"),
    [
        (Request.FETCH, [KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError._TRANSPORT]),
        (Request.FETCH, [KafkaError.REQUEST_TIMED_OUT, KafkaError.UNKNOWN]),
        (Request.LIST_OFFSETS, [KafkaError.NOT_LEADER_FOR_PARTITION]),
        (Request.LIST_OFFSETS, [KafkaError._TRANSPORT]),
        (Request.METADATA, [KafkaError.LEADER_NOT_AVAILABLE, KafkaError._TRANSPORT]),
    ],
)
def test_errors_that_pass_lose_and_double_nothing(
    desk: Desk, request_kind: Request, errors: list[int]
) -> None:
    desk.send(1)
    desk.take()
    desk.send(2, 3)
    desk.send(4, partition=1)
    desk.mock.fail_requests(request_kind, errors)

    desk.take()

    desk.mock.forgive(request_kind)
    desk.take()
    assert desk.orders() == ["1", "2", "3", "4"]


def test_a_question_is_asked_again_unless_there_is_no_hope() -> None:
    trouble = [KafkaError._TRANSPORT, KafkaError.LEADER_NOT_AVAILABLE]

    def ask(_: float) -> str:
        if trouble:
            raise KafkaException(KafkaError(trouble.pop()))
        return "answer"

    assert kafka_admin.ask_until_answered(ask, list) == "answer"

    trouble.append(KafkaError._TRANSPORT)
    with pytest.raises(KafkaException):
        kafka_admin.ask_until_answered(ask, lambda: [KafkaError(KafkaError._AUTHENTICATION)])


def test_slow_brokers_are_waited_for(desk: Desk) -> None:
    desk.send(1, 2)
    desk.mock.slow_down(60)
    assert desk.take().records == 2


def test_a_right_that_is_missing_ends_the_reading_at_once(desk: Desk) -> None:
    desk.send(1)
    desk.mock.fail_requests(Request.FETCH, [KafkaError.TOPIC_AUTHORIZATION_FAILED] * 9)

    began = time.monotonic()
    with pytest.raises(BrokersUnreachableError, match="authorization failed"):
        desk.take()

    assert time.monotonic() - began < 5
    assert desk.version is None


def test_a_replay_brings_no_erased_person_back(desk: Desk) -> None:
    key = b"k" * 32
    names = ErasedNames({ACCOUNT: {name_key(ACCOUNT, "C9", key)}}, key)
    remember_names(desk.lake, names, datetime(2024, 1, 1, tzinfo=UTC))
    desk.send_bytes(order(1, customer_id="C1"), order(2, customer_id="C9"), b"C9 {")
    with pytest.raises(HashKeyMissingError):
        desk.take()
    taken = ingest_messages(desk.lake, PURCHASES, desk.brokers, "run", hash_key=key)
    assert (taken.records, taken.quarantined) == (3, 2)
    raw = desk.raw()
    assert raw["_error_code"].to_list() == [None, "ERASED", "ERASED"]
    assert raw["customer_id"].to_list() == ["C1", None, None]
    assert raw["_raw"].null_count() == 3
