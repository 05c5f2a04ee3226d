"""What the kernel was asked to do: data, then log entry, then folder, for every commit."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.lake import fsync
from bridge_cart_tests.faults import kill_target

CALL = re.compile(r"fsync\(\d+<(.*?)>\)\s+= 0")


@pytest.mark.slow
def test_every_commit_is_forced_in_order_by_what_strace_sees(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    data, log = tmp_path / "data", tmp_path / "calls"
    generate(Shop(customers=30, days=3, dirt=0.2), data)
    watch = [strace, "-f", "-y", "-e", "trace=fsync", "-o", str(log)]
    command = [sys.executable, "-m", kill_target.__name__, str(data), "never", "0"]
    done = subprocess.run([*watch, *command], capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    calls = [Path(found[1]) for found in map(CALL.search, log.read_text().splitlines()) if found]

    entries = sorted((data / "lake").rglob("_delta_log/[0-9]*.json"))
    assert len(entries) > 20
    for entry in entries:
        position = calls.index(entry)
        table = entry.parent.parent
        for path in fsync.added(entry):
            assert table / path in calls[:position], "data is forced before the entry"
            assert (table / path).parent in calls[position:], "and its folder afterwards"
        assert entry.parent in calls[position:], "the log's folder comes last"
