"""`make dev`: both faces come up, a landed file goes through by itself, Ctrl-C ends both."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Several servers, each of which loads Dagster; `test_killed_dev` shows the same and more in CI.
pytestmark = pytest.mark.slow
HEADER = "order_id,customer_id,purchase_date,purchase_amount\n"
PATIENCE_SECONDS = 150


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answer(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 (loopback)
            return str(response.read().decode())
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return None


def wait_for(what: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if ready():
            return
        time.sleep(1)
    pytest.fail(f"{what} did not happen within {PATIENCE_SECONDS} s")


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int, int]]:
    dagster, report = free_port(), free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith(("BRIDGE_CART", "DAGSTER"))}
    env |= {
        "BRIDGE_CART_DATA": str(tmp_path),
        "BRIDGE_CART_DAGSTER_PORT": str(dagster),
        "BRIDGE_CART_REPORT_PORT": str(report),
    }
    process = subprocess.Popen([sys.executable, "-m", "bridge_cart_assets.dev"], env=env)
    yield process, dagster, report
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def test_a_file_copied_into_landing_reaches_gold_by_itself(
    tmp_path: Path, dev: tuple["subprocess.Popen[bytes]", int, int]
) -> None:
    process, dagster, report = dev
    wait_for(
        "the Dagster UI", lambda: answer(f"http://127.0.0.1:{dagster}/server_info") is not None
    )
    page = f"http://127.0.0.1:{report}/"
    wait_for("the report page", lambda: "Bridge-Cart" in (answer(page) or ""))

    file = tmp_path / "landing" / "purchases" / "2024-03-01.csv"
    file.write_text(HEADER + "O1,C1,2024-03-01,10\nO2,C2,2024-03-01,20\n")

    def moved() -> bool:
        health = answer(f"{page}healthz")
        return health is not None and json.loads(health)["as_of"] == "2024-03-01"

    wait_for("the run that the landing sensor asks for", moved)

    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert answer(f"http://127.0.0.1:{dagster}/server_info") is None
    assert answer(page) is None
