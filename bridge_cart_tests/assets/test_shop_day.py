"""shop/day: one more day of the synthetic shop from the Dagster UI."""

from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from pydantic import ValidationError

from bridge_cart_assets.assets.synthetic_shop import ShopConfig, shop_day
from bridge_cart_assets.automation.jobs import refresh_job
from bridge_cart_assets.automation.schedules import shop_schedule
from bridge_cart_assets.definitions import build_defs
from bridge_cart_assets.generator import ground_truth
from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.plan import plan
from bridge_cart_assets.settings import Settings


def settings_in(data: Path, start: date = date(2024, 3, 1)) -> Settings:
    return Settings(data=data, lake=str(data / "lake"), start_date=start)


def one_more_day(settings: Settings, **config: int) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [shop_day],
        resources={"settings": settings},
        run_config=dg.RunConfig({"shop__day": ShopConfig(customers=40, **config)}),
        raise_on_error=False,
    )


def days_of(settings: Settings) -> list[str]:
    return sorted({f.name[:10] for f in settings.landing.rglob("*.csv")})


def test_a_shop_begins_on_the_first_batch_day_and_goes_on_day_by_day(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert one_more_day(settings).success
    assert days_of(settings) == ["2024-03-01"]
    assert one_more_day(settings, days=20).success
    assert days_of(settings)[-1] >= "2024-03-20"
    alone = Shop(customers=40, days=21, newcomers=5, start=date(2024, 3, 1))
    generate(alone, tmp_path / "alone")
    assert days_of(settings) == days_of(settings_in(tmp_path / "alone"))


def test_a_shop_from_the_command_goes_on_with_its_own_arguments(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    generate(Shop(customers=300, days=10, seed=5), tmp_path)
    assert one_more_day(settings, days=5).success
    generate(Shop(customers=300, days=15, seed=5), tmp_path / "alone")
    for file in (tmp_path / "alone/landing").rglob("*.csv"):
        same = settings.landing / file.relative_to(tmp_path / "alone/landing")
        assert same.read_bytes() == file.read_bytes()


def test_the_landing_sensor_finds_the_new_day(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert one_more_day(settings, days=12).success
    due = plan(settings, Lake(settings.lake))
    assert {source.name for source in due.sources} == {"customers", "purchases"}


def test_tomorrow_does_not_happen(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, datetime.now(UTC).date())
    assert one_more_day(settings).success
    result = one_more_day(settings)
    assert not result.success
    assert "is in the future" in failure(result)


def test_real_files_are_left_alone(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    (settings.landing / "purchases").mkdir(parents=True)
    (settings.landing / "purchases/export.csv").write_text("order_id\n")
    result = one_more_day(settings)
    assert not result.success
    assert "choose another folder" in failure(result)


def failure(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [e for e in result.all_events if e.event_type is dg.DagsterEventType.STEP_FAILURE]
    data = event.step_failure_data
    return f"{data.user_failure_data and data.user_failure_data.description}"


def test_the_schedule_is_off_and_a_refresh_leaves_the_shop_alone() -> None:
    assert shop_schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    definitions = build_defs(Settings())
    refreshed = definitions.resolve_job_def(refresh_job.name).asset_layer.executable_asset_keys
    assert dg.AssetKey(["shop", "day"]) not in refreshed
    assert definitions.resolve_schedule_def(shop_schedule.name).job_name == "shop_day"


@pytest.mark.parametrize("days", [0, -1, 10**9])
def test_the_launchpad_refuses_days_that_make_no_sense(days: int) -> None:
    with pytest.raises(ValidationError):
        ShopConfig(days=days)


def test_a_shop_whose_first_days_were_interrupted_goes_on(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    shop = Shop(customers=60, days=5, seed=3)
    ground_truth.claim(tmp_path, shop.arguments, ("customers", "purchases"))
    (settings.landing / "customers/2024-01-01.csv").write_text("half a day")
    assert one_more_day(settings, days=5).success
    generate(shop, tmp_path / "alone")
    for file in (tmp_path / "alone/landing").rglob("*.csv"):
        same = settings.landing / file.relative_to(tmp_path / "alone/landing")
        assert same.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("content", ['{"customers": 20}', '{"until": 5}', "[]", '{"a'])
def test_a_damaged_note_of_the_shop_is_named(tmp_path: Path, content: str) -> None:
    settings = settings_in(tmp_path)
    generate(Shop(customers=60, days=5), tmp_path)
    (tmp_path / "truth/shop.json").write_text(content)
    result = one_more_day(settings)
    assert not result.success
    assert "choose another folder" in failure(result)
