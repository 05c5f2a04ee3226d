"""The landing sensor: one run for what is new, one at a time."""

import time
from collections.abc import Iterator
from datetime import date

import dagster as dg
import pytest

from bridge_cart_assets.automation.liveness import STOPPED
from bridge_cart_assets.automation.processes import ProcessIdentity
from bridge_cart_assets.automation.sensors import landing_sensor
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.open_erasure import begin_erasure
from bridge_cart_assets.pipeline.plan import plan
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.automation.dead_runs import cut_off, gone, started, state
from bridge_cart_tests.checks.test_blocking import land
from bridge_cart_tests.faults import kill_target


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def tick(settings: Settings, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_sensor_context(
        instance=instance, resources={"lake": Lake(settings.lake), "settings": settings}
    )
    answer = landing_sensor(context)
    assert isinstance(answer, (dg.RunRequest, dg.SkipReason))
    return answer


def test_new_files_ask_for_one_run_over_their_days(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land(settings, "2024-01-01", "O1,C1,2024-01-01,10")
    land(settings, "2024-01-03", "O2,C1,2024-01-03,10")

    request = tick(settings, instance)

    assert isinstance(request, dg.RunRequest)
    assert request.tags["dagster/asset_partition_range_start"] == "2024-01-01"
    assert request.tags["dagster/asset_partition_range_end"] == "2024-01-03"
    assert dg.AssetKey(["raw", "purchases"]) in (request.asset_selection or [])
    assert dg.AssetKey(["raw", "customers"]) not in (request.asset_selection or [])
    assert request == tick(settings, instance)


def test_nothing_is_asked_for_while_a_person_is_erased(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land(settings, "2024-01-01", "O1,C1,2024-01-01,10")
    erasure = begin_erasure(settings, ["C1"])
    answer = tick(settings, instance)
    assert isinstance(answer, dg.SkipReason)
    assert "bridge-cart run" in str(answer.skip_message)
    erasure.close(settings)
    assert isinstance(tick(settings, instance), dg.RunRequest)


def test_nothing_is_asked_for_once_all_is_taken(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land(settings, "2024-01-01", "O1,C1,2024-01-01,10")
    kill_target.run(settings.data)

    assert isinstance(tick(settings, instance), dg.SkipReason)


def test_nothing_is_asked_for_while_a_run_is_under_way(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land(settings, "2024-01-01", "O1,C1,2024-01-01,10")
    started(instance, ProcessIdentity.current())

    answer = tick(settings, instance)

    assert isinstance(answer, dg.SkipReason)
    assert "under way" in (answer.skip_message or "")


def test_a_dead_run_is_ended_and_its_work_asked_for(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land(settings, "2024-01-01", "O1,C1,2024-01-01,10")
    run_id = started(instance, gone())

    assert isinstance(tick(settings, instance), dg.RunRequest)
    assert state(instance, run_id) == "FAILURE"


def test_a_run_that_was_cut_off_is_asked_for_again_some_times(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    """With the run key of before Dagster would take the request for one that it has had."""
    land(settings, "2024-01-01", "O1,C1,2024-01-01,10")
    keys = []
    for _ in range(4):
        request = tick(settings, instance)
        assert isinstance(request, dg.RunRequest)
        keys.append(request.run_key)
        cut_off(instance, STOPPED, dg.DagsterRunStatus.CANCELED, request.tags)

    assert len(set(keys)) == 4
    answer = tick(settings, instance)
    assert isinstance(answer, dg.SkipReason)
    assert "4 runs for the same files were cut off" in (answer.skip_message or "")


def test_a_file_that_is_still_being_written_is_not_there_yet(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land(settings, "2024-01-01", "O1,C1,2024-01-01,10")
    file = settings.landing / "purchases" / "2024-01-01.csv"
    file.rename(file.with_suffix(".csv.tmp"))

    assert isinstance(tick(settings, instance), dg.SkipReason)


def test_a_tick_over_ten_thousand_files_takes_seconds(settings: Settings) -> None:
    folder = settings.landing / "purchases" / "2024-01-01"
    folder.mkdir(parents=True)
    for number in range(10_000):
        (folder / f"{number}.csv").touch()

    began = time.monotonic()
    due = plan(settings, Lake(settings.lake))

    assert len(due.files) == 10_000
    assert time.monotonic() - began < 20


def test_files_before_the_first_partition_wait_and_are_named(settings: Settings) -> None:
    land(settings, "2009-12-31", "O1,C1,2009-12-31,10")

    due = plan(settings, Lake(settings.lake))

    assert due.days is None
    assert due.outside == (date(2009, 12, 31),)
