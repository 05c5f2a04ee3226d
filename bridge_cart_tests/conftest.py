"""Fixtures that many tests share: a shop's folder, the command, the real data."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from bridge_cart_assets.settings import Settings

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an empty data folder."""
    (tmp_path / "landing").mkdir()
    return Settings(data=tmp_path, lake=str(tmp_path / "lake"), start_date=date(2010, 1, 1))


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs `bridge-cart` in a process of its own on the test's data folder."""

    def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        env = {k: v for k, v in os.environ.items() if not k.startswith(("BRIDGE_CART", "DAGSTER"))}
        env |= {"BRIDGE_CART_DATA": str(tmp_path), **environment}
        return subprocess.run(
            [sys.executable, "-m", "bridge_cart_assets", *arguments],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run


@pytest.fixture(scope="session")
def online_retail() -> Path:
    """The 305 published files of UCI Online Retail."""
    return _real("online_retail")


@pytest.fixture(scope="session")
def cdnow() -> Path:
    """The CDNOW cohort as BG/NBD fits it."""
    return _real("cdnow")


@pytest.fixture(scope="session")
def original_demo() -> Path:
    """What the pipeline that this project began with wrote to its gold table."""
    return _real("original_demo")


def _real(name: str) -> Path:
    root = os.environ.get("BRIDGE_CART_REAL_DATA")
    folder = Path(root) / name if root else None
    if folder is None or not folder.is_dir():
        pytest.skip(f"BRIDGE_CART_REAL_DATA does not name a folder with {name}/")
    return folder
