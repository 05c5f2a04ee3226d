"""kill -9 at any point, then a run: nothing is lost, nothing is there twice."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import polars as pl
import pytest

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.landing import Form
from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.sources import SOURCES
from bridge_cart_tests.faults import victim
from bridge_cart_tests.lakehouse.tables import contents, differences

IDENTITY = ["_fingerprint", "_pos"]
# Over all formats; make test-faults asks for more.
KILLS = int(os.environ.get("BRIDGE_CART_TEST_KILLS", "25"))


@pytest.fixture(scope="module", params=Form, ids=str)
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop in two deliveries: `first` has been taken in, `second` lies in landing only."""
    root = tmp_path_factory.mktemp(str(request.param))
    made = {"customers": 150, "newcomers": 2.0, "dirt": 0.25, "form": request.param}
    generate(Shop(days=20, **made), root / "first")
    victim.run(root / "first")
    shutil.copytree(root / "first", root / "whole")
    generate(Shop(days=34, **made), root / "whole")
    victim.run(root / "whole")
    return root


def half_done(shop: Path, folder: Path) -> Path:
    """The lake after the first delivery, the landing zone after the second."""
    shutil.copytree(shop / "first" / "lake", folder / "lake")
    shutil.copy(shop / "first" / "bridge_cart.duckdb", folder)
    shutil.copytree(shop / "whole" / "landing", folder / "landing")
    return folder


def raw_rows(data: Path) -> dict[str, pl.DataFrame]:
    """Every raw record, but for when and by which run it was taken."""
    lake = Lake(str(data / "lake"))
    return {
        s.name: lake.look(s.raw).read().drop("_ingested_at", "_batch_id").sort(IDENTITY)
        for s in SOURCES
    }


def is_as_if_nothing_had_happened(data: Path, shop: Path) -> None:
    for name, rows in raw_rows(data).items():
        assert not rows.select(IDENTITY).is_duplicated().any(), f"{name} has records twice"
        assert rows.equals(raw_rows(shop / "whole")[name]), f"{name} differs"
    found, wanted = (Lake(str(folder / "lake")) for folder in (data, shop / "whole"))
    assert differences(contents(wanted), contents(found)) == []
    with duckdb.connect(str(data / "bridge_cart.duckdb"), read_only=True) as connection:
        (orders,) = connection.execute("SELECT sum(orders) FROM gold.kpis_daily").fetchone()
    with duckdb.connect(str(shop / "whole/bridge_cart.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT sum(orders) FROM gold.kpis_daily").fetchone() == (orders,)


def start(data: Path, point: str, times: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", victim.__name__, str(data), point, str(times)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.mark.parametrize("point", victim.POINTS)
def test_killed_at_a_point_and_run_again(shop: Path, tmp_path: Path, point: str) -> None:
    data = half_done(shop, tmp_path)
    times = 2 if point in ("read", "parsed", "before commit", "parquet written") else 1
    killed = start(data, point, times)
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL, "the point was not reached"
    victim.run(data)
    is_as_if_nothing_had_happened(data, shop)


def test_killed_at_random_moments_and_run_again(shop: Path, tmp_path: Path) -> None:
    """Again and again over the same lake, until a run comes through."""
    chance = random.Random(4)  # noqa: S311 (moments, not secrets)
    data = half_done(shop, tmp_path)
    hit = 0
    for _ in range(-(-KILLS // len(Form))):
        process = start(data, "never", 0)
        assert process.stdout is not None
        process.stdout.readline()  # imports take longer than the work
        time.sleep(chance.uniform(0.0, 0.9))
        process.kill()
        hit += process.wait() == -signal.SIGKILL
        process.stdout.close()
        if chance.random() < 0.4:
            shutil.rmtree(data)
            half_done(shop, data)
    victim.run(data)
    is_as_if_nothing_had_happened(data, shop)
    assert hit >= 5
