"""A rebuild that changes the time zone, killed on its way: no table has rows of two zones."""

import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets import pipeline
from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.settings import SilverSettings
from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.faults.command_rounds import random_moments
from bridge_cart_tests.faults.extent import COMMAND_KILLS
from bridge_cart_tests.lakehouse.tables import WITHOUT_MODEL, contents, differences

ZONES = ("America/Los_Angeles", "Pacific/Auckland")
KILLS = max(COMMAND_KILLS // 6, 2)


def start(data: Path, verb: str, zone: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "bridge_cart_assets", verb],
        env=environment_of(data, BRIDGE_CART_TIMEZONE=zone),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def call(data: Path, verb: str, zone: str) -> tuple[int, str]:
    process = start(data, verb, zone)
    _, said = process.communicate(timeout=300)
    return process.returncode, said


def undisturbed(data: Path, folder: Path, zone: str) -> dict[str, pl.DataFrame]:
    lake = Lake(str(folder))
    pipeline.run(lake, data / "landing", settings=SilverSettings(timezone=zone))
    return contents(lake, WITHOUT_MODEL)


@pytest.mark.long
def test_killed_at_random_moments_its_rows_are_all_of_one_zone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    generate(Shop(200, 20, start=date(2024, 3, 1)), data)
    wanted = {zone: undisturbed(data, tmp_path / f"w{n}", zone) for n, zone in enumerate(ZONES)}
    before, after = ZONES
    assert call(data, "run", before)[0] == 0
    began = time.monotonic()
    assert call(data, "rebuild", after)[0] == 0
    usual = time.monotonic() - began
    ways = []
    for moment in random_moments(KILLS, 0.9 * usual, seed=5):
        before, after = after, before
        process = start(data, "rebuild", after)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        # In the new zone, or else in the old one, or else the rebuild begins again.
        for verb, zone in (("run", after), ("run", before), ("rebuild", after)):
            code, said = call(data, verb, zone)
            if code == 0:
                break
            assert code == 2, said
            assert "bridge-cart rebuild" in said
        ways.append((round(moment, 1), verb, zone == after))
        found = contents(Lake(str(data / "lake")), WITHOUT_MODEL)
        assert differences(wanted[zone], found) == [], ways
        if zone == before:
            before, after = after, before
    print(f"rebuilds killed after seconds, and what went on: {ways}")
