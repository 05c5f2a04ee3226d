"""A lake remembers the settings that silver was made with, and a rebuild adopts others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import pytest

from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.pipeline.rebuild import begin_rebuild
from bridge_cart_assets.pipeline.remembered_settings import (
    adopt_settings_of_nothing,
    adopted_settings,
    refuse_other_settings,
)
from bridge_cart_assets.pipeline.silver import fold_due_days
from bridge_cart_assets.settings import SettingsError, SilverSettings
from bridge_cart_assets.tables.silver import INTERNAL, PURCHASES, SETTINGS, TABLES

NOW = datetime(2024, 6, 1, tzinfo=UTC)
IN_UTC = SilverSettings()
IN_NEW_YORK = SilverSettings(timezone="America/New_York")
LINES = "order_id,customer_id,purchase_date,purchase_amount\nO1,C1,2024-01-01,10\n"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with one order in landing, and nothing taken yet."""
    landed = tmp_path / "landing" / "purchases" / "2024-01-01.csv"
    landed.parent.mkdir(parents=True)
    landed.write_text(LINES)
    return Lake(str(tmp_path / "lake"))


def run(lake: Lake, settings: SilverSettings) -> None:
    refuse_other_settings(lake, settings)
    refresh_silver(lake, Path(lake.root).parent / "landing", settings=settings)


def refusal(lake: Lake, settings: SilverSettings) -> str:
    with pytest.raises(SettingsError) as refused:
        refuse_other_settings(lake, settings)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def remembered(lake: Lake) -> dict[str, str | None]:
    return dict(lake.snapshot(SETTINGS).read().iter_rows())


def forget(lake: Lake) -> None:
    """What a lake is like that was made before there was a choice."""
    snapshot = lake.snapshot(SETTINGS)
    snapshot.replace(SETTINGS.empty(), Commit("test"))


@contextmanager
def cut_off_at(write: int) -> Iterator[None]:
    """As if the process died at its write-th commit, with nothing of that one written."""
    left = [write]

    def counted(inner: Callable[..., int]) -> Callable[..., int]:
        def call(*args: object) -> int:
            left[0] -= 1
            if left[0] <= 0:
                raise KeyboardInterrupt
            return inner(*args)

        return call

    with (
        patch.object(Snapshot, "replace", counted(Snapshot.replace)),
        patch.object(Snapshot, "append", counted(Snapshot.append)),
    ):
        yield


def test_the_first_rows_are_remembered_with_their_settings(lake: Lake) -> None:
    run(lake, IN_NEW_YORK)
    assert remembered(lake)["BRIDGE_CART_TIMEZONE"] == "America/New_York"
    run(lake, IN_NEW_YORK)


def test_another_setting_is_refused_with_both_values_and_the_remedy(lake: Lake) -> None:
    run(lake, IN_NEW_YORK)
    words = refusal(lake, SilverSettings(timezone="Europe/Berlin"))
    assert words.startswith("BRIDGE_CART_TIMEZONE='Europe/Berlin' is not accepted")
    assert "'America/New_York'" in words
    assert "bridge-cart rebuild" in words


def test_a_fold_with_other_settings_writes_nothing(lake: Lake) -> None:
    run(lake, IN_UTC)
    before = lake.snapshot(PURCHASES).version
    landing = Path(lake.root).parent / "landing"
    (landing / "purchases" / "2024-01-02.csv").write_text(LINES.replace("O1", "O2"))
    with pytest.raises(SettingsError):
        refresh_silver(lake, landing, settings=IN_NEW_YORK)
    assert lake.snapshot(PURCHASES).version == before


def test_an_earlier_lake_is_of_utc(lake: Lake) -> None:
    run(lake, IN_UTC)
    forget(lake)
    assert "'UTC'" in refusal(lake, IN_NEW_YORK)
    refuse_other_settings(lake, IN_UTC)


def test_a_lake_without_rows_takes_any_setting(lake: Lake) -> None:
    refuse_other_settings(lake, IN_NEW_YORK)
    fold_due_days(lake, (), {}, "run", settings=IN_UTC)
    refuse_other_settings(lake, IN_NEW_YORK)


def test_a_rebuild_adopts_the_settings(lake: Lake) -> None:
    run(lake, IN_UTC)
    begin_rebuild(lake, NOW, IN_NEW_YORK)
    assert lake.snapshot(PURCHASES).rows == 0
    assert "'America/New_York'" in refusal(lake, IN_UTC)
    run(lake, IN_NEW_YORK)
    assert lake.snapshot(PURCHASES).rows == 1


def test_a_rebuild_without_records_adopts_them_too(lake: Lake) -> None:
    run(lake, IN_UTC)
    adopt_settings_of_nothing(lake, IN_NEW_YORK, "rebuild")
    refuse_other_settings(lake, IN_UTC)
    begin_rebuild(lake, NOW, IN_UTC)
    adopt_settings_of_nothing(lake, IN_NEW_YORK, "rebuild")
    refuse_other_settings(lake, IN_NEW_YORK)


def test_a_rebuild_with_the_same_settings_writes_none(lake: Lake) -> None:
    run(lake, IN_UTC)
    before = lake.snapshot(SETTINGS).version
    begin_rebuild(lake, NOW, IN_UTC)
    assert lake.snapshot(SETTINGS).version == before


def test_while_silver_is_emptied_for_another_setting_none_is_accepted(lake: Lake) -> None:
    run(lake, IN_UTC)
    with adopted_settings(lake, IN_NEW_YORK, "rebuild"):
        assert "cut off" in refusal(lake, IN_UTC)
        assert "bridge-cart rebuild" in refusal(lake, IN_NEW_YORK)


@pytest.mark.slow
def test_wherever_a_rebuild_is_cut_off_rows_are_folded_into_rows_of_equal_settings(
    lake: Lake,
) -> None:
    run(lake, IN_UTC)
    for write in range(1, 40):
        try:
            with cut_off_at(write):
                begin_rebuild(lake, NOW, IN_NEW_YORK)
        except KeyboardInterrupt:
            if any(lake.snapshot(table).rows for table in (*TABLES, *INTERNAL)):
                refusal(lake, IN_NEW_YORK)
            begin_rebuild(lake, NOW, IN_UTC)
            run(lake, IN_UTC)
            assert lake.snapshot(PURCHASES).rows == 1
        else:
            break
    assert write > 5, "it was not cut off between its commits"
    run(lake, IN_NEW_YORK)
    assert "'America/New_York'" in refusal(lake, IN_UTC)
