"""A restore never brings an erased person back, whatever it undoes."""

from datetime import date
from pathlib import Path

import pytest

from bridge_cart_assets.pipeline.lake_states import RestoreRefusedError
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_tests.erasure.byte_search import found_in
from bridge_cart_tests.erasure.shop import PERSON, WORDS, land, land_later
from bridge_cart_tests.erasure.test_erasure import erase, refresh
from bridge_cart_tests.restore.shop import SmallShop, now


@pytest.mark.slow
def test_what_comes_after_an_erasure_can_be_undone_and_nothing_before(tmp_path: Path) -> None:
    shop = SmallShop(tmp_path)
    settings = Settings(data=tmp_path, lake=str(tmp_path / "lake"), start_date=date(2024, 1, 1))
    for source in SOURCES:
        (settings.landing / source.name).mkdir(parents=True)
    land(settings.landing)
    refresh(settings)
    before = now()
    erase(settings, PERSON[0])
    after, rows = now(), shop.contents()
    land_later(settings.landing)
    refresh(settings)
    with pytest.raises(RestoreRefusedError, match=r"(?s)have been removed.*the earliest moment is"):
        shop.restore(before)
    shop.restore(after)
    assert [path for path, frame in shop.contents().items() if not frame.equals(rows[path])] == []
    assert found_in(tmp_path / "lake", WORDS) == []
    refresh(settings)
    assert found_in(tmp_path / "lake", WORDS) == []
