"""The command's process ends as Python's own does: what was begun is finished, and all is said."""

import subprocess
import sys

import pytest

SCRIPT = """
import atexit, sys, threading, time
from unittest import mock
from bridge_cart_assets.cli import process

def main():
    atexit.register(lambda: print("closed"))
    threading.Thread(target=lambda: (time.sleep(0.2), print("written"))).start()
    print("said")
    sys.stderr.write("warned")
    sys.exit({leave})

with mock.patch.object(process, "main", main):
    process.program()
"""


def python(script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(("leave", "code"), [("None", 0), ("0", 0), ("2", 2), ("'why'", 1)])
def test_threads_end_and_what_is_left_is_said(leave: str, code: int) -> None:
    script = SCRIPT.format(leave=leave)
    ended = python(script)
    assert (ended.returncode, ended.stdout) == (code, "said\nwritten\nclosed\n")
    assert ended.stderr.startswith("warned")


def test_an_unexpected_error_is_a_traceback() -> None:
    script = SCRIPT.replace("sys.exit({leave})", "raise RuntimeError('unexpected')")
    ended = python(script)
    assert (ended.returncode, ended.stdout) == (1, "said\nwritten\nclosed\n")
    assert "RuntimeError: unexpected" in ended.stderr


def test_a_pool_of_threads_left_open_is_no_reason_to_wait() -> None:
    begin = "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\n"
    script = begin + SCRIPT.format(leave=0).replace(
        '    print("said")', "    pool.submit(print, 'said').result()"
    )
    ended = python(script)
    assert (ended.returncode, ended.stdout) == (0, "said\nwritten\nclosed\n")


def test_without_a_stdout_the_command_ends_well() -> None:
    closed = f'"{sys.executable}" -m bridge_cart_assets --version >&-'
    ended = subprocess.run(["sh", "-c", closed], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
