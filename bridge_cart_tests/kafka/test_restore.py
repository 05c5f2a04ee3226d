"""After a restore the messages that came since are taken again, from the brokers' offsets."""

import time
from datetime import UTC, datetime
from pathlib import Path

from bridge_cart_assets.ingestion.ingest_messages import ingest_messages
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.open_restore import Restore
from bridge_cart_assets.pipeline.restoring import restore_tables, targets_of
from bridge_cart_assets.sources.purchases import PURCHASES
from bridge_cart_assets.tables.ops import OFFSETS
from bridge_cart_tests.kafka.mock import MockCluster
from bridge_cart_tests.kafka.producing import Message, produce

TOPIC = str(PURCHASES.topic)
NOON = 1_704_110_400_000  # 2024-01-01 12:00 UTC in milliseconds


def test_what_came_since_is_taken_again(mock_cluster: MockCluster, tmp_path: Path) -> None:
    mock_cluster.create_topic(TOPIC)
    lake = Lake(str(tmp_path / "lake"))
    brokers = {"bootstrap.servers": mock_cluster.bootstrap}

    def send(number: int) -> None:
        value = f'{{"order_id":"O{number}","customer_id":"C1","purchase_amount":1}}'.encode()
        produce(mock_cluster.bootstrap, TOPIC, [Message(value, NOON, 0)])

    def orders() -> list[str]:
        return sorted(lake.snapshot(PURCHASES.raw).read()["order_id"])

    moments = [datetime.now(UTC)]
    for number in range(3):
        send(number)
        ingest_messages(lake, PURCHASES, brokers, "run")
        time.sleep(0.005)
        moments.append(datetime.now(UTC))
    ledger = lake.snapshot(OFFSETS).read().drop("seen_at", "version")
    restore = Restore("kafka", moments[1], targets_of(lake, moments[1]))
    restore_tables(lake, restore)
    assert orders() == ["O0"]
    assert lake.snapshot(OFFSETS).read()["next_offset"].to_list() == [1]
    ingest_messages(lake, PURCHASES, brokers, "run")
    assert orders() == ["O0", "O1", "O2"]
    again = lake.snapshot(OFFSETS).read().drop("seen_at", "version")
    assert again.equals(ledger)
