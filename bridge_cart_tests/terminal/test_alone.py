"""Operations that have the lake for themselves: what is refused is not done later, unasked."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge_cart_assets.automation.waiting import WaitedTooLongError
from bridge_cart_assets.pipeline.open_operations import (
    RETRACTION,
    closed_unless_begun,
    open_operation,
)
from bridge_cart_assets.pipeline.open_retraction import begin_retraction
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.terminal import restoring, running
from bridge_cart_assets.terminal.erasing import erase_persons
from bridge_cart_assets.terminal.restoring import restore_lake
from bridge_cart_assets.terminal.retracting import retract_object

BEGUN: dict[str, Callable[[Settings], object]] = {
    "erase": lambda settings: erase_persons(settings, ["C1"], 0),
    "retract": lambda settings: retract_object(settings, "purchases/2024-01-01.csv", 0),
    "restore": lambda settings: restore_lake(settings, datetime.now(UTC), 0),
}


def settings_of(data: Path) -> Settings:
    return Settings(data=data, lake=str(data / "lake"))


@pytest.mark.parametrize("verb", BEGUN)
def test_an_operation_that_gives_up_waiting_is_forgotten(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def busy(settings: Settings, *_: object, **__: object) -> None:
        seen.append(open_operation(settings))
        raise WaitedTooLongError("another run is still under way")

    for module in (running, restoring):
        monkeypatch.setattr(module, "turn", busy)
    settings = settings_of(tmp_path)
    with pytest.raises(WaitedTooLongError):
        BEGUN[verb](settings)
    assert [found is not None for found in seen] == [True]
    assert open_operation(settings) is None


@pytest.mark.parametrize("has_begun", [False, True])
def test_only_what_has_changed_something_stays_open(has_begun: bool, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    begin_retraction(settings, "purchases/2024-01-01.csv")
    with (
        pytest.raises(KeyboardInterrupt),
        closed_unless_begun(RETRACTION, settings, lambda: has_begun),
    ):
        raise KeyboardInterrupt
    assert RETRACTION.is_open(settings) is has_begun
