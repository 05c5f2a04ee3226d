"""Several processes take in the same files at once, and some are killed: 0 lost, 0 twice."""

import random
import time
from pathlib import Path

import pytest

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.shop import generate
from bridge_cart_tests.faults import kill_target
from bridge_cart_tests.faults.extent import CONFLICTS
from bridge_cart_tests.faults.subprocesses import Victim, start
from bridge_cart_tests.faults.test_killed import is_as_if_nothing_had_happened

INGESTERS, SECONDS = 4, 90


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("crowd")
    generate(Shop(customers=150, days=40, newcomers=2, dirt=0.2), root / "whole")
    kill_target.run(root / "whole")
    return root


@pytest.mark.long
def test_four_ingesters_at_once_with_kills(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "landing").symlink_to(shop / "whole" / "landing")
    chance = random.Random(9)  # noqa: S311 (moments, not secrets)
    crowd: list[Victim] = []
    killed = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        crowd = [process for process in crowd if process.poll() is None]
        if conflicts(tmp_path) >= CONFLICTS and killed >= 3:
            break
        while len(crowd) < INGESTERS:
            crowd.append(start(tmp_path, "crowd"))
        time.sleep(chance.uniform(0.1, 0.8))
        if chance.random() < 0.25:
            crowd[chance.randrange(len(crowd))].kill()
            killed += 1
    for process in crowd:
        process.kill()
        process.wait()
    seen = conflicts(tmp_path)
    kill_target.run(tmp_path)
    is_as_if_nothing_had_happened(tmp_path, shop)
    print(f"{seen} conflicts, {killed} kills")
    assert seen >= CONFLICTS


def conflicts(data: Path) -> int:
    written = data / "conflicts"
    return written.stat().st_size if written.exists() else 0
