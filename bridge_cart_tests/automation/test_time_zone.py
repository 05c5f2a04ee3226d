"""Dagster in the shop's time zone: partitions, schedules, and what refuses another one."""

import itertools
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from bridge_cart_assets.automation.sensors import landing_sensor
from bridge_cart_assets.batch_days import DayRange, last_batch_day
from bridge_cart_assets.definitions import build_defs
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.partitions import daily_partitions, range_tags
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.settings import Settings, SettingsError
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_tests.checks.test_blocking import land

# Havana's, Beirut's and São Paulo's clocks change at midnight: a day there has none.
ZONES = (
    *("UTC", "America/Los_Angeles", "Pacific/Auckland", "Europe/London", "Asia/Kolkata"),
    *("Australia/Lord_Howe", "America/Havana", "Asia/Beirut", "America/Sao_Paulo"),
)


@pytest.mark.parametrize("zone", ZONES)
def test_the_partitions_are_all_days_up_to_the_zones_tomorrow(zone: str) -> None:
    keys = daily_partitions(date(2010, 12, 1), zone).get_partition_keys()
    days = [date.fromisoformat(key) for key in keys]
    assert days[0] == date(2010, 12, 1)
    assert all(b - a == timedelta(days=1) for a, b in itertools.pairwise(days))
    tomorrow = datetime.now(ZoneInfo(zone)).date() + timedelta(days=1)
    assert days[-1] == last_batch_day(zone) == tomorrow


def test_assets_and_schedules_have_the_zone(settings: Settings) -> None:
    definitions = build_defs(replace(settings, timezone="Pacific/Auckland"))
    silver = definitions.resolve_assets_def(dg.AssetKey(["silver", "purchases"]))
    assert isinstance(silver.partitions_def, dg.DailyPartitionsDefinition)
    assert silver.partitions_def.timezone == "Pacific/Auckland"
    nightly = definitions.resolve_schedule_def("nightly_maintenance")
    assert nightly.execution_timezone == "Pacific/Auckland"


def test_a_run_in_another_zone_takes_nothing_whoever_asked_for_it(settings: Settings) -> None:
    land(settings, "2024-01-01", "O1,C1,2024-01-01,10")
    lake = Lake(settings.lake)
    refresh_silver(lake, settings.landing)
    land(settings, "2024-01-02", "O2,C1,2024-01-02,10")
    elsewhere = replace(settings, timezone="America/Los_Angeles")
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(
            instance=instance, resources={"lake": lake, "settings": elsewhere}
        )
        with pytest.raises(SettingsError, match="bridge-cart rebuild"):
            landing_sensor(context)
        tags = range_tags(DayRange(date(2024, 1, 2), date(2024, 1, 2)))
        job = build_defs(elsewhere).resolve_job_def("refresh")
        done = job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    assert not done.success
    assert lake.snapshot(FILES).rows == 1
