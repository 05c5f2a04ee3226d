"""Messages ask for runs: what is due, who asks for it, and what stops."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from bridge_cart_assets.assets.run_scope import ARRIVALS, ONLY_PENDING, RunScope
from bridge_cart_assets.automation.sensors import kafka_sensor, landing_sensor
from bridge_cart_assets.definitions import build_defs
from bridge_cart_assets.ingestion import kafka_admin
from bridge_cart_assets.ingestion.ingest_messages import ingest_messages
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.plan import plan
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_assets.sources.purchases import PURCHASES
from bridge_cart_assets.tables import silver
from bridge_cart_tests.checks.test_blocking import land
from bridge_cart_tests.kafka.mock import MockCluster
from bridge_cart_tests.kafka.producing import Message, produce

TOPIC = str(PURCHASES.topic)
TOMORROW = datetime.now(UTC).date() + timedelta(days=1)


@pytest.fixture
def settings(settings: Settings, mock_cluster: MockCluster) -> Settings:
    """With brokers, and both topics empty."""
    for source in (CUSTOMERS, PURCHASES):
        mock_cluster.create_topic(str(source.topic))
    return replace(settings, kafka={"bootstrap.servers": mock_cluster.bootstrap})


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_admin, "SECONDS", 0.5)


def send(cluster: MockCluster, *days: str) -> None:
    """An order of each day, in this order."""
    for day in days:
        noon = datetime.fromisoformat(f"{day}T12:00:00+00:00")
        value = (
            f'{{"order_id": "{day}", "customer_id": "C1", "purchase_date": "{day}", '
            '"purchase_amount": 10}'
        )
        moment = int(noon.timestamp() * 1000)
        produce(cluster.bootstrap, TOPIC, [Message(value.encode(), moment)])


def tick(
    sensor: dg.SensorDefinition, settings: Settings, instance: dg.DagsterInstance
) -> dg.RunRequest | str:
    """The run that is asked for, or why none is."""
    context = dg.build_sensor_context(
        instance=instance, resources={"lake": Lake(settings.lake), "settings": settings}
    )
    answer = sensor(context)
    if isinstance(answer, dg.SkipReason):
        return answer.skip_message or ""
    assert isinstance(answer, dg.RunRequest)
    return answer


def run(settings: Settings, request: dg.RunRequest, instance: dg.DagsterInstance) -> bool:
    job = build_defs(settings).resolve_job_def("refresh")
    return job.execute_in_process(
        instance=instance, tags=request.tags, asset_selection=list(request.asset_selection or [])
    ).success


def orders(settings: Settings) -> list[str]:
    return sorted(Lake(settings.lake).snapshot(silver.PURCHASES).read()["order_id"])


def covered(instance: dg.DagsterInstance, table: str) -> object:
    """What the latest check of a table's keys looked at."""
    key = dg.AssetCheckKey(dg.AssetKey(table.split("/")), "keys_unique")
    (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert record.event is not None
    event = record.event.dagster_event
    assert event is not None
    return event.asset_check_evaluation_data.metadata["covers"].value


def test_messages_ask_for_one_run_which_folds_the_unforeseen_days_too(
    settings: Settings, mock_cluster: MockCluster, instance: dg.DagsterInstance
) -> None:
    """Only the first and the last message are looked at before."""
    send(mock_cluster, "2024-01-05", "2023-12-31", "2024-02-01", "2024-01-06")

    request = tick(kafka_sensor, settings, instance)

    assert isinstance(request, dg.RunRequest)
    assert request.tags["dagster/asset_partition_range_start"] == "2024-01-05"
    assert request.tags["dagster/asset_partition_range_end"] == "2024-01-06"
    assert request.tags[ARRIVALS] == "messages"
    assert request.tags[ONLY_PENDING] == f"{settings.start_date}/{TOMORROW}"
    selected = {key.to_user_string() for key in request.asset_selection or []}
    assert "raw/purchases" in selected
    assert "raw/customers" not in selected
    assert request == tick(kafka_sensor, settings, instance)

    assert run(settings, request, instance)
    assert orders(settings) == ["2023-12-31", "2024-01-05", "2024-01-06", "2024-02-01"]
    assert covered(instance, "raw/purchases") == "batch days 2023-12-31 to 2024-02-01"
    assert tick(kafka_sensor, settings, instance) == "no message waits"

    send(mock_cluster, "2024-01-06")
    again = tick(kafka_sensor, settings, instance)
    assert isinstance(again, dg.RunRequest)
    assert again.run_key != request.run_key


@pytest.mark.slow
def test_files_go_on_when_the_brokers_are_away(
    settings: Settings, mock_cluster: MockCluster, instance: dg.DagsterInstance
) -> None:
    send(mock_cluster, "2024-01-05")
    land(settings, "2024-01-01", "O1,C1,2024-01-01,10")
    mock_cluster.take_down()

    request = tick(landing_sensor, settings, instance)

    assert isinstance(request, dg.RunRequest)
    assert request.tags[ARRIVALS] == "files"
    assert run(settings, request, instance)
    assert orders(settings) == ["O1"]

    mock_cluster.bring_up()
    assert "nothing new" in str(tick(landing_sensor, settings, instance))
    assert isinstance(tick(kafka_sensor, settings, instance), dg.RunRequest)


def failure(settings: Settings, instance: dg.DagsterInstance) -> str:
    with pytest.raises(dg.Failure) as failed:
        tick(kafka_sensor, settings, instance)
    return str(failed.value.description)


@pytest.mark.usefixtures("impatient")
def test_a_tick_fails_when_the_brokers_are_away(
    settings: Settings, mock_cluster: MockCluster, instance: dg.DagsterInstance
) -> None:
    mock_cluster.take_down()
    assert failure(settings, instance).startswith(f"Kafka at {mock_cluster.bootstrap}: ")


def test_a_tick_fails_when_messages_were_deleted_before_they_were_taken(
    settings: Settings, mock_cluster: MockCluster, instance: dg.DagsterInstance
) -> None:
    send(mock_cluster, "2024-01-05")
    ingest_messages(Lake(settings.lake), PURCHASES, settings.kafka, "run")
    mock_cluster.delete_topic(TOPIC)
    mock_cluster.create_topic(TOPIC)
    assert "created again" in failure(settings, instance)


@pytest.mark.usefixtures("impatient")
def test_a_plan_for_both_goes_on_with_the_files_and_tells_the_trouble(
    settings: Settings, mock_cluster: MockCluster
) -> None:
    land(settings, "2024-01-01", "O1,C1,2024-01-01,10")
    lake = Lake(settings.lake)
    assert RunScope.of_plan(plan(settings, lake)).tags.keys().isdisjoint({ARRIVALS})

    mock_cluster.take_down()
    due = plan(settings, lake)

    assert (str(due.days), RunScope.of_plan(due).tags[ARRIVALS]) == (
        "2024-01-01/2024-01-01",
        "files",
    )
    assert str(due.kafka_problem).startswith("Kafka at ")
    assert due.messages == ()


def test_messages_of_days_without_a_partition_wait_and_ask_for_nothing(
    settings: Settings, mock_cluster: MockCluster, instance: dg.DagsterInstance
) -> None:
    later = (TOMORROW + timedelta(days=400)).isoformat()
    send(mock_cluster, "2005-06-07", later)
    due = plan(settings, Lake(settings.lake))
    assert str(due.days) == f"{TOMORROW}/{TOMORROW}", "a run has to take them"

    ingest_messages(Lake(settings.lake), PURCHASES, settings.kafka, "run")

    waiting = plan(settings, Lake(settings.lake))
    assert (waiting.days, waiting.messages) == (None, ())
    assert sorted(waiting.outside) == [date(2005, 6, 7), date.fromisoformat(later)]
    assert tick(kafka_sensor, settings, instance) == "no message waits"


def test_nothing_is_asked_for_while_a_run_is_under_way(
    settings: Settings, mock_cluster: MockCluster, instance: dg.DagsterInstance
) -> None:
    send(mock_cluster, "2024-01-05")
    job = build_defs(settings).resolve_job_def("refresh")
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert "under way" in str(tick(kafka_sensor, settings, instance))


def test_without_brokers_there_is_no_sensor_and_nothing_is_asked(settings: Settings) -> None:
    def sensors(of: Settings) -> set[str]:
        return {sensor.name for sensor in build_defs(of).sensors or []}

    assert "kafka_sensor" in sensors(settings)
    without = replace(settings, kafka={})
    assert sensors(without) == sensors(settings) - {"kafka_sensor"}
    assert [ingest_messages(Lake(without.lake), s, {}, "run").records for s in SOURCES] == [
        0
    ] * len(SOURCES)
