"""Declarative automation follows what somebody materialized, once, and starts nothing by itself."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from bridge_cart_assets.automation.jobs import QUIET
from bridge_cart_assets.definitions import build_defs
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.checks.test_blocking import double_a_line, land, run

SILVER = dg.AssetKey(["silver", "purchases"])
KPIS = dg.AssetKey(["gold", "kpis_daily"])
RAW = dg.AssetKey(["raw", "purchases"])
DAY = "2026-01-05"
TICK = timedelta(seconds=30)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With few partitions: each evaluation looks at all of them."""
    return replace(settings, start_date=date(2026, 1, 1))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


class Sensor:
    """Evaluates the conditions again and again, as the sensor does."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.defs = build_defs(settings)
        self.instance = instance
        self.now = datetime.now(UTC)
        self.cursor: dg.AssetDaemonCursor | None = None

    def tick(self, later: timedelta = TICK) -> dict[dg.AssetKey, int]:
        """What is asked for now, by asset and number of partitions."""
        self.now += later
        result = dg.evaluate_automation_conditions(
            self.defs, self.instance, cursor=self.cursor, evaluation_time=self.now
        )
        self.cursor = result.cursor
        keys = self.defs.resolve_asset_graph().get_all_asset_keys()
        counts = {key: result.get_num_requested(key) for key in keys}
        return {key: count for key, count in counts.items() if count}

    def materialize(self, *keys: dg.AssetKey, day: str | None = None) -> bool:
        """As somebody does by hand in the UI."""
        job = self.defs.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=list(keys),
            partition_key=day,
            run_config=QUIET,
            raise_on_error=False,
        ).success


@pytest.mark.slow
def test_nothing_is_started_without_a_reason(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    """On a lakehouse that is up to date, at midnight, and after a run of the whole chain."""
    land(settings, DAY, "O1,C1,2026-01-05,10", "O2,C2,2026-01-05,20")
    assert run(settings, instance).success
    sensor = Sensor(settings, instance)

    assert sensor.tick() == {}
    assert sensor.tick() == {}
    assert sensor.tick(timedelta(days=1)) == {}, "midnight: there is a new partition"
    assert sensor.tick() == {}
    land(settings, "2026-01-06", "O3,C1,2026-01-06,30")
    assert run(settings, instance).success
    assert sensor.tick() == {}
    assert sensor.tick() == {}


@pytest.mark.slow
def test_what_was_materialized_by_hand_is_followed_once_and_held_by_a_failed_check(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land(settings, DAY, "O1,C1,2026-01-05,10", "O2,C2,2026-01-05,20")
    assert run(settings, instance).success
    sensor = Sensor(settings, instance)
    assert sensor.tick() == {}

    assert sensor.materialize(RAW, day=DAY)
    after_raw = sensor.tick()
    assert after_raw[SILVER] == 1
    assert {key.path[0] for key in after_raw} == {"silver"}
    assert sensor.materialize(*after_raw, day=DAY)
    after_silver = sensor.tick()
    assert after_silver[KPIS] == 1
    assert {key.path[0] for key in after_silver} == {"gold", "catalogue"}
    assert sensor.materialize(*after_silver)
    assert sensor.tick() == {}
    assert sensor.tick() == {}

    double_a_line(settings)
    assert not sensor.materialize(SILVER, day=DAY)
    assert KPIS not in sensor.tick()
