"""The servers as fixtures."""

from collections.abc import Iterator

import pytest

from bridge_cart_tests.kafka.broker import Broker, BrokerMissingError, kafka_broker
from bridge_cart_tests.kafka.mock import MockCluster


@pytest.fixture
def mock_cluster() -> Iterator[MockCluster]:
    """A mock cluster of one broker, for this test alone."""
    with MockCluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """Apache Kafka; one per worker, so keep the tests that want it in few files."""
    try:
        with kafka_broker() as server:
            yield server
    except BrokerMissingError as reason:
        pytest.skip(str(reason))
