"""The tables of a lake in an object store go back as those of one in a folder do."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import heal
from bridge_cart_assets.pipeline import chain
from bridge_cart_assets.pipeline.diagnosis import disagreements, orphans
from bridge_cart_assets.pipeline.open_restore import Restore
from bridge_cart_assets.pipeline.restoring import restore_tables, targets_of
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.lakehouse.tables import contents, differences, stale_tables
from bridge_cart_tests.restore.shop import SmallShop
from bridge_cart_tests.stores.servers import Server


@pytest.mark.slow
def test_restore_then_run_gives_the_tables_from_before_the_restore(
    server: Server, bucket: str, tmp_path: Path
) -> None:
    root, options = f"s3://{bucket}/lake", server.environment()
    shop = SmallShop(tmp_path)
    settings = Settings(data=tmp_path, lake=root, storage_options=options)
    # Opened anew each time: nothing is kept in memory from one step to the next.
    rows = []
    moment = datetime.now(UTC)
    for number in (0, 1):
        shop.land(number)
        chain.run(Lake(root, options), tmp_path / "landing", settings=settings.silver)
        rows.append(contents(Lake(root, options), STORED_TABLES))
        moment = moment if number else datetime.now(UTC)
    lake = Lake(root, options)
    restore = Restore("store", moment, targets_of(lake, moment))
    assert restore_tables(lake, restore) > 20
    assert differences(rows[0], contents(lake, STORED_TABLES)) == []
    assert restore_tables(Lake(root, options), restore) == 0
    assert heal(lake, STORED_TABLES) == []
    assert list(disagreements(lake, settings, ())) == []
    assert list(orphans(lake)) == []
    chain.run(Lake(root, options), tmp_path / "landing", settings=settings.silver)
    silver = {path: frame for path, frame in rows[1].items() if path.startswith("silver/")}
    assert differences(silver, contents(Lake(root, options), STORED_TABLES)) == []
    assert stale_tables(Lake(root, options)) == []
