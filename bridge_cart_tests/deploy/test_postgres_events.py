"""The event log on Postgres answers as Dagster's own does; it only writes less, and together."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent, DagsterEventType
from dagster._core.storage.event_log import EventLogStorage, SqlEventLogStorageTable

from bridge_cart_assets.automation.postgres import (
    PooledPostgresEventLogStorage,
    PooledPostgresStorage,
)
from bridge_cart_tests.automation.test_event_log import RAW, check_summaries, log_answers
from bridge_cart_tests.deploy.postgres_server import Server

OWN = {"module": "dagster_postgres", "class": "DagsterPostgresStorage"}
POOLED = {"module": PooledPostgresStorage.__module__, "class": PooledPostgresStorage.__name__}
CHECKS = "SELECT count(*) FROM asset_check_executions"


@contextmanager
def instance_on(server: Server, root: Path, named: dict[str, str]) -> Iterator[dg.DagsterInstance]:
    server.empty()
    root.mkdir()
    of_server = {
        "scheme": "postgresql+psycopg2",
        "hostname": "127.0.0.1",
        "port": server.port,
        "db_name": server.environment["POSTGRES_DB"],
        "username": server.environment["POSTGRES_USER"],
        "password": server.password,
    }
    storage = {"custom": {**named, "config": {"postgres_db": of_server}}}
    with dg.instance_for_test(temp_dir=str(root), overrides={"storage": storage}) as made:
        yield made


@pytest.fixture
def made(server: Server, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with instance_on(server, tmp_path / "pooled", POOLED) as opened:
        yield opened


def log_of(made: dg.DagsterInstance) -> PooledPostgresEventLogStorage:
    storage = made.event_log_storage
    assert isinstance(storage, PooledPostgresEventLogStorage)
    return storage


@contextmanager
def another(log: PooledPostgresEventLogStorage) -> Iterator[PooledPostgresEventLogStorage]:
    """The log as another process has it."""
    opened = PooledPostgresEventLogStorage(log.postgres_url, False, None)
    try:
        yield opened
    finally:
        opened.dispose()


def planned(run_id: str, *assets: str) -> list[dg.EventLogEntry]:
    """Plans of assets, as a run begins with."""
    return [
        dg.EventLogEntry(  # type: ignore[no-untyped-call]
            error_info=None,
            user_message="",
            level="debug",
            run_id=run_id,
            timestamp=1.0,
            dagster_event=DagsterEvent(
                DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value,
                "job",
                event_specific_data=AssetMaterializationPlannedData(dg.AssetKey(name)),
            ),
        )
        for name in assets
    ]


@pytest.mark.slow
def test_the_answers_are_those_of_dagsters_own_log(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, rows = {}, {}
    for name, named, size in (("own", OWN, "0"), ("pooled", POOLED, "1000")):
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", size)
        with instance_on(server, tmp_path / name, named) as made:
            answers[name] = {**log_answers(made), "summaries": check_summaries(made)}
            rows[name] = server.ask(CHECKS)[0][0]
    assert answers["pooled"] == answers["own"]
    assert len(answers["pooled"]["partitions"][RAW]) == 29  # type: ignore[index]
    # Two runs and a third that is only planned: one row each, where Dagster has one for each day.
    assert (rows["pooled"], rows["own"]) == (3, 3 + 2 * 29)


def test_connections_stay_open(made: dg.DagsterInstance, server: Server) -> None:
    sessions = "SELECT sessions FROM pg_stat_database WHERE datname = 'dagster'"
    log = log_of(made)

    def count() -> int:
        return int(str(server.ask(sessions, database="postgres")[0][0]))

    log.store_event(planned("first", "table")[0])
    before = count()
    for number in range(50):
        log.store_event(planned(f"run {number}", "table")[0])
        made.get_runs(limit=1)
    assert count() - before <= 1


def test_a_dropped_connection_is_not_noticed(made: dg.DagsterInstance, server: Server) -> None:
    log = log_of(made)
    log.store_event(planned("before", "table")[0])
    made.get_runs(limit=1)
    server.ask(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'dagster'",
        database="postgres",
    )
    log.store_event(planned("after", "table")[0])
    assert made.get_runs(limit=1) == []
    assert [len(log.get_logs_for_run(run)) for run in ("before", "after")] == [1, 1]


def test_writers_of_the_same_assets_do_not_wait_for_each_other_for_ever(
    made: dg.DagsterInstance,
) -> None:
    """Each brings the latest of both assets in one transaction, in opposite order."""
    names = [f"table {number}" for number in range(200)]
    problems: list[BaseException] = []

    def write(log: EventLogStorage, run_id: str, order: Sequence[str]) -> None:
        try:
            for _ in range(3):
                log.store_event_batch(planned(run_id, *order))
        except BaseException as error:  # noqa: BLE001 (it is looked at below)
            problems.append(error)

    with another(log_of(made)) as other:
        threads = [
            threading.Thread(target=write, args=(log_of(made), "one", names)),
            threading.Thread(target=write, args=(other, "two", names[::-1])),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert problems == []


def test_events_are_seen_in_the_order_of_their_ids(made: dg.DagsterInstance) -> None:
    """A sensor goes on behind the last id that it saw: none with a lower one may come later."""
    log = log_of(made)
    stored = threading.Event()

    def write(other: EventLogStorage) -> None:
        other.store_event(planned("later", "table")[0])
        stored.set()

    with another(log) as other:
        thread = threading.Thread(target=write, args=(other,))
        with log.index_transaction() as connection:
            rows = [log._event_to_row(event) for event in planned("earlier", "table")]
            connection.execute(SqlEventLogStorageTable.insert(), rows)
            thread.start()
            assert not stored.wait(0.3), "seen before an event with a lower id"
        thread.join(30)
    assert stored.is_set()


def test_events_of_a_step_wait_and_are_there_for_every_reader_of_the_process(
    made: dg.DagsterInstance,
) -> None:
    key = dg.AssetKey("table")
    names = [f"check_{n}" for n in range(20)]
    seen: list[int] = []

    def evaluated(log: EventLogStorage, run_id: str) -> int:
        kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
        return len(log.get_logs_for_run(run_id, of_type=kind))

    with another(log_of(made)) as other:

        @dg.multi_asset(
            specs=[dg.AssetSpec(key)], check_specs=[dg.AssetCheckSpec(n, asset=key) for n in names]
        )
        def table(
            context: dg.AssetExecutionContext,
        ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
            yield dg.MaterializeResult(asset_key=key)
            for name in names:
                yield dg.AssetCheckResult(passed=True, check_name=name, asset_key=key)
            run_id = context.run.run_id
            seen.append(evaluated(other, run_id))
            seen.append(evaluated(context.instance.event_log_storage, run_id))
            seen.append(evaluated(other, run_id))

        job = dg.Definitions([table], jobs=[dg.define_asset_job("all", "*")])
        assert job.resolve_job_def("all").execute_in_process(instance=made).success
    assert seen[0] < len(names), "nothing waited"
    assert seen[1:] == [len(names)] * 2
