"""docker-compose.yml as it would run: the shop sends, gold moves, whatever stops in between."""

import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.stored_tables import PUBLISHED_TABLES
from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.deploy.compose_processes import Stack, eventually, interpolated, stack
from bridge_cart_tests.deploy.postgres_server import PostgresMissingError
from bridge_cart_tests.kafka.broker import BrokerMissingError

UNFINISHED = "SELECT count(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"
STARTED = "SELECT count(*) FROM runs WHERE status = 'STARTED'"
# Seconds, on a machine that others use too.
PATIENCE = 900
# Columns that name a run, or the moment of one.
OF_RUN = ("run_id", "quarantined_at")
BACKFILL = """
mutation ($days: [String!]!) { launchPartitionBackfill(backfillParams: {
  partitionNames: $days, assetSelection: [{path: ["silver", "purchases"]}]
}) { __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }
"""
BACKFILL_STATE = "query ($id: String!) { partitionBackfillOrError(backfillId: $id) \
{ __typename ... on PartitionBackfill { status } } }"


def graphql(ui: str, query: str, **variables: object) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(  # noqa: S310 (of the stack itself)
        f"{ui}/graphql", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)["data"]
    return found


def shows(stack: Stack, day: str) -> bool:
    """Whether the report page is up to date with a day."""
    with urllib.request.urlopen(f"{stack.page}/", timeout=30) as answer:  # noqa: S310
        return day in answer.read().decode()


def wait_for(stack: Stack, day: str) -> None:
    """Until the page shows a day, and no run is under way."""
    eventually(lambda: shows(stack, day), f"the page shows {day}", PATIENCE)
    eventually(lambda: stack.postgres.ask(UNFINISHED) == [(0,)], "no run is under way", PATIENCE)


def under_way(stack: Stack) -> None:
    eventually(lambda: stack.postgres.ask(STARTED) != [(0,)], "a run is under way")


def tables(root: str, options: Mapping[str, str] | None = None) -> dict[str, pl.DataFrame]:
    lake = Lake(root, options or {})
    frames = ((table.path, lake.snapshot(table).read()) for table in PUBLISHED_TABLES)
    return {
        path: frame.drop(*OF_RUN, strict=False).pipe(lambda f: f.sort(f.columns))
        for path, frame in frames
    }


def taken_at_once(stack: Stack, folder: Path) -> dict[str, pl.DataFrame]:
    """What one undisturbed run makes of the same messages."""
    folder.mkdir()
    shutil.copy(stack.data / "identity.key", folder)
    done = subprocess.run(
        [sys.executable, "-m", "bridge_cart_assets", "run"],
        env=environment_of(
            folder, BRIDGE_CART_KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{stack.kafka.plain}"
        ),
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return tables(str(folder / "lake"))


# Tables that tell how customers were seen by models and runs of their time: those of a shop that
# was taken in day by day are others than those of one run. What follows from the records is equal.
def of_records(made: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    wanted = ("silver/purchases", "silver/customers", "silver/accounting", "silver/identities")
    figures = ("gold/kpis_daily", "gold/customer_features", "gold/sales_daily")
    return {path: made[path] for path in (*wanted, *figures)}


def assert_equal(made: Mapping[str, pl.DataFrame], expected: Mapping[str, pl.DataFrame]) -> None:
    for path, frame in of_records(expected).items():
        assert_frame_equal(made[path], frame)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Stack]:
    try:
        with stack(tmp_path) as started:
            yield started
    except (PostgresMissingError, BrokerMissingError) as reason:
        pytest.skip(str(reason))


def test_variables_are_read_as_the_engine_reads_them() -> None:
    env = {"SET": "a", "EMPTY": ""}
    assert interpolated("${SET:-b} ${EMPTY:-b} ${NONE:-} ${SET:?word}", env) == "a b  a"
    with pytest.raises(KeyError, match="NONE: set it"):
        interpolated("${NONE:?set it}", env)


@pytest.mark.engines
def test_the_shop_sends_gold_moves_and_nothing_is_lost_whatever_stops(
    up: Stack, tmp_path: Path
) -> None:
    code, daemon, report = up.ours["code"], up.ours["daemon"], up.ours["report"]
    assert "sent to the topics" in up.produce()
    wait_for(up, "2024-02-29")

    # The daemon, which would ask for the run.
    daemon.kill()
    up.produce("generate", "--until=2024-03-05", "--to=kafka")
    daemon.wait_until_healthy()
    wait_for(up, "2024-03-05")

    # The code server with the run that it executes.
    up.produce("generate", "--until=2024-03-10", "--to=kafka")
    under_way(up)
    code.kill()
    code.wait_until_healthy()
    wait_for(up, "2024-03-10")

    # The brokers; the shop's messages wait until they are there again.
    up.kafka.stop(signal.SIGKILL)
    report.kill()
    time.sleep(5)
    up.kafka.start()
    up.produce("generate", "--until=2024-03-15", "--to=kafka")
    report.wait_until_healthy()
    wait_for(up, "2024-03-15")

    # The database, as a crash would, with a run under way; and the web server beside it.
    up.produce("generate", "--until=2024-03-20", "--to=kafka")
    under_way(up)
    up.postgres.stop(signal.SIGQUIT)
    up.ours["webserver"].kill()
    time.sleep(5)
    up.postgres.start()
    for service in ("code", "daemon", "webserver"):
        up.ours[service].wait_until_healthy()
    wait_for(up, "2024-03-20")

    # A backfill over days that are there already changes nothing.
    before = tables(str(up.data / "lake"))
    days = [f"2024-02-{day:02}" for day in range(1, 11)]
    launched = graphql(up.ui, BACKFILL, days=days)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def is_done() -> bool:
        state = graphql(up.ui, BACKFILL_STATE, id=launched["backfillId"])
        return bool(state["partitionBackfillOrError"]["status"] == "COMPLETED_SUCCESS")

    eventually(is_done, "the backfill is done", PATIENCE)
    assert_equal(tables(str(up.data / "lake")), before)
    assert_equal(before, taken_at_once(up, tmp_path / "at-once"))
    secret = up.postgres.password
    for log in (tmp_path / "log").iterdir():
        assert secret not in log.read_text(errors="replace"), log.name


# As docs/deployment.md has them; the key and the secret are of nothing.
IN_STORE = {
    "BRIDGE_CART_LAKE": "s3://lake/shop",
    "AWS_ACCESS_KEY_ID": "bridgecart",
    "AWS_SECRET_ACCESS_KEY": "of-nothing-4711",
    "AWS_REGION": "us-east-1",
    "AWS_ENDPOINT_URL": "http://minio:9000",
    "AWS_ALLOW_HTTP": "true",
}


@pytest.mark.engines
def test_the_same_with_the_lake_in_an_object_store(tmp_path: Path) -> None:
    try:
        with stack(tmp_path, **IN_STORE) as up:
            up.produce()
            wait_for(up, "2024-02-29")
            up.ours["code"].kill()
            up.produce("generate", "--until=2024-03-05", "--to=kafka")
            up.ours["code"].wait_until_healthy()
            wait_for(up, "2024-03-05")
            assert not (up.data / "lake").exists()
            assert up.store
            options = {k: v for k, v in IN_STORE.items() if k.startswith("AWS_")}
            made = tables(IN_STORE["BRIDGE_CART_LAKE"], options | {"AWS_ENDPOINT_URL": up.store})
            assert_equal(made, taken_at_once(up, tmp_path / "at-once"))
    except (PostgresMissingError, BrokerMissingError) as reason:
        pytest.skip(str(reason))
    for log in (tmp_path / "log").iterdir():
        assert IN_STORE["AWS_SECRET_ACCESS_KEY"] not in log.read_text(errors="replace"), log.name
