"""A signal ends the work at once, whatever it is doing, with the usual code and its last words."""

import os
import signal
import subprocess
import sys
import time

import pytest

from bridge_cart_assets.automation.interruption import run_interruptibly

# What the main thread may be within: nothing of it returns to Python for long.
WORK = {
    "a wait": "import threading; threading.Event().wait(60)",
    "Polars": (
        "import polars as pl; n = pl.select(pl.int_range(200_000_000).alias('n')).lazy(); "
        "n.select((pl.col('n') * 31 % 1_000_003).sort().unique().len()).collect()"
    ),
    "a fit": (
        "import numpy as np; from sklearn.cluster import KMeans; "
        "KMeans(400, n_init=200, max_iter=3000, tol=0).fit(np.random.rand(200_000, 8))"
    ),
    "Python": "while True: pass",
}
PROGRAM = """
from bridge_cart_assets.automation.interruption import exit_on_signals, run_interruptibly, on_signal

def work():
    print("begun", flush=True)
    {work}

exit_on_signals()
with on_signal(lambda received: print("farewell", received.name, flush=True)):
    {call}
"""


def ended_by(number: signal.Signals, program: str) -> tuple[int, str, float]:
    """Exit code, output and seconds of a program that gets a signal once it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(number)
    output = process.communicate(timeout=30)[0]
    return process.returncode, output, time.monotonic() - began


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("work", WORK)
def test_a_signal_ends_the_work_within_five_seconds(work: str, number: signal.Signals) -> None:
    program = PROGRAM.format(work=WORK[work], call="run_interruptibly(work)")
    code, output, seconds = ended_by(number, program)
    assert (code, output) == (128 + number, f"farewell {number.name}\n")
    assert seconds < 5


def test_last_words_that_hang_do_not_keep_it() -> None:
    program = PROGRAM.format(work="while True: pass", call="run_interruptibly(work)").replace(
        'print("farewell", received.name, flush=True)', "__import__('time').sleep(60)"
    )
    code, _, seconds = ended_by(signal.SIGTERM, program)
    assert code == 143
    assert seconds < 5


def test_beside_the_work_a_signal_ends_the_process_too() -> None:
    code, output, _ = ended_by(signal.SIGTERM, PROGRAM.format(work=WORK["a wait"], call="work()"))
    assert (code, output) == (143, "")


def test_the_work_s_result_and_its_error_are_the_caller_s() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert run_interruptibly(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        run_interruptibly(lambda: 1 / 0)
    assert signal.getsignal(signal.SIGTERM) == before
