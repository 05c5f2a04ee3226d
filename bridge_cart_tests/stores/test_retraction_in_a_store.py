"""A file that landed in an object store is taken back as one that landed in a folder."""

from datetime import date
from pathlib import Path
from unittest.mock import patch

import pytest

from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.object_store import ObjectStore, object_store
from bridge_cart_assets.pipeline import chain, retraction
from bridge_cart_assets.pipeline.open_retraction import Retraction
from bridge_cart_assets.pipeline.retraction import take_back
from bridge_cart_assets.pipeline.taken_objects import find_object
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.erasure.test_erasure import BEGAN
from bridge_cart_tests.lakehouse.tables import contents, differences
from bridge_cart_tests.retraction.shop import KEY, SILVER
from bridge_cart_tests.retraction.test_retraction import (
    GOES,
    GOOD,
    WRONG,
    KilledError,
    cut_off_after,
)
from bridge_cart_tests.stores.servers import Server


@pytest.mark.slow
def test_landing_and_lake_in_a_store(server: Server, bucket: str, tmp_path: Path) -> None:
    options = server.environment()

    def shop(name: str, files: dict[str, str]) -> tuple[Settings, Lake]:
        at = f"s3://{bucket}/{name}"
        data = tmp_path / name
        data.mkdir()
        (data / "identity.key").write_text(KEY)
        settings = Settings(
            data=data,
            lake=f"{at}/lake",
            landing_at=f"{at}/landing",
            start_date=date(2024, 1, 1),
            storage_options=options,
        )
        for file, text in files.items():
            landing_of(settings).write(file, text.encode())
        lake = Lake(settings.lake, options)
        chain.refresh_silver(lake, settings.landing_zone, settings=settings.silver)
        return settings, lake

    def landing_of(settings: Settings) -> ObjectStore:
        return object_store(settings.landing_at, options)

    _, never = shop("never", GOOD)
    settings, lake = shop("landed", {**GOOD, WRONG: GOES})
    with_it = contents(lake, SILVER)
    begun = Retraction(WRONG, BEGAN, find_object(lake, settings, WRONG))
    cut_off = cut_off_after(retraction.move_file, 1)
    with patch.object(retraction, "move_file", cut_off), pytest.raises(KilledError):
        take_back(lake, settings, begun)
    take_back(lake, settings, begun, is_resumed=True)
    chain.refresh_silver(lake, settings.landing_zone, settings=settings.silver)
    assert differences(contents(never, SILVER), contents(lake, SILVER)) == []
    landing = landing_of(settings)
    assert WRONG[10:] not in {file.object for file in list_landing(landing, "purchases")}
    assert landing.read(f"_retracted/{WRONG}") == GOES.encode()
    landing.move(f"_retracted/{WRONG}", WRONG)
    chain.refresh_silver(lake, settings.landing_zone, settings=settings.silver)
    assert differences(with_it, contents(lake, SILVER)) == []
