"""Fixtures that many tests share: a shop's folder, the command, the real data.

Scratch folders lie in memory where the machine has such a place: a commit is forced to disk by
many calls, and only the tests of `faults` that look at these calls need a disk to make them.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import hypothesis
import pytest

from bridge_cart_assets import cli
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.faults.extent import EXAMPLES

Command = Callable[..., "subprocess.CompletedProcess[str]"]

_MEMORY = Path("/dev/shm")  # noqa: S108 (pytest makes a folder of its own there)
_ENOUGH_BYTES = 4 << 30
# A test that fails today fails tomorrow. `make test-faults`, or BRIDGE_CART_TEST_EXAMPLES, looks
# for new examples, and for more of them.
hypothesis.settings.register_profile("few and the same", derandomize=True, max_examples=25)
hypothesis.settings.register_profile("many and new", max_examples=max(100, EXAMPLES))
hypothesis.settings.load_profile("many and new" if EXAMPLES else "few and the same")
_LONGEST = ("test_dev.py", "test_killed_command.py", "test_online_retail.py")


def pytest_configure() -> None:
    """Scratch folders in memory, if there is room; for the workers too."""
    is_usable = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    if is_usable and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an empty data folder."""
    (tmp_path / "landing").mkdir()
    return Settings(data=tmp_path, lake=str(tmp_path / "lake"), start_date=date(2023, 12, 1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: the rest fills the time until it is done."""
    items.sort(key=lambda item: item.path.name not in _LONGEST)


def environment_of(data: Path, **more: str) -> dict[str, str]:
    """This process's environment, for a `bridge-cart` on another data folder."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("BRIDGE_CART", "DAGSTER"))}
    return {**env, "BRIDGE_CART_DATA": str(data), **more}


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """Runs `bridge-cart` on the test's data folder, from its entry point and in this process.

    To start Python and import Dagster costs more than most verbs; what only a process of its own
    can show is tested with `process`.
    """

    def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        handlers = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
        capfd.readouterr()
        with monkeypatch.context() as patch:
            # Set before they are removed, or what the command sets would stay.
            for name in {*os.environ, "DAGSTER_HOME"}:
                if name.startswith(("BRIDGE_CART", "DAGSTER")):
                    patch.setenv(name, "")
                    patch.delenv(name)
            patch.setenv("BRIDGE_CART_DATA", str(tmp_path))
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["bridge-cart", *arguments])
            with pytest.raises(SystemExit) as left:
                cli.main()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        out, err = capfd.readouterr()
        code = left.value.code
        assert isinstance(code, int)
        return subprocess.CompletedProcess(arguments, code, out, err)

    return run


@pytest.fixture
def process(tmp_path: Path) -> Command:
    """Runs `bridge-cart` on the test's data folder in a process of its own."""

    def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "bridge_cart_assets", *arguments],
            env=environment_of(tmp_path, **environment),
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
