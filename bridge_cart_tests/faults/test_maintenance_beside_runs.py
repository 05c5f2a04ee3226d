"""Tables are compacted and vacuumed while others write them: nothing lost, nothing doubled."""

import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import duckdb
import pytest

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import heal
from bridge_cart_assets.lake.maintenance import maintain
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_tests.faults import kill_target, maintenance
from bridge_cart_tests.faults.extent import EXAMPLES
from bridge_cart_tests.faults.subprocesses import start
from bridge_cart_tests.faults.test_killed import (
    half_done,
    is_as_if_nothing_had_happened,
    raw_rows,
)
from bridge_cart_tests.lakehouse.tables import contents, differences

COMPACTIONS = 10 if EXAMPLES else 4


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop in two deliveries: `first` has been taken in, `second` lies in landing only."""
    root = tmp_path_factory.mktemp("upkeep")
    made = partial(Shop, customers=60, newcomers=1.0, dirt=0.2)
    generate(made(days=8), root / "first")
    kill_target.run(root / "first")
    shutil.copytree(root / "first", root / "whole")
    generate(made(days=18), root / "whole")
    kill_target.run(root / "whole")
    return root


def written(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


@pytest.mark.long
def test_ingesters_and_upkeep_at_once_end_as_an_undisturbed_run(shop: Path, tmp_path: Path) -> None:
    data = half_done(shop, tmp_path)
    silver = "SELECT count(*), sum(net_amount) FROM silver.purchases"
    with duckdb.connect(str(data / "bridge_cart.duckdb"), read_only=True) as reader:
        before = reader.sql(silver).fetchall()
        command = [sys.executable, "-m", maintenance.__name__, str(data)]
        keeper = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert keeper.stdout is not None
        keeper.stdout.readline()
        # One file is a commit of its own; one ingester is killed on the way.
        crowd = [start(data, "crowd"), start(data, "crowd")]
        while written(data / "upkeep") < COMPACTIONS // 2 and crowd[0].poll() is None:
            time.sleep(0.02)
        crowd[0].kill()
        for process in crowd:
            process.wait()
        kill_target.run(data)
        (data / "enough").touch()
        keeper.communicate()
        assert keeper.returncode == 0
        assert reader.sql(silver).fetchall() == before

    print(f"{written(data / 'upkeep')} compactions, {written(data / 'lost-to-others')} too late,")
    print(f"{written(data / 'conflicts')} writes planned again")
    assert written(data / "upkeep") >= COMPACTIONS
    is_as_if_nothing_had_happened(data, shop)
    assert heal(Lake(str(data / "lake")), STORED_TABLES) == []


@pytest.mark.slow
def test_a_maintained_lake_takes_in_what_comes_as_any_other(shop: Path, tmp_path: Path) -> None:
    data = half_done(shop, tmp_path)
    lake = Lake(str(data / "lake"))
    there, raw = contents(lake), raw_rows(data)
    done = maintain(lake, STORED_TABLES, "upkeep")
    assert sum(table.files_after for table in done) < sum(table.files_before for table in done)
    assert differences(there, contents(lake)) == []
    assert all(rows.equals(raw[name]) for name, rows in raw_rows(data).items())
    kill_target.run(data)
    is_as_if_nothing_had_happened(data, shop)
