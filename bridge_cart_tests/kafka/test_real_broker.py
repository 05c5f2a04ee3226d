"""Against Apache Kafka itself: a whole shop, logins, transactions, compaction, retention."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from polars.testing import assert_frame_equal

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.landing import PURCHASES as ORDERS
from bridge_cart_assets.generator.landing import Form, Target
from bridge_cart_assets.generator.shop import TOPICS, generate
from bridge_cart_assets.ingestion.ingest_messages import (
    MessagesTaken,
    estimated_batch_days,
    lagging_partitions,
)
from bridge_cart_assets.ingestion.kafka_admin import BrokersUnreachableError
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.sources.purchases import PURCHASES
from bridge_cart_assets.tables import silver
from bridge_cart_tests.generator.shop_factory import Made, make
from bridge_cart_tests.kafka.broker import Broker, wait_until
from bridge_cart_tests.kafka.producing import Message, produce
from bridge_cart_tests.kafka.test_ingest_messages import DAY, MIDNIGHT, NOON, TOPIC, Desk, order
from bridge_cart_tests.lakehouse.test_truth import wrong_records
from bridge_cart_tests.lakehouse.truth import (
    KEY,
    LINE,
    PROFILE,
    delivered,
    spoilt,
    with_defects,
)

# A real broker is a JVM of its own; what it has in common with the mock is tested there.
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Twins:
    """The same shop, come as messages and landed as files."""

    sent: Lake
    landed: Made

    def both(self, table: object) -> tuple[pl.DataFrame, pl.DataFrame]:
        lakes = self.sent, Lake(str(self.landed.data / "lake"))
        return tuple(lake.snapshot(table).read() for lake in lakes)  # type: ignore[arg-type,return-value]


@pytest.fixture(scope="module")
def twins(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    for topic in TOPICS.values():
        broker.delete_topic(topic)
    # A blank in a file is filled by its order's other lines; a message is a record by itself.
    rates = {"missing_value": 0.0}
    of_days = partial(Shop, customers=200, newcomers=3.0, dirt=0.2, form=Form.NDJSON, rates=rates)
    brokers = {"bootstrap.servers": broker.bootstrap}
    landed = tmp_path_factory.mktemp("landed")
    sent = tmp_path_factory.mktemp("sent")
    lake = Lake(str(sent / "lake"))
    for days in (20, 30):
        made = make(of_days(days=days), landed)
        generate(of_days(days=days, to=Target.KAFKA), sent, brokers=brokers)
        refresh_silver(Lake(str(landed / "lake")), landed / "landing")
        refresh_silver(lake, sent / "landing", brokers=brokers)
    assert not (sent / "landing").exists()
    return Twins(lake, made)


@pytest.fixture
def desk(broker: Broker, tmp_path: Path) -> Desk:
    """An empty topic of one partition and an empty lake."""
    broker.create_topic(TOPIC)
    return Desk(broker, Lake(str(tmp_path / "lake")))


# A whole shop


def test_the_order_lines_of_the_messages_are_those_of_the_truth(twins: Twins) -> None:
    records = pl.concat([delivered(twins.landed, ORDERS), wrong_records(twins.landed)])
    expected = (
        with_defects(records, spoilt(twins.landed, ORDERS), twins.landed.shop.zone)
        .sort("updated_at", "batch_day", "file", "record")
        .unique(KEY, keep="last")
        .with_columns(net_amount=pl.col("purchase_amount") - pl.col("discount_amount"))
    )
    found = twins.sent.snapshot(silver.PURCHASES).read().select(LINE).sort(KEY)
    assert found.height > 200
    assert_frame_equal(found, expected.select(LINE).cast(found.schema).sort(KEY))


def test_messages_and_files_come_to_the_same(twins: Twins) -> None:
    compared = {
        silver.PURCHASES: LINE,
        silver.CUSTOMERS: ["customer_id", *PROFILE, "valid_from", "valid_to", "is_current"],
        silver.ACCOUNTING: silver.ACCOUNTING.dtypes.keys(),
        silver.QUARANTINE: ["source", "batch_day", "reason", "column", "value", "raw"],
    }
    for table, columns in compared.items():
        sent, landed = (frame.select(columns) for frame in twins.both(table))
        if "raw" in columns:
            # A file that came again has lines that end in CRLF; a message has no line end.
            sent = sent.with_columns(pl.col("raw").str.strip_suffix("\r"))
        assert sent.height > 10
        assert_frame_equal(sent, landed, check_row_order=False)


def test_the_shop_makes_topics_that_keep_the_messages_of_years_ago(
    twins: Twins, broker: Broker
) -> None:
    assert twins.sent.snapshot(PURCHASES.raw).rows > 200
    resource = ConfigResource(ResourceType.TOPIC, TOPIC)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    settings = admin.describe_configs([resource])[resource].result(10)
    assert settings["retention.ms"].value == "-1"


# Logins


def test_with_a_login_messages_are_taken(desk: Desk, broker: Broker) -> None:
    if broker.secure_bootstrap is None:
        pytest.skip("the existing broker's secured listener, if any, is not known")
    desk.send("A")
    desk.settings = {"bootstrap.servers": broker.secure_bootstrap, **broker.security}

    assert desk.take().records == 1


def test_a_wrong_password_is_said_so_and_soon(desk: Desk, broker: Broker) -> None:
    if broker.secure_bootstrap is None:
        pytest.skip("the existing broker's secured listener, if any, is not known")
    wrong = {**broker.security, "sasl.password": "not-the-password"}
    desk.settings = {"bootstrap.servers": broker.secure_bootstrap, **wrong}

    began = time.monotonic()
    with pytest.raises(BrokersUnreachableError, match=r"(?i)authentication") as refused:
        desk.take()

    assert time.monotonic() - began < 5
    assert len(str(refused.value).splitlines()) == 2
    assert "not-the-password" not in str(refused.value)


# Transactions


def transaction(producer: Producer, *ids: str, ends: bool = True) -> None:
    producer.begin_transaction()
    for one in ids:
        producer.produce(TOPIC, order(one), timestamp=NOON)
    producer.flush(10)
    if ends:
        producer.commit_transaction(10)
    else:
        producer.abort_transaction(10)


@pytest.fixture
def producer(desk: Desk) -> Producer:
    made = Producer({"bootstrap.servers": desk.cluster.bootstrap, "transactional.id": TOPIC})
    made.init_transactions(10)
    return made


def test_aborted_messages_are_not_read_and_markers_are_no_lag(
    desk: Desk, producer: Producer
) -> None:
    transaction(producer, "A", "B")
    transaction(producer, "gone", ends=False)
    transaction(producer, "C")
    transaction(producer, "gone too", ends=False)

    assert desk.take().records == 3

    assert desk.orders() == ["A", "B", "C"]
    (position,) = desk.positions()
    assert (position.lag, position.problem) == (0, None)
    assert position.next == 9  # five messages and four markers
    before = desk.version
    assert desk.take() == MessagesTaken()
    assert desk.version == before

    transaction(producer, "D")
    assert desk.take().records == 1


def test_nothing_but_aborted_messages_is_taken_as_nothing(desk: Desk, producer: Producer) -> None:
    transaction(producer, "gone", "gone", ends=False)
    due = lagging_partitions(desk.lake, PURCHASES, desk.brokers)
    assert [position.lag for position in due] == [3]
    assert estimated_batch_days(desk.brokers, due) == {datetime.now(UTC).date()}

    assert desk.take() == MessagesTaken()

    assert lagging_partitions(desk.lake, PURCHASES, desk.brokers) == []


def test_messages_behind_an_open_transaction_wait_for_its_end(
    desk: Desk, producer: Producer
) -> None:
    desk.send("A")
    producer.begin_transaction()
    producer.produce(TOPIC, order("B"), timestamp=NOON)
    producer.flush(10)
    desk.send("C")

    assert desk.take().records == 1
    assert desk.take() == MessagesTaken()

    producer.commit_transaction(10)
    assert desk.take().records == 2
    assert desk.orders() == ["A", "B", "C"]


# Messages are gone


def test_retention_was_faster(desk: Desk) -> None:
    desk.send(1, 2)
    desk.take()
    desk.send(3, 4, 5)
    desk.cluster.delete_records(TOPIC, 0, 4)

    assert "2 messages from offset 2 on were deleted" in desk.lost()

    desk.accept()
    assert desk.take().records == 1
    assert desk.orders() == ["1", "2", "5"]


def test_a_topic_of_the_same_name_is_not_taken_for_the_old_one(desk: Desk) -> None:
    desk.send(1, 2)
    desk.take()
    desk.recreate()
    desk.send(3, 4, 5)

    assert "created again" in desk.lost()

    desk.accept()
    assert desk.take().records == 3
    assert set(desk.raw()["_fingerprint"]) == {f"{TOPIC}-0", f"{TOPIC}-0~1"}


def test_compaction_leaves_gaps_and_no_lag(desk: Desk, broker: Broker) -> None:
    eager = {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0.001",
        "segment.ms": "100",
        "max.compaction.lag.ms": "100",
    }
    broker.create_topic(TOPIC, config=eager)
    now = int(time.time() * 1000)
    copies = [Message(order("old"), now - 10_000, 0, b"key")] * 5
    produce(broker.bootstrap, TOPIC, copies)
    time.sleep(0.2)
    produce(broker.bootstrap, TOPIC, [Message(order("new"), now, 0, b"key")])

    def is_compacted() -> bool:
        fresh = Desk(broker, Lake(f"{desk.lake.root}-{time.monotonic_ns()}"))
        return fresh.take().records < 6

    wait_until(is_compacted, "the old ones are gone")
    taken = desk.take()

    assert taken.records < 6
    assert desk.positions()[0].next == 6
    assert desk.take() == MessagesTaken()


def test_where_the_broker_decides_on_the_time_it_counts(desk: Desk, broker: Broker) -> None:
    broker.create_topic(TOPIC, config={"message.timestamp.type": "LogAppendTime"})
    before = datetime.now(UTC).date()
    desk.send("A", at=MIDNIGHT)

    assert desk.take().days <= {before, datetime.now(UTC).date()}
    assert before > DAY
