"""Where time and memory went: every phase once, adding up to the whole, on stderr, when asked."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge_cart_assets.pipeline.phases import PhaseUsage, phase, recording
from bridge_cart_assets.terminal.profile import show_usage
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.terminal.consoles import lines, recorded

HEADER = "order_id,customer_id,purchase_date,purchase_amount\n"
_ROW = re.compile(
    r"^(?P<name>\S.*?) +(?:[\d,]+ +)?(?P<wall>[\d.]+) +[\d.]+ % +(?P<cpu>[\d.,]+) +[\d,]+$"
)


def land(root: Path) -> None:
    file = root / "landing" / "purchases" / "2024-01-01.csv"
    file.parent.mkdir(parents=True)
    file.write_text(f"{HEADER}O1,C1,2024-01-01,10\nO2,C2,2024-01-01,20\n")


def phases(stderr: str) -> dict[str, tuple[float, float]]:
    """Seconds and CPU seconds by phase, as printed."""
    found = (_ROW.match(text.rstrip()) for text in stderr.partition("\nprofile")[2].splitlines())
    return {row["name"]: (float(row["wall"]), float(row["cpu"])) for row in found if row}


def spin(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_time_is_counted_for_the_innermost_phase_alone() -> None:
    with recording() as recorder:
        with phase("outer"):
            time.sleep(0.02)
            with phase("inner"):
                spin(0.05)
        with phase("inner"):
            spin(0.05)
    outer, inner = recorder.usage["outer"], recorder.usage["inner"]
    assert (outer.entered, inner.entered) == (1, 2)
    assert inner.cpu_seconds >= 0.1
    assert outer.seconds >= 0.02 > outer.cpu_seconds


def test_memory_is_counted_where_the_peak_grew() -> None:
    with recording() as recorder:
        with phase("much"):
            # More than this process had at any time before.
            blocks = [bytearray(os.urandom(1)) * 50_000_000 for _ in range(12)]
        del blocks
        with phase("little"):
            bytearray(1_000)
    assert recorder.usage["little"].peak_growth < recorder.usage["much"].peak_growth


def test_a_phase_that_fails_ends_and_nothing_is_recorded_afterwards() -> None:
    with pytest.raises(ValueError, match="no"), recording() as recorder, phase("failing"):
        raise ValueError("no")
    with phase("later"):
        spin(0.01)
    assert "failing" in recorder.usage
    assert "later" not in recorder.usage


def test_the_rest_comes_last_and_all_adds_up() -> None:
    console = recorded()
    usage = {
        "starting, loading libraries": PhaseUsage(1, 1.5, 1.0, 80_000_000),
        "everything else": PhaseUsage(1, 0.25, 0.25, 0),
        "gold: concentration_daily": PhaseUsage(2, 0.25, 0.5, 20_400_000),
    }
    show_usage(usage, console)
    shown = [" ".join(text.split()) for text in lines(console)]
    assert shown[-4:] == [
        "starting, loading libraries 1 1.50 75.0 % 1.00 80",
        "gold: concentration_daily 2 0.25 12.5 % 0.50 20",
        "everything else 1 0.25 12.5 % 0.25 0",
        "all 2.00 100.0 % 1.75 100",
    ]
    assert not [text for text in lines(console) if "…" in text]


@pytest.mark.slow
def test_the_command_shows_every_phase_of_a_run(tmp_path: Path) -> None:
    land(tmp_path)
    began = time.monotonic()
    environment = {n: v for n, v in os.environ.items() if not n.startswith("DAGSTER")}
    done = subprocess.run(
        [sys.executable, "-m", "bridge_cart_assets", "run", "--profile"],
        env={**environment, "BRIDGE_CART_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert "profile" not in done.stdout
    shown = phases(done.stderr)
    assert {
        *("starting, loading libraries", "looking for what is new", "loading Dagster"),
        *("raw: purchases", "silver: folding", "gold: kpis_daily", "gold: segment_model"),
        *("checks of raw", "checks of silver", "checks of gold", "catalogue: copying gold"),
        *("Dagster: job, steps, events", "printing the summary", "everything else", "all"),
    } <= shown.keys()
    whole = shown.pop("all")
    for at in (0, 1):
        assert sum(row[at] for row in shown.values()) == pytest.approx(whole[at], abs=0.3)
    # Starting the process counts, leaving it does not.
    assert 0.5 * took < whole[0] <= took
    again = run_again(tmp_path)
    assert "profile" not in again.stderr


def run_again(root: Path) -> "subprocess.CompletedProcess[str]":
    """The same command without the option, with nothing new."""
    return subprocess.run(
        [sys.executable, "-m", "bridge_cart_assets", "run"],
        env={**os.environ, "BRIDGE_CART_DATA": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )


def test_a_command_that_fails_shows_it_too(command: Command) -> None:
    done = command("run", "--profile")
    assert done.returncode == 1
    assert "there is no landing folder" in done.stderr
    # It fails so soon that there may be no time to have shares of.
    assert re.search(r"^all +[\d.]+ ", done.stderr, re.MULTILINE)
