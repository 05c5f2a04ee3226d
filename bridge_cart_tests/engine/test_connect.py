"""A server of Spark Connect, reached by `sc://`, gives the tables of a run without an engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge_cart_assets.engine.cluster import Cluster
from bridge_cart_tests.engine.engine_shop import land, take_in, unequal
from bridge_cart_tests.engine.spark_servers import (
    free_port,
    spark_program,
    spark_server,
    wait_for_port,
)

SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server with one task at a time, as the `sc://` that reaches it."""
    port = free_port()
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
        "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }
    given = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    submit = [spark_program("spark-submit"), "--master", "local[1]", "--class", SERVER]
    with spark_server([*submit, *given, "spark-internal"], tmp_path, "connect") as said:
        wait_for_port(port, said)
        yield f"sc://127.0.0.1:{port}"


@pytest.mark.engines
def test_a_run_on_a_connect_server_gives_the_tables_of_one_without(
    address: str, tmp_path: Path
) -> None:
    land(tmp_path, days=20)
    engine = Cluster(address)
    try:
        assert unequal(take_in(tmp_path, None), take_in(tmp_path, engine, "other")) == []
    finally:
        engine.stop()
